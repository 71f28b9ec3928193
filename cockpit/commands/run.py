"""`cockpit run`: the terminal on a live system, with a record of what is read, signed and done."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from pathlib import Path

import click

from cockpit.commands.called_again import called_again
from cockpit.commands.check import main as check
from cockpit.commands.ended_by_signal import run_until_signal
from cockpit.commands.farewell import farewell
from cockpit.commands.left_early import Left, quit_by_key
from cockpit.commands.live_session import (
    WrongAccount,
    action_executor,
    check_account,
    clock_in_use,
    migration_controller,
    open_watch,
    share_of,
)
from cockpit.commands.options import NOTIFY, PLAN, SHARE, TSA, LiveOptions, Receiver, live_options
from cockpit.commands.plan_loading import load
from cockpit.commands.terminal_options import QUIET, THEME, ThemeName, settings_chosen
from cockpit.console import output
from cockpit.engine.plan_file import watching_plan_file
from cockpit.engine.ports import Refused
from cockpit.engine.recording import CannotRecord, Recording, recording
from cockpit.engine.trusted_plans import TrustedPlans
from cockpit.engine.watch import Watch
from cockpit.exit_codes import BAD_PLAN, COULD_NOT_JUDGE, USAGE
from cockpit.log_file import log_to_file
from cockpit.notifications.channels import CannotNotify, Channel, channels
from cockpit.notifications.outbox import notifying
from cockpit.plan.model import Plan
from cockpit.plan.signing_keys import without_keys
from cockpit.tui.terminal_settings import Settings
from cockpit.tui.terminal_streams import no_terminal
from probes.frozen import frozen


@click.command("run")
@PLAN
@live_options
@click.option(
    "--arm", is_flag=True, help="Start with keys that change production enabled; else F9 and the account number."
)
@click.option("--as", "who", default="", metavar="ID", help="Who you are: one of the plan's people; else key i.")
@click.option("--record", default="", metavar="NAME", help="Resume this record; default: this plan's newest.")
@click.option("--new", is_flag=True, help="Start a new record.")
@SHARE
@click.option("--key", default="", metavar="FILE", help="SSH key to sign with, where the agent does not hold it.")
@click.option(
    "--allow-claimed",
    default="",
    metavar="REASON",
    help="Start in production although people have no keys; the reason is kept in the record.",
)
@NOTIFY
@TSA
@THEME
@QUIET
def main(
    live: LiveOptions,
    plan: str,
    *,
    arm: bool,
    who: str,
    record: str,
    new: bool,
    share: str,
    key: str,
    allow_claimed: str,
    notify: tuple[Receiver, ...],
    tsa: str,
    theme: ThemeName,
    quiet: bool,
) -> int:
    """Open the cockpit on a live system (read-only until it is armed)."""
    log_to_file()
    settings = settings_chosen(theme, quiet=quiet)
    loaded = load(plan, live.variables)
    if who and who not in {person.id for person in loaded.people}:
        known = ", ".join(person.id for person in loaded.people)
        lacking = known or f"no people: write `people: [{{id: {who}, name: ..., roles: [on_call]}}]`"
        output(f"--as {who}: the plan has {lacking}", err=True)
        return USAGE
    if (unkeyed := list(without_keys(loaded))) and not allow_claimed.strip():
        output(*_unkeyed(unkeyed, plan), err=True)
        return BAD_PLAN
    kept = RecordOptions(who, record, new=new, share=share, key=key, tsa=tsa, claimed_because=allow_claimed.strip())
    try:
        receivers = channels(notify, os.environ)
        if problem := no_terminal(called_again("check", of=check)):
            output(problem, err=True)
            return USAGE
        again = called_again("run", without={"arm", "new", "phase", "record"})
        return run_until_signal(_open(loaded, live, kept, receivers, settings, again, armed=arm))
    except Left:
        return COULD_NOT_JUDGE
    except WrongAccount as error:
        output(str(error), err=True)
        return COULD_NOT_JUDGE
    except (CannotRecord, CannotNotify, Refused) as error:
        output(str(error), err=True)
        return USAGE


@frozen
class RecordOptions:
    """Whose record is kept, and where."""

    who: str
    """One of the plan's people; empty until they identify themselves."""
    name: str
    """The record to resume; empty for the plan's newest."""
    new: bool
    share: str
    """`s3://bucket/prefix` or a folder; empty for none."""
    key: str
    """File of an SSH key; empty for the agent's."""
    tsa: str
    """Address of a timestamp authority; empty for none."""
    claimed_because: str
    """Why statements without a key count in production; empty where they do not."""


def _unkeyed(roles: Sequence[tuple[str, Sequence[str]]], plan: str) -> list[str]:
    lines = [f"  {role}: {', '.join(people)}" for role, people in roles]
    return [
        f"{plan} is for production, and these people vote or sign without an ssh_key that could prove it:",
        *lines,
        "Add their keys (`ssh-add -L` shows them), or say why not: --allow-claimed REASON, kept in the record.",
    ]


def _witnessed(
    plan: Plan, live: LiveOptions, kept: Recording, tsa: str, watch: Watch
) -> AbstractAsyncContextManager[None]:
    """The authority asked for, else what the plan names where the operator allows it."""
    held_back = TrustedPlans().record_held_back(plan, live.variables)
    if held_back:
        watch.notices.append(lambda: held_back)
    authority, transparency_log = tsa, None
    if not held_back:
        authority = tsa or (plan.timestamps.url if plan.timestamps else "")
        transparency_log = plan.transparency_log
    if not authority and not transparency_log:
        return nullcontext()
    from cockpit.engine.timestamping import timestamping

    return timestamping(kept, authority, watch.notices, transparency_log)


async def _open(
    plan: Plan,
    live: LiveOptions,
    options: RecordOptions,
    receivers: Sequence[Channel],
    settings: Settings,
    again: str,
    *,
    armed: bool,
) -> int:
    """`again`: the command as it was called, which goes on with a record."""
    from cockpit.tui.app import CockpitApp

    clock = clock_in_use()
    async with AsyncExitStack() as opened:
        with quit_by_key("asking AWS whose account this is"):
            await check_account(plan, live, clock)
            kept = await opened.enter_async_context(
                recording(
                    plan,
                    clock,
                    who=options.who,
                    name=options.name,
                    new=options.new,
                    store=share_of(plan, live, options.share),
                    key_file=Path(options.key) if options.key else None,
                    variables=live.values(),
                    claimed_because=options.claimed_because,
                )
            )
            watch = await opened.enter_async_context(open_watch(plan, live, clock=clock, kept=kept, who=options.who))
        async with (
            migration_controller(watch, live, kept.folder.path, options.share) as controller,
            action_executor(watch, kept, options.who) as executor,
            notifying(watch, kept, receivers),
            _witnessed(plan, live, kept, options.tsa, watch),
            watching_plan_file(watch, live.values()),
        ):
            await CockpitApp(
                watch,
                background=watch.run,
                controller=controller,
                armed=armed,
                desk=executor.desk,
                executor=executor,
                record=kept.folder.path,
                settings=settings,
            ).run_to_end()
        situation = watch.situation
    output(*farewell(situation, kept, f"{again} --record {shlex.quote(kept.folder.path.name)}"))
    return situation.verdict.exit_code
