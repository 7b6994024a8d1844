"""Step Functions in memory: runs the real workflow.asl.json in virtual time, with its retries and catches.

Or express.asl.json as Express does it: a second start of a name is a second execution beside the first, none can be
stopped, each ends after 300 s, past every catch, and nothing tells of it.

It knows what our machine uses and no more: Task (lambda:invoke, .waitForTaskToken), Choice, Wait, Succeed, and of
JSONata paths and comparisons. An unknown construct is an error, so that a change of the workflow cannot pass unseen.
"""

from __future__ import annotations

import heapq
import itertools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from a2a_lambda.aws.workflow import execution_name, task_of
from a2a_lambda.testing.memory import VirtualTime

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = ROOT / "functions" / "executor" / "workflow.asl.json"
EXPRESS = ROOT / "functions" / "executor" / "express.asl.json"
EXPRESS_SECONDS = 300
VALUES = {"InputTimeoutSeconds": "604800", "LooksPerExecution": "1500"}

PATH = re.compile(r"\$states(?:\.\w+)+")
COMPARISON = re.compile(rf"({PATH.pattern}) = '(\w*)'")
LIMIT = re.compile(rf"({PATH.pattern}) >= (\d+) and ({PATH.pattern}) != '(\w*)'")
COUNTED = "{ 'looks': $exists($states.input.looks) ? $states.input.looks + 1 : 1 }"
MERGE = re.compile(r"\$merge\(\[(.+), (.+)\]\)")
SUCCESSOR = "$states.context.Execution.Name & '_'"


def definition(values: dict[str, str] | None = None, path: Path = WORKFLOW) -> dict[str, Any]:
    """The workflow with the template's values, or others."""
    text = path.read_text()
    names = {**VALUES, **(values or {}), "ExecutorFunctionArn": "executor", "Partition": "aws"}
    machine: dict[str, Any] = json.loads(re.sub(r"\$\{(\w+)\}", lambda match: names[match[1]], text))
    return machine


