"""Notifications that were given up, and how one is brought back.

A redriven notification goes to the end of its config's queue, in the order in which it was given up, with a clean
schedule. Later events wait behind it; events that were delivered after it was given up came before it, which the
generation in its webhook-id shows.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace

from ..core.ports import Poison, PushConfigStore, QueuedNotification, RedeliveryQueue

_MARK = "/"
"""Between a letter's id and what tells one redrive of it from another."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One letter. ``message`` is None for one that nobody can read; ``body`` is what is in the queue."""

    message_id: str
    receipt: str
    reason: str
    message: QueuedNotification | None
    body: str = ""


def redrive(letter: DeadLetter, configs: PushConfigStore, queue: RedeliveryQueue) -> str:
    """Bring one letter back; returns what was done: "redriven", "no webhook", "unreadable webhook" or
    "not queued".

    First the config: it waits for the letter, so that nothing overtakes it, and it is not failing any more. Then the
    message, with a mark of its own each time: SQS remembers for five minutes what it was given, delivered or not, and
    would drop the second of two with one mark, for which the config then waited in vain. What is broken off in between
    has to be redriven again: the letter is still there.
    """
    message = letter.message
    assert message is not None
    try:
        config = configs.get(message.task_id, message.config_id)
    except Poison:
        return "unreadable webhook"
    if config is None or config.incarnation != message.incarnation:
        return "no webhook"
    mark = f"{letter.message_id}{_MARK}{uuid.uuid4()}"
    configs.reopen(config, mark)
    failed = queue.send([replace(message, redrive=mark, refused_by="")])
    return "not queued" if failed else "redriven"


def redriven_from(message: QueuedNotification) -> str:
    """The id of the letter that was brought back with this message; "" if none was."""
    return message.redrive.partition(_MARK)[0]
