"""What has to be set before any module of the functions is imported."""

from __future__ import annotations

import os

# The functions' logger and metrics read them when they are imported, whichever test imports them first.
os.environ.update(POWERTOOLS_METRICS_NAMESPACE="A2A/test", POWERTOOLS_SERVICE_NAME="test")
