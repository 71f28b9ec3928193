"""Whether the database has room for the workers' connections: what it has not, the application loses too."""

from __future__ import annotations

from cockpit.migration.database import Connection
from cockpit.migration.preflight_check import Check, bad, good
from cockpit.migration.sql_files import statement

OF_SUPERVISOR = 3
_FREE_CONNECTIONS = statement("free_connections")


async def room_for_workers(connection: Connection, workers: int, each: int) -> Check:
    """`workers` processes or tasks with `each` connections, and their supervisor. What is found names no count that changes."""
    what, needed = "connections", workers * each + OF_SUPERVISOR
    row = await (await connection.execute(_FREE_CONNECTIONS)).fetchone()
    assert row is not None
    free = int(row[0])
    if needed <= free:
        return good(what, f"room for {needed}: {workers} workers with {each} each, {OF_SUPERVISOR} of the supervisor")
    most = (free - OF_SUPERVISOR) // each
    found = f"{workers} workers with {each} each and the supervisor take {needed}, and {max(0, free)} are free"
    fewer = f"at most {most} workers (--workers, --count)" if most > 0 else "no worker now: end what holds them"
    return bad(
        what, found, f"{fewer}, fewer migration.limits.connections, or a higher limit (max_connections, of the role)"
    )
