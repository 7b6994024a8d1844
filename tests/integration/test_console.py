"""The console, as an operator's browser sees it, on the local AWS; and what it refuses to everybody else."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from a2a_lambda.aws.queues import encode, group
from a2a_lambda.core.ports import QueuedNotification
from emulator import ROOT
from push_client import A2AClient
from push_webhook import Receiver
from stack import Stack, environment

SECRET = "s3cret-of-the-receiver"
AXE = ROOT / ".venvs" / "js" / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
SHOTS = os.environ.get("CONSOLE_SHOTS")
"""A directory for screenshots: docs/ has those that `CONSOLE_SHOTS=docs` makes."""


class Running:
    """A console that runs."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.port = urlsplit(url).port or 0
        self.key = url.partition("#key=")[2]

    def ask(self, verb: str, path: str, body: Any = None, **headers: str) -> tuple[int, str, Any]:
        """Status, body and headers of an answer; asked with the key and the right Host, unless `headers` differ."""
        sent = {"Host": f"127.0.0.1:{self.port}", "X-Console-Key": self.key} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.putrequest(verb, path, skip_host=True)
            data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
            for name, value in {**sent, "Content-Length": str(len(data))}.items():
                if value:
                    connection.putheader(name, value)
            connection.endheaders(data)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), answer.headers
        finally:
            connection.close()


def started(stack: Stack, *options: str) -> Iterator[Running]:
    command = [sys.executable, "-m", "ops", "--stack", stack.name, "--endpoint", stack.endpoint, "console"]
    with subprocess.Popen(
        [*command, "--no-browser", *options],
        env=environment(stack.emulator),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield Running(process.stdout.readline().strip())
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0


@pytest.fixture(scope="module")
def console(stack: Stack) -> Iterator[Running]:
    yield from started(stack, "--write")


@pytest.fixture(scope="module")
def reader(stack: Stack) -> Iterator[Running]:
    yield from started(stack)


def until(done: Callable[[], Any], seconds: int = 120) -> Any:
    """What it gives once it gives something; bounded."""
    clock = threading.Event()
    for _ in range(seconds * 5):
        if found := done():
            return found
        clock.wait(0.2)
    raise AssertionError("never happened")


PATHS = ["about", "tasks", "task?id=x", "attempts?id=x", "webhooks", "dead", "pushes", "card", "nothing"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("key", ["", "wrong", "ключ".encode().decode("latin-1")])
def test_nothing_is_answered_without_the_key(console: Running, path: str, key: str) -> None:
    status, body, _ = console.ask("GET", f"/api/{path}", X_Console_Key=key)
    assert (status, set(json.loads(body))) == (403, {"error"})


@pytest.mark.parametrize("path", ["/", "/app.js", "/api/tasks"])
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost", "[::1]:80", ""])
def test_another_host_name_reaches_nothing(console: Running, path: str, host: str) -> None:
    status, body, _ = console.ask("GET", path, Host=host)
    assert (status, set(json.loads(body))) == (421, {"error"})


@pytest.mark.parametrize("action", ["pause", "delete", "redrive", "end", "send", "nothing"])
def test_a_console_that_only_shows_does_nothing(reader: Running, action: str) -> None:
    status, body, _ = reader.ask("POST", f"/api/do/{action}", {"task": "t", "text": "x"})
    assert status == 403
    assert "--write" in json.loads(body)["error"]


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("nothing", {}),
        ("pause", {"task": "t", "until": "yesterday"}),
        ("pause", {"task": "--host=x", "until": "1h"}),
        ("delete", {"task": ["t"]}),
        ("delete", {"task": "x" * 3_000}),
        ("delete", {}),
        ("send", {"text": " "}),
        ("send", b"{"),
        ("send", b"[" * 50_000),
        ("send", b"x" * 70_000),
    ],
)
def test_a_bad_action_is_refused_in_one_line(console: Running, action: str, body: Any) -> None:
    status, answer, _ = console.ask("POST", f"/api/do/{action}", body)
    assert status in (400, 404)
    assert len(json.loads(answer)["error"].splitlines()) == 1


