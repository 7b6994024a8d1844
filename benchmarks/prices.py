"""`make prices`: what a demo task and an open stream cost, written into README and docs/streaming.md."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from io import StringIO

import pytest
import stream_prices
import task_prices
from cloud_stack import CloudStack
from harness import Options
from moto import mock_aws
from price_list import write
from task_prices import Counted


def counted() -> Counted:
    """The calls of one demo task on an AWS in process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        for name in ("POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_SERVICE_NAME"):
            patch.setenv(name, "prices")
        patch.setenv("POWERTOOLS_LOG_LEVEL", "CRITICAL")
        with mock_aws():
            stack = CloudStack(Options(), patch)
            with redirect_stdout(StringIO()):  # the functions' metrics
                found = task_prices.count(stack)
            stack.close()
    return found


def main() -> int:
    """Write both tables, and print them."""
    found = counted()
    try:
        for page, table in (
            (task_prices.README, task_prices.table(found)),
            (stream_prices.PAGE, stream_prices.table(found)),
        ):
            write(page, table)
            print(table)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
