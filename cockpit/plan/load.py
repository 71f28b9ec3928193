"""From a plan file to a frozen Plan, or every problem it has, each with its place."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cockpit.plan.compile import Compiler
from cockpit.plan.model import Plan
from cockpit.plan.nodes import Path_, parse, read
from cockpit.plan.parts import Parts
from cockpit.plan.problems import PlanError
from cockpit.plan.substitute import Substitution

__all__ = ["PlanError", "load_plan", "load_text"]

_VERBATIM = {"vars", "command", "expect", "success_condition", "failure_condition", "clear_condition", "ask"}
"""Keys whose text is taken as written: shell commands and conditions have their own `$` and braces."""
_FROM_ENVIRONMENT = {"probes", "target", "migration"}


def load_plan(
    path: str | Path,
    *,
    overrides: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    require_environment: bool = True,
) -> Plan:
    """The plan in a file.

    `overrides` replace entries of `vars:`. A variable of the environment that is not set is a problem only with
    `require_environment`; otherwise it is named in `Plan.needs_environment`. Raises PlanError with every problem.
    """
    text, raw = read(path)
    return load_text(
        text,
        str(path),
        digest=hashlib.sha256(raw).hexdigest(),
        overrides=overrides,
        environ=environ,
        require_environment=require_environment,
    )


def load_text(
    text: str,
    file: str,
    *,
    digest: str = "",
    overrides: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
    require_environment: bool = True,
) -> Plan:
    """The plan in a text; `file` is how problems name it."""
    tree = parse(text, file)
    if not isinstance(tree.value, dict):
        raise PlanError(
            [*tree.problems, tree.problem((), "is not a plan: a mapping with plan, name and probes is expected")]
        )
    environ = os.environ if environ is None else environ
    substitution = Substitution(tree, overrides or {}, environ, required=require_environment)
    value = {key: _resolved(substitution, held, (key,)) for key, held in tree.value.items()}
    parts = Parts(value, tree)
    digest = digest or hashlib.sha256(text.encode()).hexdigest()
    plan = Compiler(tree, parts, digest, tuple(sorted(substitution.missing))).plan()
    if tree.problems or plan is None:
        raise PlanError(tree.problems)
    return plan


def _resolved(substitution: Substitution, value: Any, path: Path_) -> Any:
    if path[-1] in _VERBATIM:
        return value
    if isinstance(value, dict):
        return {key: _resolved(substitution, held, (*path, key)) for key, held in value.items()}
    if isinstance(value, list):
        return [_resolved(substitution, held, (*path, index)) for index, held in enumerate(value)]
    if isinstance(value, str) and "${env:" in value and path[0] not in _FROM_ENVIRONMENT:
        substitution.tree.report(path, "${env:...} is only for probes, target and migration: it would be shown here")
        return value
    return substitution.resolve(value, path)
