"""Unit tests open no socket: what talks to AWS is given moto, what talks to webhooks a stand-in."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import pytest_socket
from cloud_stack import CloudStack
from deliveries import Deliveries, url_of
from harness import Options, Stack
from memory_stack import MemoryStack

from a2a_lambda.core.ports import QueuedNotification


@pytest.fixture(autouse=True)
def closed_sockets() -> Iterator[None]:
    pytest_socket.disable_socket(allow_unix_socket=True)
    yield
    pytest_socket.enable_socket()


@pytest.fixture(autouse=True)
def own_log_level() -> Iterator[None]:
    """A command quiets the layer's warnings for its process; the next test has to see them."""
    logger = logging.getLogger("a2a_lambda")
    level = logger.level
    yield
    logger.setLevel(level)


@pytest.fixture(scope="session")
def aws() -> Iterator[None]:
    """AWS in process, with credentials that open nothing."""
    from moto import mock_aws

    from a2a_lambda.aws.clients import client

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        with mock_aws():
            client.cache_clear()
            yield
            client.cache_clear()


@pytest.fixture
def cloud_stack(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., CloudStack]]:
    """Makes stacks on moto, for tests of what only handlers and adapters do."""
    made: list[CloudStack] = []

    def make(**options: Any) -> CloudStack:
        made.append(CloudStack(Options(**options), monkeypatch))
        return made[-1]

    yield make
    for stack in made:
        stack.close()


@pytest.fixture
def world() -> Deliveries:
    """Notifier and redelivery around a stack in memory."""
    return Deliveries(MemoryStack(Options()))


@pytest.fixture
def waiting(world: Deliveries) -> list[QueuedNotification]:
    """A whole task's notifications, all in the queue: the first attempt ran into its deadline."""
    task_id = world.task("a", token="t-1")
    world.sender.answers(url_of("a"), "timeout")
    world.stack.work(task_id)
    world.notify()
    world.sender.posts.clear()
    world.sender.answers(url_of("a"), 200)
    return list(world.queue.messages)


@pytest.fixture(params=["memory", "moto"])
def new_stack(request: pytest.FixtureRequest) -> Callable[..., Stack]:
    """Makes a stack with some of the template's parameters set: once in memory, once on moto."""
    if request.param == "memory":
        return lambda **options: MemoryStack(Options(**options))
    make: Callable[..., Stack] = request.getfixturevalue("cloud_stack")
    return make


@pytest.fixture
def stack(new_stack: Callable[..., Stack]) -> Stack:
    """The default stack: once in memory, once on moto."""
    return new_stack()


@pytest.fixture
def memory() -> MemoryStack:
    """The default stack in memory only."""
    return MemoryStack(Options())


class PresentStdout:
    """Standard output as it is when something is written. The logger keeps the one of its first test otherwise."""

    def write(self, text: str) -> None:
        sys.stdout.write(text)

    def flush(self) -> None:
        sys.stdout.flush()


@pytest.fixture
def output(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """What the functions wrote since the last call: log lines and metrics."""
    from a2a_lambda.observability import logger

    for handler in logger.handlers:
        handler.stream = PresentStdout()
    return lambda: "".join(capsys.readouterr())
