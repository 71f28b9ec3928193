"""Names within a plan: a name is given once among those that share it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from cockpit.plan.document.entries import STAND_IN
from cockpit.plan.source.yaml_tree import Path_, Tree

NONE: Mapping[str, str] = MappingProxyType({})


def unique(tree: Tree, named: Iterable[tuple[Path_, str]], taken: Mapping[str, str] = NONE) -> None:
    """Report every name that is given again. `named`: the path of each name, and the name; `taken`: names of others -> whose."""
    first: dict[str, Path_] = {}
    for path, name in named:
        if name == STAND_IN:
            continue
        if name in taken:
            tree.report(path, f"the {path[-1]} '{name}' is {taken[name]} own: give it another")
        if name in first:
            line = tree.place(first[name]).position.line
            tree.report(path, f"the {path[-1]} '{name}' is already used in line {line}")
        first.setdefault(name, path)
