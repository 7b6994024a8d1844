"""The conformance agent on a local AWS, at a host of its own, as `make conformance` starts it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conformance_stack import conformance_stack


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    with conformance_stack(0, {}) as url:
        yield url
