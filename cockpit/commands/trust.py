"""`cockpit trust`: see what a plan would run, send, read and write, and allow it once."""

from __future__ import annotations

import getpass
import sys
from datetime import UTC, datetime

import click

from cockpit.commands.options import PLAN, VARIABLES
from cockpit.commands.plan_loading import load
from cockpit.console import ask, output
from cockpit.engine.trusted_plans import TrustedPlans, open_to_others_in, wanted_by
from cockpit.exit_codes import USAGE

NOT_TRUSTED = 1


@click.command("trust")
@PLAN
@VARIABLES
@click.option("--list", "only_list", is_flag=True, help="List them and whether they are allowed; change nothing.")
@click.option("--revoke", is_flag=True, help="Revoke what was allowed to this plan.")
@click.option("--yes", is_flag=True, help="Allow without being asked.")
def main(plan: str, variables: tuple[str, ...], *, only_list: bool, revoke: bool, yes: bool) -> int:
    """List what a plan would run, send, read outside its folder and write, and allow it once.

    Until then none of it is done: its probes are UNKNOWN. A plan that is changed, or sent elsewhere
    by --var, asks again; so does one whose program, or script given to it, has another content.
    Exit codes: 0 allowed or nothing to allow, 1 not allowed.
    """
    if only_list + revoke + yes > 1:
        output("give one of --list, --revoke and --yes", err=True)
        return USAGE
    loaded, trusted = load(plan, variables), TrustedPlans()
    if revoke:
        output("nothing was allowed" if not trusted.remove(loaded) else "this plan's permissions were revoked")
        return 0
    wanted = wanted_by(loaded)
    if not wanted:
        output("this plan runs nothing, sends no secret, reads no file outside its folder and writes nothing")
        return 0
    output(f"{loaded.name} ({loaded.digest[:12]}) would:", *(f"  {line}" for line in wanted))
    if places := open_to_others_in(loaded):
        output("not run while others may change these: chmod go-w, or chown them", *(f"  {place}" for place in places))
    if trusted.holds(loaded):
        output("allowed")
        return 0
    if only_list:
        output("not allowed")
        return NOT_TRUSTED
    if not yes and not sys.stdin.isatty():
        output("not a terminal: read the list, then give --yes", err=True)
        return USAGE
    if not yes and ask("Allow this? Type yes", default="no") != "yes":
        output("not allowed")
        return NOT_TRUSTED
    trusted.add(loaded, datetime.now(UTC), getpass.getuser(), wanted)
    output("allowed")
    return 0
