"""The loop that runs rpc where it streams, as a process with a handler of a few lines."""

from __future__ import annotations

import signal
import subprocess

from cloud import ROOT
from loopback import WAIT

WRAPPER = ROOT / "layers" / "common" / "a2a-runtime"
ZEROS = b"\0" * 8

HANDLERS = """
import os, sys, time
from a2a_lambda.aws.streamed import Streamed

print("imported")

class Secret(Exception):
    pass

def echo(event, context):
    return {
        "event": event,
        "id": context.aws_request_id,
        "arn": context.invoked_function_arn,
        "name": context.function_name,
        "left": 0 < context.get_remaining_time_in_millis() <= 30_000,
        "trace": os.environ.get("_X_AMZN_TRACE_ID"),
    }

def fails(event, context):
    if event == "fail":
        raise Secret("what the client sent")
    return event

def exits(event, context):
    if event == "exit":
        sys.exit("what the client sent")
    return event

def connection(event, context):
    raise ConnectionResetError("of some webhook")

def unwritable(event, context):
    return {1, 2} if event == "set" else event

def streams(event, context):
    def body():
        try:
            for piece in event["pieces"]:
                if piece is None:
                    raise Secret("what the client sent")
                if piece == "exit":
                    sys.exit(3)
                if piece == "wait":
                    time.sleep(60)
                yield piece.encode()
        finally:
            print("closed")
    return Streamed(event.get("status", 200), event.get("headers", {"content-type": "text/event-stream"}), body())

def endless(event, context):
    def body():
        try:
            while True:
                yield b"x" * 65536
        finally:
            print("closed")
    return Streamed(200, {}, body()) if event == "endless" else event

def logs(event, context):
    import logging
    logging.getLogger("library").warning("first line\\nsecond line")
    print("printed")
    return "ok"
"""


class Function:
    """A process with a handler of HANDLERS. ``output`` is all that it wrote, once it has ended."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def end(self) -> str:
        self.process.send_signal(signal.SIGTERM)
        return self.output(0)

    def output(self, code: int) -> str:
        written, _ = self.process.communicate(timeout=WAIT)
        assert self.process.returncode == code, written
        return written
