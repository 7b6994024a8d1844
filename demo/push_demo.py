"""The push scenario from the client's side: it holds no connection to the agent and learns all from its webhook.

    python demo/push_demo.py --url ENDPOINT [--webhook-url URL] [--listen HOST:PORT] [--timeout SECONDS]
                             [--bearer TOKEN | --sigv4] [--agent-steps N] [--message TEXT] [--answer TEXT ...]
                             [--stream]

It starts a webhook receiver, reads the agent card, sends a task, registers the webhook for it, shows each push as it
arrives, removes the webhook again and judges what it saw. Exit code: 0 every check passes, 1 a check failed, 2 the
scenario could not run.

`run_demo(client, receiver)` is the same for other programs; it returns a `Report`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from push_client import A2AClient, DemoError, RpcError, printable, sigv4
from push_stream import TaskStream, agreement
from push_webhook import Push, Receiver, state_of

__all__ = ["A2AClient", "Check", "DemoError", "Push", "Receiver", "Report", "RpcError", "main", "run_demo", "sigv4"]

Say = Callable[[str], object]
STEP = re.compile(r"(?<![\d/])(\d{1,4})/(\d{1,4})(?![\d/])")
RULE = "-" * 78


class Check(NamedTuple):
    """One verdict of the summary; `detail` says what it rests on."""

    name: str
    passed: bool
    detail: str


@dataclass
class Report:
    """What one run saw, and what it amounts to.

    `arrivals` are all pushes of this task in order of arrival, duplicates included; `strangers` counts pushes of other
    tasks, which are not judged. `sent_clock` is the monotonic clock's time of the send. `steps` is the expected number
    of announced steps; None: read it off the pushes ("k/n"); 0: the agent announces none. `registered`: the agent had
    the config before it was deleted; `still_listed`: it lists one of this task after that. `streamed` are the events of
    the stream beside the webhook, if there was one.
    """

    task_id: str
    sent_clock: float = 0.0
    steps: int | None = None
    arrivals: list[Push] = field(default_factory=list)
    strangers: int = 0
    final_task: dict[str, Any] = field(default_factory=dict)
    registered: bool = False
    still_listed: bool = True
    streamed: list[Push] | None = None

    @property
    def pushes(self) -> list[Push]:
        """The first arrival of each event. (A delivery at least once may repeat one.)"""
        first: dict[str, Push] = {}
        for push in self.arrivals:
            first.setdefault(push.identity, push)
        return list(first.values())

    @property
    def duplicates(self) -> int:
        """How many arrivals repeated an event that had arrived before."""
        return len(self.arrivals) - len(self.pushes)

    @property
    def latencies_ms(self) -> list[float]:
        """Milliseconds from status write to webhook, of the pushes that tell."""
        return [push.latency_ms for push in self.pushes if push.latency_ms is not None]

    @property
    def checks(self) -> list[Check]:
        """The verdicts, in the order in which the summary shows them."""
        count = len(self.pushes)
        finals = [number for number, push in enumerate(self.pushes, 1) if push.final]
        state = state_of(self.final_task)
        gone = "removed" if self.registered else "was never there"
        return [
            Check("At least 2 pushes", count >= 2, f"{count} received"),
            Check("Every step's status seen", *_steps_seen(self.pushes, self.steps)),
            Check("Order of generation kept", *_order_kept(self.pushes)),
            Check("Final push seen", bool(count) and finals == [count], _final_detail(finals, count)),
            Check("Final state is completed", state == "completed", f"tasks/get says {state}{self._why(state)}"),
            Check(
                "Config gone",
                self.registered and not self.still_listed,
                "still listed" if self.still_listed else gone,
            ),
            *(
                []
                if self.streamed is None
                else [Check("Stream tells the same", *agreement(self.streamed, self.pushes))]
            ),
        ]

    @property
    def passed(self) -> bool:
        """Whether every check passes."""
        return all(check.passed for check in self.checks)

    def lines(self, mark: Callable[[bool], str] = lambda passed: "PASS" if passed else "FAIL") -> list[str]:
        """The summary for a terminal; `mark` renders a verdict."""
        lines = [
            RULE,
            "Summary",
            f"  pushes                {len(self.pushes)} of this task, {_plural(self.duplicates, 'duplicate')}"
            + (f", {self.strangers} of other tasks" if self.strangers else ""),
            f"  states                {' > '.join(printable(push.state, 20) for push in self.pushes) or 'none'}",
        ]
        if spans := self.latencies_ms:
            skew = "  (negative: the clocks of the two machines differ)" if min(spans) < 0 else ""
            lines.append(
                f"  write -> webhook      median {statistics.median(spans):.0f} ms, max {max(spans):.0f} ms{skew}"
            )
        lines.append("")
        lines += [f"  {mark(check.passed)}  {check.name:<26}{printable(check.detail)}" for check in self.checks]
        return [*lines, "", "All checks passed." if self.passed else "At least one check failed."]

    def _why(self, state: str) -> str:
        """The last words of a task that did not complete: its line above has room for their beginning only."""
        return f": {self.pushes[-1].text}" if self.pushes and state != "completed" else ""

    def __str__(self) -> str:
        return "\n".join(self.lines())


def _steps_seen(pushes: Sequence[Push], expected: int | None) -> tuple[bool, str]:
    if expected == 0:
        return True, "the agent announces none"
    found = [(int(step[1]), int(step[2])) for push in pushes if (step := STEP.search(push.text))]
    total = expected or max((of for _, of in found), default=0)
    if not pushes:
        return False, "nothing to judge"
    if not total:
        return True, 'the agent announces none (no status text says "k/n")'
    missing = sorted(set(range(1, total + 1)) - {number for number, of in found if of == total})
    if missing:
        return False, f"no status says {', '.join(f'{number}/{total}' for number in missing)}"
    return True, f"{total} of {total}"


def _order_kept(pushes: Sequence[Push]) -> tuple[bool, str]:
    """By generation where every push carries it, else by the time of writing, where two may share a millisecond."""
    if not pushes:
        return False, "nothing to judge"
    places = [push.place for push in pushes]
    if None not in places:
        generations = [f"{generation}" for generation, _ in filter(None, places)]
        broken = any(later <= earlier for earlier, later in pairwise(filter(None, places)))
        return not broken, f"generations {', '.join(generations)}"
    times = [push.written for push in pushes]
    if None in times:
        return False, "neither webhook-id nor status.timestamp tells the order"
    kept = times == sorted(times, key=lambda moment: moment or 0.0)
    return kept, f"by status.timestamp{'' if kept else ': not ascending'}"


def _final_detail(finals: Sequence[int], count: int) -> str:
    if not finals:
        return "no push has final true"
    return "the last one" if finals == [count] else f"final true at {', '.join(map(str, finals))} of {count}"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def lists_task(configs: Sequence[dict[str, Any]], task_id: str) -> bool:
    """Whether a list of configs holds one of this task, which stands in `taskId` or beside the config as `id`."""

    def tasks(entry: dict[str, Any]) -> set[object]:
        nested = entry.get("pushNotificationConfig")
        inner = {nested.get("taskId"), entry.get("id")} if isinstance(nested, dict) else set()
        return {entry.get("taskId"), *inner}

    return any(task_id in tasks(entry) for entry in configs)


def push_line(push: Push, report: Report, duplicate: bool = False, streamed: bool = False) -> str:
    """One live line: seconds since the send, state, text, milliseconds from the status write."""
    latency = f"{push.latency_ms:7.0f} ms" if push.latency_ms is not None else f"{'?':>7}   "
    held = (("stream", streamed), ("final", push.final), ("duplicate", duplicate))
    notes = [note for note, holds in held if holds]
    state, text = printable(push.state, 14), printable(push.text or "-", 32)
    line = f"  {push.clock - report.sent_clock:7.2f} s  {state:<14} {text:<32} {latency}  {', '.join(notes)}"
    return line.rstrip()


def run_demo(
    client: A2AClient,
    receiver: Receiver,
    *,
    webhook_url: str | None = None,
    timeout: float = 60.0,
    steps: int | None = None,
    message: str = "run push demo",
    answers: Sequence[str] = (),
    say: Say = lambda _: None,
    stream: bool = False,
) -> Report:
    """Runs the scenario once against a receiver that is listening; `say` gets each line of output.

    `webhook_url` is the URL that is registered (default: the receiver's own); `timeout` bounds the seconds
    from the send to the final push; `steps` as in `Report`; `message` is what is sent, `answers` are what the agent's
    questions are answered with; with `stream` it is watched as well. A missing final push is a verdict of the report;
    raises DemoError when the scenario cannot go on. Either way no config is left behind, as far as the agent answers.
    """
    webhook_url = webhook_url or receiver.url
    say(f"{'webhook':<29} {webhook_url}")
    say(f"{'agent':<29} {client.url}")
    card = client.agent_card()
    capabilities = card.get("capabilities")
    push_on = isinstance(capabilities, dict) and capabilities.get("pushNotifications") is True
    say(f"{'agent card':<29} {printable(card.get('name'))} {printable(card.get('version'))}")
    say(f"{'  pushNotifications':<29} {str(push_on).lower()}")
    if not push_on:
        raise DemoError("The agent's card has pushNotifications false: deploy the stack with PushNotifications=true.")

    report = Report("", time.monotonic(), steps)
    watched = TaskStream(client, lambda event: say(push_line(event, report, streamed=True))) if stream else None
    task = watched.begin(message) if watched else client.send(message)
    took = (time.monotonic() - report.sent_clock) * 1000
    report.task_id = task["id"]
    method = "tasks/sendSubscribe" if watched else "tasks/send"
    left = list(answers)

    def answer(push: Push) -> None:
        if left and push.state in ("input-required", "input_required"):
            say(f"  answer: {printable(left[0])}")
            client.send(left.pop(0), report.task_id)

    say(f"{method:<29} {printable(state_of(task))} after {took:.0f} ms, task {printable(report.task_id)}")
    try:
        client.set_push_config(report.task_id, webhook_url)
        say(f"{'tasks/pushNotification/set':<29} registered")
        say(RULE)
        say(f"  {'since send':<11}{'state':<15}{'message':<33}write -> webhook")
        if not _watch(receiver, report, report.sent_clock + timeout, say, answer):
            say(f"No final push within {timeout:g} s: check that the agent reaches {webhook_url}, or raise --timeout.")
        report.streamed = watched.finish(timeout) if watched else None
        say(RULE)
        report.final_task = client.get_task(report.task_id)
        artifacts = report.final_task.get("artifacts")
        count = len(artifacts) if isinstance(artifacts, list) else 0
        say(f"{'tasks/get':<29} {printable(state_of(report.final_task))}, {_plural(count, 'artifact')}")
        config = client.get_push_config(report.task_id)
        report.registered = config is not None
        stored = (config or {}).get("pushNotificationConfig")
        known = stored.get("webhookUrl") if isinstance(stored, dict) else "no config"
        say(f"{'tasks/pushNotification/get':<29} {printable(known)}")
        say(f"{'tasks/pushNotification/list':<29} {_plural(len(client.list_push_configs()), 'config')}")
        client.delete_push_config(report.task_id)
        say(f"{'tasks/pushNotification/delete':<29} done")
    except BaseException:
        with contextlib.suppress(DemoError):
            client.delete_push_config(report.task_id)
        raise
    configs = client.list_push_configs()
    report.still_listed = lists_task(configs, report.task_id)
    say(f"{'tasks/pushNotification/list':<29} {_plural(len(configs), 'config')}")
    while (late := receiver.next(0)) is not None:  # what came after the final push breaks the order
        _note(late, report, say)
    return report


def _watch(
    receiver: Receiver, report: Report, until: float, say: Say, answer: Callable[[Push], None] = lambda _: None
) -> bool:
    """Notes pushes as they arrive, until the task's final one (True) or the monotonic time `until` (False).

    `answer` sees each event of the task once.
    """
    while (left := until - time.monotonic()) > 0 and (push := receiver.next(left)) is not None:
        new = _note(push, report, say)
        if push.final and push.task_id == report.task_id:
            return True
        if new:
            answer(push)
    return False


def _note(push: Push, report: Report, say: Say) -> bool:
    """Whether it is a new event of the task."""
    if push.task_id != report.task_id:
        report.strangers += 1
        say(f"  (a push of another task, not judged: {printable(push.task_id or push.payload, 60)})")
        return False
    duplicate = any(push.identity == known.identity for known in report.arrivals)
    report.arrivals.append(push)
    say(push_line(push, report, duplicate))
    return not duplicate


def parse_listen(text: str) -> tuple[str, int]:
    """HOST:PORT, or only one of them."""
    host, _, port = text.rpartition(":") if ":" in text or text.isdecimal() else (text, "", "9293")
    if not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host.strip("[]") or "127.0.0.1", int(port)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Runs the push scenario against an agent, and judges its pushes.")
    parser.add_argument("--url", required=True, help="the agent's endpoint, which takes POST / and GET /agentCard")
    parser.add_argument(
        "--webhook-url",
        help="the URL that is registered (default: the receiver's own); for an "
        "agent on AWS the public https URL of a tunnel to --listen, path /webhook",
    )
    parser.add_argument(
        "--listen",
        type=parse_listen,
        default=("127.0.0.1", 9293),
        metavar="HOST:PORT",
        help="where the receiver listens (default: 127.0.0.1:9293)",
    )
    parser.add_argument(
        "--timeout", type=float, default=60.0, metavar="SECONDS", help="how long the task may take (60)"
    )
    parser.add_argument(
        "--agent-steps",
        type=int,
        metavar="N",
        help='how many steps the agent announces as "k/N" (default: read from the pushes; 0: none)',
    )
    parser.add_argument("--message", default="run push demo", metavar="TEXT", help="what is sent (run push demo)")
    parser.add_argument("--answer", action="append", default=[], metavar="TEXT", help="for the agent's next question")
    parser.add_argument("--stream", action="store_true", help="watch the task by tasks/sendSubscribe, too")
    who = parser.add_mutually_exclusive_group()
    who.add_argument(
        "--bearer",
        default=os.environ.get("A2A_BEARER"),
        metavar="TOKEN",
        help="for AuthMode=JWT (default: the environment variable A2A_BEARER)",
    )
    who.add_argument("--sigv4", action="store_true", help="for AuthMode=IAM: sign with your AWS credentials (botocore)")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    options = _arguments(argv)
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def mark(passed: bool) -> str:
        word = "PASS" if passed else "FAIL"
        return f"\033[{32 if passed else 31}m{word}\033[0m" if colour else word

    def say(line: str) -> None:
        encoding = sys.stdout.encoding or "ascii"
        print(line.encode(encoding, "replace").decode(encoding) + "\n", end="", flush=True)  # two threads say lines

    try:
        sign = sigv4(options.url) if options.sigv4 else None
        with A2AClient(options.url, bearer=options.bearer, sign=sign) as client, Receiver(*options.listen) as receiver:
            report = run_demo(
                client,
                receiver,
                webhook_url=options.webhook_url,
                timeout=options.timeout,
                steps=options.agent_steps,
                message=options.message,
                answers=options.answer,
                say=say,
                stream=options.stream,
            )
            for line in report.lines(mark):
                say(line)
    except DemoError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("push_demo: stopped", file=sys.stderr)
        return 130
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())
