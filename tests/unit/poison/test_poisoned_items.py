"""A bad item of a config or of a task is set aside alone."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any

import cloud
import pytest
from bad_values import items
from cloud_stack import CloudStack
from harness import WEBHOOK
from poisoned import (
    SECRET,
    WORDS,
    assert_clean,
    batches,
    canceled,
    drained,
    of_generation,
    put_aside,
    reading,
    registered,
    stored_config,
)

from a2a_lambda.core.ports import Poison

# ----------------------------------------------------------------------------------------------------- items of configs


def test_a_bad_config_keeps_no_other_config_of_its_task(stack: CloudStack, output: Callable[[], str]) -> None:
    task_id = registered(stack, "witness", "victim")
    mutants, seen, change = items(stored_config(stack, task_id, "victim"), 2, 400), 0, canceled(stack, task_id)
    output()
    for number, batch in enumerate(batches(mutants)):
        seen += len(batch)
        stack.sender.posts.clear()

        def poisoned(parsed: dict[str, Any], batch: list[Any] = batch) -> None:
            good = [item for item in parsed["Items"] if item["configId"] == {"S": "witness"}]
            if good:
                parsed["Items"] = [*(mutant for _, mutant in batch), *good]

        with reading("Query", poisoned):
            assert stack.notify([of_generation(change, number)]) == [], batch[0][0]
        assert stack.sender.urls().count(f"{WEBHOOK}/witness?key={SECRET}") == 1, batch[0][0]
        for body in put_aside(stack):
            assert body["unreadableConfigs"], batch[0][0]
        drained(stack.redelivery_queue)
        assert_clean(output())
    assert seen >= 1_500


LISTS = [
    ("ListTaskPushNotificationConfigs", {"taskId": ...}, "1.0", lambda found: [one["id"] for one in found["configs"]]),
    (
        "tasks/pushNotificationConfig/list",
        {"id": ...},
        "0.3",
        lambda found: [one["pushNotificationConfig"]["id"] for one in found],
    ),
    ("tasks/pushNotification/list", {}, None, len),
]


@pytest.mark.parametrize(("method", "params", "version", "names"), LISTS, ids=["1.0", "0.3", "legacy"])
def test_a_list_of_webhooks_leaves_out_what_cannot_be_read(
    stack: CloudStack, output: Callable[[], str], method: str, params: Any, version: str | None, names: Any
) -> None:
    task_id = registered(stack, "witness", "victim")
    arguments = dict.fromkeys(params, task_id)
    mutants = list(items(stored_config(stack, task_id, "victim"), 3, 60))
    output()
    for what, mutant in Random(3).sample(mutants, 150):

        def poisoned(parsed: dict[str, Any], mutant: Any = mutant) -> None:
            for found in [parsed.get("Items"), parsed.get("Responses", {}).get(stack.configs_table)]:
                for place, item in enumerate(found or []):
                    if item["configId"] == {"S": "victim"} and "url" in item:
                        found[place] = mutant

        with reading("Query", poisoned), reading("BatchGetItem", poisoned):
            found = names(stack.call(method, arguments, version=version))
        assert found in (1, 2) or "witness" in found, what
        assert_clean(output())


def test_a_bad_webhook_can_be_set_again_and_deleted(stack: CloudStack) -> None:
    task_id = registered(stack, "witness", "victim")
    item = stored_config(stack, task_id, "victim")
    for method in ("set", "delete"):
        broken = {**item, "authentication": {"S": "[1]"}}
        cloud.client("dynamodb").put_item(TableName=stack.configs_table, Item=broken)
        if method == "set":
            stack.register(task_id, f"{WEBHOOK}/victim", id="victim")
            assert [config.config_id for config in stack.configs.of_task(task_id)] == ["victim", "witness"]
        else:
            stack.call("DeleteTaskPushNotificationConfig", {"taskId": task_id, "id": "victim"})
            assert stack.configs.of_task(task_id).unreadable == ()
    assert stack.notify([canceled(stack, task_id)]) == []
    assert stack.sender.urls() == [f"{WEBHOOK}/witness?key={SECRET}"]


def test_the_configs_of_an_expired_task_go_with_it_readable_or_not(stack: CloudStack) -> None:
    task_id = registered(stack, "witness", "victim")
    item = {**stored_config(stack, task_id, "victim"), "authentication": {"S": "[1]"}}
    cloud.client("dynamodb").put_item(TableName=stack.configs_table, Item=item)
    stack.new_records()
    cloud.client("dynamodb").delete_item(TableName=stack.tasks_table, Key={"taskId": {"S": task_id}})
    assert stack.notify() == []
    assert cloud.items(stack.configs_table) == []


# ------------------------------------------------------------------------------------------------------- items of tasks


def stored_task(stack: CloudStack, task_id: str) -> Any:
    item = cloud.client("dynamodb").get_item(TableName=stack.tasks_table, Key={"taskId": {"S": task_id}})["Item"]
    return {
        **item,
        "resumeToken": {"S": json.dumps({"token": f"{SECRET}-resume", "run": 1})},
        "request": {"S": json.dumps({"metadata": {"a": 1}, "extensions": ["x"], "outputModes": ["text/plain"]})},
        "trace": {"S": json.dumps([[1, "SUBMITTED", "2026-01-01T00:00:00.000Z", 0, [0, [0, 0, 1, 0, 1]]]])},
        "announcement": {"S": json.dumps(["c", "nonce"])},
    }


def poisoned_task(stack: CloudStack, victim: str, mutant: Any) -> Callable[[dict[str, Any]], None]:
    def poisoned(parsed: dict[str, Any]) -> None:
        for name in ("Item", "Attributes"):
            if parsed.get(name, {}).get("taskId") == {"S": victim}:
                parsed[name] = mutant
        found = parsed.get("Responses", {}).get(stack.tasks_table, [])
        for place, item in enumerate(found):
            if item["taskId"] == {"S": victim}:
                found[place] = mutant

    return poisoned


def test_a_bad_task_is_left_out_of_lists_and_holds_no_shard_of_the_caretaker(
    stack: CloudStack, output: Callable[[], str]
) -> None:
    stack.break_workflow()
    for _ in range(2):
        stack.request("SendMessage", {"message": stack.message(WORDS)})
    stack.mend_workflow()
    records = stack.new_records()
    victim, witness = (record["dynamodb"]["Keys"]["taskId"]["S"] for record in records)
    mutants = list(items(stored_task(stack, victim), 4, 300))
    output()
    for what, mutant in Random(4).sample(mutants, 250):
        poisoned = poisoned_task(stack, victim, mutant)
        with reading("GetItem", poisoned), reading("BatchGetItem", poisoned), cloud.calls("stepfunctions") as calls:
            tasks = stack.call("ListTasks", {"includeArtifacts": True})["tasks"]
            answer = stack.invoke("caretaker", {"Records": records})
        assert witness in [task["id"] for task in tasks], what
        assert answer == {"batchItemFailures": []}, what
        assert [arguments["name"][:36] for name, arguments in calls if name == "StartExecution"][-1] == witness, what
        put_aside(stack)
        assert_clean(output())


def stored(stack: CloudStack, task_id: str, mutant: dict[str, Any]) -> bool:
    """Write it in the place of the task's item, if it can be written at all."""
    if mutant.get("taskId") != {"S": task_id}:
        return False
    with suppress(Exception):  # of moto's own, too
        cloud.client("dynamodb").put_item(TableName=stack.tasks_table, Item=mutant)
        return True
    return False


