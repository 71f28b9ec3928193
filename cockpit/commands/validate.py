"""`cockpit validate`: every problem of a plan at once, or a one-screen summary."""

from __future__ import annotations

import click

from cockpit.cli import BAD_PLAN
from cockpit.plan.load import PlanError, load_plan
from cockpit.plan.summary import summarise


def main(plan: str) -> int:
    try:
        loaded = load_plan(plan, require_environment=False)
    except PlanError as error:
        click.echo(str(error), err=True)
        return BAD_PLAN
    click.echo(summarise(loaded))
    return 0
