"""What an agent remembers: per caller and context, once whatever dies, and of two tasks at once both."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import cloud
import pytest
from callers import ALICE, BOB, Caller
from cloud_stack import CloudStack
from crash_points import MODES, Crash, CrashingTasks, CrashPoints
from harness import Options, Stack
from memory_stack import MemoryStack

from a2a_lambda.agent import Agent, AgentError, Retry
from a2a_lambda.core.ports import Conflict, MemoryConflict, Poison, Unavailable
from a2a_lambda.core.records import ContextMemory, TaskRecord
from a2a_lambda.testing import crashed_once, run_agent


def agent(*steps: Any, **options: Any) -> Agent:
    made = Agent(name="Remembers", version="1", description="d")
    for number, step in enumerate(steps):
        made.step(name=f"step-{number}", **options)(step)
    return made


def keeps(task: Any) -> None:
    """Remembers each message, and says what it has."""
    said = task.memory.setdefault("said", [])
    said.append(task.text)
    task.complete(" ".join(said))


def conversation(stack: Stack, text: str, caller: Caller = ALICE, context: str = "chat") -> str | None:
    """A whole task in this context; what it says in the end."""
    task_id = stack.send(stack.message(text, contextId=context), caller=caller)["id"]
    stack.work(task_id)
    return stack.status_text(task_id)


# ---------------------------------------------------------------------------------------------------- from task to task


def test_a_task_reads_what_the_one_before_it_in_its_context_remembered(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(agent=agent(keeps))
    assert [conversation(stack, text) for text in ("a", "b", "c")] == ["a", "a b", "a b c"]
    assert conversation(stack, "d", context="another") == "d"


def test_two_callers_who_choose_one_context_have_a_memory_each(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(agent=agent(keeps), auth_mode="IAM")
    assert conversation(stack, "my password is swordfish", ALICE) == "my password is swordfish"
    assert conversation(stack, "what did I say?", BOB) == "what did I say?"
    assert conversation(stack, "and I?", ALICE) == "my password is swordfish and I?"


@pytest.mark.parametrize(
    "end",
    [
        lambda task: task.complete(),
        lambda task: task.fail("No."),
        lambda task: task.reject("No."),
        lambda task: task.require_input("?", then="step-0"),
        lambda task: None,
        lambda task: task.goto("step-1"),
    ],
    ids=["complete", "fail", "reject", "ask", "return", "goto"],
)
def test_every_end_of_a_run_that_the_step_chose_keeps_what_it_remembers(end: Any) -> None:
    def step(task: Any) -> None:
        task.memory["n"] = task.memory.get("n", 0) + 1
        end(task)

    assert run_agent(agent(step, lambda task: None), "go", memory={"n": 1}).memory == {"n": 2}


def test_a_run_that_fails_remembers_nothing() -> None:
    def step(task: Any) -> None:
        task.memory["n"] = 2
        task.status("Half way.")
        raise OSError

    run = run_agent(agent(step, retry=Retry(2, 0)), "go", memory={"n": 1})
    assert (run.state, run.memory) == ("failed", {"n": 1})


def test_a_later_step_reads_what_an_earlier_one_remembered() -> None:
    def first(task: Any) -> None:
        task.memory = {"first": True}

    def second(task: Any) -> None:
        task.complete(str(task.memory))

    run = run_agent(agent(first, second), "go", memory={"old": 1})
    assert run.statuses[-1].text == "{'first': True}"
    assert run.memory == {"first": True}


def test_what_is_changed_after_the_end_is_not_remembered() -> None:
    def step(task: Any) -> None:
        task.memory["n"] = 1
        task.complete()
        task.memory["n"] = 2

    assert run_agent(agent(step), "go").memory == {"n": 1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda memory: memory.update(odd=object()), "JSON values only"),
        (lambda memory: memory.update(big="x" * 350_001), "350000 are possible"),
    ],
)
def test_what_cannot_be_kept_is_an_error_and_leaves_what_there_was(change: Any, message: str) -> None:
    with pytest.raises(AgentError, match=message):
        run_agent(agent(lambda task: change(task.memory)), "go")


def test_it_stays_a_dictionary() -> None:
    with pytest.raises(AgentError, match="must stay a dictionary"):
        run_agent(agent(lambda task: setattr(task, "memory", [])), "go")


def test_a_secret_is_not_remembered() -> None:
    def step(task: Any) -> None:
        task.memory["key"] = task.secret("model-key")

    with pytest.raises(AgentError, match="the value of the secret 'model-key'"):
        run_agent(agent(step), "go", secrets={"model-key": "swordfish-swordfish"})


def test_without_a_table_the_author_hears_what_to_do() -> None:
    stack = MemoryStack(Options(agent=agent(keeps)))
    stack.executor(contexts=None).run(stack.send()["id"], lambda: 60_000)
    (failure,) = stack.failures
    assert "deploy its template" in failure.hint


def test_what_was_remembered_long_ago_is_forgotten_even_if_the_table_has_it_still(
    new_stack: Callable[..., Stack],
) -> None:
    stack = new_stack(agent=agent(keeps))
    conversation(stack, "a")
    stack.time.sleep(timedelta(days=29).total_seconds())
    assert conversation(stack, "b") == "a b"
    stack.time.sleep(timedelta(days=30).total_seconds())
    assert conversation(stack, "c") == "c"


# ------------------------------------------------------------------------------------------------------------ what dies


@pytest.mark.parametrize("rerun", ["skip", "restart"])
def test_whenever_a_function_dies_each_message_is_remembered_once(rerun: Any) -> None:
    def talk(task: Any) -> None:
        task.memory.setdefault("said", []).append(task.text)
        task.status("Noted.")

    def ask(task: Any) -> None:
        task.memory["said"].append("?")
        task.require_input("More?")

    def end(task: Any) -> None:
        task.memory["said"].append(task.text)
        task.complete(" ".join(task.memory["said"]))

    options: dict[str, Any] = {"answers": ["c"], "memory": {"said": ["a"]}}
    expected = {"said": ["a", "b", "?", "c"]}
    assert run_agent(agent(talk, ask, end, rerun=rerun), "b", **options).memory == expected
    runs = list(crashed_once(agent(talk, ask, end, rerun=rerun), "b", **options))
    assert len(runs) > 8
    for run in runs:
        assert (run.memory, run.statuses[-1].text) == (expected, "a b ? c")
    assert run_agent(agent(talk, ask, end, rerun=rerun), "b", crashing=True, **options).memory == expected


class CrashingContexts:
    """The memory behind crash points."""

    def __init__(self, stack: MemoryStack, points: CrashPoints) -> None:
        self._contexts, self._points = stack.contexts, points

    def get(self, conversation: str) -> ContextMemory | None:
        found: ContextMemory | None = self._points.call("read memory", lambda: self._contexts.get(conversation))
        return found

    def commit(self, record: TaskRecord, memory: ContextMemory) -> None:
        self._points.call("write memory", lambda: self._contexts.commit(record, memory))


@pytest.mark.parametrize("mode", MODES)
def test_after_a_crash_at_any_call_there_is_one_entry_and_a_run_reads_what_the_one_before_it_read(mode: str) -> None:
    reads: list[Any] = []

    def step(task: Any) -> None:
        reads.append(list(task.memory.get("said", [])))
        task.status("Read.")
        keeps(task)

    for number in itertools.count():
        reads.clear()
        stack = MemoryStack(Options(agent=agent(step)))
        conversation(stack, "a")
        points = CrashPoints({number: mode})
        executor = stack.executor(store=CrashingTasks(stack.tasks, points), contexts=CrashingContexts(stack, points))
        task_id = stack.send(stack.message("b", contextId="chat"))["id"]
        for _ in range(5):
            try:
                if executor.run(task_id, lambda: 60_000) == {"next": "done"}:
                    break
            except (Crash, Unavailable):
                continue
        assert stack.status_text(task_id) == "a b", (number, points.calls)
        assert [memory.content for memory in stack.contexts.items.values()] == [{"said": ["a", "b"]}]
        assert all(read == ["a"] for read in reads[1:])
        if len(points.calls) <= number:
            break
    assert number > 4


# ------------------------------------------------------------------------------------------------------------ its price


def test_an_agent_that_does_not_use_it_makes_no_call_for_it(cloud_stack: Callable[..., CloudStack]) -> None:
    stack = cloud_stack(agent=agent(lambda task: task.complete("Done.")))
    task_id = stack.send()["id"]
    with cloud.calls("dynamodb") as calls:
        stack.run(task_id)
    assert [call[0] for call in calls] == ["GetItem", "UpdateItem", "UpdateItem"]
    assert cloud.items(stack.contexts_table) == []


def test_an_agent_that_uses_it_reads_once_and_writes_with_the_end_of_its_run(
    cloud_stack: Callable[..., CloudStack],
) -> None:
    def step(task: Any) -> None:
        task.memory["n"] = 1
        task.status("Noted.")
        task.memory["n"] = 2
        task.complete(str(task.memory))

    stack = cloud_stack(agent=agent(step))
    task_id = stack.send()["id"]
    with cloud.calls("dynamodb") as calls:
        stack.run(task_id)
    assert [call[0] for call in calls] == ["GetItem", "UpdateItem", "GetItem", "UpdateItem", "TransactWriteItems"]


# --------------------------------------------------------------------------------------------------------- the adapters


@pytest.fixture
def stores(new_stack: Callable[..., Any]) -> Any:
    """A stack with a task that is under way, and its next record."""
    stack = new_stack()
    record = stack.stored(stack.send()["id"])
    return stack, record.next(record.task)


def memory(version: int, **content: Any) -> ContextMemory:
    return ContextMemory("conversation", content, version, 2_000_000_000)


def test_a_memory_is_written_over_the_version_just_before_it_and_with_its_task(stores: Any) -> None:
    stack, record = stores
    assert stack.contexts.get("conversation") is None
    stack.contexts.commit(record, memory(1, n=[1, {"ä": None}]))
    assert stack.contexts.get("conversation") == memory(1, n=[1, {"ä": None}])
    assert stack.stored(record.task_id).generation == record.generation
    later = record.next(record.task)
    for version in (1, 3):
        with pytest.raises(MemoryConflict):
            stack.contexts.commit(later, memory(version))
    assert stack.stored(record.task_id).generation == record.generation
    stack.contexts.commit(later, memory(2, n=2))
    assert stack.contexts.get("conversation") == memory(2, n=2)


def test_a_write_of_a_task_that_lost_writes_no_memory(stores: Any) -> None:
    stack, record = stores
    stack.tasks.update(record.next(record.task) if record.generation == 0 else record)
    other = record.next(record.task)
    stack.tasks.update(other)
    with pytest.raises(Conflict):
        stack.contexts.commit(record, memory(1))
    assert stack.contexts.get("conversation") is None


def test_on_aws_a_commit_whose_answer_was_lost_and_that_is_sent_again_has_been_made(
    cloud_stack: Callable[..., CloudStack],
) -> None:
    stack = cloud_stack()
    record = stack.stored(stack.send()["id"])
    record = record.next(record.task)
    stack.contexts.commit(record, memory(1, n=1))
    stack.contexts.commit(record, memory(1, n=1))
    assert stack.contexts.get("conversation") == memory(1, n=1)


@pytest.mark.parametrize("broken", [{"memory": "no JSON"}, {"memory": "[]"}, {"version": None}])
def test_on_aws_an_item_that_cannot_be_read_is_poison(
    broken: dict[str, Any], cloud_stack: Callable[..., CloudStack]
) -> None:
    from a2a_lambda.aws.clients import client

    item = {"conversation": "c", "memory": "{}", "version": "1", "expiresAt": "1"} | broken
    typed = {name: {"N" if name in ("version", "expiresAt") else "S": value} for name, value in item.items() if value}
    stack = cloud_stack()
    client("dynamodb").put_item(TableName=stack.contexts_table, Item=typed)
    with pytest.raises(Poison):
        stack.contexts.get("c")
