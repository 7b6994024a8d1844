"""What an environment of Lambda does once, before its first event: there it has a whole core, and an event may have a
share of one only.

Handlers import this among the first: until :func:`prepare` is called, the collector of cycles is off on Lambda. It
would look through all modules again and again while they are loaded, and find nothing.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from typing import Any

from .clients import ON_LAMBDA, Service, client

_log = logging.getLogger(__name__)

if ON_LAMBDA:
    gc.disable()


def prepare(*parts: Callable[[], Any], services: tuple[Service, ...]) -> None:
    """On Lambda, make what most events need: ``parts``, each of which keeps what it has made, and the clients of
    ``services``. What cannot be made now is left to the event that needs it, and raises there. Elsewhere everything is
    made when it is first used."""
    if not ON_LAMBDA:
        return
    for make in (*parts, *(lambda name=name: client(name) for name in services)):
        try:
            make()
        except BaseException as error:  # noqa: BLE001 - an agent's module may even exit: an event says what is wrong
            _log.warning("not made before the first event: %s", type(error).__name__)
    gc.enable()
    gc.freeze()  # what is there now stays: later collections need not look at it
