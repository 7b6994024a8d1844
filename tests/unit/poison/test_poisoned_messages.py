"""A bad message of a queue becomes a dead letter, and its batch goes on."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import cloud
import pytest
from agents import one_step
from bad_values import DEEP, JSON_VALUES, TEXTS, items
from cloud_stack import CloudStack, queue_record
from harness import WEBHOOK
from poisoned import (
    SECRET,
    assert_clean,
    batches,
    canceled,
    drained,
    reading,
    registered,
    stored_config,
)

from a2a_lambda.aws.queues import MAX_BODY


def packed(raw: bytes) -> str:
    return base64.b64encode(zlib.compress(raw, 9)).decode()


def poisoned_messages(body: str) -> Iterator[tuple[str, str]]:
    stored = json.loads(body)
    for place, text in enumerate(TEXTS):
        yield f"as {place}", text
    for name in stored:
        yield f"without {name}", json.dumps({key: value for key, value in stored.items() if key != name})
        for place, value in enumerate([*JSON_VALUES, *TEXTS]):
            yield f"{name} as {place}", json.dumps({**stored, name: value})
    bombs = {
        "60 MB": packed(b'{"text":"' + b"x" * 60_000_000 + b'"}'),
        "cut off": packed(b"{}" * 5_000)[:40],
        "no zlib": base64.b64encode(b"{}").decode(),
        "no base64": "\u00e9" * 8,
        "no UTF-8": packed(b"\xff"),
        "no object": packed(b"[1]"),
        "deep": packed(b"[" * DEEP + b"]" * DEEP),
        "two streams": base64.b64encode(zlib.compress(b"{}") * 2).decode(),
    }
    for what, bomb in bombs.items():
        yield f"packed: {what}", json.dumps({**stored, "packed": True, "body": bomb})


def waiting(stack: CloudStack, *names: str) -> list[Any]:
    """A message for each webhook, as the event source of the queue brings it."""
    for name in names:
        stack.sender.answers(f"{WEBHOOK}/{name}?key={SECRET}", "timeout", 200)
        canceled(stack, registered(stack, name))
        stack.notify(cloud.stream_records(stack.tasks_table)[-1:])
    records = stack.receive()
    assert len(records) == len(names)
    stack.sender.posts.clear()
    by_name = {json.loads(record["body"])["configId"]: record for record in records}
    return [by_name[name] for name in names]


def test_a_bad_message_becomes_a_dead_letter_and_its_batch_goes_on(
    stack: CloudStack, output: Callable[[], str]
) -> None:
    victim, witness = waiting(stack, "victim", "witness")
    seen = letters = 0
    output()
    for batch in batches(poisoned_messages(victim["body"])):
        seen += len(batch)
        stack.sender.posts.clear()
        bad = [{**victim, "body": text, "messageId": f"bad-{seen}-{n}"} for n, (_, text) in enumerate(batch)]
        answer = stack.invoke("redelivery", {"Records": [*bad, {**witness, "messageId": f"good-{seen}"}]})
        assert answer == {"batchItemFailures": []}, batch[0][0]
        assert all(len(post.body) <= MAX_BODY for post in stack.sender.posts), batch[0][0]
        if seen == len(batch):
            assert f"{WEBHOOK}/witness?key={SECRET}" in stack.sender.urls()
        found = drained(stack.dead_letters)
        letters += len(found)
        assert SECRET not in json.dumps(found)
        assert_clean(output(), batch[0][0])
    assert seen >= 800
    assert letters > seen / 2


@pytest.mark.parametrize("claim", [{"generation": 2**40}, {"owner": "mallory"}])
def test_a_message_for_what_was_never_queued_does_not_move_the_cursor_of_its_config(
    stack: CloudStack, claim: dict[str, Any]
) -> None:
    """Delivered, it would settle all that its config has yet to receive."""
    (record,) = waiting(stack, "victim")
    stored = json.loads(record["body"])
    forged = {**record, "body": json.dumps({**stored, **claim}), "messageId": "forged"}
    assert stack.invoke("redelivery", {"Records": [forged]}) == {"batchItemFailures": []}
    assert stack.sender.posts == []
    config = stack.configs.get(stored["taskId"], "victim")
    assert config is not None
    assert config.settled_through < stored["generation"]
    assert len(drained(stack.dead_letters)) == 1


@pytest.mark.parametrize("code", [None, "AccessDenied", "ThrottlingException", "InvalidMessageContents"])
def test_a_bad_message_that_cannot_become_a_dead_letter_comes_again(stack: CloudStack, code: str | None) -> None:
    (record,) = waiting(stack, "victim")
    with cloud.outage("sqs", "SendMessage", code=code):
        answer = stack.invoke("redelivery", {"Records": [{**record, "body": "x"}]})
    assert answer == {"batchItemFailures": [{"itemIdentifier": record["messageId"]}]}


def test_a_bad_message_of_the_largest_size_becomes_a_dead_letter_as_far_as_there_is_room(stack: CloudStack) -> None:
    (record,) = waiting(stack, "victim")
    assert stack.invoke("redelivery", {"Records": [{**record, "body": "x" * 1_048_576}]}) == {"batchItemFailures": []}
    (letter,) = drained(stack.dead_letters)
    assert letter["Body"] == "x" * 1_000_000


def test_a_bad_config_makes_its_messages_dead_letters_and_keeps_no_other(
    stack: CloudStack, output: Callable[[], str]
) -> None:
    victim, witness = waiting(stack, "victim", "witness")
    task_id = json.loads(victim["body"])["taskId"]
    mutants = list(items(stored_config(stack, task_id, "victim"), 6, 200))
    output()
    for number, (what, mutant) in enumerate(Random(6).sample(mutants, 200)):

        def poisoned(parsed: dict[str, Any], mutant: Any = mutant) -> None:
            if parsed.get("Item", {}).get("configId") == {"S": "victim"}:
                parsed["Item"] = mutant

        records = [{**victim, "messageId": f"bad-{number}"}, {**witness, "messageId": f"good-{number}"}]
        with reading("GetItem", poisoned):
            failed = stack.invoke("redelivery", {"Records": records})["batchItemFailures"]
        # A config that can be read may say that it is not its time: then what is behind comes again with it.
        assert failed in ([], [{"itemIdentifier": record["messageId"]} for record in records]), what
        assert_clean(output())
    assert stack.invoke("redelivery", {"Records": [witness]}) == {"batchItemFailures": []}
    assert f"{WEBHOOK}/witness?key={SECRET}" in stack.sender.urls()


def test_a_bad_message_about_a_task_to_watch_keeps_no_other(
    cloud_stack: Callable[..., CloudStack], output: Callable[[], str]
) -> None:
    stack = cloud_stack(agent=one_step(), express=True)
    witness = stack.send()["id"]
    record = {"MessageId": "good", "ReceiptHandle": "r", "Body": "", "MD5OfBody": "", "Attributes": {}}
    good = queue_record({**record, "Body": json.dumps({"taskId": witness})})
    texts = [*TEXTS, *(json.dumps({"taskId": value}) for value in [*JSON_VALUES, *TEXTS])]
    bad = [queue_record({**record, "MessageId": f"bad-{place}", "Body": text}) for place, text in enumerate(texts)]
    answer = stack.invoke("caretaker", {"Records": [*bad, good]})
    failed = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
    assert "good" not in failed
    assert len(failed) > len(bad) / 2
    assert_clean(output())
