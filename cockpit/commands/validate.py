"""`cockpit validate`: every problem of a plan at once, or a one-screen summary."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from cockpit.commands.options import FORMAT, PLAN_TEXT, VARIABLES, Form
from cockpit.commands.plan_loading import given_values, read_for_showing
from cockpit.console import output, output_json
from cockpit.exit_codes import BAD_PLAN
from cockpit.plan.load import PlanError
from cockpit.plan.model import Plan
from cockpit.plan.never_go import never_go
from cockpit.plan.probe_limits import needed_traffic
from cockpit.plan.source.problems import Problem
from cockpit.plan.summary import earliest_go, next_window, summarise, warnings
from cockpit.stories.healthy_values import healthy

JSON_VERSION = 1
"""Of what `--format json` prints. Members may be added to it; none changes its meaning or goes."""


@click.command("validate")
@PLAN_TEXT
@VARIABLES
@FORMAT
def main(plan: str, variables: tuple[str, ...], form: Form) -> int:
    """Load a plan: every problem with its place, or a summary."""
    try:
        loaded = read_for_showing(plan, given_values(variables))
    except PlanError as error:
        if form == "json":
            output_json(_json(plan, None, error.problems), version=JSON_VERSION)
        else:
            output(*error.lines, err=True)
        return BAD_PLAN
    if form == "json":
        output_json(_json(plan, loaded, ()), version=JSON_VERSION)
    else:
        output(
            *summarise(loaded),
            *next_window(loaded, datetime.now(UTC)),
            *(f"  contradicts {each}" for each in healthy(loaded).contradictions),
        )
    return 0


def _json(path: str, plan: Plan | None, problems: Sequence[Problem]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "plan": path,
        "valid": plan is not None,
        "problems": [
            {
                "file": each.position.file,
                "line": each.position.line,
                "column": each.position.column,
                "path": each.path,
                "message": each.message,
            }
            for each in problems
        ],
    }
    if plan is not None:
        never = list(never_go(plan))
        now = datetime.now(UTC)
        opening = plan.window.next_after(now) if plan.window is not None else None
        found |= {
            "name": plan.name,
            "title": plan.title,
            "environment": plan.environment,
            "digest": plan.digest,
            "never_go": never,
            "warnings": [
                *(text for _, text in warnings(plan)),
                *([" ".join(" ".join(next_window(plan, now)).split())] if opening and opening.ends <= now else []),
            ],
            "contradictions": [str(each) for each in healthy(plan).contradictions],
            "needs_traffic": [str(need) for need in needed_traffic(plan)],
            "earliest_go_s": None if never else earliest_go(plan).total_seconds(),
            "needs_environment": list(plan.needs_environment),
            "next_window": opening and {"begins": opening.begins.isoformat(), "ends": opening.ends.isoformat()},
        }
    return found
