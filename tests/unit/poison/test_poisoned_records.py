"""A bad record of the table's stream is set aside alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import cloud
import pytest
from bad_values import ATTRIBUTES, DEEP, items
from cloud_stack import CloudStack
from harness import WEBHOOK
from poisoned import (
    SECRET,
    assert_clean,
    batches,
    canceled,
    of_generation,
    put_aside,
    registered,
)


def poisoned_records(record: Any) -> Iterator[tuple[str, Any]]:
    change = record["dynamodb"]
    secret = {"resumeToken": {"S": json.dumps({"token": f"{SECRET}-resume", "run": 1})}}
    for image in ("NewImage", "OldImage"):
        for what, mutant in items({**change[image], **secret}, seed=1, inner=250):
            yield f"{image}: {what}", {**record, "dynamodb": {**change, image: mutant}}
    for name in ("Keys", "NewImage", "OldImage", "StreamViewType"):
        for place, value in enumerate(ATTRIBUTES):
            yield f"{name} as {place}", {**record, "dynamodb": {**change, name: value}}
    for place, value in enumerate(ATTRIBUTES):
        yield f"the key as {place}", {**record, "dynamodb": {**change, "Keys": {"taskId": value}}}


@pytest.mark.parametrize("removed", [False, True])
def test_a_bad_record_is_set_aside_alone(stack: CloudStack, output: Callable[[], str], removed: bool) -> None:
    victim, witness = registered(stack, "victim"), registered(stack, "witness")
    bad, good = canceled(stack, victim), canceled(stack, witness)
    if removed:
        del bad["dynamodb"]["NewImage"]
    mutants, seen = poisoned_records({**bad, "dynamodb": {"NewImage": {}, **bad["dynamodb"]}}), 0
    output()
    for number, batch in enumerate(batches(mutants)):
        seen += len(batch)
        stack.sender.posts.clear()
        records = [
            {**record, "dynamodb": {**record["dynamodb"], "SequenceNumber": str(1_000 * number + place)}}
            for place, (_, record) in enumerate(batch)
        ]
        assert stack.notify([*records, of_generation(good, 1_000 * number + 900)]) == [], batch[0][0]
        assert stack.sender.urls().count(f"{WEBHOOK}/witness?key={SECRET}") == 1, batch[0][0]
        put_aside(stack)
        assert_clean(output())
    assert seen >= 1_500


@pytest.mark.parametrize("deep", ["[" * DEEP + "]" * DEEP, '{"a":' * DEEP + "1" + "}" * DEEP, "[" * 600 + "]" * 600])
@pytest.mark.parametrize("name", ["doc", "openArtifacts", "announcement"])
def test_a_deeply_nested_document_does_not_freeze_the_stream_before_and_after_its_item_is_gone(
    stack: CloudStack, name: str, deep: str
) -> None:
    victim, witness = registered(stack, "victim"), registered(stack, "witness")
    bad, good = canceled(stack, victim), canceled(stack, witness)
    bad["dynamodb"]["NewImage"][name] = {"S": deep}
    assert stack.notify([bad, good]) == []
    assert [body["eventID"] for body in put_aside(stack)] == [bad["eventID"]]
    change = bad["dynamodb"]
    gone = {**bad, "dynamodb": {**change, "OldImage": change["NewImage"], "NewImage": None, "SequenceNumber": "9"}}
    assert stack.notify([gone, of_generation(good, 9)]) == []
    assert put_aside(stack) == []
    assert stack.sender.urls() == [f"{WEBHOOK}/witness?key={SECRET}"] * 2
    assert stack.configs.of_task(victim) == []


@pytest.mark.parametrize("record", [None, [], "x", 7, {}, {"dynamodb": None}, {"dynamodb": {"SequenceNumber": "1"}}])
def test_what_is_no_record_at_all_is_put_aside(stack: CloudStack, record: Any) -> None:
    good = canceled(stack, registered(stack, "witness"))
    assert stack.notify([record, good]) == []
    assert len(put_aside(stack)) == 1
    assert len(stack.sender.posts) == 1


@pytest.mark.parametrize("code", [None, "AccessDenied", "ThrottlingException"])
def test_a_record_that_cannot_be_put_aside_comes_again_whatever_the_queue_says(
    stack: CloudStack, code: str | None
) -> None:
    bad, good = canceled(stack, registered(stack, "victim")), canceled(stack, registered(stack, "witness"))
    del bad["dynamodb"]["NewImage"]["doc"]
    with cloud.outage("sqs", "SendMessage", code=code):
        assert stack.notify([bad, good]) == [bad["dynamodb"]["SequenceNumber"]]
        assert stack.notify([{**bad, "dynamodb": {}}, good]) == [""]
    assert stack.notify([bad, good]) == []
    assert len(stack.sender.posts) == 1
