"""The HTTP client against receivers that misbehave, over loopback: answers, lanes, deadlines, connections."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lanes import answers_to
from tests.delivery.misbehaving import PATIENCE, Receiver, Request, listening

from a2a_lambda.net.webhook_url import WebhookPolicy
from a2a_lambda.push.outcome import Answer, Lane, Post
from a2a_lambda.push.sender import USER_AGENT, Sender

OPEN = WebhookPolicy.of(True, "127.0.0.1/32")
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
SHORT = 0.3
"""Seconds after which a batch ends whose receiver never answers."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as one:
        yield one


@pytest.fixture
def sender() -> Iterator[Sender]:
    one = Sender(OPEN, clock=lambda: NOW)
    yield one
    one.close()


def one(sender: Sender, post: Post, seconds: float = PATIENCE) -> Answer:
    """The answer to a single post."""
    [[got]] = answers_to(sender, [[post]], seconds)
    assert (got.status is None) != (got.error is None)
    return got


def test_a_post_arrives_as_it_was_given(receiver: Receiver, sender: Sender) -> None:
    headers = [("Content-Type", "application/a2a+json"), ("X-A2A-Notification-Token", "t"), ("X-Empty", "")]
    got = one(sender, receiver.post("/a/../b?c=%2F", b'{"a": "\xc3\xa4"}', *headers))
    assert (got.status, got.error, got.address) == (200, None, "127.0.0.1")
    [request] = receiver.requests
    assert (request.path, request.body) == ("/a/../b?c=%2F", b'{"a": "\xc3\xa4"}')
    assert request.headers == {
        "host": f"127.0.0.1:{receiver.port}",
        "user-agent": USER_AGENT,
        "accept": "*/*",
        "content-type": "application/a2a+json",
        "content-length": "11",
        "x-a2a-notification-token": "t",
        "x-empty": "",
    }


def test_a_long_body_waits_for_no_permission_and_an_empty_one_is_sent(receiver: Receiver, sender: Sender) -> None:
    assert (
        answers_to(sender, [[receiver.post("/", b"x" * 3_000_000), receiver.post("/", b"")]], PATIENCE)[0][-1].status
        == 200
    )
    assert [len(request.body) for request in receiver.requests] == [3_000_000, 0]
    assert all("expect" not in request.headers for request in receiver.requests)


@pytest.mark.parametrize("status", [200, 202, 204, 301, 400, 404, 410, 429, 500, 503])
def test_a_status_is_the_answer(receiver: Receiver, sender: Sender, status: int) -> None:
    assert one(sender, receiver.post(f"/status/{status}")).status == status


def test_an_interim_status_is_not_the_answer(receiver: Receiver, sender: Sender) -> None:
    assert one(sender, receiver.post("/interim")).status == 200
    assert one(sender, receiver.post("/interim-only"), SHORT).error == "timeout"


@pytest.mark.parametrize(("value", "seconds"), [("120", 120.0), ("Sun, 01 Mar 2026 12:01:00 GMT", 60.0), ("x", None)])
def test_retry_after_is_read(receiver: Receiver, sender: Sender, value: str, seconds: float | None) -> None:
    got = one(sender, receiver.post("/retry-after", value.encode()))
    assert (got.status, got.retry_after) == (429, seconds)


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/nothing", "reset"),
        ("/reset", "reset"),
        ("/cut-head", "reset"),
        ("/not-http", "response"),
        ("/endless-head", "response"),
        ("/hang", "timeout"),
        ("/drip-head", "timeout"),
    ],
)
def test_an_answer_that_never_becomes_one_is_an_error(
    receiver: Receiver, sender: Sender, path: str, error: str
) -> None:
    got = one(sender, receiver.post(path), SHORT if error == "timeout" else PATIENCE)
    assert (got.status, got.error) == (None, error)


@pytest.mark.parametrize("path", ["/endless-body/", "/drip-body/"])
@pytest.mark.parametrize("status", [200, 503])
def test_a_status_counts_whatever_its_body_does(receiver: Receiver, sender: Sender, path: str, status: int) -> None:
    assert one(sender, receiver.post(f"{path}{status}"), SHORT).status == status


def test_a_status_counts_though_its_body_is_cut(receiver: Receiver, sender: Sender) -> None:
    assert one(sender, receiver.post("/cut-body")).status == 200


