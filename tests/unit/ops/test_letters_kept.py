"""Dead letters by the operator's command: put back whatever interrupts it, dropped and exported."""

from __future__ import annotations

import io
import json
import os
import signal
from pathlib import Path
from typing import Any

import cloud
import pytest
from buried_letters import World
from deliveries import raising

from a2a_lambda.aws.queues import SqsDeadLetters, SqsRedeliveryQueue, decode
from ops.__main__ import main


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
