"""What has to be set before any module of the functions is imported, and what may run beside what."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

HERE = Path(__file__).parent

# The functions' logger and metrics read them when they are imported, whichever test imports them first.
os.environ.update(POWERTOOLS_METRICS_NAMESPACE="A2A/test", POWERTOOLS_SERVICE_NAME="test")


@pytest.hookimpl(tryfirst=True)  # before the plugin looks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What runs side by side (`make test` does): a local AWS for each folder that needs one, else file by file."""
    for item in items:
        folder = item.path.relative_to(HERE).parts[0]
        together = folder if folder in ("integration", "conformance") else item.path.name
        item.add_marker(pytest.mark.xdist_group(together))