def test_the_page_allows_no_script_but_its_own(console: Running) -> None:
    status, body, headers = console.ask("GET", "/", X_Console_Key="")
    assert status == 200
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "style=" not in body
    assert body.count("<script") == body.count("<script src=") == 1
    assert console.key not in body


def test_no_answer_has_the_token_the_credentials_or_the_path_of_a_webhook(
    console: Running, stack: Stack, client: A2AClient
) -> None:
    task_id = client.send("run")["id"]
    config = {
        "webhookUrl": f"http://127.0.0.1:18999/{SECRET}?key={SECRET}",
        "token": SECRET,
        "authenticationInfo": {"scheme": "ApiKey", "headerName": "X-Key", "credentials": SECRET},
    }
    client.call("tasks/pushNotification/set", {"id": task_id, "pushNotificationConfig": config})
    stored = stack.client("dynamodb").scan(TableName=stack.outputs["PushConfigsTableName"])
    assert SECRET in json.dumps(stored, default=str)
    paths = ["tasks", f"task?id={task_id}", f"attempts?id={task_id}", "webhooks", "dead", "pushes", "card"]
    until(lambda: task_id in console.ask("GET", "/api/webhooks")[1])
    for path in paths:
        status, body, headers = console.ask("GET", f"/api/{path}")
        assert status == 200, body
        assert SECRET not in body + str(headers)
    status, body, _ = console.ask("POST", "/api/do/delete", {"task": task_id})
    assert (status, SECRET in body) == (200, False)


# ----------------------------------------------------------------------------------------------------------- a browser

browser_only = pytest.mark.skipif(
    not (CHROMIUM and DRIVER and AXE.exists()),
    reason="needs chromium, chromedriver and npm: apt install chromium-driver npm",
)


@pytest.fixture
def browser() -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1280,900"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    driver.set_script_timeout(60)
    try:
        yield driver
    finally:
        driver.quit()


class Page:
    """The page in the browser."""

    def __init__(self, driver: Any, console: Running) -> None:
        self.driver = driver
        driver.get(console.url)
        self.has("Tasks")

    @property
    def text(self) -> str:
        found: str = self.driver.execute_script("return document.body.innerText")
        return found

    def has(self, *texts: str, seconds: int = 60) -> None:
        try:
            until(lambda: all(text in self.text for text in texts), seconds)
        except AssertionError:
            raise AssertionError(f"{texts} not in {self.text}") from None

    def view(self, name: str, title: str) -> None:
        self.driver.execute_script("location.hash = arguments[0]", name)
        until(
            lambda: self.driver.execute_script("return document.querySelector('h1')?.textContent || ''").startswith(
                title
            )
        )

    def press(self, label: str) -> None:
        """A button by the beginning of its name, as a keyboard presses it. The page may have renewed it meanwhile."""
        script = """const found = [...document.querySelectorAll('button')].find(
            (each) => (each.getAttribute('aria-label') || each.textContent).startsWith(arguments[0]));
            if (!found) return false; found.focus(); found.click(); return true"""
        until(lambda: self.driver.execute_script(script, label))

    def faults(self) -> list[str]:
        """What axe finds."""
        self.driver.execute_script(AXE.read_text(encoding="utf-8"))
        found = self.driver.execute_async_script(
            "const done = arguments[0];"
            "const failed = (error) => done([{id: String(error), nodes: []}]);"
            "axe.run(document).then((found) => done(found.violations), failed)"
        )
        return [f"{each['id']}: {[node['html'][:120] for node in each['nodes']]}" for each in found]

    def theme(self, name: str) -> None:
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": name}]}
        )

    def shot(self, name: str) -> None:
        if SHOTS:
            self.driver.save_screenshot(str(Path(ROOT, SHOTS, f"console-{name}.png")))


