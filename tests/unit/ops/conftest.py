"""Dead letters on moto."""

from __future__ import annotations

import pytest
from buried_letters import World


@pytest.fixture
def world(aws: None, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr("ops.stack.find", lambda *_: made.stack)
    return made
