"""The command line of the migration: parse, call, exit code."""

from __future__ import annotations

from typing import Any

import click

from cockpit.commands.options import FORMAT as FORM


def call(_: str, **given: Any) -> int:
    from cockpit.commands.migrate import main

    return main(**given)


@click.group()
def migrate() -> None:
    """Move document files from PostgreSQL to S3: plan, prepare, copy, verify, purge; restore at any time.

    Every phase can be interrupted and begun again. Closing this program does not stop the workers; `drain` does.
    """


def _migration(command: Any) -> Any:
    """Options of every command of the migration."""
    for option in reversed(
        (
            click.argument("plan", type=click.Path(dir_okay=False)),
            click.option("--profile", default="", help="AWS profile; default: the usual credential chain."),
            click.option("--region", default="", help="AWS region; default: the plan's."),
            click.option("--var", "variables", multiple=True, metavar="NAME=VALUE", help="Set one of the plan's vars."),
        )
    ):
        command = option(command)
    return command


OUTSIDE = click.option(
    "--outside-window", default="", metavar="REASON", help="Begin outside the plan's off-hours, and say why."
)


@migrate.command("plan")
@_migration
@FORM
def migrate_plan(**given: Any) -> int:
    """The dry run: counts, sizes, time, rows to look at. Writes nothing."""
    return call("migrate", action="plan", **given)


@migrate.command("prepare")
@_migration
@OUTSIDE
def migrate_prepare(**given: Any) -> int:
    """Check everything, make the ledger, plan every file."""
    return call("migrate", action="prepare", **given)


def _phase(phase: str, text: str) -> None:
    @migrate.command(phase, help=text)
    @click.option(
        "--record", default="", metavar="NAME", help="Where the plan's gates were voted on; default: its newest."
    )
    @click.option("--as", "who", default="", metavar="ID", help="Who begins it: one of the plan's people.")
    @_migration
    @click.option("--limit", type=click.IntRange(1), default=None, metavar="FILES", help="Begin at most so many files.")
    @click.option("--table", default="", help="Only this table.")
    @click.option(
        "--workers", type=click.IntRange(0, 32), default=0, help="Processes on this machine; default: the plan's."
    )
    @click.option("--max-bytes-per-s", type=click.IntRange(0), default=0, help="Of all workers together.")
    @click.option("--unguarded", is_flag=True, help="Do not judge the plan's guards (restore never does).")
    @click.option(
        "--confirm", default="", metavar="WORDS", help="For purge without a terminal: what it asks to be typed."
    )
    @OUTSIDE
    @FORM
    def command(**given: Any) -> int:
        return call("migrate", action="run", phase=phase, **given)


_phase("copy", "Upload files and point their rows at them. The bytes stay in the database.")
_phase("verify", "Read files back from S3, independently. What fails goes back to the database.")
_phase("purge", "Empty the bytes of verified files: the point of no return. Asks for a typed word.")
_phase("restore", "Back to the database, checked, at any time.")


@migrate.command("status")
@_migration
@FORM
@click.option("--follow", is_flag=True, help="Until the run has ended.")
def migrate_status(**given: Any) -> int:
    """How far it is, what holds it, what failed."""
    return call("migrate", action="status", **given)


def _wanted(name: str, wanted: str, text: str) -> None:
    @migrate.command(name, help=text)
    @_migration
    def command(**given: Any) -> int:
        return call("migrate", action="want", wanted=wanted, **given)


_wanted("pause", "pause", "Begin no new file; what is in flight ends.")
_wanted("resume", "run", "Go on; what halted the run counts as mended.")
_wanted("drain", "drain", "End the run once what is in flight has ended.")
_wanted("abort", "abort", "End the run at once; leases lapse, nothing is lost.")


@migrate.command("limit")
@_migration
@click.option("--concurrency", type=click.IntRange(1, 2000), default=None, help="Uploads in flight of one worker.")
@click.option("--max-files-per-s", type=click.IntRange(0), default=None, help="Of all workers together; 0: no limit.")
@click.option("--max-bytes-per-s", type=click.IntRange(0), default=None, help="Of all workers together; 0: no limit.")
def migrate_limit(**given: Any) -> int:
    """Change what the active run may take."""
    return call("migrate", action="limit", **given)


@migrate.command("retry")
@_migration
@click.option("--table", default="", help="The file's table.")
@click.option("--document", default="", help="The file's id; default: all that are quarantined.")
def migrate_retry(**given: Any) -> int:
    """Try quarantined files again."""
    return call("migrate", action="retry", **given)


@migrate.command("sweep")
@_migration
def migrate_sweep(**given: Any) -> int:
    """Delete left-over objects; report keys nobody knows."""
    return call("migrate", action="sweep", audit_only=False, **given)


@migrate.command("audit")
@_migration
def migrate_audit(**given: Any) -> int:
    """Report keys under the prefix that neither the ledger nor a row knows. Exit 1 if there are any."""
    return call("migrate", action="sweep", audit_only=True, **given)


@migrate.command("forget")
@_migration
@click.option("--confirm", default="", metavar="WORDS")
def migrate_forget(**given: Any) -> int:
    """Drop the ledger, once every file is purged or restored."""
    return call("migrate", action="forget", **given)


@migrate.command("run-on-ecs")
@_migration
@click.option("--count", type=click.IntRange(0, 10), default=0, help="Tasks; default: the plan's.")
@click.option("--phase", type=click.Choice(["copy", "verify", "restore"]), default="copy", show_default=True)
@OUTSIDE
@FORM
def migrate_run_on_ecs(**given: Any) -> int:
    """Run the workers as ECS tasks, follow them, drain and stop them."""
    return call("migrate", action="run_on_ecs", **given)
