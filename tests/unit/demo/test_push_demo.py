"""The demo's client without a network: what it reads off pushes, and what it concludes from them.

The verdicts are those of the seed scenario (design, "The seed scenario"); the tolerance in parsing is our choice.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import pytest

from push_client import A2AClient, DemoError, RpcError, printable
from push_demo import Report, lists_task, parse_listen, push_line, run_demo
from push_webhook import Push, Receiver, as_push

TASK = "0d9c1b7e-task"
SENT_AT = "2025-01-01T00:00:00.500Z"
SENT_EPOCH = 1735689600.5


def push(generation: int, text: str = "", state: str = "working", **more: Any) -> Push:
    """A push of TASK as the agent makes it, one second of writing time after the one before."""
    status: dict[str, Any] = {"state": state, "timestamp": f"2025-01-01T00:00:{generation:02d}.000Z"}
    if text:
        status["message"] = {"role": "agent", "messageId": "m", "parts": [{"text": text}]}
    payload = {
        "type": "TaskStatusUpdateEvent",
        "taskId": more.get("task", TASK),
        "contextId": "c",
        "status": status,
        "final": more.get("final", False),
    }
    return Push(payload, more.get("webhook_id", f"{TASK}.{generation}.1.default"))


def a_good_run() -> list[Push]:
    steps = [push(2 + number, f"Step {number}/3 complete") for number in (1, 2, 3)]
    return [push(2), *steps, push(6, "All steps finished", "completed", final=True)]


def report_of(pushes: Sequence[Push], **more: Any) -> Report:
    seen: dict[str, Any] = {
        "final_task": {"id": TASK, "status": {"state": "completed"}},
        "registered": True,
        "still_listed": False,
    }
    return Report(TASK, arrivals=list(pushes), **(seen | more))


def failing(report: Report) -> list[str]:
    return [check.name for check in report.checks if not check.passed]


def without_id(pushes: Sequence[Push]) -> list[Push]:
    return [Push(each.payload) for each in pushes]


class TestVerdicts:
    def test_a_complete_run_passes_every_check(self) -> None:
        report = report_of(a_good_run())
        assert report.passed
        assert [check.name for check in report.checks] == [
            "At least 2 pushes",
            "Every step's status seen",
            "Order of generation kept",
            "Final push seen",
            "Final state is completed",
            "Config gone",
        ]

    def test_no_push_at_all_fails_all_that_rests_on_pushes(self) -> None:
        assert failing(report_of([])) == [
            "At least 2 pushes",
            "Every step's status seen",
            "Order of generation kept",
            "Final push seen",
        ]

    def test_a_step_that_is_missing_is_named(self) -> None:
        pushes = a_good_run()
        del pushes[2]
        report = report_of(pushes)
        assert failing(report) == ["Every step's status seen"]
        assert report.checks[1].detail == "no status says 2/3"

    def test_the_number_of_steps_is_read_off_the_pushes(self) -> None:
        pushes = [push(3, "Step 1/2 complete"), push(4, "Step 2/2 complete"), push(5, state="completed", final=True)]
        assert report_of(pushes).passed

    def test_an_expected_number_of_steps_overrules_what_the_pushes_say(self) -> None:
        assert failing(report_of(a_good_run(), steps=5)) == ["Every step's status seen"]

    def test_an_agent_that_announces_no_steps_can_be_judged_without_them(self) -> None:
        pushes = [push(2), push(3, "done", "completed", final=True)]
        assert report_of(pushes).passed
        assert report_of(pushes, steps=0).passed
        assert failing(report_of(pushes, steps=3)) == ["Every step's status seen"]

    def test_a_date_in_a_status_text_is_no_step(self) -> None:
        report = report_of([push(2, "Report of 24/12/2025"), push(3, state="completed", final=True)])
        assert report.checks[1].detail == 'the agent announces none (no status text says "k/n")'

    def test_two_pushes_that_change_places_break_the_order(self) -> None:
        pushes = a_good_run()
        pushes[1], pushes[2] = pushes[2], pushes[1]
        report = report_of(pushes)
        assert failing(report) == ["Order of generation kept"]
        assert report.checks[2].detail == "generations 2, 4, 3, 5, 6"

    def test_generations_are_compared_as_numbers(self) -> None:
        assert report_of([push(9, "1/1"), push(10, state="completed", final=True)]).passed

    def test_without_the_header_the_order_is_judged_by_timestamp(self) -> None:
        pushes = without_id(a_good_run())
        assert report_of(pushes).passed
        pushes[0], pushes[1] = pushes[1], pushes[0]
        assert failing(report_of(pushes)) == ["Order of generation kept"]

    def test_an_order_that_nothing_tells_is_not_taken_for_granted(self) -> None:
        pushes = [Push({"taskId": TASK, "status": {"state": "working"}}), Push({"taskId": TASK, "final": True})]
        assert "Order of generation kept" in failing(report_of(pushes, steps=0))

    def test_a_push_after_the_final_one_fails_the_final_check(self) -> None:
        assert failing(report_of([*a_good_run(), push(7)])) == ["Final push seen"]

    def test_duplicates_are_counted_and_are_no_failure(self) -> None:
        pushes = a_good_run()
        report = report_of([*pushes[:3], pushes[0], *pushes[3:], pushes[-1]])
        assert report.passed
        assert report.duplicates == 2
        assert report.pushes == pushes

    def test_without_the_header_equal_bodies_are_duplicates(self) -> None:
        pushes = without_id(a_good_run())
        assert report_of([*pushes, pushes[-1]]).duplicates == 1

    @pytest.mark.parametrize("task", [{}, {"status": {"state": "failed"}}, {"status": "completed"}])
    def test_a_task_that_did_not_complete_fails(self, task: dict[str, Any]) -> None:
        assert failing(report_of(a_good_run(), final_task=task)) == ["Final state is completed"]

    def test_a_config_that_is_still_listed_fails(self) -> None:
        assert failing(report_of(a_good_run(), still_listed=True)) == ["Config gone"]

    def test_a_config_that_never_was_there_is_not_gone(self) -> None:
        assert failing(report_of(a_good_run(), registered=False)) == ["Config gone"]


class TestSummary:
    def test_it_says_pass_or_fail_for_each_check_and_a_conclusion(self) -> None:
        text = str(report_of(a_good_run()))
        assert text.count("  PASS  ") == 6
        assert "FAIL" not in text
        assert text.endswith("All checks passed.")

    def test_it_gives_median_and_maximum_of_the_way_from_write_to_webhook(self) -> None:
        written = push(2).written
        assert written is not None
        pushes = [
            Push({**push(2).payload, "n": ms}, f"{TASK}.{n}.0", arrived=written + ms / 1000)
            for n, ms in enumerate((10, 20, 90))
        ]
        assert "median 20 ms, max 90 ms" in str(report_of(pushes))

    def test_clocks_that_differ_are_mentioned(self) -> None:
        assert "clocks of the two machines differ" in str(report_of([Push(push(2).payload, "x", arrived=0.0)]))

    def test_pushes_of_other_tasks_are_mentioned(self) -> None:
        assert "2 of other tasks" in str(report_of(a_good_run(), strangers=2))


class TestPush:
    def test_the_latency_is_counted_from_the_status_timestamp(self) -> None:
        payload = {"status": {"state": "working", "timestamp": SENT_AT}}
        assert Push(payload, arrived=SENT_EPOCH + 0.025).latency_ms == pytest.approx(25, abs=0.01)

    @pytest.mark.parametrize("timestamp", [None, "", "yesterday", 12, {}])
    def test_an_unreadable_timestamp_gives_no_latency(self, timestamp: object) -> None:
        assert Push({"status": {"timestamp": timestamp}}).latency_ms is None

    def test_a_timestamp_without_zone_is_taken_as_utc(self) -> None:
        assert Push({"status": {"timestamp": SENT_AT.rstrip("Z")}}).written == SENT_EPOCH

    @pytest.mark.parametrize("suffix", ["", ".default", ".9f2c", ":cfg", "_12", "/a.b.c"])
    def test_the_place_is_read_off_the_webhook_id_whatever_the_config_adds(self, suffix: str) -> None:
        assert push(0, webhook_id=f"{TASK}.12.1{suffix}").place == (12, 1)

    @pytest.mark.parametrize("webhook_id", ["", "msg_123", f"{TASK}.x.1", "other.1.2"])
    def test_a_webhook_id_of_another_form_gives_no_place(self, webhook_id: str) -> None:
        assert push(0, webhook_id=webhook_id).place is None

    @pytest.mark.parametrize(
        ("message", "text"),
        [
            ("Step 1/3 complete", "Step 1/3 complete"),
            ({"parts": [{"text": "a"}, {"data": {}}, {"kind": "text", "text": "b"}]}, "a b"),
            ({"parts": None}, ""),
            (["?"], ""),
            (None, ""),
        ],
    )
    def test_the_message_may_be_a_message_or_a_string(self, message: object, text: str) -> None:
        assert Push({"status": {"message": message}}).text == text

    @pytest.mark.parametrize("body", [b"", b"[1]", b"no json", b"\xff", b"[" * 100_000])
    def test_a_body_that_is_no_object_is_kept_as_text(self, body: bytes) -> None:
        made = as_push(body, "id")
        assert list(made.payload) == ["raw"]
        assert (made.task_id, made.state, made.final, made.place) == ("", "unknown", False, None)


class TestOutput:
    def test_a_live_line_tells_time_state_text_latency_and_marks(self) -> None:
        arrived = Push({**push(2, "Step 1/3 complete", final=True).payload}, "x", arrived=0.0, clock=11.25)
        line = push_line(arrived, Report(TASK, sent_clock=10.0), duplicate=True)
        for part in ("1.25 s", "working", "Step 1/3 complete", "final, duplicate"):
            assert part in line

    def test_text_from_the_network_cannot_steer_the_terminal(self) -> None:
        assert printable("a\x1b[2Jb\nc\u202ed") == "a [2Jb c d"
        assert len(printable("x" * 1000)) == 200
        hostile = Push({"taskId": TASK, "status": {"state": "\x1b]0;", "message": "\x07"}}, "x")
        assert push_line(hostile, Report(TASK), duplicate=False).isprintable()
        assert "\x1b" not in str(report_of([hostile]))

    @pytest.mark.parametrize(
        ("code", "advice"),
        [(-32003, "PushNotifications=true"), (-32601, "--url"), (-32603, "log"), (-32001, "--bearer"), (1, "log")],
    )
    def test_a_json_rpc_error_becomes_one_line_with_advice(self, code: int, advice: str) -> None:
        error = RpcError("tasks/send", {"code": code, "message": "first\nsecond"})
        assert error.code == code
        assert advice in str(error)
        assert "\n" not in str(error)

    def test_a_refused_webhook_is_explained(self) -> None:
        assert "--webhook-url" in str(RpcError("tasks/pushNotification/set", {"code": -32602, "message": "no"}))

    def test_an_error_without_a_code_is_still_an_error(self) -> None:
        assert RpcError("tasks/send", {"code": "x"}).code == 0


class TestArguments:
    @pytest.mark.parametrize(
        ("text", "address"),
        [
            ("127.0.0.1:9293", ("127.0.0.1", 9293)),
            ("9000", ("127.0.0.1", 9000)),
            (":9000", ("127.0.0.1", 9000)),
            ("0.0.0.0", ("0.0.0.0", 9293)),
        ],
    )
    def test_listen_takes_host_and_port_or_one_of_them(self, text: str, address: tuple[str, int]) -> None:
        assert parse_listen(text) == address

    @pytest.mark.parametrize("text", ["host:", "host:x", "1:65536"])
    def test_listen_refuses_what_is_no_port(self, text: str) -> None:
        with pytest.raises(argparse.ArgumentTypeError, match="is not HOST:PORT"):
            parse_listen(text)

    @pytest.mark.parametrize("url", ["", "localhost:9292", "ftp://host", "http://", "http://[", "webhook"])
    def test_what_is_no_http_url_is_refused_with_advice(self, url: str) -> None:
        with pytest.raises(DemoError, match="--url"):
            A2AClient(url)

    def test_the_receiver_is_called_localhost_on_loopback(self) -> None:
        assert Receiver(port=9293).url == "http://localhost:9293/webhook"
        assert Receiver("192.0.2.7", 80, "/in").url == "http://192.0.2.7:80/in"


@pytest.mark.parametrize(
    "entry",
    [
        {"id": TASK, "pushNotificationConfig": {"webhookUrl": "u"}},
        {"id": "config", "taskId": TASK},
        {"id": "config", "pushNotificationConfig": {"taskId": TASK}},
    ],
)
def test_a_config_is_recognized_in_each_form_of_the_list(entry: dict[str, Any]) -> None:
    assert lists_task([{"id": "other", "pushNotificationConfig": {}}, entry], TASK)
    assert not lists_task([entry], "other")


class ScriptedAgent(A2AClient):
    """An agent that pushes all it has as soon as the webhook is registered, and records what it is asked."""

    def __init__(self, receiver: Receiver, pushes: Sequence[Push], push_notifications: object = True) -> None:
        super().__init__("http://agent.invalid")
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.configs: dict[str, Any] = {"another": {}}
        self._receiver, self._pushes, self._push_notifications = receiver, pushes, push_notifications

    def agent_card(self) -> dict[str, Any]:
        return {"name": "PushAgent", "version": "1", "capabilities": {"pushNotifications": self._push_notifications}}

    def call(self, method: str, params: dict[str, Any]) -> Any:
        self.asked.append((method, params))
        match method.removeprefix("tasks/"):
            case "send":
                return {"id": TASK, "status": {"state": "submitted"}}
            case "get":
                return {"id": TASK, "status": {"state": "completed"}, "artifacts": [{}, {}, {}]}
            case "pushNotification/set":
                self.configs[params["id"]] = params["pushNotificationConfig"]
                for each in self._pushes:
                    self._receiver.pushes.put(each)
            case "pushNotification/get":
                return {"id": TASK, "pushNotificationConfig": self.configs[TASK]} if TASK in self.configs else None
            case "pushNotification/list":
                return [{"id": task, "pushNotificationConfig": config} for task, config in self.configs.items()]
            case "pushNotification/delete":
                self.configs.pop(params["id"], None)
        return None


class TestScenario:
    def test_it_asks_in_the_order_of_the_seed_and_leaves_no_config(self) -> None:
        receiver = Receiver()
        agent = ScriptedAgent(receiver, a_good_run())
        assert run_demo(agent, receiver).passed
        assert [method for method, _ in agent.asked] == [
            "tasks/send",
            "tasks/pushNotification/set",
            "tasks/get",
            "tasks/pushNotification/get",
            "tasks/pushNotification/list",
            "tasks/pushNotification/delete",
            "tasks/pushNotification/list",
        ]
        assert list(agent.configs) == ["another"]

    def test_the_webhook_url_may_differ_from_where_the_receiver_listens(self) -> None:
        receiver = Receiver()
        agent = ScriptedAgent(receiver, a_good_run())
        run_demo(agent, receiver, webhook_url="https://tunnel.example/webhook")
        assert agent.asked[1][1] == {
            "id": TASK,
            "pushNotificationConfig": {"webhookUrl": "https://tunnel.example/webhook"},
        }

    def test_pushes_of_other_tasks_are_counted_and_not_judged(self) -> None:
        receiver = Receiver()
        stranger = push(1, state="failed", final=True, task="earlier")
        report = run_demo(ScriptedAgent(receiver, [stranger, *a_good_run()]), receiver)
        assert report.passed
        assert report.strangers == 1

    def test_a_push_that_comes_after_the_final_one_is_judged_too(self) -> None:
        receiver = Receiver()
        pushes = a_good_run()
        report = run_demo(ScriptedAgent(receiver, [*pushes[:3], pushes[4], pushes[3]]), receiver)
        assert failing(report) == ["Order of generation kept", "Final push seen"]

    def test_without_a_final_push_it_ends_at_the_timeout_and_cleans_up(self) -> None:
        receiver = Receiver()
        agent = ScriptedAgent(receiver, [])
        said: list[str] = []
        report = run_demo(agent, receiver, timeout=0, say=said.append)
        assert not report.passed
        assert any("No final push within 0 s: check" in line for line in said)
        assert list(agent.configs) == ["another"]

    @pytest.mark.parametrize("value", [False, None, "true"])
    def test_an_agent_without_push_is_sent_no_task(self, value: object) -> None:
        receiver = Receiver()
        agent = ScriptedAgent(receiver, [], push_notifications=value)
        with pytest.raises(DemoError, match="PushNotifications=true"):
            run_demo(agent, receiver)
        assert agent.asked == []

    def test_a_run_that_breaks_off_takes_its_config_with_it(self) -> None:
        class Breaking(ScriptedAgent):
            def get_task(self, task_id: str) -> dict[str, Any]:
                raise DemoError("gone")

        receiver = Receiver()
        agent = Breaking(receiver, a_good_run())
        with pytest.raises(DemoError, match="gone"):
            run_demo(agent, receiver)
        assert list(agent.configs) == ["another"]

    def test_an_answer_that_is_no_task_is_reported_as_such(self) -> None:
        class Talking(ScriptedAgent):
            def call(self, method: str, params: dict[str, Any]) -> Any:
                return {"messageId": "m", "parts": []}

        receiver = Receiver()
        with pytest.raises(DemoError, match="returned no task"):
            run_demo(Talking(receiver, []), receiver)
