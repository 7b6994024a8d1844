"""The official clients on a stack that streams: what they send and subscribe to, in all that they speak, to the end."""

from __future__ import annotations

import sys

import pytest
from official_clients import CLIENTS, COMPAT, HERE, NODE, PAIRS, run


@pytest.mark.parametrize(("version", "binding"), PAIRS)
@pytest.mark.parametrize("client", CLIENTS)
def test_the_official_sdk_streams(streaming_endpoint: str, client: str, version: str, binding: str) -> None:
    if client == "python":
        run(sys.executable, "stream_sdk_1.py", streaming_endpoint, version, binding)
    else:
        script = (HERE / "js" / "stream.mjs").read_text()
        run("node", "--input-type=module", "-", streaming_endpoint, version, binding, cwd=NODE, script=script)


def test_the_last_python_sdk_of_0_3_streams(streaming_endpoint: str) -> None:
    run(COMPAT, "stream_sdk_0_3.py", streaming_endpoint)


@pytest.mark.parametrize(("version", "binding"), PAIRS)
def test_what_does_not_stream_is_answered_as_before(streaming_endpoint: str, version: str, binding: str) -> None:
    """The same calls as on a stack that does not stream, through the API that does."""
    run(sys.executable, "sdk_1.py", streaming_endpoint, version, binding)
