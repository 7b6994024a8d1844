"""Secrets and settings: read by name, used for five minutes, and in nothing that anybody sees."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from cloud_stack import CloudStack
from harness import Options
from memory_stack import MemoryStack

from a2a_lambda.agent import Agent, AgentError, Retry
from a2a_lambda.agent.secrets import Secrets
from a2a_lambda.aws.clients import client
from a2a_lambda.core.ports import Unavailable
from a2a_lambda.settings import Environment, SettingsError
from a2a_lambda.testing import run_agent
from a2a_lambda.testing.memory import VirtualTime

VALUE = 'swordfish-"ä"-0123456789'
ARN = "arn:aws:secretsmanager:us-east-1:111122223333:secret:prod/model-key-AbC123"


def agent(step: Any, **options: Any) -> Agent:
    made = Agent(name="Knows", version="1", description="d")
    made.step(name="only", **options)(step)
    return made


# ------------------------------------------------------------------------------------------------------------ in tests


def test_a_step_reads_what_run_agent_is_given() -> None:
    def step(task: Any) -> None:
        assert task.secret("model-key") == VALUE
        assert task.secret("account", "password") == "hunter2-hunter2"
        task.complete(task.settings["model"])

    secrets = {"model-key": VALUE, "account": json.dumps({"password": "hunter2-hunter2", "port": 5432})}
    run = run_agent(agent(step), "go", secrets=secrets, settings={"model": "m-1"})
    assert run.statuses[-1] == ("completed", "m-1")


def test_without_any_there_are_no_settings_and_a_secret_is_an_error_that_says_what_to_do() -> None:
    assert run_agent(agent(lambda task: task.complete(str(task.settings))), "go").statuses[-1].text == "{}"
    with pytest.raises(AgentError, match="run_agent was given no secret 'model-key'"):
        run_agent(agent(lambda task: task.secret("model-key")), "go")


def test_a_step_that_changes_its_settings_changes_its_own() -> None:
    given = {"list": [1]}
    run_agent(agent(lambda task: task.settings["list"].append(2)), "go", settings=given)
    assert given == {"list": [1]}


@pytest.mark.parametrize("value", ["no JSON", "[]", "5", '{"other": 1}'])
def test_a_field_that_is_not_there_is_an_error_without_the_value(value: str) -> None:
    with pytest.raises(AgentError, match="no JSON object with the key 'password'") as raised:
        run_agent(agent(lambda task: task.secret("account", "password")), "go", secrets={"account": value})
    assert value not in str(raised.value).replace("JSON", "")


LEAKS: dict[str, Callable[[Any, str], Any]] = {
    "status": lambda task, value: task.status(f"the key is {value}"),
    "data": lambda task, value: task.status(data={"deep": [{value: 1}]}),
    "end": lambda task, value: task.complete(value),
    "artifact": lambda task, value: task.artifact("a", value),
    "metadata": lambda task, value: task.artifact("a", "b", metadata={"key": value}),
    "question": lambda task, value: task.require_input(value, then="only"),
    "state": lambda task, value: task.state.update(key=value),
    "state at a question": lambda task, value: (task.state.update(k=value), task.require_input("?", then="only")),
}


@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)
@pytest.mark.parametrize("key", [None, "password"])
def test_no_write_of_a_step_holds_the_value_of_a_secret(leak: Callable[[Any, str], Any], key: str | None) -> None:
    def step(task: Any) -> None:
        leak(task, task.secret("model-key", key))

    tested = agent(step)
    tested.step(name="next")(lambda task: None)
    value = json.dumps({"password": VALUE}) if key else VALUE
    with pytest.raises(AgentError, match="holds the value of the secret 'model-key'"):
        run_agent(tested, "go", secrets={"model-key": value})


def test_a_value_that_comes_in_two_chunks_does_not_come_whole() -> None:
    def step(task: Any) -> None:
        value = task.secret("model-key")
        with task.stream_text("answer") as out:
            for piece in (value[:5], value[5:9], value[9:]):
                out.write(piece)
                out.flush()

    with pytest.raises(AgentError, match="holds the value of the secret 'model-key'"):
        run_agent(agent(step, rerun="restart"), "go", secrets={"model-key": VALUE})


def test_a_value_that_is_in_every_second_text_is_not_watched_for() -> None:
    def step(task: Any) -> None:
        task.complete(f"Port {task.secret('port')}.")

    assert run_agent(agent(step), "go", secrets={"port": "5432"}).state == "completed"


def test_what_the_client_says_is_no_leak_of_the_agent() -> None:
    def step(task: Any) -> None:
        task.secret("model-key")
        task.status("Working.")

    assert run_agent(agent(step), f"my guess: {VALUE}", secrets={"model-key": VALUE}).state == "completed"


# ------------------------------------------------------------------------------------------------------------ the cache


class Source:
    """Counts the looks; answers with their number."""

    def __init__(self) -> None:
        self.looks = 0
        self.error: Exception | None = None

    def __call__(self, arn: str) -> str:
        self.looks += 1
        if self.error is not None:
            raise self.error
        return f"{arn}#{self.looks}"


def test_a_secret_is_looked_up_once_in_five_minutes() -> None:
    time, source = VirtualTime(), Source()
    secrets = Secrets([ARN], source, time)
    assert source.looks == 0
    assert {secrets("prod/model-key") for _ in range(10)} == {f"{ARN}#1"}
    time.sleep(299)
    assert secrets("prod/model-key") == f"{ARN}#1"
    time.sleep(1)
    assert secrets("prod/model-key") == f"{ARN}#2"


def test_an_old_value_is_used_while_there_is_no_answer() -> None:
    time, source = VirtualTime(), Source()
    secrets = Secrets([ARN], source, time)
    secrets("prod/model-key")
    time.sleep(300)
    source.error = Unavailable("ThrottlingException")
    assert secrets("prod/model-key") == f"{ARN}#1"
    assert secrets("prod/model-key") == f"{ARN}#1"
    assert source.looks == 2
    source.error = None
    time.sleep(30)
    assert secrets("prod/model-key") == f"{ARN}#3"


def test_without_an_old_value_there_is_none() -> None:
    source = Source()
    source.error = Unavailable("ThrottlingException")
    with pytest.raises(Unavailable):
        Secrets([ARN], source, VirtualTime())("prod/model-key")


@pytest.mark.parametrize("name", ["model-key", "prod/model-key-AbC123", ARN, ""])
def test_a_name_that_the_agent_is_not_given_is_never_asked_for(name: str) -> None:
    source = Source()
    with pytest.raises(AgentError, match="AgentSecretArns gives it: prod/model-key"):
        Secrets([ARN], source, VirtualTime())(name)
    assert source.looks == 0


# -------------------------------------------------------------------------------------------------------------- on AWS


@contextmanager
def kept(value: str | bytes) -> Iterator[str]:
    """A secret of Secrets Manager; its ARN."""
    content = {"SecretString": value} if isinstance(value, str) else {"SecretBinary": value}
    arn: str = client("secretsmanager").create_secret(Name="prod/model-key", **content)["ARN"]
    try:
        yield arn
    finally:
        client("secretsmanager").delete_secret(SecretId=arn, ForceDeleteWithoutRecovery=True)


def asks(**options: Any) -> Agent:
    def step(task: Any) -> None:
        task.complete(f"{task.settings['model']}: {len(task.secret('prod/model-key'))}")

    return agent(step, **options)


def test_on_aws_a_step_reads_its_secret_and_nothing_that_is_stored_or_logged_holds_it(
    cloud_stack: Callable[..., CloudStack], monkeypatch: pytest.MonkeyPatch, output: Callable[[], str]
) -> None:
    with kept(VALUE) as arn:
        monkeypatch.setenv("AGENT_SECRET_ARNS", arn)
        monkeypatch.setenv("AGENT_SETTINGS", '{"model": "m-1"}')
        stack = cloud_stack(agent=asks())
        task_id = stack.finished()
    assert stack.status_text(task_id) == f"m-1: {len(VALUE)}"
    assert_nowhere(stack, output)


def raises_it(task: Any) -> None:
    raise AgentError(f"wrong key: {task.secret('prod/model-key')}")


def raises_another(task: Any) -> None:
    raise ValueError(task.secret("prod/model-key"))


@pytest.mark.parametrize("step", [raises_it, raises_another, lambda task: task.status(task.secret("prod/model-key"))])
def test_on_aws_no_log_line_and_no_task_holds_a_secret_that_a_step_is_careless_with(
    step: Any,
    cloud_stack: Callable[..., CloudStack],
    monkeypatch: pytest.MonkeyPatch,
    output: Callable[[], str],
) -> None:
    with kept(VALUE) as arn:
        monkeypatch.setenv("AGENT_SECRET_ARNS", arn)
        stack = cloud_stack(agent=agent(step))
        task_id = stack.finished()
    assert stack.state(task_id) == "failed"
    assert_nowhere(stack, output)


def assert_nowhere(stack: CloudStack, output: Callable[[], str]) -> None:
    printed = output()
    for text in (printed, json.dumps(stack.new_records(), default=str)):
        assert text
        assert "swordfish" not in text
        assert "0123456789" not in text


@pytest.mark.parametrize(
    ("arns", "value"), [(ARN.replace("model", "no"), "x" * 9), ("", "x" * 9), (None, b"binary")], ids=str
)
def test_on_aws_a_secret_that_cannot_be_had_fails_the_task_at_once_and_the_log_says_why(
    arns: str | None,
    value: Any,
    cloud_stack: Callable[..., CloudStack],
    monkeypatch: pytest.MonkeyPatch,
    output: Callable[[], str],
) -> None:
    with kept(value) as arn:
        monkeypatch.setenv("AGENT_SECRET_ARNS", arn if arns is None else arns)
        monkeypatch.setenv("AGENT_SETTINGS", '{"model": "m-1"}')
        stack = cloud_stack(agent=asks(retry=Retry(attempts=3, backoff=0)))
        task_id = stack.finished()
    assert stack.state(task_id) == "failed"
    assert output().count('"step failed"') == 1


def test_an_outage_of_secrets_manager_is_waited_for_and_fails_no_task() -> None:
    stack = MemoryStack(Options(agent=asks()))
    task_id = stack.send()["id"]
    for _ in range(3):
        with pytest.raises(Unavailable):
            stack.executor(secrets=throttled, settings={"model": "m-1"}).run(task_id, lambda: 60_000)
    assert (stack.state(task_id), stack.failures) == ("working", [])
    stack.executor(secrets=lambda name: name, settings={"model": "m-1"}).run(task_id, lambda: 60_000)
    assert stack.state(task_id) == "completed"


def throttled(*_: object) -> str:
    raise Unavailable("ThrottlingException")


@pytest.mark.parametrize("text", ["[]", "5", "{", "null", '"text"'])
def test_settings_that_are_no_json_object_are_refused_by_the_variables_name(text: str) -> None:
    with pytest.raises(SettingsError, match="AGENT_SETTINGS must be a JSON object"):
        Environment({"AGENT_SETTINGS": text}).mapping("AGENT_SETTINGS")


def test_settings_may_be_left_out() -> None:
    assert Environment({}).mapping("AGENT_SETTINGS") == {}
