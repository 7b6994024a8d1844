"""Whatever a record, an item or a message holds, it alone is set aside: the handlers, fed with a grammar of bad values.

Each batch has a witness, which must get everything each time; and no credential is in a log line or a failure message.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from random import Random
from typing import Any

import cloud
import pytest
from agents import one_step
from bad_values import ATTRIBUTES, DEEP, JSON_VALUES, TEXTS, items
from cloud_stack import CloudStack, queue_record
from harness import WEBHOOK

from a2a_lambda.aws.queues import MAX_BODY
from a2a_lambda.core.ports import Poison

SECRET = "s3cr3t-do-not-show"
CREDENTIALS = {
    "token": f"{SECRET}-token",
    "authentication": {"scheme": "Bearer", "credentials": f"{SECRET}-credentials"},
}
WORDS = "w0rds-of-a-client"
"""A failure message has them, because it has the record; a log line never."""

TOGETHER = 20


@pytest.fixture
def stack(cloud_stack: Callable[..., CloudStack], output: Callable[[], str]) -> CloudStack:
    made = cloud_stack(agent=one_step())
    assert all((made.redelivery_queue, made.dead_letters, made.stream_failures))
    output()
    return made


def assert_clean(written: str, what: str = "") -> None:
    assert SECRET not in written, what
    assert WORDS not in written, what
    assert "Traceback" not in written, what


def registered(stack: CloudStack, *names: str) -> str:
    task_id: str = stack.send(stack.message(WORDS))["id"]
    for name in names:
        stack.register(task_id, f"{WEBHOOK}/{name}?key={SECRET}", id=name, **CREDENTIALS)
    return task_id


def canceled(stack: CloudStack, task_id: str) -> Any:
    """The record of the task's last change."""
    stack.new_records()
    stack.call("CancelTask", {"id": task_id})
    (record,) = stack.new_records()
    return record


def of_generation(record: Any, number: int) -> Any:
    """The same change as if it were a later one, so that it is new to everybody."""
    change = record["dynamodb"]
    images = {
        name: {**change[name], "generation": {"N": str(2 * number + place)}}
        for place, name in ((10, "OldImage"), (11, "NewImage"))
    }
    return {**record, "dynamodb": {**change, **images, "SequenceNumber": str(number + 1)}}


def drained(url: str) -> list[Any]:
    """All messages of a queue, which is empty then."""
    sqs, found = cloud.client("sqs"), []
    while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]).get(
        "Messages"
    ):
        for message in batch:
            found.append(message)
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def put_aside(stack: CloudStack) -> list[Any]:
    """The bodies of the failure messages, in which is no credential."""
    bodies = [json.loads(message["Body"]) for message in drained(stack.stream_failures)]
    for body in bodies:
        packed = body["packedRecord"]
        text = zlib.decompress(base64.b64decode(packed)).decode() if packed else ""
        assert SECRET not in json.dumps(body) + text
    return bodies


def batches(source: Iterator[Any], size: int = TOGETHER) -> Iterator[list[Any]]:
    while batch := list(islice(source, size)):
        yield batch


