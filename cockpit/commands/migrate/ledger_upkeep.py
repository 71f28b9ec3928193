"""`cockpit migrate prepare`, `sweep`, `audit` and `forget`: the ledger before a run, and what is left after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import click

from cockpit.commands.migrate.confirmation import refused
from cockpit.commands.migrate.migration_context import FAILED, OUTSIDE_WINDOW, MigrationContext, migration_command
from cockpit.commands.migrate.migration_text import check_lines
from cockpit.console import output
from cockpit.decide.gate import GATE_OF_PHASE, GOOD_FOR
from cockpit.formatting import size
from cockpit.migration import runs, schema
from cockpit.migration.database import Connection, host_and_name
from cockpit.migration.follower import Follower
from cockpit.migration.ledger import minutes_since_decided
from cockpit.migration.object_store import Store
from cockpit.migration.phases import audit as audited
from cockpit.migration.phases import sweep as leftovers
from cockpit.migration.preflight import describe, preflight
from cockpit.migration.preflight import prepare as prepare_ledger
from cockpit.migration.settings import Settings
from cockpit.migration.states import ItemState, PhaseName


@click.command("prepare")
@migration_command
@OUTSIDE_WINDOW
async def prepare(context: MigrationContext, outside_window: str) -> int:
    """Run every check, create the ledger, plan every file."""
    async with context.connection() as connection:
        await context.right_account()
        now = context.clock.now()
        made = preflight(connection, context.plan, context.migration, now, PhaseName.COPY)
        checks = [check async for check in made]
        output(*check_lines(checks))
        if refused(checks, outside_window):
            output("nothing was written", err=True)
            return FAILED
        new = await prepare_ledger(connection, context.settings((await describe(connection, context.migration))[0]))
        output(f"the ledger is ready: {new:,} files planned")
    return 0


@click.command("sweep")
@migration_command
async def sweep(context: MigrationContext) -> int:
    """Delete left-over objects; report unknown keys."""
    async with context.connection() as connection:
        await context.right_account()
        settings = context.settings((await describe(connection, context.migration))[0])
        with _store(settings) as store:
            swept = await leftovers.sweep(connection, settings, store)
    output(
        f"{swept.deleted:,} left-over objects deleted, {swept.aborted:,} unfinished uploads aborted, "
        f"{swept.waiting:,} are kept until no delayed request can reach them"
    )
    if swept.hidden or swept.unseen:
        much = "an unknown number of" if swept.unseen else f"{size(swept.hidden_bytes)} in {swept.hidden:,}"
        output(
            f"{much} left-over objects stay, and are billed, behind delete markers: allow s3:ListBucketVersions and "
            "s3:DeleteObjectVersion under the prefix (none may be under Object Lock), then `cockpit migrate sweep PLAN` again"
        )
    return _reported(swept.unknown, settings)


@click.command("audit")
@migration_command
@click.option("--share", type=click.FloatRange(0, 1), default=1.0, show_default=True, help="Of the files to look at.")
@click.option("--read", is_flag=True, help="Read every byte back, instead of asking S3 for the checksum it recorded.")
async def audit(context: MigrationContext, share: float, *, read: bool) -> int:
    """Look at every object a row names again, and list unknown keys. Exit 1 if anything is wrong.

    Files that the application wrote again after they were copied are taken back to the database, to be copied again.
    """
    async with context.connection() as connection:
        await context.right_account()
        settings = context.settings((await describe(connection, context.migration))[0])
        with _store(settings) as store:
            found = await audited.audit(connection, settings, store, share=share, read=read)
            unknown = await leftovers.unknown_keys(connection, settings, store)
    output(
        f"{found.files:,} objects looked at, {found.read:,} of them read back: {len(found.wrong):,} wrong, "
        f"{len(found.stale):,} stale"
    )
    for tbl, doc_id, what in found.wrong[:50]:
        output(f"  wrong: {tbl} {doc_id}: {what}")
    for tbl, doc_id, what in found.stale[:50]:
        output(f"  stale: {tbl} {doc_id}: {what}")
    return _reported(unknown, settings) or (FAILED if found.wrong or found.stale else 0)


@contextmanager
def _store(settings: Settings) -> Iterator[Store]:
    """Raises StoreError."""
    store = Store(settings)
    store.open()
    try:
        yield store
    finally:
        store.close()


def _reported(unknown: Sequence[str], settings: Settings) -> int:
    output(f"{len(unknown):,} keys under {settings.prefix} in neither the ledger nor a row")
    for key in unknown[:50]:
        output(f"  {key!r}")
    return FAILED if unknown else 0


@click.command("forget")
@migration_command
@click.option("--confirm", default="", metavar="WORDS")
async def forget(context: MigrationContext, confirm: str) -> int:
    """Drop the ledger, once every file is purged or restored."""
    async with context.connection() as connection:
        progress = await Follower().poll(connection)
        left = progress.files - progress.count(ItemState.PURGED, ItemState.RESTORED)
        words = f"forget {host_and_name(context.migration.database)}"
        if (progress.active or left) and confirm != words:
            raise runs.RunError(
                f"{left:,} files are not purged yet: without the ledger they can neither be purged nor restored. "
                f"To do it anyway: --confirm '{words}'"
            )
        if any(gate.before in GATE_OF_PHASE.values() for gate in context.plan.gates):
            await _wait_for_statements(connection)
        await schema.drop(connection)
        output("the ledger was dropped; rows and objects are unchanged")
    return 0


async def _wait_for_statements(connection: Connection) -> None:
    """Raises RunError while a statement is good by which a run was begun: the ledger holds that it was."""
    if (minutes := await minutes_since_decided(connection)) is not None and minutes < GOOD_FOR / timedelta(minutes=1):
        raise runs.RunError(
            f"a run was begun {minutes:.0f} min ago by votes of a gate, and the ledger holds that they are used: "
            f"forget it once that is {GOOD_FOR / timedelta(minutes=1):.0f} min ago"
        )
