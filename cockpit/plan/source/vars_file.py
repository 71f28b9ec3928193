"""Values of vars in a file of their own, one for each environment: `--vars staging.yaml`."""

from __future__ import annotations

from pathlib import Path

from cockpit.plan.source.problems import PlanError
from cockpit.plan.source.source_file import read
from cockpit.plan.source.yaml_tree import TooMany, Tree, parse


def read_vars(path: str | Path) -> tuple[str, ...]:
    """NAME=VALUE of each entry, as `--var` takes it. Raises PlanError with every problem."""
    tree = Tree(read(path))
    try:
        parse(tree)
        if not isinstance(tree.value, dict):
            tree.report((), "is not a mapping of vars (name: value)")
        for name, value in tree.value.items() if isinstance(tree.value, dict) else ():
            if isinstance(value, dict | list):
                tree.report((name,), "a var is text, a number, true or false")
            elif isinstance(value, str) and "${" in value:
                tree.report((name,), "is taken as it is written: a reference belongs in the plan's own vars")
    except TooMany:
        pass
    if tree.problems:
        raise PlanError(tree.problems)
    return tuple(
        f"{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in tree.value.items()
    )
