"""The packages of agents: locked beside the common layer's, picked for the runtime, weighed before a deployment."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import locked
import pytest
from cloud import ROOT

import agent_packages
import check_agent
import lock_agent

HASH = "--hash=sha256:" + "0" * 64
COMMON = f"pydantic==2.14.3 \\\n    {HASH}\ntyping-extensions==4.16.0 {HASH}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with a common layer of two packages, and agents without any."""
    for folder in ("layers/agents", "layers/common", "requirements"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "layers" / "common" / "requirements.txt").write_text(COMMON)
    (tmp_path / "requirements" / "dev.txt").write_text(f"{COMMON}idna==3.20 {HASH}\n")
    return tmp_path


def agents(root: Path, lock: str = "", source: str = "") -> Path:
    directory = root / "layers" / "agents"
    for name, text in (("requirements.txt", lock), ("requirements.in", source)):
        if text:
            (directory / name).write_text(text)
    return directory


def checked(root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(locked, "COMMON", root / "layers" / "common")
    monkeypatch.setattr(locked.check, "__defaults__", (root / "layers" / "common",))
    assert locked.main([str(root / "layers" / "agents")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    return line


# ---------------------------------------------------------------------------------------------------------- the lock


@pytest.mark.parametrize(
    "line",
    [
        "humanize",
        "humanize==4.17.0",
        "humanize>=4",
        f"humanize>=4 {HASH}",
        "humanize @ file:///tmp/humanize.whl",
        f"humanize[all]==4.17.0 {HASH}",
        f"humanize==4.17.0 {HASH} --index-url=x",
        "humanize==4.17.0 --hash",
    ],
)
def test_a_package_that_is_not_locked_with_a_hash_is_one_line_that_says_what_to_do(root, capsys, monkeypatch, line):
    agents(root, f"idna==3.20 \\\n    {HASH}\n{line}\n")

    told = checked(root, capsys, monkeypatch)
    assert told.startswith("error: layers/agents/requirements.txt: humanize is not locked with a hash")
    assert told.endswith("run: make lock-agent")


@pytest.mark.parametrize("line", ["-r other.txt", "--extra-index-url x", "-e .", "./wheels/x.whl"])
def test_a_line_that_is_no_package_is_refused_as_well(root, capsys, monkeypatch, line):
    agents(root, f"{line}\n")

    assert "is not locked with a hash" in checked(root, capsys, monkeypatch)


def test_another_version_of_what_the_common_layer_has_is_refused(root, capsys, monkeypatch):
    agents(root, f"Pydantic==2.14.4 {HASH}\n")

    told = checked(root, capsys, monkeypatch)
    assert "pydantic 2.14.4 contradicts 2.14.3 of the common layer" in told
    assert told.endswith("run: make lock-agent")


def test_a_package_that_was_named_and_not_locked_is_refused(root, capsys, monkeypatch):
    agents(root, f"idna==3.20 {HASH}\n", "idna\nhumanize[x]>=4  # for dates\npydantic\n# comment\n")

    assert "requirements.in: humanize is not locked yet; run: make lock-agent" in checked(root, capsys, monkeypatch)


def test_without_packages_there_is_nothing_to_refuse(root):
    assert locked.check(agents(root), root / "layers" / "common") == []


def test_a_lock_of_ours_is_read_whole():
    for path in sorted([*(ROOT / "requirements").glob("*.txt"), ROOT / "layers" / "common" / "requirements.txt"]):
        names = [locked.normalized(name) for name in re.findall(r"^([\w.-]+)==", path.read_text(), re.MULTILINE)]
        assert [package.name for package in locked.read(path)] == names


# ------------------------------------------------------------------------------------------------------- the runtime


def test_a_runtime_gets_what_its_markers_say_whatever_python_picks_it(root):
    lock = f"""
always==1 {HASH}
windows==1 ; sys_platform == 'win32' {HASH}
new==1 ; python_full_version >= '3.13' {HASH}
old==1 ; python_full_version < '3.13' {HASH}
arm==1 ; platform_machine == 'aarch64' and implementation_name == 'cpython' {HASH}
"""
    packages = locked.read(agents(root, lock) / "requirements.txt")

    def names(runtime: str) -> list[str]:
        text = locked.for_runtime(packages, locked.environment(runtime))
        assert all(HASH in line and ";" not in line for line in text.splitlines())
        return re.findall(r"^(\w+)==1", text, re.MULTILINE)

    assert names("3.12-x86_64") == ["always", "old"]
    assert names("3.13-arm64") == ["always", "new", "arm"]
    assert names("3.14-arm64") == ["always", "new", "arm"]


def test_the_common_layer_has_for_each_runtime_all_that_it_is_locked_with():
    packages = locked.check(ROOT / "layers" / "common")

    for target in (ROOT / "layers" / "targets").iterdir():
        runtime = locked.environment(target.name.removeprefix("python"))
        assert len(locked.for_runtime(packages, runtime).splitlines()) == len(packages)


# -------------------------------------------------------------------------------------------------------- locking it


@pytest.fixture
def uv(tmp_path: Path):
    """Makes a stand-in for uv that answers like this; the file that it keeps its arguments and preferences in."""

    def make(lock: str = "", refusal: str = "") -> Path:
        program = tmp_path / "uv"
        program.write_text(
            f"#!{sys.executable}\n"
            "import pathlib, sys\n"
            "output = pathlib.Path(sys.argv[sys.argv.index('--output-file') + 1])\n"
            "pathlib.Path(__file__).with_suffix('.told').write_text(' '.join(sys.argv) + output.read_text())\n"
            f"sys.stderr.write({refusal!r})\n"
            f"output.write_text({lock!r})\n"
            f"sys.exit({1 if refusal else 0})\n"
        )
        program.chmod(0o755)
        return program

    return make


def test_packages_are_locked_beside_the_common_layer_and_without_its(root, uv, tmp_path):
    agents(root, source="humanize\n")
    program = uv(f"# The following packages were excluded from the output:\n\nhumanize==4.17.0 \\\n    {HASH}\n# x\n")

    assert lock_agent.lock(root, program) == "wrote layers/agents/requirements.txt: 1 packages"

    assert (root / "layers" / "agents" / "requirements.txt").read_text() == f"humanize==4.17.0 \\\n    {HASH}\n"
    told = program.with_suffix(".told").read_text()
    assert f"--constraint {root / 'layers' / 'common' / 'requirements.txt'}" in told
    assert "--no-emit-package pydantic --no-emit-package typing-extensions" in told
    assert "--no-emit-index-url" in told


def test_what_is_locked_stays_before_what_the_tests_have_unless_the_newest_are_asked_for(root, uv):
    agents(root, lock=f"idna==3.19 {HASH}\n", source="idna\n")
    program = uv(f"idna==3.19 {HASH}\n")

    said = lock_agent.lock(root, program)
    assert "idna==3.19\n" in program.with_suffix(".told").read_text()
    assert "pydantic==2.14.3\n" in program.with_suffix(".told").read_text()
    assert "idna 3.19 (not 3.20)" in said  # the development environment gets the agents' version

    lock_agent.lock(root, program, upgrade=True)
    assert "idna==" not in program.with_suffix(".told").read_text()


def test_requirements_that_contradict_the_common_layer_are_one_line_and_the_lock_stays(root, uv, monkeypatch, capsys):
    directory = agents(root, lock=f"idna==3.19 {HASH}\n", source="pydantic<2\n")
    refusal = "  × No solution found:\n  ╰─▶ Because you require pydantic<2\n      and pydantic==2.14.3, no.\n"
    monkeypatch.setattr(lock_agent, "UV", uv(refusal=refusal))
    monkeypatch.setattr(lock_agent.lock, "__defaults__", (root, lock_agent.UV))

    assert lock_agent.main([]) == 1

    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(
        "the common layer: No solution found: Because you require pydantic<2 and pydantic==2.14.3, no."
    )
    assert (directory / "requirements.txt").read_text() == f"idna==3.19 {HASH}\n"


def test_a_lock_that_nobody_needs_any_more_goes_and_the_tests_forget_its_packages(root, tmp_path):
    directory = agents(root, lock=f"idna==3.19 {HASH}\n", source="# none\n")
    stamp = root / ".venvs" / "dev" / ".lock"
    stamp.parent.mkdir(parents=True)
    stamp.touch()

    assert "names no packages" in lock_agent.lock(root, tmp_path / "no-uv")
    assert not (directory / "requirements.txt").exists()
    assert not stamp.exists()


def test_without_uv_nothing_is_locked_and_one_line_says_so(root, tmp_path):
    agents(root, source="idna\n")

    with pytest.raises(locked.LockError, match="uv is needed"):
        lock_agent.lock(root, tmp_path / "no-uv")


# ------------------------------------------------------------------------------------------------------- weighing it


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Makes a module of agents; its name."""
    folder = tmp_path / "layers"
    (folder / "agents").mkdir(parents=True, exist_ok=True)
    (folder / "common").symlink_to(ROOT / "layers" / "common")
    monkeypatch.setattr(agent_packages, "LAYERS", folder)

    def make(code: str) -> str:
        (folder / "agents" / "weighed_agent.py").write_text(code)
        return "weighed_agent"

    return make


def test_a_small_module_costs_next_to_nothing(module):
    assert re.fullmatch(r"\d+ ms of CPU to import", agent_packages.check_import(module("x = 1")))


@pytest.mark.parametrize("line", ["import strands", "from a2a import types", "import google.adk"])
def test_a_framework_at_the_top_is_refused_by_name(module, tmp_path, line):
    name = re.findall(r"(?:import|from) ([\w.]+)", line)[0]
    package = tmp_path / "layers" / "agents" / name.replace(".", "/")
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "types.py").touch()

    with pytest.raises(agent_packages.PackagesError, match=f"imports {name}, which each cold start"):
        agent_packages.check_import(module(line))


def test_an_import_that_takes_too_long_is_refused_with_both_figures(module):
    busy = "import time\nend = time.process_time() + 0.31\nwhile time.process_time() < end: pass"

    with pytest.raises(agent_packages.PackagesError, match=r"takes 3\d\d ms of CPU, 300 are possible"):
        agent_packages.check_import(module(busy))


def test_a_module_that_cannot_be_imported_is_one_line(module):
    with pytest.raises(agent_packages.PackagesError, match=r"by itself: ZeroDivisionError: division by zero$"):
        agent_packages.check_import(module("1 / 0"))


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch):
    """Lets the builds of layers end like this: files of so many bytes, or an error."""

    def set_to(*, sizes: dict[str, int] | None = None, stderr: str = "") -> None:
        def run(command, *, env, **_):
            directory = Path(env["ARTIFACTS_DIR"])
            directory.mkdir(parents=True)
            layer = command[-1].removeprefix("build-")
            with (directory / "large.pyc").open("wb") as file:
                file.truncate((sizes or {}).get(layer, 1))
            return agent_packages.subprocess.CompletedProcess(command, 1 if stderr else 0, "", stderr)

        monkeypatch.setattr(agent_packages.subprocess, "run", run)

    return set_to


def test_layers_that_fit_are_named_with_their_size(pip):
    pip(sizes={"CommonLayer": 40 << 20, "AgentsLayer": 60 << 20})

    assert agent_packages.check_size({}, "python3.13", "arm64") == "100 MB of layers for python3.13-arm64"


def test_layers_that_are_too_large_together_are_refused_with_the_agents_share(pip):
    pip(sizes={"CommonLayer": 40 << 20, "AgentsLayer": 211 << 20})

    with pytest.raises(agent_packages.PackagesError, match=r"251 MB .* \(211 the agents'\), 250 are possible"):
        agent_packages.check_size({"Runtime": "python3.12", "Architecture": "x86_64"}, "python3.13", "arm64")


def test_a_package_without_a_wheel_for_the_runtime_is_named_in_one_line(pip):
    pip(stderr="ERROR: Could not find a version\nERROR: No matching distribution found for uvloop==0.1 --hash=x\n")

    with pytest.raises(agent_packages.PackagesError, match=r"^uvloop==0.1 has no wheel that python3.13-arm64 can load"):
        agent_packages.check_size({}, "python3.13", "arm64")


def test_what_the_lock_check_says_is_said(pip):
    pip(stderr="error: layers/agents/requirements.txt: x is not locked\nmake: *** [build-AgentsLayer] Error 1\n")

    with pytest.raises(agent_packages.PackagesError, match=r"^layers/agents/requirements.txt: x is not locked$"):
        agent_packages.check_size({}, "python3.13", "arm64")


def test_a_runtime_that_no_layer_is_built_for_is_refused():
    with pytest.raises(agent_packages.PackagesError, match=r"no layer is built for python3\.9-arm64"):
        agent_packages.check_size({"Runtime": "python3.9"}, "python3.13", "arm64")


def test_the_defaults_are_those_of_the_template():
    text = (ROOT / "template.yaml").read_text()

    for name, value in (("Runtime", check_agent.RUNTIME), ("Architecture", check_agent.ARCHITECTURE)):
        assert re.search(rf"^  {name}:\n    Type: String\n    Default: (\S+)$", text, re.MULTILINE)[1] == value


def test_the_packages_are_checked_where_they_are_asked_for(monkeypatch, capsys):
    monkeypatch.setattr(check_agent, "check_size", lambda *_: "1 MB of layers")

    assert check_agent.main(["--packages"]) == 0
    assert re.search(r"push_agent weighs \d+ ms of CPU to import, 1 MB of layers$", capsys.readouterr().out)

    def refuse(*_: object) -> str:
        raise agent_packages.PackagesError("too large")

    monkeypatch.setattr(check_agent, "check_size", refuse)
    assert check_agent.main(["--packages"]) == 1
    assert capsys.readouterr().err == "error: too large\n"
