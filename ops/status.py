"""How a stack is: alarms, what waits, what functions complain of. Each trouble names the command that shows more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from botocore.exceptions import BotoCoreError, ClientError

from . import keys, tasks
from .errors import explain, one_line
from .stack import Stack, client, dynamodb, sqs

Json = dict[str, Any]

FUNCTIONS = ("rpc", "executor", "caretaker", "notifier", "redelivery")

NEXT = {
    "DeadLetterAlarm": "dead list",
    "StreamFailuresAlarm": "records list",
    "RedeliveryAgeAlarm": "webhooks --failing --by-host",
    "RedeliveryBacklogAlarm": "webhooks --failing --by-host",
    "NotifierAgeAlarm": "status --log notifier",
    "CaretakerAgeAlarm": "status --log caretaker",
    "CaretakerDeadLetterAlarm": "tasks --stuck 15",
    "ExecutionsFailedAlarm": "status --log executor",
    "ExecutorThrottlesAlarm": "tasks --stuck 15",
    "NotifierThrottlesAlarm": "status --log notifier",
    "ApiErrorsAlarm": "status --log rpc",
}
"""The command for each alarm of the template."""

_QUEUES = {
    "waiting for a later attempt": ("RedeliveryQueueUrl", ""),
    "dead letters": ("DeadLetterQueueUrl", "dead list"),
    "records not got through": ("StreamFailuresQueueUrl", "records list"),
}

_COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")
_LOG_PAGES = 5
_LINES = 8


def status(stack: Stack, minutes: int = 60, log: str = "") -> Json:
    """All of it. What these credentials may not see is said in its place."""
    since = datetime.now(UTC) - timedelta(minutes=minutes)
    functions = (log,) if log else FUNCTIONS
    return {
        "stack": stack.name,
        "region": stack.region,
        "status": stack.status,
        "endpoint": stack.endpoint,
        "alarms": _or_why(lambda: alarms(stack)),
        "queues": _or_why(lambda: queues(stack)),
        "tables": _or_why(lambda: tables(stack)),
        "signing": _or_why(lambda: signing(stack)),
        "complaints": _or_why(lambda: complaints(stack, functions, since)),
        "minutes": minutes,
    }


def _or_why(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except (ClientError, BotoCoreError) as error:
        return {"error": explain(error)}


def alarms(stack: Stack) -> list[Json]:
    """The alarms of the stack that ring, with the command to run."""
    pages = (
        client("cloudwatch")
        .get_paginator("describe_alarms")
        .paginate(AlarmNamePrefix=f"{stack.name}-", StateValue="ALARM")
    )
    found = []
    for alarm in (alarm for page in pages for alarm in page.get("MetricAlarms", [])):
        kind = alarm["AlarmName"].removeprefix(f"{stack.name}-").partition("-")[0]
        if kind in NEXT:
            since = alarm.get("StateUpdatedTimestamp")
            found.append({"alarm": kind, "since": since.isoformat() if since else "", "run": NEXT[kind]})
    return found


def queues(stack: Stack) -> list[Json]:
    """How many messages wait in each queue, about."""
    found = []
    for what, (output, command) in _QUEUES.items():
        answer = sqs().get_queue_attributes(QueueUrl=stack.output(output), AttributeNames=list(_COUNTS))
        counts = [int(answer["Attributes"].get(name, 0)) for name in _COUNTS]
        found.append(
            {"queue": what, "messages": sum(counts), "hidden": counts[1], "run": command if sum(counts) else ""}
        )
    return found


def tables(stack: Stack) -> list[Json]:
    """Items of the tables, as DynamoDB counts them every six hours."""
    names = {"tasks": "TasksTableName", "webhooks": "PushConfigsTableName"}
    return [
        {"table": what, "items": dynamodb().describe_table(TableName=stack.output(output))["Table"].get("ItemCount", 0)}
        for what, output in names.items()
    ]


def signing(stack: Stack) -> Json:
    """Whether the agent publishes its signing keys, and whether what is stored is a key. A function that has read it
    signs on with it, so the second goes wrong before the first."""
    kind = stack.parameters.get("WebhookSigning", "")
    if kind == "NONE":
        return {"kind": kind, "state": "off"}
    if kind in ("SECRET", "SSM"):
        with suppress(ClientError, BotoCoreError):  # who may not read the key sees what the agent publishes
            if not keys.is_key(kind, stack.output("SigningKeyName")):
                return {"kind": kind, "state": "what was stored last is no key", "run": "keys rotate"}
    try:
        with urlopen(Request(f"{stack.endpoint}/.well-known/jwks.json"), timeout=15) as answer:  # noqa: S310
            return {"kind": kind, "state": "published" if answer.status == 200 else f"HTTP {answer.status}"}
    except HTTPError as error:
        state = "the keys cannot be read" if error.code >= 500 else f"HTTP {error.code}"
        return {"kind": kind, "state": state, "run": "keys check"}
    except (URLError, OSError, ValueError):
        return {"kind": kind, "state": "the agent does not answer", "run": "status --log rpc"}


def complaints(stack: Stack, functions: tuple[str, ...], since: datetime) -> list[Json]:
    """Warnings and errors of the functions, the most frequent first: what, how often, the last time."""
    counted: Counter[tuple[str, str, str]] = Counter()
    last: dict[tuple[str, str, str], str] = {}
    for function in functions:
        lines, whole = tasks.log_lines(stack, function, "?WARNING ?ERROR ?CRITICAL", since, _LOG_PAGES)
        for line in lines:
            level = str(line.get("level", ""))
            if level in ("WARNING", "ERROR", "CRITICAL"):
                what = " ".join(
                    filter(None, [str(line.get("message", "")), str(line.get("error", "")), str(line.get("where", ""))])
                )
                key = function, level, one_line(what, 160)
                counted[key] += 1
                last[key] = max(last.get(key, ""), str(line.get("timestamp", "")))
        if not whole:
            counted[function, "…", "the log has more than was read"] += 1
    return [
        {
            "function": function,
            "level": level,
            "what": what,
            "times": times,
            "last": last.get((function, level, what), ""),
        }
        for (function, level, what), times in counted.most_common(_LINES * len(functions))
    ]


def healthy(found: Json) -> bool:
    """Whether nothing needs anybody."""
    waiting = found["queues"] if isinstance(found["queues"], list) else []
    return (
        not found["alarms"]
        and not any(queue["run"] for queue in waiting)
        and "run" not in found["signing"]
        and "error" not in found["signing"]
    )


def pushes(stack: Stack, minutes: int = 30) -> Json:
    """Pushes per minute and their latency, from the stack's metrics; where there are none yet, from the logs."""
    until = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    since = until - timedelta(minutes=minutes)
    found: dict[str, Json] = {}
    with suppress(ClientError, BotoCoreError):
        found = _from_metrics(stack, since, until)
    source = "metrics"
    if not found:
        found, source = _from_logs(stack, since), "logs"
    rows = []
    for minute in range(minutes):
        at = (since + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%MZ")
        rows.append({"minute": at, "delivered": 0, "failed": 0, "p50": None, "p99": None, **found.get(at, {})})
    return {"minutes": rows, "source": source}


_SERIES = {
    "delivered": ("PushDelivered", "Sum"),
    "first": ("PushFirstAttemptFailed", "Sum"),
    "retried": ("PushRetried", "Sum"),
}
_SERVICES = ("notifier", "redelivery")


def _from_metrics(stack: Stack, since: datetime, until: datetime) -> dict[str, Json]:
    asked = []
    for service in _SERVICES:
        for name, (metric, statistic) in {
            **_SERIES,
            "p50": ("PushLatency", "p50"),
            "p99": ("PushLatency", "p99"),
        }.items():
            asked.append(
                {
                    "Id": f"{name}_{service}",
                    "MetricStat": {
                        "Metric": {
                            "Namespace": f"A2A/{stack.name}",
                            "MetricName": metric,
                            "Dimensions": [{"Name": "service", "Value": service}],
                        },
                        "Period": 60,
                        "Stat": statistic,
                    },
                }
            )
    answer = client("cloudwatch").get_metric_data(MetricDataQueries=asked, StartTime=since, EndTime=until)
    found: dict[str, Json] = {}
    for result in answer["MetricDataResults"]:
        name, _, service = result["Id"].partition("_")
        for moment, value in zip(result["Timestamps"], result["Values"], strict=True):
            minute = found.setdefault(moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ"), {})
            if name in ("p50", "p99"):
                if service == "notifier" or minute.get(name) is None:
                    minute[name] = value
            else:
                column = "delivered" if name == "delivered" else "failed"
                minute[column] = minute.get(column, 0) + int(value)
    return found


def _from_logs(stack: Stack, since: datetime) -> dict[str, Json]:
    latencies: dict[str, list[float]] = {}
    failed: Counter[str] = Counter()
    for function in _SERVICES:
        for line in tasks.log_lines(stack, function, "", since, _LOG_PAGES)[0]:
            if isinstance(line.get("PushLatency"), list):
                moment = datetime.fromtimestamp(line["_aws"]["Timestamp"] / 1000, UTC)
                latencies.setdefault(moment.strftime("%Y-%m-%dT%H:%MZ"), []).extend(line["PushLatency"])
            elif line.get("message") == "attempt" and not str(line.get("outcome", "")).startswith("2"):
                failed[str(line.get("timestamp", ""))[:16] + "Z"] += 1
    found: dict[str, Json] = {minute: {"failed": count} for minute, count in failed.items()}
    for minute, values in latencies.items():
        values.sort()
        middle, high = values[len(values) // 2], values[min(len(values) - 1, len(values) * 99 // 100)]
        found.setdefault(minute, {}).update({"delivered": len(values), "p50": middle, "p99": high})
    return found
