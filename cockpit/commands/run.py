"""`cockpit run`: the terminal on a living system, with a record of what is seen, said and done."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import click

from cockpit.cli import USAGE
from cockpit.commands.acting import acting
from cockpit.commands.helming import helm_of
from cockpit.commands.living import WrongAccount, clock_in_use, watching
from cockpit.commands.logs import log_to_file
from cockpit.commands.plans import load
from cockpit.decide.situation import COULD_NOT_JUDGE
from cockpit.engine.ports import Refused
from cockpit.engine.recording import CannotRecord, recording
from cockpit.journal.store import store_at
from cockpit.notifications.channels import CannotNotify, Channel, channels
from cockpit.notifications.outbox import notifying
from cockpit.plan.model import Phase, Plan


def main(
    plan: str,
    profile: str,
    region: str,
    variables: Sequence[str],
    phase: str,
    arm: bool,
    who: str,
    record: str,
    new: bool,
    share: str,
    key: str,
    notify: Sequence[str],
) -> int:
    log_to_file()
    loaded = load(plan, variables)
    if who and who not in {person.id for person in loaded.people}:
        known = ", ".join(person.id for person in loaded.people) or "nobody"
        click.echo(f"--as {who}: the plan knows {known}", err=True)
        return USAGE
    try:
        return asyncio.run(
            _open(
                loaded,
                profile,
                region,
                phase,
                variables,
                armed=arm,
                who=who,
                name=record,
                new=new,
                share=share,
                key=key,
                told=channels(notify, os.environ),
            )
        )
    except WrongAccount as error:
        click.echo(str(error), err=True)
        return COULD_NOT_JUDGE
    except (CannotRecord, CannotNotify, Refused) as error:
        click.echo(str(error), err=True)
        return USAGE


def first_phase(plan: Plan) -> Phase:
    """Where a new cutover begins: before its deployment, if the plan has anything to say about that."""
    asks = any(section.phase is Phase.PRE_DEPLOY for section in plan.checklist)
    return Phase.PRE_DEPLOY if asks or any(gate.before == "deploy" for gate in plan.gates) else Phase.POST_DEPLOY


async def _open(
    plan: Plan,
    profile: str,
    region: str,
    phase: str,
    variables: Sequence[str],
    *,
    armed: bool,
    who: str,
    name: str,
    new: bool,
    share: str,
    key: str,
    told: Sequence[Channel],
) -> int:
    from cockpit.tui.app import CockpitApp

    clock = clock_in_use()
    store = store_at(share, profile=profile, region=region or plan.target.region) if share else None
    given = dict(pair.split("=", 1) for pair in variables)
    key_file = Path(key) if key else None
    async with recording(
        plan, clock, who=who, name=name, new=new, store=store, key_file=key_file, variables=given
    ) as kept:
        begins = phase or ("" if kept.resumed else first_phase(plan))
        async with watching(plan, profile=profile, region=region, phase=begins, clock=clock, kept=kept) as watch:
            async with (
                helm_of(watch, variables, {"profile": profile, "region": region}, kept.folder.path) as helm,
                acting(watch, kept, who) as executor,
                notifying(watch, kept, told),
            ):
                await CockpitApp(
                    watch,
                    background=watch.run,
                    helm=helm,
                    armed=armed,
                    desk=executor.desk,
                    executor=executor,
                    record=kept.folder.path,
                ).run_async()
            return watch.situation.verdict.exit_code
