"""What the executor would say of an agent when it starts, before anything is deployed.

    python tools/check_agent.py [--parameter Name=Value ...]

`make check-agent AGENT=greeting_agent WORKFLOW=EXPRESS` calls it; parameters are those of template.yaml. With
--packages it also builds the layers for the runtime and weighs them, and measures what importing the agent costs.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from agent_packages import PackagesError, check_import, check_size

ROOT = Path(__file__).resolve().parent.parent
RUNTIME, ARCHITECTURE = "python3.13", "arm64"  # the template's defaults; a test compares them
LAYERS = (ROOT / "layers" / "agents", ROOT / "layers" / "common")


class AgentCheckError(Exception):
    """The agent cannot be deployed like this; the text says why."""


def check(parameters: Mapping[str, str]) -> str:
    """One line on the agent that these parameters name. Raises AgentCheckError."""
    from a2a_lambda.agent import Agent, AgentError
    from a2a_lambda.agent.execution import Executor
    from a2a_lambda.agent.express import Express
    from a2a_lambda.testing.memory import MemoryTasks, VirtualTime

    name, kind = _module(parameters), parameters.get("WorkflowType", "STANDARD")
    try:
        agent = getattr(importlib.import_module(name), "agent", None)
    except Exception as error:  # it is somebody's code that runs here
        raise AgentCheckError(f"{name} cannot be imported: {type(error).__name__}: {error}") from error
    if not isinstance(agent, Agent):
        raise AgentCheckError(f"{name} exports no agent")
    for each in agent.imports:
        _check_import(name, each)
    time = VirtualTime()
    try:
        express = Express(float(parameters.get("StepTimeoutSeconds", "60"))) if kind == "EXPRESS" else None
        Executor(agent, MemoryTasks(), time, time.sleep, lambda _: None, express=express)
    except AgentError as error:
        raise AgentCheckError(str(error)) from error
    within = f", with {express.task_seconds:.0f} s for a task" if express else ""
    steps = "1 step" if len(agent.steps) == 1 else f"{len(agent.steps)} steps"
    return f"{name} runs as {kind}: {steps}{within}"


def _check_import(agent: str, name: str) -> None:
    """What only a step imports. Raises AgentCheckError."""
    module, _, attribute = name.partition(":")
    try:
        found = importlib.import_module(module)
    except Exception as error:  # it is somebody's code that runs here
        raise AgentCheckError(
            f"{module}, which {agent} names, cannot be imported: {type(error).__name__}: {error}"
        ) from error
    if attribute and not hasattr(found, attribute):
        raise AgentCheckError(f"{module} has no {attribute}, which {agent} names")


def check_packages(parameters: Mapping[str, str]) -> str:
    """One line on what the agent and its packages weigh. Raises AgentCheckError."""
    try:
        return f"{check_import(_module(parameters))}, {check_size(parameters, RUNTIME, ARCHITECTURE)}"
    except PackagesError as error:
        raise AgentCheckError(str(error)) from error


def _module(parameters: Mapping[str, str]) -> str:
    return parameters.get("AgentModule", "push_agent")


def parameter(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not Name=Value")
    return name, value


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="What the executor would say of an agent when it starts.")
    parser.add_argument("--parameter", type=parameter, action="append", default=[], metavar="Name=Value")
    parser.add_argument("--packages", action="store_true", help="weigh the layers, and the import of the agent")
    given = parser.parse_args(arguments)
    parameters = dict(given.parameter)
    try:
        print(check(parameters))
        if given.packages:
            print(f"{_module(parameters)} weighs {check_packages(parameters)}")
    except AgentCheckError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.path[:0] = [str(path) for path in LAYERS]
    sys.exit(main())
