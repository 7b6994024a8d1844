"""The structure of the package: its folders are wings, and each imports only the wings below it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from cloud import ROOT
from package_imports import (
    ARCHITECTURE,
    AWS,
    KNOWS_AWS,
    MAY_IMPORT,
    PACKAGE,
    arrows,
    cycles,
    drawn_arrows,
    forbidden,
    imports_of,
    modules,
    name_of,
    wing_of,
)

MODULES = modules()


def planted(tmp_path: Path, module: str, line: str) -> Path:
    """A copy of the package in which a module has one line more."""
    package = tmp_path / "a2a_lambda"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    place = package / module
    place.write_text(place.read_text(encoding="utf-8") + f"\n{line}\n", encoding="utf-8")
    return package


def test_every_wing_imports_only_what_its_row_of_the_table_allows() -> None:
    assert forbidden() == []


def test_every_wing_has_a_row_and_every_row_is_a_wing() -> None:
    assert {wing_of(name_of(path)) for path in MODULES} - {""} == set(MAY_IMPORT)


@pytest.mark.parametrize(
    ("module", "line", "names"),
    [
        ("core/model.py", "from ..push.schedule import BASE", ("a2a_lambda.core.model", "a2a_lambda.push.schedule")),
        ("agent/timer.py", "from ..endpoint import tasks", ("a2a_lambda.agent.timer", "a2a_lambda.endpoint.tasks")),
        (
            "push/receivers.py",
            "def late():\n    from a2a_lambda.aws.queues import decode",
            ("a2a_lambda.push.receivers", "a2a_lambda.aws.queues"),
        ),
    ],
    ids=["at the top", "of a module", "in a function"],
)
def test_a_planted_import_is_found_and_both_modules_are_named(
    tmp_path: Path, module: str, line: str, names: tuple[str, str]
) -> None:
    found = forbidden(planted(tmp_path, module, line))
    assert len(found) == 1
    assert all(name in found[0] for name in names)


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert cycles() == []


def test_a_planted_cycle_is_found(tmp_path: Path) -> None:
    package = planted(tmp_path, "core/model.py", "def late():\n    from . import records")
    assert any({"a2a_lambda.core.model", "a2a_lambda.core.records"} <= set(group) for group in cycles(package))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_adapters_know_aws(path: Path) -> None:
    known = {name.split(".")[0] for name in imports_of(path)} & AWS
    assert not known or wing_of(name_of(path)) in KNOWS_AWS


@pytest.mark.parametrize("wing", ["core", "dialects"])
def test_the_pure_wings_know_no_clock_no_environment_and_no_framework(wing: str) -> None:
    impure = {"pycurl", "time", "os", "socket", "threading"} | ({"pydantic"} if wing == "core" else set())
    for path in (PACKAGE / wing).rglob("*.py"):
        assert not {name.split(".")[0] for name in imports_of(path)} & impure, path


def test_libcurls_handles_and_sockets_are_made_in_one_place_where_they_are_guarded() -> None:
    makers = re.compile(r"pycurl\.Curl\(|OPENSOCKETFUNCTION|\bsocket\.socket\(")
    assert {path.name for path in MODULES if makers.search(path.read_text(encoding="utf-8"))} == {"curl.py"}


@pytest.mark.parametrize("folder", ["benchmarks", "demo", "functions", "layers", "local", "ops", "tests", "tools"])
def test_a_module_can_be_read_in_one_go(folder: str) -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / folder).rglob("*.py")}
    assert lines
    assert not {path: count for path, count in lines.items() if count > 400}


def test_what_authors_may_import_is_named_in_full_and_is_there() -> None:
    import a2a_lambda.agent
    import a2a_lambda.testing

    for public in (a2a_lambda.agent, a2a_lambda.testing):
        assert public.__all__ == sorted(public.__all__)
        assert all(getattr(public, name) for name in public.__all__)
    with pytest.raises(AttributeError):
        a2a_lambda.agent.Nothing  # noqa: B018 - the access is what is tested


@pytest.mark.parametrize(
    "page", ["docs/agents.md", "docs/bring-your-own.md", "README.md", "tools/agent_template", "layers/agents"]
)
def test_authors_are_shown_public_names_only(page: str) -> None:
    place = ARCHITECTURE.parents[1] / page
    texts = [place.read_text(encoding="utf-8")] if place.is_file() else [p.read_text() for p in place.rglob("*.py")]
    for text in texts:
        shown = set(re.findall(r"^\s*from (a2a_lambda[\w.]*) import", text, re.MULTILINE))
        assert shown <= {"a2a_lambda.agent", "a2a_lambda.testing", "a2a_lambda.adapters.a2a_sdk"}


# ---------------------------------------------------------------------------------------------- docs/architecture.md


def test_the_drawing_of_the_wings_has_the_arrows_of_the_imports() -> None:
    between_wings = {arrow for arrow in arrows() if not set(arrow) & {"settings", "observability"}}
    assert drawn_arrows() == between_wings


def test_every_wing_has_its_paragraph_in_order() -> None:
    text = ARCHITECTURE.read_text(encoding="utf-8")
    places = [text.find(f"\n### `{wing}/`") for wing in MAY_IMPORT if (PACKAGE / wing).is_dir()]
    assert -1 not in places
