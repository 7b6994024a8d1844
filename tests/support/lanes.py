"""Lanes without sockets: those whose posts are known beforehand, and a sender in virtual time."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import count

from a2a_lambda.push.notifier import Lanes
from a2a_lambda.push.outcome import Answer, Lane, Outcome, Post


def answers_to(sender: Lanes, posts: Iterable[Iterable[Post]], seconds: float) -> list[list[Answer]]:
    """What the posts of each lane were answered, in order."""
    answers: list[list[Answer]] = []

    def lanes() -> Iterator[Lane]:
        for of_lane in posts:
            answers.append([])
            yield _lane(of_lane, answers[-1])

    sender.run(lanes(), seconds)
    return answers


def run_lanes(
    lanes: Iterable[Lane | None],
    seconds: float,
    now: Callable[[], datetime],
    move_to: Callable[[datetime], object],
    send: Callable[[Post, float], Answer],
) -> None:
    """What ``sender.Sender.run`` does, in virtual time: lanes go on in the order in which their answers come.

    ``send`` gives the answer that a post gets within so many seconds, and how long it takes.
    """
    until = now() + timedelta(seconds=seconds)
    numbers = count()
    under_way: list[tuple[datetime, int, Lane, Answer]] = []

    def go_on(lane: Lane, post: Post | None) -> None:
        left = (until - now()).total_seconds()
        if post is None or left <= 0:
            lane.close()
            return
        allowed = min(left, post.seconds)
        answer = send(post, allowed)
        if answer.seconds > allowed:
            answer = Answer(error="timeout", seconds=allowed)
        heapq.heappush(under_way, (now() + timedelta(seconds=answer.seconds), next(numbers), lane, answer))

    source = iter(lanes)
    while True:
        while now() < until and (lane := next(source, None)) is not None:
            go_on(lane, next(lane, None))
        if not under_way:
            return
        end, _, lane, answer = heapq.heappop(under_way)
        move_to(max(end, now()))
        go_on(lane, _next_post(lane, answer))


def _next_post(lane: Lane, answer: Answer) -> Post | None:
    try:
        post = lane.send(answer)
    except StopIteration:
        return None
    return post if answer.outcome is Outcome.DELIVERED else None


def _lane(posts: Iterable[Post], answers: list[Answer]) -> Lane:
    for post in posts:
        answers.append((yield post))
        if answers[-1].outcome is not Outcome.DELIVERED:
            return
