"""The whole stack on this machine, with no AWS account and no container engine.

    python local/local_aws.py up [--port PORT] [--parameter Name=Value ...]
    python local/local_aws.py status | down
    python local/local_aws.py invoke FUNCTION EVENT
    python local/local_aws.py run [--parameter Name=Value ...] COMMAND ...

`make up` and `make down` call it with the right interpreter. Tests use `local_aws()` and `deploy()`.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import emulator as emulators
import gateways
from emulator import ROOT, STOP_SECONDS, Emulator, LocalAwsError, port_is_free
from stack import Stack, deploy, describe, sam

AGENTS = ROOT / "layers" / "agents"
INSTANCE = "main"
STACK = "a2a"
PORT = 4580
FUNCTIONS = ("rpc", "executor", "caretaker", "notifier", "redelivery")


@contextlib.contextmanager
def local_aws(name: str | None = None, python_path: Sequence[Path] = ()) -> Iterator[Emulator]:
    """An emulator on a free port, for as long as the context lasts. `deploy()` puts stacks on it.

    The functions find modules in the directories of `python_path` as well.
    """
    emulators.sweep()
    name = name or f"test-{os.getpid()}"
    emulator, failed = None, True
    try:
        emulator = emulators.start(name, python_path=python_path)
        yield emulator
        failed = False
    except LocalAwsError as error:
        if emulator is None:  # then the error has the end of the log
            raise
        log = emulators.FAILED_LOG.relative_to(ROOT)
        raise LocalAwsError(f"{error}\n(The log of the local AWS is kept in {log}.)") from error
    finally:
        if emulator is not None:
            gateways.stop_all(emulator)
            emulators.stop(emulator)
        emulators.discard(name, keep_log=failed)


@contextlib.contextmanager
def local_stack(parameters: Mapping[str, str] | None = None, python_path: Sequence[Path] = ()) -> Iterator[Stack]:
    """One stack on an emulator of its own, with these template parameters."""
    with local_aws(python_path=python_path) as emulator:
        yield deploy(emulator, STACK, parameters or {})


def up(port: int, parameters: Mapping[str, str], stream_port: int | None) -> None:
    running = emulators.find(INSTANCE)
    if running is None:
        say(f"Starting the local AWS on port {port}")
        running = emulators.start(INSTANCE, port)
    show(deploy(running, STACK, parameters, say, stream_port))


def down() -> None:
    running = emulators.find(INSTANCE)
    if running is None:
        say("The local AWS is not running.")
        return
    say(f"Stopping the local AWS on port {running.port}; while functions run that takes up to {STOP_SECONDS} s")
    gateways.stop_all(running)
    emulators.stop(running)
    say("The local AWS is stopped. Its tasks are gone.")


def status() -> None:
    running = the_running_one()
    stack = describe(running, STACK)
    if stack is None:
        raise LocalAwsError(f"The local AWS runs on port {running.port}, but nothing is deployed on it. Run: make up")
    show(stack)


def check_agent(parameters: Mapping[str, str]) -> None:
    """Say at once, and in one line, what would otherwise be found out by a function that cannot start."""
    name = parameters.get("AgentModule", "push_agent")
    path = AGENTS / f"{name.replace('.', '/')}.py"
    if not path.exists():
        there = ", ".join(sorted(agent.stem for agent in AGENTS.glob("*.py")))
        raise LocalAwsError(f"There is no agent {name!r} in layers/agents. There are (without .py): {there}.")
    try:
        ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError as error:
        raise LocalAwsError(f"layers/agents/{path.name}, line {error.lineno}: {error.msg}") from error


def check_port(port: int | None) -> None:
    """Before the minutes of a first deployment, not after them."""
    if port is not None and not port_is_free(port):
        raise LocalAwsError(
            f"Port {port} is in use, and the webhook of the demo needs it. End the program that has it, "
            f"or take another port: make demo WEBHOOK_PORT={port + 1}"
        )


def run(parameters: Mapping[str, str], command: Sequence[str]) -> int:
    """Run a command against a stack of its own, which ends with it; {endpoint} in it becomes the stack's URL."""
    say("Starting the local AWS")
    with local_aws(f"run-{os.getpid()}") as emulator:
        stack = deploy(emulator, STACK, parameters, say)
        # Ctrl-C reaches the command as well, so wait for it to end by itself.
        with subprocess.Popen([word.replace("{endpoint}", stack.endpoint) for word in command]) as process:
            return process.wait()


def invoke(function: str, event: Path) -> int:
    if not event.is_file():
        raise LocalAwsError(f"There is no event {event}. See events/.")
    if function == "rpc" and gateways.find(the_running_one(), STACK):
        raise LocalAwsError("rpc streams, and the emulator takes whole answers only. Call its URL: make status")
    arguments = [
        "remote",
        "invoke",
        f"{function.capitalize()}Function",
        "--stack-name",
        STACK,
        "--event-file",
        str(event),
    ]
    code = sam(arguments, the_running_one())
    if code == 0:
        say("")  # the answer ends without a newline
    return code


def the_running_one() -> Emulator:
    running = emulators.find(INSTANCE)
    if running is None:
        raise LocalAwsError("The local AWS is not running. Run: make up")
    return running


def show(stack: Stack) -> None:
    say(f"Agent card  {stack.endpoint}/.well-known/agent-card.json")
    say(f"Endpoint    {stack.endpoint}/")
    say(f"AWS itself  AWS_ENDPOINT_URL={stack.emulator.url} AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test")


def say(line: str) -> None:
    print(line, flush=True)


def parameter(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not Name=Value")
    return name, value


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The whole stack on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("up", "start it, build the template and deploy it"),
        ("run", "do so for as long as a command runs"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument(
            "--parameter", type=parameter, action="append", default=[], metavar="Name=Value", help="of template.yaml"
        )
        if name == "up":
            command.add_argument("--port", type=int, default=PORT, help=f"on the loopback address; default {PORT}")
            command.add_argument("--stream-port", type=int, help="of the gateway, with Streaming=true; default any")
        else:
            command.add_argument("--needs-port", type=int, metavar="PORT", help="which the command will listen on")
            command.add_argument(
                "words", nargs=argparse.REMAINDER, metavar="COMMAND", help="{endpoint} in it becomes the URL"
            )
    commands.add_parser("status", help="show where it answers")
    commands.add_parser("down", help="stop it")
    command = commands.add_parser("invoke", help="call one function with an event")
    command.add_argument("function", choices=FUNCTIONS)
    command.add_argument("event", type=Path)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    try:
        match options.command:
            case "up":
                check_agent(dict(options.parameter))
                up(options.port, dict(options.parameter), options.stream_port)
            case "run":
                check_agent(dict(options.parameter))
                check_port(options.needs_port)
                return run(dict(options.parameter), options.words)
            case "status":
                status()
            case "down":
                down()
            case "invoke":
                return invoke(options.function, options.event)
    except LocalAwsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
