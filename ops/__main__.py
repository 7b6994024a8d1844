"""`python -m ops`: the command line, its errors in one line, its exit codes."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from .arguments import parser

ROOT = Path(__file__).resolve().parent.parent
LOCAL = "a2a"
"""The stack of the local AWS."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = parser().parse_args(given)
    try:
        from .errors import CANNOT_RUN, code_for, explain, one_line
    except ImportError as error:
        print(f"error: {error.name} is not installed. Run: pip install -r requirements/ops.txt", file=sys.stderr)
        return 2
    logging.getLogger("a2a_lambda").setLevel(logging.CRITICAL)  # what matters of it is in the one line
    try:
        if options.stack is None:
            return _locally(given)
        for variable, value in (("AWS_DEFAULT_REGION", options.region), ("AWS_PROFILE", options.profile)):
            if value:
                os.environ[variable] = value
        if options.region:
            os.environ["AWS_REGION"] = options.region
        return _run(options)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 1
    except Exception as error:  # noqa: BLE001 - whatever it is, an operator gets one line
        if options.debug:
            traceback.print_exc()
        from .errors import OpsError

        text = str(error) if isinstance(error, OpsError) else explain(error)
        _complain(one_line(text, 600))
        return code_for(error) or CANNOT_RUN


def _complain(text: str) -> None:
    try:
        print(f"error: {text}", file=sys.stderr, flush=True)
    except OSError:  # nobody reads it
        os._exit(1)


def _run(options: object) -> int:
    from .commands import COMMANDS
    from .output import Output
    from .stack import find

    name, action = options.command, getattr(options, "action", "")  # type: ignore[attr-defined]
    out = Output(json=options.json, yes=options.yes)  # type: ignore[attr-defined]
    stack = find(options.stack, options.endpoint)  # type: ignore[attr-defined]
    return COMMANDS[name, action](stack, options, out)  # type: ignore[arg-type]


def _locally(arguments: list[str]) -> int:
    """Run the command for the stack of the local AWS, with its addresses and credentials."""
    sys.path.insert(0, str(ROOT / "local"))
    from emulator import LocalAwsError
    from local_aws import the_running_one
    from stack import describe, environment

    from .errors import CannotRun

    try:
        emulator = the_running_one()
        stack = describe(emulator, LOCAL)
    except LocalAwsError as error:
        raise CannotRun(f"no --stack is named, and {error}") from error
    if stack is None:
        raise CannotRun("no --stack is named, and nothing is deployed on the local AWS: make up")
    command = [sys.executable, "-m", "ops", "--stack", LOCAL, "--endpoint", stack.endpoint, *arguments]
    with subprocess.Popen(command, env=environment(emulator), cwd=ROOT) as process:
        # Ctrl-C reaches the command as well, which ends by itself.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda got, _: process.send_signal(got) if got == signal.SIGTERM else None)
        return process.wait()


if __name__ == "__main__":
    sys.exit(main())
