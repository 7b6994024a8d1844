"""`make smoke` against the local AWS: all PASS, with and without authorization; FAIL when redelivery is broken."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from collections.abc import Callable

import pytest

from emulator import ROOT
from stack import Stack, environment, inbox_url

FUNCTION = ROOT / "functions" / "redelivery" / "app.py"
LINE = "        if failed or not _done(record):\n"
BROKEN = "        if failed:\n"
"""Messages are taken for done, and deleted, with no attempt."""


def smoke(stack: Stack, *options: str) -> subprocess.CompletedProcess[str]:
    where = ["--stack", stack.name, "--inbox-url", inbox_url(stack.emulator, stack.name)]
    return subprocess.run(
        [sys.executable, str(ROOT / "tools" / "smoke.py"), *where, *options],
        env=environment(stack.emulator),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def results(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """PASS, FAIL or ---- for each check, by its name."""
    lines = [line for line in done.stdout.splitlines() if line[:8] in ("  PASS  ", "  FAIL  ", "  ----  ")]
    return {line[8:42].strip(): line[2:6] for line in lines}


@pytest.mark.parametrize(
    ("parameters", "failures", "left_out"),
    [
        ({"AuthMode": "IAM"}, "2", {"Stream tells the same"}),
        ({"AuthMode": "NONE", "WorkflowType": "EXPRESS", "WebhookSigning": "NONE"}, "1",
         {"Stream tells the same", "Its task fails", "Every push is signed"}),
    ],
    ids=["signed requests", "express, nothing signed"],
)  # fmt: skip
def test_every_check_passes_on_a_stack_that_works(
    stack_with: Callable[..., Stack], parameters: dict[str, str], failures: str, left_out: set[str]
) -> None:
    done = smoke(stack_with(SmokeInbox="true", **parameters), "--failures", failures)

    assert done.returncode == 0, done.stdout + done.stderr
    found = results(done)
    assert {name for name, result in found.items() if result == "----"} == left_out
    assert {result for name, result in found.items() if name not in left_out} == {"PASS"}
    assert {"All come in order", "Attempts come when scheduled", "Its link works from outside"} <= set(found)


def test_it_fails_when_one_line_of_redelivery_is_broken(stack_with: Callable[..., Stack]) -> None:
    stack = stack_with(SmokeInbox="true", AuthMode="IAM")
    source = FUNCTION.read_text()
    assert source.count(LINE) == 1
    replace_redelivery(stack, source.replace(LINE, BROKEN))
    try:
        done = smoke(stack, "--failures", "1", "--timeout", "10")
    finally:
        replace_redelivery(stack, source)

    assert done.returncode == 1, done.stdout + done.stderr
    failed = {name for name, result in results(done).items() if result == "FAIL"}
    assert {"The same push is tried again", "Attempts come when scheduled", "All come in order"} <= failed, done.stdout


def replace_redelivery(stack: Stack, source: str) -> None:
    functions = stack.client("lambda")
    (name,) = [
        function["FunctionName"]
        for function in functions.list_functions()["Functions"]
        if function["FunctionName"].startswith(f"{stack.name}-RedeliveryFunction")
    ]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", source)
    functions.update_function_code(FunctionName=name, ZipFile=packed.getvalue())
