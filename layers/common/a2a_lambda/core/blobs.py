"""Contents too large for the table: kept beside it, referred to in the task, and linked where the task goes out.

The stored task has a reference of ours in place of a link, because links expire: each answer and each attempt at a
webhook gets a fresh one. A reference names its task, and is followed for that task only, so that nobody comes by
another's content by writing its reference into a message.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import replace
from typing import Any, TypeAlias, cast

from .model import Artifact, Json, Part, Task, dumps
from .operations import FoundTask, Stream, TaskList
from .ports import Blobs

MAX_INLINE = 32_000
"""Bytes of one part's content that stay in the task. Every write of a task writes all of it, so less is cheaper."""

PREFIX = "a2a-blob:"

MAX_LINK = 2_000
"""Bytes by which a link is longer than its reference, at most: a presigned URL has the token of a role in it."""

Link: TypeAlias = Callable[[str], str]
"""From the key of a content to a URL where anybody can read it for a while."""


def unlinked(key: str) -> str:
    """The :data:`Link` of a stack without a bucket."""
    return PREFIX + key


def offloaded(artifact: Artifact, task_id: str, blobs: Blobs) -> Artifact:
    """The artifact with a reference in place of each large content, which is stored under its digest: a write that is
    repeated stores nothing new. Raises :class:`~.ports.Unavailable`."""
    return {**artifact, "parts": [_offloaded(part, task_id, blobs) for part in artifact["parts"]]}


def in_text(body: str, task_id: str, link: Link) -> str:
    """A notification about the task, with links in place of references."""
    if PREFIX not in body:
        return body
    return re.sub(rf"{PREFIX}({re.escape(task_id)}/[0-9a-f]{{64}})", lambda found: link(found[1]), body)


def size_with_links(task: Task) -> int:
    """Bytes of the task as JSON when it goes out, at most: no link is made for that."""
    text = dumps(task)
    return len(text.encode()) + text.count(f"{PREFIX}{task['id']}/") * MAX_LINK


def in_task(task: Task, link: Link) -> Task:
    """The task as it goes out, with links in place of references."""
    artifacts = task.get("artifacts")
    if not artifacts:
        return task
    return {**task, "artifacts": [{**each, "parts": _linked(each["parts"], task["id"], link)} for each in artifacts]}


def in_answer(answer: Any, link: Link) -> Any:
    """What the service answers, with links in the tasks of it."""
    if isinstance(answer, FoundTask):
        return replace(answer, task=in_task(answer.task, link))
    if isinstance(answer, Stream):
        return replace(answer, first=in_answer(answer.first, link), steps=_in_steps(answer, link))
    if isinstance(answer, TaskList):
        return replace(answer, tasks=[in_task(task, link) for task in answer.tasks])
    return in_task(cast("Task", answer), link) if isinstance(answer, dict) and "artifacts" in answer else answer


def _in_steps(stream: Stream, link: Link) -> Generator[Any, None, None]:
    with closing(stream.steps) as steps:
        for step in steps:
            yield step and step._replace(events=tuple((n, _in_event(each, link)) for n, each in step.events))


def _in_event(event: Json, link: Link) -> Json:
    update = event.get("artifactUpdate")
    if update is None:
        return event
    parts = _linked(update["artifact"]["parts"], update["taskId"], link)
    return {"artifactUpdate": {**update, "artifact": {**update["artifact"], "parts": parts}}}


def _linked(parts: list[Part], task_id: str, link: Link) -> list[Part]:
    return [{**part, "url": in_text(part["url"], task_id, link)} if "url" in part else part for part in parts]


def _offloaded(part: Part, task_id: str, blobs: Blobs) -> Part:
    if "text" in part:
        body, media_type = part["text"].encode(), "text/plain; charset=utf-8"
    elif "raw" in part:
        body, media_type = base64.b64decode(part["raw"]), "application/octet-stream"
    elif "data" in part:
        body, media_type = dumps(part["data"]).encode(), "application/json"
    else:
        return part
    if len(body) <= MAX_INLINE:
        return part
    key = f"{task_id}/{hashlib.sha256(body).hexdigest()}"
    kept: Part = {"url": PREFIX + key, "mediaType": part.get("mediaType", media_type)}
    if "filename" in part:
        kept["filename"] = part["filename"]
    if "metadata" in part:
        kept["metadata"] = part["metadata"]
    blobs.put(key, body, kept["mediaType"])
    return kept
