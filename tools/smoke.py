"""Proves a deployed stack, on AWS or on the local AWS, with no tunnel: `make smoke STACK=NAME`.

    python tools/smoke.py --stack NAME [--region REGION] [--bearer TOKEN] [--failures 3] [--timeout 90] [--keep]

The stack needs SmokeInbox=true. Requests are signed as its AuthMode asks: with your AWS credentials, with the bearer
token (or the environment variable A2A_BEARER), or not at all. What else is asked, with your AWS credentials, are the
stack's outputs, and the end of an execution.

Exit code: 0 all pass, 1 something failed, 2 it could not run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "demo"), str(ROOT / "local")]

from push_client import A2AClient, DemoError, Sign, bearer_token, printable, sigv4  # noqa: E402
from push_demo import Check, run_demo  # noqa: E402
from push_webhook import Push, state_of  # noqa: E402
from receiver import keys_of  # noqa: E402
from smoke_inbox import Arrival, Box, Inbox  # noqa: E402

SEED_AGENT = "push_agent"
LARGE = "0123456789" * 4_000
"""The demo agent repeats the message in its artifacts, and parts of more than 32 kB go to the bucket."""

DELAYS = (5, 30, 300)
"""Seconds until the next attempt after 1, 2 and 3 failures: docs/delivery.md, the schedule."""

JITTER = 0.2
ROUNDING = 1
"""Seconds by which a gap may look shorter than it was: times of attempts are whole seconds."""

LATE = 20
"""Seconds that an attempt may come after its time: a poll of the queue, a cold start."""

ABORTS = 3
"""Tries to stop an execution before its agent is done."""

LOCAL = "a2a"
"""The stack of the local AWS (make up)."""


@dataclass
class Deployed:
    """What the stack says of itself."""

    name: str
    outputs: dict[str, str]
    parameters: dict[str, str]
    states: Any = field(repr=False)

    @property
    def endpoint(self) -> str:
        return self.outputs["Endpoint"]

    @property
    def seeded(self) -> bool:
        """Whether it runs the demo agent, of which all is known."""
        return self.parameters.get("AgentModule", SEED_AGENT) == SEED_AGENT


def find(name: str, region: str | None) -> Deployed:
    """The stack of this name. Raises DemoError with what to do."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        (stack,) = boto3.client("cloudformation", region_name=region).describe_stacks(StackName=name)["Stacks"]
        states = boto3.client("stepfunctions", region_name=region)
    except ClientError as error:
        raise DemoError(f"The stack {name} cannot be read ({error.response['Error']['Message']}).") from error
    except BotoCoreError as error:
        raise DemoError(
            f"AWS cannot be asked for the stack {name} ({printable(error)}): log in, or set AWS_PROFILE."
        ) from error
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in stack.get("Parameters", [])}
    if "InboxUrl" not in outputs:
        raise DemoError(
            f"The stack {name} has no inbox. Deploy it with SmokeInbox=true: in samconfig.toml, or with "
            "make up PARAMETERS=SmokeInbox=true."
        )
    return Deployed(name, outputs, parameters, states)


def signature(mode: str, bearer: str | None, url: str) -> Sign | None:
    """How a caller proves who it is where AuthMode is `mode`. Raises DemoError."""
    if mode == "NONE":
        return None
    if mode == "IAM":
        return sigv4(url)
    if not bearer:
        raise DemoError("The stack's AuthMode is JWT: give a token with --bearer TOKEN, or in A2A_BEARER.")
    return bearer_token(bearer)


