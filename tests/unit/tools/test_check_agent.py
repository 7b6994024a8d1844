"""`make check-agent`: says in one line, before a deployment, what the executor would say when it starts."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
from agents import asking, named, one_step

import check_agent
from a2a_lambda.adapters.a2a_sdk import agent_from
from a2a_lambda.agent import Agent


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch):
    """Makes a module that exports an agent; the parameter that names it."""

    def make(agent: object) -> str:
        found = ModuleType("agent_to_check")
        found.agent = agent
        monkeypatch.setitem(sys.modules, found.__name__, found)
        return f"AgentModule={found.__name__}"

    return make


def run(*parameters: str) -> int:
    return check_agent.main([word for each in parameters for word in ("--parameter", each)])


def test_without_parameters_it_is_the_demo_agent_that_fits_both(capsys):
    assert run() == 0
    assert run("WorkflowType=EXPRESS") == 0
    assert capsys.readouterr().out == (
        "push_agent runs as STANDARD: 3 steps\npush_agent runs as EXPRESS: 3 steps, with 180 s for a task\n"
    )


def test_what_express_cannot_do_is_refused_in_one_line_and_standard_does_it(module, capsys):
    name = module(asking())

    assert run(name) == 0
    assert run(name, "WorkflowType=EXPRESS") == 1

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: agent 'Tested' cannot run in an Express workflow: step 'ask' may ask its client")


def test_the_time_for_a_step_is_the_parameters(module, capsys):
    name = module(one_step())

    assert run(name, "WorkflowType=EXPRESS", "StepTimeoutSeconds=30") == 0
    assert run(name, "WorkflowType=EXPRESS", "StepTimeoutSeconds=300") == 1
    assert run(name, "StepTimeoutSeconds=300") == 0

    assert "with 210 s for a task" in capsys.readouterr().out


@pytest.mark.parametrize("exported", [None, "agent", Agent])
def test_a_module_that_exports_no_agent_is_refused(module, capsys, exported):
    assert run(module(exported)) == 1
    assert "exports no agent" in capsys.readouterr().err


def test_an_agent_without_steps_is_refused(module, capsys):
    assert run(module(named())) == 1
    assert "has no steps" in capsys.readouterr().err


def test_a_module_that_is_not_there_or_cannot_be_imported_is_refused_in_one_line(monkeypatch, tmp_path, capsys):
    (tmp_path / "broken_agent_to_check.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)

    assert run("AgentModule=no_such_agent") == 1
    assert run("AgentModule=broken_agent_to_check") == 1

    missing, broken = capsys.readouterr().err.splitlines()
    assert "no_such_agent cannot be imported: ModuleNotFoundError" in missing
    assert "ZeroDivisionError: division by zero" in broken


def test_what_only_a_step_imports_is_tried_and_refused_in_one_line(monkeypatch, tmp_path, module, capsys):
    (tmp_path / "weather_to_check.py").write_text("class Executor: ...")
    (tmp_path / "broken_weather_to_check.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    card = {"name": "Tested", "version": "1", "description": "d"}

    assert run(module(agent_from("weather_to_check:Executor", card=card))) == 0
    assert run(module(agent_from("weather_to_check:Executer", card=card))) == 1
    assert run(module(agent_from("broken_weather_to_check:Executor", card=card))) == 1
    assert run(module(agent_from("no_weather_to_check:Executor", card=card))) == 1

    other, broken, missing = capsys.readouterr().err.splitlines()
    assert other == "error: weather_to_check has no Executer, which agent_to_check names"
    assert "ZeroDivisionError" in broken
    assert "no_weather_to_check, which agent_to_check names, cannot be imported: ModuleNotFoundError" in missing


def test_a_parameter_without_a_value_is_a_mistake_in_the_call(capsys):
    with pytest.raises(SystemExit) as ended:
        run("WorkflowType")
    assert ended.value.code == 2
    assert "is not Name=Value" in capsys.readouterr().err
