"""`make chaos-local`: the deployed template on the local AWS, receivers of all kinds, functions killed where they are.

Tasks run for half a minute; then there is time for what failed to be sent again. It ends as soon as nothing is left to
be done, prints one table, and exits 1 on a breach. All that is promised is checked from the receivers' own records.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, TypeVar

import requests
from campaign_report import BREACHES, CampaignReport, complaints, row
from expected_notifications import ExpectedNotifications, writes_of
from local_workers import kill_workers
from workload import Address, Write

from a2a_lambda.aws.queues import decode
from emulator import LocalAwsError
from local_aws import local_stack
from receiver import Arrival, Receiver, keys_of
from stack import Stack

LATE = "not there at first"
KINDS = {
    "healthy": "",
    "flaky": "status=500&probability=0.4&times=2&seed={n}",
    "healthy too": "",
    "forgetful": "forget&probability=0.4&times=2&seed={n}",
    "slow": "delay=1",
    "throttling": "retry-after=8&after=1&times=1",
    "resetting a while": "reset&for=12",
    "gone": "status=410&after=2",
    "dripping": "drip=0.5&times=1",
    "hanging": "hang&times=1",
    "redirecting": "redirect={elsewhere}&times=1",
    LATE: "",
    "deleted": "status=503",
    "moved": "status=503",
}
"""The receivers, by what their URLs ask for. None fails more than twice in a row, unless its config goes: the third
later attempt would be five minutes away."""

DIALECTS = {"a": "1.0", "b": "0.3", "default": "legacy"}
"""The three configs of each task."""

PACE = 1.0
"""Seconds from one task to the next."""

OPENS = 15.0
"""Seconds after which those listen that are not there at first."""

PATIENCE = 360.0
"""Seconds from the first task until what is not done counts as lost or stuck. Where the budget of first attempts is
spent, a receiver that hangs does so in the queue, 15 s each, and the emulator redelivers one message at a time."""

GRACE = 6.0
"""Seconds in which what must not come has its chance to, after all else is done."""

VISIBILITY = 30
"""Seconds after which a message comes again whose function was killed: three minutes are too long for this run."""


T = TypeVar("T")


def until(done: Callable[[], T], what: str) -> T:
    """What ``done`` answers, as soon as that is something. Raises LocalAwsError when our patience ends."""
    deadline = time.monotonic() + PATIENCE
    while not (answer := done()):
        if time.monotonic() > deadline:
            raise LocalAwsError(f"not in {PATIENCE:.0f} s: {what}")
        time.sleep(0.3)
    return answer


class Client:
    """JSON-RPC in three dialects. A call is repeated until it is answered: functions are killed here.

    One call at a time: the emulator starts a process for each that finds none free, and on a small machine many starts
    at once, repeated, never come to an end.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._url = stack.endpoint + "/"
        self._table = stack.client("dynamodb")
        self._turn = threading.Lock()

    def call(self, dialect: str, method: str, params: dict[str, Any]) -> Any:
        """The result. Raises LocalAwsError for a refusal, and when our patience ends."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        headers = {} if dialect == "legacy" else {"A2A-Version": dialect}

        def answered() -> list[Any]:
            with self._turn, contextlib.suppress(requests.RequestException), requests.Session() as session:
                session.trust_env = False
                answer = session.post(self._url, json=body, headers=headers, timeout=30)
                document = answer.json() if answer.status_code == 200 else {}
                if "result" in document:
                    return [document["result"]]
                if document.get("error", {}).get("code") not in (None, -32603):
                    raise LocalAwsError(f"{method} was refused: {document['error']}")
            return []

        return until(answered, f"{method} is answered")[0]

    def send(self, number: int, url: str, token: str) -> str:
        """A new task with the config "a"; its id."""
        message = {"messageId": f"m-{number}", "role": "ROLE_USER", "parts": [{"text": f"task {number}"}]}
        config = {"id": "a", "url": url, "token": token}
        configuration = {"returnImmediately": True, "taskPushNotificationConfig": config}
        task = self.call("1.0", "SendMessage", {"message": message, "configuration": configuration})["task"]
        return str(task["id"])

    def set(self, task_id: str, config_id: str, dialect: str, url: str, token: str) -> None:
        """Register a webhook. The legacy dialect has no tokens and one config."""
        config = {"id": config_id, "url": url, "token": token}
        match dialect:
            case "1.0":
                self.call(dialect, "CreateTaskPushNotificationConfig", {"taskId": task_id, **config})
            case "0.3":
                params = {"taskId": task_id, "pushNotificationConfig": config}
                self.call(dialect, "tasks/pushNotificationConfig/set", params)
            case _:
                params = {"id": task_id, "pushNotificationConfig": {"webhookUrl": url}}
                self.call(dialect, "tasks/pushNotification/set", params)

    def delete(self, task_id: str, config_id: str) -> None:
        """Remove a webhook."""
        self.call("1.0", "DeleteTaskPushNotificationConfig", {"taskId": task_id, "id": config_id})

    def present(self, task_id: str) -> tuple[int, bool]:
        """The task's generation, and whether it has ended, by the table."""
        key = {"taskId": {"S": task_id}}
        item = self._table.get_item(TableName=self._stack.outputs["TasksTableName"], Key=key, ConsistentRead=True)
        return int(item["Item"]["generation"]["N"]), item["Item"]["state"]["S"] == "TASK_STATE_COMPLETED"


