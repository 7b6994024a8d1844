"""Races, over all orders in which their calls of the table and of Step Functions can fall."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from race_world import ORDERS, World, chooser, conversation, talkative

from a2a_lambda.core.errors import TaskNotCancelable
from a2a_lambda.core.model import TaskState, text_of
from a2a_lambda.core.operations import CancelTask
from a2a_lambda.core.ports import Unavailable

# -------------------------------------------------------------------------------------------------------- the answers


@ORDERS
@given(data=st.data(), lost=st.booleans())
def test_an_answer_is_heard_whether_it_comes_before_or_after_the_token(data, lost):
    world = World(chooser(data), conversation())
    assert world.run() == {"next": "input"}
    world.execution.loses_next = lost

    actors = {"answer": world.answer("yes"), "await": world.wait_for_input}
    try:
        world.order.run(actors)
    except Unavailable:
        world.wait_for_input()  # it was the state machine's own call that got lost: it is repeated
    world.caretaker.revive(world.task_id)  # the stream has told of the answer

    assert world.execution.goes_on
    assert world.run() == {"next": "done"}
    assert world.record.state is TaskState.COMPLETED
    assert world.log == "asked;heard yes;"
    world.assert_sound()


@ORDERS
@given(data=st.data())
def test_of_two_answers_both_are_kept_and_the_task_goes_on_once(data):
    world = World(chooser(data), conversation())
    world.run()

    world.order.run({"a": world.answer("a"), "b": world.answer("b"), "await": world.wait_for_input})

    assert world.execution.goes_on
    said = [text_of(message) for message in world.record.task["history"] if message["role"] == "ROLE_USER"]
    assert sorted(said) == ["a", "b", "start"]
    world.run()
    assert world.record.state is TaskState.COMPLETED
    assert world.log == f"asked;heard {said[-1]};"
    world.assert_sound()


@ORDERS
@given(data=st.data())
def test_an_answer_and_the_end_of_its_time_agree_on_who_was_first(data):
    world = World(chooser(data), conversation())
    world.run()

    world.order.run({"answer": world.answer("yes"), "await": world.time_out})

    if world.refused:
        assert world.record.state is TaskState.FAILED
        assert not world.execution.goes_on
    else:
        assert world.execution.goes_on
        world.run()
        assert world.record.state is TaskState.COMPLETED
        assert world.log == "asked;heard yes;"
    world.assert_sound()


@ORDERS
@given(data=st.data())
def test_a_message_that_is_repeated_while_the_first_is_under_way_counts_once(data):
    world = World(chooser(data), conversation())
    world.run()

    world.order.run({"a": world.answer("yes"), "again": world.answer("yes"), "await": world.wait_for_input})

    assert world.execution.goes_on
    said = [text_of(message) for message in world.record.task["history"] if message["role"] == "ROLE_USER"]
    assert said == ["start", "yes"]
    world.assert_sound()


# -------------------------------------------------------------------------------------------------------- the cancel


@ORDERS
@given(data=st.data())
def test_a_cancelation_and_the_end_of_the_task_agree_on_who_was_first(data):
    world = World(chooser(data), talkative())

    world.order.run({"step": world.run, "cancel": world.cancel})

    expected = TaskState.CANCELED if world.canceled else TaskState.COMPLETED
    assert world.record.state is expected
    assert world.execution.stopped == world.canceled
    assert world.run() == {"next": "done"}
    assert world.record.state is expected
    world.assert_sound()


@ORDERS
@given(data=st.data())
def test_two_cancelations_an_answer_and_a_wait_end_in_one_canceled_task(data):
    world = World(chooser(data), conversation())
    world.run()
    results: list[bool | None] = []

    def cancel() -> None:
        try:
            world.service.cancel("me", CancelTask(world.task_id))
            results.append(True)
        except TaskNotCancelable:
            results.append(False)

    actors = {"one": cancel, "two": cancel, "answer": world.answer("yes"), "await": world.wait_for_input}
    world.order.run(actors)

    assert sorted(results, key=bool) == [False, True]
    assert world.record.state is TaskState.CANCELED
    assert world.run() == {"next": "done"}
    world.assert_sound()


# --------------------------------------------------------------------------------------------- duplicate invocations


@ORDERS
@given(data=st.data(), others=st.integers(1, 2))
def test_invocations_of_one_task_at_once_write_everything_once(data, others):
    world = World(chooser(data), talkative())

    actors: dict[str, Callable[[], object]] = {f"step{number}": world.run for number in range(others + 1)}
    world.order.run({**actors, "message": world.answer("by the way")})

    assert world.record.state is TaskState.COMPLETED
    assert world.log == "0;1;2;end;"
    assert world.texts == ["0", "1", "2", "done"]
    world.assert_sound()


@pytest.mark.parametrize("state", ["submitted", "between steps", "input-required", "canceled", "completed"])
def test_every_state_has_its_answer_to_a_cancelation(state):
    agent = conversation() if state == "input-required" else talkative()
    world = World(lambda names: names[0], agent)
    if state == "between steps":
        budget = iter([60_000, 60_000, 60_000, 1_000])
        world.executor.run(world.task_id, lambda: next(budget, 1_000))
        assert world.record.cursor.step == "second"
    elif state == "canceled":
        world.cancel()
    elif state != "submitted":
        world.run()

    world.cancel()

    ended = state in ("canceled", "completed")
    assert world.canceled is not ended
    assert world.record.state is (TaskState.COMPLETED if state == "completed" else TaskState.CANCELED)
    assert world.run() == {"next": "done"}
    world.assert_sound()
