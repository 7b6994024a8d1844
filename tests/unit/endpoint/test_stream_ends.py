"""How streams look at their tasks, how they end, and how a client goes on after an event that it has."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from agents import asking, named, one_step, waits
from harness import Options
from looks import every, idle, looks_per_minute, peeks, write
from memory_stack import MemoryStack
from watching import OLD, V03, ended, frames, opened, read, results, states, streaming

from a2a_lambda.agent import Agent, TaskContext
from a2a_lambda.core.lifecycle import with_artifact
from a2a_lambda.core.model import TaskState
from a2a_lambda.core.ports import Glimpse, Poison, Unavailable
from a2a_lambda.core.records import TaskRecord
from a2a_lambda.endpoint.stream import HEARTBEAT, LONGEST, PATIENCE, RESERVE, WAITING, missed_steps

# ----------------------------------------------------------------------------------------------- what a minute costs


def test_a_status_a_second_costs_at_most_three_hundred_looks_a_minute() -> None:
    stack, task_id = idle()
    every(stack, 1.03, lambda: write(stack, task_id, TaskState.WORKING, "step"))
    assert 60 < looks_per_minute(stack, task_id) <= 300


def test_an_idle_task_costs_at_most_a_hundred_and_twenty_five_looks_a_minute() -> None:
    stack, task_id = idle()
    assert 60 < looks_per_minute(stack, task_id) <= 125


def test_a_task_that_waits_for_its_client_costs_at_most_sixty_five_looks_a_minute() -> None:
    stack, task_id = idle()
    write(stack, task_id, TaskState.INPUT_REQUIRED)
    assert 30 < looks_per_minute(stack, task_id) <= 65


def test_a_large_task_is_looked_at_less_often_but_every_two_seconds() -> None:
    stack, task_id = idle()
    record = stack.stored(task_id)
    large = with_artifact(record.task, {"artifactId": "a", "parts": [{"text": "x" * 300_000}]})
    stack.tasks.update(record.next(large))
    assert looks_per_minute(stack, task_id) <= 60 / LONGEST * 1.1


def test_a_look_without_news_does_not_read_the_task() -> None:
    stack, task_id = idle()
    generation = stack.stored(task_id).generation

    def unread(_: str) -> Glimpse:
        return Glimpse(generation, 1_000, lambda: pytest.fail("the record was read"))

    peeks(stack, unread)
    read(stack, "SubscribeToTask", {"id": task_id})


def test_a_step_that_wakes_at_a_known_moment_is_seen_just_after_it() -> None:
    stack = streaming(waits(7))
    events = frames(opened(stack, "SendStreamingMessage", {"message": stack.message()}).frames)
    for frame in events:
        if states([frame.data["result"]]) == [TaskState.COMPLETED]:
            late = stack.time() - stack.time.now
            assert late == timedelta(0)
    done = stack.tasks.images[-1][1]
    assert done is not None
    assert timedelta(seconds=7) <= stack.time() - done.created_at <= timedelta(seconds=7.5)


# --------------------------------------------------------------------------------------------------------- the ends


@pytest.mark.parametrize("state", [TaskState.INPUT_REQUIRED, TaskState.AUTH_REQUIRED])
@pytest.mark.parametrize(
    ("method", "message", "version"),
    [("SendStreamingMessage", None, "1.0"), ("message/stream", V03, "0.3"), ("tasks/sendSubscribe", OLD, None)],
)
def test_a_question_to_the_client_is_the_last_event(
    state: TaskState, method: str, message: Any, version: str | None
) -> None:
    agent = named()

    @agent.step
    def asks(task: TaskContext) -> None:
        ask = task.require_input if state is TaskState.INPUT_REQUIRED else task.require_auth
        ask("Well?", then="asks")

    stack = streaming(agent)
    *_, last = results(read(stack, method, {"message": message or stack.message()}, version=version))
    told = json.dumps(last).lower().replace("-", "_").replace("task_state_", "")
    assert state.removeprefix("TASK_STATE_").lower() in told
    assert last.get("final") == {"1.0": None, "0.3": True, None: False}[version]
    assert ended(stack).reason == "asks"


@pytest.mark.parametrize("state", [TaskState.FAILED, TaskState.CANCELED, TaskState.REJECTED])
def test_every_terminal_state_ends_a_stream(state: TaskState) -> None:
    stack, task_id = idle()
    stack.time.on_sleep = lambda: write(stack, task_id, state)
    *_, last = results(read(stack, "SubscribeToTask", {"id": task_id}))
    assert states([last]) == [state]
    assert ended(stack).reason == "ended"


def test_a_stream_ends_after_its_seconds_and_the_task_goes_on() -> None:
    stack, task_id = idle(MemoryStack(Options(streaming=True, stream_seconds=90)))
    read(stack, "SubscribeToTask", {"id": task_id})
    report, seconds = stack.reports[-1]
    assert (report.reason, seconds) == ("time", pytest.approx(90))
    assert stack.state(task_id) == "working"


def test_a_stream_ends_before_lambda_would_cut_it_off() -> None:
    stack, task_id = idle()
    read(stack, "SubscribeToTask", {"id": task_id}, seconds=60)
    report, seconds = stack.reports[-1]
    assert (report.reason, seconds) == ("time", pytest.approx(60 - RESERVE))


def test_a_function_without_time_still_tells_the_task() -> None:
    stack, task_id = idle()
    (only,) = results(read(stack, "SubscribeToTask", {"id": task_id}, seconds=3))
    assert only["task"]["id"] == task_id


def test_a_task_that_waits_for_its_client_is_followed_for_a_minute() -> None:
    stack, task_id = idle()
    write(stack, task_id, TaskState.INPUT_REQUIRED)
    (only,) = results(read(stack, "SubscribeToTask", {"id": task_id}))
    assert only["task"]["status"]["state"] == TaskState.INPUT_REQUIRED
    assert stack.reports[-1][1] == pytest.approx(WAITING)


def test_who_answers_elsewhere_goes_on_in_the_stream_that_waited() -> None:
    stack = streaming(asking())
    task_id = stack.send()["id"]
    stack.work(task_id)
    told = frames(opened(stack, "SubscribeToTask", {"id": task_id}).frames)
    next(told)
    stack.send(stack.message("this one", taskId=task_id))
    assert states([frame.data["result"] for frame in told]) == [TaskState.WORKING, TaskState.COMPLETED]


def test_a_task_that_is_removed_ends_the_stream() -> None:
    stack, task_id = idle()
    stack.time.on_sleep = lambda: stack.tasks.records.pop(task_id, None)
    read(stack, "SubscribeToTask", {"id": task_id})
    assert ended(stack).reason == "deleted"


def test_a_look_that_is_behind_the_creation_is_not_taken_for_a_removal() -> None:
    stack, task_id = idle()
    peeks(stack, lambda _: None)
    stack.time.on_sleep = lambda: write(stack, task_id, TaskState.COMPLETED)
    *_, last = results(read(stack, "SubscribeToTask", {"id": task_id}))
    assert states([last]) == [TaskState.COMPLETED]


def test_a_look_that_goes_back_in_time_repeats_no_event() -> None:
    stack, task_id = idle()
    every(stack, 1.0, lambda: write(stack, task_id, TaskState.WORKING, f"{stack.stored(task_id).generation}"))
    history: list[TaskRecord] = []

    def older(_: str) -> Glimpse:
        history.append(stack.stored(task_id))
        record = history[-3] if len(history) % 3 == 0 else history[-1]
        return Glimpse(record.generation, 1_000, lambda: record)

    peeks(stack, older)
    told = read(stack, "SubscribeToTask", {"id": task_id}, seconds=70)
    ids = [frame.id for frame in told]
    assert len(ids) == len(set(ids)) > 50


def test_a_throttled_look_is_skipped() -> None:
    stack, task_id = idle()
    began = stack.time()
    real = stack.tasks.peek

    def throttled(which: str) -> Glimpse | None:
        if stack.time() - began < timedelta(seconds=PATIENCE / 2):
            raise Unavailable
        return real(which)

    peeks(stack, throttled)
    every(stack, PATIENCE / 4, lambda: stack.stored(task_id).terminal or write(stack, task_id, TaskState.COMPLETED))
    *_, last = results(read(stack, "SubscribeToTask", {"id": task_id}))
    assert states([last]) == [TaskState.COMPLETED]


def test_a_table_that_stays_away_ends_the_stream_cleanly() -> None:
    stack, task_id = idle()

    def away(_: str) -> Glimpse:
        raise Unavailable

    peeks(stack, away)
    (only,) = results(read(stack, "SubscribeToTask", {"id": task_id}))
    assert "task" in only
    report, seconds = stack.reports[-1]
    assert report.reason == "unavailable"
    assert PATIENCE <= seconds <= 2 * PATIENCE


@pytest.mark.parametrize(("method", "version"), [("SubscribeToTask", "1.0"), ("tasks/resubscribe", "0.3")])
def test_a_fault_on_the_way_is_an_error_in_the_stream_without_internals(method: str, version: str) -> None:
    stack, task_id = idle()

    def broken(_: str) -> Glimpse:
        raise Poison("secret")

    peeks(stack, broken)
    *_, last = read(stack, method, {"id": task_id}, version=version)
    assert last.data["error"]["code"] == -32603
    assert "secret" not in json.dumps(last.data)
    assert ended(stack).reason == "failed"
    assert isinstance(ended(stack).fault, Poison)


def test_http_json_tells_a_fault_on_the_way_as_its_errors_are() -> None:
    stack, task_id = idle()
    peeks(stack, lambda _: Glimpse(99, 1, lambda: {}["gone"]))
    reply = stack.http("GET", f"/tasks/{task_id}:subscribe", headers={"A2A-Version": "1.0"})
    *_, last = frames([reply.body.encode()])
    assert last.data["error"]["status"] == "INTERNAL"


def test_who_hangs_up_ends_the_looks_and_not_the_task() -> None:
    stack, task_id = idle()
    response = opened(stack, "SubscribeToTask", {"id": task_id})
    every(stack, 1.0, lambda: write(stack, task_id, TaskState.WORKING))
    told = frames(response.frames)
    next(told), next(told)
    made = peeks(stack)
    response.frames.close()  # type: ignore[attr-defined]
    assert ended(stack).reason == "hung up"
    assert made == []
    assert stack.state(task_id) == "working"


# ------------------------------------------------------------------------------------------------------ the frames


def pieces_of(stack: MemoryStack, task_id: str) -> list[bytes]:
    return list(opened(stack, "SubscribeToTask", {"id": task_id}).frames)


def test_a_quiet_stream_sends_comments_that_keep_the_connection() -> None:
    stack, task_id = idle()
    comments = [piece for piece in pieces_of(stack, task_id)[2:] if piece == b":\n"]
    assert 300 / HEARTBEAT * 0.9 <= len(comments) <= 300 / HEARTBEAT


@pytest.mark.parametrize("padding", [0, 2_000])
def test_each_event_is_followed_by_a_comment_of_its_own_with_the_padding(padding: int) -> None:
    stack, task_id = idle(MemoryStack(Options(streaming=True, stream_padding=padding)))
    stack.time.on_sleep = lambda: write(stack, task_id, TaskState.COMPLETED)
    event, comment, last, after = pieces_of(stack, task_id)
    assert comment == after == b":" + b" " * padding + b"\n"
    assert event.startswith(b"id: ")
    assert last.startswith(b"id: ")


@pytest.mark.parametrize(
    ("method", "version", "end"), [("SubscribeToTask", "1.0", b""), ("tasks/resubscribe", None, b"\n")]
)
def test_no_comment_makes_an_event_for_clients_that_remember_ids_or_split_at_empty_lines(
    method: str, version: str | None, end: bytes
) -> None:
    stack = MemoryStack(Options(streaming=True))
    if version:
        stack, task_id = idle(stack)
    else:
        task_id = stack.call("tasks/send", {"message": OLD}, version=None)["id"]
    body = list(opened(stack, method, {"id": task_id}, version=version).frames)
    comments = [piece for piece in body if piece.startswith(b":")]
    assert len(comments) > 10
    assert set(comments) == {b":\n" + end}


def test_a_thousand_events_are_told_one_by_one() -> None:
    agent = named()

    @agent.step
    def speaks(task: TaskContext) -> None:
        for number in range(1_000):
            task.status(f"{number}")
            stack.time.on_sleep = lambda: None
            stack.time.sleep(0.01)

    stack = MemoryStack(Options(streaming=True, agent=agent))
    task_id = stack.send()["id"]
    told: list[Any] = []
    stream = frames(opened(stack, "SubscribeToTask", {"id": task_id}).frames)
    stack.time.on_sleep = lambda: stack.run(task_id)
    told = [frame.data["result"] for frame in stream]
    assert states(told)[-1] == TaskState.COMPLETED


# ------------------------------------------------------------------------------------------------------ resumption


def conversation(agent: Agent | None = None) -> tuple[MemoryStack, str, list[Any]]:
    """A task in the middle of its work, and all frames of a stream that saw it whole, for comparison."""
    stack = streaming(agent)
    told = read(stack, "SendStreamingMessage", {"message": stack.message()})
    return stack, told[0].data["result"]["task"]["id"], told


def test_after_each_event_that_a_client_names_it_gets_exactly_what_it_missed() -> None:
    stack, task_id, told = conversation()
    for place, frame in enumerate(told[:-1]):
        again = read(stack, "SubscribeToTask", {"id": task_id}, last_event_id=frame.id)
        assert again == told[place + 1 :], frame.id


def test_the_id_of_a_webhook_of_the_creation_will_do() -> None:
    stack, task_id, told = conversation()
    assert read(stack, "SubscribeToTask", {"id": task_id}, last_event_id=f"{task_id}.1.0") == told[1:]


def test_who_has_the_last_event_of_an_ended_task_is_refused() -> None:
    stack, task_id, told = conversation()
    headers = {"A2A-Version": "1.0", "Last-Event-ID": told[-1].id}
    reply = stack.http("GET", f"/tasks/{task_id}:subscribe", headers=headers)
    assert reply.status == 400


def test_a_resumed_stream_goes_on_with_what_comes() -> None:
    stack, task_id = idle()
    seen = f"{task_id}.1"
    stack.time.on_sleep = lambda: write(stack, task_id, TaskState.COMPLETED)
    told = read(stack, "SubscribeToTask", {"id": task_id}, last_event_id=seen)
    assert states(results(told)) == [TaskState.WORKING, TaskState.COMPLETED]


def test_a_resumed_stream_ends_at_a_question_that_was_answered_meanwhile_and_goes_on_from_there() -> None:
    stack = streaming(asking())
    task_id = stack.send()["id"]
    stack.work(task_id)
    stack.send(stack.message("this one", taskId=task_id))
    stack.work(task_id)
    told = read(stack, "SubscribeToTask", {"id": task_id}, last_event_id=f"{task_id}.1")
    assert states(results(told))[-1] == TaskState.INPUT_REQUIRED
    rest = read(stack, "SubscribeToTask", {"id": task_id}, last_event_id=told[-1].id)
    assert states(results(rest))[-1] == TaskState.COMPLETED


@pytest.mark.parametrize(
    "event_id",
    ["", "x", "{task}", "{task}.", "{task}.x", "{task}.0.0", "{task}.999", "{task}.2.m0", "{task}.2.0.0", "other.2.0"],
)
@pytest.mark.parametrize("suffix", ["", "\u0660", " ", "9" * 400])
def test_an_id_that_says_nothing_begins_with_the_task(event_id: str, suffix: str) -> None:
    stack, task_id = idle()
    asked = event_id.format(task=task_id) + suffix
    assert missed_steps(stack.stored(task_id), asked) is None
    stack.time.on_sleep = lambda: write(stack, task_id, TaskState.COMPLETED)
    first, *_ = results(read(stack, "SubscribeToTask", {"id": task_id}, last_event_id=asked))
    assert "task" in first


def test_an_event_that_the_trace_has_forgotten_begins_with_the_task() -> None:
    stack, task_id = idle()
    for _ in range(20):
        write(stack, task_id, TaskState.WORKING)
    stack.time.on_sleep = lambda: write(stack, task_id, TaskState.COMPLETED)
    first, *_ = results(read(stack, "SubscribeToTask", {"id": task_id}, last_event_id=f"{task_id}.3.0"))
    assert "task" in first


def test_a_closed_stream_that_nobody_read_reports_nothing() -> None:
    stack = MemoryStack(Options(streaming=True, agent=one_step()))
    response = opened(stack, "SendStreamingMessage", {"message": stack.message()})
    response.frames.close()  # type: ignore[attr-defined]
    assert stack.reports == []
