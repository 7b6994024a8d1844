"""The queue for records of the stream that cannot be worked on: an operator sees them, and nobody waits for them."""

from __future__ import annotations

import base64
import json
import logging
import zlib
from collections.abc import Mapping
from typing import Any

from ..core.ports import Poison, Unreached
from .clients import client, code_of

_log = logging.getLogger(__name__)

_LARGEST = 1_000_000
"""Characters of a packed record that a message, of 1 MiB, has room for."""

_SHORT = 5_000
"""Characters: a key of the table has 2,048 bytes at most."""


class StreamFailures:
    """The queue by its URL."""

    def __init__(self, url: str) -> None:
        self._url = url

    def send(self, record: Mapping[str, Any], error: Poison) -> bool:
        """Keep the record for an operator: whole, or without its images where it is larger than a message. Where all
        but some configs received it, with the ids of those. False: it could not be kept, whatever the reason."""
        from botocore.exceptions import BotoCoreError, ClientError

        packed = _packed(record)
        event_id = _short(_part(record, "eventID"))
        body: dict[str, Any] = {"reason": error.reason, "eventID": event_id, "packedRecord": packed}
        if isinstance(error, Unreached):
            body["unreadableConfigs"] = error.config_ids
        if packed is None:
            body["keys"] = _short(_part(_part(record, "dynamodb"), "Keys"))
        try:
            client("sqs").send_message(QueueUrl=self._url, MessageBody=json.dumps(body))
        except (BotoCoreError, ClientError) as failure:
            _log.error("SendMessage failed: %s", code_of(failure) or type(failure).__name__)
            return False
        return True


def _short(value: Any) -> Any:
    """What names the record, if it is of a size for that."""
    try:
        return value if len(json.dumps(value)) <= _SHORT else None
    except (RecursionError, TypeError, ValueError):
        return None


def _packed(record: Any) -> str | None:
    """None: it is too large, or nested so deeply that it cannot be written."""
    try:
        text = json.dumps(_without_token(record))
    except (RecursionError, TypeError, ValueError):
        return None
    packed = base64.b64encode(zlib.compress(text.encode())).decode()
    return packed if len(packed) <= _LARGEST else None


def _without_token(record: Any) -> Any:
    """The record without the task token that its images may hold: messages carry no credentials."""
    change = _part(record, "dynamodb")
    if not isinstance(change, Mapping):
        return record
    return {**record, "dynamodb": {name: _kept(name, part) for name, part in change.items()}}


def _kept(name: str, part: Any) -> Any:
    if not name.endswith("Image"):
        return part
    return {key: value for key, value in part.items() if key != "resumeToken"} if isinstance(part, Mapping) else None


def _part(whole: Any, name: str) -> Any:
    return whole.get(name) if isinstance(whole, Mapping) else None
