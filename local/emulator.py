"""The emulator (ministack) as a process of its own: start, wait until it answers, stop.

Each instance has a directory `.local/<name>/` with its pid and port (`emulator.json`), its log and its temporary files,
so that several live side by side: the one of `make up`, and those of the tests.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".local"
FAILED_LOG = STATE / "failed.log"
PYTHON = ROOT / ".venvs" / "local" / "bin" / "python"

HOST = "127.0.0.1"
REGION = "us-east-1"
# The emulator knows this pair as its administrator. They open nothing anywhere else.
ADMIN = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}

READY_SECONDS = 60
STOP_SECONDS = 15

# What this process started, so that it is waited for and not left as a zombie.
_children: dict[int, subprocess.Popen[bytes]] = {}


class LocalAwsError(Exception):
    """Something that the person at the keyboard can mend. The message says how, and is all that is shown."""


@dataclass(frozen=True)
class Emulator:
    """A running emulator. `name` is its directory's, `port` that of all its services on the loopback address."""

    name: str
    port: int
    pid: int

    @property
    def directory(self) -> Path:
        return STATE / self.name

    @property
    def url(self) -> str:
        """Where the AWS services answer: the value for AWS_ENDPOINT_URL."""
        return f"http://{HOST}:{self.port}"


def start(name: str, port: int | None = None, python_path: Sequence[Path] = ()) -> Emulator:
    """Start an emulator and wait until it is ready. Without `port` it takes a free one.

    The functions find modules in the directories of `python_path` as well: tests bring agents this way.
    """
    if not PYTHON.exists():
        raise LocalAwsError("The environment of the local AWS is missing. Run: make up")
    if port is None:
        port = free_port()
    elif not port_is_free(port):
        raise LocalAwsError(
            f"Port {port} is in use. Stop what listens there (make down?), or take another: make up PORT={port + 1}"
        )

    directory = STATE / name
    shutil.rmtree(directory, ignore_errors=True)
    (directory / "tmp").mkdir(parents=True)
    log = directory / "emulator.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(PYTHON), "-m", "ministack"],
            cwd=directory,
            env=_environment(directory, port, python_path),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # an interrupted `make` must not take it down half way
        )
    _children[process.pid] = process
    emulator = Emulator(name, port, process.pid)
    kept = {"port": port, "pid": process.pid, "python_path": [str(path) for path in python_path]}
    _record(directory).write_text(json.dumps(kept))
    try:
        _wait_until_ready(emulator, process, log)
    except BaseException:
        stop(emulator)
        raise
    return emulator


def find(name: str) -> Emulator | None:
    """The instance `name` if it is running, else None."""
    try:
        record = json.loads(_record(STATE / name).read_text())
        emulator = Emulator(name, int(record["port"]), int(record["pid"]))
    except (OSError, ValueError, KeyError):
        return None
    return emulator if _is_ours(emulator.pid) else None


def stop(emulator: Emulator) -> None:
    """Stop the emulator and its workers, and remove its temporary files. The log stays."""
    if _is_ours(emulator.pid):
        os.kill(emulator.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while not _is_gone(emulator.pid) and time.monotonic() < deadline:
            time.sleep(0.05)
    # The workers are in its process group. They end with it, unless it had to be killed.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(emulator.pid, signal.SIGKILL)
    _record(emulator.directory).unlink(missing_ok=True)
    shutil.rmtree(emulator.directory / "tmp", ignore_errors=True)


def discard(name: str, *, keep_log: bool = False) -> None:
    """Remove all that a stopped instance left; its log, if it is to be kept, becomes FAILED_LOG."""
    if keep_log:
        with contextlib.suppress(OSError):
            (STATE / name / "emulator.log").replace(FAILED_LOG)
    shutil.rmtree(STATE / name, ignore_errors=True)


def sweep() -> None:
    """Stop and remove what is left of runs that were killed: instances whose names end in the pid of a process that is
    no more."""
    for directory in STATE.glob("*-[0-9]*"):
        owner = directory.name.rpartition("-")[2]
        if owner.isdecimal() and _is_gone(int(owner)):
            if (left := find(directory.name)) is not None:
                stop(left)
            discard(directory.name)


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log, indented, to be shown under an error message."""
    try:
        text = log.read_text(errors="replace")
    except OSError:
        return ""
    return "".join(f"\n    {line}" for line in text.rstrip().splitlines()[-lines:])


def _environment(directory: Path, port: int, python_path: Sequence[Path]) -> dict[str, str]:
    # The functions inherit all of this. A list of what is wanted, because proxies, AWS profiles and the like of the
    # person's shell change how they behave; PYTHONDONTWRITEBYTECODE makes each of their starts slow.
    environment = {key: os.environ[key] for key in ("PATH", "HOME", "LANG", "LC_ALL") if key in os.environ}
    environment |= ADMIN
    environment |= {
        "AUTH": "true",  # roles are enforced: what a function may not do on AWS, it may not do here
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "MINISTACK_HOST": "localhost",
        "MINISTACK_REGION": REGION,
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "STATE_DIR": str(directory / "tmp" / "state"),
        "S3_DATA_DIR": str(directory / "tmp" / "s3"),
        "TMPDIR": str(directory / "tmp"),
        "PYTHONUNBUFFERED": "1",
    }
    if python_path:
        environment["PYTHONPATH"] = os.pathsep.join(str(path) for path in python_path)
    return environment


def _wait_until_ready(emulator: Emulator, process: subprocess.Popen[bytes], log: Path) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise LocalAwsError(
                f"The local AWS ended with code {process.returncode} at its start. Its log says:{tail(log)}"
            )
        try:
            with direct.open(f"{emulator.url}/_ministack/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise LocalAwsError(f"The local AWS was not ready after {READY_SECONDS} s. Its log says:{tail(log)}")


def _record(directory: Path) -> Path:
    return directory / "emulator.json"


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _is_ours(pid: int) -> bool:
    # A pid may have been given to somebody else since it was written down.
    if Path("/proc/self/cmdline").exists():
        with contextlib.suppress(OSError):
            return b"ministack" in Path(f"/proc/{pid}/cmdline").read_bytes()
        return False
    found = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return "ministack" in found.stdout


def _is_gone(pid: int) -> bool:
    if pid in _children:
        return _children[pid].poll() is not None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False  # somebody else's
    return False