@pytest.mark.parametrize("action", ["run", "await", "expire", "fail"])
def test_a_bad_task_fails_its_execution_and_shows_nothing(
    stack: CloudStack, output: Callable[[], str], action: str
) -> None:
    victim: str = stack.send(stack.message(WORDS))["id"]
    output()
    refused: list[Poison] = []
    for what, mutant in Random(5).sample(list(items(stored_task(stack, victim), 5, 300)), 250):
        if not stored(stack, victim, mutant):
            continue
        try:
            stack.invoke("executor", {"action": action, "taskId": victim, "resumeToken": f"{SECRET}-resume"})
        except Poison as error:
            refused.append(error)
        assert_clean(output(), what)
    assert len(refused) >= 60
    assert {(error.args, error.__cause__, error.__suppress_context__) for error in refused} == {((victim,), None, True)}


def test_the_end_of_an_execution_whose_task_cannot_be_read_is_put_aside(stack: CloudStack) -> None:
    victim: str = stack.send()["id"]
    event = json.loads((cloud.ROOT / "events" / "caretaker-execution-ended.json").read_text())
    event["detail"]["name"] = f"{victim}-1767225600"
    poisoned = poisoned_task(stack, victim, {"taskId": {"S": victim}})
    with reading("GetItem", poisoned):
        assert stack.invoke("caretaker", event) == {}
    (body,) = put_aside(stack)
    assert json.loads(zlib.decompress(base64.b64decode(body["packedRecord"]))) == event
