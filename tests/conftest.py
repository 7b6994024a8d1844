"""What has to be set before any module of the functions is imported."""

from __future__ import annotations

import importlib.metadata
import os

# The functions' logger and metrics read them when they are imported, whichever test imports them first.
os.environ.update(POWERTOOLS_METRICS_NAMESPACE="A2A/test", POWERTOOLS_SERVICE_NAME="test")

# An agent may bring the official SDK of A2A 0.3, which then is there in the place of today's.
if importlib.metadata.version("a2a-sdk").startswith("0."):
    collect_ignore = [
        "conformance/test_clients.py",
        "integration/test_official_client.py",
        "unit/dialects/test_round_trips.py",
    ]
