"""`cockpit lint`: legal but risky settings of a plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click

from cockpit.commands.options import FORMAT, PLAN_TEXT, VARIABLES, Form
from cockpit.commands.plan_loading import given_values
from cockpit.console import output, output_json
from cockpit.engine.earlier_steps import earlier_steps
from cockpit.exit_codes import BAD_PLAN
from cockpit.formatting import count
from cockpit.plan.lint.rule import Finding
from cockpit.plan.lint.run import lint_plan
from cockpit.plan.load import PlanError
from cockpit.plan.model import Plan

FINDINGS = 1
JSON_VERSION = 1
"""Of what `--format json` prints. Members may be added to it; none changes its meaning or goes."""


@click.command("lint")
@PLAN_TEXT
@VARIABLES
@FORMAT
def main(plan: str, variables: tuple[str, ...], form: Form) -> int:
    """Report legal but risky settings of a plan. Exit 0 clean, 1 with findings, 65 bad plan."""
    try:
        findings = lint_plan(plan, overrides=given_values(variables), done_before=_done_before)
    except PlanError as error:
        output(*error.lines, err=True)
        return BAD_PLAN
    open_ = [one for one in findings if not one.accepted]
    if form == "json":
        output_json({"findings": [_json(one) for one in findings]}, version=JSON_VERSION)
    else:
        output(*_lines(findings, plan))
    return FINDINGS if open_ else 0


def _done_before(plan: Plan) -> set[str]:
    return {each.step for each in earlier_steps(plan.name)}


def _lines(findings: Sequence[Finding], plan: str) -> Iterator[str]:
    open_ = [one for one in findings if not one.accepted]
    accepted = [one for one in findings if one.accepted]
    explained: set[str] = set()
    for one in open_:
        first, *rest = one.problem.lines
        yield ("must be fixed: " if one.rule.must else "") + first
        yield from rest
        if one.rule.id not in explained:
            yield f"  why:     {one.rule.why}"
            yield f"  instead: {one.rule.instead}"
        explained.add(one.rule.id)
        yield ""
    for one in accepted:
        yield f"{one.problem.position}: {one.rule.id}: accepted: {one.accepted}"
        yield ""
    total = f"{plan}: {count(len(open_), 'finding')}" if open_ else f"{plan}: nothing found"
    yield total + (f", {len(accepted)} accepted" if accepted else "")


def _json(one: Finding) -> dict[str, Any]:
    at = one.problem.position
    return {
        "rule": one.rule.id,
        "report": one.rule.report,
        "level": "must" if one.rule.must else "should",
        "file": at.file,
        "line": at.line,
        "column": at.column,
        "message": one.problem.message,
        "why": one.rule.why,
        "instead": one.rule.instead,
        "accepted": one.accepted,
    }