@contextmanager
def reading(operation: str, change: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    """What DynamoDB answers to an operation, changed: also into what no client could have written."""

    def changed(parsed: Any, **_: Any) -> None:
        change(parsed)

    events = cloud.client("dynamodb").meta.events
    events.register(f"after-call.dynamodb.{operation}", changed)
    try:
        yield
    finally:
        events.unregister(f"after-call.dynamodb.{operation}", changed)


# ------------------------------------------------------------------------------------------------ records of the stream


def poisoned_records(record: Any) -> Iterator[tuple[str, Any]]:
    change = record["dynamodb"]
    secret = {"resumeToken": {"S": json.dumps({"token": f"{SECRET}-resume", "run": 1})}}
    for image in ("NewImage", "OldImage"):
        for what, mutant in items({**change[image], **secret}, seed=1, inner=250):
            yield f"{image}: {what}", {**record, "dynamodb": {**change, image: mutant}}
    for name in ("Keys", "NewImage", "OldImage", "StreamViewType"):
        for place, value in enumerate(ATTRIBUTES):
            yield f"{name} as {place}", {**record, "dynamodb": {**change, name: value}}
    for place, value in enumerate(ATTRIBUTES):
        yield f"the key as {place}", {**record, "dynamodb": {**change, "Keys": {"taskId": value}}}


@pytest.mark.parametrize("removed", [False, True])
def test_a_bad_record_is_set_aside_alone(stack: CloudStack, output: Callable[[], str], removed: bool) -> None:
    victim, witness = registered(stack, "victim"), registered(stack, "witness")
    bad, good = canceled(stack, victim), canceled(stack, witness)
    if removed:
        del bad["dynamodb"]["NewImage"]
    mutants, seen = poisoned_records({**bad, "dynamodb": {"NewImage": {}, **bad["dynamodb"]}}), 0
    output()
    for number, batch in enumerate(batches(mutants)):
        seen += len(batch)
        stack.sender.posts.clear()
        records = [
            {**record, "dynamodb": {**record["dynamodb"], "SequenceNumber": str(1_000 * number + place)}}
            for place, (_, record) in enumerate(batch)
        ]
        assert stack.notify([*records, of_generation(good, 1_000 * number + 900)]) == [], batch[0][0]
        assert stack.sender.urls().count(f"{WEBHOOK}/witness?key={SECRET}") == 1, batch[0][0]
        put_aside(stack)
        assert_clean(output())
    assert seen >= 1_500


@pytest.mark.parametrize("deep", ["[" * DEEP + "]" * DEEP, '{"a":' * DEEP + "1" + "}" * DEEP, "[" * 600 + "]" * 600])
@pytest.mark.parametrize("name", ["doc", "openArtifacts", "announcement"])
def test_a_deeply_nested_document_does_not_freeze_the_stream_before_and_after_its_item_is_gone(
    stack: CloudStack, name: str, deep: str
) -> None:
    victim, witness = registered(stack, "victim"), registered(stack, "witness")
    bad, good = canceled(stack, victim), canceled(stack, witness)
    bad["dynamodb"]["NewImage"][name] = {"S": deep}
    assert stack.notify([bad, good]) == []
    assert [body["eventID"] for body in put_aside(stack)] == [bad["eventID"]]
    change = bad["dynamodb"]
    gone = {**bad, "dynamodb": {**change, "OldImage": change["NewImage"], "NewImage": None, "SequenceNumber": "9"}}
    assert stack.notify([gone, of_generation(good, 9)]) == []
    assert put_aside(stack) == []
    assert stack.sender.urls() == [f"{WEBHOOK}/witness?key={SECRET}"] * 2
    assert stack.configs.of_task(victim) == []


@pytest.mark.parametrize("record", [None, [], "x", 7, {}, {"dynamodb": None}, {"dynamodb": {"SequenceNumber": "1"}}])
def test_what_is_no_record_at_all_is_put_aside(stack: CloudStack, record: Any) -> None:
    good = canceled(stack, registered(stack, "witness"))
    assert stack.notify([record, good]) == []
    assert len(put_aside(stack)) == 1
    assert len(stack.sender.posts) == 1


@pytest.mark.parametrize("code", [None, "AccessDenied", "ThrottlingException"])
def test_a_record_that_cannot_be_put_aside_comes_again_whatever_the_queue_says(
    stack: CloudStack, code: str | None
) -> None:
    bad, good = canceled(stack, registered(stack, "victim")), canceled(stack, registered(stack, "witness"))
    del bad["dynamodb"]["NewImage"]["doc"]
    with cloud.outage("sqs", "SendMessage", code=code):
        assert stack.notify([bad, good]) == [bad["dynamodb"]["SequenceNumber"]]
        assert stack.notify([{**bad, "dynamodb": {}}, good]) == [""]
    assert stack.notify([bad, good]) == []
    assert len(stack.sender.posts) == 1


# ----------------------------------------------------------------------------------------------------- items of configs


def stored_config(stack: CloudStack, task_id: str, name: str) -> Any:
    """A config's item with all the attributes that it can have."""
    key = {"taskId": {"S": task_id}, "configId": {"S": name}}
    item = cloud.client("dynamodb").get_item(TableName=stack.configs_table, Key=key)["Item"]
    moment = {"S": "2026-01-01T00:00:00+00:00"}
    moments = ("failingSince", "nextAttemptAt", "lastAttemptAt", "pausedUntil")
    return {
        **item,
        **dict.fromkeys(moments, moment),
        "attempts": {"N": "1"},
        "deadLetters": {"N": "1"},
        "deliveredThrough": {"N": "1"},
        "lastError": {"S": "timeout"},
        "redriven": {"S": ""},
        "held": {"S": json.dumps(["host", "2026-01-01T00:00:00+00:00"])},
        "recentFailures": {"S": json.dumps([["2026-01-01T00:00:00+00:00", "1.0", "timeout", 3]])},
    }


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


# ----------------------------------------------------------------------------------------------- messages of the queues


def packed(raw: bytes) -> str:
    return base64.b64encode(zlib.compress(raw, 9)).decode()


def poisoned_messages(body: str) -> Iterator[tuple[str, str]]:
    stored = json.loads(body)
    for place, text in enumerate(TEXTS):
        yield f"as {place}", text
    for name in stored:
        yield f"without {name}", json.dumps({key: value for key, value in stored.items() if key != name})
        for place, value in enumerate([*JSON_VALUES, *TEXTS]):
            yield f"{name} as {place}", json.dumps({**stored, name: value})
    bombs = {
        "60 MB": packed(b'{"text":"' + b"x" * 60_000_000 + b'"}'),
        "cut off": packed(b"{}" * 5_000)[:40],
        "no zlib": base64.b64encode(b"{}").decode(),
        "no base64": "\u00e9" * 8,
        "no UTF-8": packed(b"\xff"),
        "no object": packed(b"[1]"),
        "deep": packed(b"[" * DEEP + b"]" * DEEP),
        "two streams": base64.b64encode(zlib.compress(b"{}") * 2).decode(),
    }
    for what, bomb in bombs.items():
        yield f"packed: {what}", json.dumps({**stored, "packed": True, "body": bomb})


def waiting(stack: CloudStack, *names: str) -> list[Any]:
    """A message for each webhook, as the event source of the queue brings it."""
    for name in names:
        stack.sender.answers(f"{WEBHOOK}/{name}?key={SECRET}", "timeout", 200)
        canceled(stack, registered(stack, name))
        stack.notify(cloud.stream_records(stack.tasks_table)[-1:])
    records = stack.receive()
    assert len(records) == len(names)
    stack.sender.posts.clear()
    by_name = {json.loads(record["body"])["configId"]: record for record in records}
    return [by_name[name] for name in names]


def test_a_bad_message_becomes_a_dead_letter_and_its_batch_goes_on(
    stack: CloudStack, output: Callable[[], str]
) -> None:
    victim, witness = waiting(stack, "victim", "witness")
    seen = letters = 0
    output()
    for batch in batches(poisoned_messages(victim["body"])):
        seen += len(batch)
        stack.sender.posts.clear()
        bad = [{**victim, "body": text, "messageId": f"bad-{seen}-{n}"} for n, (_, text) in enumerate(batch)]
        answer = stack.invoke("redelivery", {"Records": [*bad, {**witness, "messageId": f"good-{seen}"}]})
        assert answer == {"batchItemFailures": []}, batch[0][0]
        assert all(len(post.body) <= MAX_BODY for post in stack.sender.posts), batch[0][0]
        if seen == len(batch):
            assert f"{WEBHOOK}/witness?key={SECRET}" in stack.sender.urls()
        found = drained(stack.dead_letters)
        letters += len(found)
        assert SECRET not in json.dumps(found)
        assert_clean(output(), batch[0][0])
    assert seen >= 800
    assert letters > seen / 2


@pytest.mark.parametrize("claim", [{"generation": 2**40}, {"owner": "mallory"}])
def test_a_message_for_what_was_never_queued_does_not_move_the_cursor_of_its_config(
    stack: CloudStack, claim: dict[str, Any]
) -> None:
    """Delivered, it would settle all that its config has yet to receive."""
    (record,) = waiting(stack, "victim")
    stored = json.loads(record["body"])
    forged = {**record, "body": json.dumps({**stored, **claim}), "messageId": "forged"}
    assert stack.invoke("redelivery", {"Records": [forged]}) == {"batchItemFailures": []}
    assert stack.sender.posts == []
    config = stack.configs.get(stored["taskId"], "victim")
    assert config is not None
    assert config.settled_through < stored["generation"]
    assert len(drained(stack.dead_letters)) == 1


@pytest.mark.parametrize("code", [None, "AccessDenied", "ThrottlingException", "InvalidMessageContents"])
def test_a_bad_message_that_cannot_become_a_dead_letter_comes_again(stack: CloudStack, code: str | None) -> None:
    (record,) = waiting(stack, "victim")
    with cloud.outage("sqs", "SendMessage", code=code):
        answer = stack.invoke("redelivery", {"Records": [{**record, "body": "x"}]})
    assert answer == {"batchItemFailures": [{"itemIdentifier": record["messageId"]}]}


def test_a_bad_message_of_the_largest_size_becomes_a_dead_letter_as_far_as_there_is_room(stack: CloudStack) -> None:
    (record,) = waiting(stack, "victim")
    assert stack.invoke("redelivery", {"Records": [{**record, "body": "x" * 1_048_576}]}) == {"batchItemFailures": []}
    (letter,) = drained(stack.dead_letters)
    assert letter["Body"] == "x" * 1_000_000


def test_a_bad_config_makes_its_messages_dead_letters_and_keeps_no_other(
    stack: CloudStack, output: Callable[[], str]
) -> None:
    victim, witness = waiting(stack, "victim", "witness")
    task_id = json.loads(victim["body"])["taskId"]
    mutants = list(items(stored_config(stack, task_id, "victim"), 6, 200))
    output()
    for number, (what, mutant) in enumerate(Random(6).sample(mutants, 200)):

        def poisoned(parsed: dict[str, Any], mutant: Any = mutant) -> None:
            if parsed.get("Item", {}).get("configId") == {"S": "victim"}:
                parsed["Item"] = mutant

        records = [{**victim, "messageId": f"bad-{number}"}, {**witness, "messageId": f"good-{number}"}]
        with reading("GetItem", poisoned):
            failed = stack.invoke("redelivery", {"Records": records})["batchItemFailures"]
        # A config that can be read may say that it is not its time: then what is behind comes again with it.
        assert failed in ([], [{"itemIdentifier": record["messageId"]} for record in records]), what
        assert_clean(output())
    assert stack.invoke("redelivery", {"Records": [witness]}) == {"batchItemFailures": []}
    assert f"{WEBHOOK}/witness?key={SECRET}" in stack.sender.urls()


def test_a_bad_message_about_a_task_to_watch_keeps_no_other(
    cloud_stack: Callable[..., CloudStack], output: Callable[[], str]
) -> None:
    stack = cloud_stack(agent=one_step(), express=True)
    witness = stack.send()["id"]
    record = {"MessageId": "good", "ReceiptHandle": "r", "Body": "", "MD5OfBody": "", "Attributes": {}}
    good = queue_record({**record, "Body": json.dumps({"taskId": witness})})
    texts = [*TEXTS, *(json.dumps({"taskId": value}) for value in [*JSON_VALUES, *TEXTS])]
    bad = [queue_record({**record, "MessageId": f"bad-{place}", "Body": text}) for place, text in enumerate(texts)]
    answer = stack.invoke("caretaker", {"Records": [*bad, good]})
    failed = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
    assert "good" not in failed
    assert len(failed) > len(bad) / 2
    assert_clean(output())
