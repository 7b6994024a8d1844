"""Messages to a task that exists (specification section 3.4.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from agents import asking, one_step
from busy import busy
from harness import UNKNOWN_TASK, WEBHOOK, Stack
from memory_stack import MemoryStack

from a2a_lambda.core.model import Task
from a2a_lambda.core.ports import Conflict
from a2a_lambda.core.records import TaskRecord
from a2a_lambda.push.configs import MAX_CONFIGS


def texts(task: dict[str, Any] | Task) -> list[str]:
    return [message["parts"][0]["text"] for message in task["history"]]


def asked(stack: Stack) -> str:
    """A task that waits for its client."""
    task_id: str = stack.send(stack.message("colour"))["id"]
    assert stack.work(task_id) == {"next": "input"}
    return task_id


def test_a_follow_up_joins_the_history_of_a_working_task_and_changes_no_state(stack: Stack) -> None:
    task_id = stack.send(stack.message("a"))["id"]
    stack.run(task_id, remaining_ms=iter_down([60_000, 0]))
    before = stack.stored(task_id)
    task = stack.send(stack.message("b", taskId=task_id))
    assert texts(task) == ["a", "b"]
    assert task["status"] == before.task["status"]
    assert stack.stored(task_id).generation == before.generation + 1
    assert stack.stored(task_id).cursor == before.cursor


def iter_down(values: list[int]) -> Callable[[], int]:
    """The remaining milliseconds as a function is asked for them: the last for ever."""
    left = list(values)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


def test_a_follow_up_may_name_the_task_alone(stack: Stack) -> None:
    task = stack.send()
    follow_up = stack.send(stack.message("b", taskId=task["id"]))
    assert follow_up["history"][-1]["contextId"] == task["contextId"]


def test_a_follow_up_may_name_the_right_context(stack: Stack) -> None:
    task = stack.send()
    assert stack.send(stack.message("b", taskId=task["id"], contextId=task["contextId"]))["id"] == task["id"]


def send_params(message: dict[str, Any], **configuration: Any) -> dict[str, Any]:
    return {"message": message, "configuration": {"returnImmediately": True, **configuration}}


def test_a_follow_up_with_a_wrong_context_is_refused_and_writes_nothing(stack: Stack) -> None:
    task_id = stack.send()["id"]
    before = stack.snapshot()
    response = stack.request("SendMessage", send_params(stack.message("b", taskId=task_id, contextId="other")))
    assert response["error"]["code"] == -32602
    assert response["error"]["data"][1]["fieldViolations"][0]["field"] == "message.contextId"
    assert stack.snapshot() == before


def test_a_follow_up_to_a_task_that_does_not_exist_is_refused_and_creates_none(stack: Stack) -> None:
    before = stack.snapshot()
    assert stack.code("SendMessage", send_params(stack.message(taskId=UNKNOWN_TASK))) == -32001
    legacy = {"id": UNKNOWN_TASK, "message": {"role": "user", "parts": [{"text": "x"}]}}
    assert stack.code("tasks/send", legacy, version=None) == -32001
    assert stack.snapshot() == before


@pytest.mark.parametrize("end", ["completed", "canceled", "failed"])
def test_a_task_that_has_ended_takes_no_further_messages(new_stack: Callable[..., Stack], end: str) -> None:
    stack = new_stack(agent=one_step())
    task_id = stack.send()["id"]
    if end == "completed":
        stack.work(task_id)
    elif end == "canceled":
        stack.call("CancelTask", {"id": task_id})
    else:
        stack.give_up(task_id)
    assert stack.state(task_id) == end
    before = stack.snapshot()
    assert stack.code("SendMessage", send_params(stack.message("late", taskId=task_id))) == -32004
    assert stack.snapshot() == before


def test_the_same_follow_up_twice_is_in_the_history_once(stack: Stack) -> None:
    task_id = stack.send(stack.message("a"))["id"]
    follow_up = stack.message("b", taskId=task_id)
    stack.send(follow_up)
    before = stack.snapshot()
    assert texts(stack.send(follow_up)) == ["a", "b"]
    assert stack.snapshot() == before


def test_a_follow_up_that_meets_another_write_is_made_on_what_that_one_left(memory: MemoryStack) -> None:
    task_id = memory.send(memory.message("a"))["id"]
    other = memory.message("other", taskId=task_id)

    def interfere(record: TaskRecord) -> None:
        memory.tasks.before_write = lambda _: None
        memory.send(other)

    memory.tasks.before_write = interfere
    assert texts(memory.send(memory.message("b", taskId=task_id))) == ["a", "other", "b"]
    assert memory.stored(task_id).generation == 3


def test_a_follow_up_to_a_task_whose_agent_writes_all_the_time_gets_through_in_a_pause_of_it(
    memory: MemoryStack,
) -> None:
    task_id = memory.send(memory.message("a"))["id"]
    chunks = busy(memory, seconds=1)
    assert texts(memory.send(memory.message("b", taskId=task_id))) == ["a", "b"]
    assert chunks() > 5


def test_a_follow_up_that_never_gets_through_is_an_internal_error_and_writes_nothing(memory: MemoryStack) -> None:
    task_id = memory.send()["id"]
    before = memory.snapshot()

    def conflict(record: TaskRecord) -> None:
        raise Conflict

    memory.tasks.before_write = conflict
    assert memory.code("SendMessage", send_params(memory.message(taskId=task_id))) == -32603
    assert memory.snapshot() == before


# ------------------------------------------------------------------------------------------------ answers to a question


@pytest.fixture
def curious(new_stack: Callable[..., Stack]) -> Stack:
    return new_stack(agent=asking())


def test_an_answer_sets_the_task_to_work_again_and_keeps_the_question_in_the_history(curious: Stack) -> None:
    task_id = asked(curious)
    task = curious.send(curious.message("red", taskId=task_id))
    assert task["status"]["state"] == "TASK_STATE_WORKING"
    assert texts(task) == ["colour", "Which one?", "red"]


def test_an_answer_resumes_the_execution_that_waits_for_it(curious: Stack) -> None:
    task_id = asked(curious)
    curious.await_input(task_id, "token-1")
    assert curious.resumed() == []
    curious.send(curious.message("red", taskId=task_id))
    assert curious.resumed() == ["token-1"]


def test_an_answer_that_is_faster_than_the_token_resumes_the_execution_when_the_token_comes(curious: Stack) -> None:
    task_id = asked(curious)
    curious.send(curious.message("red", taskId=task_id))
    assert curious.resumed() == []
    curious.await_input(task_id, "token-1")
    assert curious.resumed() == ["token-1"]


def test_the_agent_goes_on_with_the_answer_and_its_own_state(curious: Stack) -> None:
    task_id = asked(curious)
    curious.await_input(task_id, "token-1")
    curious.send(curious.message("red", taskId=task_id))
    assert curious.work(task_id) == {"next": "done"}
    assert curious.stored(task_id).task["status"]["message"]["parts"] == [{"text": "colour: red"}]


def test_a_stale_token_of_an_earlier_question_resumes_nothing(new_stack: Callable[..., Stack]) -> None:
    agent = asking()
    agent.steps.insert(1, agent.steps[0].__class__("again", lambda task: task.require_input("And now?")))
    stack = new_stack(agent=agent)
    task_id = asked(stack)
    stack.await_input(task_id, "token-1")
    stack.send(stack.message("red", taskId=task_id))
    stack.work(task_id)  # asks again; the second token has not been stored yet
    stack.send(stack.message("blue", taskId=task_id))
    assert stack.resumed() == ["token-1"]
    stack.await_input(task_id, "token-2")
    assert stack.resumed() == ["token-1", "token-2"]


def test_an_answer_whose_resumption_was_lost_is_repaired_by_sending_it_again(curious: Stack) -> None:
    task_id = asked(curious)
    curious.await_input(task_id, "token-1")
    answer = curious.message("red", taskId=task_id)
    curious.break_workflow()
    assert curious.code("SendMessage", send_params(answer)) == -32603
    curious.mend_workflow()
    before = curious.stored(task_id)
    curious.send(answer)
    assert curious.resumed()[-1] == "token-1"
    assert curious.stored(task_id) == before


def test_a_question_that_nobody_answers_in_time_fails_the_task(curious: Stack) -> None:
    task_id = asked(curious)
    assert curious.expire(task_id) == {"next": "done"}
    status = curious.stored(task_id).task["status"]
    assert (status["state"], status["message"]["parts"]) == (
        "TASK_STATE_FAILED",
        [{"text": "No answer came in time."}],
    )


def test_a_question_that_was_answered_just_in_time_goes_on(curious: Stack) -> None:
    task_id = asked(curious)
    curious.send(curious.message("red", taskId=task_id))
    assert curious.expire(task_id) == {"next": "step"}
    assert curious.state(task_id) == "working"


@pytest.mark.parametrize("end", ["expire", "give_up"])
def test_what_ends_a_task_in_need_leaves_one_that_has_ended_alone(curious: Stack, end: str) -> None:
    task_id = asked(curious)
    curious.call("CancelTask", {"id": task_id})
    before = curious.snapshot()
    assert getattr(curious, end)(task_id) == {"next": "done"}
    assert getattr(curious, end)(UNKNOWN_TASK) == {"next": "done"}
    assert curious.snapshot() == before


def test_a_token_for_a_task_that_is_gone_resumes_its_execution_so_that_it_can_end(curious: Stack) -> None:
    curious.await_input(UNKNOWN_TASK, "token-1")
    assert curious.resumed() == ["token-1"]
    assert curious.tasks.get(UNKNOWN_TASK) is None


# ------------------------------------------------------------------------------------------------------ inline config


def test_an_inline_config_on_a_follow_up_is_registered(stack: Stack) -> None:
    task_id = stack.send()["id"]
    stack.send(stack.message("b", taskId=task_id), webhook={"id": "late", "url": WEBHOOK})
    config = stack.configs.get(task_id, "late")
    assert config is not None
    assert config.settled_through == stack.stored(task_id).generation == 2


def test_a_follow_up_whose_config_has_no_room_left_is_refused_and_writes_nothing(memory: MemoryStack) -> None:
    task_id = memory.send()["id"]
    for number in range(MAX_CONFIGS):
        memory.register(task_id, id=f"c{number}")
    before = memory.snapshot()
    params = send_params(memory.message("b", taskId=task_id), taskPushNotificationConfig={"url": WEBHOOK})
    assert memory.code("SendMessage", params) == -32602
    assert memory.snapshot() == before


def test_a_follow_up_may_replace_a_config_of_a_task_that_has_no_room_left(memory: MemoryStack) -> None:
    task_id = memory.send()["id"]
    for number in range(MAX_CONFIGS):
        memory.register(task_id, id=f"c{number}")
    memory.send(memory.message("b", taskId=task_id), webhook={"id": "c3", "url": WEBHOOK + "/new"})
    config = memory.configs.get(task_id, "c3")
    assert config is not None
    assert config.url == WEBHOOK + "/new"


def test_messages_that_would_outgrow_the_item_are_refused_and_write_nothing(stack: Stack) -> None:
    """A task is one item of at most 400 kB: a client must be told, and not find its task broken."""
    task_id = stack.send(stack.message("x" * 150_000))["id"]
    before = stack.snapshot()
    assert stack.code("SendMessage", send_params(stack.message("y" * 200_000, taskId=task_id))) == -32602
    assert stack.snapshot() == before
    stack.send(stack.message("y" * 10_000, taskId=task_id))


def test_a_follow_up_that_differs_as_json_is_another_one_under_the_same_id(stack: Stack) -> None:
    """To Python, true is 1."""
    task_id = stack.send()["id"]
    for value in (1, True, 1):
        stack.send({"messageId": "m-2", "role": "ROLE_USER", "taskId": task_id, "parts": [{"data": value}]})
    history = stack.stored(task_id).task["history"]
    assert [repr(message["parts"][0]["data"]) for message in history[1:]] == ["1", "True"]
