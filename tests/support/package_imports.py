"""What the modules of the package import, read off their source: for the tests of its structure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from cloud import ROOT

PACKAGE = ROOT / "layers" / "common" / "a2a_lambda"
ARCHITECTURE = ROOT / "docs" / "architecture.md"

MAY_IMPORT: dict[str, frozenset[str]] = {
    "core": frozenset(),
    "net": frozenset(),
    "dialects": frozenset({"core"}),
    "push": frozenset({"core", "dialects", "net"}),
    "agent": frozenset({"core", "net"}),
    "adapters": frozenset({"core", "dialects", "agent"}),
    "endpoint": frozenset({"core", "dialects", "net", "push", "agent"}),
    "testing": frozenset({"core", "dialects", "net", "push", "agent", "endpoint"}),
    "aws": frozenset({"core", "dialects", "net", "push", "agent", "endpoint", "settings"}),
    "settings": frozenset(),
    "observability": frozenset({"core", "push"}),
}
"""Each wing (a folder of the package, or a module at its root) and the wings that it may import besides itself."""

AWS = frozenset({"boto3", "botocore", "aws_lambda_powertools"})
KNOWS_AWS = frozenset({"aws", "observability"})


def modules(package: Path = PACKAGE) -> list[Path]:
    return sorted(package.rglob("*.py"))


def name_of(path: Path, package: Path = PACKAGE) -> str:
    parts = path.relative_to(package).with_suffix("").parts
    return ".".join(part for part in ("a2a_lambda", *parts) if part != "__init__")


def wing_of(name: str) -> str:
    """``core`` for ``a2a_lambda.core.model``; empty for the package itself and for what is not of it."""
    parts = name.split(".")
    return parts[1] if parts[0] == "a2a_lambda" and len(parts) > 1 else ""


def imports_of(path: Path, package: Path = PACKAGE, *, for_types: bool = True) -> set[str]:
    """Full names of what a module imports, at its top or later, with those under TYPE_CHECKING if `for_types`."""
    own = ["a2a_lambda", *path.relative_to(package).parts[:-1]]
    found = set()
    for node in _nodes(ast.parse(path.read_text(encoding="utf-8")), for_types):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = own[: len(own) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return found


def _nodes(tree: ast.AST, for_types: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if not for_types and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from _nodes(node, for_types)


def arrows(package: Path = PACKAGE) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """From wing to wing, the pairs of modules (importer, imported) that make the arrow."""
    names = {name_of(path, package) for path in modules(package)}
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for path in modules(package):
        importer = name_of(path, package)
        for imported in sorted(_most_exact(imports_of(path, package) & names)):
            pair = wing_of(importer), wing_of(imported)
            if pair[0] != pair[1] and all(pair):
                found.setdefault(pair, []).append((importer, imported))
    return found


def _most_exact(names: set[str]) -> set[str]:
    """Without a package that is named only because one of its modules is imported."""
    return {name for name in names if not any(other.startswith(f"{name}.") for other in names)}


def forbidden(package: Path = PACKAGE, may_import: Mapping[str, frozenset[str]] = MAY_IMPORT) -> list[str]:
    """One line for each import that the table does not allow, with the names of both modules."""
    return [
        f"{importer} imports {imported}: {wing} may not import {target}"
        for (wing, target), pairs in sorted(arrows(package).items())
        if target not in may_import.get(wing, frozenset())
        for importer, imported in pairs
    ]


def cycles(package: Path = PACKAGE) -> list[list[str]]:
    """Groups of modules that import each other, by imports at any place but for types."""
    names = {name_of(path, package) for path in modules(package)}
    graph = {
        name_of(path, package): (imports_of(path, package, for_types=False) & names) - {name_of(path, package)}
        for path in modules(package)
    }
    reach = {name: _reachable(name, graph) for name in graph}
    groups = {frozenset({name, *(other for other in seen if name in reach[other])}) for name, seen in reach.items()}
    return sorted(sorted(group) for group in groups if len(group) > 1)


def _reachable(start: str, graph: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    todo = list(graph[start])
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += graph[name]
    return seen


def drawn_arrows() -> set[tuple[str, str]]:
    """The arrows of the drawing of wings in docs/architecture.md."""
    drawing = ARCHITECTURE.read_text(encoding="utf-8").split("## The wings")[1].split("```mermaid")[1].split("```")[0]
    return set(re.findall(r"^\s*([a-z]+) --> ([a-z]+)\s*$", drawing, re.MULTILINE))
