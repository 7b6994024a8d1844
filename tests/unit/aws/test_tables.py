"""The tables over moto: conditions, transactions, and items that lose nothing of their records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import cloud
import pytest
from botocore.exceptions import ClientError, ParamValidationError
from cloud_stack import CloudStack
from harness import UNKNOWN_TASK
from hypothesis import given
from hypothesis import strategies as st
from stored import MESSAGE, NOW, config, put, record

from a2a_lambda.aws.items import config_item, push_config, task_item, task_record
from a2a_lambda.core.lifecycle import new_task, with_status
from a2a_lambda.core.model import TaskState
from a2a_lambda.core.ports import Conflict, TaskQuery, Unavailable
from a2a_lambda.core.records import Cursor, PushConfig, ResumeToken, TaskRecord


@pytest.fixture
def stack(cloud_stack: Callable[..., CloudStack]) -> CloudStack:
    return cloud_stack()


# ---------------------------------------------------------------------------------------------------------- round trips

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
moments = st.integers(0, 10**16).map(lambda microseconds: NOW + timedelta(microseconds=microseconds))
cursors = st.builds(
    Cursor,
    run=st.integers(0, 10**6),
    step=st.none() | texts,
    writes=st.integers(0, 100),
    attempt=st.integers(0, 100),
    wake_at=st.none() | moments,
    state=st.dictionaries(texts, json_values, max_size=3),
)
tasks = st.builds(
    lambda identifier, context, state, data: {
        **new_task(identifier, context, {**MESSAGE, "parts": [{"data": data}]}, NOW),
        "status": {"state": state, "timestamp": "2026-01-01T00:00:00.000Z"},
    },
    st.uuids().map(str),
    texts.filter(bool),
    st.sampled_from(sorted(TaskState)),
    json_values,
)
records = st.builds(
    TaskRecord,
    task=tasks,
    owner=texts,
    generation=st.integers(1, 10**9),
    dialect=st.sampled_from(["1.0", "0.3", "legacy"]),
    created_at=moments,
    cursor=cursors,
    expires_at=st.integers(0, 2**40),
    open_artifacts=st.frozensets(texts, max_size=3),
)
configs = st.builds(
    PushConfig,
    task_id=st.uuids().map(str),
    config_id=texts.filter(bool),
    owner=texts,
    url=st.integers(0, 999).map(lambda number: f"https://example.com/{number}?%20"),
    dialect=st.sampled_from(["1.0", "0.3", "legacy"]),
    incarnation=texts,
    revision=texts,
    token=st.none() | texts,
    authentication=st.none() | st.fixed_dictionaries({"scheme": texts.filter(bool)}, optional={"credentials": texts}),
    event_types=st.lists(texts, max_size=3).map(tuple),
    registered=st.integers(0, 10**9),
    queued_through=st.integers(0, 10**9),
    settled_through=st.integers(0, 10**9),
    expires_at=st.integers(0, 2**40),
)


@given(records)
def test_an_item_loses_nothing_of_its_task(original: TaskRecord) -> None:
    assert task_record(task_item(original)) == original


@given(configs)
def test_an_item_loses_nothing_of_its_config(original: PushConfig) -> None:
    assert push_config(config_item(original)) == original


def test_a_config_from_before_its_registration_was_kept_is_read_as_one_that_is_owed_all() -> None:
    item = config_item(config(registered=3))
    del item["registered"]
    assert push_config(item) == config(registered=0)


def test_every_attribute_of_an_item_has_a_type_that_dynamodb_knows() -> None:
    for item in (task_item(record()), config_item(config(token="t", authentication={"scheme": "s"}))):
        assert all(list(attribute) in (["S"], ["N"]) for attribute in item.values())
        assert all(isinstance(value, str) for attribute in item.values() for value in attribute.values())


# ---------------------------------------------------------------------------------------------------------------- tasks


def test_a_task_is_created_once(stack: CloudStack) -> None:
    assert stack.tasks.create(record())
    assert not stack.tasks.create(record(owner="other"))
    assert stack.stored("t").owner == "owner"


def test_a_task_and_its_configs_are_created_together_or_not_at_all(stack: CloudStack) -> None:
    put(stack, config("a"), config("b"))
    assert [found.config_id for found in stack.configs.of_task("t")] == ["a", "b"]
    assert not stack.tasks.create(record(owner="other"), [config("c")])
    assert [found.config_id for found in stack.configs.of_task("t")] == ["a", "b"]


def test_a_config_that_a_task_left_behind_does_not_keep_the_next_one_from_being_created(stack: CloudStack) -> None:
    """A task that has expired, and the same message again before its configs were removed."""
    put(stack, config(incarnation="old"))
    cloud.client("dynamodb").delete_item(TableName=stack.tasks_table, Key={"taskId": {"S": "t"}})
    assert stack.tasks.create(record(), [config(incarnation="new")])
    assert stack.configs.of_task("t")[0].incarnation == "new"


@pytest.mark.parametrize("reasons", [["TransactionConflict", "None"], ["None", "TransactionConflict"]])
def test_a_creation_that_collides_is_a_conflict_and_not_a_task_that_exists(
    stack: CloudStack, reasons: list[str]
) -> None:
    error = ClientError(
        {
            "Error": {"Code": "TransactionCanceledException", "Message": "secret"},
            "CancellationReasons": [{"Code": reason} for reason in reasons],
        },
        "TransactWriteItems",
    )
    with raising(error), pytest.raises(Conflict):
        stack.tasks.create(record(), [config()])


def raising(error: Exception) -> Any:
    """DynamoDB answers everything with this error."""
    patch = pytest.MonkeyPatch()

    class Raising:
        def __enter__(self) -> None:
            def fail(*_: Any, **__: Any) -> Any:
                raise error

            patch.setattr(cloud.client("dynamodb"), "_make_api_call", fail)

        def __exit__(self, *_: object) -> None:
            patch.undo()

    return Raising()


def test_a_write_on_an_old_generation_is_a_conflict_and_changes_nothing(stack: CloudStack) -> None:
    put(stack)
    first = record().next(with_status(record().task, TaskState.WORKING, NOW))
    stack.tasks.update(first)
    before = stack.snapshot()
    with pytest.raises(Conflict):
        stack.tasks.update(record().next(with_status(record().task, TaskState.FAILED, NOW)))
    with pytest.raises(Conflict):
        stack.tasks.update(replace(first, generation=4))
    assert stack.snapshot() == before


@pytest.mark.parametrize("end", ["COMPLETED", "FAILED", "CANCELED", "REJECTED"])
def test_no_write_leaves_a_terminal_state(stack: CloudStack, end: str) -> None:
    put(stack)
    ended = record().next(with_status(record().task, TaskState[end], NOW))
    stack.tasks.update(ended)
    with pytest.raises(Conflict):
        stack.tasks.update(ended.next(with_status(ended.task, TaskState.WORKING, NOW)))
    assert stack.stored("t") == ended


def test_a_write_to_a_task_that_is_gone_is_a_conflict_and_makes_none(stack: CloudStack) -> None:
    with pytest.raises(Conflict):
        stack.tasks.update(record().next(record().task))
    assert stack.tasks.get("t") is None


def test_a_write_keeps_the_resume_token_and_the_announcement(stack: CloudStack) -> None:
    put(stack)
    stack.tasks.set_resume_token("t", ResumeToken("token", 3))
    stack.configs.register(config(), None, record(announcement=("c", "nonce")))
    stack.tasks.update(record().next(with_status(record().task, TaskState.WORKING, NOW)))
    assert stack.stored("t").resume_token == ResumeToken("token", 3)
    assert stack.stored("t").announcement == ("c", "nonce")


def test_a_resume_token_makes_no_task(stack: CloudStack) -> None:
    assert stack.tasks.set_resume_token(UNKNOWN_TASK, ResumeToken("token", 1)) is None
    assert stack.tasks.get(UNKNOWN_TASK) is None


def test_reads_that_decide_are_strongly_consistent(stack: CloudStack) -> None:
    put(stack, config())
    with cloud.calls("dynamodb") as calls:
        stack.tasks.get("t")
        stack.configs.get("t", "c")
        stack.configs.of_task("t")
    assert [arguments["ConsistentRead"] for _, arguments in calls] == [True, True, True]


def test_a_query_reads_again_what_a_batch_left_unprocessed(stack: CloudStack, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        stack.tasks.create(record(f"t{number}"))
    client = cloud.client("dynamodb")
    whole = client.batch_get_item

    def partial(RequestItems: dict[str, Any]) -> Any:  # noqa: N803 - boto3's
        (table,) = RequestItems
        first, *rest = RequestItems[table]["Keys"]
        answer = whole(RequestItems={table: {**RequestItems[table], "Keys": [first]}})
        return {**answer, "UnprocessedKeys": {table: {"Keys": rest}} if rest else {}}

    monkeypatch.setattr(client, "batch_get_item", partial)
    page = stack.tasks.query(TaskQuery(owner="owner"))
    assert sorted(found.task_id for found in page.records) == ["t0", "t1", "t2"]


def lagging(stack: CloudStack, patch: pytest.MonkeyPatch, change: Callable[[], object]) -> None:
    """The index shows what was before the change; the table has it."""
    client = cloud.client("dynamodb")
    read = client.batch_get_item

    def later(**arguments: Any) -> Any:
        change()
        return read(**arguments)

    patch.setattr(client, "batch_get_item", later)


def test_a_task_that_left_the_state_asked_for_before_the_index_knew_is_not_listed(
    stack: CloudStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = stack.send()["id"], stack.send()["id"]
    lagging(stack, monkeypatch, lambda: stack.call("CancelTask", {"id": first}))
    page = stack.tasks.query(TaskQuery(owner=stack.stored(first).owner, state=TaskState.SUBMITTED))
    assert ([found.task_id for found in page.records], page.total, page.position) == ([second], 1, None)


def test_a_page_ends_where_the_index_has_its_last_task(stack: CloudStack, monkeypatch: pytest.MonkeyPatch) -> None:
    oldest = stack.send()["id"]
    stack.time.sleep(1)
    middle = stack.send()["id"]
    stack.time.sleep(1)
    stack.send()

    def change() -> None:
        stack.time.sleep(60)
        stack.call("CancelTask", {"id": middle})

    query = TaskQuery(owner=stack.stored(oldest).owner, limit=2)
    lagging(stack, monkeypatch, change)
    page = stack.tasks.query(query)
    assert page.records[1].state is TaskState.CANCELED
    assert page.position == page.positions[1] == ("2026-01-01T00:00:01.000Z", middle)


# --------------------------------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize(
    "code", ["ThrottlingException", "ProvisionedThroughputExceededException", "InternalServerError", None]
)
def test_what_may_work_later_is_unavailable(stack: CloudStack, code: str | None) -> None:
    with cloud.outage("dynamodb", code=code, message="secret"), pytest.raises(Unavailable) as caught:
        stack.tasks.get("t")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException", "ValidationException"])
def test_what_will_never_work_is_seen_as_the_defect_that_it_is(stack: CloudStack, code: str) -> None:
    with cloud.outage("dynamodb", code=code), pytest.raises(ClientError):
        stack.tasks.get("t")


def test_a_call_that_can_never_be_made_is_seen_as_the_defect_that_it_is(stack: CloudStack) -> None:
    key: Any = 7
    with pytest.raises(ParamValidationError):
        stack.tasks.get(key)
