"""What `make probe-stream` concludes from delays, and what it says when it cannot measure any."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

import probe_stream
from probe_stream import Run, arrivals, refusal, report, verdict

AT_ONCE = (0.02, 0.3, 0.5, 0.1, 0.2, 0.4, 0.02, 0.3, 0.5, 0.1)
ONE_BEHIND = tuple(delay + 1 for delay in AT_ONCE)
AT_THE_END = tuple(10.0 - number for number in range(10))


def runs(**prompt_from: str) -> list[Run]:
    """Runs in which events come at once from so many bytes on: by h1 and, if it is given, by h2."""
    order = list(probe_stream.AFTER)
    return [
        Run(http, after, AT_ONCE if order.index(after) >= order.index(first) else ONE_BEHIND)
        for http, first in (("1.1", prompt_from["h1"]), ("2", prompt_from.get("h2", "")))
        if first
        for after in order
    ]


@pytest.mark.parametrize("after", ["0", "4096", "16384", "102400"])
def test_the_least_padding_that_lets_events_through_is_to_be_set(after: str) -> None:
    assert f"StreamPadding={after}" in verdict(runs(h1=after))
    assert f"StreamPadding={after}" in verdict(runs(h1="none", h2=after))


def test_where_only_one_version_of_http_lets_events_through_clients_are_to_use_it() -> None:
    held = [Run("2", after, AT_THE_END) for after in probe_stream.AFTER]

    assert "HTTP/1.1" in verdict([*runs(h1="0"), *held])


@pytest.mark.parametrize("delays", [ONE_BEHIND, AT_THE_END])
def test_where_nothing_helps_it_says_so(delays: tuple[float, ...]) -> None:
    fastest = Run("1.1", "none", (0.02, *delays[1:]))
    held = [Run("1.1", after, delays) for after in list(probe_stream.AFTER)[1:]]

    assert verdict([fastest, *held]).startswith("No StreamPadding helps")


def test_clocks_that_differ_change_nothing() -> None:
    ahead = [Run(run.http, run.after, tuple(delay - 3600 for delay in run.delays)) for run in runs(h1="4096")]

    assert verdict(ahead) == verdict(runs(h1="4096"))
    assert report(ahead)[1:] == report(runs(h1="4096"))[1:]


def test_every_way_has_a_line_with_its_ten_delays() -> None:
    _, *lines = report(runs(h1="0", h2="0"))

    assert len(lines) == 2 * len(probe_stream.AFTER)
    assert all(len(line[24:].split()) == probe_stream.EVENTS for line in lines)


def test_what_does_not_speak_http_2_is_said_to_be_so() -> None:
    assert "not spoken" in report(runs(h1="0"))[-1]


def test_arrivals_are_those_of_the_numbered_statuses_however_the_stream_is_cut() -> None:
    def frame(result: object) -> bytes:
        return f"id: t.1\ndata: {json.dumps({'result': result})}\n\n:   \n\n".encode()

    def status(text: str) -> dict[str, object]:
        message = {"parts": [{"text": text}]}
        return {"statusUpdate": {"status": {"timestamp": "2026-01-01T00:00:00.000Z", "message": message}}}

    sent = frame({"task": {}}) + b"".join(frame(status(text)) for text in ("1/10", "other", "2/10"))

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(sent), 7):
            yield sent[start : start + 7]

    async def count() -> int:
        return len([delay async for delay in arrivals(pieces())])

    assert asyncio.run(count()) == 2


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (401, "", "--sigv4"),
        (403, "", "--bearer"),
        (200, '{"error":{"code":-32004}}', "Streaming=true"),
        (404, "", "Endpoint"),
    ],
)
def test_a_refusal_says_what_to_do(status: int, body: str, says: str) -> None:
    assert says in refusal(status, body)


def test_what_is_no_url_is_one_line_and_an_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert probe_stream.main(["nonsense"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
