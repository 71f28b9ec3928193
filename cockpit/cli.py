"""The command line: parse, call, exit code. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

from typing import Any

import click

from cockpit.calling import FORM, call
from cockpit.cli_migrate import migrate

USAGE, BAD_PLAN = 64, 65
click.UsageError.exit_code = USAGE


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
                default=None,
                help="Which decision is being taken; default: the record's, else post_deploy.",
            ),
        )
    ):
        command = option(command)
    return command


PLAN = click.argument("plan", type=click.Path(dir_okay=False))
NOTIFY = click.option(
    "--notify",
    multiple=True,
    type=click.Choice(["slack", "pagerduty"]),
    help="Tell others when the verdict turns or a gate is decided; may be repeated. "
    "COCKPIT_SLACK_WEBHOOK, COCKPIT_PAGERDUTY_KEY.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="cutover-cockpit", prog_name="cockpit")
def main() -> None:
    """Go, hold or roll back, and why: a cockpit for the night a system moves to AWS.

    Exit codes wherever a verdict is the answer: 0 GO, 1 HOLD, 2 ROLLBACK, 3 could not judge; 64 usage, 65 bad plan.
    """


@main.command()
@PLAN
@_connection
@click.option(
    "--arm", is_flag=True, help="Allow what changes the world from the start; else F9 and the account's number."
)
@click.option("--as", "who", default="", metavar="ID", help="Who you are: one of the plan's people; else key i.")
@click.option("--record", default="", metavar="NAME", help="Go on with this record; default: this plan's newest.")
@click.option("--new", is_flag=True, help="Begin a new record.")
@click.option("--share", default="", metavar="PLACE", help="Share the record: s3://bucket/prefix, or a folder.")
@click.option("--key", default="", metavar="FILE", help="SSH key to sign with, where the agent does not hold it.")
@NOTIFY
def run(**given: Any) -> None:
    """Open the cockpit on a living system (read-only until it is armed)."""
    call("run", **given)


@main.command()
@PLAN
@_connection
@click.option("--for", "duration", default="", metavar="2m", help="Watch this long; default: one round of probes.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def check(**given: Any) -> None:
    """Judge without a terminal: one Situation, and the verdict as exit code."""
    call("check", **given)


@main.command()
@PLAN
def validate(**given: Any) -> None:
    """Load a plan: every problem with its place, or a summary."""
    call("validate", **given)


@main.command()
@PLAN
@FORM
def lint(**given: Any) -> None:
    """What is legal in a plan, and will be regretted. Exit 0 clean, 1 with findings, 65 bad plan."""
    call("lint", **given)


@main.command()
@PLAN
@click.option("--migration", is_flag=True, help="Also what moving the files needs.")
@click.option("--actions", is_flag=True, help="Also what the built-in actions of its steps need (ecs.rollback).")
def iam(**given: Any) -> None:
    """Print the least-privilege IAM policy for a plan's probes."""
    call("iam", **given)


@main.command()
@PLAN
@_connection
@FORM
def doctor(**given: Any) -> None:
    """Try every probe once: which would be blind, and why.

    Also what a GO could not see. Exit codes: 0 all seen, 1 some blind, 3 wrong account or no credentials.
    """
    call("doctor", **given)


@main.command()
@click.argument("out", default="plan.yaml")
@click.option("--profile", default="", help="AWS profile; default: the usual credential chain.")
@click.option("--region", default="us-east-1", show_default=True)
@click.option("--name", default="", help="The plan's name.")
@click.option("--url", default="", help="The address that shows it is healthy; default: the load balancer's.")
@click.option("--service", default="", metavar="CLUSTER/NAME", help="Where there is more than one.")
@click.option("--database", default="", metavar="ID", help="RDS instance, or none.")
@click.option("--bucket", default="", help="Bucket of its files, or none.")
@click.option(
    "--secrets", default="", metavar="PREFIX", help="Secrets that begin so, or none; default: the service's stem."
)
@click.option(
    "--alarms", default="", metavar="PREFIX", help="Alarms that begin so, or none; default: the service's stem."
)
@click.option("--yes", is_flag=True, help="Ask nothing: what is unclear is an error.")
def init(**given: Any) -> None:
    """Draft a plan from what the account holds: cockpit init plan.yaml. Only reads; `-` prints it."""
    call("init", **given)


