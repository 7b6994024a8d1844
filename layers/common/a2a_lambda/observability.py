"""The logger and the metrics of a function, made once. Log lines say what happened to what, never what was in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit

if TYPE_CHECKING:
    from .notifier import Attempt

logger = Logger()
metrics = Metrics()

__all__ = ["MetricUnit", "fault", "log_attempts", "logger", "metrics"]


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


def log_attempts(attempts: Iterable[Attempt], *, first: bool) -> None:
    """One line and the metrics of each POST."""
    for attempt in attempts:
        logger.info(
            "attempt",
            extra={
                "webhook_id": attempt.webhook_id,
                "host": attempt.host,
                "outcome": attempt.outcome,
                "milliseconds": attempt.milliseconds,
            },
        )
        if attempt.latency is not None:
            metrics.add_metric(name="PushDelivered", unit=MetricUnit.Count, value=1)
            metrics.add_metric(name="PushLatency", unit=MetricUnit.Seconds, value=attempt.latency)
        else:
            failed = "PushFirstAttemptFailed" if first else "PushRetried"
            metrics.add_metric(name=failed, unit=MetricUnit.Count, value=1)