@browser_only
def test_an_operator_sends_a_task_mends_a_webhook_and_redrives_a_letter(
    console: Running, browser: Any, stack: Stack, client: A2AClient
) -> None:
    page = Page(browser, console)

    page.has("Text of a test task")
    browser.find_element("css selector", "#send input").send_keys("<b>hello</b>")
    page.press("Send")
    page.has("working")
    page.has("completed", "Step 3/3 complete")  # with no reload
    assert not browser.find_elements("css selector", "main b"), "agents' text is text"
    page.shot("task")

    with Receiver(port=0) as closed_again:
        url, port = closed_again.url, closed_again.port
    task_id = client.send("run")["id"]
    client.set_push_config(task_id, url)
    table = stack.client("dynamodb")
    where = {
        "TableName": stack.outputs["PushConfigsTableName"],
        "Key": {"taskId": {"S": task_id}, "configId": {"S": "default"}},
    }

    def stored(name: str) -> Any:
        item = table.get_item(**where, ConsistentRead=True)["Item"]
        return next(iter(item[name].values())) if name in item else None

    until(lambda: int(stored("attempts") or 0) >= 2)  # the next attempt is half a minute away
    page.view("webhooks", "Webhooks in trouble")
    page.has(f"http://localhost:{port}", "connect")
    page.press(f"Pause for 2 hours webhook default of task {task_id}")
    page.has(f"webhook pause --until=2h {task_id} default", "paused")
    assert stored("pausedUntil")
    page.press(f"Resume webhook default of task {task_id}")
    until(lambda: stored("pausedUntil") is None)
    with Receiver(port=port) as back:
        until(lambda: (push := back.next(5)) is not None and push.final)
        until(lambda: stored("settledThrough") == stored("queuedThrough"))

        message = QueuedNotification(
            task_id,
            "default",
            stored("incarnation"),
            3,
            0,
            '{"note": "<i>given up</i>"}',
            False,
            "legacy",
            "2026-01-01T00:00:00Z",
        )
        stack.client("sqs").send_message(
            QueueUrl=stack.outputs["DeadLetterQueueUrl"],
            MessageBody=encode(message),
            MessageGroupId=group(message),
            MessageDeduplicationId=task_id,
            MessageAttributes={"reason": {"DataType": "String", "StringValue": "<i>dns</i>; given up"}},
        )
        page.view("dead", "Dead letters")
        page.has(task_id, "<i>dns</i>; given up")
        page.press(f"Redrive webhook default of task {task_id}")
        page.has("redriven", f"dead redrive --task={task_id} --webhook=default")
        assert back.next(60) is not None

    page.view("tasks", "Tasks")
    field = browser.find_element("css selector", "#filter input")
    field.send_keys(task_id[:13])
    until(lambda: len(browser.find_elements("css selector", "#list tbody tr")) == 1)
    assert browser.switch_to.active_element == field, "typing is not interrupted"
    errors = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert errors == []


@browser_only
def test_axe_finds_no_violation_on_any_view_light_or_dark(
    console: Running, browser: Any, stack: Stack, client: A2AClient
) -> None:
    task_id = client.send("run")["id"]
    client.set_push_config(task_id, "http://127.0.0.1:18999/webhook")
    until(lambda: "connect" in console.ask("GET", "/api/webhooks")[1])
    page = Page(browser, console)
    views = {
        "tasks": "Tasks",
        f"task={quote(task_id)}": "Task ",
        "webhooks": "Webhooks in trouble",
        "dead": "Dead letters",
        "pushes": "Pushes",
        "card": "Card",
    }
    for theme in ("light", "dark"):
        page.theme(theme)
        for view, title in views.items():
            page.view(view, title)
            assert page.faults() == [], (theme, view)
            if theme == ("dark" if view == "pushes" else "light"):
                page.shot(view.partition("=")[0] + ("-failing" if view.startswith("task=") else ""))


@browser_only
def test_a_planted_violation_is_found(console: Running, browser: Any) -> None:
    page = Page(browser, console)
    page.driver.execute_script("document.body.append(document.createElement('button'))")
    assert page.faults() != []
