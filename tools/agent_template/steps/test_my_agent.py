from my_agent import agent

from a2a_lambda.testing import run_agent


def test_it_greets_whoever_writes():
    run = run_agent(agent, "Ada")

    assert run.state == "completed", run.errors
    assert run.text("greeting") == "Hello, Ada!"
    assert [status.text for status in run.statuses][-1] == "Greeted."


def test_a_crash_after_any_write_changes_nothing():
    assert run_agent(agent, "Ada", crashing=True).statuses == run_agent(agent, "Ada").statuses
