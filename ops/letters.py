"""Dead letters: seen, brought back, dropped or exported. Whatever interrupts that, the others are put back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from a2a_lambda.core.ports import Poison
from a2a_lambda.push.dead_letters import DeadLetter, redrive, redriven_from

from .errors import Interrupted
from .scan import Progress, silent
from .signals import Stopper, held_back
from .stack import Stack
from .webhooks import host_matches, origin

Json = dict[str, Any]

LISTED = 1_000
"""Letters that a list shows unless it is told another number."""


@dataclass(frozen=True)
class Choice:
    """Which letters: of a task, of a webhook, of a host, unreadable ones only; with none of them all."""

    task: str = ""
    webhook: str = ""
    host: str = ""
    unreadable: bool = False

    @property
    def all(self) -> bool:
        """Whether it is no choice."""
        return self == Choice()


@dataclass
class Round:
    """One pass over the letters. ``kept`` are those that go back."""

    stack: Stack
    choice: Choice
    stopper: Stopper
    progress: Progress = silent
    kept: list[DeadLetter] = field(default_factory=list)
    _hosts: dict[tuple[str, str], str] = field(default_factory=dict)

    def letters(self) -> Iterator[DeadLetter]:
        """The chosen letters, one after the other. Each is kept until it is :meth:`removed`."""
        looked_at = 0
        for batch in self.stack.letters.batches():
            self.kept += batch
            for letter in batch:
                if self.stopper.stopped:
                    return
                if self._wanted(letter):
                    yield letter
            looked_at += len(batch)
            self.progress(f"{looked_at} letters looked at")

    def removed(self, letter: DeadLetter) -> None:
        """The letter is dealt with."""
        self.stack.letters.remove(letter)
        self.kept.remove(letter)

    def host(self, letter: DeadLetter) -> str:
        """The origin of its webhook; "" where there is none any more, or it cannot be read."""
        message = letter.message
        if message is None:
            return ""
        key = message.task_id, message.config_id
        if key not in self._hosts:
            try:
                config = self.stack.configs.get(*key)
            except Poison:
                config = None
            self._hosts[key] = origin(config.url) if config else ""
        return self._hosts[key]

    def _wanted(self, letter: DeadLetter) -> bool:
        message, choice = letter.message, self.choice
        if message is None:
            return choice.unreadable or choice.all
        return (
            not choice.unreadable
            and choice.task in ("", message.task_id)
            and choice.webhook in ("", message.config_id)
            and (not choice.host or host_matches(self.host(letter), choice.host))
        )


@contextmanager
def taken(stack: Stack, choice: Choice, progress: Progress = silent) -> Iterator[Round]:
    """A round whose letters are put back at its end, however it ends. Raises :class:`Interrupted` after a signal.

    What nothing can put back (a process that was killed) comes back by itself: letters are hidden for two minutes.
    """
    with held_back() as stopper:
        taken_now = Round(stack, choice, stopper, progress)
        try:
            yield taken_now
        finally:
            for letter in taken_now.kept:
                stack.letters.release(letter)
    if stopper.stopped:
        raise Interrupted("interrupted: what was shown is done, all other letters were put back")


def line(turn: Round, letter: DeadLetter, outcome: str = "") -> Json:
    """What is shown of a letter: never its body."""
    message = letter.message
    shown: Json = {
        "letter": letter.message_id,
        "task": message.task_id if message else "",
        "webhook": message.config_id if message else "",
        "event": f"{message.generation}.{message.n}" if message else "unreadable",
        "host": turn.host(letter),
        "reason": letter.reason,
    }
    return {**shown, "outcome": outcome} if outcome else shown


def listed(stack: Stack, choice: Choice, limit: int, progress: Progress = silent) -> tuple[list[Json], int]:
    """The letters, at most ``limit``, and about how many there are. They stay where they are."""
    found: list[Json] = []
    with taken(stack, choice, progress) as turn:
        for letter in turn.letters():
            found.append(line(turn, letter))
            if len(found) >= limit:
                break
    return found, stack.letters.count()


def redriven(stack: Stack, choice: Choice, progress: Progress = silent) -> Iterator[Json]:
    """Bring the letters back, in order. Of a webhook of which one cannot be queued, those behind it stay."""
    failed: set[tuple[str, str]] = set()
    marks: set[str] = set()
    with taken(stack, choice, progress) as turn:
        for letter in turn.letters():
            message = letter.message
            outcome = "unreadable"
            if message is not None:
                key = message.task_id, message.config_id
                if redriven_from(message) in marks:  # a webhook that refuses at once would keep us here for ever
                    outcome = "given up again"
                elif key in failed:
                    outcome = "behind one that was not queued"
                else:
                    outcome = redrive(letter, stack.configs, stack.redelivery)
                if outcome == "not queued":
                    failed.add(key)
            shown = line(turn, letter, outcome)
            if outcome in ("redriven", "no webhook"):
                marks.add(letter.message_id)
                turn.removed(letter)
            yield shown


def dropped(stack: Stack, choice: Choice, progress: Progress = silent) -> Iterator[Json]:
    """Remove the letters for good."""
    with taken(stack, choice, progress) as turn:
        for letter in turn.letters():
            shown = line(turn, letter, "dropped")
            turn.removed(letter)
            yield shown


def exported(stack: Stack, choice: Choice, write: Callable[[Json], None], progress: Progress = silent) -> int:
    """Give each letter, whole, to ``write``; how many. They stay where they are. A message holds no credentials."""
    count = 0
    with taken(stack, choice, progress) as turn:
        for letter in turn.letters():
            message = asdict(letter.message) if letter.message else None
            write({"letter": letter.message_id, "reason": letter.reason, "message": message, "body": letter.body})
            count += 1
    return count
