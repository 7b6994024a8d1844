"""A stack for conformance kits: the conformance agent on a local AWS, at a host and port of its own.

    python local/conformance_stack.py [--port PORT] [--parameter Name=Value ...] [COMMAND ...]

Some kits look for the agent card at the root of the host, and the emulator has its APIs below a path: so there is a
forwarder before it. With a COMMAND, the stack lives as long as that; {endpoint} in it becomes the URL. `make
conformance` calls it with the right interpreter.
"""

from __future__ import annotations

import argparse
import http.client
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from emulator import LocalAwsError
from local_aws import STACK, local_aws, parameter
from stack import deploy

HOST = "127.0.0.1"
PORT = 9999
# The kit of 0.3 means to work on with a task after its send, which waits for it: so the send waits briefly here.
PARAMETERS = {"AgentModule": "conformance", "BlockingSeconds": "6"}
HOP_BY_HOP = {"connection", "host", "keep-alive", "transfer-encoding", "content-length"}

USAGE = """
The conformance agent answers at {endpoint}
    all dialects by JSON-RPC       {endpoint}/
    1.0 alone, with a strict card  {endpoint}/v1
    1.0 by HTTP+JSON               {endpoint}

The A2A Technology Compatibility Kit, in a checkout of github.com/a2aproject/a2a-tck:
    branch 1.0-dev   python run_tck.py --sut-host {endpoint}/v1 --transport jsonrpc     (or http_json)
    branch 0.3.x     python run_tck.py --sut-url {endpoint}/ --category all
a2a-testbed, from PyPI:
    a2a-testbed conformance {endpoint} --protocol-version 1.0      (or 0.3)

Ctrl-C ends it.
"""


class Forwarder(BaseHTTPRequestHandler):
    """Hands each request on to `target`, a URL, and the answer back."""

    protocol_version = "HTTP/1.1"
    target = ""

    def forward(self) -> None:
        target = urlsplit(self.target)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        connection = http.client.HTTPConnection(target.netloc, timeout=60)
        try:
            connection.request(self.command, target.path + self.path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = do_PUT = do_HEAD = forward  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Nothing: the emulator logs."""


class Door(ThreadingHTTPServer):
    """Listens at once, so that the port is known before there is a stack."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A kit that hangs up is no fault of ours."""


@contextmanager
def conformance_stack(port: int, parameters: Mapping[str, str]) -> Iterator[str]:
    """The URL of a conformance stack. Port 0: any. Raises LocalAwsError."""
    if parameters.get("Streaming") == "true":
        with local_aws() as emulator:  # its gateway is at the root of a host
            yield deploy(emulator, STACK, PARAMETERS | dict(parameters), stream_port=port or None).endpoint
        return
    handler = type("To", (Forwarder,), {})
    try:
        door = Door((HOST, port), handler)
    except OSError as error:
        raise LocalAwsError(
            f"Port {port} is taken ({error}). Another one: make conformance CONFORMANCE_PORT=…"
        ) from error
    endpoint = f"http://{HOST}:{door.server_address[1]}"
    with door, local_aws() as emulator:
        stack = deploy(emulator, STACK, PARAMETERS | {"PublicUrl": endpoint} | dict(parameters))
        handler.target = stack.endpoint  # type: ignore[attr-defined]
        threading.Thread(target=door.serve_forever, daemon=True).start()
        try:
            yield endpoint
        finally:
            door.shutdown()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="A stack for conformance kits.")
    parser.add_argument("--port", type=int, default=PORT, help=f"on the loopback address; default {PORT}")
    parser.add_argument("--parameter", type=parameter, action="append", default=[], metavar="Name=Value")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND")
    options = parser.parse_args(arguments)
    # Whoever ends it, the emulator must end with it; and a shell starts what is in the background without Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        print("Starting the local AWS", flush=True)
        with conformance_stack(options.port, dict(options.parameter)) as endpoint:
            if options.words:
                command = [word.replace("{endpoint}", endpoint) for word in options.words]
                return subprocess.run(command, check=False).returncode
            print(USAGE.format(endpoint=endpoint), flush=True)
            threading.Event().wait()
    except LocalAwsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
