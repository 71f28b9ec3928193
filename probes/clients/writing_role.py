"""Whether the role of a connection could write, asked of PostgreSQL's catalog and never tried."""

from __future__ import annotations

from probes.clients.clients import Clients
from probes.frozen import frozen

_QUERY = """
SELECT current_user AS role, count(*) AS tables,
       count(*) FILTER (WHERE has_table_privilege(t.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')) AS writable
FROM pg_catalog.pg_class t JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
WHERE t.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
"""


@frozen
class WritingRole:
    """A role, and how many of the tables it sees it could write."""

    role: str
    writable: int
    tables: int

    def __str__(self) -> str:
        return f"role {self.role} could write {self.writable} of {self.tables} tables"


async def writing_role(clients: Clients, dsn: str) -> WritingRole | None:
    """None where the role can write no table. Raises Unseen."""
    (row,) = await clients.sql(dsn, _QUERY)
    found = WritingRole(str(row["role"]), int(row["writable"]), int(row["tables"]))
    return found if found.writable else None
