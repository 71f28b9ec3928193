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
_FORM = click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)


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
@PLAN
@_FORM
def lint(**given: Any) -> None:
    """What is legal in a plan, and will be regretted. Exit 0 clean, 1 with findings, 65 bad plan."""
    _call("lint", **given)


@main.command()
@PLAN
@click.option("--migration", is_flag=True, help="Also what moving the files needs.")
def iam(**given: Any) -> None:
    """Print the least-privilege IAM policy for a plan's probes."""
    _call("iam", **given)


@main.command()
@PLAN
@_connection
@_FORM
def doctor(**given: Any) -> None:
    """Try every probe once: which would be blind, and why.

    Also what a GO could not see. Exit codes: 0 all seen, 1 some blind, 3 wrong account or no credentials.
    """
    _call("doctor", **given)


@main.command("import")
@click.argument("file", type=click.Path(dir_okay=False))
def import_(file: str) -> None:
    """Turn a Markdown checklist into a plan: cockpit import DEPLOYMENT_CHECKLIST.md > plan.yaml."""
    _call("import_", file=file)


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
