"""Dead letters by the operator's command: shown, and brought back in order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import cloud
import pytest
from buried_letters import NOW, World, shown_lines
from deliveries import raising
from scripted import ScriptedSender

from a2a_lambda.aws import dead_letters as letters
from a2a_lambda.aws.clients import client
from a2a_lambda.aws.queues import SqsDeadLetters, SqsRedeliveryQueue, decode
from a2a_lambda.core.ports import QueuedNotification
from a2a_lambda.push.dead_letters import redriven_from
from a2a_lambda.push.redelivery import Redeliverer


def test_the_list_shows_what_was_given_up_and_why_and_leaves_it(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.bury("a", 1, 2)
    world.bury("b", 1)

    for _ in range(2):
        assert world.run("list") == 0
        heads, *shown = shown_lines(capsys)
        assert heads == "TASK  WEBHOOK  EVENT  REASON"
        assert sorted(shown) == [
            "t  a  1.0  dns; given up",
            "t  a  2.0  dns; given up",
            "t  b  1.0  dns; given up",
        ]


def test_a_redrive_brings_all_back_in_order_with_a_clean_schedule_and_later_events_behind(world: World) -> None:
    world.config("a")
    world.bury("a", 1, 2, 3)

    assert world.run("redrive") == 0

    waiting = world.waiting()
    assert [message.generation for message in waiting] == [1, 2, 3]
    assert all(message.redrive for message in waiting)
    config = world.configs.get("t", "a")
    assert config is not None
    assert config.backlogged
    assert config.redriven == waiting[-1].redrive
    assert (config.settled_through, config.attempts, config.failing_since, config.next_attempt_at) == (3, 0, None, None)
    assert cloud.messages(world.dead) == []


def test_more_than_a_receive_can_take_come_back_in_order_too(world: World) -> None:
    world.config("a", 25, 25)
    world.bury("a", *range(1, 26))

    assert world.run("redrive") == 0

    assert client("sqs").get_queue_attributes(QueueUrl=world.queue, AttributeNames=["ApproximateNumberOfMessages"])[
        "Attributes"
    ] == {"ApproximateNumberOfMessages": "25"}


def test_what_still_waits_is_not_overtaken(world: World) -> None:
    world.config("a", settled=3, queued=5)
    world.bury("a", 1)

    assert world.run("redrive") == 0

    config = world.configs.get("t", "a")
    assert config is not None
    assert (config.settled_through, config.queued_through) == (3, 5)


@pytest.mark.parametrize(
    ("chosen", "back"),
    [
        (("--webhook", "a"), {"a"}),
        (("--task", "t"), {"a", "b"}),
        (("--host", "h.example"), {"a", "b"}),
        (("--host", "https://h.example"), {"a", "b"}),
        (("--host", "other.example"), set()),
        (("--task", "other"), set()),
        (("--unreadable",), set()),
    ],
)
def test_a_redrive_can_be_for_one_webhook_or_host(world: World, chosen: tuple[str, ...], back: set[str]) -> None:
    for config_id in ("a", "b"):
        world.config(config_id)
        world.bury(config_id, 1)

    assert world.run("redrive", *chosen) == (0 if back else 3)

    assert {message.config_id for message in world.waiting()} == back
    assert len(cloud.messages(world.dead)) == 2 - len(back)


def test_letters_of_a_webhook_that_no_longer_exists_are_removed(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.bury("a", 1)

    assert world.run("redrive") == 0

    assert "no webhook" in capsys.readouterr().out
    assert (world.waiting(), cloud.messages(world.dead)) == ([], [])


def test_what_cannot_be_queued_stays_a_dead_letter_with_all_behind_it(world: World) -> None:
    world.config("a")
    world.bury("a", 1, 2)

    with cloud.outage("sqs", "SendMessageBatch"):
        assert world.run("redrive") == 1

    assert len(cloud.messages(world.dead)) == 2


def test_an_unreadable_letter_is_shown_and_left(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    record = {"body": "?", "attributes": {"MessageGroupId": "g"}, "messageId": "m"}
    SqsDeadLetters(world.dead).send_unreadable(record, "unreadable")

    assert world.run("redrive") == 1

    assert "unreadable" in capsys.readouterr().out
    assert len(cloud.messages(world.dead)) == 1


def test_a_letter_whose_webhook_cannot_be_read_is_shown_and_left(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.config("a")
    world.bury("a", 1)
    key = {"taskId": {"S": "t"}, "configId": {"S": "a"}}
    client("dynamodb").update_item(TableName=world.table, Key=key, UpdateExpression="REMOVE eventTypes")

    assert world.run("redrive") == 1

    assert "unreadable webhook" in capsys.readouterr().out
    assert (world.waiting(), len(cloud.messages(world.dead))) == ([], 1)


def test_a_letter_that_is_given_up_again_within_minutes_is_kept_again(world: World) -> None:
    world.config("a")
    world.bury("a", 1)
    world.run("redrive")
    (message,) = world.waiting()

    SqsDeadLetters(world.dead).send(message, "dns; given up again")

    assert len(cloud.messages(world.dead)) == 1


def test_letters_that_come_back_before_all_are_read_are_shown_once(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading took longer than they are hidden. Without an end it would go on for ever."""
    world.bury("a", 1, 2)
    monkeypatch.setattr(letters, "HELD", 0)

    assert world.run("list") == 0

    assert shown_lines(capsys)[1:] == ["t  a  1.0  dns; given up", "t  a  2.0  dns; given up"]