class Receivers:
    """Receivers for URLs of each kind. Those that say nothing have a port each: delivery remembers hosts that hang."""

    def __init__(self, expected_notifications: ExpectedNotifications, endpoint: str) -> None:
        self._expected_notifications = expected_notifications
        self._keys = keys_of(endpoint)
        self._keys.get_signing_keys()  # before functions are killed: later pushes verify without asking
        self._servers: dict[str, Receiver] = {}
        self._lock = threading.Lock()
        self._held = socket.socket()  # a port at which nobody answers
        self._held.bind(("127.0.0.1", 0))

    def url(self, kind: str, number: int, config_id: str) -> str:
        """A URL of its own for a config."""
        query = KINDS[kind].format(n=number, elsewhere=f"{self._root('healthy')}/redirected")
        own = kind in ("dripping", "hanging")
        return f"{self._root(f'{kind} {number}' if own else kind)}/{number}/{config_id}?{query}".rstrip("?")

    def open(self) -> None:
        """From now on those listen that were not there at first."""
        port = self._held.getsockname()[1]
        self._held.close()
        with self._lock:
            self._servers[LATE] = self._listen(port)

    def _root(self, name: str) -> str:
        with self._lock:
            if name == LATE and name not in self._servers:
                return f"http://localhost:{self._held.getsockname()[1]}"
            if name not in self._servers:
                self._servers[name] = self._listen(0)
            return f"http://localhost:{self._servers[name].server_port}"

    def _listen(self, port: int) -> Receiver:
        def show(arrival: Arrival) -> None:
            self._expected_notifications.note(f"http://localhost:{server.server_port}", arrival)

        server = Receiver(port, show, keys=self._keys, misbehave=True)
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
        return server

    def close(self) -> None:
        """Stop listening."""
        self._held.close()
        for server in self._servers.values():
            server.shutdown()
            server.server_close()


