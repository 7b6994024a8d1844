"""The state of the delivery to a webhook, for the client that registered it: an A2A extension."""

from __future__ import annotations

from ..core.model import Json, timestamp
from ..core.records import PushConfig
from .delivery import exhausted

DELIVERY_STATUS = "https://a2a-lambda.example/extensions/delivery-status/v1"
"""The extension's URI. No field of a config can hold it in 1.0, so it is there only for clients that ask for it."""


def delivery_status(config: PushConfig) -> Json:
    """``state`` is healthy, retrying (events wait for a later attempt) or failing (given up until one gets through).

    ``deliveredGeneration`` is the latest one that was delivered. It is there while events wait or the webhook fails: a
    first attempt that succeeds is not recorded (that is what keeps it cheap). ``lastError`` is a status or the kind of
    failure, ``attempts`` counts the failed ones in a row. ``waitingFor`` is there while what waits is not attempted at
    all: the ``webhook`` or its ``host`` was late, or others have their ``turn``; until ``waitingUntil``.
    """
    state = "failing" if exhausted(config) else "retrying" if config.failing_since or config.backlogged else "healthy"
    status: Json = {
        "state": state,
        "attempts": config.attempts,
        "queuedGeneration": config.queued_through,
    }
    waits = config.queued_through > config.settled_through or config.failing_since is not None
    if waits and config.delivered_through:
        status["deliveredGeneration"] = config.delivered_through
    moments = {
        "failingSince": config.failing_since,
        "lastAttempt": config.last_attempt_at,
        "nextAttempt": config.next_attempt_at,
    }
    if config.held is not None and config.backlogged:
        status["waitingFor"] = config.held.reason
        moments["waitingUntil"] = config.held.until
    if config.paused_until is not None:
        moments["pausedUntil"] = config.paused_until
    status |= {name: timestamp(moment) for name, moment in moments.items() if moment is not None}
    if config.last_error:
        status["lastError"] = config.last_error
    return status
