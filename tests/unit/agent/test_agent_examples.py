"""The agents in layers/agents, each run as its clients would use it."""

from __future__ import annotations

from pathlib import Path

import pytest

import approval_agent
import probe_agent
import push_agent
import research_agent
from a2a_lambda.net.web import Fetched, FetchError, FetchRequest
from a2a_lambda.testing import run_agent

AGENTS = Path(push_agent.__file__).parent
PAGES = {
    "https://a.example/": "<html><head><title>x</title></head><body><p>Step Functions costs 25 dollars per million "
    "transitions. Cats sleep a lot. Express costs less.</p><script>costs()</script></body></html>",
    "https://b.example/": "Lambda costs little &amp; scales. Dogs bark.",
}
QUESTION = "What do Step Functions and Lambda costs look like? https://a.example/ https://b.example/."


def web(request: FetchRequest) -> Fetched:
    page = PAGES.get(request.url)
    return Fetched(200, page.encode(), "text/html") if page else Fetched(404)


@pytest.mark.parametrize("name", ["push_agent", "approval_agent", "research_agent", "probe_agent"])
def test_an_example_is_short_enough_to_read(name):
    assert len((AGENTS / f"{name}.py").read_text().splitlines()) < 80


# ------------------------------------------------------------------------------------------------------- push_agent


def test_the_push_agent_works_through_three_steps_of_a_second():
    run = run_agent(push_agent.agent, "go")

    assert run.state == "completed"
    assert [status.text for status in run.statuses if status.text] == [
        "Step 1/3 complete",
        "Step 2/3 complete",
        "Step 3/3 complete",
        "All 3 steps complete",
    ]
    assert list(run.artifacts) == ["part-1", "part-2", "part-3"]
    assert run.waited == 3


# --------------------------------------------------------------------------------------------------- approval_agent


def test_an_order_waits_for_its_approval():
    run = run_agent(approval_agent.agent, "3 laptops")

    assert run.state == "input-required"
    assert run.questions == ["Order '3 laptops'? Answer yes or no."]
    assert run.data("offer")["status"] == "prepared"


def test_an_approved_order_is_placed_after_the_cooling_off_period():
    run = run_agent(approval_agent.agent, "3 laptops", answers=["Yes"])

    assert run.state == "completed"
    assert run.data("offer")["status"] == "placed"
    assert run.waited == approval_agent.COOLING_OFF


def test_an_answer_that_is_neither_is_asked_again():
    run = run_agent(approval_agent.agent, "3 laptops", answers=["perhaps", "no"])

    assert run.state == "rejected"
    assert len(run.questions) == 2


# --------------------------------------------------------------------------------------------------- research_agent


def test_research_reads_every_page_and_streams_its_findings():
    run = run_agent(research_agent.agent, QUESTION, fetch=web)

    assert run.state == "completed"
    lines = run.text("findings").splitlines()
    assert lines[0] == "Step Functions costs 25 dollars per million transitions."
    assert "(https://a.example/)" in lines
    assert "Lambda costs little & scales." in lines
    chunks = [event["artifactUpdate"] for event in run.events if "artifactUpdate" in event]
    assert [chunk["lastChunk"] for chunk in chunks] == [False, True]
    assert [status.text for status in run.statuses if status.text] == ["1/2 pages read", "2/2 pages read"]


def test_research_takes_urls_as_parts_as_well():
    message = [{"text": "What costs little?"}, {"url": "https://b.example/"}]

    assert "Lambda costs little" in run_agent(research_agent.agent, message, fetch=web).text("findings")


def test_research_without_pages_asks_for_them():
    run = run_agent(research_agent.agent, "What costs little?", answers=["https://b.example/"], fetch=web)

    assert run.questions == ["Which pages shall I read? Send their URLs."]
    assert run.text("findings").startswith("Lambda costs little")


def test_a_page_that_does_not_answer_is_tried_again_and_ends_the_task_at_last():
    calls: list[str] = []

    def dead(request: FetchRequest) -> Fetched:
        calls.append(request.url)
        raise FetchError("timeout")

    run = run_agent(research_agent.agent, QUESTION, fetch=dead)

    assert run.state == "failed"
    assert len(calls) == 3
    assert len(run.errors) == 3


def test_a_page_that_is_missing_is_a_finding_too():
    run = run_agent(research_agent.agent, "What? https://c.example/", fetch=web)

    assert "status 404" in run.text("findings")


@pytest.mark.parametrize(
    ("agent", "message", "answers"),
    [
        (push_agent.agent, "go", []),
        (approval_agent.agent, "3 laptops", ["perhaps", "yes"]),
        (research_agent.agent, QUESTION, []),
    ],
    ids=["push", "approval", "research"],
)
def test_a_crash_after_every_write_is_not_noticed(agent, message, answers):
    calm = run_agent(agent, message, answers=answers, fetch=web)
    worst = run_agent(agent, message, answers=answers, fetch=web, crashing=True)

    assert worst.statuses == calm.statuses
    assert worst.artifacts == calm.artifacts
    assert worst.waited == calm.waited
    assert worst.invocations > calm.invocations


# ------------------------------------------------------------------------------------------------------ probe_agent


def test_the_probe_agent_says_ten_times_a_second_apart_how_far_it_is():
    run = run_agent(probe_agent.agent, "probe")

    assert run.state == "completed"
    assert [status.text for status in run.statuses if status.text and "/" in status.text] == [
        f"{number}/10" for number in range(1, 11)
    ]
