"""The template deployed on a local AWS: one emulator for all tests, one stack for each set of parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from emulator import Emulator
from local_aws import local_aws
from push_client import A2AClient
from push_webhook import Receiver
from stack import Stack, deploy

AGENTS = Path(__file__).parent / "agents"


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    with local_aws(python_path=[AGENTS]) as running:
        yield running


@pytest.fixture(scope="session")
def stack(emulator: Emulator) -> Stack:
    """The template as it comes."""
    return deploy(emulator, "test", {})


@pytest.fixture(scope="module")
def stack_with(emulator: Emulator, request: pytest.FixtureRequest) -> Iterator[Callable[..., Stack]]:
    """Deploys a stack with these template parameters, once for all tests of the module that ask for the same."""
    deployed: dict[frozenset[tuple[str, str]], Stack] = {}

    def stack(**parameters: str) -> Stack:
        key = frozenset(parameters.items())
        if key not in deployed:
            name = f"{request.module.__name__.rpartition('_')[2]}{len(deployed)}"
            deployed[key] = deploy(emulator, name, parameters)
        return deployed[key]

    yield stack
    for made in deployed.values():  # each has pollers of its own, which slow down all that come after
        made.client("cloudformation").delete_stack(StackName=made.name)


@pytest.fixture
def client(stack: Stack) -> Iterator[A2AClient]:
    with A2AClient(stack.endpoint) as connected:
        yield connected


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver(port=0) as listening:
        yield listening
