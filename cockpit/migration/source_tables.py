"""The listing of what is to be moved, from the application's tables."""

from __future__ import annotations

from cockpit.migration.database import Connection, waiting_longer
from cockpit.migration.settings import Source
from cockpit.migration.sql_files import statement, table_statement

_WAIT_LONGER = statement("wait_longer")
_ENLIST = table_statement("enlist")
_LOCK_ROW = table_statement("lock_row")
_ANALYZE_ITEMS = statement("analyze_items")


async def enlist(connection: Connection, source: Source) -> int:
    """Plan every file that is in the database and has no key; repeatable, picks up what came since. How many were new.

    What was gone, skipped or restored is planned again; so is a file that was switched more than five minutes ago and whose row
    has lost its key since: the application took it back.
    """
    with waiting_longer(connection):
        async with connection.transaction():
            await connection.execute(_WAIT_LONGER)
            given = {"tbl": source.label, "size_column": source.table.size}
            cursor = await connection.execute(_ENLIST(source), given)
    if cursor.rowcount > 1000:
        await connection.execute(_ANALYZE_ITEMS)
    return cursor.rowcount


async def lock_row(connection: Connection, source: Source, doc_id: str) -> bool:
    """Lock a row until the end of the transaction; False when there is none. Raises LockNotAvailable at once."""
    return (await connection.execute(_LOCK_ROW(source), {"id": doc_id})).rowcount == 1
