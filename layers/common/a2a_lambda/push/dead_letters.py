"""Notifications that were given up, and how one is brought back.

A redriven notification goes to the end of its config's queue, in the order in which it was given up, with a clean
schedule. Later events wait behind it; events that were delivered after it was given up came before it, which the
generation in its webhook-id shows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..core.ports import Poison, PushConfigStore, QueuedNotification, RedeliveryQueue


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One letter. ``message`` is None for one that nobody can read."""

    message_id: str
    receipt: str
    reason: str
    message: QueuedNotification | None


def redrive(letter: DeadLetter, configs: PushConfigStore, queue: RedeliveryQueue) -> str:
    """Bring one letter back; returns what was done: "redriven", "no webhook", "unreadable webhook" or
    "not queued".

    First the config: it waits for the letter, so that nothing overtakes it, and it is not failing any more. Then the
    message, marked, which also is an id of its own: SQS may remember the one that was given up. What is broken off in
    between has to be redriven again: the letter is still there.
    """
    message = letter.message
    assert message is not None
    try:
        config = configs.get(message.task_id, message.config_id)
    except Poison:
        return "unreadable webhook"
    if config is None or config.incarnation != message.incarnation:
        return "no webhook"
    configs.reopen(config, letter.message_id)
    failed = queue.send([replace(message, redrive=letter.message_id, refused_by="")])
    return "not queued" if failed else "redriven"
