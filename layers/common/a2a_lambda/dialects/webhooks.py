"""Which dialect a config's webhooks speak: the one it was registered in."""

from __future__ import annotations

from . import legacy, v0_3, v1
from .base import WebhookDialect

BY_NAME: dict[str, WebhookDialect] = {module.NAME: module for module in (legacy, v0_3, v1)}
