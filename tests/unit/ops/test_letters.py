"""Dead letters by the operator's command, on moto: shown, brought back in order, put back whatever happens."""

from __future__ import annotations

import io
import json
import os
import re
import signal
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cloud
import pytest
from deliveries import raising
from scripted import ScriptedSender

from a2a_lambda.aws import dead_letters as letters
from a2a_lambda.aws.clients import client
from a2a_lambda.aws.items import config_item
from a2a_lambda.aws.push_config_table import PushConfigTable
from a2a_lambda.aws.queues import SqsDeadLetters, SqsRedeliveryQueue, decode
from a2a_lambda.core.ports import QueuedNotification
from a2a_lambda.core.records import PushConfig
from a2a_lambda.push.dead_letters import redriven_from
from a2a_lambda.push.redelivery import Redeliverer
from ops.__main__ import main
from ops.stack import Stack

NOW = datetime(2026, 5, 1, tzinfo=UTC)


class World:
    def __init__(self) -> None:
        self.dead = cloud.create_queue("DeadLetterQueue")
        self.queue = cloud.create_queue("RedeliveryQueue")
        self.table = cloud.create_table("PushConfigsTable")
        self.configs = PushConfigTable(self.table)
        self.stack = Stack(
            "s",
            {
                "DeadLetterQueueUrl": self.dead,
                "RedeliveryQueueUrl": self.queue,
                "PushConfigsTableName": self.table,
                "TasksTableName": "none",
            },
        )

    def config(self, config_id: str, settled: int = 3, queued: int = 3) -> None:
        config = PushConfig(
            "t", config_id, "alice", "https://h.example", "1.0", f"i-{config_id}", "r", None, None, (), queued, settled
        )
        client("dynamodb").put_item(TableName=self.table, Item=config_item(config))
        failed = replace(
            config,
            attempts=9,
            failing_since=NOW,
            last_attempt_at=NOW + timedelta(days=4),
            next_attempt_at=NOW + timedelta(days=5),
            last_error="dns",
        )
        self.configs.record_failure(config, failed)

    def bury(self, config_id: str, *generations: int) -> None:
        for generation in generations:
            message = QueuedNotification(
                "t", config_id, f"i-{config_id}", generation, 0, "{}", True, "1.0", "2026-05-01T00:00:00.000Z"
            )
            SqsDeadLetters(self.dead).send(message, "dns; given up")

    def run(self, what: str, *arguments: str) -> int:
        return main(["--stack", "s", "--yes", "dead", what, *arguments])

    def waiting(self) -> list[QueuedNotification]:
        return [decode(message["Body"]) for message in cloud.messages(self.queue)]


@pytest.fixture
def world(aws: None, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr("ops.stack.find", lambda *_: made.stack)
    return made


def shown_lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines of the result, their columns two blanks apart."""
    return [re.sub(r"  +", "  ", line) for line in capsys.readouterr().out.splitlines()]


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


# ------------------------------------------------------------------------------------------------- whatever interrupts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_after_a_signal_what_was_begun_is_finished_and_the_rest_is_put_back(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    world.config("a", 5, 5)
    world.bury("a", 1, 2, 3, 4, 5)
    send = SqsRedeliveryQueue.send

    def interrupted(queue: SqsRedeliveryQueue, messages: Any) -> frozenset[tuple[str, str]]:
        os.kill(os.getpid(), number)
        return send(queue, messages)

    monkeypatch.setattr(SqsRedeliveryQueue, "send", interrupted)
    before = signal.getsignal(number)

    assert world.run("redrive") == 1

    assert [message.generation for message in world.waiting()] == [1]
    assert len(cloud.messages(world.dead)) == 4, "all of them can be received at once"
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: interrupted: what was shown is done")
    assert signal.getsignal(number) == before


@pytest.mark.parametrize("what", ["list", "redrive", "drop"])
@pytest.mark.parametrize("fault", [KeyboardInterrupt(), RuntimeError("a defect"), BrokenPipeError()])
def test_whatever_breaks_off_the_showing_the_letters_are_put_back(
    world: World, monkeypatch: pytest.MonkeyPatch, what: str, fault: BaseException
) -> None:
    world.config("a", 5, 5)
    world.bury("a", 1, 2, 3)
    monkeypatch.setattr("ops.output.Output.line", raising(fault))

    assert world.run(what) == 1

    left = len(cloud.messages(world.dead))
    assert left == (3 if what == "list" else 2)
    assert left + len(world.waiting()) == (3 if what != "drop" else 2)


def test_a_letter_that_cannot_be_removed_after_its_redrive_is_put_back_and_not_lost(world: World) -> None:
    world.config("a")
    world.bury("a", 1, 2)

    with cloud.outage("sqs", "DeleteMessage"):
        assert world.run("redrive") == 2

    assert len(cloud.messages(world.dead)) == 2
    assert len(world.waiting()) == 1


def test_a_table_that_does_not_answer_leaves_all_letters(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.config("a")
    world.bury("a", 1, 2)

    with cloud.outage("dynamodb", "GetItem", code="ThrottlingException"):
        assert world.run("redrive") == 1

    assert len(cloud.messages(world.dead)) == 2
    assert capsys.readouterr().err == "error: AWS did not answer in time, or throttles: try again in a minute\n"


# ------------------------------------------------------------------------------------------------------- drop, export


def test_dropped_letters_are_gone_and_the_others_stay(world: World) -> None:
    world.bury("a", 1)
    world.bury("b", 1)

    assert world.run("drop", "--webhook", "a") == 0

    assert [decode(each["Body"]).config_id for each in cloud.messages(world.dead)] == ["b"]


@pytest.mark.parametrize("what", ["redrive", "drop"])
def test_nothing_is_done_to_all_letters_without_a_yes(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    world.config("a")
    world.bury("a", 1)
    monkeypatch.setattr("sys.stdin", io.StringIO("y"))

    assert main(["--stack", "s", "dead", what]) == 2

    assert "say --yes" in capsys.readouterr().err
    assert len(cloud.messages(world.dead)) == 1


def test_an_export_has_each_letter_whole_for_its_owner_only_and_leaves_it(world: World, tmp_path: Path) -> None:
    world.bury("a", 1, 2)
    SqsDeadLetters(world.dead).send_unreadable(
        {"body": "?", "attributes": {"MessageGroupId": "g"}, "messageId": "m"}, "unreadable"
    )
    place = tmp_path / "letters.jsonl"

    assert world.run("export", str(place)) == 0

    exported = [json.loads(line) for line in place.read_text().splitlines()]
    assert sorted(each["body"] == "?" for each in exported) == [False, False, True]
    assert [each["message"]["generation"] for each in exported if each["message"]] == [1, 2]
    assert place.stat().st_mode & 0o077 == 0
    assert len(cloud.messages(world.dead)) == 3


def test_an_export_overwrites_nothing(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "letters.jsonl"
    place.write_text("mine")

    assert world.run("export", str(place)) == 2

    assert place.read_text() == "mine"
    assert "there already" in capsys.readouterr().err


def test_a_bounded_list_says_how_many_there_are(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.bury("a", 1, 2, 3)

    assert world.run("list", "--limit", "2") == 0

    shown = capsys.readouterr()
    assert len(shown.out.splitlines()) == 3
    assert "3 dead letters in all" in shown.err
    assert len(cloud.messages(world.dead)) == 3
