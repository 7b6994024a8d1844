"""Each command: what it asks of the modules beside it, what it shows, and its exit code."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

from . import keys, letters, purge, records, scan, status, tasks, webhooks
from .errors import DONE, FAILED, NOTHING_MATCHED, CannotRun
from .letters import Choice
from .output import Output
from .stack import Stack

Json = dict[str, Any]
Command = Callable[[Stack, argparse.Namespace, Output], int]

_GOOD = (
    "redriven",
    "no webhook",
    "queued",
    "dropped",
    "deleted",
    "ended",
    "paused until",
    "resumed",
    "tried again",
    "nothing",
)
"""Beginnings of outcomes with which nobody has anything left to do."""

_LETTER = ("task", "webhook", "event", "host", "reason", "outcome")
_OUTCOME = ("task", "webhook", "outcome")
_RECORD = ("task", "what", "reason", "webhooks", "outcome")


def _status(stack: Stack, options: argparse.Namespace, out: Output) -> int:
    found = status.status(stack, options.minutes, options.log)
    healthy = status.healthy(found)
    if out.json:
        out.data({**found, "healthy": healthy})
        return DONE if healthy else FAILED
    out.line(f"{stack.name} in {stack.region}: {stack.status}, {found['endpoint']}")
    prefix = f"python -m ops --stack {stack.name} "
    for title, part, columns, nothing in (
        ("Alarms", found["alarms"], ("alarm", "since", "run"), "none rings"),
        ("Queues", found["queues"], ("queue", "messages", "hidden", "run"), ""),
        ("Tables, about", found["tables"], ("table", "items"), ""),
        ("Signing", [found["signing"]], ("kind", "state", "run", "error"), ""),
        (
            f"Warnings and errors of {found['minutes']} minutes",
            found["complaints"],
            ("function", "level", "what", "times", "last"),
            "none",
        ),
    ):
        out.line(f"\n{title}")
        if isinstance(part, dict):
            out.line(f"  not known: {part['error']}")
            continue
        rows = [{**each, "run": prefix + each["run"]} if each.get("run") else each for each in part]
        for line in status_lines(rows, columns) or [nothing]:
            out.line(f"  {line}")
    return DONE if healthy else FAILED


def status_lines(rows: list[Json], columns: tuple[str, ...]) -> list[str]:
    """A table, numbers of 0 shown."""
    from .output import aligned

    return aligned([{name: str(value) for name, value in row.items()} for row in rows], columns) if rows else []


def _webhooks(stack: Stack, options: argparse.Namespace, out: Output) -> int:
    rows, note = webhooks.look(
        stack,
        failing=options.failing,
        host=options.host,
        owner=options.owner,
        bound=_bound(options),
        progress=out.progress,
    )
    columns: tuple[str, ...] = (
        "host",
        "state",
        "task",
        "webhook",
        "attempts",
        "failingSince",
        "nextAttempt",
        "pausedUntil",
        "lastError",
        "waitingFor",
        "deadLetters",
    )
    shown = rows
    if options.by_host:
        shown = webhooks.by_host(rows)
        columns = (
            "host",
            "webhooks",
            "failing",
            "retrying",
            "paused",
            "unreadable",
            "since",
            "mostly",
            "owners",
            "deadLetters",
        )
    nothing = "no webhook in trouble" if options.failing else "no webhook"
    out.table(shown[: options.limit], columns, nothing)
    if len(shown) > options.limit:
        out.note(f"{len(shown)} lines, {options.limit} shown: --limit shows more")
    out.note(note)
    return DONE if rows else NOTHING_MATCHED


def _pushes(stack: Stack, options: argparse.Namespace, out: Output) -> int:
    found = status.pushes(stack, options.minutes)
    if out.json:
        out.data(found)
        return DONE
    rows = [
        {**row, "p50": _seconds(row["p50"]), "p99": _seconds(row["p99"])}
        for row in found["minutes"]
        if row["delivered"] or row["failed"]
    ]
    out.table(rows, ("minute", "delivered", "failed", "p50", "p99"), f"no push in {options.minutes} minutes")
    return DONE if rows else NOTHING_MATCHED


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} s"


def _tasks(stack: Stack, options: argparse.Namespace, out: Output) -> int:
    stuck = timedelta(minutes=options.stuck) if options.stuck else None
    rows, note = tasks.look(
        stack,
        state=options.state.lower().replace("-", "_"),
        owner=options.owner,
        stuck=stuck,
        limit=options.limit,
        bound=_bound(options),
        progress=out.progress,
    )
    out.table(rows, ("task", "state", "changed", "owner"), "no task")
    out.note(note)
    return DONE if rows else NOTHING_MATCHED


def _show(stack: Stack, options: argparse.Namespace, out: Output) -> int:
    found = tasks.show(stack, options.task)
    if options.attempts:
        found["attempts"], note = tasks.attempts(stack, options.task)
        out.note(note)
    if out.json:
        out.data(found)
        return DONE
    for name, value in found.items():
        if not isinstance(value, list) and value not in ("", 0):
            out.line(f"{name:<12}{value}")
    for title, columns in (
        ("timeline", ("at", "state")),
        (
            "webhooks",
            (
                "webhook",
                "host",
                "state",
                "attempts",
                "lastError",
                "nextAttempt",
                "pausedUntil",
                "waitingFor",
                "queued",
                "settled",
                "deadLetters",
            ),
        ),
        ("attempts", ("at", "event", "webhook", "by", "host", "outcome", "milliseconds")),
    ):
        if title in found:
            out.line("")
            out.table(found[title], columns, f"no {title}")
    return DONE


def _end(stack: Stack, options: argparse.Namespace, out: Output) -> int:
    out.confirm(f"Task {options.task} ends as failed")
    return _outcomes([{"task": options.task, "outcome": tasks.end(stack, options.task)}], _OUTCOME, out)


def _replay(stack: Stack, options: argparse.Namespace, out: Output) -> int:
    return _outcomes(tasks.replay(stack, options.task), _OUTCOME, out)


def _records_list(stack: Stack, options: argparse.Namespace, out: Output) -> int:
    rows = records.listed(stack, options.task, progress=out.progress)
    out.table(rows, _RECORD, "no record")
    return DONE if rows else NOTHING_MATCHED


def _records_drop(stack: Stack, options: argparse.Namespace, out: Output) -> int:
    out.confirm(f"Records of {f'task {options.task}' if options.task else 'all tasks'} are removed for good")
    return _outcomes(records.dropped(stack, options.task, out.progress), _RECORD, out)


def _webhook(action: Callable[..., str], undoable: bool = True) -> Command:
    def run(stack: Stack, options: argparse.Namespace, out: Output) -> int:
        if bool(options.task) == bool(options.host):
            raise CannotRun("name a task (and one of its webhooks), or --host")
        found, note = webhooks.chosen(stack, options.task, options.webhook, options.host, _bound(options), out.progress)
        out.note(note)
        if not undoable or options.host:
            out.confirm(f"{len(found)} webhooks: {options.action}")
        act = action
        if options.action == "pause":
            act = lambda stack, config: webhooks.pause(stack, config, options.until)  # noqa: E731
        return _outcomes(webhooks.act(stack, found, act, options.action == "delete"), _OUTCOME, out)

    return run


def _choice(options: argparse.Namespace) -> Choice:
    return Choice(options.task, options.webhook, options.host, options.unreadable)


def _dead_list(stack: Stack, options: argparse.Namespace, out: Output) -> int:
    rows, count = letters.listed(stack, _choice(options), options.limit, out.progress)
    out.table(rows, _LETTER, "no dead letter")
    out.note(f"{count} dead letters in all" + (": SQS shows ten of a webhook at a time" if count > len(rows) else ""))
    return DONE if rows else NOTHING_MATCHED


def _dead_redrive(stack: Stack, options: argparse.Namespace, out: Output) -> int:
    if _choice(options).all:
        out.confirm("All dead letters are sent again")
    code = _outcomes(letters.redriven(stack, _choice(options), out.progress), _LETTER, out)
    out.note(f"{stack.letters.count()} dead letters are left")
    return code


def _dead_drop(stack: Stack, options: argparse.Namespace, out: Output) -> int:
    out.confirm(f"{'All dead letters' if _choice(options).all else 'These dead letters'} are removed for good")
    return _outcomes(letters.dropped(stack, _choice(options), out.progress), _LETTER, out)


def _dead_export(stack: Stack, options: argparse.Namespace, out: Output) -> int:
    if options.file == "-":
        count = letters.exported(stack, _choice(options), lambda each: out.line(json.dumps(each)), out.progress)
    else:
        place = Path(options.file)
        try:
            with place.open("x", encoding="utf-8") as file:
                place.chmod(0o600)  # what was said in tasks is in it
                count = letters.exported(
                    stack, _choice(options), lambda each: print(json.dumps(each), file=file), out.progress
                )
        except FileExistsError:
            raise CannotRun(f"{place} is there already: name another file") from None
        except OSError as error:
            raise CannotRun(f"{place} cannot be written: {error.strerror}") from error
    out.note(f"{count} letters exported; they stay in the queue")
    return DONE if count else NOTHING_MATCHED


def _purge(stack: Stack, options: argparse.Namespace, out: Output) -> int:
    if not options.dry_run:
        found = purge.purge(stack, options.owner, True, out.progress)
        out.confirm(f"{found['tasks']} tasks and {found['webhooks']} webhooks of {options.owner} are removed for good")
    found = purge.purge(stack, options.owner, options.dry_run, out.progress)
    out.table(
        [{**found, "outcome": "counted only" if options.dry_run else "removed"}],
        ("tasks", "webhooks", "conversations", "outcome"),
        "",
    )
    return DONE


def _keys_check(stack: Stack, _options: argparse.Namespace, out: Output) -> int:
    out.table([keys.check(stack)], ("kind", "keys", "newest", "name"), "")
    return DONE


def _keys_rotate(stack: Stack, options: argparse.Namespace, out: Output) -> int:
    out.confirm(f"The stack {stack.name} gets a new signing key")
    out.table([{"outcome": keys.rotate(stack, options.again)}], ("outcome",), "")
    return DONE


def _console(stack: Stack, options: argparse.Namespace, out: Output) -> int:
    from .console.server import serve

    return serve(stack, options, out)


def _bound(options: argparse.Namespace) -> int | None:
    return None if options.all else scan.BOUND


def _outcomes(rows: Iterable[Json], columns: tuple[str, ...], out: Output) -> int:
    """Each outcome as it comes. Whatever breaks off the showing, ends the work in order, too."""
    code = NOTHING_MATCHED
    with closing(_generator(rows)) as outcomes:
        for each in outcomes:
            out.row(each, columns)
            good = str(each["outcome"]).startswith(_GOOD)
            code = FAILED if not good or code == FAILED else DONE
    if code == NOTHING_MATCHED:
        print("nothing matched", file=sys.stderr)
    return code


def _generator(rows: Iterable[Json]) -> Generator[Json, None, None]:
    if isinstance(rows, Generator):
        return rows
    return (each for each in rows)


COMMANDS: dict[tuple[str, str], Command] = {
    ("status", ""): _status,
    ("webhooks", ""): _webhooks,
    ("pushes", ""): _pushes,
    ("tasks", ""): _tasks,
    ("task", "show"): _show,
    ("task", "end"): _end,
    ("replay", ""): _replay,
    ("records", "list"): _records_list,
    ("records", "drop"): _records_drop,
    ("webhook", "retry-now"): _webhook(webhooks.retry_now),
    ("webhook", "pause"): _webhook(webhooks.pause),
    ("webhook", "resume"): _webhook(webhooks.resume),
    ("webhook", "delete"): _webhook(webhooks.delete, undoable=False),
    ("dead", "list"): _dead_list,
    ("dead", "redrive"): _dead_redrive,
    ("dead", "drop"): _dead_drop,
    ("dead", "export"): _dead_export,
    ("purge", ""): _purge,
    ("keys", "check"): _keys_check,
    ("keys", "rotate"): _keys_rotate,
    ("console", ""): _console,
}
