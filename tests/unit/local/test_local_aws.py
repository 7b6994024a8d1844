"""What the local AWS leaves behind and says, without starting one."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

import emulator as emulators
import local_aws
from emulator import Emulator, LocalAwsError

NOBODY = 2**22 + 1
"""No process has this id: it is beyond the highest that Linux gives."""


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of instances; starting one makes a directory with a log, and no process."""

    def start(name: str, *_: Any, **__: Any) -> Emulator:
        (tmp_path / name).mkdir()
        (tmp_path / name / "emulator.log").write_text("started")
        return Emulator(name, 1, NOBODY)

    monkeypatch.setattr(emulators, "STATE", tmp_path)
    monkeypatch.setattr(emulators, "FAILED_LOG", tmp_path / "failed.log")
    monkeypatch.setattr(local_aws, "ROOT", tmp_path)
    monkeypatch.setattr(emulators, "start", start)
    monkeypatch.setattr(emulators, "stop", lambda _: None)
    return tmp_path


def left(state: Path) -> list[str]:
    return sorted(path.name for path in state.iterdir())


def test_a_run_leaves_nothing(state: Path) -> None:
    with local_aws.local_aws("run-1"):
        assert left(state) == ["run-1"]
    assert left(state) == []


def test_a_failed_deployment_leaves_its_log_and_says_where(state: Path) -> None:
    with (
        pytest.raises(LocalAwsError, match=r"(?s)no such parameter.*kept in failed\.log"),
        local_aws.local_aws("run-1"),
    ):
        raise LocalAwsError("no such parameter")
    assert left(state) == ["failed.log"]
    assert (state / "failed.log").read_text() == "started"


def test_so_does_a_test_that_fails_in_another_way(state: Path) -> None:
    with pytest.raises(ZeroDivisionError), local_aws.local_aws("run-1"):
        raise ZeroDivisionError
    assert left(state) == ["failed.log"]


def test_one_that_cannot_start_leaves_nothing_but_its_log(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(name: str, *_: Any, **__: Any) -> Emulator:
        (state / name).mkdir()
        raise LocalAwsError("no port")

    monkeypatch.setattr(emulators, "start", fails)
    with pytest.raises(LocalAwsError, match=r"^no port$"), local_aws.local_aws("run-1"):
        pass
    assert left(state) == []


def test_what_killed_runs_left_is_removed_with_the_next_start(state: Path) -> None:
    others = ["build", "main", "run-1", "run-1x", f"test-{os.getpid()}"]
    for name in [*others, f"run-{NOBODY}", f"test-{NOBODY}"]:
        (state / name).mkdir()

    emulators.sweep()

    assert left(state) == others


def test_an_emulator_whose_owner_was_killed_is_stopped(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[str] = []
    orphan = f"run-{NOBODY}"
    (state / orphan).mkdir()
    monkeypatch.setattr(emulators, "find", lambda name: Emulator(name, 1, NOBODY))
    monkeypatch.setattr(emulators, "stop", lambda emulator: stopped.append(emulator.name))

    emulators.sweep()

    assert stopped == [orphan]
    assert left(state) == []


def test_down_says_what_it_does_before_it_takes_its_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    monkeypatch.setattr(emulators, "find", lambda name: Emulator(name, 4580, NOBODY))
    monkeypatch.setattr(emulators, "stop", lambda _: said.append(capsys.readouterr().out))

    assert local_aws.main(["down"]) == 0

    assert said == ["Stopping the local AWS on port 4580; while functions run that takes up to 15 s\n"]
    assert "is stopped" in capsys.readouterr().out


@pytest.mark.parametrize(("code", "end"), [(0, "{}\n"), (1, "{}")])
def test_the_answer_of_a_function_ends_with_a_newline(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, code: int, end: str
) -> None:
    def sam(*_: object) -> int:
        sys.stdout.write("{}")
        return code

    event = tmp_path / "event.json"
    event.write_text("{}")
    monkeypatch.setattr(local_aws, "the_running_one", lambda: None)
    monkeypatch.setattr(local_aws.gateways, "find", lambda *_: None)
    monkeypatch.setattr(local_aws, "sam", sam)

    assert local_aws.main(["invoke", "rpc", str(event)]) == code
    assert capsys.readouterr().out == end


def test_a_function_that_streams_is_not_invoked_where_only_whole_answers_are_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    event = tmp_path / "event.json"
    event.write_text("{}")
    monkeypatch.setattr(local_aws, "the_running_one", lambda: None)
    monkeypatch.setattr(local_aws.gateways, "find", lambda *_: "http://127.0.0.1:4581")

    assert local_aws.main(["invoke", "rpc", str(event)]) == 1
    assert "make status" in capsys.readouterr().err
