"""`cockpit validate`: every problem of a plan at once, or a one-screen summary."""

from __future__ import annotations

import click

from cockpit.commands.options import PLAN
from cockpit.console import output
from cockpit.exit_codes import BAD_PLAN
from cockpit.plan.load import PlanError, load_plan
from cockpit.plan.summary import summarise


@click.command("validate")
@PLAN
def main(plan: str) -> int:
    """Load a plan: every problem with its place, or a summary."""
    try:
        loaded = load_plan(plan, require_environment=False)
    except PlanError as error:
        output(*error.lines, err=True)
        return BAD_PLAN
    output(*summarise(loaded))
    return 0
