"""A message before it becomes part of a task: what the agent does not take is refused, and it may answer directly."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from ..agent.agent import Extension, MessageFunction
from ..core.errors import ContentTypeNotSupported, ExtensionSupportRequired, InvalidAgentResponse, InvalidParams
from ..core.lifecycle import task_id_for
from ..core.model import Message, Part
from ..core.operations import SendMessage


@dataclass(frozen=True, slots=True)
class Reception:
    """``input_modes`` are the media types that the agent takes (empty: all), ``first_look`` is its function that may
    answer a message without a task."""

    input_modes: Sequence[str] = ()
    extensions: Sequence[Extension] = ()
    first_look: MessageFunction | None = None

    def check(self, request: SendMessage) -> None:
        """Raises :class:`InvalidParams` (a message that is not the client's), :class:`ExtensionSupportRequired` or
        :class:`ContentTypeNotSupported` (section 3.3.2)."""
        if request.message["role"] != "ROLE_USER":
            raise InvalidParams.of("message.role", "must be that of the user")
        for extension in self.extensions:
            if extension.required and extension.uri not in request.extensions:
                raise ExtensionSupportRequired(f"This agent requires the extension {extension.uri}")
        for place, part in enumerate(request.message["parts"]):
            media_type = media_type_of(part)
            if self.input_modes and media_type and not any(_covers(mode, media_type) for mode in self.input_modes):
                raise ContentTypeNotSupported(f"Part {place} has a media type that the agent does not take")

    def answer(self, owner: str, message: Message) -> Message | None:
        """The agent's direct answer to a message that belongs to no task, or None if it is to become one.

        The same message again gets an answer with the same ids. Raises :class:`InvalidAgentResponse`.
        """
        if self.first_look is None or "taskId" in message:
            return None
        said = self.first_look(message)
        if said is None:
            return None
        parts: list[Part] = [{"text": said}] if isinstance(said, str) else list(said)
        if not parts:
            raise InvalidAgentResponse
        seed = uuid.UUID(task_id_for(owner, message))
        return {
            "messageId": str(uuid.uuid5(seed, "answer")),
            "role": "ROLE_AGENT",
            "parts": parts,
            "contextId": message.get("contextId") or str(uuid.uuid5(seed, "context")),
        }


def media_type_of(part: Part) -> str:
    """The part's media type in lower case, without parameters. "" for a file that does not say."""
    stated = part.get("mediaType", "").partition(";")[0].strip().lower()
    if stated or "raw" in part or "url" in part:
        return stated
    return "text/plain" if "text" in part else "application/json"


def _covers(mode: str, media_type: str) -> bool:
    """Whether an input mode, which may be ``image/*`` or ``*/*``, takes the media type."""
    allowed = mode.partition(";")[0].strip().lower()
    return allowed in (media_type, "*/*") or (allowed.endswith("/*") and media_type.startswith(allowed[:-1]))
