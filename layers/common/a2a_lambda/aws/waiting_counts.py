"""The port :class:`~..ports.WaitingCounts`: items of PushConfigsTable, one for each owner and day."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import monotonic

from ..push.backlog import PER_OWNER, Backlog
from ..settings import Environment
from .clients import client, code_of, guarded
from .items import n, s
from .queues import SqsDeadLetters
from .reading import Attributes

_FRESH = 5.0
"""Seconds for which a count is taken for the present one."""

_OWNERS = 1_024

_LIFE = timedelta(days=16)
"""After this no message of the day is in the queue any more: SQS keeps it for two weeks."""

PREFIX = "waiting "
"""With this, and a hash of the owner, begins the ``taskId`` of such an item: it is no config's."""


def backlog(env: Environment) -> Backlog:
    """The bound on what waits, as the environment of the function sets it."""
    counts, dead_letters = waiting_counts(env), SqsDeadLetters(env.text("DEAD_LETTER_QUEUE_URL"))
    return Backlog(counts, dead_letters, per_owner=int(env.number("MAX_WAITING_PER_OWNER", PER_OWNER)))


def waiting_counts(env: Environment) -> WaitingCountTable:
    """The counts of the stack."""
    return WaitingCountTable(env.text("PUSH_CONFIGS_TABLE"))


class WaitingCountTable:
    """The counts in this table. An owner's is read once in some seconds, and only where something has to wait."""

    def __init__(self, table: str, clock: Callable[[], float] = monotonic) -> None:
        self._table = table
        self._clock = clock
        self._known: OrderedDict[str, tuple[int, float]] = OrderedDict()

    @guarded
    def of(self, owner: str) -> int:
        """See :class:`~..ports.WaitingCounts`."""
        count, read_at = self._known.get(owner, (0, None))
        if read_at is None or self._clock() - read_at > _FRESH:
            answer = client("dynamodb").query(
                TableName=self._table,
                KeyConditionExpression="taskId = :owner",
                ExpressionAttributeValues={":owner": s(_key(owner))},
            )
            count = sum(map(_waiting, answer["Items"]))
            self._remember(owner, count, self._clock())
        return max(0, count)

    @guarded
    def change(self, owner: str, day: str, by: int) -> None:
        """See :class:`~..ports.WaitingCounts`."""
        from botocore.exceptions import ClientError

        try:
            self._update("ADD waiting :by SET expiresAt = :end", owner, day, by)
        except ClientError as error:
            if code_of(error) != "ValidationException":
                raise
            # What is stored is no number; a count that begins anew is better than none.
            self._update("SET waiting = :by, expiresAt = :end", owner, day, max(by, 0))
        if owner in self._known:
            count, read_at = self._known[owner]
            self._remember(owner, count + by, read_at)

    def _update(self, expression: str, owner: str, day: str, by: int) -> None:
        client("dynamodb").update_item(
            TableName=self._table,
            Key={"taskId": s(_key(owner)), "configId": s(day)},
            UpdateExpression=expression,
            ExpressionAttributeValues={":by": n(by), ":end": n(_end(day))},
        )

    def _remember(self, owner: str, count: int, read_at: float) -> None:
        self._known[owner] = (count, read_at)
        self._known.move_to_end(owner)
        if len(self._known) > _OWNERS:
            self._known.popitem(last=False)


def _waiting(item: Attributes) -> int:
    try:
        return int(item["waiting"]["N"])
    except (KeyError, TypeError, ValueError):
        return 0  # none of ours: it must not keep an owner's events from waiting


def _key(owner: str) -> str:
    return PREFIX + hashlib.sha256(owner.encode("utf-8", "surrogatepass")).hexdigest()


def _end(day: str) -> int:
    return int((datetime.fromisoformat(day).replace(tzinfo=UTC) + _LIFE).timestamp())
