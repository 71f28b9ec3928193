"""Who imports whom, read from the source: no module reaches itself again, not even by an import for types alone."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("cockpit", "probes")
KNOWN: dict[str, int] = {}
"""Modules of a room that still stand in a circle. May only shrink: take a room out once it has none."""

Graph = Mapping[str, frozenset[str]]


def modules() -> dict[str, Path]:
    """Every product module by its dotted name."""
    found = {}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


def imports(tree: ast.Module, known: frozenset[str]) -> Iterator[str]:
    """The product modules a file imports, at its top, in a function, or for types only."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in known else node.module


def import_graph(files: Mapping[str, str]) -> Graph:
    """Module to the modules it imports. `files`: dotted name to source text."""
    known = frozenset(files)
    return {name: frozenset(imports(ast.parse(text), known)) & known - {name} for name, text in files.items()}


def circles(graph: Graph) -> set[frozenset[str]]:
    """Sets of modules that all reach one another (Tarjan's strongly connected components of two or more)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: set[frozenset[str]] = set()

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in sorted(graph[name]):
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            at = stack.index(name)
            if len(stack) - at > 1:
                found.add(frozenset(stack[at:]))
            del stack[at:]

    for name in sorted(graph):
        if name not in index:
            visit(name)
    return found


def room(module: str) -> str:
    return ".".join(module.split(".")[: 1 if module.startswith("probes") else 2])


def test_no_module_reaches_itself_again() -> None:
    graph = import_graph({name: path.read_text(encoding="utf-8") for name, path in modules().items()})
    found = circles(graph)
    shown = "\n".join(" -> ".join(sorted(circle)) for circle in found)
    counted = Counter(room(module) for circle in found for module in circle)
    assert counted <= Counter(KNOWN), f"a circle of imports: move what both need into a file below both\n{shown}"
    assert counted >= Counter(KNOWN), f"fewer circles than KNOWN says: make it {dict(counted)}"


@pytest.mark.parametrize(
    "how",
    [
        "import cockpit.b",
        "from cockpit import b",
        "from cockpit.b import thing",
        "def late():\n    from cockpit.b import thing",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from cockpit.b import thing",
    ],
)
def test_every_kind_of_import_counts(how: str) -> None:
    graph = import_graph({"cockpit.a": how, "cockpit.b": "import cockpit.c", "cockpit.c": "import cockpit.a"})
    assert circles(graph) == {frozenset({"cockpit.a", "cockpit.b", "cockpit.c"})}


def test_a_room_used_from_two_sides_is_no_circle() -> None:
    graph = import_graph({"cockpit.a": "import cockpit.b, cockpit.c", "cockpit.b": "import cockpit.c", "cockpit.c": ""})
    assert circles(graph) == set()
