"""One start of a function, in an interpreter of its own: `python coldstart_child.py MODULE EVENTS RESULT`.

Imports the module and calls its handler with each of the EVENTS (a JSON file). RESULT gets, in seconds, CPU and wall
clock of the import ("init"), the first event, and the median of those about the hundredth. What the runtime of Lambda
has loaded before a function is loaded here before the clocks start.
"""

import importlib
import json
import logging
import sys
import time

FROM = 79
"""The hundredth event is the median of those after so many: one of them takes a millisecond."""


class Context:
    """Lambda's, with time enough."""

    aws_request_id = "8e3f1c52-0d5a-4b47-9b1c-5d2a8f0c6e17"
    function_name = "benchmark"
    invoked_function_arn = "arn:aws:lambda:eu-central-1:111122223333:function:benchmark"
    memory_limit_in_mb = "1024"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 29_000


def main(module: str, events_file: str, result_file: str) -> None:
    """Measures and writes the result. Raises if an answer is none."""
    with open(events_file) as file:  # noqa: PTH123
        events = json.load(file)
    logging.getLogger().addHandler(logging.StreamHandler(sys.stdout))
    marks = [(time.process_time(), time.perf_counter())]
    handler = importlib.import_module(module).handler
    marks.append((time.process_time(), time.perf_counter()))
    answers = []
    for event in events:
        answers.append(handler(event, Context))
        marks.append((time.process_time(), time.perf_counter()))
    check(answers)
    init, *calls = [(marks[n][0] - marks[n - 1][0], marks[n][1] - marks[n - 1][1]) for n in range(1, len(marks))]
    late = sorted(cpu for cpu, _ in calls[FROM:]), sorted(wall for _, wall in calls[FROM:])
    hundredth = [clock[len(clock) // 2] for clock in late]
    figures = {"init": init, "first": calls[0], "hundredth": hundredth, "modules": len(sys.modules)}
    with open(result_file, "w") as file:  # noqa: PTH123
        json.dump(figures, file)


def check(answers: list) -> None:
    """A benchmark of errors would be a fast one."""
    for answer in answers:
        if (
            answer.get("statusCode", 200) != 200
            or '"error"' in answer.get("body", "")
            or answer.get("batchItemFailures")
        ):
            sys.exit(f"error: the function answered {answer}")


if __name__ == "__main__":
    main(*sys.argv[1:])