class Agenda:
    """What is to happen, in order of its time; what is due at the same moment happens in the order of its planning."""

    def __init__(self, time: VirtualTime) -> None:
        self.time = time
        self._entries: list[tuple[datetime, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def at(self, moment: datetime, action: Callable[[], None]) -> None:
        heapq.heappush(self._entries, (moment, next(self._numbers), action))

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        self.at(self.time.now + timedelta(seconds=seconds), action)

    def run(self, most: int = 5_000) -> None:
        """Until nothing is left to happen."""
        for _ in range(most):
            if not self._entries:
                return
            moment, _, action = heapq.heappop(self._entries)
            self.time.now = max(self.time.now, moment)
            action()
        raise AssertionError("it does not come to an end")


@dataclass
class Execution:
    """``visit`` is another number each time a state is entered or tried again: what was planned for an earlier one is
    void. ``retries`` counts by retrier, in the present state."""

    name: str
    status: str = "RUNNING"
    state: str = ""
    input: Any = None
    visit: int = 0
    retries: dict[int, int] = field(default_factory=dict)
    token: str | None = None
    transitions: int = 0
    trail: list[str] = field(default_factory=list)
    begun: datetime | None = None
    ended: datetime | None = None

    def __post_init__(self) -> None:
        assert len(self.name.partition("#")[0]) <= 80, "Step Functions takes no longer name"


class StateMachine:
    """The port ``Workflow``. ``invoke`` is the executor: payload to result; what it raises is a failed invocation.

    ``on_failed`` hears of executions that end badly, as the rule of EventBridge does.
    """

    _path_of_definition = WORKFLOW

    def __init__(
        self,
        agenda: Agenda,
        invoke: Callable[[dict[str, Any]], Any],
        on_failed: Callable[[str], None] = lambda name: None,
        values: dict[str, str] | None = None,
    ) -> None:
        self._machine = definition(values, self._path_of_definition)
        assert self._machine["QueryLanguage"] == "JSONata"
        self._agenda = agenda
        self._invoke = invoke
        self._on_failed = on_failed
        self._tokens = itertools.count(1)
        self.executions: dict[str, Execution] = {}

    # ------------------------------------------------------------------------------------------------ the port

    def start(self, task_id: str, created_at: datetime) -> None:
        name = execution_name(task_id, created_at)
        if name not in self.executions:
            self._begin(name)

    def stop(self, task_id: str, created_at: datetime) -> None:
        execution = self.executions.get(execution_name(task_id, created_at))
        if execution is not None and execution.status == "RUNNING":
            self._end(execution, "ABORTED")

    def resume(self, token: str) -> None:
        for execution in self.executions.values():
            if execution.token == token and execution.status == "RUNNING":
                execution.token = None
                self._succeed(execution, {})

    def _begin(self, key: str) -> Execution:
        execution = self.executions[key] = Execution(key, begun=self._agenda.time.now)
        self._enter(execution, self._machine["StartAt"], {"taskId": task_of(key)})
        return execution

    # ---------------------------------------------------------------------------------------------- the states

    def _enter(self, execution: Execution, state: str, data: Any) -> None:
        execution.state, execution.input, execution.retries = state, data, {}
        execution.transitions += 1
        execution.trail.append(state)
        self._plan(execution, 0.0, self._run)

    def _plan(self, execution: Execution, seconds: float, action: Callable[[Execution], None]) -> None:
        execution.visit += 1
        visit = execution.visit

        def act() -> None:
            if execution.visit == visit and execution.status == "RUNNING":
                action(execution)

        self._agenda.after(seconds, act)

    def _run(self, execution: Execution) -> None:
        state = self._machine["States"][execution.state]
        match state["Type"]:
            case "Task":
                self._task(execution, state)
            case "Choice":
                self._enter(execution, self._choose(execution, state), execution.input)
            case "Wait":
                seconds = self._value(execution, state["Seconds"])
                assert isinstance(seconds, int)
                self._plan(execution, seconds, lambda e: self._enter(e, state["Next"], e.input))
            case "Succeed":
                self._end(execution, "SUCCEEDED")
            case kind:
                raise AssertionError(f"no state of type {kind} is known here")

    def _task(self, execution: Execution, state: dict[str, Any]) -> None:
        if state["Resource"] == "arn:aws:states:::states:startExecution":
            arguments = state["Arguments"]
            assert _expression(arguments["Name"]) == SUCCESSOR
            successor = self.executions.setdefault(f"{execution.name}_", Execution(f"{execution.name}_"))
            self._enter(successor, self._machine["StartAt"], self._value(execution, arguments["Input"]))
            self._succeed(execution, {})
            return
        callback = state["Resource"].endswith(".waitForTaskToken")
        assert state["Resource"].startswith("arn:aws:states:::lambda:invoke")
        execution.token = f"token-{next(self._tokens)}" if callback else None
        visit = execution.visit
        try:
            result = self._invoke(self._value(execution, state["Arguments"]["Payload"]))
        except AssertionError:
            raise
        except BaseException as error:  # noqa: BLE001  # a function may also die
            execution.token = None
            self._fail(execution, type(error).__name__)
            return
        if execution.visit != visit or execution.status != "RUNNING":
            return  # resumed or stopped while the function ran
        if callback:
            self._plan(execution, state["TimeoutSeconds"], self._time_out)
        else:
            self._succeed(execution, {"Payload": result})

    def _time_out(self, execution: Execution) -> None:
        execution.token = None
        self._fail(execution, "States.Timeout")

    def _succeed(self, execution: Execution, result: Any) -> None:
        state = self._machine["States"][execution.state]
        output = self._value(execution, state["Output"], result) if "Output" in state else result
        assert "Assign" not in state
        self._enter(execution, state["Next"], output)

    def _fail(self, execution: Execution, error: str) -> None:
        state = self._machine["States"][execution.state]
        for place, retrier in enumerate(state.get("Retry", [])):
            if _matches(error, retrier["ErrorEquals"]):
                failures = execution.retries.get(place, 0)
                if failures < retrier["MaxAttempts"]:
                    execution.retries[place] = failures + 1
                    execution.transitions += 1  # a retry is charged as one
                    pause = retrier["IntervalSeconds"] * retrier["BackoffRate"] ** failures
                    self._plan(execution, min(pause, retrier["MaxDelaySeconds"]), self._run)
                    return
                break
        for catcher in state.get("Catch", []):
            if _matches(error, catcher["ErrorEquals"]):
                self._enter(execution, catcher["Next"], self._value(execution, catcher.get("Output", {"Error": error})))
                return
        self._end(execution, "FAILED")

    def _end(self, execution: Execution, status: str) -> None:
        execution.status, execution.ended = status, self._agenda.time.now
        if status != "SUCCEEDED":
            self._on_failed(execution.name)

    # -------------------------------------------------------------------------------------------------- JSONata

    def _choose(self, execution: Execution, state: dict[str, Any]) -> str:
        for branch in state["Choices"]:
            condition = _expression(branch["Condition"])
            if limit := LIMIT.fullmatch(condition):
                looks = self._path(execution, limit[1], None)
                if looks >= int(limit[2]) and self._path(execution, limit[3], None) != limit[4]:
                    return str(branch["Next"])
                continue
            comparison = COMPARISON.fullmatch(condition)
            assert comparison is not None, condition
            if self._path(execution, comparison[1], None) == comparison[2]:
                return str(branch["Next"])
        return str(state["Default"])

    def _value(self, execution: Execution, template: Any, result: Any = None) -> Any:
        if isinstance(template, dict):
            return {key: self._value(execution, value, result) for key, value in template.items()}
        if isinstance(template, str) and template.startswith("{%"):
            return self._expression(execution, _expression(template), result)
        return template

    def _expression(self, execution: Execution, text: str, result: Any) -> Any:
        if merge := MERGE.fullmatch(text):
            first, second = (self._expression(execution, part, result) for part in merge.groups())
            return {**first, **second}
        if text == COUNTED:
            return {"looks": execution.input.get("looks", 0) + 1}
        return self._path(execution, text, result)

    def _path(self, execution: Execution, path: str, result: Any) -> Any:
        assert PATH.fullmatch(path), path
        context = {"Execution": {"Input": {"taskId": task_of(execution.name)}}, "Task": {"Token": execution.token}}
        value: Any = {"input": execution.input, "result": result, "context": context}
        for step in path.split(".")[1:]:
            value = value[step]
        return value


class ExpressMachine(StateMachine):
    """The same for Express. An execution that goes on beside others has the name ``<name>#<number>`` here."""

    _path_of_definition = EXPRESS

    def start(self, task_id: str, created_at: datetime) -> None:
        execution = self._begin(f"{execution_name(task_id, created_at)}#{len(self.executions) + 1}")

        def give_up() -> None:
            if execution.status == "RUNNING":
                self._end(execution, "TIMED_OUT")

        self._agenda.after(EXPRESS_SECONDS, give_up)

    def stop(self, task_id: str, created_at: datetime) -> None:
        raise AssertionError("an Express execution cannot be stopped: to try is an error")

    def resume(self, token: str) -> None:
        raise AssertionError("no Express execution waits for a token")

    def _end(self, execution: Execution, status: str) -> None:
        execution.status, execution.ended = status, self._agenda.time.now


def _expression(text: str) -> str:
    assert text.startswith("{% ")
    assert text.endswith(" %}")
    return text[3:-3]


def _matches(error: str, names: list[str]) -> bool:
    timeout = error == "States.Timeout"
    return "States.ALL" in names or error in names or ("States.TaskFailed" in names and not timeout)
