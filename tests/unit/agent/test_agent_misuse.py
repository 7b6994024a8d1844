"""What cannot work is refused at import, or with one clear message where it happens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from a2a_lambda.agent import Agent, AgentError, Retry
from a2a_lambda.agent.context import MAX_WAIT
from a2a_lambda.testing import run_agent


def agent(**fields: Any) -> Agent:
    return Agent(name="Tested", version="1", description="d", **fields)


def run(step: Any, **options: Any) -> Any:
    tested = agent()
    tested.step(step)
    return run_agent(tested, "hello", **options)


def noop(task: Any) -> None:
    """A step."""


# ---------------------------------------------------------------------------------------------------------- at import


def test_two_steps_of_one_name_are_refused():
    tested = agent()
    tested.step(noop)
    with pytest.raises(AgentError, match="two steps are named 'noop'"):
        tested.step(noop)


def test_a_step_that_is_a_generator_is_refused():
    async def yields_later(task: Any) -> Any:
        yield

    def yields(task: Any) -> Any:
        yield

    for function in (yields_later, yields):
        with pytest.raises(AgentError, match="not a generator"):
            agent().step(function)


def test_a_rerun_that_nobody_knows_is_refused():
    with pytest.raises(AgentError, match="'skip' or 'restart'"):
        agent().step(rerun="again")(noop)


@pytest.mark.parametrize("function", [lambda: None, lambda a, b: None])
def test_a_step_takes_one_argument(function):
    with pytest.raises(AgentError, match="one argument"):
        agent().step(name="odd")(function)


@pytest.mark.parametrize("wait", [-1, MAX_WAIT + 1, float("nan"), float("inf")])
def test_a_wait_that_cannot_be_is_refused(wait):
    with pytest.raises(AgentError, match="wait must be"):
        agent().step(wait=wait)(noop)


@pytest.mark.parametrize("timeout", [0, -1, 901, float("nan")])
def test_a_timeout_that_cannot_be_is_refused(timeout):
    with pytest.raises(AgentError, match="timeout must be"):
        agent().step(timeout=timeout)(noop)
    if not timeout > 0:
        with pytest.raises(AgentError, match="timeout must be"):
            agent(timeout=timeout)


@pytest.mark.parametrize(
    "wrong", [{"attempts": 0}, {"backoff": -1}, {"backoff": 3601}, {"on": "ValueError"}, {"on": (int,)}, {"on": [1]}]
)
def test_a_retry_that_cannot_be_is_refused(wrong):
    with pytest.raises(AgentError, match="Retry"):
        Retry(**wrong)


def test_pauses_between_tries_double_up_to_an_hour_whatever_the_number_of_tries():
    retry = Retry(attempts=10_000, backoff=2)

    assert [retry.pause(failures) for failures in (1, 2, 3)] == [2, 4, 8]
    assert retry.pause(5_000) == 3_600


def test_an_agent_without_steps_is_refused_when_it_is_to_run():
    with pytest.raises(AgentError, match="no steps"):
        run_agent(agent(), "hello")


# ---------------------------------------------------------------------------------------------------- where it happens


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (lambda task: task.goto("nowhere"), "no step 'nowhere'"),
        (lambda task: task.require_input("?", then="nowhere"), "no step 'nowhere'"),
        (lambda task: task.require_input("?"), "no step comes after"),
        (lambda task: (task.complete(), task.status("more")), "return after it"),
        (lambda task: (task.complete(), task.artifact("a", "more")), "return after it"),
        (lambda task: (task.complete(), task.wait(5)), "return after it"),
        (lambda task: (task.complete(), task.flush()), "return after it"),
        (lambda task: task.wait(5), "no step comes after"),
        (lambda task: task.wait(), "either seconds or until"),
        (lambda task: task.wait(5, until=datetime.now(UTC)), "either seconds or until"),
        (lambda task: task.wait(until=datetime(2030, 1, 1)), "offset"),  # noqa: DTZ001
        (lambda task: task.wait(-1), "a wait must be"),
        (lambda task: task.artifact("a"), "has no parts"),
        (lambda task: task.artifact("", "text"), "needs a name"),
        (lambda task: task.artifact("a", data=datetime.now(UTC)), "JSON values only"),
        (lambda task: task.artifact("a", data=float("nan")), "JSON values only"),
        (lambda task: task.artifact("a", "\ud800"), "JSON values only"),
        (lambda task: task.artifact("a", 5), "exactly one of text"),
        (lambda task: task.artifact("a", parts=[{"text": "a", "url": "b"}]), "exactly one of text"),
        (lambda task: task.status(data={1, 2}), "JSON values only"),
        (lambda task: task.state.update(big="x" * 40_000), "32768 are possible"),
        (lambda task: task.state.update(odd=object()), "JSON values only"),
        (lambda task: setattr(task, "state", []), "must stay a dictionary"),
        (lambda task: [task.artifact(str(n), "x" * 30_000) for n in range(13)], "350000 are possible"),
        (lambda task: [task.artifact(str(n), "x" * 280, last_chunk=False) for n in range(900)], "350000 are possible"),
        (lambda task: [task.artifact(str(n), "x") for n in range(1_501)], "1500 are possible"),
        (lambda task: task.artifact("a", url="a2a-blob:of-somebody-else"), "content of ours"),
    ],
)
def test_misuse_in_a_step_says_what_is_wrong(step, message):
    tested = agent()
    tested.step(name="only")(step)
    with pytest.raises(AgentError, match=message):
        run_agent(tested, "hello")


# ------------------------------------------------------------------------------------------------- what is not misuse


def test_a_wait_until_a_moment_lasts_until_then_and_one_in_the_past_not_at_all():
    tested = agent()
    tested.step(name="a")(lambda task: task.wait(until=task.now + timedelta(days=2)))
    tested.step(name="b")(lambda task: task.wait(until=task.now - timedelta(days=2)))
    tested.step(noop)

    result = run_agent(tested, "hello")
    assert result.state == "completed"
    assert result.waited == timedelta(days=2).total_seconds()


def test_an_artifact_can_have_several_contents_and_a_file_its_name():
    def step(task: Any) -> None:
        task.artifact("both", text="see", data={"n": 1})
        task.artifact("file", raw=b"\x00\x01", filename="a.bin", media_type="application/octet-stream")
        task.status("text", data=[1])

    result = run(step)
    assert result.artifacts["both"] == [{"text": "see"}, {"data": {"n": 1}}]
    assert result.artifacts["file"] == [{"raw": "AAE=", "mediaType": "application/octet-stream", "filename": "a.bin"}]


def test_what_is_changed_after_it_was_written_stays_as_it_was_written():
    def step(task: Any) -> None:
        data = {"n": [1]}
        task.artifact("a", data=data)
        data["n"].append(2)

    assert run(step).data("a") == {"n": [1]}


def test_flush_pushes_the_artifacts_so_far_and_no_status():
    def step(task: Any) -> None:
        task.artifact("a", "1", last_chunk=False)
        task.flush()
        task.flush()
        task.artifact("a", "2", append=True)
        task.complete()

    events = [next(iter(event)) for event in run(step).events]
    assert events == ["statusUpdate", "statusUpdate", "artifactUpdate", "artifactUpdate", "statusUpdate"]


def test_no_except_of_the_author_keeps_a_step_going_when_the_function_dies():
    kept: list[int] = []

    def step(task: Any) -> None:
        for number in range(3):
            try:
                task.status(str(number))
            except Exception:  # noqa: BLE001
                kept.append(number)

    assert run(step, crashing=True).statuses == run(step).statuses
    assert kept == []


def test_a_step_that_does_not_repeat_itself_exactly_still_ends_its_task():
    runs: list[int] = []

    def step(task: Any) -> None:
        runs.append(1)
        if len(runs) == 1:
            task.status("the first time only")
            raise SystemExit
        task.complete("at once")

    tested = agent()
    tested.step(retry=Retry(attempts=2, backoff=0, on=Exception), name="once")(step)
    assert run_agent(tested, "hello").state == "failed"  # SystemExit is no Exception: not worth another try
    runs.clear()

    def again(task: Any) -> None:
        runs.append(1)
        if len(runs) == 1:
            task.status("the first time only")
            raise OSError
        task.complete("at once")

    tested = agent()
    tested.step(retry=Retry(attempts=2, backoff=0), name="twice")(again)
    result = run_agent(tested, "hello")
    assert result.state == "completed"
    assert result.statuses[-1].text == "at once"


def test_the_state_of_a_try_that_failed_is_void_however_deep_it_was_changed():
    seen: list[list[int]] = []

    def fill(task: Any) -> None:
        task.state["list"] = []

    def step(task: Any) -> None:
        task.state["list"].append(1)
        seen.append(list(task.state["list"]))
        task.status("a write in between")
        if len(seen) < 3:
            raise OSError

    tested = agent()
    tested.step(fill)
    tested.step(retry=Retry(attempts=3, backoff=0))(step)
    assert run_agent(tested, "hello").state == "completed"
    assert seen == [[1], [1], [1]]


def test_a_task_that_takes_longer_than_its_agent_allows_fails_when_its_time_is_over():
    tested = agent(timeout=60)
    tested.step(name="a", wait=3_600)(noop)

    result = run_agent(tested, "hello")
    assert result.state == "failed"
    assert result.statuses[-1].text == "The task took longer than it may."
    assert result.waited == 60


def test_the_wait_of_the_step_that_takes_the_answer_counts_from_the_question():
    tested = agent()
    tested.step(name="ask")(lambda task: task.require_input("?"))
    tested.step(name="go_on", wait=3_600)(noop)

    assert run_agent(tested, "hello", answers=["!"]).waited == 3_600


class _AsyncCall:
    async def __call__(self, task: Any) -> None:
        task.artifact("never", text="never")


async def _coroutine(task: Any) -> None:
    task.artifact("never", text="never")


def _generator(task: Any) -> Any:
    yield task.artifact("never", text="never")


async def _async_generator(task: Any) -> Any:
    yield task.artifact("never", text="never")


class _Awaitable:
    def __await__(self) -> Any:
        yield


@pytest.mark.parametrize(
    "step",
    [
        _AsyncCall(),
        _coroutine,
        _generator,
        _async_generator,
        lambda _: _Awaitable(),
    ],
    ids=["async call", "coroutine", "generator", "async generator", "awaitable"],
)
def test_a_step_that_returns_work_that_nobody_would_do_is_an_error_that_no_retry_repeats(step: Any):
    calls = []

    def returns(task: Any) -> Any:
        calls.append(1)
        return step(task)

    tested = agent()
    tested.step(retry=Retry(attempts=3, backoff=0))(returns)
    with pytest.raises(AgentError, match="step 'returns' returned a value of"):
        run_agent(tested, "hello")
    assert calls == [1]


def test_a_step_may_return_a_plain_value():
    assert run(lambda task: task.text).state == "completed"


def test_only_artifacts_that_are_open_take_room_beside_the_document():
    tested = agent()
    tested.step(name="only")(lambda task: [task.artifact(str(n), "x" * 280) for n in range(900)] and None)
    assert run_agent(tested, "hello").state == "completed"
