"""`cockpit migrate pause`, `resume`, `drain`, `abort`, `limit` and `retry`: orders to the active run."""

from __future__ import annotations

from functools import partial

import click

from cockpit.commands.migrate.migration_context import MigrationContext, active_run, migration_command
from cockpit.commands.migrate.statement import look_at
from cockpit.commands.options import RECORD_OF_GATES, SHARE
from cockpit.console import output
from cockpit.engine.gate_approval import missing_to_resume
from cockpit.formatting import size
from cockpit.migration import runs
from cockpit.migration.database import Connection
from cockpit.migration.ownerless import advice
from cockpit.migration.states import Wanted


def wanted_command(name: str, wanted: runs.Stop, text: str) -> click.Command:
    """The command that sets the wanted state of the active run."""

    @click.command(name, help=text)
    @migration_command
    async def command(context: MigrationContext) -> int:
        async with context.connection() as connection:
            active = await _active(connection)
            await runs.want(connection, active.id, wanted, context.by)
            await _answer(connection, active, wanted)
        return 0

    return command


async def _answer(connection: Connection, active: runs.Run, wanted: Wanted) -> None:
    output(f"run {active.id} ({active.phase}): {wanted}")
    now = await active_run(connection)
    if now is None:
        output(f"run {active.id} has ended")
    elif now.ownerless:
        output(advice(now))


@click.command("resume")
@RECORD_OF_GATES
@SHARE
@migration_command
async def resume(context: MigrationContext, record: str, share: str) -> int:
    """Resume; the cause of a halt counts as fixed."""
    async with context.connection() as connection:
        active = await _active(connection)
        look = await look_at(context, record, share)
        gate = partial(missing_to_resume, context.plan, now=context.clock.now(), look=look)
        await runs.go_on(connection, active, gate=gate, by=context.by)
        await _answer(connection, active, Wanted.RUN)
    return 0


pause = wanted_command("pause", Wanted.PAUSE, "Start no new file; files in flight finish.")
drain = wanted_command("drain", Wanted.DRAIN, "End the run once files in flight have finished.")
abort = wanted_command("abort", Wanted.ABORT, "End the run at once; leases expire, nothing is lost.")


@click.command("limit")
@migration_command
@click.option("--concurrency", type=click.IntRange(1, 2000), default=None, help="Concurrent uploads of each worker.")
@click.option("--max-files-per-s", type=click.IntRange(0), default=None, help="Of all workers together; 0: no limit.")
@click.option("--max-bytes-per-s", type=click.IntRange(0), default=None, help="Of all workers together; 0: no limit.")
async def limit(
    context: MigrationContext, concurrency: int | None, max_files_per_s: int | None, max_bytes_per_s: int | None
) -> int:
    """Change the limits of the active run."""
    async with context.connection() as connection:
        active = await _active(connection)
        await runs.limit(
            connection, active.id, concurrency=concurrency, files_per_s=max_files_per_s, bytes_per_s=max_bytes_per_s
        )
        now = await runs.load(connection, active.id)
        most = (
            f"{now.files_per_s:,} files/s" if now.files_per_s else "any number of files/s",
            f"{size(now.bytes_per_s)}/s" if now.bytes_per_s else "any number of bytes/s",
        )
        output(
            f"run {now.id} ({now.phase}): at most {now.concurrency} uploads at once of each worker, {', '.join(most)} of all"
        )
    return 0


@click.command("retry")
@migration_command
@click.option("--table", default="", help="The file's table.")
@click.option("--document", default="", help="The file's id; default: all that are quarantined.")
async def retry(context: MigrationContext, table: str, document: str) -> int:
    """Try quarantined files again."""
    async with context.connection() as connection:
        output(f"{await runs.retry(connection, table, document):,} files are tried again by the next run")
    return 0


async def _active(connection: Connection) -> runs.Run:
    """Raises RunError without one."""
    active = await active_run(connection)
    if active is None:
        raise runs.RunError("no run is active")
    return active
