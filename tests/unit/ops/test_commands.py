"""What an operator sees of tasks and webhooks, and does to them, on moto."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import cloud
import pytest
from cloud_stack import CloudStack

from a2a_lambda.aws.clients import client
from a2a_lambda.core.model import TaskState
from ops import scan
from ops.__main__ import main
from ops.stack import Stack

SECRET = "s3cret-of-the-receiver"
URL = f"https://user-hooks.example.com/{SECRET}?key={SECRET}"


class Operator:
    """One who runs the command for a stack."""

    def __init__(self, stack: CloudStack, capsys: pytest.CaptureFixture[str]) -> None:
        self.stack = stack
        self._capsys = capsys

    def __call__(self, *arguments: str, code: int = 0) -> Any:
        """The JSON of a command that is to end with this code."""
        self._capsys.readouterr()  # what the functions wrote
        assert main(["--stack", "s", "--json", "--yes", *arguments]) == code, self._capsys.readouterr().err
        shown = self._capsys.readouterr()
        assert SECRET not in shown.out + shown.err
        if not shown.out.strip():
            return shown.err
        try:
            return json.loads(shown.out)
        except ValueError:
            return [json.loads(line) for line in shown.out.splitlines()]

    def task(self, url: str = URL) -> str:
        """A task that was sent, with a webhook that has a token and credentials."""
        task_id = str(self.stack.send()["id"])
        credentials = {"scheme": "Bearer", "credentials": SECRET}
        self.stack.register(task_id, url, id="a", token=SECRET, authentication=credentials)
        return task_id

    def config(self, task_id: str) -> Any:
        return self.stack.configs.get(task_id, "a")


@pytest.fixture
def operator(
    cloud_stack: Callable[..., CloudStack],
    monkeypatch: pytest.MonkeyPatch,
    output: Callable[[], str],
    capsys: pytest.CaptureFixture[str],
) -> Operator:
    output()
    made = cloud_stack()
    outputs = {
        "TasksTableName": made.tasks_table,
        "PushConfigsTableName": made.configs_table,
        "ContextsTableName": made.contexts_table,
        "StateMachineArn": made.machine,
        "RedeliveryQueueUrl": made.redelivery_queue,
        "DeadLetterQueueUrl": made.dead_letters,
        "StreamFailuresQueueUrl": made.stream_failures,
        "Endpoint": "https://agent.example.com",
    }
    stack = Stack("s", outputs, {"WorkflowType": "STANDARD"}, "CREATE_COMPLETE", "us-east-1")
    monkeypatch.setattr("ops.stack.find", lambda *_: stack)
    monkeypatch.setattr("ops.tasks.client", client)
    return Operator(made, capsys)


def fail(operator: Operator, task_id: str) -> None:
    """The webhook fails once."""
    operator.stack.sender.answers(URL, 500)
    operator.stack.run(task_id)
    operator.stack.notify()
    assert operator.config(task_id).attempts == 1


def test_a_webhook_in_trouble_is_found_with_its_host_and_reason_and_no_secret(operator: Operator) -> None:
    task_id = operator.task()
    assert operator("webhooks", "--failing", code=3) == []
    fail(operator, task_id)

    (row,) = operator("webhooks", "--failing")

    assert (row["task"], row["webhook"], row["host"], row["state"]) == (
        task_id,
        "a",
        "https://user-hooks.example.com",
        "retrying",
    )
    assert (row["attempts"], row["lastError"]) == (1, "status 500")
    assert [each["error"] for each in row["recentFailures"]] == ["status 500"]


def test_webhooks_in_trouble_are_counted_by_host(operator: Operator) -> None:
    for _ in range(2):
        task_id = operator.task()
        fail(operator, task_id)

    (line,) = operator("webhooks", "--failing", "--by-host")

    assert (line["host"], line["webhooks"], line["retrying"], line["mostly"]) == (
        "https://user-hooks.example.com",
        2,
        2,
        "status 500",
    )


def test_an_unreadable_webhook_is_shown_beside_the_others_and_can_be_deleted(operator: Operator) -> None:
    task_id = operator.task()
    fail(operator, task_id)
    broken = operator.task()
    key = {"taskId": {"S": broken}, "configId": {"S": "a"}}
    client("dynamodb").update_item(
        TableName=operator.stack.configs_table, Key=key, UpdateExpression="REMOVE eventTypes"
    )

    assert {(row["task"], row["state"]) for row in operator("webhooks", "--failing")} == {
        (task_id, "retrying"),
        (broken, "unreadable"),
    }
    assert operator("webhook", "pause", broken, "--until", "2h", code=1)["outcome"] == "unreadable"
    assert operator("webhook", "delete", broken)["outcome"] == "deleted"
    assert [row["task"] for row in operator("webhooks", "--failing")] == [task_id]


def test_a_webhook_is_paused_and_resumed(operator: Operator) -> None:
    task_id = operator.task()
    fail(operator, task_id)

    assert operator("webhook", "pause", task_id, "a", "--until", "2h")["outcome"].startswith("paused until")
    (row,) = operator("webhooks", "--failing")
    assert (row["state"], row["attempts"]) == ("paused", 0)
    assert operator("webhook", "retry-now", task_id, code=0)["outcome"].startswith("paused until")

    assert operator("webhook", "resume", task_id)["outcome"].startswith("resumed")
    assert operator.config(task_id).paused_until is None


def test_retry_now_forgets_the_schedule_and_says_by_when_it_is_tried(operator: Operator) -> None:
    task_id = operator.task()
    assert operator("webhook", "retry-now", task_id)["outcome"] == "nothing waits"
    fail(operator, task_id)

    assert operator("webhook", "retry-now", task_id)["outcome"].startswith("tried again by")

    config = operator.config(task_id)
    assert (config.attempts, config.next_attempt_at, config.backlogged) == (0, None, True)


def test_an_action_is_for_all_webhooks_in_trouble_at_a_host(operator: Operator) -> None:
    first, second = operator.task(), operator.task()
    for task_id in (first, second):
        fail(operator, task_id)

    outcomes = operator("webhook", "delete", "--host", "user-hooks.example.com")

    assert {each["task"] for each in outcomes} == {first, second}
    assert (operator.config(first), operator.config(second)) == (None, None)


@pytest.mark.parametrize("arguments", [["retry-now"], ["delete", "t", "--host", "h"]])
def test_an_action_needs_to_know_of_what(operator: Operator, arguments: list[str]) -> None:
    assert "name a task" in operator("webhook", *arguments, code=2)


@pytest.mark.parametrize("arguments", [["resume", "nobody"], ["delete", "--host", "nobody.example"]])
def test_an_action_on_nothing_says_so(operator: Operator, arguments: list[str]) -> None:
    operator.task()
    assert "no webhook" in operator("webhook", *arguments, code=3)


def test_a_task_is_shown_with_its_timeline_and_webhooks(operator: Operator) -> None:
    task_id = operator.task()
    operator.stack.work(task_id)

    shown = operator("task", "show", task_id)

    assert (shown["task"], shown["state"]) == (task_id, "completed")
    assert [each["state"] for each in shown["timeline"]] == ["submitted", "working", "completed"]
    assert [each["webhook"] for each in shown["webhooks"]] == ["a"]


def test_a_task_that_is_not_there_is_code_3(operator: Operator) -> None:
    for command in (["task", "show"], ["task", "end"], ["replay"]):
        assert "there is no task" in operator(*command, "nothing", code=3)


def test_a_task_that_cannot_be_read_is_shown_as_such(operator: Operator) -> None:
    task_id = operator.task()
    key = {"taskId": {"S": task_id}}
    client("dynamodb").update_item(TableName=operator.stack.tasks_table, Key=key, UpdateExpression="REMOVE dialect")

    shown = operator("task", "show", task_id)

    assert (shown["state"], [each["webhook"] for each in shown["webhooks"]]) == ("unreadable", ["a"])


def test_a_stuck_task_is_found_and_ended_and_its_webhook_is_told(operator: Operator) -> None:
    task_id = operator.task()
    operator.stack.notify()
    key = {"taskId": {"S": task_id}}
    client("dynamodb").update_item(
        TableName=operator.stack.tasks_table,
        Key=key,
        UpdateExpression="SET updatedAt = :at",
        ExpressionAttributeValues={":at": {"S": "2026-01-01T00:00:00.000Z"}},
    )
    assert [each["task"] for each in operator("tasks", "--stuck", "15")] == [task_id]

    assert operator("task", "end", task_id)["outcome"] == "ended as failed"

    record = operator.stack.tasks.get(task_id)
    assert record is not None
    assert record.state is TaskState.FAILED
    assert operator.stack.stopped() == [task_id]
    operator.stack.notify()
    assert b"TASK_STATE_FAILED" in operator.stack.sender.posts[-1].body
    assert operator("task", "end", task_id, code=1)["outcome"].startswith("has ended already")
    assert operator("tasks", "--stuck", "15", code=3) == []


def test_a_replay_sends_the_present_state_with_an_id_of_its_own_and_settles_nothing(operator: Operator) -> None:
    task_id = operator.task()
    operator.stack.work(task_id)
    operator.stack.notify()
    before = operator.config(task_id)
    sent = [dict(each.headers)["webhook-id"] for each in operator.stack.sender.posts]

    assert operator("replay", task_id)["outcome"] == "queued"

    assert operator.stack.redeliver(operator.stack.receive()) == []
    post = operator.stack.sender.posts[-1]
    assert b"TASK_STATE_COMPLETED" in post.body
    assert dict(post.headers)["webhook-id"] not in sent
    after = operator.config(task_id)
    assert (after.settled_through, after.queued_through, after.backlogged) == (
        before.settled_through,
        before.queued_through,
        False,
    )


def test_a_purge_counts_first_and_then_removes_all_of_one_owner(operator: Operator) -> None:
    task_id = operator.task()
    record = operator.stack.tasks.get(task_id)
    assert record is not None
    counted = operator("purge", record.owner, "--dry-run")
    assert (counted[0]["tasks"], counted[0]["webhooks"]) == (1, 1)
    assert len(cloud.items(operator.stack.tasks_table)) == 1

    operator("purge", record.owner)

    assert cloud.items(operator.stack.tasks_table) == []
    assert cloud.items(operator.stack.configs_table) == []
    assert operator.stack.stopped() == [task_id]
    assert "nothing is kept" in operator("purge", record.owner, code=3)


def test_a_purge_leaves_what_others_have(operator: Operator) -> None:
    operator.task()

    assert "nothing is kept" in operator("purge", "somebody else", code=3)

    assert len(cloud.items(operator.stack.tasks_table)) == 1


def test_a_record_of_the_stream_that_failed_is_listed_and_dropped(operator: Operator) -> None:
    from a2a_lambda.aws.stream_failures import StreamFailures
    from a2a_lambda.core.ports import Poison

    record = {"eventID": "e", "dynamodb": {"Keys": {"taskId": {"S": "t-1"}}, "NewImage": {"doc": {"S": SECRET}}}}
    StreamFailures(operator.stack.stream_failures).send(record, Poison("t-1"))
    client("sqs").send_message(QueueUrl=operator.stack.stream_failures, MessageBody="[" * 5_000)

    rows = operator("records", "list")

    assert sorted(row["task"] for row in rows) == ["", "t-1"]
    assert len(operator("records", "list")) == 2
    assert operator("records", "drop", "--task", "t-1")["outcome"] == "dropped"
    assert [row["task"] for row in operator("records", "list")] == [""]


def test_the_end_of_an_execution_that_was_set_aside_names_its_task(operator: Operator) -> None:
    from a2a_lambda.aws.stream_failures import StreamFailures
    from a2a_lambda.core.ports import Poison

    task_id = "00000000-0000-4000-8000-000000000001"
    StreamFailures(operator.stack.stream_failures).send({"detail": {"name": f"{task_id}-1795763597_"}}, Poison(task_id))

    (row,) = [operator("records", "drop", "--task", task_id)]

    assert (row["task"], row["what"]) == (task_id, "the end of an execution whose task could not be read")
    operator("records", "list", code=3)


def test_a_look_at_a_large_table_is_bounded_and_says_so(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "_PAGE", 4)
    for _ in range(9):
        operator.stack.send()
    with cloud.calls("dynamodb") as made:
        rows, note = _look(operator, 5)
    scans = [arguments["Limit"] for name, arguments in made if name == "Scan"]

    assert (len(rows), scans) == (5, [4, 1])
    assert note.startswith("read 5 of about 9 items: --all")
    assert len(operator("tasks", "--all")) == 9


def _look(operator: Operator, bound: int) -> tuple[list[Any], str]:
    from ops import tasks

    outputs = {"TasksTableName": operator.stack.tasks_table}
    return tasks.look(Stack("s", outputs), bound=bound)


def test_tasks_are_chosen_by_state_owner_and_part_of_the_id(operator: Operator) -> None:
    done, waiting = operator.task(), operator.task()
    operator.stack.work(done)

    assert [each["task"] for each in operator("tasks", "--state", "completed")] == [done]
    assert [each["task"] for each in operator("tasks", "--state", "submitted")] == [waiting]
    record = operator.stack.tasks.get(done)
    assert record is not None
    assert len(operator("tasks", "--owner", record.owner)) == 2
    assert operator("tasks", "--owner", "nobody", code=3) == []
