"""The table of configs over moto: what a registration is bound to, and cursors that never sink."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cloud
import pytest
from cloud_stack import CloudStack
from stored import NOW, config, put, record

from a2a_lambda.aws.items import config_item, task_item
from a2a_lambda.core.lifecycle import with_status
from a2a_lambda.core.model import TaskState
from a2a_lambda.core.ports import Conflict, Poison, UnreadableConfig
from a2a_lambda.core.records import PushConfig


@pytest.fixture
def stack(cloud_stack: Callable[..., CloudStack]) -> CloudStack:
    return cloud_stack()


def test_a_registration_is_bound_to_the_generation_of_its_task(stack: CloudStack) -> None:
    put(stack)
    with pytest.raises(Conflict):
        stack.configs.register(config(), None, record(generation=2))
    with pytest.raises(Conflict):
        stack.configs.register(config(), None, record("unknown"))
    assert stack.configs.of_task("t") == []


@pytest.mark.parametrize("announcement", [None, ("c", "nonce")])
def test_a_registration_for_a_task_that_has_gone_on_is_a_conflict(
    stack: CloudStack, announcement: tuple[str, str] | None
) -> None:
    put(stack)
    stack.tasks.update(record().next(with_status(record().task, TaskState.WORKING, NOW)))
    with pytest.raises(Conflict):
        stack.configs.register(config(), None, record(announcement=announcement))
    assert stack.configs.of_task("t") == []
    assert stack.stored("t").announcement is None


def test_a_registration_that_thinks_it_is_the_first_does_not_overwrite_another(stack: CloudStack) -> None:
    put(stack, config(url="https://example.com/first"))
    with pytest.raises(Conflict):
        stack.configs.register(config(incarnation="j"), None, record())
    assert stack.configs.of_task("t")[0].url == "https://example.com/first"


def test_a_registration_over_a_config_that_has_changed_or_gone_is_a_conflict(stack: CloudStack) -> None:
    existing = config(queued_through=3)
    put(stack, existing)
    with pytest.raises(Conflict):
        stack.configs.register(config(incarnation="j"), existing, record())
    assert stack.configs.settle(existing, 2, None)
    with pytest.raises(Conflict):
        stack.configs.register(config(), existing, record())
    stack.configs.delete(existing)
    with pytest.raises(Conflict):
        stack.configs.register(config(), existing, record())
    assert stack.configs.of_task("t") == []


def test_a_config_that_is_set_again_loses_what_it_no_longer_has(stack: CloudStack) -> None:
    secrets: Any = {"token": "t", "authentication": {"scheme": "Bearer", "credentials": "c"}}
    existing = config(**secrets, registered=1, queued_through=3)
    put(stack, existing)
    failed = replace(existing, attempts=2, failing_since=NOW, next_attempt_at=NOW, last_attempt_at=NOW, last_error="x")
    assert stack.configs.record_failure(existing, failed)
    stack.configs.register(config(revision="r2"), existing, record())
    assert stack.configs.get("t", "c") == config(revision="r2", registered=1, queued_through=3, last_attempt_at=NOW)


@pytest.mark.parametrize(
    "write",
    [
        lambda table, other: table.delete(other),
        lambda table, other: table.retire(other),
        lambda table, other: table.raise_queued(other, 9),
        lambda table, other: table.settle(other, 9, NOW),
        lambda table, other: table.settle(other, 9, None),
        lambda table, other: table.recover(other),
        lambda table, other: table.reopen(other, "m"),
        lambda table, other: table.close(other, ""),
        lambda table, other: table.record_failure(
            other, replace(other, attempts=1, failing_since=NOW, next_attempt_at=NOW, last_attempt_at=NOW)
        ),
    ],
    ids=["delete", "retire", "raise_queued", "settle", "bury", "recover", "reopen", "close", "record_failure"],
)
def test_nothing_that_is_meant_for_an_earlier_config_of_the_same_id_reaches_the_present_one(
    stack: CloudStack, write: Callable[[Any, PushConfig], object]
) -> None:
    put(stack, config())
    write(stack.configs, config(incarnation="earlier"))
    assert stack.configs.of_task("t") == [config()]
    write(stack.configs, config("gone"))
    assert [found.config_id for found in stack.configs.of_task("t")] == ["c"], "an update must not make an item"


def test_the_queued_cursor_never_sinks(stack: CloudStack) -> None:
    put(stack, config())
    assert stack.configs.raise_queued(config(), 5)
    assert stack.configs.raise_queued(config(), 3), "a late invocation knows of an older cursor only"
    assert stack.configs.of_task("t")[0].queued_through == 5


def test_the_queued_cursor_never_sinks_with_a_failure_that_is_recorded_late(stack: CloudStack) -> None:
    put(stack, config())
    assert stack.configs.raise_queued(config(), 5)
    late = replace(config(), attempts=1, failing_since=NOW, next_attempt_at=NOW, last_attempt_at=NOW, last_error="x")
    assert stack.configs.raise_queued(config(), 3, late)
    assert stack.configs.of_task("t")[0].queued_through == 5


def test_the_settled_cursor_never_sinks(stack: CloudStack) -> None:
    put(stack, config())
    stack.configs.settle(config(), 5, NOW)
    stack.configs.settle(config(), 3, NOW)
    assert stack.configs.of_task("t")[0].settled_through == 5


def test_a_delivery_clears_the_failures_and_a_burial_keeps_them(stack: CloudStack) -> None:
    put(stack, config())
    failed = replace(
        config(), attempts=2, failing_since=NOW, next_attempt_at=NOW, last_attempt_at=NOW, last_error="status 500"
    )
    stack.configs.record_failure(config(), failed)
    assert stack.configs.settle(failed, 2, None)
    assert stack.configs.of_task("t")[0] == replace(failed, settled_through=2, dead_letters=1)
    assert stack.configs.settle(replace(failed, settled_through=2), 3, NOW)
    cleared = stack.configs.of_task("t")[0]
    assert (cleared.attempts, cleared.failing_since, cleared.next_attempt_at, cleared.last_error) == (
        0,
        None,
        None,
        None,
    )
    assert (cleared.settled_through, cleared.delivered_through) == (3, 3)


def test_a_config_waits_for_the_last_message_that_was_brought_back_and_its_cursor_does_not_sink(
    stack: CloudStack,
) -> None:
    kept = config(queued_through=8, settled_through=8)
    put(stack, kept)
    failed = replace(kept, attempts=2, failing_since=NOW, next_attempt_at=NOW, last_attempt_at=NOW, last_error="x")
    stack.configs.record_failure(kept, failed)
    for mark in ("first", "second"):
        stack.configs.reopen(kept, mark)
    waiting = stack.configs.get("t", "c")
    assert waiting == replace(kept, redriven="second", last_attempt_at=NOW)
    assert waiting.backlogged
    stack.configs.close(kept, "first")
    assert stack.configs.get("t", "c") == waiting
    stack.configs.close(kept, "second")
    assert stack.configs.get("t", "c") == replace(kept, last_attempt_at=NOW)


def test_a_config_that_is_set_again_still_waits_for_what_was_brought_back(stack: CloudStack) -> None:
    put(stack, config())
    stack.configs.reopen(config(), "mark")
    stack.configs.register(config(revision="r2"), config(), record())
    assert stack.configs.get("t", "c") == config(revision="r2", redriven="mark")


def test_the_configs_of_an_owner_are_those_that_exist_now(stack: CloudStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """The index may still name one that was deleted."""
    put(stack, config("a"), config("b"), config("c", owner="other"))
    client = cloud.client("dynamodb")
    whole = client.batch_get_item

    def meanwhile(**arguments: Any) -> Any:
        stack.configs.delete(config("a"))
        return whole(**arguments)

    monkeypatch.setattr(client, "batch_get_item", meanwhile)
    assert [found.config_id for found in stack.configs.of_owner("owner")] == ["b"]


@pytest.mark.parametrize("broken", ["url", "settledThrough", "eventTypes"])
def test_a_config_that_cannot_be_read_is_named_beside_the_others(
    stack: CloudStack, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    put(stack, config("d"))
    item = config_item(config("c"))
    del item[broken]
    cloud.client("dynamodb").put_item(TableName=stack.configs_table, Item=item)
    with pytest.raises(Poison):
        stack.configs.get("t", "c")
    found = stack.configs.of_task("t")
    assert [one.config_id for one in found] == ["d"]
    assert found.unreadable == (UnreadableConfig("t", "c", "KeyError", item["incarnation"]),)
    assert [one.config_id for one in stack.configs.of_owner(config().owner)] == ["d"]
    assert '{"taskId":"t","configId":"c","reason":"KeyError"}' in caplog.text


@pytest.mark.parametrize("incarnation", [{"S": "i"}, {"N": "5"}, {"L": [{"S": "i"}]}, None])
def test_a_config_that_cannot_be_read_can_be_removed_and_one_registered_since_stays(
    stack: CloudStack, incarnation: Any
) -> None:
    put(stack)
    item = {"taskId": {"S": "t"}, "configId": {"S": "c"}, **({"incarnation": incarnation} if incarnation else {})}
    cloud.client("dynamodb").put_item(TableName=stack.configs_table, Item=item)
    (broken,) = stack.configs.of_task("t").unreadable
    cloud.client("dynamodb").put_item(TableName=stack.configs_table, Item=config_item(config(incarnation="new")))
    stack.configs.discard(broken)
    assert len(stack.configs.of_task("t")) == 1
    cloud.client("dynamodb").put_item(TableName=stack.configs_table, Item=item)
    stack.configs.discard(broken)
    assert stack.configs.get("t", "c") is None


@pytest.mark.parametrize("broken", [{"doc": "{"}, {"doc": "{}"}, {"cursor": "[]"}, {"createdAt": "soon"}])
def test_a_task_that_cannot_be_read_is_poison(stack: CloudStack, broken: dict[str, str]) -> None:
    item = {**task_item(record()), **{name: {"S": value} for name, value in broken.items()}}
    cloud.client("dynamodb").put_item(TableName=stack.tasks_table, Item=item)
    with pytest.raises(Poison):
        stack.tasks.get("t")


def test_a_task_in_a_state_that_nobody_knows_is_poison(stack: CloudStack) -> None:
    task: Any = record().task
    unknown = {**task, "status": {**task["status"], "state": "TASK_STATE_DREAMING"}}
    cloud.client("dynamodb").put_item(TableName=stack.tasks_table, Item=task_item(record(task=unknown)))
    with pytest.raises(Poison):
        stack.tasks.get("t")
