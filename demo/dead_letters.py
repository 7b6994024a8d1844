"""Lists or redrives the dead letters of the local AWS: `make dead-letters`, `make redrive`.

On AWS it is `python -m a2a_lambda.dead_letters` with the outputs of the stack.
"""

from __future__ import annotations

import os
import sys

from emulator import ADMIN, REGION, ROOT, LocalAwsError
from local_aws import STACK, the_running_one
from stack import describe


def main() -> int:
    """The command line; returns the exit code."""
    try:
        running = the_running_one()
    except LocalAwsError as error:
        print(error, file=sys.stderr)
        return 2
    stack = describe(running, STACK)
    if stack is None:
        print("Nothing is deployed on the local AWS. Run: make up", file=sys.stderr)
        return 2
    os.environ |= {**ADMIN, "AWS_ENDPOINT_URL": running.url, "AWS_DEFAULT_REGION": REGION}
    sys.path.insert(0, str(ROOT / "layers" / "common"))
    from a2a_lambda import dead_letters

    places = {
        "--dead-letters": stack.outputs["DeadLetterQueueUrl"],
        "--queue": stack.outputs["RedeliveryQueueUrl"],
        "--configs": stack.outputs["PushConfigsTableName"],
    }
    return dead_letters.main([*sys.argv[1:], *(word for place in places.items() for word in place)])


if __name__ == "__main__":
    sys.exit(main())