class Campaign:
    """One run against a stack."""

    def __init__(self, stack: Stack, tasks: int) -> None:
        self.stack, self.tasks = stack, tasks
        self.expected_notifications = ExpectedNotifications()
        self.killed = 0
        self.kinds: dict[str, str] = {}
        self._client = Client(stack)
        self._receivers = Receivers(self.expected_notifications, stack.endpoint)
        self._removed: dict[str, datetime] = {}
        self._over = threading.Event()

    def run(self) -> CampaignReport:
        """Start all tasks, kill all functions three times meanwhile, and wait until nothing is left to be done."""
        queue = self.stack.outputs["RedeliveryQueueUrl"]
        settings = {"VisibilityTimeout": str(VISIBILITY)}
        self.stack.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes=settings)
        with ThreadPoolExecutor(self.tasks + 2) as pool, contextlib.closing(self._receivers):
            try:
                watching = pool.submit(self._watch)
                running = [pool.submit(self._task, number) for number in self._paced()]
                for future in running:
                    future.result()
                report = self._settled()
            finally:
                self._over.set()
            watching.result()
        return report

    def _paced(self) -> Iterator[int]:
        """The numbers of the tasks, one when its time has come. Functions are killed after each third."""
        started = time.monotonic()
        opened = False
        for number in range(self.tasks):
            yield number
            self._over.wait(PACE)
            if not opened and (time.monotonic() - started > OPENS or number == self.tasks - 1):
                opened = True
                self._receivers.open()
            if (number + 1) % max(1, self.tasks // 3) == 0:
                self.killed += kill_workers(self.stack.emulator)

    def _task(self, number: int) -> None:
        """One task's client."""
        names = list(KINDS)
        kinds = {config: names[(number * len(DIALECTS) + place) % len(names)] for place, config in enumerate(DIALECTS)}
        urls = {config: self._receivers.url(kind, number, config) for config, kind in kinds.items()}
        token = f"token-{number}"
        begun = datetime.now(UTC)
        task_id = self._client.send(number, urls["a"], token)
        self.kinds |= {f"{task_id}/{config}": kind for config, kind in kinds.items()}
        self.expected_notifications.register(task_id, "a", "1.0", Address(urls["a"], token, begun, 0), 0)
        for config in ("b", "default"):
            self._set(task_id, config, urls[config], token)
        until(lambda: self._client.present(task_id)[0] > 2, "the agent has written to the task")
        for config, kind in kinds.items():
            if kind == "deleted":
                self._client.delete(task_id, config)
                self.expected_notifications.delete(task_id, config)
            if kind == "moved":
                self._set(task_id, config, self._receivers.url("healthy", number, f"{config}-moved"), token)
        if number % 5 == 0:
            until(lambda: self._client.present(task_id)[1], "the task has ended")
            self._set(task_id, "late", self._receivers.url("healthy", number, "late"), token, late=True)

    def _set(self, task_id: str, config: str, url: str, token: str, late: bool = False) -> None:
        """Register a webhook; when that has been answered its client knows the task as it is then."""
        dialect = DIALECTS.get(config, "0.3")
        self._client.set(task_id, config, dialect, url, token)
        since = datetime.now(UTC)
        known, _ = self._client.present(task_id)
        sent = "" if dialect == "legacy" else token
        self.expected_notifications.register(
            task_id, config, dialect, Address(url, sent, since, known if late else 0), known
        )

    def _watch(self) -> None:
        """Notes since when configs are not in their table any more."""
        table = self.stack.client("dynamodb")
        while not self._over.wait(0.3):
            items = table.scan(TableName=self.stack.outputs["PushConfigsTableName"], ConsistentRead=True)["Items"]
            there = {f"{item['taskId']['S']}/{item['configId']['S']}" for item in items}
            for key in set(self.expected_notifications.registrations) - there:
                self._removed.setdefault(key, datetime.now(UTC))

    def _settled(self) -> CampaignReport:
        """The report when all is done, or at the end of our patience."""
        with contextlib.suppress(LocalAwsError):  # then the report says what is missing
            until(lambda: self._evaluated().clean, "all that is owed has arrived")
        self._over.wait(GRACE)  # nobody can be waited for who must not come
        return self._evaluated()

    def writes(self) -> dict[str, list[Write]]:
        """What the tasks' table says of all tasks."""
        table = self.stack.client("dynamodb").describe_table(TableName=self.stack.outputs["TasksTableName"])
        arn = table["Table"]["LatestStreamArn"]
        streams = self.stack.client("dynamodbstreams")
        records: list[Any] = []
        for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
            start = {"ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
            page = {"NextShardIterator": streams.get_shard_iterator(StreamArn=arn, **start)["ShardIterator"]}
            while page.get("NextShardIterator"):
                page = streams.get_records(ShardIterator=page["NextShardIterator"])
                if not page["Records"]:
                    break
                records += page["Records"]
        return writes_of(records)

    def _evaluated(self) -> CampaignReport:
        writes, sqs = self.writes(), self.stack.client("sqs")
        stuck = [f"{task_id} has not ended" for task_id in writes if not self._client.present(task_id)[1]]
        for name in ("RedeliveryQueueUrl", "StreamFailuresQueueUrl"):
            counted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
            found = sqs.get_queue_attributes(QueueUrl=self.stack.outputs[name], AttributeNames=counted)["Attributes"]
            stuck += [f"{name}: {waiting} messages"] if (waiting := sum(map(int, found.values()))) else []
        url = self.stack.outputs["DeadLetterQueueUrl"]
        letters = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0).get("Messages", [])
        dead = [(decode(letter["Body"]), "given up", datetime.now(UTC)) for letter in letters]
        return self.expected_notifications.evaluate(writes, dead, self._removed, stuck)


def main() -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=28)
    options = parser.parse_args()
    started = time.monotonic()
    try:
        print("Starting the local AWS; the campaign takes three minutes to six", flush=True)
        with local_stack() as stack:
            campaign = Campaign(stack, options.tasks)
            report = campaign.run()
            events = sum(write.artifacts + write.status for task in campaign.writes().values() for write in task)
    except LocalAwsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    heads = ("tasks", "events", "expected", "POSTs", *BREACHES, "dead", "dupl.", "removed", "killed", "s")
    broken = (len(report.breaches[kind]) for kind in BREACHES)
    counts = (report.dead, report.duplicates.total(), report.removed, campaign.killed)
    cells = (
        options.tasks,
        events,
        report.expected,
        report.posts,
        *broken,
        *counts,
        round(time.monotonic() - started),
    )
    print("\n".join([row(heads, heads), row(heads, cells), *complaints(report)]))
    print("\nPOSTs by kind of receiver, and how many were taken:")
    for kind, (posts, taken) in campaign.expected_notifications.by_kind(campaign.kinds).items():
        print(f"  {posts:>7}  {taken:>7}  {kind}")
    return 0 if report.clean else 1


if __name__ == "__main__":
    sys.exit(main())
