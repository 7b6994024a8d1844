"""The webhook bodies that docs/delivery.md shows are those that the dialects write."""

from __future__ import annotations

import json
import re

import pytest
from cloud import ROOT

from a2a_lambda.core.changes import changes
from a2a_lambda.core.model import Task
from a2a_lambda.dialects import webhooks

DOCS = (ROOT / "docs" / "delivery.md").read_text(encoding="utf-8")
NAMES = {"1.0": "1.0", "0.3": "0.3", "legacy": "The first drafts"}

TASK, CONTEXT = "5b1c8a9e-3a0f-5d7e-9c41-2f6d8e0b7a13", "c-1"


def a_task() -> Task:
    """The demo's task after its first step."""
    said = {"messageId": "m-2", "role": "ROLE_AGENT", "parts": [{"text": "Step 1/3 complete"}]}
    return {
        "id": TASK,
        "contextId": CONTEXT,
        "status": {
            "state": "TASK_STATE_WORKING",
            "timestamp": "2026-11-26T12:00:01.234Z",
            "message": {**said, "taskId": TASK, "contextId": CONTEXT},
        },
        "artifacts": [{"artifactId": "part-1", "name": "part-1", "parts": [{"text": "Result of step 1"}]}],
        "history": [{"messageId": "m-1", "role": "ROLE_USER", "parts": [{"text": "hi"}]}],
    }  # type: ignore[return-value]


def documented(dialect: str) -> list[object]:
    section = DOCS.split("### What a body looks like")[1].split("\n### ")[0].split("\n## ")[0]
    (part,) = [part for part in section.split("\n**")[1:] if part.startswith(NAMES[dialect])]
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", part, re.DOTALL)]


@pytest.mark.parametrize("dialect", NAMES)
def test_the_examples_are_what_the_dialect_writes(dialect: str) -> None:
    before = a_task()
    del before["artifacts"]
    before["status"] = {"state": "TASK_STATE_WORKING", "timestamp": "2026-11-26T12:00:00.123Z"}  # type: ignore[typeddict-item]

    bodies = webhooks.BY_NAME[dialect].notifications(changes(before, a_task(), 3))

    assert [json.loads(body) for _, body in bodies] == documented(dialect)
