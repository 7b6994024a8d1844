"""ListTasks (specification section 3.1.4) and the legacy ``tasks/list``."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from agents import one_step
from callers import BOB
from harness import Stack
from memory_stack import MemoryStack

from a2a_lambda.core.blobs import PREFIX
from a2a_lambda.core.lifecycle import with_artifact, with_message
from a2a_lambda.core.model import Message, Part


def sent(stack: Stack, number: int, **fields: Any) -> list[str]:
    """So many tasks, one second apart; their ids, newest first."""
    ids = []
    for _ in range(number):
        ids.append(stack.send(stack.message(**fields))["id"])
        stack.time.sleep(1)
    return ids[::-1]


def ids(answer: dict[str, Any]) -> list[str]:
    return [task["id"] for task in answer["tasks"]]


def pages(stack: Stack, between: Callable[[], object] = lambda: None, **params: Any) -> list[dict[str, Any]]:
    """All pages of a list, with something that happens after the first."""
    answers = [stack.call("ListTasks", params)]
    between()
    while answers[-1]["nextPageToken"]:
        answers.append(stack.call("ListTasks", {**params, "pageToken": answers[-1]["nextPageToken"]}))
    return answers


def test_a_caller_without_tasks_gets_an_empty_list_with_all_its_fields(stack: Stack) -> None:
    assert stack.call("ListTasks") == {"tasks": [], "nextPageToken": "", "pageSize": 50, "totalSize": 0}
    assert stack.call("tasks/list", version=None) == []


def test_tasks_come_newest_first(stack: Stack) -> None:
    newest_first = sent(stack, 3)
    assert ids(stack.call("ListTasks")) == newest_first
    assert [task["id"] for task in stack.call("tasks/list", version=None)] == newest_first


def test_a_task_whose_status_changes_moves_to_the_front(stack: Stack) -> None:
    newest, middle, oldest = sent(stack, 3)
    stack.call("CancelTask", {"id": oldest})
    assert ids(stack.call("ListTasks")) == [oldest, newest, middle]


def test_pages_hold_every_task_once_and_the_total_on_each(stack: Stack) -> None:
    newest_first = sent(stack, 5)
    answers = pages(stack, pageSize=2)
    assert [ids(answer) for answer in answers] == [newest_first[:2], newest_first[2:4], newest_first[4:]]
    assert {(answer["pageSize"], answer["totalSize"]) for answer in answers} == {(2, 5)}


def test_a_page_that_ends_with_the_last_task_has_no_page_after_it(stack: Stack) -> None:
    sent(stack, 4)
    assert [len(answer["tasks"]) for answer in pages(stack, pageSize=2)] == [2, 2]


def test_tasks_of_the_same_moment_are_paged_without_loss(stack: Stack) -> None:
    created = {stack.send()["id"] for _ in range(5)}
    answers = pages(stack, pageSize=2)
    listed = [task_id for answer in answers for task_id in ids(answer)]
    assert len(listed) == 5
    assert set(listed) == created


def test_a_task_that_is_created_between_two_pages_shifts_none(stack: Stack) -> None:
    newest_first = sent(stack, 4)
    answers = pages(stack, stack.send, pageSize=2)
    assert [task_id for answer in answers for task_id in ids(answer)] == newest_first
    assert [answer["totalSize"] for answer in answers] == [4, 5]


def test_a_context_can_be_asked_for(stack: Stack) -> None:
    rome = sent(stack, 2, contextId="rome")
    sent(stack, 1, contextId="oslo")
    answer = stack.call("ListTasks", {"contextId": "rome"})
    assert (ids(answer), answer["totalSize"]) == (rome, 2)
    assert [task["id"] for task in stack.call("tasks/list", {"contextId": "rome"}, version=None)] == rome


def test_a_context_of_the_same_name_of_another_owner_is_another_context(stack: Stack) -> None:
    sent(stack, 1, contextId="rome")
    assert stack.call("ListTasks", {"contextId": "rome"}, caller=BOB)["totalSize"] == 0


def test_a_state_can_be_asked_for_and_pages_are_full_nevertheless(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(agent=one_step())
    created = sent(stack, 6)
    for task_id in created[::2]:
        stack.call("CancelTask", {"id": task_id})
        stack.time.sleep(1)
    answers = pages(stack, pageSize=2, status="TASK_STATE_CANCELED")
    assert [len(answer["tasks"]) for answer in answers] == [2, 1]
    assert {task_id for answer in answers for task_id in ids(answer)} == set(created[::2])
    assert {answer["totalSize"] for answer in answers} == {3}


def test_state_and_context_can_be_asked_for_together(stack: Stack) -> None:
    first, second = sent(stack, 2, contextId="rome")
    sent(stack, 1, contextId="oslo")
    stack.call("CancelTask", {"id": second})
    assert ids(stack.call("ListTasks", {"contextId": "rome", "status": "TASK_STATE_SUBMITTED"})) == [first]


@pytest.mark.parametrize(
    ("after", "number"),
    [
        ("2026-01-01T00:00:00.000Z", 3),
        ("2026-01-01T00:00:01.000Z", 2),
        ("2026-01-01T00:00:01.001Z", 1),
        ("2026-01-01T01:00:01+01:00", 2),
        ("2026-01-01T00:00:01Z", 2),
        ("2026-01-01t00:00:01z", 2),
        ("2026-01-01T00:00:03Z", 0),
    ],
)
def test_the_lower_bound_of_the_status_timestamp_is_inclusive(stack: Stack, after: str, number: int) -> None:
    sent(stack, 3)
    answer = stack.call("ListTasks", {"statusTimestampAfter": after})
    assert (len(answer["tasks"]), answer["totalSize"]) == (number, number)


def test_artifacts_are_left_out_unless_asked_for(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack()
    done, fresh = stack.send()["id"], stack.send()["id"]
    stack.work(done)
    without = {task["id"]: task for task in stack.call("ListTasks")["tasks"]}
    assert "artifacts" not in without[done]
    listed = {task["id"]: task for task in stack.call("ListTasks", {"includeArtifacts": True})["tasks"]}
    assert [len(listed[task_id]["artifacts"]) for task_id in (done, fresh)] == [3, 0]


def test_history_length_trims_each_task(stack: Stack) -> None:
    task_id = stack.send(stack.message("a"))["id"]
    stack.send(stack.message("b", taskId=task_id))
    by_length = {length: stack.call("ListTasks", {"historyLength": length})["tasks"][0] for length in (0, 1)}
    assert "history" not in by_length[0]
    assert [message["parts"][0]["text"] for message in by_length[1]["history"]] == ["b"]


def test_the_legacy_list_answers_whole_tasks_in_its_own_shape(stack: Stack) -> None:
    task_id = stack.send()["id"]
    stack.work(task_id)
    (task,) = stack.call("tasks/list", version=None)
    assert (task["status"]["state"], len(task["artifacts"]), task["history"][0]["role"]) == ("completed", 3, "user")


# ------------------------------------------------------------------------------------------------------------ its size


def large(stack: Stack, number: int, text: str) -> list[str]:
    """So many tasks with a long message; their ids, newest first."""
    created = sent(stack, number)
    for task_id in created:
        record = stack.stored(task_id)
        message: Message = {"messageId": "long", "role": "ROLE_USER", "parts": [{"text": text}]}
        stack.tasks.update(record.next(with_message(record.task, message)))
    return created


@pytest.mark.parametrize("character", ["x", "\u4e00", '"'])
def test_no_page_outgrows_the_answer_of_a_function(memory: MemoryStack, character: str) -> None:
    bytes_of_it = len(json.dumps(character, ensure_ascii=False).encode()) - 2
    created = large(memory, 30, character * (240_000 // bytes_of_it))
    token, listed = "", []
    while True:
        params = {"jsonrpc": "2.0", "id": 1, "method": "ListTasks", "params": {"pageSize": 100, "pageToken": token}}
        reply = memory.http("POST", "/", json.dumps(params), {"Content-Type": "application/json", "A2A-Version": "1.0"})
        assert len(json.dumps({"body": reply.body}, ensure_ascii=False).encode()) < 6_000_000
        answer = json.loads(reply.body)["result"]
        listed += ids(answer)
        assert answer["totalSize"] == 30
        token = answer["nextPageToken"]
        if not token:
            break
    assert listed == created


def test_a_page_is_measured_with_its_links(memory: MemoryStack) -> None:
    """Each of these tasks has 9 kB of references, and goes out with 130 kB of links."""
    created = sent(memory, 60)
    for task_id in created:
        record = memory.stored(task_id)
        parts: list[Part] = [{"url": f"{PREFIX}{task_id}/{'0' * 64}"}] * 80
        memory.tasks.update(record.next(with_artifact(record.task, {"artifactId": "a", "parts": parts})))
    answer = memory.call("ListTasks", {"pageSize": 100, "includeArtifacts": True})
    assert 10 <= len(answer["tasks"]) < 30
    assert answer["nextPageToken"]


def test_what_is_not_asked_for_takes_no_room(memory: MemoryStack) -> None:
    created = large(memory, 20, "x" * 240_000)
    assert ids(memory.call("ListTasks", {"historyLength": 0})) == created
    for task_id in created:
        record = memory.stored(task_id)
        parts: list[Part] = [{"text": "x" * 240_000}]
        memory.tasks.update(record.next(with_artifact(record.task, {"artifactId": "a", "parts": parts})))
    assert ids(memory.call("ListTasks", {"historyLength": 0})) == created
    assert len(ids(memory.call("ListTasks", {"historyLength": 0, "includeArtifacts": True}))) < 20


def test_a_page_that_ends_early_goes_on_with_the_next_task(stack: Stack) -> None:
    created = large(stack, 15, "x" * 240_000)
    answers = pages(stack, pageSize=50)
    assert [task_id for answer in answers for task_id in ids(answer)] == created
    assert len(answers) == 2


def token(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize(
    "forged",
    [
        "x",
        "not base64 at all!",
        "\u00e9",
        token("text"),
        token(5),
        token([1, 2]),
        token(["2026-01-01T00:00:00.000Z"]),
        token(["2026-01-01T00:00:00.000Z", "not-an-id"]),
        token(["yesterday", "11111111-1111-4111-8111-111111111111"]),
        token(["2026-01-01T00:00:00", "11111111-1111-4111-8111-111111111111"]),
        token(["", ""]),
        token({"a": 1, "b": 2}),
        token(["x" * 3_000, "y" * 3_000]),
        token(["\ud800", "\ud800"]),
        base64.urlsafe_b64encode(b"[" * 5_000).decode(),
    ],
)
def test_a_page_token_that_is_none_of_ours_is_refused(memory: MemoryStack, forged: str) -> None:
    response = memory.request("ListTasks", {"pageToken": forged})
    assert response["error"]["code"] == -32602
    assert response["error"]["data"][1]["fieldViolations"][0]["field"] == "pageToken"


def test_a_page_token_of_another_caller_shows_no_task_of_theirs(stack: Stack) -> None:
    sent(stack, 3)
    theirs = stack.call("ListTasks", {"pageSize": 1})["nextPageToken"]
    assert stack.call("ListTasks", {"pageToken": theirs}, caller=BOB)["tasks"] == []


def test_an_empty_page_token_is_the_first_page(stack: Stack) -> None:
    newest_first = sent(stack, 2)
    assert ids(stack.call("ListTasks", {"pageToken": ""})) == newest_first


def test_a_list_longer_than_a_batch_of_reads_is_whole(stack: Stack) -> None:
    created = sent(stack, 105)
    answers = pages(stack, pageSize=100)
    assert [task_id for answer in answers for task_id in ids(answer)] == created
