"""Whatever a record, an item or a message holds, it alone is set aside: the handlers, fed with a grammar of bad values.

Each batch has a witness, which must get everything each time; and no credential is in a log line or a failure message.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from agents import one_step
from cloud_stack import CloudStack


@pytest.fixture
def stack(cloud_stack: Callable[..., CloudStack], output: Callable[[], str]) -> CloudStack:
    made = cloud_stack(agent=one_step())
    assert all((made.redelivery_queue, made.dead_letters, made.stream_failures))
    output()
    return made
