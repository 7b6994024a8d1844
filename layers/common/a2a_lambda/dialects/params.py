"""Reading parameters: the pieces that the dialects share.

Unknown fields are ignored (specification section 5.7), names come in camelCase or snake_case (proto-JSON accepts
both), null and "" are the same as absent where the field is optional.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from ..core.errors import FieldViolation, InvalidParams
from ..core.model import Json, Message, Part, Role

MAX_ID = 256
"""Characters of an id that comes from a client."""

MAX_URI = 2_048
"""Characters of a URI, or of a media type."""

MAX_PARTS = 1_000
"""Parts of a message."""

MAX_NAMED = 50
"""Entries of a list of names: extensions, referenced tasks, media types, schemes, types of events."""

_MAX_VIOLATIONS = 20


def _empty_is_none(value: Any) -> Any:
    return None if value == "" else value


def _whole_number(value: Any) -> Any:
    """Proto-JSON writes an int32 as a number, with or without a fraction of zero, or as a string."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if (
        isinstance(value, str)
        and len(value) <= 11
        and value.removeprefix("-").isascii()
        and value.removeprefix("-").isdigit()
    ):
        return int(value)
    return value


def _base64(text: str) -> str:
    """In the standard alphabet and padded. Proto-JSON accepts the URL-safe one as well, and no padding."""
    bare = text.replace("-", "+").replace("_", "/").rstrip("=")
    normal = bare + "=" * (-len(bare) % 4)
    try:
        base64.b64decode(normal, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("must be base64") from None
    return normal


Id = Annotated[str, Field(min_length=1, max_length=MAX_ID)]
OptionalId = Annotated[Annotated[str, Field(max_length=MAX_ID)] | None, BeforeValidator(_empty_is_none)]
OptionalText = Annotated[str | None, BeforeValidator(_empty_is_none)]
Int32 = Annotated[int, BeforeValidator(_whole_number), Field(ge=-(2**31), lt=2**31)]
Count = Annotated[Int32, Field(ge=0)]
Uris = Annotated[list[Annotated[str, Field(max_length=MAX_URI)]], Field(max_length=MAX_NAMED)]
Ids = Annotated[list[Annotated[str, Field(max_length=MAX_ID)]], Field(max_length=MAX_NAMED)]
Base64 = Annotated[str, AfterValidator(_base64)]


class Params(BaseModel):
    """Base of everything that is read."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="ignore", strict=True, defer_build=True
    )


class AnyPartParams(Params):
    """What a part may have beside its content, in every dialect."""

    metadata: Json | None = None
    filename: OptionalText = None
    media_type: OptionalText = None

    def canonical_with(self, content: Part) -> Part:
        """The part in the canonical model."""
        if self.metadata is not None:
            content["metadata"] = self.metadata
        if self.filename is not None:
            content["filename"] = self.filename
        if self.media_type is not None:
            content["mediaType"] = self.media_type
        return content


class PartParams(AnyPartParams):
    """A part as legacy and 1.0 write it (section 4.1.6)."""

    text: str | None = None
    raw: Base64 | None = None
    url: str | None = None
    data: Any = None

    @model_validator(mode="after")
    def _one_content(self) -> PartParams:
        given = {name: getattr(self, name) for name in ("text", "raw", "url") if getattr(self, name) is not None}
        # JSON null is a value of its own for `data`, unless something else is there.
        if self.data is not None or ("data" in self.model_fields_set and not given):
            given["data"] = self.data
        # Writers that know no absent members leave the others empty.
        filled = [name for name, value in given.items() if value != ""] if len(given) > 1 else [*given]
        if len(filled) != 1:
            raise ValueError("exactly one of text, raw, url and data is required")
        for name in {"text", "raw", "url"} - {*filled}:
            setattr(self, name, None)
        return self

    def canonical(self) -> Part:
        """The part in the canonical model."""
        if self.text is not None:
            return self.canonical_with({"text": self.text})
        if self.raw is not None:
            return self.canonical_with({"raw": self.raw})
        if self.url is not None:
            return self.canonical_with({"url": self.url})
        return self.canonical_with({"data": self.data})


class MessageParams(Params):
    """What all dialects' messages have in common; subclasses bring ``role`` and ``parts``."""

    message_id: Id
    context_id: OptionalId = None
    task_id: OptionalId = None
    metadata: Json | None = None
    extensions: Uris | None = None
    reference_task_ids: Ids | None = None

    def canonical_with(self, role: Role, parts: list[Part]) -> Message:
        """The message in the canonical model."""
        message: Message = {"messageId": self.message_id, "role": role, "parts": parts}
        if self.context_id is not None:
            message["contextId"] = self.context_id
        if self.task_id is not None:
            message["taskId"] = self.task_id
        if self.metadata is not None:
            message["metadata"] = self.metadata
        if self.extensions:
            message["extensions"] = self.extensions
        if self.reference_task_ids:
            message["referenceTaskIds"] = self.reference_task_ids
        return message


P = TypeVar("P", bound=Params)


def parse(model: type[P], params: dict[str, Any]) -> P:
    """The parameters as a model. Raises :class:`InvalidParams` that names each field at fault, never its value."""
    try:
        return model.model_validate(params)
    except ValidationError as error:
        violations = _violations(error)
    # Not within the handler: pydantic's error shows the collector nothing of what it holds, which is the frames of our
    # validators. As the context of another error, which these frames know, it would be a cycle that is never freed.
    first = violations[0]
    raise InvalidParams(f"Invalid parameters: {first.field}: {first.description}", violations)


def _violations(error: ValidationError) -> list[FieldViolation]:
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    return [
        FieldViolation(".".join(str(step) for step in fault["loc"]) or "params", fault["msg"])
        for fault in faults[:_MAX_VIOLATIONS]
    ]


def reader(model: type[P], build: Callable[[P], Any]) -> Callable[[dict[str, Any]], Any]:
    """A function from parameters to a request."""
    return lambda params: build(parse(model, params))
