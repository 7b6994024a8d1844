from my_agent import agent

from a2a_lambda.testing import crashed_once, run_agent


def test_it_says_the_weather():
    run = run_agent(agent, "Lisbon")

    assert run.state == "completed", run.errors
    assert run.text("answer") == "It is sunny in Lisbon. "


def test_it_asks_for_the_city():
    run = run_agent(agent, " ", answers=["Porto"])

    assert run.questions == ["Of which city?"]
    assert run.text("answer") == "It is sunny in Porto. "


def test_a_crash_at_any_write_changes_nothing():
    for run in crashed_once(agent, "Lisbon"):
        assert run.text("answer") == "It is sunny in Lisbon. "
