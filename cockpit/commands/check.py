"""`cockpit check`: evaluate a live system without a terminal."""

from __future__ import annotations

import click

from cockpit.commands.live_session import WrongAccount, open_watch, show_notice
from cockpit.commands.options import FORMAT, PLAN, Form, LiveOptions, live_options
from cockpit.commands.plan_loading import load
from cockpit.console import output, output_document
from cockpit.decide.situation import Situation
from cockpit.engine.headless import after, every_probe_answered, watch_until
from cockpit.exit_codes import COULD_NOT_JUDGE, USAGE
from cockpit.log_file import log_to_file
from cockpit.plan.model import Plan
from cockpit.report.formats.situation_json import situation_json
from cockpit.report.formats.situation_text import situation_lines
from probes.clients.threads import run_loop
from probes.periods import parse_duration


@click.command("check")
@PLAN
@live_options
@click.option("--for", "duration", default="", metavar="2m", help="Watch this long; default: one round of probes.")
@FORMAT
def main(live: LiveOptions, plan: str, duration: str, form: Form) -> int:
    """Evaluate once without a terminal; the verdict is the exit code."""
    log_to_file()
    try:
        parse_duration(duration) if duration else None
    except ValueError as error:
        output(f"--for {duration}: {error}", err=True)
        return USAGE
    loaded = load(plan, live.variables)
    try:
        situation = run_loop(_watch(loaded, live, duration))
    except WrongAccount as error:
        output(str(error), err=True)
        return COULD_NOT_JUDGE
    if form == "json":
        output_document(situation_json(situation))
    else:
        output(*situation_lines(situation))
    return situation.verdict.exit_code


async def _watch(plan: Plan, live: LiveOptions, duration: str) -> Situation:
    done = after(parse_duration(duration)) if duration else every_probe_answered
    async with open_watch(plan, live) as watch:
        situation = await watch_until(watch, done)
        show_notice(watch)
        return situation
