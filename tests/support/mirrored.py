"""A task store whose writes show up in the memory stack's stream."""

from __future__ import annotations

from collections.abc import Sequence

from a2a_lambda.core.ports import TaskPage, TaskQuery, TaskStore
from a2a_lambda.core.records import PushConfig, ResumeToken, TaskRecord
from a2a_lambda.testing.memory import MemoryTasks


class Mirrored:
    """Another table, of which the one in memory shows the images."""

    def __init__(self, store: TaskStore, memory: MemoryTasks) -> None:
        self._store, self._memory = store, memory

    def create(self, record: TaskRecord, configs: Sequence[PushConfig] = ()) -> bool:
        created = self._store.create(record, configs)
        self._show(record.task_id)
        return created

    def get(self, task_id: str) -> TaskRecord | None:
        return self._store.get(task_id)

    def update(self, record: TaskRecord) -> None:
        self._store.update(record)
        self._show(record.task_id)

    def set_resume_token(self, task_id: str, token: ResumeToken) -> TaskRecord | None:
        return self._store.set_resume_token(task_id, token)

    def query(self, query: TaskQuery) -> TaskPage:
        return self._store.query(query)

    def _show(self, task_id: str) -> None:
        after, before = self._store.get(task_id), self._memory.records.get(task_id)
        assert after is not None
        if before is None or before.generation != after.generation:
            self._memory.images.append((before, after))
            self._memory.records[task_id] = after