class Smoke:
    """One run. `show` gets each line; `checks` is what came out, in order."""

    def __init__(self, stack: Deployed, inbox: Inbox, client: A2AClient, options: argparse.Namespace) -> None:
        self.stack, self.client, self.options = stack, client, options
        self.checks: list[Check] = []
        self.boxes: list[Box] = []
        self._inbox = inbox
        self.signs = stack.parameters.get("WebhookSigning", "SECRET") != "NONE"
        self._keys = keys_of(stack.endpoint) if self.signs else None

    def box(self, failures: int = 0) -> Box:
        self.boxes.append(Box(self._inbox, self._keys, failures))
        return self.boxes[-1]

    def check(self, name: str, passed: bool, detail: str) -> None:
        self.checks.append(Check(name, passed, detail))
        say(f"  {'PASS' if passed else 'FAIL'}  {name:<34}{printable(detail, 300)}")

    def left_out(self, name: str, why: str) -> None:
        """Report a check that this stack cannot run; it neither passes nor fails."""
        say(f"  ----  {name:<34}{why}")

    @contextlib.contextmanager
    def scenario(self, title: str) -> Iterator[None]:
        """Report an error of a scenario as a failed check, so that the others still run."""
        say(title)
        try:
            yield
        except DemoError as error:
            self.check(title, False, str(error))

    def run(self) -> None:
        """All scenarios. The failing webhook takes longest, so it begins first and is judged last."""
        failing = retried = None
        with self.scenario(f"A webhook that fails {self.options.failures} times: started"):
            failing = self.box(self.options.failures)
            retried = self.client.send("smoke: a failing webhook")["id"]
            self.client.set_push_config(retried, failing.url)
        with self.scenario("The push scenario"):
            self.pushes()
        with self.scenario("An execution that is aborted"):
            self.aborted()
        with self.scenario("A large result"):
            self.large()
        if failing is not None and retried is not None:
            with self.scenario("The webhook that fails"):
                self.redelivered(failing, retried)
        refused = [line for box in self.boxes for line in box.refused]
        came = sum(len(box.arrivals) for box in self.boxes)
        kind = self.stack.parameters.get("WebhookSigning", "SECRET")
        say("Signatures")
        if self.signs:
            detail = "; ".join(refused) or f"{came} pushes verify with the published keys ({kind})"
            self.check("Every push is signed", not refused and came > 0, detail)
        else:
            self.left_out("Every push is signed", "WebhookSigning=NONE")

    def pushes(self) -> None:
        """The seed scenario, by the demo's own client and checks; with Streaming it is watched as well."""
        streams = self.stack.parameters.get("Streaming") == "true"
        report = run_demo(
            self.client,
            self.box(),  # type: ignore[arg-type]  # what run_demo asks of a receiver, it has
            steps=3 if self.stack.seeded else None,
            timeout=self.options.timeout,
            message="smoke",
            stream=streams,
        )
        for check in report.checks:
            self.check(*check)
        if not streams:
            self.left_out("Stream tells the same", "Streaming=false")

    def aborted(self) -> None:
        """An execution that ends outside every Catch fails its task: the rule invokes the caretaker."""
        if self.stack.parameters.get("WorkflowType") == "EXPRESS":
            self.left_out("Its task fails", "Express executions cannot be stopped")
            return
        state, last = self._aborted_once()
        for _ in range(ABORTS - 1):
            if state != "completed":
                break
            state, last = self._aborted_once()  # its agent was done before it could be stopped: that says nothing yet
        self.check("Its task fails", state == "failed", f"tasks/get says {state}")
        notified = last is not None and last.final and last.state == "failed"
        self.check(
            "Its webhook is notified", notified, f"the last push says {last.state if last else 'nothing: none came'}"
        )

    def _aborted_once(self) -> tuple[str, Push | None]:
        """How the task of an execution that was stopped ended, and the last that its webhook heard."""
        from botocore.exceptions import BotoCoreError, ClientError

        box = self.box()
        task = self.client.send("smoke: an aborted execution")
        self.client.set_push_config(task["id"], box.url)
        created = datetime.fromisoformat(task["status"]["timestamp"])
        executions = self.stack.outputs["StateMachineArn"].replace(":stateMachine:", ":execution:", 1)
        name = f"{task['id']}-{int(created.timestamp())}"
        try:
            self.stack.states.stop_execution(executionArn=f"{executions}:{name}", error="Smoke", cause="make smoke")
        except (ClientError, BotoCoreError) as error:
            raise DemoError(f"The execution could not be stopped ({printable(error)}).") from error
        last = None
        until = time.monotonic() + self.options.timeout
        while (left := until - time.monotonic()) > 0 and (push := box.next(left)) is not None:
            last = push
            if push.final:
                break
        return state_of(self.client.get_task(task["id"])), last

    def large(self) -> None:
        """A result that does not fit into an item comes as a link that anybody may follow for a while."""
        task = self.wait_for_end(self.client.send(LARGE)["id"])
        links = re.findall(r'"(https?://[^"]+X-Amz-Signature=[^"]+)"', json.dumps(task.get("artifacts") or []))
        if not links and not self.stack.seeded:
            self.left_out("Its link works from outside", "this agent's result is small")
            return
        if not links:
            self.check(
                "Its link works from outside", False, f"no link in the artifacts of a task that is {state_of(task)}"
            )
            return
        status, text = fetch(links[0])
        good = status == 200 and (LARGE in text or not self.stack.seeded)
        self.check("Its link works from outside", good, f"HTTP {status}, {len(text)} characters")

    def redelivered(self, box: Box, task_id: str) -> None:
        """What a failing webhook missed comes in order, and when the schedule says."""
        failures = self.options.failures
        waits = sum(DELAYS[:failures]) * (1 + JITTER) + failures * LATE
        say(f"  (waits {waits:.0f} s at most, for attempts {', '.join(map(str, DELAYS[:failures]))} s apart)")
        until = time.monotonic() + waits + self.options.timeout
        final = False
        while not final and (left := until - time.monotonic()) > 0 and (push := box.next(left)) is not None:
            final = push.final and push.task_id == task_id
        attempts = box.arrivals[: failures + 1]
        same = len({arrival.webhook_id for arrival in attempts}) == 1 and len(attempts) == failures + 1
        self.check(
            "The same push is tried again",
            same,
            f"{len(attempts)} attempts at {attempts[0].webhook_id if attempts else '-'}",
        )
        self.check("Attempts come when scheduled", *as_scheduled(attempts, failures))
        places = [place for arrival in box.taken if (place := place_of(arrival, task_id))]
        first_seen = list(dict.fromkeys(places))
        ordered = len(first_seen) >= 2 and all(earlier < later for earlier, later in pairwise(first_seen))
        self.check(
            "All come in order",
            ordered and final,
            f"generations {', '.join(str(each[0]) for each in first_seen) or 'none'}",
        )

    def wait_for_end(self, task_id: str) -> dict[str, Any]:
        """The task, when it has ended; as it is after `timeout` seconds."""
        until = time.monotonic() + self.options.timeout
        while True:
            task = self.client.get_task(task_id)
            if state_of(task) in ("completed", "failed", "canceled", "rejected") or time.monotonic() > until:
                return task
            time.sleep(0.5)


