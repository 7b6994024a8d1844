"""The queue for records of the stream that cannot be worked on: an operator sees them, and nobody waits for them."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any

from .clients import client, guarded

_LARGEST = 1_000_000
"""Characters of a packed record that a message, of 1 MiB, has room for."""


class StreamFailures:
    """The queue by its URL."""

    def __init__(self, url: str) -> None:
        self._url = url

    @guarded
    def send(self, record: Mapping[str, Any], reason: str) -> None:
        """Keep the record for an operator: whole, or without its images where it is larger than a message."""
        text = json.dumps(_without_token(record))
        packed = base64.b64encode(zlib.compress(text.encode())).decode()
        body: dict[str, Any] = {"reason": reason, "eventID": record.get("eventID"), "packedRecord": packed}
        if len(packed) > _LARGEST:
            body["packedRecord"] = None
            body["keys"] = record["dynamodb"].get("Keys")
        client("sqs").send_message(QueueUrl=self._url, MessageBody=json.dumps(body))


def _without_token(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record without the task token that its images may hold: messages carry no credentials."""
    change = {
        name: {key: value for key, value in part.items() if key != "resumeToken"} if name.endswith("Image") else part
        for name, part in record["dynamodb"].items()
    }
    return {**record, "dynamodb": change}
