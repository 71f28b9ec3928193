"""From a plan file to a frozen Plan, or every problem it has, each with its place."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from cockpit.plan.compiler.compiler import Compiler
from cockpit.plan.document.document import PlanDocument
from cockpit.plan.document.entries import Parts
from cockpit.plan.model import Plan
from cockpit.plan.source.parts_of_plan import expand, read_plan
from cockpit.plan.source.problems import PlanError
from cockpit.plan.source.source_file import Source, read
from cockpit.plan.source.variables import Substitution
from cockpit.plan.source.yaml_tree import TooMany, Tree, parse

__all__ = ["PlanError", "declared_vars", "load_plan", "load_text", "loaded"]


def load_plan(
    path: str | Path,
    *,
    overrides: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    require_environment: bool = True,
) -> Plan:
    """The plan in a file.

    `overrides` replace entries of `vars:`; `environ` is the process's environment if None. A variable of the environment that
    is not set is a problem only with `require_environment`; otherwise it is named in `Plan.needs_environment` and what reads
    it holds a placeholder: such a plan is for showing, not for watching. Raises PlanError with every problem.
    """
    return _plan(read_plan(path), overrides, environ, require_environment=require_environment)


def declared_vars(path: str | Path) -> frozenset[str]:
    """The names in `vars:` of a plan file; nothing else of it is looked at. Raises PlanError where it is no YAML."""
    tree = Tree(read(path))
    with contextlib.suppress(TooMany):
        parse(tree)
    if tree.problems:
        raise PlanError(tree.problems)
    held = tree.value.get("vars") if isinstance(tree.value, dict) else None
    return frozenset(str(name) for name in held) if isinstance(held, dict) else frozenset()


def load_text(
    text: str,
    file: str,
    *,
    overrides: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    require_environment: bool = True,
) -> Plan:
    """The plan in a text; `file` is how problems name it."""
    return _plan(Source.of(text, file), overrides, environ, require_environment=require_environment)


def _plan(
    source: Source, overrides: Mapping[str, str] | None, environ: Mapping[str, str] | None, *, require_environment: bool
) -> Plan:
    return loaded(source, overrides, environ, require_environment=require_environment)[0]


def loaded(
    source: Source,
    overrides: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    require_environment: bool = True,
) -> tuple[Plan, Tree]:
    """The plan of a source, and the tree that knows where everything in it stands. Raises PlanError with every problem."""
    tree = Tree(source)
    plan = None
    try:
        parse(tree)
        if isinstance(tree.value, dict):
            expand(tree)
            environ = os.environ if environ is None else environ
            kind = PlanDocument.text_kind
            plan = _compiled(tree, Substitution(tree, kind, overrides or {}, environ, required=require_environment))
        else:
            tree.report((), "is not a plan: a mapping with plan, name and probes is expected")
    except TooMany:
        plan = None
    if tree.problems or plan is None:
        raise PlanError(tree.problems)
    return plan, tree


def _compiled(tree: Tree, substitution: Substitution) -> Plan | None:
    parts = Parts(substitution.document(), tree)
    return Compiler(tree, parts, substitution).plan()
