"""The delivery engine in small worlds: hypothesis looks for an order of events in which a promise breaks.

The same world as that of `make chaos`, with faults that are chosen and not drawn. What is promised is evaluated at the
end, from the receivers' own records, when everything works again and nothing is left to be done.
"""

from __future__ import annotations

from campaign_report import evaluate, leftovers
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from receivers import Population
from simulated_aws import silence
from simulation import TICK, Faults, Simulation
from workload import Workload, Write

from a2a_lambda.core.lifecycle import new_task, with_artifact, with_status
from a2a_lambda.core.model import TaskState
from a2a_lambda.core.ports import Conflict
from a2a_lambda.core.records import TaskRecord

MODES = ("works", "fails", "is away", "hangs", "forgets to answer", "refuses the size")
TASK = "00000000-0000-4000-8000-000000000001"


class SmallWorld(RuleBasedStateMachine):
    """One task, two receivers, three configs, and one mishap at a time."""

    @initialize()
    def begin(self) -> None:
        self.simulation = Simulation(0, Faults(), lanes=1)
        self.population = Population(self.simulation, 2, {"switched": 1})
        self.workload = Workload(self.simulation, self.population)
        task = new_task(
            TASK, "c", {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "go"}]}, self.simulation.now
        )
        self.simulation.tasks.create(TaskRecord(task, "owner", 1, "1.0", self.simulation.now))
        self.workload.truth.writes[TASK] = [Write(0, True)]

    @rule(artifacts=st.integers(0, 2), state=st.sampled_from(("WORKING", "WORKING", "INPUT_REQUIRED", "COMPLETED")))
    def the_agent_writes(self, artifacts: int, state: str) -> None:
        simulation = self.simulation
        record = simulation.tasks.records[TASK]
        simulation.now += TICK
        task = record.task
        for place in range(artifacts):
            task = with_artifact(task, {"artifactId": f"{record.generation}-{place}", "parts": [{"text": "part"}]})
        try:
            simulation.tasks.update(record.next(with_status(task, TaskState(f"TASK_STATE_{state}"), simulation.now)))
        except Conflict:
            return
        self.workload.truth.writes[TASK].append(Write(artifacts, True))

    @rule(config_id=st.sampled_from(("c0", "c1", "c2")))
    def a_client_sets_a_webhook(self, config_id: str) -> None:
        self.workload._retried(0, self.workload._set("owner", TASK, config_id))
        self.a_while_passes(0.01)

    @rule(config_id=st.sampled_from(("c0", "c1", "c2")))
    def a_client_deletes_a_webhook(self, config_id: str) -> None:
        self.workload._retried(0, lambda: self.workload._delete("owner", TASK, config_id))
        self.a_while_passes(0.01)

    @rule(host=st.sampled_from(("r0.example", "r1.example")), mode=st.sampled_from(MODES))
    def a_receiver_changes(self, host: str, mode: str) -> None:
        self.population.receivers[host].mode = mode

    @rule(boundaries=st.integers(1, 30))
    def a_process_will_be_killed(self, boundaries: int) -> None:
        self.simulation.crash_in = boundaries

    @rule(calls=st.integers(1, 20))
    def a_call_will_fail(self, calls: int) -> None:
        self.simulation.error_in = calls

    @precondition(lambda self: self.simulation.lanes[0].notifier is not None)
    @rule()
    def another_environment_takes_over(self) -> None:
        self.simulation.lanes[0].notifier = None

    @rule(seconds=st.sampled_from((0.3, 3.0, 20.0, 400.0, 20_000.0, 100_000.0)))
    def a_while_passes(self, seconds: float) -> None:
        self.simulation.pass_time(seconds)

    def teardown(self) -> None:
        if hasattr(self, "workload"):
            for receiver in self.population.receivers.values():
                receiver.mode = "works"
            self.simulation.run()
            report = evaluate(leftovers(self.simulation), self.population.logs, self.workload.truth)
            assert report.clean, report.breaches


def test_no_order_of_events_breaks_a_promise() -> None:
    with silence():
        run_state_machine_as_test(  # type: ignore[no-untyped-call]
            SmallWorld, settings=settings(max_examples=100, stateful_step_count=25, deadline=None)
        )