def test_nobody_listens(sender: Sender) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        got = one(sender, Post(f"http://127.0.0.1:{unused.getsockname()[1]}/", (), b""))
    assert got.error == "connect"


def test_a_name_without_an_address(sender: Sender) -> None:
    # a name that libcurl may not look up (RFC 7686): the error of DNS, and no question to a name server
    assert one(sender, Post("http://nobody.onion:8080/", (), b"")).error == "dns"


# Lanes


def test_a_lane_is_sent_in_order_and_ends_with_its_first_failure(receiver: Receiver, sender: Sender) -> None:
    asked: list[str] = []

    def lane() -> Iterator[Post]:
        for path in ("/1", "/2", "/status/500", "/4"):
            asked.append(path)
            yield receiver.post(path)

    assert [got.status for got in answers_to(sender, [lane()], PATIENCE)[0]] == [200, 200, 500]
    assert receiver.paths() == ["/1", "/2", "/status/500"] == asked


def test_the_next_post_is_not_even_asked_for_before_the_one_before_was_acknowledged(
    receiver: Receiver, sender: Sender
) -> None:
    arrived_before: list[int] = []

    def lane() -> Iterator[Post]:
        for _ in range(5):
            arrived_before.append(len(receiver.requests))
            yield receiver.post("/")

    answers_to(sender, [lane()], PATIENCE)
    assert arrived_before == [0, 1, 2, 3, 4]


def test_the_first_posts_arrive_while_later_ones_are_still_being_made(receiver: Receiver, sender: Sender) -> None:
    arrived = threading.Event()

    class Requests(list[Request]):
        def append(self, request: Request) -> None:
            super().append(request)
            arrived.set()

    receiver.requests = Requests()

    def late() -> Iterator[Post]:
        assert arrived.wait(PATIENCE)
        yield receiver.post("/last")

    lanes = [[receiver.post("/first")], *([receiver.post("/")] for _ in range(100)), late()]
    assert [[got.status] for (got,) in answers_to(sender, lanes, PATIENCE)] == [[200]] * 102


def test_a_receiver_that_hangs_holds_up_nobody_else(receiver: Receiver, sender: Sender) -> None:
    lanes = [[receiver.post("/hang")]] + [[receiver.post(f"/{lane}/{n}") for n in range(3)] for lane in range(50)]
    results = answers_to(sender, lanes, 5 * SHORT)
    assert [got.error for got in results[0]] == ["timeout"]
    assert all([got.status for got in result] == [200, 200, 200] for result in results[1:])
    for lane in range(50):
        assert [path for path in receiver.paths() if path.startswith(f"/{lane}/")] == [f"/{lane}/{n}" for n in range(3)]


def test_at_the_deadline_the_post_in_flight_is_a_timeout_and_the_later_ones_have_no_answer(
    receiver: Receiver, sender: Sender
) -> None:
    [result] = answers_to(sender, [[receiver.post("/a"), receiver.post("/hang"), receiver.post("/c")]], SHORT)
    assert [(got.status, got.error) for got in result] == [(200, None), (None, "timeout")]
    assert receiver.paths() == ["/a", "/hang"]


def test_a_lane_that_never_got_its_turn_has_no_answer(receiver: Receiver) -> None:
    sender = Sender(OPEN, max_in_flight=1)
    results = answers_to(sender, [[receiver.post("/hang")], [receiver.post("/b")]], SHORT)
    assert [[got.error for got in result] for result in results] == [["timeout"]]
    assert receiver.paths() == ["/hang"]
    sender.close()


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_without_time_nothing_is_sent(receiver: Receiver, sender: Sender, seconds: float) -> None:
    assert answers_to(sender, [[receiver.post("/")]], seconds) == []
    assert receiver.paths() == []


def test_more_lanes_than_places_are_all_sent(receiver: Receiver) -> None:
    sender = Sender(OPEN, max_in_flight=4)
    results = answers_to(sender, [[receiver.post(f"/{n}")] for n in range(60)], PATIENCE)
    assert all(result[0].status == 200 for result in results)
    assert max(request.connection for request in receiver.requests) <= 4
    sender.close()


