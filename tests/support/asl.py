"""Reads a state machine's definition."""

from __future__ import annotations

from typing import Any


def calls(workflow: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The states that call the executor."""
    return {name: state for name, state in workflow["States"].items() if "lambda:invoke" in state.get("Resource", "")}


def pauses(retry: dict[str, Any]) -> list[float]:
    """The longest pauses of a retrier, one after the other, in seconds."""
    growing = (retry["IntervalSeconds"] * retry["BackoffRate"] ** failures for failures in range(retry["MaxAttempts"]))
    return [min(pause, retry["MaxDelaySeconds"]) for pause in growing]
