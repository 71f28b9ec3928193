"""Names within a plan: a name is given once among those that share it."""

from __future__ import annotations

from collections.abc import Iterable

from cockpit.plan.document.entries import STAND_IN
from cockpit.plan.source.yaml_tree import Path_, Tree


def unique(tree: Tree, named: Iterable[tuple[Path_, str]]) -> None:
    """Report every name that is given again. `named`: the path of each name, and the name."""
    first: dict[str, Path_] = {}
    for path, name in named:
        if name == STAND_IN:
            continue
        if name in first:
            line = tree.place(first[name]).position.line
            tree.report(path, f"the {path[-1]} '{name}' is already used in line {line}")
        first.setdefault(name, path)
