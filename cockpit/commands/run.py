"""`cockpit run`: the terminal on a living system."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import click

from cockpit.commands.helming import helm_of
from cockpit.commands.living import WrongAccount, watching
from cockpit.commands.logs import log_to_file
from cockpit.commands.plans import load
from cockpit.decide.situation import COULD_NOT_JUDGE
from cockpit.plan.model import Plan


def main(plan: str, profile: str, region: str, variables: Sequence[str], phase: str, arm: bool) -> int:
    log_to_file()
    loaded = load(plan, variables)
    try:
        return asyncio.run(_open(loaded, profile, region, phase, variables, armed=arm))
    except WrongAccount as error:
        click.echo(str(error), err=True)
        return COULD_NOT_JUDGE


async def _open(plan: Plan, profile: str, region: str, phase: str, variables: Sequence[str], *, armed: bool) -> int:
    from cockpit.tui.app import CockpitApp

    async with watching(plan, profile=profile, region=region, phase=phase) as watch:
        async with helm_of(watch, variables, {"profile": profile, "region": region}) as helm:
            await CockpitApp(watch, background=watch.run, helm=helm, armed=armed).run_async()
        return watch.situation.verdict.exit_code
