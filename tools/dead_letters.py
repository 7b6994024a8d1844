"""Lists dead letters, and brings them back: `python tools/dead_letters.py list` or `redrive`.

Of a stack on AWS it needs credentials, boto3 and msgspec, and the outputs of the stack:
`--dead-letters DeadLetterQueueUrl --queue RedeliveryQueueUrl --configs PushConfigsTableName`.
Without them it is the local AWS, as with `make dead-letters` and `make redrive`. `--task` and `--config` choose;
without them it is all.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "layers" / "common"), str(ROOT / "local")]

from a2a_lambda.aws.dead_letters import Letters  # noqa: E402
from a2a_lambda.aws.push_config_table import PushConfigTable  # noqa: E402
from a2a_lambda.aws.queues import SqsRedeliveryQueue  # noqa: E402
from a2a_lambda.core.ports import QueuedNotification  # noqa: E402
from a2a_lambda.push.dead_letters import DeadLetter, redrive, redriven_from  # noqa: E402

if TYPE_CHECKING:
    from stack import Stack

PLACES = {
    "--dead-letters": "DeadLetterQueueUrl",
    "--queue": "RedeliveryQueueUrl",
    "--configs": "PushConfigsTableName",
}
"""What the command needs to be told of a stack, by the names of its outputs."""


def run(stack: Stack, arguments: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command for this stack of a local AWS. `options` are those of `subprocess.run`."""
    from stack import environment

    told = [word for option, output in PLACES.items() for word in (option, stack.outputs[output])]
    command = [sys.executable, __file__, *arguments, *told]
    return subprocess.run(command, env=environment(stack.emulator), text=True, check=False, **options)


def locally(arguments: Sequence[str]) -> int:
    """Run the command for what is deployed on the local AWS; returns the exit code."""
    from emulator import LocalAwsError
    from local_aws import STACK, the_running_one
    from stack import describe

    try:
        stack = describe(the_running_one(), STACK)
        if stack is None:
            raise LocalAwsError("Nothing is deployed on the local AWS. Run: make up")
    except LocalAwsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return run(stack, arguments).returncode


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code: 1 if something could not be redriven."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="python tools/dead_letters.py", description=__doc__)
    parser.add_argument("command", choices=["list", "redrive"])
    parser.add_argument("--dead-letters", metavar="URL")
    parser.add_argument("--queue", metavar="URL", help="the redelivery queue, to redrive")
    parser.add_argument("--configs", metavar="TABLE", help="the table of the push configs, to redrive")
    parser.add_argument("--task", metavar="ID")
    parser.add_argument("--config", metavar="ID")
    options = parser.parse_args(arguments)
    if not (options.dead_letters or options.queue or options.configs):
        return locally(arguments)
    if not options.dead_letters:
        parser.error("a stack on AWS needs --dead-letters")
    if options.command == "redrive" and not (options.queue and options.configs):
        parser.error("redrive needs --queue and --configs")
    return _work(options)


def _work(options: argparse.Namespace) -> int:
    letters = Letters(options.dead_letters)
    failed: set[tuple[str, str]] = set()
    redriven: set[str] = set()
    kept: list[DeadLetter] = []
    for letter in letters.read():
        outcome = ""
        message = letter.message
        if options.command == "redrive" and message is not None and _chosen(message, options):
            key = (message.task_id, message.config_id)
            if redriven_from(message) in redriven:  # a webhook that refuses at once would keep us here for ever
                outcome = "given up again"
            elif key not in failed:  # else the ones behind would overtake it
                outcome = redrive(letter, PushConfigTable(options.configs), SqsRedeliveryQueue(options.queue))
            if outcome == "not queued":
                failed.add(key)
        if outcome in ("redriven", "no webhook"):
            redriven.add(letter.message_id)
            letters.remove(letter)
        else:
            kept.append(letter)
        if message is None or _chosen(message, options):
            _show(letter, outcome)
    for letter in kept:
        letters.release(letter)
    print(f"{letters.count()} dead letters")
    return 1 if failed else 0


def _chosen(message: QueuedNotification, options: argparse.Namespace) -> bool:
    return options.task in (None, message.task_id) and options.config in (None, message.config_id)


def _show(letter: DeadLetter, outcome: str) -> None:
    message = letter.message
    what = f"{message.task_id}.{message.generation}.{message.n}.{message.config_id}" if message else "unreadable"
    print("  ".join(filter(None, [what, letter.reason, outcome])))


if __name__ == "__main__":
    sys.exit(main())
