"""The trace that the present invocation belongs to, as W3C writes it."""

from __future__ import annotations

import os
import re

_HEADER = re.compile(r"Root=1-([0-9a-f]{8})-([0-9a-f]{24});.*?Parent=([0-9a-f]{16})(?:;.*?Sampled=([01]))?")


def traceparent() -> str | None:
    """``traceparent`` from what Lambda puts into ``_X_AMZN_TRACE_ID``; None where there is no trace."""
    found = _HEADER.search(os.environ.get("_X_AMZN_TRACE_ID", ""))
    if found is None:
        return None
    epoch, unique, parent, sampled = found.groups()
    return f"00-{epoch}{unique}-{parent}-0{sampled or '0'}"
