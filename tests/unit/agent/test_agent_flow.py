"""How an agent's steps follow each other: cancelations, questions, ends, loops, memory, artifacts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from agents import asking, named, one_step, waits
from harness import Options, Stack
from memory_stack import MemoryStack

from a2a_lambda.agent import AgentError, Retry, TaskContext

# ----------------------------------------------------------------------------------------------------- cancel, ask, end


def test_a_step_finds_out_that_its_task_was_canceled() -> None:
    seen = []
    agent = named()
    stack = MemoryStack(Options(agent=agent))

    @agent.step
    def long(task: TaskContext) -> None:
        seen.append(task.canceled())
        stack.call("CancelTask", {"id": task.id})
        seen.append(task.canceled())

    task_id = stack.finished()
    assert (seen, stack.state(task_id)) == ([False, True], "canceled")


def test_a_step_that_goes_on_after_a_cancelation_writes_nothing() -> None:
    agent, reached = named(), []
    stack = MemoryStack(Options(agent=agent))

    @agent.step
    def stubborn(task: TaskContext) -> None:
        stack.call("CancelTask", {"id": task.id})
        try:
            task.status("still here")
        except Exception:  # noqa: BLE001
            reached.append("swallowed")
        reached.append("after")

    task_id = stack.finished()
    assert stack.state(task_id) == "canceled"
    assert reached == []
    assert "still here" not in str(stack.stored(task_id).task)
    assert stack.failures == []


def test_a_message_that_comes_while_a_step_works_is_kept() -> None:
    agent = named()
    stack = MemoryStack(Options(agent=agent))

    @agent.step
    def long(task: TaskContext) -> None:
        stack.send(stack.message("by the way", taskId=task.id))
        assert task.text == "hello"
        task.status("first done")

    @agent.step
    def after(task: TaskContext) -> None:
        task.complete(f"Heard: {task.text}")

    task_id = stack.finished()
    assert stack.status_text(task_id) == "Heard: by the way"


@pytest.mark.parametrize(("ask", "state"), [("require_input", "input_required"), ("require_auth", "auth_required")])
def test_a_step_that_asks_its_client_stops_the_agent(new_stack: Callable[..., Stack], ask: str, state: str) -> None:
    agent = asking()
    agent.steps[0] = agent.steps[0].__class__("ask", lambda task: getattr(task, ask)("Please?", data={"why": 1}))
    stack = new_stack(agent=agent)
    task_id = stack.send()["id"]
    assert stack.work(task_id) == {"next": "input"}
    assert stack.run(task_id) == {"next": "input"}
    assert stack.state(task_id) == state
    message = stack.stored(task_id).task["status"]["message"]
    assert message["parts"] == [{"text": "Please?"}, {"data": {"why": 1}}]


def test_a_question_can_name_the_step_that_takes_the_answer(new_stack: Callable[..., Stack]) -> None:
    agent = named()
    agent.step(name="ask")(lambda task: task.require_input("?", then="taker"))
    agent.step(name="skipped")(lambda task: task.fail())
    agent.step(name="taker")(lambda task: task.complete(task.text))
    stack = new_stack(agent=agent)
    task_id = stack.send()["id"]
    stack.work(task_id)
    stack.send(stack.message("answer", taskId=task_id))
    stack.work(task_id)
    assert (stack.state(task_id), stack.status_text(task_id)) == ("completed", "answer")


@pytest.mark.parametrize("error", [ValueError, AgentError, SystemExit])
def test_what_a_step_raises_after_its_question_is_logged_and_the_question_stands(error: type[BaseException]) -> None:
    agent = named()
    stack = MemoryStack(Options(agent=agent))

    @agent.step
    def ask(task: TaskContext) -> None:
        task.require_input("Yes or no?")
        raise error

    @agent.step
    def later(task: TaskContext) -> None:
        task.complete(task.text)

    task_id = stack.send()["id"]
    assert stack.work(task_id) == {"next": "input"}
    assert (stack.state(task_id), stack.status_text(task_id)) == ("input_required", "Yes or no?")
    assert [(failure.step, type(failure.exception)) for failure in stack.failures] == [("ask", error)]


def test_what_a_step_raises_after_its_question_uses_up_no_try_of_the_next_one() -> None:
    agent, tries = named(), []
    stack = MemoryStack(Options(agent=agent))

    @agent.step
    def ask(task: TaskContext) -> None:
        task.require_input("Yes or no?")
        raise ValueError

    @agent.step(retry=Retry(attempts=2, backoff=0))
    def later(task: TaskContext) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError
        task.complete()

    task_id = stack.send()["id"]
    stack.work(task_id)
    stack.send(stack.message("yes", taskId=task_id))
    assert stack.work(task_id) == {"next": "done"}
    assert stack.state(task_id) == "completed"
    assert [failure.step for failure in stack.failures] == ["ask", "later"]


@pytest.mark.parametrize("error", [ValueError, AgentError])
def test_what_a_step_raises_after_the_end_is_logged_and_the_end_stays(error: type[Exception]) -> None:
    agent = named()
    stack = MemoryStack(Options(agent=agent))

    @agent.step(retry=Retry(attempts=2, backoff=0))
    def end(task: TaskContext) -> None:
        task.complete("Done")
        raise error

    task_id = stack.finished()
    assert (stack.state(task_id), stack.status_text(task_id)) == ("completed", "Done")
    assert [failure.step for failure in stack.failures] == ["end"]


@pytest.mark.parametrize(("end", "state"), [("complete", "completed"), ("fail", "failed"), ("reject", "rejected")])
def test_a_step_can_end_the_task_whatever_comes_after_it(new_stack: Callable[..., Stack], end: str, state: str) -> None:
    agent = named()
    agent.step(name="ends")(lambda task: getattr(task, end)("That is it."))
    agent.step(name="never")(lambda task: task.status("never"))
    stack = new_stack(agent=agent)
    task_id = stack.finished()
    assert (stack.state(task_id), stack.status_text(task_id)) == (state, "That is it.")
    assert stack.stored(task_id).expires_at == int(stack.time.now.timestamp()) + 30 * 86_400


def test_a_last_step_that_just_returns_completes_the_task_with_its_artifacts(new_stack: Callable[..., Stack]) -> None:
    agent = named()
    agent.step(name="quiet")(lambda task: task.artifact("result", data={"answer": 42}))
    stack = new_stack(agent=agent)
    task_id = stack.finished()
    assert stack.state(task_id) == "completed"
    assert stack.stored(task_id).task["artifacts"][0]["parts"] == [{"data": {"answer": 42}}]


# ------------------------------------------------------------------------------------------------ order of steps, state


def test_steps_can_go_back_repeat_and_remember(new_stack: Callable[..., Stack]) -> None:
    agent = named()
    trail: list[str] = []

    @agent.step
    def count(task: TaskContext) -> None:
        trail.append("count")
        task.state["n"] = task.state.get("n", 0) + 1
        if task.state["n"] < 3:
            task.repeat(wait=5)

    @agent.step
    def judge(task: TaskContext) -> None:
        trail.append("judge")
        if task.state["n"] < 5:
            task.goto("count", wait=7)

    stack = new_stack(agent=agent)
    task_id = stack.finished()
    assert trail == ["count"] * 3 + ["judge", "count", "judge", "count", "judge"]
    assert stack.time.slept == [5, 5, 7, 7]
    assert stack.state(task_id) == "completed"


def test_a_step_can_wait_before_the_next_one(new_stack: Callable[..., Stack]) -> None:
    agent = named()
    agent.step(name="first")(lambda task: task.wait(600))
    agent.step(name="second", wait=3)(lambda task: task.complete())
    stack = new_stack(agent=agent)
    stack.finished()
    assert stack.time.slept == [600]


def test_the_idempotency_key_is_one_for_all_tries_of_a_run_and_another_for_the_next(
    new_stack: Callable[..., Stack],
) -> None:
    agent, keys = named(), []

    @agent.step(retry=Retry(attempts=3, backoff=0))
    def unstable(task: TaskContext) -> None:
        keys.append(task.idempotency_key)
        if len(keys) < 3:
            raise ValueError
        if len(keys) == 3:
            task.repeat()

    stack = new_stack(agent=agent)
    stack.finished()
    assert len(keys) == 4
    assert keys[0] == keys[1] == keys[2] != keys[3]


def test_what_a_failed_try_left_in_the_state_is_void(new_stack: Callable[..., Stack]) -> None:
    agent, seen = named(), []

    @agent.step(retry=Retry(attempts=2, backoff=0))
    def unstable(task: TaskContext) -> None:
        seen.append(dict(task.state))
        task.state["left"] = True
        if len(seen) == 1:
            raise ValueError
        task.complete()

    stack = new_stack(agent=agent)
    stack.finished()
    assert seen == [{}, {}]


def test_a_task_whose_agent_has_lost_its_step_in_a_deployment_fails(new_stack: Callable[..., Stack]) -> None:
    agent = waits(90)
    agent.step(name="second")(lambda task: task.complete())
    stack = new_stack(agent=agent)
    task_id = stack.send()["id"]
    stack.run(task_id)
    del agent.steps[0]
    stack.time.sleep(90)
    stack.work(task_id)
    assert stack.state(task_id) == "failed"


def test_an_artifact_can_grow_in_chunks(new_stack: Callable[..., Stack]) -> None:
    agent = named()

    @agent.step
    def write(task: TaskContext) -> None:
        for number in range(3):
            task.artifact("book", text=f"chapter {number}", append=number > 0, last_chunk=number == 2)
            task.status(f"{number}")

    stack = new_stack(agent=agent)
    (artifact,) = stack.stored(stack.finished()).task["artifacts"]
    assert artifact["parts"] == [{"text": "chapter 0chapter 1chapter 2"}]


def test_a_task_that_grows_beyond_what_a_table_holds_fails_and_says_so(new_stack: Callable[..., Stack]) -> None:
    agent = named()
    agent.step(name="huge")(lambda task: task.artifact("x", text="x" * 400_000))
    stack = new_stack(agent=agent)
    task_id = stack.finished()
    assert stack.state(task_id) == "failed"
    assert "artifacts" not in stack.stored(task_id).task


def test_two_invocations_of_one_task_at_once_run_each_write_once() -> None:
    """Step Functions may invoke again what it takes for dead."""
    agent, nested = named(), []
    stack = MemoryStack(Options(agent=agent))

    @agent.step
    def twin(task: TaskContext) -> None:
        task.status("one")
        if not nested:
            nested.append(True)
            stack.work(task.id)
        task.status("two")
        task.complete("three")

    task_id = stack.finished()
    history = [message["parts"][0]["text"] for message in stack.stored(task_id).task["history"]]
    assert (history, stack.status_text(task_id)) == (["hello", "one", "two"], "three")
    generations = [new.generation for _, new in stack.tasks.images if new is not None]
    assert len(generations) == len(set(generations))


def test_an_invocation_that_was_overtaken_leaves_the_rest_to_the_one_ahead() -> None:
    agent, nested = named(), []
    stack = MemoryStack(Options(agent=agent))

    @agent.step
    def twin(task: TaskContext) -> None:
        task.status("one")
        if not nested:
            nested.append(True)
            assert stack.run(task.id, iter([60_000, 60_000, 60_000, 0]).__next__) == {"next": "step"}
        task.status("two")

    @agent.step
    def last(task: TaskContext) -> None:
        task.complete("three")

    task_id = stack.finished()
    history = [message["parts"][0]["text"] for message in stack.stored(task_id).task["history"]]
    assert (history, stack.status_text(task_id)) == (["hello", "one", "two"], "three")


def test_an_agent_without_steps_is_refused_before_any_task_is_touched(memory: MemoryStack) -> None:
    with pytest.raises(AgentError, match="no steps"):
        memory.executor(agent=named())


def test_an_action_that_nobody_knows_changes_nothing(cloud_stack: Callable[..., Any]) -> None:
    stack = cloud_stack(agent=one_step())
    task_id = stack.send()["id"]
    before = stack.snapshot()
    assert stack.invoke("executor", {"action": "dance", "taskId": task_id}) == {"next": "done"}
    assert stack.snapshot() == before
