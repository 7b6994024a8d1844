"""A crash, an outage or a lost answer at any call of AWS in a task's life: no task hangs, nothing is written twice."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import crash_table
import pytest
from cloud import create_table
from crash_table import MODES, Crash, Fates, Life, live
from hypothesis import given, settings
from hypothesis import strategies as st

from a2a_lambda.aws.task_table import TaskTable
from a2a_lambda.model import TERMINAL

ROOT = Path(__file__).resolve().parents[2]
CALM = {cancels: live(Fates(), cancels=cancels) for cancels in (False, True)}
ONE_FAULT = [(cancels, call.number, mode) for cancels, calm in CALM.items() for call in calm.calls for mode in MODES]


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


def test_on_a_good_day_everything_is_said_once():
    calm = CALM[False]

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


def test_a_canceled_task_ends_with_that():
    calm = CALM[True]

    assert calm.statuses[-1] == ("canceled", "")
    assert_sound(calm, calm)


@pytest.mark.parametrize(("cancels", "number", "mode"), ONE_FAULT)
def test_one_fault_anywhere_leaves_no_task_hanging_and_nothing_twice(cancels, number, mode):
    life = live(Fates({number: mode}), cancels=cancels)

    assert_sound(life, CALM[cancels])


@pytest.mark.parametrize(("cancels", "number", "mode"), ONE_FAULT)
def test_a_client_that_sends_again_what_failed_sees_no_difference(cancels, number, mode):
    life = live(Fates({number: mode}), cancels=cancels, repeats=True)

    assert_sound(life, CALM[cancels])
    assert life.state == CALM[cancels].state
    if not cancels:
        assert life.statuses == CALM[cancels].statuses
        assert life.log == CALM[cancels].log


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    plan=st.dictionaries(st.integers(0, 45), st.sampled_from(sorted(MODES)), max_size=12),
    cancels=st.booleans(),
    repeats=st.booleans(),
)
def test_many_faults_leave_no_task_hanging_and_nothing_twice(plan, cancels, repeats):
    life = live(Fates(plan), cancels=cancels, repeats=repeats)

    assert_sound(life, CALM[cancels])


class DeadExecutor(Fates):
    """The executor dies whenever it is called."""

    def call(self, what: str, do: Callable[[], Any]) -> Any:
        result = super().call(what, do)
        if self.who in ("step", "fail"):
            raise Crash
        return result


def test_a_task_whose_executor_never_works_is_ended_by_the_rule_on_failed_executions():
    life = live(DeadExecutor())

    assert_sound(life, CALM[False])
    assert life.state == "failed"
    assert life.calls[-1].who == "rule"


@pytest.mark.parametrize("mode", ["after", "lost"])
@pytest.mark.parametrize("number", range(0, len(CALM[False].calls), 3))
def test_the_table_of_aws_behaves_like_the_one_in_memory(aws, mode, number):
    store = TaskTable(create_table("TasksTable"), create_table("PushConfigsTable"))

    life = live(Fates({number: mode}), store=store)

    in_memory = live(Fates({number: mode}))
    assert_sound(life, CALM[False])
    assert life.statuses == in_memory.statuses
    assert life.log == in_memory.log


def test_a_write_whose_answer_was_lost_is_known_as_ones_own(aws):
    """boto3 repeats a call that was not answered; its own write then stands in the way of the second."""
    store = TaskTable(create_table("TasksTable"), create_table("PushConfigsTable"))
    first = CALM[False].images[0][1]
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
    lives = [live(Fates({number: mode}), cancels=cancels) for cancels, number, mode in ONE_FAULT]

    record_property("crash table", crash_table.summary(lives))
    assert not [life for life in lives if life.running]
