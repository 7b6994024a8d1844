"""The conformance agent on a local AWS, at a host of its own, as `make conformance` starts it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance_stack import conformance_stack

# `make test` installs the kit where Python is new enough for it.
TESTBED = Path(__file__).parents[2] / ".venvs" / "testbed" / "bin" / "a2a-testbed"
collect_ignore = [] if TESTBED.exists() else ["test_testbed.py"]


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    with conformance_stack(0, {}) as url:
        yield url


@pytest.fixture(scope="session")
def streaming_endpoint() -> Iterator[str]:
    """The same with Streaming=true, behind the local gateway."""
    with conformance_stack(0, {"Streaming": "true"}) as url:
        yield url
