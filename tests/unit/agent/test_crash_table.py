"""A crash, an outage or a lost answer at any call of AWS in a task's life: no task hangs, nothing is written twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import crash_table
import pytest
from cloud import create_table
from crash_points import MODES, Crash, CrashPoints
from crash_table import Life, live
from hypothesis import given, settings
from hypothesis import strategies as st

from a2a_lambda.aws.task_table import TaskTable
from a2a_lambda.core.model import TERMINAL

ROOT = Path(__file__).resolve().parents[3]
KINDS = {
    "answered": {},
    "canceled": {"cancels": True},
    "express": {"express": True},
    "express canceled": {"express": True, "cancels": True},
}
CALM = {name: live(CrashPoints(), **kind) for name, kind in KINDS.items()}
ONE_FAULT = [(name, call.number, mode) for name, calm in CALM.items() for call in calm.calls for mode in MODES]


def assert_sound(life: Life, calm: Life) -> None:
    """What holds for every life, whatever went wrong in it."""
    assert life.running == [], "an execution waits for ever"
    if life.task is None:
        assert life.told, "the client believes that there is a task"
        return
    images = [new for _, new in life.images if new is not None]
    assert images[-1].state in TERMINAL, "the task hangs"
    assert not any(image.terminal for image in images[:-1]), "something was written after the end"
    for before, after in pairwise(images):
        assert after.generation - before.generation in (0, 1)
        assert after.generation > before.generation or after.task == before.task, "a generation was used twice"
    # What the agent said is what it says on a good day, once each and in order, up to where it ended.
    said = [status for status in life.statuses if status[0] not in ("failed", "canceled")]
    expected = [status for status in calm.statuses if status[0] not in ("failed", "canceled")]
    assert said == expected[: len(said)]
    assert calm.log.startswith(life.log)


def script(name: str) -> Life:
    """A life that says all that such a life can say: an Express task goes on where its cancelation fails."""
    return CALM["express" if name.startswith("express") else name]


def test_on_a_good_day_everything_is_said_once():
    calm = CALM["answered"]

    assert calm.statuses == [
        ("submitted", ""),
        ("working", ""),
        ("working", "begun"),
        ("input-required", "go on?"),
        ("working", ""),
        ("working", "working on it"),
        ("working", "did it"),
        ("completed", "done"),
    ]
    assert calm.log == "begin;ask;yes;end;"
    assert calm.told == []
    assert_sound(calm, calm)


def test_on_a_good_day_an_express_task_says_everything_once():
    calm = CALM["express"]

    texts = ["", "", "begun", "working on it", "done"]
    assert calm.statuses == list(zip(["submitted", *["working"] * 3, "completed"], texts, strict=True))
    assert calm.log == "begin;end;"
    assert_sound(calm, calm)


@pytest.mark.parametrize("name", ["canceled", "express canceled"])
def test_a_canceled_task_ends_with_that(name):
    calm = CALM[name]

    assert calm.statuses[-1] == ("canceled", "")
    assert calm.told == []
    assert_sound(calm, calm)


@pytest.mark.parametrize(("name", "number", "mode"), ONE_FAULT)
def test_one_fault_anywhere_leaves_no_task_hanging_and_nothing_twice(name, number, mode):
    life = live(CrashPoints({number: mode}), **KINDS[name])

    assert_sound(life, script(name))


@pytest.mark.parametrize(("name", "number", "mode"), ONE_FAULT)
def test_a_client_that_sends_again_what_failed_sees_no_difference(name, number, mode):
    life = live(CrashPoints({number: mode}), repeats=True, **KINDS[name])

    assert_sound(life, script(name))
    if name == "express canceled" and life.state == "completed":
        assert life.told, "an Express task does not wait for its cancelation: it may end before the second try"
        return
    assert life.state == CALM[name].state
    if "canceled" not in name:
        assert life.statuses == CALM[name].statuses
        assert life.log == CALM[name].log


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    plan=st.dictionaries(st.integers(0, 45), st.sampled_from(sorted(MODES)), max_size=12),
    name=st.sampled_from(sorted(KINDS)),
    repeats=st.booleans(),
)
def test_many_faults_leave_no_task_hanging_and_nothing_twice(plan, name, repeats):
    life = live(CrashPoints(plan), repeats=repeats, **KINDS[name])

    assert_sound(life, script(name))


class DeadExecutor(CrashPoints):
    """The executor dies whenever it is called."""

    def call(self, what: str, do: Callable[[], Any]) -> Any:
        result = super().call(what, do)
        if self.who in ("step", "fail"):
            raise Crash
        return result


def test_a_task_whose_executor_never_works_is_ended_by_the_rule_on_failed_executions():
    life = live(DeadExecutor())

    assert_sound(life, CALM["answered"])
    assert life.state == "failed"
    assert life.calls[-1].who == "rule"


def test_an_express_task_whose_executor_never_works_is_ended_by_the_watch_in_its_sixth_minute():
    life = live(DeadExecutor(), express=True)

    assert_sound(life, CALM["express"])
    assert life.statuses[-1] == ("failed", "The agent stopped unexpectedly.")
    assert [call.who for call in life.calls if call.what.startswith("write")][-1] == "watch"
    assert life.duration <= timedelta(minutes=6)


class DeadFromThen(CrashPoints):
    """The executor dies whenever it is called, after so many of its calls of AWS."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self._left = calls

    def call(self, what: str, do: Callable[[], Any]) -> Any:
        if self.who in ("step", "fail"):
            self._left -= 1
            if self._left < 0:
                raise Crash
        return super().call(what, do)


