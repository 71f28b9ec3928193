"""All rules over one plan."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from cockpit.plan.lint.accepted import accept, acceptances
from cockpit.plan.lint.registry import RULES
from cockpit.plan.lint.rule import Finding, Found, Rule
from cockpit.plan.lint.subject import Subject
from cockpit.plan.load import loaded
from cockpit.plan.model import Plan
from cockpit.plan.source.parts_of_plan import read_plan
from cockpit.plan.source.problems import Problem
from cockpit.plan.source.source_file import Source
from cockpit.plan.source.yaml_tree import Tree

DoneBefore = Callable[[Plan], Collection[str]]
"""The ids of a plan's steps that were done in an earlier record or rehearsal."""


def lint_plan(
    path: str | Path,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, str] | None = None,
    done_before: DoneBefore | None = None,
) -> list[Finding]:
    """What is found in a plan's file, in the order of the file. Raises PlanError if it does not load.

    Without `done_before` nobody has looked into earlier records, and no rule rests on them.
    """
    return lint_source(read_plan(path), environ, overrides, done_before)


def lint_source(
    source: Source,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, str] | None = None,
    done_before: DoneBefore | None = None,
) -> list[Finding]:
    """The same for a text. Findings the plan accepts are there too, with its reason."""
    plan, tree = loaded(source, overrides, environ, require_environment=False)
    subject = Subject(plan, tree, done_before(plan) if done_before is not None else None)
    known = tuple(acceptances(tree))
    found = [
        _finding(tree, rule, one) if rule.must else accept(tree, one.path, _finding(tree, rule, one), known)
        for rule in RULES
        for one in rule.check(subject)
    ]
    return sorted(found, key=lambda one: (one.problem.position, one.rule.id))


def _finding(tree: Tree, rule: Rule, found: Found) -> Finding:
    place = found.at or tree.place(found.path)
    line = tree.source_at(place).line(place.position.line)
    return Finding(rule, Problem(place.position, rule.id, found.message, line, place.length))
