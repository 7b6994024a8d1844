"""What an agent's packages weigh: the size of both layers as Lambda unpacks them, and what its import costs."""

from __future__ import annotations

import compileall
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ROOT / "layers"
PIP = ROOT / ".venvs" / "tools" / "bin" / "python"

MOST_BYTES = 250 * 1024 * 1024
"""Lambda's limit for a function and its layers, unpacked."""

MOST_CPU = 0.3
"""Seconds of CPU of this machine for importing the agent's module, beside what rpc imports anyway."""

FRAMEWORKS = frozenset(
    [
        "a2a",
        "agents",
        "anthropic",
        "autogen",
        "beeai_framework",
        "boto3",
        "crewai",
        "google.adk",
        "google.genai",
        "haystack",
        "langchain",
        "langchain_core",
        "langgraph",
        "litellm",
        "llama_index",
        "numpy",
        "openai",
        "pydantic_ai",
        "semantic_kernel",
        "strands",
        "torch",
        "transformers",
    ]
)
"""What takes long to import, and only a step needs."""

# In an interpreter of its own: what rpc has imported by then does not count, nor what this process has.
PROBE = """
import importlib, json, sys, time
import a2a_lambda.agent.agent, a2a_lambda.agent.context
known = set(sys.modules)
began = time.process_time()
importlib.import_module(sys.argv[1])
print(json.dumps([time.process_time() - began, sorted(set(sys.modules) - known)]))
"""
TRIES = 3


class PackagesError(Exception):
    """The packages of the agent do not do for a deployment; the text says which, and what to do."""


def import_cost(module: str) -> tuple[float, list[str]]:
    """Seconds of CPU (the best of some tries), and the frameworks that come along. The module can be imported."""
    path = os.pathsep.join(str(LAYERS / name) for name in ("common", "agents"))
    environment = {"PYTHONPATH": path, "PATH": os.environ.get("PATH", ""), "HOME": os.environ.get("HOME", "")}
    command = [sys.executable, "-c", PROBE, module]
    costs: list[float] = []
    loaded: set[str] = set()
    for _ in range(TRIES + 1):  # the first writes the bytecode that Lambda has
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise PackagesError(f"{module} cannot be imported by itself: {done.stderr.strip().splitlines()[-1]}")
        seconds, modules = json.loads(done.stdout.splitlines()[-1])
        costs.append(seconds)
        loaded = FRAMEWORKS & set(modules)
    return min(costs[1:]), sorted(loaded)


def check_import(module: str) -> str:
    """What the import costs. Raises PackagesError if it is more than the endpoint should pay for a card."""
    seconds, frameworks = import_cost(module)
    if frameworks:
        raise PackagesError(
            f"importing {module} imports {', '.join(frameworks)}, which each cold start of the endpoint would pay for: "
            "import inside of the step, or in a module that only the step imports"
        )
    if seconds > MOST_CPU:
        raise PackagesError(
            f"importing {module} takes {seconds * 1000:.0f} ms of CPU, {MOST_CPU * 1000:.0f} are possible: "
            "the endpoint imports it for the card; import what is dear inside of the step"
        )
    return f"{seconds * 1000:.0f} ms of CPU to import"


def check_size(parameters: Mapping[str, str], runtime: str, architecture: str) -> str:
    """What both layers weigh. Raises PackagesError if there is no wheel for the runtime, or they are too large."""
    target = f"{parameters.get('Runtime', runtime)}-{parameters.get('Architecture', architecture)}"
    if not (LAYERS / "targets" / target).is_dir():
        raise PackagesError(f"no layer is built for {target}: see the parameters Runtime and Architecture")
    with tempfile.TemporaryDirectory() as directory:
        sizes = {name: _built(name, target, Path(directory) / name) for name in ("CommonLayer", "AgentsLayer")}
    total = sum(sizes.values())
    megabytes = f"{total / 2**20:.0f} MB of layers for {target}"
    if total > MOST_BYTES:
        raise PackagesError(
            f"{megabytes} ({sizes['AgentsLayer'] / 2**20:.0f} the agents'), {MOST_BYTES // 2**20} are possible: "
            "see docs/bring-your-own.md, What does not fit"
        )
    return megabytes


def _built(layer: str, target: str, directory: Path) -> int:
    """Bytes of a layer with its bytecode, built as sam build does it."""
    command = ["make", "-f", str(LAYERS / "Makefile"), f"build-{layer}"]
    environment = {**os.environ, "ARTIFACTS_DIR": str(directory), "PIP_PYTHON": str(PIP)}
    done = subprocess.run(
        command, cwd=LAYERS / "targets" / target, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise PackagesError(_reason(done.stderr, target))
    if not any(directory.rglob("*.pyc")):  # no Python of the runtime's version is here: this one's is as large
        with contextlib.redirect_stdout(io.StringIO()):
            compileall.compile_dir(directory, quiet=2, workers=0)
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def _reason(stderr: str, target: str) -> str:
    lines = [line for line in stderr.splitlines() if line.startswith(("error: ", "ERROR: "))]
    for line in lines:
        if "No matching distribution found for " in line:
            package = line.rpartition(" for ")[2].split(" ")[0]
            return f"{package} has no wheel that {target} can load: take another version, or another Architecture"
    return lines[-1].partition(": ")[2] if lines else f"the layers cannot be built for {target}"
