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
Base64 = Annotated[str, AfterValidator(_base64)]


class Params(BaseModel):
    """Base of everything that is read."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", strict=True)


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
        present = [name for name in ("text", "raw", "url") if getattr(self, name) is not None]
        # JSON null is a value of its own for `data`, unless something else is there.
        if self.data is not None or ("data" in self.model_fields_set and not present):
            present.append("data")
        if len(present) != 1:
            raise ValueError("exactly one of text, raw, url and data is required")
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
    extensions: list[str] | None = None
    reference_task_ids: list[str] | None = None

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
        violations = [
            FieldViolation(".".join(str(step) for step in fault["loc"]) or "params", fault["msg"])
            for fault in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        first = violations[0]
        raise InvalidParams(f"Invalid parameters: {first.field}: {first.description}", violations[:20]) from None


def reader(model: type[P], build: Callable[[P], Any]) -> Callable[[dict[str, Any]], Any]:
    """A function from parameters to a request."""
    return lambda params: build(parse(model, params))
