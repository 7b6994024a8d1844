"""Translation loses nothing: what a dialect writes it reads again as the same, and so do the official SDK's types."""

from __future__ import annotations

import json
from typing import Any

import pytest
from a2a.compat.v0_3 import conversions
from a2a.compat.v0_3 import types as v03_types
from a2a.types import a2a_pb2
from google.protobuf.json_format import MessageToDict, ParseDict
from hypothesis import given, settings
from hypothesis import strategies as st
from proto_json import faults

from a2a_lambda.core.changes import changes
from a2a_lambda.core.model import TaskState
from a2a_lambda.core.records import PushConfig
from a2a_lambda.dialects import legacy, legacy_params, v0_3, v0_3_params, v1, v1_params
from a2a_lambda.dialects.webhooks import BY_NAME

settings.register_profile("steady", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("steady")

# No surrogates, which no encoding can write; the sizes keep the run short.
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
name = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
# Integers beyond a double's precision are not the same number for every JSON reader.
scalar = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(-1e6, 1e6) | text
value = st.recursive(
    scalar, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(name, inner, max_size=3), max_leaves=5
)
# Empty metadata and none are the same to protocol buffers.
metadata = st.dictionaries(name.filter(lambda key: key != v0_3.WRAPPED), value, min_size=1, max_size=2)
base64 = st.sampled_from(["", "AA==", "aGVsbG8=", "/+8=", "TWFu"])


@st.composite
def optional(draw: st.DrawFn, **fields: st.SearchStrategy[Any]) -> dict[str, Any]:
    """A dictionary that has some of the fields."""
    return {key: draw(strategy) for key, strategy in fields.items() if draw(st.booleans())}


@st.composite
def part(draw: st.DrawFn, *, named_content: bool = True) -> dict[str, Any]:
    kind = draw(st.sampled_from(["text", "raw", "url", "data"]))
    content = {"text": text, "raw": base64, "url": text, "data": value}[kind]
    described = {"filename": name, "mediaType": name} if named_content or kind in ("raw", "url") else {}
    return {kind: draw(content), **draw(optional(metadata=metadata, **described))}


@st.composite
def message(draw: st.DrawFn, *, named_content: bool = True) -> dict[str, Any]:
    return {
        "messageId": draw(name),
        "role": draw(st.sampled_from(["ROLE_USER", "ROLE_AGENT"])),
        "parts": draw(st.lists(part(named_content=named_content), min_size=1, max_size=3)),
        **draw(
            optional(
                contextId=name,
                taskId=name,
                metadata=metadata,
                extensions=st.lists(name, min_size=1, max_size=2),
                referenceTaskIds=st.lists(name, min_size=1, max_size=2),
            )
        ),
    }


@st.composite
def task(draw: st.DrawFn, *, named_content: bool = True) -> dict[str, Any]:
    artifact = st.fixed_dictionaries(
        {"artifactId": name, "parts": st.lists(part(named_content=named_content), min_size=1, max_size=2)},
        optional={"name": name, "description": name, "metadata": metadata, "extensions": st.lists(name, min_size=1)},
    )
    messages = message(named_content=named_content)
    status = {"state": draw(st.sampled_from(list(TaskState))).value, "timestamp": "2026-01-01T00:00:00.123Z"}
    return {
        "id": draw(name),
        "contextId": draw(name),
        "status": {**status, **draw(optional(message=messages))},
        **draw(
            optional(
                artifacts=st.lists(artifact, min_size=1, max_size=2),
                history=st.lists(messages, min_size=1, max_size=2),
                metadata=metadata,
            )
        ),
    }


def on_the_wire(written: Any) -> Any:
    return json.loads(json.dumps(written, ensure_ascii=False))


WRITERS = {
    legacy.NAME: (legacy.message, legacy_params.LegacyMessage),
    v0_3.NAME: (v0_3.message, v0_3_params.V03Message),
    v1.NAME: (lambda canonical: canonical, v1_params.V1Message),
}


@pytest.mark.parametrize("dialect", WRITERS)
@given(canonical=message())
def test_a_message_that_a_dialect_wrote_is_read_as_it_was(dialect: str, canonical: dict[str, Any]) -> None:
    write, model = WRITERS[dialect]
    assert model.model_validate(on_the_wire(write(canonical))).canonical() == canonical  # type: ignore[arg-type,operator]


@given(canonical=task(named_content=False))
def test_the_sdk_reads_a_task_of_0_3_as_the_task_that_it_is(canonical: dict[str, Any]) -> None:
    read = v03_types.Task.model_validate(on_the_wire(v0_3.task(canonical)))  # type: ignore[arg-type]
    assert MessageToDict(conversions.to_core_task(read)) == MessageToDict(ParseDict(canonical, a2a_pb2.Task()))


@given(canonical=task())
def test_a_task_is_what_the_proto_file_says(canonical: dict[str, Any]) -> None:
    assert list(faults(canonical, "Task")) == []
    ParseDict(canonical, a2a_pb2.Task())


@given(canonical=task())
def test_webhook_bodies_are_what_their_dialect_says(canonical: dict[str, Any]) -> None:
    change = changes(None, canonical, 1)  # type: ignore[arg-type]
    bodies = {name: [json.loads(body) for _, body in BY_NAME[name].notifications(change)] for name in BY_NAME}
    for body in bodies[v1.NAME]:
        assert list(faults(body, "StreamResponse")) == []
    (whole,) = bodies[v0_3.NAME]
    assert whole == on_the_wire(v0_3.task(canonical))  # type: ignore[arg-type]
    assert whole["kind"] == "task"
    (status,) = bodies[legacy.NAME]
    assert (status["taskId"], status["type"]) == (canonical["id"], "TaskStatusUpdateEvent")


@given(
    schemes=st.lists(name, min_size=1, max_size=3),
    credentials=st.none() | name,
    token=st.none() | name,
    config_id=name,
)
def test_a_config_of_0_3_comes_back_as_it_was_set(
    schemes: list[str], credentials: str | None, token: str | None, config_id: str
) -> None:
    authentication = {"schemes": schemes, **({"credentials": credentials} if credentials else {})}
    sent = {"id": config_id, "url": "https://hooks.example.com/", "authentication": authentication}
    params = {"taskId": "t", "pushNotificationConfig": {**sent, **({"token": token} if token else {})}}
    request = v0_3_params.V03SetPush.model_validate(params).request()
    stored = PushConfig(
        task_id=request.task_id,
        config_id=request.config_id or "",
        owner="o",
        url=request.url,
        dialect=request.dialect,
        incarnation="i",
        token=request.token,
        authentication=request.authentication,
    )
    assert v0_3.push_config(stored) == params
    assert list(faults(v1.push_config(stored), "TaskPushNotificationConfig")) == []
