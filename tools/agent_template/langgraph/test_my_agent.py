from my_agent import agent

from a2a_lambda.testing import crashed_once, run_agent


def test_it_asks_where_the_graph_interrupts_and_goes_on_with_the_answer():
    run = run_agent(agent, "lisbon", answers=["aisle"])

    assert run.state == "completed", run.errors
    assert run.questions == ["Window or aisle, to Lisbon?"]
    assert run.data("booking") == {"city": "Lisbon", "seat": "aisle"}


def test_a_crash_at_any_write_changes_nothing():
    for run in crashed_once(agent, "lisbon", answers=["aisle"]):
        assert run.questions == ["Window or aisle, to Lisbon?"]
        assert run.data("booking") == {"city": "Lisbon", "seat": "aisle"}
