"""The command line."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from . import letters, scan

Maker = Callable[..., Any]

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def moment(text: str) -> datetime:
    """`2h`, `30m`, `7d` from now, or an ISO date and time."""
    found = re.fullmatch(r"([0-9]{1,5})([mhd])", text)
    try:
        when = (
            datetime.now(UTC) + timedelta(**{_UNITS[found[2]]: int(found[1])})
            if found
            else datetime.fromisoformat(text)
        )
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither 30m, 2h or 7d nor a date and time") from None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    if when <= datetime.now(UTC):
        raise argparse.ArgumentTypeError(f"{text!r} is over")
    if when.year > datetime.now(UTC).year + 10:
        raise argparse.ArgumentTypeError(f"{text!r} is too far away: delete the webhook instead")
    return when.astimezone(UTC)


def natural(text: str) -> int:
    """A number above zero."""
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 10_000_000):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)


class _Parser(argparse.ArgumentParser):
    """One line for a wrong argument, like every other error."""

    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(2, f"error: {message}; see {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """All commands with their arguments. ``command`` and ``action`` name what was chosen."""
    common = argparse.ArgumentParser(add_help=False)
    group = common.add_argument_group("of every command")
    group.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="JSON instead of tables")
    group.add_argument("--yes", action="store_true", default=argparse.SUPPRESS, help="ask nothing")
    root = _Parser(
        prog="python -m ops",
        description="Looks at a deployed stack, and acts on it.",
        epilog="Exit code: 0 done, 1 failed or something needs you, 2 could not run, 3 nothing matched.",
    )
    root.add_argument("--stack", metavar="NAME", help="the stack's name (default: the one of make up)")
    root.add_argument("--region", help="default: that of your AWS profile")
    root.add_argument("--profile", help="a profile of ~/.aws/config")
    root.add_argument(
        "--endpoint", metavar="URL", default="", help="where the agent answers, if not at the output Endpoint"
    )
    root.add_argument("--json", action="store_true", help="JSON instead of tables")
    root.add_argument("--yes", action="store_true", help="ask nothing")
    root.add_argument("--debug", action="store_true", help="show where an error came from")
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)

    def command(name: str, text: str, within: Any = commands) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = within.add_parser(name, help=text, description=text, parents=[common])
        return made

    def group_of(name: str, text: str) -> Any:
        return command(name, text).add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=_Parser)

    _look(command)
    _tasks(command, group_of)
    _webhook(command, group_of)
    _dead(command, group_of)
    purge = command("purge", "remove all that is kept of an owner")
    purge.add_argument("owner")
    purge.add_argument("--dry-run", action="store_true", help="only count")
    keys = group_of("keys", "the keys that sign notifications")
    command("check", "whether they can be read", keys)
    rotate = command("rotate", "put a new one", keys)
    rotate.add_argument("--again", action="store_true", help="although the last rotation is younger than 15 minutes")
    console = command("console", "a page on this machine: the same, to look at")
    console.add_argument("--port", type=int, default=0, help="on the loopback address (default: any)")
    console.add_argument("--write", action="store_true", help="allow actions; without it the page only shows")
    console.add_argument("--no-browser", action="store_true", help="do not open it")
    return root


def _bounded(made: argparse.ArgumentParser) -> None:
    made.add_argument("--all", action="store_true", help=f"read the whole table, not {scan.BOUND:,} items of it")


def _look(command: Maker) -> None:
    made = command("status", "alarms, what waits, what the functions complain of")
    made.add_argument("--minutes", type=natural, default=60, help="of the logs (60)")
    made.add_argument(
        "--log", default="", choices=("rpc", "executor", "caretaker", "notifier", "redelivery"), help="of one function"
    )
    made = command("webhooks", "webhooks, the longest failing first")
    made.add_argument(
        "--failing", action="store_true", help="only those in trouble: failing, retrying, paused, unreadable"
    )
    made.add_argument("--by-host", action="store_true", help="a line for each host")
    made.add_argument("--host", default="")
    made.add_argument("--owner", default="")
    made.add_argument("--limit", type=natural, default=100, help="lines (100)")
    _bounded(made)
    made = command("pushes", "pushes per minute, and their latency")
    made.add_argument("--minutes", type=natural, default=30)


def _tasks(command: Maker, group_of: Maker) -> None:
    made = command("tasks", "the latest tasks")
    made.add_argument("--state", default="", help="working, input_required, failed …")
    made.add_argument("--owner", default="")
    made.add_argument(
        "--stuck", type=natural, metavar="MINUTES", help="those that have not ended nor changed for so long"
    )
    made.add_argument("--limit", type=natural, default=50, help="lines (50)")
    _bounded(made)
    actions = group_of("task", "one task")
    made = command("show", "its timeline, execution and webhooks", actions)
    made.add_argument("task")
    made.add_argument("--attempts", action="store_true", help="every attempt at its webhooks, from the logs")
    made = command("end", "end it as failed, and stop its execution", actions)
    made.add_argument("task")
    made = command("replay", "have all webhooks of a task receive its present state again")
    made.add_argument("task")
    actions = group_of("records", "changes of tasks that notifier or caretaker did not get through")
    for name, text in (("list", "which tasks, and why"), ("drop", "remove them for good")):
        made = command(name, text, actions)
        made.add_argument("--task", default="")


def _webhook(command: Maker, group_of: Maker) -> None:
    actions = group_of("webhook", "act on webhooks: of a task, one of them, or all in trouble at a host")
    for name, text in (
        ("retry-now", "forget the schedule of retries"),
        ("pause", "no attempt until a moment; events queue"),
        ("resume", "end a pause"),
        ("delete", "remove them; what waits for them is dropped"),
    ):
        made = command(name, text, actions)
        made.add_argument("task", nargs="?", default="")
        made.add_argument("webhook", nargs="?", default="")
        made.add_argument("--host", default="", help="all in trouble at this host")
        if name == "pause":
            made.add_argument(
                "--until", type=moment, required=True, metavar="WHEN", help="30m, 2h, 7d, or a date and time"
            )
        _bounded(made)


def _dead(command: Maker, group_of: Maker) -> None:
    actions = group_of("dead", "notifications that were given up")
    for name, text in (
        ("list", "which, and why"),
        ("redrive", "bring them back, in order"),
        ("drop", "remove them for good"),
        ("export", "write them whole, a line of JSON each; they stay"),
    ):
        made = command(name, text, actions)
        made.add_argument("--task", default="")
        made.add_argument("--webhook", default="")
        made.add_argument("--host", default="")
        made.add_argument("--unreadable", action="store_true", help="only messages that cannot be read")
        if name == "list":
            made.add_argument("--limit", type=natural, default=letters.LISTED, help=f"lines ({letters.LISTED})")
        if name == "export":
            made.add_argument("file", help="- for standard output")
