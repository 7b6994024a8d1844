"""From the trace header of Lambda to the one of W3C."""

from __future__ import annotations

import re

import pytest

from a2a_lambda.aws.tracing import traceparent

ROOT = "Root=1-67891233-abcdef012345678912345678"
PARENT = "Parent=53995c3f42cd8ad8"


@pytest.mark.parametrize(
    ("header", "flags"),
    [
        (f"{ROOT};{PARENT};Sampled=1", "01"),
        (f"{ROOT};{PARENT};Sampled=0", "00"),
        (f"{ROOT};{PARENT}", "00"),
        (f"{ROOT};{PARENT};Sampled=1;Lineage=a87bd80c:1|68fd508a:5", "01"),
        (f"{ROOT};{PARENT};Lineage=a87bd80c:1;Sampled=1", "01"),
        (f"Self=1-67891234-12456789abcdef012345678;{ROOT};{PARENT};Sampled=1", "01"),
    ],
)
def test_the_trace_of_the_invocation_becomes_a_traceparent(
    monkeypatch: pytest.MonkeyPatch, header: str, flags: str
) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", header)
    trace = traceparent()
    assert trace == f"00-67891233abcdef012345678912345678-53995c3f42cd8ad8-{flags}"
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", trace)


@pytest.mark.parametrize("header", [None, "", ROOT, PARENT, f"{ROOT};Sampled=1", "Root=1-zz-zz;Parent=zz", "nonsense"])
def test_without_a_whole_trace_there_is_none(monkeypatch: pytest.MonkeyPatch, header: str | None) -> None:
    if header is None:
        monkeypatch.delenv("_X_AMZN_TRACE_ID", raising=False)
    else:
        monkeypatch.setenv("_X_AMZN_TRACE_ID", header)
    assert traceparent() is None
