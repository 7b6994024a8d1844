"""The same task as a stream: `tasks/sendSubscribe` on a thread of its own, beside the webhook."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from push_client import A2AClient, DemoError
from push_webhook import Push, as_push, state_of

ENDED = {"completed", "failed", "canceled", "rejected"}


class TaskStream:
    """Sends a task and watches it, until it ends. `show` gets each status after the first, as the `Push` it would be.

    A stream that ends before its task (it has a time limit, and ends with a question) is taken up again with
    `tasks/resubscribe`.
    """

    def __init__(self, client: A2AClient, show: Callable[[Push], object] = lambda _: None) -> None:
        self.events: list[Push] = []
        self._client = client
        self._show = show
        self._first: queue.SimpleQueue[dict[str, Any] | DemoError] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._failure: DemoError | None = None

    def begin(self, text: str, timeout: float = 30.0) -> dict[str, Any]:
        """The task in the first event: `id` and `status`. Raises DemoError."""
        threading.Thread(target=self._run, args=(text,), daemon=True).start()
        try:
            first = self._first.get(timeout=timeout)
        except queue.Empty:
            raise DemoError(f"tasks/sendSubscribe sent no event within {timeout:g} s: see make probe-stream.") from None
        if isinstance(first, DemoError):
            raise first
        return first

    def finish(self, timeout: float) -> list[Push]:
        """All events, once the task has ended or the seconds are over. Raises DemoError if the stream broke."""
        self._ended.wait(timeout)
        if self._failure is not None:
            raise self._failure
        return list(self.events)

    def _run(self, text: str) -> None:
        try:
            state = self._follow("tasks/sendSubscribe", {"message": self._client.message(text)})
            while state not in ENDED:
                task = self._client.get_task(self.events[0].task_id)
                if state_of(task) in ENDED:
                    break
                state = self._follow("tasks/resubscribe", {"id": task["id"]})
        except DemoError as error:
            self._failure = error
            self._first.put(error)
        finally:
            self._ended.set()

    def _follow(self, method: str, params: dict[str, Any]) -> str:
        """The last state in one stream."""
        state = ""
        for result in events_of(self._client.stream(method, params)):
            state = state_of(result) if "status" in result else state
            if "type" not in result:  # the task as it is: what it tells is known, or will be told
                continue
            event = as_push(json.dumps(result).encode(), "")
            self.events.append(event)
            if len(self.events) == 1:
                self._first.put({"id": event.task_id, "status": event.status})
            elif event.status:
                self._show(event)
        return state


def agreement(streamed: Sequence[Push], pushes: Sequence[Push]) -> tuple[bool, str]:
    """Whether a stream told the statuses that were pushed, in that order and none besides from the first push on; and
    what to say of it."""
    statuses, pushed = [event.payload for event in streamed if event.status], [push.payload for push in pushes]
    agree = bool(pushed) and statuses[-len(pushed) :] == pushed
    return (
        agree,
        f"{len(streamed)} events, {sum(each in statuses for each in pushed)} of {len(pushed)} pushes among them",
    )


def events_of(pieces: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    """The result in each event of a stream of server-sent events. Raises DemoError for an error in it."""
    rest = b""
    for piece in pieces:
        *blocks, rest = (rest + piece).split(b"\n\n")
        for block in blocks:
            data = b"".join(line.removeprefix(b"data: ") for line in block.split(b"\n") if line.startswith(b"data: "))
            if not data:
                continue  # a comment
            document = json.loads(data)
            if not isinstance(document.get("result"), dict):
                raise DemoError(f"The stream ended with an error ({document.get('error')}): look into the agent's log.")
            yield document["result"]
