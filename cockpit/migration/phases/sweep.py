"""Sweeping: what copying left behind is deleted once nothing can need it; what nobody knows is told, never touched."""

from __future__ import annotations

from dataclasses import dataclass, field

from psycopg import sql

from cockpit.migration.database import Connection
from cockpit.migration.object_store import Store
from cockpit.migration.settings import Settings
from cockpit.migration.source_tables import names


@dataclass(slots=True)
class Swept:
    deleted: int = 0
    aborted: int = 0
    waiting: int = 0
    """Left-overs that may still be needed by a delayed request: another time."""
    unknown: list[str] = field(default_factory=list)
    """Keys under the prefix that neither the ledger nor a row knows."""


_MARK_UNNAMED = """
UPDATE cutover.object o SET state = 'orphan', last_intent_at = clock_timestamp() WHERE o.state = 'live'
AND NOT EXISTS (SELECT FROM cutover.item i WHERE i.tbl = o.tbl AND i.doc_id = o.doc_id AND i.key = o.key
    AND i.state IN ('uploading', 'switched', 'verified', 'purged', 'quarantined'))
"""
_LEFT_OVER = """
SELECT o.key, o.version_id, o.last_intent_at < clock_timestamp() - make_interval(secs => %s) FROM cutover.object o
WHERE o.state IN ('intent', 'orphan') AND NOT EXISTS (SELECT FROM cutover.item i WHERE i.tbl = o.tbl AND i.doc_id = o.doc_id
    AND i.key = o.key AND i.state IN ('planned', 'uploading', 'switched', 'verified', 'purged'))
"""
"""A key that its file has given up is never used again, so nothing can come to need what is found here."""


async def sweep(connection: Connection, settings: Settings, store: Store) -> Swept:
    """Delete left-overs, abort unfinished uploads of keys nobody works on, and list unknown keys."""
    swept = Swept()
    await _mark_gone(connection, settings)
    await connection.execute(_MARK_UNNAMED)
    wait = settings.lease_s + settings.sweep_after_s
    rows = await (await connection.execute(_LEFT_OVER, (wait,))).fetchall()
    uploads: dict[str, list[str]] = {}
    for key, upload in await store.uploads(settings.prefix):
        uploads.setdefault(key, []).append(upload)
    for key, version, due in rows:
        if not due or await _carried(connection, settings, [key]):
            swept.waiting += not due
            continue
        for upload in uploads.pop(key, ()):
            await store.abort_parts(key, upload)
            swept.aborted += 1
        await store.delete(key, version or "")
        await connection.execute(
            "UPDATE cutover.object SET state = 'deleted' WHERE key = %s AND state IN ('intent', 'orphan')", (key,)
        )
        swept.deleted += 1
    await _abort_finished(connection, store, uploads, swept)
    swept.unknown, returned = await _strangers(connection, settings, store)
    # A request that was held up for longer than we waited: what it left is deleted the next time.
    await connection.execute(
        "UPDATE cutover.object SET state = 'orphan', version_id = NULL, last_intent_at = clock_timestamp() WHERE key = ANY(%s)",
        (returned,),
    )
    swept.waiting += len(returned)
    return swept


async def _mark_gone(connection: Connection, settings: Settings) -> None:
    """Documents the application deleted after the switch leave a live object behind: an orphan."""
    for source in settings.sources:
        query = sql.SQL("""
            WITH gone AS (UPDATE cutover.item i SET state = 'gone'
                WHERE i.tbl = %s AND i.state IN ('switched', 'verified', 'purged')
                AND (i.lease_until IS NULL OR i.lease_until < clock_timestamp())
                AND NOT EXISTS (SELECT FROM {table} d WHERE d.{id} = i.doc_id::{type}) RETURNING i.key)
            UPDATE cutover.object o SET state = 'orphan', last_intent_at = clock_timestamp() FROM gone g WHERE o.key = g.key
        """).format(**names(source))
        await connection.execute(query, (source.label,))


async def _abort_finished(connection: Connection, store: Store, uploads: dict[str, list[str]], swept: Swept) -> None:
    """Uploads in parts beside the one the ledger works with: a worker died between beginning one and writing it down."""
    for key, ids in uploads.items():
        row = await (
            await connection.execute(
                """SELECT i.upload_id, i.key = o.key AND i.state IN ('planned', 'uploading'),
                       o.last_intent_at < clock_timestamp() - interval '5 minutes' FROM cutover.object o
                   LEFT JOIN cutover.item i ON i.tbl = o.tbl AND i.doc_id = o.doc_id WHERE o.key = %s""",
                (key,),
            )
        ).fetchone()
        if row is None:
            continue
        held, working, quiet = row
        for upload in ids:
            if not working or (quiet and upload != held):
                await store.abort_parts(key, upload)
                swept.aborted += 1


async def unknown_keys(connection: Connection, settings: Settings, store: Store) -> list[str]:
    """Keys under the prefix that are neither in the ledger nor in any row."""
    return (await _strangers(connection, settings, store))[0]


async def _strangers(connection: Connection, settings: Settings, store: Store) -> tuple[list[str], list[str]]:
    """Keys under the prefix that neither ledger nor row knows, and those that the ledger holds to be deleted."""
    unknown: list[str] = []
    returned: list[str] = []
    after = ""
    while keys := await store.keys(settings.prefix, after):
        after = keys[-1]
        rows = await (
            await connection.execute("SELECT key, state = 'deleted' FROM cutover.object WHERE key = ANY(%s)", (keys,))
        ).fetchall()
        returned += [key for key, deleted in rows if deleted]
        strange = sorted(set(keys) - {key for key, _ in rows})
        carried = await _carried(connection, settings, strange)
        unknown += [key for key in strange if key not in carried]
    return unknown, returned


async def _carried(connection: Connection, settings: Settings, keys: list[str]) -> set[str]:
    """Those of the keys that a row points at."""
    found: set[str] = set()
    for source in settings.sources if keys else ():
        query = sql.SQL("SELECT {key} FROM {table} WHERE {key} = ANY(%s)").format(**names(source))
        found |= {row[0] for row in await (await connection.execute(query, (keys,))).fetchall()}
    return found
