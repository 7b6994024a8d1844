"""The layers: built for every runtime that can be chosen, from versions that are locked and tested."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted([*(ROOT / "requirements").glob("*.txt"), ROOT / "layers" / "common" / "requirements.txt"])
MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}


def pinned(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", path.read_text(), re.MULTILINE))


def test_every_runtime_and_architecture_that_can_be_chosen_has_a_build_target(template):
    for runtime in template["Parameters"]["Runtime"]["AllowedValues"]:
        for architecture in template["Parameters"]["Architecture"]["AllowedValues"]:
            platforms = (ROOT / "layers" / "targets" / f"{runtime}-{architecture}" / "platforms").read_text().split()
            assert platforms
            assert all(platform.endswith(f"_{MACHINES[architecture]}") for platform in platforms)


@pytest.mark.parametrize("name", ["CommonLayer", "AgentsLayer"])
def test_a_layer_is_built_for_the_runtime_and_architecture_of_the_functions(resources, name):
    layer = resources[name]

    assert layer["Metadata"]["WorkingDirectory"] == {"Fn::Sub": "layers/targets/${Runtime}-${Architecture}"}
    assert layer["Metadata"]["BuildArchitecture"] == {"Ref": "Architecture"}
    assert layer["Properties"]["CompatibleRuntimes"] == [{"Ref": "Runtime"}]
    assert layer["Properties"]["CompatibleArchitectures"] == [{"Ref": "Architecture"}]


def test_the_layer_needs_the_same_packages_on_every_runtime():
    # pip judges markers by the Python that it runs in, which need not be that of the runtime; but it is no PyPy.
    requirements = (ROOT / "layers" / "common" / "requirements.txt").read_text()

    markers = set(re.findall(r"^[a-z].*; (.*?) *\\$", requirements, re.MULTILINE))
    assert all("!= 'PyPy'" in marker for marker in markers)


def test_the_tests_use_the_very_versions_of_the_layer():
    tested = pinned(ROOT / "requirements" / "dev.txt")

    for name, version in pinned(ROOT / "layers" / "common" / "requirements.txt").items():
        assert tested[name] == version, name


def test_the_layer_does_not_carry_what_the_runtime_brings():
    assert not {"boto3", "botocore", "s3transfer"} & set(pinned(ROOT / "layers" / "common" / "requirements.txt"))


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_every_dependency_is_locked_with_hashes(path):
    requirements = re.split(
        r"^(?=\S)", re.sub(r"^ *#.*\n", "", path.read_text(), flags=re.MULTILINE), flags=re.MULTILINE
    )

    for requirement in filter(None, requirements):
        assert re.match(r"[a-z0-9._-]+==\S+", requirement), requirement
        assert "--hash=sha256:" in requirement, requirement


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_a_lock_names_no_host(path):
    assert not re.search(r"://|--index|--find-links|--extra", path.read_text())
