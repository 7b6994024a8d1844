"""Streams in each dialect and binding: what they begin with, what follows, and how they end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from agents import asking, named, one_step, waits
from harness import ENDPOINT, UNKNOWN_TASK, WEBHOOK, Options
from memory_stack import MemoryStack
from watching import OLD, V03, Frame, ended, frames, opened, read, results, states, streaming

from a2a_lambda.agent import TaskContext
from a2a_lambda.core.model import TaskState
from a2a_lambda.endpoint.card import Stack as Deployed
from a2a_lambda.endpoint.card import v1_card
from a2a_lambda.endpoint.http import EventStream, HttpResponse

# ------------------------------------------------------------------------------------------------------------- 1.0


def test_a_stream_of_1_0_begins_with_the_task_and_tells_every_write_in_order() -> None:
    stack = streaming()
    told = read(stack, "SendStreamingMessage", {"message": stack.message()})
    first, *events = results(told)
    assert first["task"]["status"]["state"] == TaskState.SUBMITTED
    kinds = [next(iter(event)) for event in events]
    assert kinds == ["statusUpdate", *["artifactUpdate", "statusUpdate"] * 3, "statusUpdate"]
    assert states(events)[-1] == TaskState.COMPLETED
    assert all(frame.data["id"] == "call" and frame.data["jsonrpc"] == "2.0" for frame in told)
    task_id = first["task"]["id"]
    assert told[0].id == f"{task_id}.1"
    assert [frame.id for frame in told[1:4]] == [f"{task_id}.2.0", f"{task_id}.3.0", f"{task_id}.3.1"]
    assert (ended(stack).reason, ended(stack).events) == ("ended", len(events))


def test_a_subscriber_of_1_0_gets_the_task_as_it_is_and_then_the_same_events() -> None:
    stack = streaming()
    task_id = stack.send()["id"]
    stack.run(task_id)
    before = stack.stored(task_id).task
    first, *events = results(read(stack, "SubscribeToTask", {"id": task_id}))
    assert first["task"] == before
    assert states(events)[-1] == TaskState.COMPLETED


def test_http_json_streams_the_bare_events_under_both_of_its_paths() -> None:
    stack = streaming()
    headers = {"A2A-Version": "1.0", "Content-Type": "application/json"}
    sent = stack.exchange("POST", "/message:stream", json.dumps({"message": stack.message()}), headers)
    assert isinstance(sent, EventStream)
    begun = frames(sent.frames)
    task_id = next(begun).data["task"]["id"]
    for verb in ("GET", "POST"):
        subscribed = stack.exchange(verb, f"/tasks/{task_id}:subscribe", "", headers)
        assert isinstance(subscribed, EventStream)
        assert "task" in next(frames(subscribed.frames)).data
    rest = [frame.data for frame in begun]
    assert states(rest)[-1] == TaskState.COMPLETED
    again = stack.exchange("POST", f"/tasks/{task_id}:subscribe", "", headers)
    assert isinstance(again, HttpResponse)
    assert (again.status, json.loads(again.body)["error"]["status"]) == (400, "FAILED_PRECONDITION")


# ------------------------------------------------------------------------------------------------------------- 0.3


def test_a_stream_of_0_3_begins_with_the_bare_task_and_its_last_event_alone_is_final() -> None:
    stack = streaming()
    told = read(stack, "message/stream", {"message": V03}, version=None)
    first, *events = results(told)
    assert (first["kind"], first["status"]["state"]) == ("task", "submitted")
    assert {event["kind"] for event in events} == {"status-update", "artifact-update"}
    assert [event.get("final") for event in events if event["kind"] == "status-update"] == [False] * 4 + [True]
    assert events[1]["artifact"]["parts"][0]["kind"] == "text"
    assert told[0].id == f"{first['id']}.1"


@pytest.mark.parametrize("version", [None, "0.3"])
def test_a_task_of_another_dialect_is_resubscribed_to_in_0_3(version: str | None) -> None:
    stack = streaming()
    for method, message in (("SendMessage", stack.message()), ("message/send", V03)):
        sent = stack.call(
            method,
            {"message": message, "configuration": {"returnImmediately": True, "blocking": False}},
            version="1.0" if method[0] == "S" else "0.3",
        )
        task_id = sent.get("task", sent)["id"]
        first, *events = results(read(stack, "tasks/resubscribe", {"id": task_id}, version=version))
        assert first["kind"] == "task"
        assert events[-1]["final"] is True


@pytest.mark.parametrize("method", ["message/stream", "tasks/resubscribe", "tasks/sendSubscribe"])
def test_a_client_that_looks_for_errors_in_the_stream_finds_them_there(method: str) -> None:
    stack = streaming()
    message = {**V03, "taskId": UNKNOWN_TASK} if method == "message/stream" else {**OLD, "taskId": UNKNOWN_TASK}
    params = {"id": UNKNOWN_TASK, "message": message}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    reply = stack.http("POST", "/", body, headers)
    assert reply.headers["content-type"] == "text/event-stream"
    (frame,) = frames([reply.body.encode()])
    assert frame.data["error"]["code"] == -32001
    plain = stack.http("POST", "/", body, {**headers, "Accept": "application/json"})
    assert plain.json == frame.data


# ---------------------------------------------------------------------------------------------------------- legacy


def test_send_subscribe_has_the_frames_of_the_drafts_byte_for_byte() -> None:
    stack = streaming(one_step())
    response = opened(stack, "tasks/sendSubscribe", {"message": OLD}, version=None)
    pieces = [piece.decode() for piece in response.frames if not piece.startswith(b":")]
    (task_id,) = stack.tasks.records
    task = stack.stored(task_id).task
    context, submitted = task["contextId"], stack.tasks.images[0][1]
    assert submitted is not None
    expected = (
        'data: {"jsonrpc":"2.0","result":{"type":"TaskStatusUpdateEvent","taskId":"%s","contextId":"%s",'
        '"status":{"state":"submitted","timestamp":"%s"},"final":false}}\n\n'
    )
    assert pieces[0] == expected % (task_id, context, submitted.task["status"]["timestamp"])
    assert all(piece.startswith('data: {"jsonrpc":"2.0","result":{"type":"Task') for piece in pieces)
    assert '"state":"completed"' in pieces[-1]
    assert pieces[-1].endswith('"final":true}}\n\n')


def test_the_drafts_tell_artifacts_too_and_mark_appended_chunks() -> None:
    agent = named()

    @agent.step
    def chunks(task: TaskContext) -> None:
        task.artifact("a", text="one", last_chunk=False)
        task.artifact("a", text="two", append=True)
        task.complete()

    events = results(read(streaming(agent), "tasks/sendSubscribe", {"message": OLD}, version=None))
    artifacts = [event for event in events if event["type"] == "TaskArtifactUpdateEvent"]
    assert [(each["append"], each["lastChunk"]) for each in artifacts] in (
        [(False, False), (True, True)],
        [(False, True)],
    )
    assert {"taskId", "contextId", "artifact"} <= set(artifacts[0])


def test_resubscribe_of_the_drafts_begins_with_the_bare_task_without_a_type() -> None:
    stack = streaming()
    task = stack.call("tasks/send", {"message": OLD}, version=None)
    first, *events = read(stack, "tasks/resubscribe", {"id": task["id"]}, version=None)
    assert "type" not in first.data["result"]
    assert "id" not in first.data
    assert first.data["result"]["id"] == task["id"]
    assert events[-1].data["result"]["final"] is True
    assert {frame.id for frame in events} == {""}


def test_send_subscribe_follows_a_task_up() -> None:
    stack = streaming(asking())
    events = results(read(stack, "tasks/sendSubscribe", {"message": OLD}, version=None))
    assert events[-1]["status"]["state"] == "input_required"
    answer = {"message": OLD, "id": events[0]["taskId"]}
    events = results(read(stack, "tasks/sendSubscribe", answer, version=None))
    assert (events[0]["status"]["state"], events[-1]["status"]["state"]) == ("working", "completed")


# ------------------------------------------------------------------------------------------------- what all have


@pytest.mark.parametrize(
    ("method", "message", "version"),
    [("SendStreamingMessage", None, "1.0"), ("message/stream", V03, "0.3"), ("tasks/sendSubscribe", OLD, None)],
)
def test_a_direct_answer_is_the_only_event(method: str, message: Any, version: str | None) -> None:
    agent = one_step()
    agent.on_message(lambda _: "Directly.")
    stack = streaming(agent)
    (told,) = read(stack, method, {"message": message or stack.message()}, version=version)
    answer = told.data["result"].get("message", told.data["result"])
    assert answer["parts"][0]["text"] == "Directly."
    assert told.id == ""
    assert stack.tasks.records == {}


METHODS = [
    ("SubscribeToTask", "1.0"),
    ("tasks/resubscribe", "0.3"),
    ("tasks/resubscribe", None),
]


@pytest.mark.parametrize(("method", "version"), METHODS)
def test_a_task_that_has_ended_is_refused_as_json_and_not_as_a_stream(method: str, version: str | None) -> None:
    stack = streaming()
    task_id = stack.finished()
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
    headers |= {"A2A-Version": version} if version else {}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": {"id": task_id}})
    reply = stack.http("POST", "/", body, headers)
    assert reply.headers["content-type"] == "application/json"
    assert reply.json["error"]["code"] == -32004


@pytest.mark.parametrize(
    ("method", "version"),
    [*METHODS, ("SendStreamingMessage", "1.0"), ("message/stream", None), ("tasks/sendSubscribe", None)],
)
def test_where_nothing_streams_every_such_method_is_unsupported_whatever_its_parameters(
    memory: MemoryStack, method: str, version: str | None
) -> None:
    for params in ({}, {"id": 5}, {"message": memory.message()}):
        assert memory.code(method, params, version=version) == -32004
    assert memory.tasks.records == {}


def test_the_card_says_whether_the_stack_streams() -> None:
    for streams in (True, False):
        card = v1_card(one_step(), Deployed(True, streaming=streams), ENDPOINT)
        assert card["capabilities"]["streaming"] is streams


def test_a_refused_message_opens_no_stream_and_writes_nothing() -> None:
    stack = streaming(push_notifications=False)
    inline = {"message": stack.message(), "configuration": {"taskPushNotificationConfig": {"url": WEBHOOK}}}
    assert stack.code("SendStreamingMessage", inline) == -32003
    assert stack.code("SendStreamingMessage", {"message": {**stack.message(), "role": "ROLE_AGENT"}}) == -32602
    assert stack.code("SendStreamingMessage", {"message": stack.message(taskId=UNKNOWN_TASK)}) == -32001
    assert stack.snapshot() == MemoryStack(Options()).snapshot()


def test_a_history_length_trims_the_first_task_only() -> None:
    stack = streaming()
    sent = {"message": stack.message(), "configuration": {"historyLength": 0}}
    first, *_ = results(read(stack, "SendStreamingMessage", sent))
    assert "history" not in first["task"]


def test_the_same_message_again_streams_the_same_task() -> None:
    stack = streaming(waits(30))
    message = stack.message()
    one = opened(stack, "SendStreamingMessage", {"message": message})
    two = opened(stack, "SendStreamingMessage", {"message": message})
    ids = {next(frames(each.frames)).data["result"]["task"]["id"] for each in (one, two)}
    assert len(ids) == 1


def test_two_streams_and_their_webhooks_tell_the_same_side_by_side() -> None:
    stack = streaming()
    one = opened(stack, "SendStreamingMessage", {"message": stack.message()})
    first = frames(one.frames)
    task_id = next(first).data["result"]["task"]["id"]
    second = frames(opened(stack, "SubscribeToTask", {"id": task_id}).frames)
    assert next(second).data["result"]["task"]["id"] == task_id
    left, right = list(first), list(second)
    assert left == right
    assert isinstance(left[-1], Frame)


def test_the_characters_that_some_clients_take_for_the_end_of_a_line_are_escaped() -> None:
    agent = named()
    text = "a\u2028b\u2029c\u0085d\ne\rf"
    agent.step(name="says")(lambda task: task.complete(text))
    response = opened(streaming(agent), "SendStreamingMessage", {"message": MemoryStack(Options()).message()})
    body = b"".join(response.frames).decode()
    assert len(body.splitlines()) == body.count("\n")
    last = list(frames([body.encode()]))[-1].data["result"]
    assert last["statusUpdate"]["status"]["message"]["parts"][0]["text"] == text
