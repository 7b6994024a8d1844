"""How an executor of the official SDK is named, made and refused."""

from __future__ import annotations

import functools
import subprocess
import sys

import pytest
from sdk_executors import (
    HelloWorld,
    agent_of,
)

from a2a_lambda.agent import AgentError
from a2a_lambda.testing import run_agent


async def make_later() -> HelloWorld:
    return HelloWorld()


@pytest.mark.parametrize(
    "executor", [HelloWorld, functools.partial(HelloWorld), make_later, "sdk_executors:HelloWorld"]
)
def test_an_executor_is_a_class_a_function_or_a_name(executor):
    assert run_agent(agent_of(executor), "go").state == "completed"


def test_an_executor_is_made_once_for_all_tasks():
    made: list[int] = []

    def executor() -> HelloWorld:
        made.append(1)
        return HelloWorld()

    agent = agent_of(executor)
    run_agent(agent, "a")
    run_agent(agent, "b")
    assert len(made) == 1


@pytest.mark.parametrize(
    ("executor", "reason"),
    [
        ("sdk_executors:Nothing", "module 'sdk_executors' has no 'Nothing'"),
        (lambda: 1, "makes no AgentExecutor"),
        ("builtins:dict", "makes no AgentExecutor"),
    ],
)
def test_a_name_that_is_no_executor_is_told_when_the_step_runs(executor, reason):
    with pytest.raises(AgentError, match=reason):
        run_agent(agent_of(executor), "go")


@pytest.mark.parametrize("executor", ["no_such_module:executor", "sdk_executors:text_message"])
def test_an_executor_that_cannot_be_made_fails_its_task(executor):
    run = run_agent(agent_of(executor), "go")

    assert run.state == "failed"
    assert isinstance(run.errors[0], (ImportError, TypeError))


@pytest.mark.parametrize("executor", ["weather", "weather:", ":executor", ""])
def test_a_name_of_the_wrong_form_is_refused_at_import(executor):
    with pytest.raises(AgentError, match="does not name an executor"):
        agent_of(executor)


@pytest.mark.parametrize("option", ["chunk_seconds", "cancel_seconds"])
def test_negative_seconds_are_refused(option):
    with pytest.raises(AgentError, match="cannot be negative"):
        agent_of(HelloWorld, **{option: -1})


def test_without_the_sdk_the_error_says_which_package_to_lock(monkeypatch: pytest.MonkeyPatch):
    from a2a_lambda.adapters import wire

    monkeypatch.setitem(sys.modules, "a2a.types", None)
    wire.wire.cache_clear()
    with pytest.raises(AgentError, match=r"a2a-sdk .* make lock-agent"):
        wire.wire()
    monkeypatch.undo()
    assert wire.wire()


def test_an_agent_of_an_executor_imports_neither_the_executor_nor_the_sdk():
    code = (
        "import sys; from a2a_lambda.adapters.a2a_sdk import agent_from; "
        "agent_from('sdk_executors:HelloWorld', name='x', version='1', description='d'); "
        "print(*[name for name in sys.modules if name.split('.')[0] in "
        "('a2a', 'sdk_executors', 'pydantic', 'google', 'asyncio', 'httpx')])"
    )
    environment = {"PYTHONPATH": "layers/common:tests/support"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
