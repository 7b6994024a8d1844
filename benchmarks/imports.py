"""What each handler imports before its first request, and how long that takes: `make coldstart`.

Wall clock of `import app` in a fresh interpreter with valid bytecode, the median of several, less that of an empty
interpreter. Milliseconds of this machine; the ratios carry over to Lambda. The layer on Lambda has bytecode as well.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FUNCTIONS = ("rpc", "executor", "caretaker", "notifier", "redelivery")
RUNS = 7
SHOWN = 12

# What would be dear if it slipped in: whoever looks at the report looks for these first.
WATCHED = (
    "boto3",
    "botocore",
    "aws_xray_sdk",
    "pydantic",
    "pycurl",
    "aws_lambda_powertools",
    "cryptography",
    "requests",
)
FRAMEWORKS = {"a2a", "google", "strands", "pydantic_ai", "langgraph", "langchain_core", "openai", "httpx"}
MOST_FOR_ADAPTER = 30
"""Milliseconds."""

LINE = re.compile(r"import time:\s*(\d+) \|\s*(\d+) \|( *)(\S+)")


def environment(function: str) -> dict[str, str]:
    path = [ROOT / "functions" / function, ROOT / "layers" / "common", ROOT / "layers" / "agents"]
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
    return kept | {"PYTHONPATH": os.pathsep.join(str(directory) for directory in path)}


def milliseconds(function: str, code: str) -> float:
    """The median wall clock of an interpreter that runs this code."""
    walls = []
    for _ in range(RUNS):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], env=environment(function), check=True)
        walls.append((time.perf_counter() - started) * 1000)
    return statistics.median(walls)


def importtime(function: str) -> list[tuple[int, int, str]]:
    """Depth, cumulative microseconds and name of each module, as `python -X importtime` tells them."""
    command = [sys.executable, "-X", "importtime", "-c", "import app"]
    told = subprocess.run(command, env=environment(function), check=True, capture_output=True, text=True).stderr
    return [(len(indent) // 2, int(total), name) for _, total, indent, name in LINE.findall(told)]


def report(function: str) -> None:
    subprocess.run([sys.executable, "-c", "import app"], env=environment(function), check=True)  # writes the bytecode
    bare = milliseconds(function, "pass")
    whole = milliseconds(function, "import app")
    modules = importtime(function)
    loaded = {name for _, _, name in modules}
    print(f"\n{function}: {whole - bare:.0f} ms for {len(modules)} modules (an empty interpreter takes {bare:.0f} ms)")
    print("  loaded: " + (", ".join(name for name in WATCHED if name in loaded) or "none of those that are watched"))
    print("  spared: " + (", ".join(name for name in WATCHED if name not in loaded) or "nothing"))
    for depth, total, name in sorted(modules, key=lambda module: -module[1])[:SHOWN]:
        print(f"  {total / 1000:8.1f} ms  {'  ' * max(0, depth - 1)}{name}")


def report_adapter() -> None:
    """What an agent of the SDK's executor costs rpc beside the push agent: CPU, the best of several."""
    push, adapter = (min(agent_cpu(module)[0] for _ in range(RUNS)) for module in ("push_agent", "adapter_agent"))
    frameworks = FRAMEWORKS & agent_cpu("adapter_agent")[1]
    print(f"\nrpc with an executor of the SDK: {adapter - push:+.0f} ms of CPU beside the push agent's {push:.0f}")
    print(f"  loaded: {', '.join(sorted(frameworks)) or 'no framework'}")
    if adapter - push > MOST_FOR_ADAPTER or frameworks:
        sys.exit(f"error: at most {MOST_FOR_ADAPTER} ms more and no framework are expected")


def agent_cpu(module: str) -> tuple[float, set[str]]:
    """Milliseconds of CPU of a fresh interpreter for rpc's app and the agent's module, and the modules by then."""
    code = (
        f"import time, sys, json; began = time.process_time(); import app, {module}; "
        "print(json.dumps([1000 * (time.process_time() - began), [*sys.modules]]))"
    )
    variables = environment("rpc")
    variables["PYTHONPATH"] += f"{os.pathsep}{Path(__file__).parent}"
    done = subprocess.run([sys.executable, "-c", code], env=variables, check=True, capture_output=True, text=True)
    cpu, modules = json.loads(done.stdout)
    return cpu, set(modules)


if __name__ == "__main__":
    for each in FUNCTIONS:
        report(each)
    report_adapter()
