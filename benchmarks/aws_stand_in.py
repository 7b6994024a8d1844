"""A stand-in for AWS on the loopback address that answers at once: for benchmarks of what a function itself costs.

`python benchmarks/aws_stand_in.py` says its port, and serves until it is ended. It speaks the JSON protocols of
DynamoDB, Step Functions, SQS and Secrets Manager, as far as the functions use them, and is the webhook as well. It
judges nothing: no condition, no signature, no index. What was put is there; of every other task it knows the one of
``events/``, under the id that is asked for. :func:`forget` brings it back to where it was.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
HEAD = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
TARGET = re.compile(rb"x-amz-target: *[A-Za-z0-9_]+\.(\w+)", re.IGNORECASE)
ASSIGNMENT = re.compile(r"(#?\w+) = (:\w+)")

WAITING = "WaitingConfigs"
"""The table of push configs in which each config has a message in the queue."""

RUNNING = "RunningTasks"
"""The table of tasks in which each task is about to begin its first step; elsewhere they are new."""

Item = dict[str, Any]
Answers = Callable[[Any], Any]


def image(event: str, name: str) -> Item:
    """The item of a task in an event of the repository."""
    record = json.loads((ROOT / "events" / f"{event}.json").read_text())["Records"][0]
    item: Item = record["dynamodb"][name]
    return item


class Aws:
    """The tables, and what else is asked for."""

    def __init__(self, port: int) -> None:
        self._tasks: dict[str, Item] = {}
        self._new, self._running = image("caretaker-new-task", "NewImage"), image("notifier-modify", "OldImage")
        self._webhook = f"http://127.0.0.1:{port}/webhook"

    def answer(self, operation: str, body: Any) -> Any:
        """What the service says to a call; ``{}`` to those of which nobody reads the answer."""
        answers: dict[str, Answers] = {
            "Forget": lambda _: self._tasks.clear(),
            "GetItem": self._get_item,
            "PutItem": self._put_item,
            "UpdateItem": self._update_item,
            "TransactWriteItems": self._transact,
            "Query": self._query,
            "StartExecution": lambda _: {"executionArn": "arn:aws:states:eu-central-1:1:execution:m:e", "startDate": 1},
            "GetSecretValue": lambda _: {"SecretString": "benchmark" * 8, "CreatedDate": 1_767_225_600},
            "SendMessageBatch": lambda sent: {"Successful": [{"Id": one["Id"]} for one in sent["Entries"]]},
        }
        return answers.get(operation, lambda _: {})(body)

    def _get_item(self, call: Any) -> Any:
        key = call["Key"]
        if "configId" in key:
            return {"Item": self._config(call["TableName"], key["taskId"], key["configId"])}
        return {"Item": self._task(call["TableName"], key["taskId"])} if "taskId" in key else {}

    def _put_item(self, call: Any) -> Any:
        if "taskId" in call["Item"] and "configId" not in call["Item"]:
            self._tasks[call["Item"]["taskId"]["S"]] = call["Item"]
        return {}

    def _update_item(self, call: Any) -> Any:
        if "configId" in call["Key"] or "taskId" not in call["Key"]:
            return {}
        names, values = call.get("ExpressionAttributeNames", {}), call["ExpressionAttributeValues"]
        changed = {names.get(name, name): values[value] for name, value in ASSIGNMENT.findall(call["UpdateExpression"])}
        item = {**self._task(call["TableName"], call["Key"]["taskId"]), **changed}
        self._tasks[item["taskId"]["S"]] = item
        return {"Attributes": item} if call.get("ReturnValues") == "ALL_NEW" else {}

    def _transact(self, call: Any) -> Any:
        for one in call["TransactItems"]:
            if "Put" in one:
                self._put_item(one["Put"])
        return {}

    def _query(self, call: Any) -> Any:
        task_id = next(iter(call["ExpressionAttributeValues"].values()))
        items = [self._config(call["TableName"], task_id, {"S": "default"})]
        return {"Items": items, "Count": 1, "ScannedCount": 1}

    def _task(self, table: str, task_id: Any) -> Item:
        known = self._running if table == RUNNING else self._new
        found = self._tasks.get(task_id["S"])
        return found or json.loads(json.dumps(known).replace(known["taskId"]["S"], task_id["S"]))  # type: ignore[no-any-return]

    def _config(self, table: str, task_id: Any, config_id: Any) -> Item:
        queued, settled = ("3", "2") if table == WAITING else ("0", "0")
        return {
            "taskId": task_id,
            "configId": config_id,
            "registered": {"N": "0"},
            "queuedThrough": {"N": queued},
            "settledThrough": {"N": settled},
            "owner": {"S": "anonymous"},
            "url": {"S": self._webhook},
            "dialect": {"S": "1.0"},
            "incarnation": {"S": "3f2e1d0c-b9a8-4796-8584-736251403f2e"},
            "revision": {"S": "1"},
            "eventTypes": {"S": "[]"},
            "token": {"S": "secret"},
            "expiresAt": {"N": "1801785600"},
        }


class Connection(asyncio.Protocol):
    """HTTP/1.1 with ``Content-Length``."""

    aws: Aws

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.data = b""

    def data_received(self, data: bytes) -> None:
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            head = self.data[:end]
            length = HEAD.search(head)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self.data) < whole:
                if b"100-continue" in head.lower():
                    self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                return
            body, self.data = self.data[end + 4 : whole], self.data[whole:]
            target = TARGET.search(head)
            answer = self.aws.answer(target[1].decode(), json.loads(body)) if target else None
            said = b"" if answer is None else json.dumps(answer).encode()
            form = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n\r\n%s"
            self.transport.write(form % (len(said), said))


@contextmanager
def aws_stand_in() -> Iterator[str]:
    """The URL of one that runs, in a process of its own, while the block does."""
    process = subprocess.Popen([sys.executable, str(Path(__file__))], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait()


def forget(endpoint: str) -> None:
    """The stand-in forgets what it was given."""
    asked = urllib.request.Request(endpoint, b"{}", {"X-Amz-Target": "StandIn.Forget"})
    with urllib.request.urlopen(asked, timeout=10):
        pass


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0, backlog=512)
    port = server.sockets[0].getsockname()[1]
    Connection.aws = Aws(port)
    print(port, flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
