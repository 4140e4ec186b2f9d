"""The package's rooms, from the bottom up: a room imports from lower ones only, and nowhere is a circle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import sparsedm

ROOT = Path(sparsedm.__file__).parent
FLOORS = (
    ("uris", "decimals", "files"),
    ("errors",),
    ("runtime", "sparsity"),
    ("diffusion", "sources"),
    ("models",),
    ("data",),
    ("measure",),
    ("pipelines",),
    ("artifact", "report"),
    ("training",),
    ("commands", "serve"),
    ("study",),
    ("cli",),
)
"""Folders and single modules of the package. Rooms of one floor do not know each other."""
LEVEL = {room: level for level, floor in enumerate(FLOORS) for room in floor}


def modules() -> dict[str, Path]:
    """Every module by its name without `sparsedm.`; a package by the name of its folder."""
    named = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        named[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return {name: path for name, path in named.items() if name}


def imports(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """The package's modules that a file imports, wherever in it, but for types."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in typing_only or not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            assert node.level == 0, f"{path} imports by a relative name."
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            inside = name.removeprefix("sparsedm.")
            if inside == name:
                continue
            # `from sparsedm.files import sync` names the module before the last dot.
            found = inside if inside in known else inside.rpartition(".")[0]
            if found:
                yield found


def test_every_room_has_a_floor() -> None:
    assert {name.partition(".")[0] for name in modules()} == set(LEVEL)


def test_imports_go_down() -> None:
    known = modules()
    wrong = [
        f"{name} imports {other}"
        for name, path in known.items()
        for other in imports(path, known)
        if (here := name.partition(".")[0]) != (there := other.partition(".")[0])
        and LEVEL[there] >= LEVEL[here]
    ]
    assert wrong == []


def test_no_circle() -> None:
    known = modules()
    graph = {name: set(imports(path, known)) - {name} for name, path in known.items()}
    assert len(list(TopologicalSorter(graph).static_order())) == len(known)
    assert sum(map(len, graph.values())) > 300
