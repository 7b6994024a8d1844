"""The webhook inside the stack that `make smoke` uses. Only there with SmokeInbox=true."""

import os
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from a2a_lambda.aws.http_api import read, write
from a2a_lambda.aws.inbox_table import InboxTable
from a2a_lambda.core.ports import Unavailable
from a2a_lambda.endpoint.http import json_response
from a2a_lambda.endpoint.inbox import Inbox
from a2a_lambda.observability import fault, logger
from a2a_lambda.settings import Environment


@lru_cache(maxsize=1)
def inbox() -> Inbox:
    env = Environment(os.environ)
    return Inbox(InboxTable(env.text("INBOX_TABLE")), _now, anonymous=env.text("AUTH_MODE") == "NONE")


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    request = read(event)
    try:
        response = inbox().answer(request)
    except Unavailable as error:
        logger.warning("the table is away", extra=fault(error))
        response = json_response({"error": "try again"}, 503)
    # The route, not the path: that has the token.
    logger.info("inbox", extra={"route": event.get("routeKey"), "status": response.status})
    return write(response)


def _now() -> datetime:
    return datetime.now(UTC)
