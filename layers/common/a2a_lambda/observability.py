"""The logger and the metrics of a function, made once. Log lines say what happened to what, never what was in it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.constants import MAX_METRICS

from .core.model import dumps, timestamp
from .core.ports import Poison, Unreached

if TYPE_CHECKING:
    from .core.operations import StreamReport
    from .push.notifier import Attempt
    from .push.receivers import HeldBack

logger = Logger()
metrics = Metrics()

__all__ = [
    "MetricUnit",
    "fault",
    "log_attempts",
    "log_call",
    "log_card",
    "log_poison",
    "log_stream",
    "logged_poison",
    "logger",
    "metrics",
    "put_latencies",
]


def fault(error: BaseException | None) -> dict[str, str]:
    """What a log line may say of an unexpected error: its type and the line it came from, never its text."""
    if error is None:
        return {}
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = f"{frame.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{frame.tb_lineno}" if frame else ""
    cause = error.__cause__
    return {"error": type(error).__name__, "where": where, "cause": type(cause).__name__ if cause else ""}


def log_poison(error: Poison, **which: str) -> None:
    """One line and the metric of stored data that cannot be read: where, and why, never what was in it."""
    unreached = {"config_ids": error.config_ids} if isinstance(error, Unreached) else {}
    logger.error("unreadable", extra={**which, **unreached, "reason": error.reason, **fault(error)})
    metrics.add_metric(name="PoisonRecords", unit=MetricUnit.Count, value=1)


@contextmanager
def logged_poison(**which: str) -> Iterator[None]:
    """:func:`log_poison`, and raise it without a word of what is stored: the runtime logs what it gets."""
    try:
        yield
    except Poison as error:
        log_poison(error, **which)
        raise Poison(*which.values()) from None


def log_attempts(attempts: Iterable[Attempt], held: Iterable[HeldBack] = (), *, first: bool) -> None:
    """One line and the metrics of each POST, and one line of each webhook that was ``held`` back.

    The lines are written here, in the logger's form: for one it takes nearly as long as all the rest of a notification.
    """
    attempts, held = list(attempts), list(held)
    if not attempts and not held:
        return
    if logger.log_level <= logging.INFO:
        stream = logger.handlers[0].stream  # type: ignore[attr-defined]
        stream.write("".join(_lines(attempts, held)))
        stream.flush()
    latencies = [attempt.latency for attempt in attempts if attempt.latency is not None]
    failed = len(attempts) - len(latencies)
    if latencies:
        metrics.add_metric(name="PushDelivered", unit=MetricUnit.Count, value=len(latencies))
    put_latencies(latencies)
    if failed:
        name = "PushFirstAttemptFailed" if first else "PushRetried"
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=failed)


def log_card(path: str, status: int) -> None:
    """One line and the metric of a request for a card or the keys."""
    logger.info("card", extra={"path": path, "status": status})
    metrics.add_metric(name="CardRequests", unit=MetricUnit.Count, value=1)


def log_call(method: str, task_id: str, code: int, error: BaseException | None) -> None:
    """One line and the metric of a call. ``code`` is that of the error which the client got, 0 for none; ``error`` is
    what went wrong on our side."""
    logger.info("rpc", extra={"method": method, "task_id": task_id, "code": code, **fault(error)})
    metrics.add_metric(name="RpcErrors" if code else "RpcCalls", unit=MetricUnit.Count, value=1)


def log_stream(report: StreamReport, seconds: float) -> None:
    """One line and the metrics of a stream that has ended. The metrics of its invocation are out by then."""
    said = {"task_id": report.task_id, "events": report.events, "seconds": round(seconds, 1), "reason": report.reason}
    logger.info("stream", extra={**said, **fault(report.fault)})
    values = {
        "StreamSeconds": {"Unit": MetricUnit.Seconds.value, "Value": [seconds]},
        "StreamEvents": {"Unit": MetricUnit.Count.value, "Value": [float(report.events)]},
    }
    sys.stdout.write(dumps(metrics.serialize_metric_set(metrics=values)) + "\n")


def _lines(attempts: Iterable[Attempt], held: Iterable[HeldBack]) -> Iterator[str]:
    common = {"level": "INFO", "location": "log_attempts", "message": "attempt", "service": logger.service}
    common["timestamp"] = timestamp(datetime.now(UTC))
    for webhook_id, host, outcome, milliseconds, _ in attempts:
        line = {"webhook_id": webhook_id, "host": host, "outcome": outcome, "milliseconds": milliseconds}
        yield dumps(common | line) + "\n"
    for one in held:
        yield dumps(common | {"message": "held"} | one._asdict() | {"until": timestamp(one.until)}) + "\n"


def put_latencies(latencies: Sequence[float]) -> None:
    """Each is a value of its own, so that CloudWatch has percentiles. Not by ``add_metric``, which goes through all
    values so far for each that is added."""
    for first in range(0, len(latencies), MAX_METRICS):
        values = {"PushLatency": {"Unit": MetricUnit.Seconds.value, "Value": latencies[first : first + MAX_METRICS]}}
        sys.stdout.write(dumps(metrics.serialize_metric_set(metrics=values)) + "\n")
