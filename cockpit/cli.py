"""The command line: parse, call, exit code. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import click

USAGE, BAD_PLAN = 64, 65
click.UsageError.exit_code = USAGE


def _call(command: str, **given: Any) -> None:
    """Run `cockpit.commands.<command>.main` and exit with what it gives."""
    module = import_module(f"cockpit.commands.{command}")
    sys.exit(module.main(**given))


def _connection(command: Any) -> Any:
    """Options of every command that looks at a living system."""
    for option in reversed(
        (
            click.option("--profile", default="", help="AWS profile; default: the usual credential chain."),
            click.option("--region", default="", help="AWS region; default: the plan's."),
            click.option("--var", "variables", multiple=True, metavar="NAME=VALUE", help="Set one of the plan's vars."),
            click.option(
                "--phase",
                type=click.Choice(["pre_deploy", "post_deploy"]),
                default="post_deploy",
                show_default=True,
                help="Which decision is being taken.",
            ),
        )
    ):
        command = option(command)
    return command


PLAN = click.argument("plan", type=click.Path(dir_okay=False))


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="cutover-cockpit", prog_name="cockpit")
def main() -> None:
    """Go, hold or roll back, and why: a cockpit for the night a system moves to AWS.

    Exit codes wherever a verdict is the answer: 0 GO, 1 HOLD, 2 ROLLBACK, 3 could not judge; 64 usage, 65 bad plan.
    """


@main.command()
@PLAN
@_connection
def run(**given: Any) -> None:
    """Open the cockpit on a living system (read-only)."""
    _call("run", **given)


@main.command()
@PLAN
@_connection
@click.option("--for", "duration", default="", metavar="2m", help="Watch this long; default: one round of probes.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def check(**given: Any) -> None:
    """Judge without a terminal: one Situation, and the verdict as exit code."""
    _call("check", **given)


@main.command()
@PLAN
def validate(**given: Any) -> None:
    """Load a plan: every problem with its place, or a summary."""
    _call("validate", **given)


@main.command()
@click.argument("scenario", default="smooth")
@click.option(
    "--speed", default=30.0, show_default=True, type=click.FloatRange(0.1, 600), help="How much faster than life."
)
@click.option("--headless", is_flag=True, help="No terminal: run to the end and exit with the verdict's code.")
@click.option("--list", "listing", is_flag=True, help="List the scenarios.")
@click.option(
    "--crew/--no-crew", "crew_plays", default=True, help="Whether the crew signs and votes by itself (else: key g)."
)
@click.option("--plan", default="", help="Another plan than the scenario's.", type=click.Path(dir_okay=False))
def rehearse(**given: Any) -> None:
    """Rehearse a cutover on this machine: a whole world, no cloud account."""
    _call("rehearse", **given)


@main.command()
@click.argument("name", default="")
def probes(**given: Any) -> None:
    """List the probes, or show one: parameters, fields, permissions."""
    _call("probes", **given)


RECORD = click.argument("record", default="latest")


@main.group()
def journal() -> None:
    """Look at what a cutover left behind: who saw, said and did what, and whether it can be believed.

    RECORD is a record's folder, its name, or "latest".
    """


@journal.command()
@RECORD
@click.option("--anchor", "anchors", multiple=True, metavar="HASH", help="A head that was given to somebody outside.")
@click.option(
    "--allowed-signers",
    default="",
    type=click.Path(exists=True, dir_okay=False),
    help="OpenSSH's file of who signs with which key.",
)
def verify(**given: Any) -> None:
    """Check a record offline: every line, its place, its signatures; then say what cannot be proven.

    Exit code: 0 intact and proven, 1 broken (FILE:LINE says where), 3 nothing broken but something not provable.
    """
    _call("journal", action="verify", **given)


@journal.command()
@RECORD
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Only entries of this type; may be repeated.")
@click.option(
    "--since", default="", metavar="TIME", help="Only later ones: 2026-01-02T03:04Z, 03:04 (UTC, its last day), or 30m."
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def show(**given: Any) -> None:
    """List a record's entries, all writers in one order. Judges nothing: see `verify`."""
    _call("journal", action="show", **given)


@main.group()
def record() -> None:
    """The records kept on this machine."""


@record.command("list")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def record_list(**given: Any) -> None:
    """List records, newest first: when, how many entries, by whom, and how each ended."""
    _call("record", **given)