def test_no_lanes_and_empty_lanes_are_answered_at_once(sender: Sender) -> None:
    assert answers_to(sender, [], PATIENCE) == []
    assert answers_to(sender, [[], []], PATIENCE) == [[], []]


def test_what_a_lane_raises_comes_through_and_leaves_the_sender_fit(receiver: Receiver, sender: Sender) -> None:
    def broken() -> Iterator[Post]:
        yield receiver.post("/first")
        raise LookupError

    with pytest.raises(LookupError):
        answers_to(sender, [[receiver.post("/hang")], broken()], PATIENCE)
    assert one(sender, receiver.post("/after")).status == 200


def test_nothing_of_one_answer_is_left_in_the_next(receiver: Receiver, sender: Sender) -> None:
    assert one(sender, receiver.post("/retry-after", b"7", ("X-A", "a"))).retry_after == 7
    assert one(sender, receiver.post("/hang"), SHORT).status is None
    assert one(sender, Post("http://10.0.0.1:8080/", (), b"")).error == "refused url"
    last = one(sender, receiver.post("/last"))
    assert (last.status, last.error, last.retry_after) == (200, None, None)
    assert "x-a" not in receiver.requests[-1].headers


def test_a_post_waits_no_longer_than_it_may(receiver: Receiver, sender: Sender) -> None:
    impatient = receiver.post("/hang")._replace(seconds=SHORT)
    [[got], [other]] = answers_to(sender, [[impatient], [receiver.post("/")]], PATIENCE)
    assert (got.error, other.status) == ("timeout", 200)


def test_a_lane_that_may_not_begin_yet_begins_when_another_has_its_answer(receiver: Receiver, sender: Sender) -> None:
    answers: list[Answer] = []

    def lane(path: str) -> Lane:
        answers.append((yield receiver.post(path)))

    def lanes() -> Iterator[Lane | None]:
        yield lane("/first")
        while not answers:
            yield None
        yield lane("/second")

    sender.run(lanes(), PATIENCE)
    assert receiver.paths() == ["/first", "/second"]
    assert [answer.status for answer in answers] == [200, 200]


def test_lanes_that_wait_for_nothing_end_the_run(receiver: Receiver, sender: Sender) -> None:
    def lanes() -> Iterator[Lane | None]:
        while True:
            yield None

    sender.run(lanes(), PATIENCE)
    assert receiver.paths() == []


# Connections


def test_a_connection_is_used_again_by_later_batches(receiver: Receiver, sender: Sender) -> None:
    for _ in range(5):
        assert one(sender, receiver.post("/")).status == 200
    assert {request.connection for request in receiver.requests} == {1}


def test_a_connection_that_the_receiver_closed_meanwhile_is_replaced(receiver: Receiver, sender: Sender) -> None:
    for _ in range(5):
        assert one(sender, receiver.post("/close")).status == 200
    assert len(receiver.requests) == 5


@pytest.mark.parametrize("how", ["end", "reset"])
def test_a_kept_connection_that_dies_under_the_next_post_costs_no_failure(
    receiver: Receiver, sender: Sender, how: str
) -> None:
    posts = [receiver.post(f"/once-then-{how}/{n}", b"x" * 100_000) for n in range(4)]
    assert [got.status for got in answers_to(sender, [posts], PATIENCE)[0]] == [200, 200, 200, 200]
    assert next(request.path for request in receiver.requests if request.connection > 1) == f"/once-then-{how}/1"
    assert [len(request.body) for request in receiver.requests] == [100_000] * len(receiver.requests)


def test_a_response_is_not_read_beyond_its_bound(receiver: Receiver, sender: Sender) -> None:
    assert one(sender, receiver.post("/endless-body/200")).status == 200
    assert one(sender, receiver.post("/")).status == 200
    assert [request.connection for request in receiver.requests] == [1, 2]


def test_sockets_do_not_pile_up(receiver: Receiver, sender: Sender) -> None:
    descriptors = Path("/proc/self/fd")
    if not descriptors.exists():
        return
    answers_to(sender, [[receiver.post("/close") for _ in range(3)]], PATIENCE)
    before = len(list(descriptors.iterdir()))
    answers_to(sender, [[receiver.post("/close") for _ in range(50)]], PATIENCE)
    assert len(list(descriptors.iterdir())) <= before + 10
