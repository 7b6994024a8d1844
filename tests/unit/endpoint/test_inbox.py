"""The webhook inside the stack: who may make, fill, read and remove a box."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from a2a_lambda.endpoint.http import ANONYMOUS, HttpRequest
from a2a_lambda.endpoint.inbox import KEPT_HEADERS, LIFE, MAX_BODY, MAX_PUSHES, Box, Inbox, Push, name_of

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


class MemoryBoxes:
    """Boxes in a dictionary."""

    def __init__(self) -> None:
        self.boxes: dict[str, Box] = {}
        self.kept: dict[str, list[Push]] = {}

    def make(self, name: str, box: Box) -> None:
        self.boxes[name] = box
        self.kept[name] = []

    def get(self, name: str) -> Box | None:
        return self.boxes.get(name)

    def count(self, name: str, most: int) -> Box | None:
        box = self.boxes.get(name)
        if box is None or box.pushes >= most:
            return None
        self.boxes[name] = replace(box, pushes=box.pushes + 1)
        return self.boxes[name]

    def put(self, name: str, push: Push, expires_at: datetime) -> None:
        self.kept[name].append(push)

    def pushes(self, name: str, after: int) -> Sequence[Push]:
        return [push for push in self.kept[name] if push.number > after][:2]

    def delete(self, name: str) -> None:
        del self.boxes[name], self.kept[name]


class World:
    """An inbox, its boxes and its clock."""

    def __init__(self, *, anonymous: bool = False) -> None:
        self.boxes, self.now = MemoryBoxes(), NOW
        self.inbox = Inbox(self.boxes, lambda: self.now, anonymous=anonymous)

    def call(
        self, method: str, path: str, owner: str = "iam:alice", body: bytes = b"", **more: Any
    ) -> tuple[int, dict[str, Any]]:
        request = HttpRequest(method, path, owner, "https://inbox.example.com", body=body, **more)
        response = self.inbox.answer(request)
        return response.status, json.loads(response.body)

    def box(self, failures: int = 0, owner: str = "iam:alice") -> tuple[str, str]:
        """The name of a new box, and the path into which is pushed."""
        status, made = self.call("POST", "/boxes", owner, json.dumps({"failures": failures}).encode())
        assert status == 201
        return made["box"], made["path"]

    def push(self, path: str, body: bytes = b"{}", **headers: str) -> int:
        return self.call("POST", path, ANONYMOUS, body, headers=headers)[0]


@pytest.fixture
def world() -> World:
    return World()


def test_what_is_pushed_is_shown_to_who_made_the_box_in_order_of_arrival(world: World) -> None:
    name, path = world.box()
    for number in (1, 2, 3):
        assert world.push(path, b"%d" % number, **{"webhook-id": f"e{number}"}) == 200

    status, first = world.call("GET", f"/boxes/{name}")
    _, second = world.call("GET", f"/boxes/{name}", query={"after": "2"})

    shown = first["pushes"] + second["pushes"]
    assert status == 200
    assert [(push["number"], push["body"], push["headers"]["webhook-id"]) for push in shown] == [
        (1, "1", "e1"),
        (2, "2", "e2"),
        (3, "3", "e3"),
    ]
    assert world.call("GET", f"/boxes/{name}", query={"after": "3"})[1] == {"pushes": []}


def test_the_first_pushes_are_refused_as_often_as_was_asked_for_and_shown_too(world: World) -> None:
    name, path = world.box(failures=2)

    assert [world.push(path) for _ in range(4)] == [503, 503, 200, 200]
    _, shown = world.call("GET", f"/boxes/{name}")
    assert [push["status"] for push in shown["pushes"]] == [503, 503]


def test_another_callers_box_does_not_exist(world: World) -> None:
    name, _ = world.box()

    assert world.call("GET", f"/boxes/{name}", "iam:bob") == (404, {"error": "no such box"})
    assert world.call("DELETE", f"/boxes/{name}", "iam:bob") == (404, {"error": "no such box"})
    assert name in world.boxes.boxes


def test_who_reads_a_box_does_not_learn_its_token(world: World) -> None:
    name, path = world.box()

    _, token = path.rsplit("/", 1)
    assert name == name_of(token)
    assert token not in json.dumps(world.call("GET", f"/boxes/{name}")[1])
    assert token not in repr(world.boxes.boxes)


def test_tokens_cannot_be_guessed_from_each_other(world: World) -> None:
    tokens = {world.box()[1].rsplit("/", 1)[1] for _ in range(50)}

    assert len(tokens) == 50
    assert {len(token) for token in tokens} == {43}  # 256 bits


@pytest.mark.parametrize("method_and_path", ["POST /boxes", "GET /boxes/" + "0" * 64, "DELETE /boxes/" + "0" * 64])
def test_a_stack_with_authorization_serves_nobody_without_an_identity(world: World, method_and_path: str) -> None:
    assert world.call(*method_and_path.split(" "), ANONYMOUS)[0] == 401


def test_without_authorization_all_callers_are_one() -> None:
    world = World(anonymous=True)
    name, path = world.box(owner=ANONYMOUS)

    assert world.push(path) == 200
    assert len(world.call("GET", f"/boxes/{name}", ANONYMOUS)[1]["pushes"]) == 1


@pytest.mark.parametrize("token", ["x", "A" * 43, "A" * 42 + "%", "A" * 10_000])
def test_a_token_of_no_box_is_gone_so_that_the_agent_stops(world: World, token: str) -> None:
    assert world.push(f"/push/{token}") == 410
    assert world.boxes.kept == {}


def test_the_name_of_a_box_is_no_token_of_it(world: World) -> None:
    name, _ = world.box()

    assert world.push(f"/push/{name}") == 410


def test_a_removed_box_takes_and_shows_nothing(world: World) -> None:
    name, path = world.box()
    world.push(path)

    assert world.call("DELETE", f"/boxes/{name}")[0] == 200

    assert world.push(path) == 410
    assert world.call("GET", f"/boxes/{name}")[0] == 404
    assert world.call("DELETE", f"/boxes/{name}")[0] == 404


def test_an_old_box_takes_and_shows_nothing(world: World) -> None:
    name, path = world.box()
    world.now = NOW + LIFE + timedelta(seconds=1)

    assert world.push(path) == 410
    assert world.call("GET", f"/boxes/{name}")[0] == 404


def test_a_full_box_takes_nothing_more(world: World) -> None:
    name, path = world.box()
    world.boxes.boxes[name] = replace(world.boxes.boxes[name], pushes=MAX_PUSHES)

    assert world.push(path) == 410


@pytest.mark.parametrize(
    ("body", "status"), [(b"x" * (MAX_BODY + 1), 413), (b"\xff\xfe", 400), (b"x" * MAX_BODY, 200), (b"", 200)]
)
def test_a_body_is_kept_up_to_a_size_and_if_it_is_text(world: World, body: bytes, status: int) -> None:
    _, path = world.box()

    assert world.push(path, body) == status


def test_credentials_of_a_push_are_not_kept(world: World) -> None:
    name, path = world.box()
    world.push(path, authorization="Bearer secret", cookie="secret", **dict.fromkeys(KEPT_HEADERS, "kept"))

    (push,) = world.call("GET", f"/boxes/{name}")[1]["pushes"]
    assert push["headers"] == dict.fromkeys(KEPT_HEADERS, "kept")


@pytest.mark.parametrize(
    "body",
    [b"[]", b"{", b"null", b"1", b"\xff", b"[" * 100_000]
    + [json.dumps({"failures": bad}).encode() for bad in (-1, 101, "3", 1.5, True, None, [])],
)
def test_a_box_that_cannot_be_understood_is_refused_and_not_made(world: World, body: bytes) -> None:
    status, answer = world.call("POST", "/boxes", body=body)

    assert (status, list(answer)) == (400, ["error"])
    assert world.boxes.boxes == {}


@pytest.mark.parametrize("after", ["-1", "x", "1e9", "9" * 10, "", "٣"])
def test_a_place_that_is_no_number_is_refused(world: World, after: str) -> None:
    name, _ = world.box()

    assert world.call("GET", f"/boxes/{name}", query={"after": after})[0] == 400


@pytest.mark.parametrize(
    "method_and_path", ["GET /", "PUT /boxes", "GET /push/x", "POST /boxes/x", "GET /boxes/x/y", "POST /"]
)
def test_there_is_nothing_else(world: World, method_and_path: str) -> None:
    assert world.call(*method_and_path.split(" "))[0] == 404
