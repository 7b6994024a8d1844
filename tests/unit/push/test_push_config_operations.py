"""Push notification configs: create, get, list, delete (specification sections 3.1.7 to 3.1.10)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from agents import asking
from busy import busy
from callers import CAROL
from harness import UNKNOWN_TASK, WEBHOOK, Stack
from memory_stack import MemoryStack

from a2a_lambda.core.records import PushConfig
from a2a_lambda.push.configs import MAX_CONFIGS

CONFIG = {"url": WEBHOOK, "token": "t-1", "authentication": {"scheme": "Bearer", "credentials": "secret"}}


@pytest.fixture
def task_id(stack: Stack) -> str:
    identifier: str = stack.send()["id"]
    return identifier


def stored(stack: Stack, task_id: str, config_id: str) -> PushConfig:
    config = stack.configs.get(task_id, config_id)
    assert config is not None
    return config


def listed(stack: Stack, task_id: str, **params: Any) -> list[str]:
    answer = stack.call("ListTaskPushNotificationConfigs", {"taskId": task_id, **params})
    return [config["id"] for config in answer["configs"]]


# ---------------------------------------------------------------------------------------------------------------- 1.0


def test_a_config_is_answered_and_found_as_it_was_created(stack: Stack, task_id: str) -> None:
    created = stack.register(task_id, id="mine", **{key: CONFIG[key] for key in ("token", "authentication")})
    assert created == {"taskId": task_id, "id": "mine", **CONFIG}
    assert stack.call("GetTaskPushNotificationConfig", {"taskId": task_id, "id": "mine"}) == created
    assert stack.call("ListTaskPushNotificationConfigs", {"taskId": task_id}) == {"configs": [created]}


def test_a_config_is_registered_for_a_task_whose_agent_writes_all_the_time(memory: MemoryStack) -> None:
    task_id = memory.send()["id"]
    chunks = busy(memory, seconds=1)
    memory.register(task_id, id="mine")
    assert stored(memory, task_id, "mine").settled_through == memory.stored(task_id).generation
    assert chunks() > 8


def test_a_config_without_an_id_gets_one(stack: Stack, task_id: str) -> None:
    first, second = stack.register(task_id), stack.register(task_id)
    assert first["id"]
    assert first["id"] != second["id"]
    assert sorted(listed(stack, task_id)) == sorted([first["id"], second["id"]])


def test_a_config_says_nothing_it_was_not_given(stack: Stack, task_id: str) -> None:
    assert set(stack.register(task_id)) == {"taskId", "id", "url"}


def test_a_config_can_be_read_by_the_names_of_protocol_buffers(stack: Stack, task_id: str) -> None:
    stack.call("CreateTaskPushNotificationConfig", {"task_id": task_id, "id": "mine", "url": WEBHOOK})
    assert stack.call("GetTaskPushNotificationConfig", {"task_id": task_id, "id": "mine"})["id"] == "mine"


def test_a_config_needs_its_task(stack: Stack) -> None:
    before = stack.snapshot()
    assert stack.code("CreateTaskPushNotificationConfig", {"url": WEBHOOK}) == -32602
    assert stack.code("CreateTaskPushNotificationConfig", {"taskId": UNKNOWN_TASK, "url": WEBHOOK}) == -32001
    assert stack.snapshot() == before


@pytest.mark.parametrize("method", ["GetTaskPushNotificationConfig", "DeleteTaskPushNotificationConfig"])
@pytest.mark.parametrize("params", [{}, {"taskId": "x"}, {"id": "x"}, {"taskId": "", "id": ""}, {"taskId": 1, "id": 2}])
def test_a_config_is_named_by_its_task_and_its_id(stack: Stack, method: str, params: dict[str, Any]) -> None:
    assert stack.code(method, params) == -32602


def test_a_config_that_is_not_there_is_not_found(stack: Stack, task_id: str) -> None:
    assert stack.code("GetTaskPushNotificationConfig", {"taskId": task_id, "id": "none"}) == -32001
    assert stack.code("GetTaskPushNotificationConfig", {"taskId": UNKNOWN_TASK, "id": "none"}) == -32001
    assert stack.code("ListTaskPushNotificationConfigs", {"taskId": UNKNOWN_TASK}) == -32001


def test_deleting_a_config_leaves_the_others_and_can_be_repeated(stack: Stack, task_id: str) -> None:
    stack.register(task_id, id="a")
    stack.register(task_id, id="b")
    for _ in range(2):
        assert stack.call("DeleteTaskPushNotificationConfig", {"taskId": task_id, "id": "a"}) is None
        assert listed(stack, task_id) == ["b"]


def test_deleting_a_config_of_an_unknown_task_is_an_error(stack: Stack) -> None:
    assert stack.code("DeleteTaskPushNotificationConfig", {"taskId": UNKNOWN_TASK, "id": "a"}) == -32001


def test_configs_are_listed_by_id_and_in_pages(stack: Stack, task_id: str) -> None:
    for name in ("c", "a", "e", "b", "d"):
        stack.register(task_id, id=name)
    assert listed(stack, task_id) == ["a", "b", "c", "d", "e"]
    found, token = [], None
    for _ in range(3):
        params = {"taskId": task_id, "pageSize": 2, **({"pageToken": token} if token else {})}
        answer = stack.call("ListTaskPushNotificationConfigs", params)
        found.append([config["id"] for config in answer["configs"]])
        token = answer.get("nextPageToken")
    assert found == [["a", "b"], ["c", "d"], ["e"]]
    assert token is None


def test_a_page_of_configs_begins_after_one_that_was_deleted_meanwhile(stack: Stack, task_id: str) -> None:
    for name in "abc":
        stack.register(task_id, id=name)
    token = stack.call("ListTaskPushNotificationConfigs", {"taskId": task_id, "pageSize": 2})["nextPageToken"]
    stack.call("DeleteTaskPushNotificationConfig", {"taskId": task_id, "id": "b"})
    assert listed(stack, task_id, pageToken=token) == ["c"]


def test_a_task_has_a_limited_number_of_configs_but_each_can_be_replaced(stack: Stack, task_id: str) -> None:
    for number in range(MAX_CONFIGS):
        stack.register(task_id, id=f"c{number:02}")
    before = stack.snapshot()
    assert stack.code("CreateTaskPushNotificationConfig", {"taskId": task_id, "id": "more", "url": WEBHOOK}) == -32602
    assert stack.snapshot() == before
    stack.register(task_id, WEBHOOK + "/new", id="c07")
    assert stored(stack, task_id, "c07").url == WEBHOOK + "/new"


# ------------------------------------------------------------------------------------------------- the delivery cursor


def test_a_config_hears_of_what_happens_after_its_registration(stack: Stack, task_id: str) -> None:
    stack.run(task_id, remaining_ms=lambda: 60_000)
    generation = stack.stored(task_id).generation
    del generation
    other: str = stack.send()["id"]
    stack.register(other, id="mine")
    config = stored(stack, other, "mine")
    assert (config.registered, config.queued_through, config.settled_through) == (1, 1, 1)
    assert not config.backlogged


def test_a_config_of_a_task_that_has_ended_is_told_so_through_the_stream(stack: Stack, task_id: str) -> None:
    stack.call("CancelTask", {"id": task_id})
    before = stack.stored(task_id)
    stack.register(task_id, id="late")
    after = stack.stored(task_id)
    assert after.announcement is not None
    assert after.announcement[0] == "late"
    assert (after.task, after.generation) == (before.task, before.generation)
    config = stored(stack, task_id, "late")
    assert (config.registered, config.settled_through) == (after.generation, after.generation - 1)
    assert not config.backlogged


def test_a_config_of_a_task_that_waits_for_its_client_is_told_so(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(agent=asking())
    task_id = stack.send()["id"]
    stack.work(task_id)
    stack.register(task_id, id="late")
    announcement = stack.stored(task_id).announcement
    assert announcement is not None
    assert announcement[0] == "late"


def test_a_config_of_a_task_at_work_is_announced_nothing(stack: Stack, task_id: str) -> None:
    before = stack.stored(task_id)
    stack.register(task_id)
    assert stack.stored(task_id) == before


def test_each_late_registration_is_an_announcement_of_its_own(stack: Stack, task_id: str) -> None:
    stack.call("CancelTask", {"id": task_id})
    announcements = set()
    for _ in range(2):
        stack.register(task_id, id="late")
        announcements.add(stack.stored(task_id).announcement)
    assert len(announcements) == 2


def test_a_later_write_keeps_the_announcement_that_it_did_not_make(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(agent=asking())
    task_id = stack.send()["id"]
    stack.work(task_id)
    stack.register(task_id, id="late")
    announcement = stack.stored(task_id).announcement
    stack.send(stack.message("red", taskId=task_id))
    assert stack.stored(task_id).announcement == announcement


def test_a_config_that_is_set_again_keeps_its_place_in_the_queue_and_forgets_its_failures(
    stack: Stack, task_id: str
) -> None:
    stack.register(task_id, id="mine", token="old")
    before = stored(stack, task_id, "mine")
    assert stack.configs.raise_queued(before, 4)
    stack.send(stack.message(taskId=task_id))  # what is new to a new config is not to one with a backlog
    stack.register(task_id, WEBHOOK + "/new", id="mine")
    after = stored(stack, task_id, "mine")
    assert (after.url, after.token) == (WEBHOOK + "/new", None)
    assert (after.incarnation, after.queued_through, after.settled_through) == (before.incarnation, 4, 1)
    assert (before.registered, after.registered) == (1, 1)
    assert (after.attempts, after.failing_since, after.next_attempt_at, after.last_error) == (0, None, None, None)


def test_a_config_that_was_deleted_and_set_again_is_another_one(stack: Stack, task_id: str) -> None:
    stack.register(task_id, id="mine")
    before = stored(stack, task_id, "mine")
    stack.call("DeleteTaskPushNotificationConfig", {"taskId": task_id, "id": "mine"})
    stack.register(task_id, id="mine")
    assert stored(stack, task_id, "mine").incarnation != before.incarnation


# ----------------------------------------------------------------------------------------------------- races in memory


def test_a_registration_that_meets_a_write_of_the_task_is_bound_to_the_new_generation(memory: MemoryStack) -> None:
    """Neither a gap nor an overlap: the config hears of every generation after the one it was bound to."""
    task_id = memory.send()["id"]
    register = memory.configs.register

    def interfere(*arguments: Any) -> None:
        memory.configs.register = register  # type: ignore[method-assign]
        memory.send(memory.message("b", taskId=task_id))
        register(*arguments)

    memory.configs.register = interfere  # type: ignore[method-assign]
    memory.register(task_id, id="mine")
    assert stored(memory, task_id, "mine").settled_through == memory.stored(task_id).generation == 2


def test_a_registration_that_meets_the_end_of_the_task_announces_it(memory: MemoryStack) -> None:
    task_id = memory.send()["id"]
    register = memory.configs.register

    def interfere(*arguments: Any) -> None:
        memory.configs.register = register  # type: ignore[method-assign]
        memory.call("CancelTask", {"id": task_id})
        register(*arguments)

    memory.configs.register = interfere  # type: ignore[method-assign]
    memory.register(task_id, id="mine")
    assert stored(memory, task_id, "mine").settled_through == 1
    assert memory.stored(task_id).announcement is not None


def test_two_registrations_of_one_id_at_once_are_one_config(memory: MemoryStack) -> None:
    task_id = memory.send()["id"]
    register = memory.configs.register

    def interfere(*arguments: Any) -> None:
        memory.configs.register = register  # type: ignore[method-assign]
        memory.register(task_id, WEBHOOK + "/first", id="mine")
        register(*arguments)

    memory.configs.register = interfere  # type: ignore[method-assign]
    memory.register(task_id, WEBHOOK + "/second", id="mine")
    assert stored(memory, task_id, "mine").url == WEBHOOK + "/second"
    assert len(memory.configs.items) == 1


# -------------------------------------------------------------------------------------------------------------- legacy


@pytest.fixture
def legacy_task(stack: Stack) -> str:
    identifier: str = stack.call("tasks/send", {"message": {"role": "user", "parts": [{"text": "x"}]}}, version=None)[
        "id"
    ]
    return identifier


@pytest.mark.parametrize("name", ["config", "pushNotificationConfig", "push_notification_config"])
@pytest.mark.parametrize("task", ["id", "taskId", "task_id"])
def test_the_legacy_set_takes_task_and_config_by_each_of_their_names(memory: MemoryStack, task: str, name: str) -> None:
    sent = memory.call("tasks/send", {"message": {"role": "user", "parts": [{"text": "x"}]}}, version=None)
    legacy_task = sent["id"]
    answer = memory.call("tasks/pushNotification/set", {task: legacy_task, name: {"webhookUrl": WEBHOOK}}, version=None)
    config = {"taskId": legacy_task, "webhookUrl": WEBHOOK, "eventTypes": []}
    assert answer == {"id": legacy_task, "pushNotificationConfig": config}
    assert memory.call("tasks/pushNotification/get", {task: legacy_task}, version=None) == answer


def test_the_legacy_config_keeps_its_authentication_and_event_types(stack: Stack, legacy_task: str) -> None:
    config = {
        "webhookUrl": WEBHOOK,
        "authenticationInfo": {"scheme": "apiKey", "value": "secret", "headerName": "X-Key"},
        "eventTypes": ["TaskStatusUpdateEvent"],
    }
    answer = stack.call("tasks/pushNotification/set", {"id": legacy_task, "config": config}, version=None)
    assert answer["pushNotificationConfig"] == {"taskId": legacy_task, **config}


def test_a_legacy_config_for_events_that_never_come_is_refused(stack: Stack, legacy_task: str) -> None:
    before = stack.snapshot()
    config = {"webhookUrl": WEBHOOK, "eventTypes": ["TaskArtifactUpdateEvent"]}
    assert stack.code("tasks/pushNotification/set", {"id": legacy_task, "config": config}, version=None) == -32602
    assert stack.snapshot() == before


@pytest.mark.parametrize("types", [[], ["TaskArtifactUpdateEvent", "TaskStatusUpdateEvent"], ["completed"]])
def test_a_legacy_config_may_name_event_types_that_nobody_knows(
    stack: Stack, legacy_task: str, types: list[str]
) -> None:
    config = {"webhookUrl": WEBHOOK, "eventTypes": types}
    answer = stack.call("tasks/pushNotification/set", {"id": legacy_task, "config": config}, version=None)
    assert answer["pushNotificationConfig"]["eventTypes"] == types


def test_the_legacy_set_again_replaces_the_one_config_of_the_task(stack: Stack, legacy_task: str) -> None:
    for path in ("/one", "/two"):
        config = {"webhookUrl": WEBHOOK + path}
        stack.call("tasks/pushNotification/set", {"id": legacy_task, "config": config}, version=None)
    listed = stack.call("tasks/pushNotification/list", version=None)
    assert [entry["pushNotificationConfig"]["webhookUrl"] for entry in listed] == [WEBHOOK + "/two"]


def test_the_legacy_get_of_a_task_without_a_config_is_null(stack: Stack, legacy_task: str) -> None:
    assert stack.call("tasks/pushNotification/get", {"id": legacy_task}, version=None) is None


def test_the_legacy_list_has_all_configs_of_the_caller(stack: Stack) -> None:
    task_ids = []
    for _ in range(3):
        message = {"role": "user", "parts": [{"text": "x"}]}
        task_ids.append(stack.call("tasks/send", {"message": message}, version=None)["id"])
        params = {"id": task_ids[-1], "config": {"webhookUrl": WEBHOOK}}
        stack.call("tasks/pushNotification/set", params, version=None)
    listed = stack.call("tasks/pushNotification/list", version=None)
    assert sorted(entry["id"] for entry in listed) == sorted(task_ids)
    assert stack.call("tasks/pushNotification/list", version=None, caller=CAROL) == []


def test_the_legacy_delete_answers_null_and_removes_the_config(stack: Stack, legacy_task: str) -> None:
    params = {"id": legacy_task, "config": {"webhookUrl": WEBHOOK}}
    stack.call("tasks/pushNotification/set", params, version=None)
    for _ in range(2):
        assert stack.call("tasks/pushNotification/delete", {"id": legacy_task}, version=None) is None
        assert stack.call("tasks/pushNotification/list", version=None) == []
    assert stack.call("tasks/pushNotification/get", {"id": legacy_task}, version=None) is None


def test_the_legacy_get_prefers_the_config_that_its_own_set_makes(stack: Stack, legacy_task: str) -> None:
    stack.register(legacy_task, WEBHOOK + "/other", id="a-first-by-name")
    params = {"id": legacy_task, "config": {"webhookUrl": WEBHOOK}}
    stack.call("tasks/pushNotification/set", params, version=None)
    answer = stack.call("tasks/pushNotification/get", {"id": legacy_task}, version=None)
    assert answer["pushNotificationConfig"]["webhookUrl"] == WEBHOOK


@pytest.mark.parametrize("method", ["set", "get", "delete"])
def test_the_legacy_methods_do_not_find_an_unknown_task(stack: Stack, method: str) -> None:
    params = {"id": UNKNOWN_TASK, "config": {"webhookUrl": WEBHOOK}}
    assert stack.code(f"tasks/pushNotification/{method}", params, version=None) == -32001


def test_registrations_at_the_same_time_do_not_exceed_the_number_of_configs(memory: MemoryStack) -> None:
    """Each has counted before the other one was there."""
    task_id = memory.send()["id"]
    for number in range(MAX_CONFIGS - 1):
        memory.register(task_id, id=f"c{number}")
    register = memory.configs.register

    def first_the_other(config: Any, *rest: Any) -> None:
        memory.configs.register = register  # type: ignore[method-assign]
        memory.register(task_id, id="other")
        register(config, *rest)

    memory.configs.register = first_the_other  # type: ignore[method-assign]
    assert memory.code("CreateTaskPushNotificationConfig", {"taskId": task_id, "url": WEBHOOK, "id": "late"}) == -32602
    known = [config.config_id for config in memory.configs.of_task(task_id)]
    assert len(known) == MAX_CONFIGS
    assert "late" not in known


def test_a_config_that_is_set_again_is_not_counted_once_more(memory: MemoryStack) -> None:
    task_id = memory.send()["id"]
    for number in range(MAX_CONFIGS):
        memory.register(task_id, id=f"c{number}")
    memory.register(task_id, f"{WEBHOOK}/again", id="c0")
    assert len(memory.configs.of_task(task_id)) == MAX_CONFIGS
