"""What an agent remembers of a conversation from task to task."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from ..core.model import Json, dumps
from ..core.ports import Clock, ContextStore
from ..core.records import ContextMemory
from .writing import AgentError, checked_json

MAX_MEMORY = 350_000
"""Bytes of ``task.memory`` as JSON: an item holds 400 kB."""


class RunMemory:
    """``task.memory`` of one try of a run: read when the step first asks for it, and never if it does not.

    What a step changed is written with the write that ends its run, both or neither. So a try that dies leaves nothing,
    and the next one reads what it has read, unless another task of the conversation has written since.
    """

    def __init__(self, store: ContextStore | None, conversation: str, clock: Clock, lifetime: timedelta) -> None:
        self._store, self._conversation = store, conversation
        self._clock, self._lifetime = clock, lifetime
        self._read: ContextMemory | None = None
        self._before: Json = {}
        self._content: Json | None = None

    def content(self) -> Json:
        """The dictionary that the step works on. Raises :class:`Unavailable`, and :class:`AgentError` for a stack that
        has no table for it."""
        if self._content is None:
            if self._store is None:
                raise AgentError("this stack has no table for task.memory: deploy its template")
            self._read = self._store.get(self._conversation)
            found = self._read.content if self._read is not None and not self._expired(self._read) else {}
            self._before, self._content = checked_json(found, "task.memory"), checked_json(found, "task.memory")
        content: Json = self._content
        return content

    def changed(self) -> ContextMemory | None:
        """What is to be written; None if the step has changed nothing. Raises :class:`AgentError` if it cannot be."""
        if self._content is None:
            return None
        content: Any = checked_json(self._content, "task.memory")
        if content == self._before:
            return None
        size = len(dumps(content).encode())
        if size > MAX_MEMORY:
            raise AgentError(f"task.memory has {size} bytes as JSON, {MAX_MEMORY} are possible")
        version = self._read.version if self._read is not None else 0
        expires_at = int((self._clock() + self._lifetime).timestamp())
        return ContextMemory(self._conversation, content, version + 1, expires_at)

    def _expired(self, memory: ContextMemory) -> bool:
        """DynamoDB removes it some time later."""
        moment: datetime = self._clock()
        return memory.expires_at <= moment.timestamp()