@main.command("import")
@click.argument("file", type=click.Path(dir_okay=False))
def import_(file: str) -> None:
    """Turn a Markdown checklist into a plan: cockpit import DEPLOYMENT_CHECKLIST.md > plan.yaml."""
    call("import_", file=file)


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
@click.option("--arm", is_flag=True, help="Allow what changes the world, such as the migration's keys, from the start.")
@click.option("--keep", default="", metavar="FOLDER", help="Keep the record of this rehearsal in a folder.")
@NOTIFY
@click.option("--plan", default="", help="Another plan than the scenario's.", type=click.Path(dir_okay=False))
def rehearse(**given: Any) -> None:
    """Rehearse a cutover on this machine: a whole world, no cloud account."""
    call("rehearse", **given)


@main.command()
@click.argument("record", default="latest")
@click.option(
    "--speed", default=30.0, show_default=True, type=click.FloatRange(0.1, 600), help="How much faster than life."
)
@click.option("--at", default="", metavar="TIME", help="Begin there: 03:04 (UTC), 2026-01-02T03:04Z, or +15m.")
@click.option("--writer", default="", metavar="NAME", help="Whose cockpit; default: the one that saw the most turn.")
@click.option(
    "--headless", is_flag=True, help="Through it in one go; exit 70 if anything is decided otherwise than then."
)
@click.option("--plan", default="", help="What another plan would have said.", type=click.Path(dir_okay=False))
def replay(**given: Any) -> None:
    """Play a record back on the same screens: play, pause, step, seek."""
    call("replay", **given)


@main.command()
@click.argument("name", default="")
def probes(**given: Any) -> None:
    """List the probes, or show one: parameters, fields, permissions."""
    call("probes", **given)


main.add_command(migrate)

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
    type=click.Path(dir_okay=False),
    help="OpenSSH's file of who signs with which key.",
)
def verify(**given: Any) -> None:
    """Check a record offline: every line, its place, its signatures; then say what cannot be proven.

    Exit code: 0 intact and proven, 1 broken (FILE:LINE says where), 3 nothing broken but something not provable.
    """
    call("journal", action="verify", **given)


@journal.command()
@RECORD
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Only entries of this type; may be repeated.")
@click.option(
    "--since", default="", metavar="TIME", help="Only later ones: 2026-01-02T03:04Z, 03:04 (UTC, its last day), or 30m."
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def show(**given: Any) -> None:
    """List a record's entries, all writers in one order. Judges nothing: see `verify`."""
    call("journal", action="show", **given)


@main.command()
@RECORD
@click.option(
    "--format", "form", type=click.Choice(["md", "html", "json", "junit", "in-toto"]), default="md", show_default=True
)
@click.option("--out", default="", type=click.Path(dir_okay=False), help="Write to this file; default: the terminal.")
@click.option("--anchor", "anchors", multiple=True, metavar="HASH", help="A head that was given to somebody outside.")
@click.option(
    "--allowed-signers",
    default="",
    type=click.Path(dir_okay=False),
    help="OpenSSH's file of who signs with which key.",
)
def report(**given: Any) -> None:
    """Tell what was planned, seen, signed and decided, and what was left open.

    RECORD is a record's folder, its name, or "latest". html is one file for screen, phone and paper; junit is for a pipeline
    (what was not known is an error, never skipped); in-toto is an unsigned Statement v1, for an attestor to sign.
    """
    call("report", **given)


@main.group()
def record() -> None:
    """The records kept on this machine."""


@record.command("list")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def record_list(**given: Any) -> None:
    """List records, newest first: when, how many entries, by whom, and how each ended."""
    call("record", **given)


if __name__ == "__main__":
    main()
