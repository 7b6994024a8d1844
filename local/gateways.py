"""The local gateways of an emulator, a process for each stack that streams: started, found and stopped by record."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from emulator import HOST, ROOT, Emulator, LocalAwsError, free_port, port_is_free, tail

READY_SECONDS = 30.0
STOP_SECONDS = 10.0

_children: dict[int, subprocess.Popen[bytes]] = {}


def reserved_port(emulator: Emulator, stack: str, port: int | None) -> int:
    """The port that the stack's gateway has, or will have: `port` if that is given, else any."""
    known = _read(emulator, stack)
    if port is None:
        return known["port"] if known else free_port()
    if not port_is_free(port) and (known is None or known["port"] != port):
        raise LocalAwsError(
            f"Port {port} is in use, and the gateway needs it. Another one: make up STREAM_PORT={port + 1}, "
            f"make conformance CONFORMANCE_PORT={port + 1}"
        )
    return port


def url_of(port: int) -> str:
    return f"http://{HOST}:{port}"


def find(emulator: Emulator, stack: str) -> str | None:
    """The URL of the stack's gateway if there is one."""
    known = _read(emulator, stack)
    return url_of(known["port"]) if known and _is_ours(known["pid"]) else None


def restart(emulator: Emulator, stack: str, port: int) -> None:
    """Start the stack's gateway with what is deployed now, and wait until it answers. Raises LocalAwsError."""
    stop(emulator, stack)
    log = emulator.directory / f"gateway-{stack}.log"
    command = [sys.executable, str(ROOT / "local" / "gateway.py"), "--instance", emulator.name]
    command += ["--stack", stack, "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    _children[process.pid] = process
    _record(emulator, stack).write_text(json.dumps({"pid": process.pid, "port": port}))
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            direct.open(f"{url_of(port)}/.well-known/agent-card.json", timeout=READY_SECONDS).close()
            return
        time.sleep(0.05)
    stop(emulator, stack)
    raise LocalAwsError(f"The local gateway did not start. Its log says:{tail(log)}")


def stop(emulator: Emulator, stack: str) -> None:
    """Stop the stack's gateway, if there is one, and the functions that it runs."""
    known = _read(emulator, stack)
    if known is None:
        return
    if _is_ours(known["pid"]):
        os.kill(known["pid"], signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while _is_ours(known["pid"]) and time.monotonic() < deadline:
            time.sleep(0.02)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(known["pid"], signal.SIGKILL)
    _record(emulator, stack).unlink(missing_ok=True)


def stop_all(emulator: Emulator) -> None:
    """Stop every gateway of the emulator."""
    for record in emulator.directory.glob("gateway-*.json"):
        stop(emulator, record.stem.removeprefix("gateway-"))


def _record(emulator: Emulator, stack: str) -> Path:
    return emulator.directory / f"gateway-{stack}.json"


def _read(emulator: Emulator, stack: str) -> dict[str, int] | None:
    try:
        found: dict[str, int] = json.loads(_record(emulator, stack).read_text())
    except (OSError, ValueError):
        return None
    return found


def _is_ours(pid: int) -> bool:
    """Whether the process is a gateway of ours, and alive. A pid may have been given to somebody else."""
    if (child := _children.get(pid)) is not None:
        return child.poll() is None
    found = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return "gateway.py" in found.stdout
