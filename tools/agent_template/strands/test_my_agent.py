from my_agent import agent

from a2a_lambda.testing import crashed_once, run_agent


def test_it_says_the_weather():
    run = run_agent(agent, "Lisbon?")

    assert run.state == "completed", run.errors
    assert run.text("answer") == "It is sunny in Lisbon. (question 1) "


def test_it_remembers_the_conversation():
    first = run_agent(agent, "Lisbon?")

    assert run_agent(agent, "Porto?", memory=first.memory).text("answer") == "It is sunny in Porto. (question 2) "


def test_a_crash_at_any_write_changes_nothing():
    for run in crashed_once(agent, "Lisbon?"):
        assert run.text("answer") == "It is sunny in Lisbon. (question 1) "
