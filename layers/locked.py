"""The packages of a layer, off its lock: all with hashes, those that the runtime needs, none that the common layer has
in another version.

    python layers/locked.py layers/agents --runtime 3.13-arm64 --output FILE
    python layers/locked.py layers/agents

It writes the requirements of one runtime, without markers: pip would judge those by the Python that it runs in. Without
``--output`` it only checks. Whatever is wrong is one line on stderr, and exit code 1. Needs nothing but pip.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

COMMON = Path(__file__).resolve().parent / "common"
MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}
ADVICE = "name it in {directory}/requirements.in and run: make lock-agent"


class LockError(Exception):
    """The requirements cannot be installed like this; the text says what to do."""


class Package(NamedTuple):
    """One requirement of a lock. ``name`` is normalized; ``marker`` is empty where it is for every Python."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]


def normalized(name: str) -> str:
    """The name as an index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read(path: Path, directory: str = "layers/agents") -> list[Package]:
    """The packages of a lock; none if there is no such file. Raises LockError for the first that is not locked."""
    if not path.is_file():
        return []
    text = re.sub(r"(^|\s)#.*", "", path.read_text(encoding="utf-8")).replace("\\\n", " ")
    return [_package(line, path.name, directory) for line in map(str.strip, text.splitlines()) if line]


def _package(line: str, file: str, directory: str) -> Package:
    requirement, *options = re.split(r"\s+(?=--)", line)
    found = re.fullmatch(r"([A-Za-z0-9][\w.-]*)\s*==\s*([^\s;]+)\s*(?:;\s*(.+?))?", requirement.strip())
    hashes = tuple(option.removeprefix("--hash=") for option in options if option.startswith("--hash="))
    if found is None or not hashes or len(hashes) != len(options):
        what = (re.match(r"[\w.-]+", line) or [line])[0]
        raise LockError(f"{directory}/{file}: {what} is not locked with a hash; {ADVICE.format(directory=directory)}")
    return Package(normalized(found[1]), found[2], found[3] or "", hashes)


def named(path: Path) -> list[str]:
    """The packages that requirements.in names itself."""
    if not path.is_file():
        return []
    lines = (re.sub(r"(^|\s)#.*", "", line).strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [normalized(match[0]) for line in lines if (match := re.match(r"[A-Za-z0-9][\w.-]*", line))]


def check(layer: Path, common: Path = COMMON) -> list[Package]:
    """The packages of the layer. Raises LockError where one is not locked, or contradicts the common layer."""
    directory = f"layers/{layer.name}"
    packages = read(layer / "requirements.txt", directory)
    if layer.resolve() == common.resolve():
        return packages
    shared = {package.name: package.version for package in read(common / "requirements.txt", "layers/common")}
    for package in packages:
        if shared.get(package.name, package.version) != package.version:
            raise LockError(
                f"{directory}/requirements.txt: {package.name} {package.version} contradicts {shared[package.name]} of "
                "the common layer, and both end up in one directory; run: make lock-agent"
            )
    known = shared.keys() | {package.name for package in packages}
    for name in named(layer / "requirements.in"):
        if name not in known:
            raise LockError(f"{directory}/requirements.in: {name} is not locked yet; run: make lock-agent")
    return packages


def environment(runtime: str) -> dict[str, str]:
    """What markers are judged by in a runtime of Lambda, such as ``3.13-arm64``."""
    version, _, architecture = runtime.partition("-")
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{version}.0",
        "os_name": "posix",
        "platform_machine": MACHINES[architecture],
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{version}.0",
        "python_version": version,
        "sys_platform": "linux",
    }


def for_runtime(packages: Sequence[Package], values: Mapping[str, str]) -> str:
    """Requirements for pip, without what this runtime does not need."""
    try:
        from packaging.markers import Marker
    except ImportError:  # pip has a copy of its own
        from pip._vendor.packaging.markers import Marker

    needed = [each for each in packages if not each.marker or Marker(each.marker).evaluate(dict(values))]
    return "".join(
        f"{each.name}=={each.version}" + "".join(f" --hash={digest}" for digest in each.hashes) + "\n"
        for each in needed
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Checks the locked packages of a layer.")
    parser.add_argument("layer", type=Path)
    parser.add_argument("--runtime", help="of Lambda, for example 3.13-arm64; without it: this Python's")
    parser.add_argument("--output", type=Path, help="where the requirements of the runtime go")
    given = parser.parse_args(arguments)
    try:
        packages = check(given.layer)
    except LockError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    if given.output:
        given.output.write_text(for_runtime(packages, environment(given.runtime) if given.runtime else {}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
