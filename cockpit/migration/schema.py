"""The ledger's tables, in a schema of their own beside the application's: made by `prepare`, dropped by `forget`."""

from __future__ import annotations

import contextlib

import psycopg

from cockpit.migration.database import Connection
from cockpit.migration.sql_files import statement
from cockpit.migration.states import PhaseName

_CREATE = (
    statement("create_schema"),
    statement("create_meta"),
    statement("create_runs"),
    statement("create_items"),
    statement("create_objects"),
    statement("create_workers"),
    statement("create_events"),
    statement("create_chunks"),
    statement("create_tally"),
    statement("count_new_files"),
    statement("count_changed_files"),
    statement("write_version"),
)
_LET_MONITORS_READ = statement("let_monitors_read")
_DROP_LEDGER = statement("drop_ledger")
_IS_THERE = statement("is_there")
_HAS_FAILED_IN = statement("has_failed_in")
_ADD_FAILED_IN = statement("add_failed_in")
_FILL_FAILED_IN = statement("fill_failed_in")
_HAS_SUPERVISION = statement("has_supervision")
_ADD_SUPERVISION = statement("add_supervision")


async def create(connection: Connection) -> None:
    """Make what is missing of the ledger, all of it or nothing. Repeatable."""
    async with connection.transaction():
        for query in _CREATE:
            await connection.execute(query)
        await upgrade(connection)


async def let_monitors_read(connection: Connection) -> None:
    """Whoever may monitor the database may see how far the migration is. Without the right to grant it, nothing changes."""
    with contextlib.suppress(psycopg.Error):
        await connection.execute(_LET_MONITORS_READ)


async def drop(connection: Connection) -> None:
    """Drop the ledger, and all it knows."""
    await connection.execute(_DROP_LEDGER)


async def is_there(connection: Connection) -> bool:
    """Whether the ledger was made."""
    row = await (await connection.execute(_IS_THERE)).fetchone()
    return bool(row and row[0])


async def upgrade(connection: Connection) -> None:
    """Bring a ledger that an earlier version made up to date. Takes no lock where there is nothing to do."""
    row = await (await connection.execute(_HAS_FAILED_IN)).fetchone()
    if row is None or not row[0]:
        async with connection.transaction():
            await connection.execute(_ADD_FAILED_IN)
            # An earlier version kept the phase at the beginning of the error's text.
            await connection.execute(_FILL_FAILED_IN, {"phases": [PhaseName.VERIFY, PhaseName.RESTORE]})
    row = await (await connection.execute(_HAS_SUPERVISION)).fetchone()
    if row is None or not row[0]:
        await connection.execute(_ADD_SUPERVISION)
