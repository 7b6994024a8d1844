"""Lists or redrives the dead letters of the local AWS: `make dead-letters`, `make redrive`.

On AWS it is the same command, `python -m a2a_lambda.dead_letters`, with the outputs of the stack.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from emulator import ROOT, LocalAwsError
from local_aws import STACK, the_running_one
from stack import Stack, describe, environment

PLACES = {
    "--dead-letters": "DeadLetterQueueUrl",
    "--queue": "RedeliveryQueueUrl",
    "--configs": "PushConfigsTableName",
}
"""What the command needs to be told of a stack, by the names of its outputs."""


def run(stack: Stack, arguments: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command for this stack. ``options`` are those of `subprocess.run`."""
    told = [word for option, output in PLACES.items() for word in (option, stack.outputs[output])]
    command = [sys.executable, "-m", "a2a_lambda.dead_letters", *arguments, *told]
    variables = environment(stack.emulator) | {"PYTHONPATH": str(ROOT / "layers" / "common")}
    return subprocess.run(command, env=variables, text=True, check=False, **options)


def main() -> int:
    """The command line; returns the exit code."""
    try:
        stack = describe(the_running_one(), STACK)
        if stack is None:
            raise LocalAwsError("Nothing is deployed on the local AWS. Run: make up")
    except LocalAwsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return run(stack, sys.argv[1:]).returncode


if __name__ == "__main__":
    sys.exit(main())
