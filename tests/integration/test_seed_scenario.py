"""The seed scenario, run by the demo's own client against the deployed template."""

from __future__ import annotations

from push_client import A2AClient
from push_demo import run_demo
from push_webhook import Push, Receiver


def test_every_check_of_the_demo_passes(client: A2AClient, receiver: Receiver) -> None:
    report = run_demo(client, receiver, timeout=60)
    assert [check for check in report.checks if not check.passed] == []


def test_two_tasks_at_once_are_pushed_to_their_own_webhooks(client: A2AClient, receiver: Receiver) -> None:
    with Receiver(port=0) as other:
        first, second = client.send("one"), client.send("two")
        client.set_push_config(first["id"], receiver.url)
        client.set_push_config(second["id"], other.url)
        assert {push.task_id for push in until_final(receiver)} == {first["id"]}
        assert {push.task_id for push in until_final(other)} == {second["id"]}


def test_a_webhook_registered_after_the_end_hears_of_the_end(client: A2AClient, receiver: Receiver) -> None:
    with Receiver(port=0) as early:
        task = client.send("run")
        client.set_push_config(task["id"], early.url)
        until_final(early)
    client.set_push_config(task["id"], receiver.url)
    push = receiver.next(30)
    assert push is not None
    assert (push.state, push.final) == ("completed", True)


def until_final(receiver: Receiver) -> list[Push]:
    pushes: list[Push] = []
    while not (pushes and pushes[-1].final):
        push = receiver.next(30)
        assert push is not None, f"no final push after {[push.state for push in pushes]}"
        pushes.append(push)
    return pushes
