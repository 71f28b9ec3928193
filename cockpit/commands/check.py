"""`cockpit check`: judge a living system without a terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import click

from cockpit.cli import USAGE
from cockpit.commands.living import WrongAccount, watching
from cockpit.commands.logs import log_to_file
from cockpit.commands.plans import load
from cockpit.decide.situation import COULD_NOT_JUDGE, Situation
from cockpit.engine.headless import after, every_probe_answered, watch_until
from cockpit.plan.model import Plan
from cockpit.report.as_json import situation_json
from cockpit.report.text import situation_text
from probes.periods import parse_duration


def main(plan: str, profile: str, region: str, variables: Sequence[str], phase: str, duration: str, form: str) -> int:
    log_to_file()
    try:
        parse_duration(duration) if duration else None
    except ValueError as error:
        click.echo(f"--for {duration}: {error}", err=True)
        return USAGE
    loaded = load(plan, variables)
    try:
        situation = asyncio.run(_watch(loaded, profile, region, phase, duration))
    except WrongAccount as error:
        click.echo(str(error), err=True)
        return COULD_NOT_JUDGE
    click.echo(situation_json(situation) if form == "json" else situation_text(situation))
    return situation.verdict.exit_code


async def _watch(plan: Plan, profile: str, region: str, phase: str, duration: str) -> Situation:
    done = after(parse_duration(duration)) if duration else every_probe_answered
    async with watching(plan, profile=profile, region=region, phase=phase) as watch:
        return await watch_until(watch, done)