def as_scheduled(attempts: Sequence[Arrival], failures: int) -> tuple[bool, str]:
    """Whether each attempt came in the span that the schedule gives it."""
    gaps = [later.sent - earlier.sent for earlier, later in pairwise(attempts)]
    good = len(gaps) == failures and all(
        delay * (1 - JITTER) - ROUNDING <= gap <= delay * (1 + JITTER) + LATE
        for gap, delay in zip(gaps, DELAYS, strict=False)
    )
    return good, f"after {', '.join(f'{gap} s' for gap in gaps) or 'nothing'}"


def place_of(arrival: Arrival, task_id: str) -> tuple[int, int] | None:
    """Generation and number of the event of a webhook-id."""
    found = re.search(re.escape(task_id) + r"\.(\d+)\.(\d+)", arrival.webhook_id)
    return (int(found[1]), int(found[2])) if found else None


def fetch(link: str) -> tuple[int, str]:
    """The status and text of a link, asked for without any credentials."""
    import requests

    session = requests.Session()
    session.trust_env = False
    try:
        answer = session.get(link, timeout=30)
    except requests.RequestException as error:
        raise DemoError(f"The link cannot be followed ({printable(type(error).__name__)}).") from error
    return answer.status_code, answer.text


def say(line: str) -> None:
    print(line, flush=True)


def locally(arguments: Sequence[str]) -> int:
    """Run the command for the stack of the local AWS, whose addresses are its own; returns the exit code."""
    from emulator import LocalAwsError
    from local_aws import the_running_one
    from stack import describe, environment, inbox_url

    try:
        emulator = the_running_one()
        if describe(emulator, LOCAL) is None:
            raise LocalAwsError("Nothing is deployed on the local AWS. Run: make up PARAMETERS=SmokeInbox=true")
    except LocalAwsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    command = [sys.executable, __file__, "--stack", LOCAL, "--inbox-url", inbox_url(emulator, LOCAL)]
    kept = [argument for argument in arguments if argument != "--local"]
    return subprocess.run([*command, *kept], env=environment(emulator), check=False).returncode


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python tools/smoke.py", description="Proves a deployed stack.")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--stack", metavar="NAME", help="a stack of your AWS account, deployed with SmokeInbox=true")
    where.add_argument("--local", action="store_true", help="the stack of make up")
    parser.add_argument("--region", help="default: that of your AWS profile")
    parser.add_argument("--bearer", metavar="TOKEN", default=os.environ.get("A2A_BEARER"), help="for AuthMode=JWT")
    parser.add_argument(
        "--failures", type=int, choices=(1, 2, 3), default=3, help="of the failing webhook (3: six minutes)"
    )
    parser.add_argument("--timeout", type=float, default=90, metavar="SECONDS", help="for each scenario (90)")
    parser.add_argument("--keep", action="store_true", help="leave the boxes with what was pushed; they last for a day")
    parser.add_argument("--inbox-url", metavar="URL", help="default: the stack's output")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _arguments(arguments)
    if options.local:
        return locally(arguments)
    try:
        return _prove(options)
    except DemoError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _prove(options: argparse.Namespace) -> int:
    stack = find(options.stack, options.region)
    mode = stack.parameters.get("AuthMode", "IAM")
    say(f"Stack {stack.name}: {stack.endpoint} (AuthMode {mode})")
    inbox_url = options.inbox_url or stack.outputs["InboxUrl"]
    inbox = Inbox(inbox_url, signature(mode, options.bearer, inbox_url))
    with A2AClient(stack.endpoint, sign=signature(mode, options.bearer, stack.endpoint)) as client:
        smoke = Smoke(stack, inbox, client, options)
        try:
            smoke.run()
        finally:
            if options.keep:
                say(f"Kept: {len(smoke.boxes)} boxes")
            else:
                for box in smoke.boxes:
                    with contextlib.suppress(DemoError):
                        box.delete()
    failed = [check.name for check in smoke.checks if not check.passed]
    say(
        f"{len(smoke.checks) - len(failed)} of {len(smoke.checks)} pass."
        + (f" FAIL: {', '.join(failed)}" if failed else "")
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
