"""Starting a task (specification section 3.1.1), and the same message again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from callers import BOB, CAROL
from harness import UNKNOWN_TASK, WEBHOOK, Stack
from memory_stack import MemoryStack

from a2a_lambda.agent import Agent, TaskContext
from a2a_lambda.core.ports import Conflict
from a2a_lambda.core.records import TaskRecord

WEBHOOK_CONFIG = {"url": WEBHOOK}


def one_step(name: str = "only") -> Agent:
    """An agent that completes its task in one step."""
    agent = Agent(name="OneStep", version="1.0.0", description="Completes.")

    @agent.step(name=name)
    def only(task: TaskContext) -> None:
        task.complete(f"Done: {task.text}")

    return agent


def test_a_task_starts_as_submitted_with_the_message_as_its_history(stack: Stack) -> None:
    message = stack.message("run push demo", metadata={"trace": "t-1"})
    task = stack.send(message)
    assert task["status"] == {"state": "TASK_STATE_SUBMITTED", "timestamp": "2026-01-01T00:00:00.000Z"}
    assert task["history"] == [{**message, "taskId": task["id"], "contextId": task["contextId"]}]
    assert stack.call("GetTask", {"id": task["id"]}) == task


def test_a_task_gets_one_execution_of_its_own(stack: Stack) -> None:
    first, second = stack.send(), stack.send()
    assert sorted(stack.started()) == sorted([first["id"], second["id"]])


def test_a_task_keeps_the_context_that_the_client_names(stack: Stack) -> None:
    assert stack.send(stack.message(contextId="trip-to-rome"))["contextId"] == "trip-to-rome"


def test_a_task_without_a_context_gets_one_of_its_own(stack: Stack) -> None:
    first, second = stack.send(), stack.send()
    assert first["contextId"]
    assert first["contextId"] != second["contextId"]


def test_the_legacy_send_answers_the_bare_task(stack: Stack) -> None:
    params = {"message": {"role": "user", "parts": [{"text": "run push demo"}]}}
    task = stack.call("tasks/send", params, version=None)
    assert task["status"]["state"] == "submitted"
    assert task["artifacts"] == []
    assert [entry["role"] for entry in task["history"]] == ["user"]
    assert stack.started() == [task["id"]]


# ------------------------------------------------------------------------------------------------------- the same again


def test_the_same_message_twice_is_one_task_and_one_execution(stack: Stack) -> None:
    message = stack.message()
    first = stack.send(message)
    stack.time.sleep(60)
    assert stack.send(message) == first
    assert stack.started() == [first["id"]]


def test_the_same_message_after_the_task_has_gone_on_answers_its_present_state(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(agent=one_step())
    message = stack.message()
    task_id = stack.send(message)["id"]
    stack.work(task_id)
    again = stack.send(message)
    assert (again["id"], again["status"]["state"]) == (task_id, "TASK_STATE_COMPLETED")
    assert stack.started() == [task_id]


def test_the_same_message_after_the_task_has_gone_on_starts_nothing(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(agent=one_step())
    message = stack.message()
    stack.work(stack.send(message)["id"])
    stack.break_workflow()
    assert stack.send(message)["status"]["state"] == "TASK_STATE_COMPLETED"


@pytest.mark.parametrize(
    "changed",
    [{"parts": [{"text": "other"}]}, {"messageId": "other"}, {"contextId": "other"}, {"metadata": {"a": 1}}],
    ids=lambda changed: next(iter(changed)),
)
def test_a_message_that_differs_in_anything_is_another_task(stack: Stack, changed: dict[str, object]) -> None:
    """Test kits reuse one messageId for different messages."""
    message = stack.message()
    assert stack.send(message)["id"] != stack.send({**message, **changed})["id"]


def test_the_order_of_keys_makes_no_other_task(stack: Stack) -> None:
    data: dict[str, object] = {"a": 1, "b": {"c": "x", "d": [{"e": 3, "f": 4}]}}
    turned: dict[str, object] = {"b": {"d": [{"f": 4, "e": 3}], "c": "x"}, "a": 1}
    message = stack.message(parts=[{"data": data}], metadata=data)
    assert stack.send(message)["id"] == stack.send({**message, "parts": [{"data": turned}], "metadata": turned})["id"]
    assert len(stack.started()) == 1


def test_the_same_message_of_another_owner_is_another_task(stack: Stack) -> None:
    message = stack.message()
    ids = {stack.send(message)["id"], stack.send(message, caller=BOB)["id"], stack.send(message, caller=CAROL)["id"]}
    assert len(ids) == 3


def test_a_send_that_failed_before_its_execution_started_is_repaired_by_sending_again(stack: Stack) -> None:
    message = stack.message()
    params = {"message": message, "configuration": {"returnImmediately": True}}
    stack.break_workflow()
    assert stack.code("SendMessage", params) == -32603
    assert stack.started() == []
    stack.mend_workflow()
    task = stack.send(message)
    assert stack.started() == [task["id"]]
    assert stack.call("ListTasks")["totalSize"] == 1


def test_the_same_message_with_an_inline_config_twice_makes_one_config(stack: Stack) -> None:
    message = stack.message()
    task_id = stack.send(message, webhook=WEBHOOK_CONFIG)["id"]
    before = stack.configs.of_task(task_id)
    stack.send(message, webhook=WEBHOOK_CONFIG)
    assert [config.config_id for config in stack.configs.of_task(task_id)] == [before[0].config_id]
    assert stack.configs.of_task(task_id)[0].incarnation == before[0].incarnation


def test_the_same_message_with_a_config_it_did_not_have_before_adds_it(stack: Stack) -> None:
    message = stack.message()
    task_id = stack.send(message)["id"]
    stack.send(message, webhook={"id": "late", "url": WEBHOOK})
    assert [config.config_id for config in stack.configs.of_task(task_id)] == ["late"]


def test_two_creations_that_collide_never_tell_the_client_that_its_task_is_unknown(memory: MemoryStack) -> None:
    """DynamoDB cancels one of two transactions on a new item before the other is there to be read."""
    calls = []
    create = memory.tasks.create

    def collides_once(record: TaskRecord, configs: object = ()) -> bool:
        calls.append(record.task_id)
        if len(calls) == 1:
            raise Conflict
        return create(record)

    memory.tasks.create = collides_once  # type: ignore[method-assign, assignment]
    assert memory.send()["status"]["state"] == "TASK_STATE_SUBMITTED"
    assert len(calls) == 2


# ------------------------------------------------------------------------------------------------------------ its size


def swelling(**fields: Any) -> bytes:
    """A request of 200 kB whose numbers are four times as long in the form in which they are stored."""
    message = {"messageId": "m", "role": "ROLE_USER", "parts": [{"data": "numbers"}], **fields}
    params = {"message": message, "configuration": {"returnImmediately": True}}
    call = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": params})
    return call.replace('"numbers"', f"[{','.join(['1e15'] * 40_000)}]").encode()


def refusal(stack: Stack, body: bytes) -> Any:
    reply = stack.http("POST", "/", body, {"Content-Type": "application/json", "A2A-Version": "1.0"})
    return json.loads(reply.body)["error"]


def test_a_message_that_no_task_can_hold_is_refused_and_writes_nothing(stack: Stack) -> None:
    before = stack.snapshot()
    error = refusal(stack, swelling())
    assert error["code"] == -32602
    assert error["data"][1]["fieldViolations"][0]["field"] == "message"
    assert stack.snapshot() == before


def test_a_follow_up_that_the_task_cannot_hold_is_refused_and_writes_nothing(stack: Stack) -> None:
    task_id = stack.send()["id"]
    before = stack.snapshot()
    assert refusal(stack, swelling(taskId=task_id))["code"] == -32602
    assert stack.snapshot() == before


# ------------------------------------------------------------------------------------------------------- inline config


def test_an_inline_config_is_there_with_the_task_and_hears_of_every_generation(stack: Stack) -> None:
    webhook = {"id": "mine", "url": WEBHOOK, "token": "t-1", "authentication": {"scheme": "Bearer", "credentials": "c"}}
    task = stack.send(webhook=webhook)
    listed = stack.call("ListTaskPushNotificationConfigs", {"taskId": task["id"]})
    assert listed == {"configs": [{"taskId": task["id"], **webhook}]}
    config = stack.configs.get(task["id"], "mine")
    assert config is not None
    assert (config.settled_through, config.queued_through, config.dialect) == (0, 0, "1.0")


def test_an_inline_config_that_is_refused_leaves_nothing_behind(stack: Stack) -> None:
    before = stack.snapshot()
    params = {"message": stack.message(), "configuration": {"taskPushNotificationConfig": {"url": "http://10.0.0.1/"}}}
    assert stack.code("SendMessage", params) == -32602
    assert stack.snapshot() == before


def test_the_task_id_inside_an_inline_config_does_not_matter(stack: Stack) -> None:
    task = stack.send(webhook={"taskId": UNKNOWN_TASK, "url": WEBHOOK})
    assert len(stack.configs.of_task(task["id"])) == 1
    assert stack.configs.of_task(UNKNOWN_TASK) == []


# ------------------------------------------------------------------------------------------------------- blocking sends


def test_a_send_waits_for_the_end_of_the_task_unless_told_otherwise(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(agent=one_step())

    def meanwhile() -> None:
        stack.time.on_sleep = lambda: None
        stack.work(stack.started()[0])

    stack.time.on_sleep = meanwhile
    task = stack.call("SendMessage", {"message": stack.message("x")})["task"]
    assert task["status"]["state"] == "TASK_STATE_COMPLETED"
    assert task["status"]["message"]["parts"] == [{"text": "Done: x"}]


def test_a_send_that_has_waited_long_enough_answers_the_task_as_it_is(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(blocking_seconds=5.5)
    task = stack.call("SendMessage", {"message": stack.message()})["task"]
    assert task["status"]["state"] == "TASK_STATE_SUBMITTED"
    assert sum(stack.time.slept) == pytest.approx(5.5)
    assert max(stack.time.slept) <= 1


def test_a_send_that_need_not_wait_does_not_sleep(stack: Stack) -> None:
    stack.send()
    stack.call("tasks/send", {"message": {"role": "user", "parts": [{"text": "x"}]}}, version=None)
    assert stack.time.slept == []


def test_a_blocking_send_ends_when_the_task_asks_its_client(new_stack: Callable[..., Stack]) -> None:
    agent = Agent(name="Asks", version="1.0.0", description="Asks.")
    agent.step(name="ask")(lambda task: task.require_input("Which one?"))
    agent.step(name="end")(lambda task: task.complete())
    stack = new_stack(agent=agent)

    def meanwhile() -> None:
        stack.time.on_sleep = lambda: None
        stack.work(stack.started()[0])

    stack.time.on_sleep = meanwhile
    task = stack.call("SendMessage", {"message": stack.message()})["task"]
    assert task["status"]["state"] == "TASK_STATE_INPUT_REQUIRED"
    assert sum(stack.time.slept) < 1


# ------------------------------------------------------------------------------------------------------- history length


@pytest.mark.parametrize(("length", "texts"), [(0, None), (1, ["b"]), (2, ["a", "b"]), (9, ["a", "b"])])
def test_history_length_asks_for_the_last_messages(stack: Stack, length: int, texts: list[str] | None) -> None:
    """Section 3.2.4: 0 omits the history, more than there is gives all."""
    task = stack.send(stack.message("a"))
    stack.send(stack.message("b", taskId=task["id"]))
    history = stack.call("GetTask", {"id": task["id"], "historyLength": length}).get("history")
    assert (history and [message["parts"][0]["text"] for message in history]) == texts


def test_what_is_stored_is_not_what_was_trimmed_for_one_answer(stack: Stack) -> None:
    params = {"message": stack.message(), "configuration": {"returnImmediately": True, "historyLength": 0}}
    task = stack.call("SendMessage", params)["task"]
    assert "history" not in task
    assert len(stack.call("GetTask", {"id": task["id"]})["history"]) == 1


def test_a_task_that_vanishes_while_a_send_waits_is_answered_as_it_was_last_seen(memory: MemoryStack) -> None:
    memory.time.on_sleep = memory.tasks.records.clear
    task = memory.call("SendMessage", {"message": memory.message()})["task"]
    assert task["status"]["state"] == "TASK_STATE_SUBMITTED"


def test_a_record_says_when_it_may_be_removed(stack: Stack) -> None:
    """A task that has not ended outlives the longest execution; one that has ended, the retention of 30 days."""
    task_id = stack.send()["id"]
    now = int(stack.time.now.timestamp())
    assert stack.stored(task_id).expires_at == now + 400 * 86_400
    stack.call("CancelTask", {"id": task_id})
    assert stack.stored(task_id).expires_at == now + 30 * 86_400