@pytest.mark.parametrize("calls", range(1, 8))
def test_an_express_task_whose_executor_stops_working_is_ended_wherever_it_was(calls):
    life = live(DeadFromThen(calls), express=True)

    assert_sound(life, CALM["express"])
    assert life.state == "failed"


class LostStarts(CrashPoints):
    """Step Functions takes so many executions, and then knows nothing of them."""

    def __init__(self, lost: int) -> None:
        super().__init__()
        self._lost = lost

    def call(self, what: str, do: Callable[[], Any]) -> Any:
        if what == "start the execution" and self._lost:
            self._lost -= 1
            return None
        return super().call(what, do)


def test_an_express_execution_that_never_begins_is_started_again():
    life = live(LostStarts(1), express=True)

    assert_sound(life, CALM["express"])
    assert life.statuses == CALM["express"].statuses


def test_an_express_task_of_which_no_execution_ever_begins_is_ended_too():
    life = live(LostStarts(2), express=True)

    assert_sound(life, CALM["express"])
    assert life.state == "failed"


@pytest.mark.parametrize("mode", ["after", "lost"])
@pytest.mark.parametrize("number", range(0, len(CALM["answered"].calls), 3))
def test_the_table_of_aws_behaves_like_the_one_in_memory(aws, mode, number):
    store = TaskTable(create_table("TasksTable"), create_table("PushConfigsTable"))

    life = live(CrashPoints({number: mode}), store=store)

    in_memory = live(CrashPoints({number: mode}))
    assert_sound(life, CALM["answered"])
    assert life.statuses == in_memory.statuses
    assert life.log == in_memory.log


def test_a_write_whose_answer_was_lost_is_known_as_ones_own(aws):
    """boto3 repeats a call that was not answered; its own write then stands in the way of the second."""
    store = TaskTable(create_table("TasksTable"), create_table("PushConfigsTable"))
    first = CALM["answered"].images[0][1]
    assert first is not None
    store.create(first)
    second = first.next(first.task)

    store.update(second)
    store.update(second)

    stored = store.get(first.task_id)
    assert stored is not None
    assert stored.generation == 2


def test_the_documentation_shows_the_present_table():
    text = (ROOT / "docs" / "agents.md").read_text()
    shown = text.split("<!-- crash table -->\n")[1].split("\n<!-- /crash table -->")[0]

    assert shown == crash_table.document(), "make crash-table shows what docs/agents.md should"


def test_the_lives_say_how_they_ended(record_property: Callable[[str, Any], None]):
    lives = [live(CrashPoints({number: mode}), **KINDS[name]) for name, number, mode in ONE_FAULT]

    record_property("crash table", crash_table.summary(lives))
    assert not [life for life in lives if life.running]
