"""Stand-ins for what the runtime talks to: a webhook that answers by a script, a clock that others can listen to."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from typing import Any

from lanes import run_lanes

from a2a_lambda.agent.run import Halt
from a2a_lambda.push.outcome import Answer, Failure, Lane, Post
from a2a_lambda.testing.memory import VirtualTime

OK = Answer(status=200)


class ListeningTime(VirtualTime):
    """Virtual time in which something happens while others sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []
        self.on_sleep: Callable[[], object] = lambda: None

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.slept.append(seconds)
        self.on_sleep()


class ScriptedSender:
    """``sender.Sender`` without sockets. Each URL answers with its script and then for ever with the last entry.

    A lane stops at its first failure, as the real one does. ``posts`` holds everything that was sent, in order, and
    ``allowed`` for how long each might wait.
    """

    def __init__(self, time: VirtualTime | None = None) -> None:
        self.posts: list[Post] = []
        self.budgets: list[float] = []
        self.allowed: list[float] = []
        self._time = time
        self._scripts: dict[str, deque[Answer]] = defaultdict(lambda: deque([OK]))

    def answers(self, url: str, *answers: Answer | int | Failure) -> None:
        """What the URL answers from now on: an answer, a status, or an error."""
        self._scripts[url] = deque(_answer(answer) for answer in answers)

    def script(self, url: str) -> list[Answer]:
        """What the URL is going to answer, the last one for ever."""
        return [*self._scripts[url]]

    def run(self, lanes: Iterable[Lane | None], seconds: float) -> None:
        self.budgets.append(seconds)
        time = self._time or VirtualTime()
        run_lanes(lanes, seconds, time, lambda moment: time.sleep((moment - time.now).total_seconds()), self._send)

    def _send(self, post: Post, seconds: float) -> Answer:
        self.posts.append(post)
        self.allowed.append(seconds)
        script = self._scripts[post.url]
        return script.popleft() if len(script) > 1 else script[0]

    def bodies(self, url: str | None = None) -> list[str]:
        """The bodies that were sent, to one URL or to all."""
        return [post.body.decode() for post in self.posts if url in (None, post.url)]

    def urls(self) -> list[str]:
        """Where the posts went, in order."""
        return [post.url for post in self.posts]


def _answer(value: Answer | int | Failure) -> Answer:
    if isinstance(value, Answer):
        return value
    return Answer(status=value) if isinstance(value, int) else Answer(error=value)


class Crash(Halt):
    """The process ends here. No ``except Exception`` sees it, as nothing sees a killed process."""


class LambdaContext:
    """What Lambda gives to a handler."""

    function_name = "function"
    function_version = "$LATEST"
    memory_limit_in_mb = 1024
    invoked_function_arn = "arn:aws:lambda:us-east-1:111122223333:function:function"
    aws_request_id = "00000000-0000-4000-8000-000000000000"

    def __init__(self, remaining_ms: Callable[[], int] = lambda: 60_000) -> None:
        self._remaining_ms = remaining_ms

    def get_remaining_time_in_millis(self) -> int:
        return self._remaining_ms()


def header(post: Post, name: str) -> str | None:
    """The value of a header of a post; None if it has none of that name."""
    values: list[Any] = [value for header_name, value in post.headers if header_name.lower() == name.lower()]
    assert len(values) < 2, f"{name} was sent twice"
    return values[0] if values else None
