"""How often, and when, a conditional write is tried again that lost against another writer."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

PAUSES = (0.02, 0.04, 0.08, 0.16, 0.32, 0.5, 0.5, 0.5, 0.5)
"""Seconds before each further try: less than three in all, because a client waits."""


def tries(sleep: Callable[[float], None]) -> Iterator[None]:
    """Once, and again after each pause.

    An agent that streams its results writes many times a second: who comes again at once loses again. A random part of
    each pause sets apart those who lost together.
    """
    yield
    for pause in PAUSES:
        sleep(random.uniform(pause / 2, pause))  # noqa: S311
        yield