def test_a_letter_whose_webhook_refuses_at_once_is_redriven_once(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a letter again before the command has read all of them."""
    world.config("a")
    world.bury("a", 1)

    def refuse(queue: SqsRedeliveryQueue, messages: Iterable[QueuedNotification]) -> frozenset[tuple[str, str]]:
        for message in messages:
            SqsDeadLetters(world.dead).send(message, "status 413; given up")
        return frozenset()

    monkeypatch.setattr(SqsRedeliveryQueue, "send", refuse)

    assert world.run("redrive") == 1

    assert shown_lines(capsys) == [
        "t  a  1.0  https://h.example  dns; given up  redriven",
        "t  a  1.0  https://h.example  status 413; given up  given up again",
    ]


def test_a_letter_that_cannot_be_given_back_is_no_error_because_others_see_it_soon(world: World) -> None:
    world.bury("a", 1)

    with cloud.outage("sqs", "ChangeMessageVisibility", code="InvalidParameterValue"):
        assert world.run("list") == 0


class DeduplicatingQueue:
    """What SQS remembers: for five minutes each id that it was given, even of a message that is dealt with. moto
    forgets it with the message."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from moto.sqs.models import Queue

        self._seen: set[tuple[str, str, str]] = set()
        add = Queue.add_message

        def add_message(queue: Any, message: Any) -> None:
            key = (queue.name, str(message.group_id), str(message.deduplication_id))
            if key not in self._seen:
                self._seen.add(key)
                add(queue, message)

        monkeypatch.setattr(Queue, "add_message", add_message)


def deliver_all(world: World) -> int:
    """Redelivery takes what waits; how many were delivered."""
    sqs, delivered = client("sqs"), 0
    redeliverer = Redeliverer(world.configs, SqsDeadLetters(world.dead), ScriptedSender(), lambda: NOW)
    while entries := sqs.receive_message(QueueUrl=world.queue).get("Messages"):
        for entry in entries:
            delivered += redeliverer.redeliver(decode(entry["Body"])).result == "delivered"
            sqs.delete_message(QueueUrl=world.queue, ReceiptHandle=entry["ReceiptHandle"])
    return delivered


def test_a_redrive_that_was_broken_off_can_be_repeated_within_minutes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    DeduplicatingQueue(monkeypatch)
    world.config("a")
    world.bury("a", 1)
    monkeypatch.setattr(letters, "HELD", 0)
    with monkeypatch.context() as broken:
        broken.setattr(letters.Letters, "remove", raising(KeyboardInterrupt()))
        assert world.run("redrive") == 1
    assert deliver_all(world) == 1

    assert world.run("redrive") == 0

    assert deliver_all(world) == 1
    config = world.configs.get("t", "a")
    assert config is not None
    assert not config.backlogged
    assert cloud.messages(world.dead) == []


def test_each_redrive_of_a_letter_has_a_mark_of_its_own_that_names_the_letter(world: World) -> None:
    world.config("a")
    world.bury("a", 1)
    world.run("redrive")
    world.bury("a", 1)
    world.run("redrive")
    first, second = world.waiting()
    assert first.redrive != second.redrive
    assert redriven_from(first)
    assert redriven_from(replace(first, redrive="")) == ""
