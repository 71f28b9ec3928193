"""`cockpit serve`: the same screens in a browser on this machine, read-only, for everybody on the sign-off call."""

from __future__ import annotations

import json
import socket
from importlib.util import find_spec
from pathlib import Path

import click

from cockpit.commands.browser.door import HOST, Door
from cockpit.commands.ended_by_signal import run_until_signal
from cockpit.commands.options import VARIABLES
from cockpit.commands.plan_loading import load
from cockpit.console import output
from cockpit.exit_codes import BAD_PLAN, USAGE
from cockpit.journal.record_folder import find_record
from cockpit.log_file import log_folder, log_to_file
from cockpit.plan.load import PlanError
from cockpit.rehearsal.installed import with_extras
from cockpit.replay.trace import NotReplayable, trace_of
from probes.clients.child_environment import PHASE, STORIES
from probes.clients.child_process import GIVEN_VARS, Command, python_module

SCREENS = "cockpit.commands.browser.screens"
NEEDS = ("textual_serve", "aiohttp")
MISSING = (
    "the browser needs packages that are not installed: textual-serve. Install the cockpit with its extra, and that of "
    f"rehearsals if you use them: {with_extras('rehearsal', 'serve')}"
)


@click.command("serve")
@click.argument("target", metavar="RECORD|PLAN", default="latest")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Of the loopback address; default: a free one.")
@VARIABLES
def main(target: str, port: int, variables: tuple[str, ...]) -> int:
    """Show the screens in one browser on this machine, read-only, for a sign-off call.

    Of a record: as it is at its end, and every moment before. Of a plan: what its probes see now. Nothing can be signed,
    decided or armed there. It listens on 127.0.0.1 alone; the address it prints opens one browser, once.
    """
    log_to_file()
    if not all(find_spec(name) for name in NEEDS):
        output(MISSING, err=True)
        return USAGE
    from cockpit.commands.browser.page import Served, serve

    try:
        command = screens(target, variables)
    except PlanError as error:
        output(*error.lines, err=True)
        return BAD_PLAN
    except (NotReplayable, OSError) as error:
        output(str(error), err=True)
        return BAD_PLAN
    door = Door(port or free_port())
    served = Served(command, log_folder() / "serve.log", f"cockpit: {Path(target).stem}")

    def ready() -> None:
        output(f"Open once, in one browser: {door.address}", "Read-only; ctrl-c ends it.")

    try:
        return run_until_signal(serve(served, door, ready))
    except OSError as error:
        output(f"port {door.port} of {HOST} cannot be used: {error.strerror}", err=True)
        return USAGE


def screens(target: str, variables: tuple[str, ...]) -> Command:
    """The process that shows a record or a plan. A record's gets no credentials. Raises PlanError, NotReplayable, OSError."""
    if Path(target).is_file():
        plan = load(target, variables)
        given = {GIVEN_VARS: json.dumps(list(variables))}
        return python_module(PHASE, SCREENS, "plan", target, reads=plan.reads_environment, given=given)
    folder = find_record(target)
    trace_of(folder)
    return python_module(STORIES, SCREENS, "record", str(folder.path.resolve()))


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
