"""The official clients as they are on PyPI and npm: card, send, tasks, configs, and webhooks in their own types.

`make test` installs them. What they do where the agent streams is in test_streaming_clients.py.
"""

from __future__ import annotations

import sys

import pytest
from official_clients import CLIENTS, COMPAT, HERE, NODE, PAIRS, run


@pytest.mark.parametrize(("version", "binding"), PAIRS)
@pytest.mark.parametrize("client", CLIENTS)
def test_the_official_sdk_finds_all_it_needs(endpoint: str, client: str, version: str, binding: str) -> None:
    if client == "python":
        run(sys.executable, "sdk_1.py", endpoint, version, binding)
    else:
        # From standard input: modules are looked for beside the script or, without one, in the working directory.
        script = (HERE / "js" / "client.mjs").read_text()
        run("node", "--input-type=module", "-", endpoint, version, binding, cwd=NODE, script=script)


def test_the_last_python_sdk_of_0_3_finds_all_it_needs(endpoint: str) -> None:
    run(COMPAT, "sdk_0_3.py", endpoint)
