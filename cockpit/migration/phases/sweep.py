"""Sweeping: what copying left behind is deleted once nothing can need it; unknown keys are listed and never touched."""

from __future__ import annotations

from dataclasses import dataclass, field

from cockpit.migration.database import Connection
from cockpit.migration.object_store import Store
from cockpit.migration.settings import Settings
from cockpit.migration.sql_files import statement, table_statement

_MARK_GONE = table_statement("mark_gone")
_MARK_UNNAMED = statement("mark_unnamed")
_LIST_LEFT_OVER = statement("list_left_over")
_MARK_DELETED = statement("mark_deleted")
_MARK_RETURNED = statement("mark_returned")
_UPLOAD_IN_USE = statement("upload_in_use")
_KNOWN_KEYS = statement("known_keys")
_CARRIED_KEYS = table_statement("carried_keys")


@dataclass(slots=True)
class Swept:
    deleted: int = 0
    aborted: int = 0
    waiting: int = 0
    """Left-overs that may still be needed by a delayed request: another time."""
    unknown: list[str] = field(default_factory=list)
    """Keys under the prefix that neither the ledger nor a row knows."""


async def sweep(connection: Connection, settings: Settings, store: Store) -> Swept:
    """Delete left-overs, abort unfinished uploads of keys nobody works on, and list unknown keys."""
    swept = Swept()
    await _mark_gone(connection, settings)
    await connection.execute(_MARK_UNNAMED)
    wait = settings.lease_s + settings.sweep_after_s
    rows = await (await connection.execute(_LIST_LEFT_OVER, {"wait": wait})).fetchall()
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
        await connection.execute(_MARK_DELETED, {"key": key})
        swept.deleted += 1
    await _abort_finished(connection, store, uploads, swept)
    swept.unknown, returned = await _unknown_keys(connection, settings, store)
    # A request that was held up for longer than we waited: what it left is deleted the next time.
    await connection.execute(_MARK_RETURNED, {"keys": returned})
    swept.waiting += len(returned)
    return swept


async def _mark_gone(connection: Connection, settings: Settings) -> None:
    """Documents the application deleted after the switch leave a live object behind: an orphan."""
    for source in settings.sources:
        await connection.execute(_MARK_GONE(source), {"tbl": source.label})


async def _abort_finished(connection: Connection, store: Store, uploads: dict[str, list[str]], swept: Swept) -> None:
    """Uploads in parts beside the one the ledger works with: a worker died between beginning one and writing it down."""
    for key, ids in uploads.items():
        row = await (await connection.execute(_UPLOAD_IN_USE, {"key": key})).fetchone()
        if row is None:
            continue
        held, working, quiet = row
        for upload in ids:
            if not working or (quiet and upload != held):
                await store.abort_parts(key, upload)
                swept.aborted += 1


async def unknown_keys(connection: Connection, settings: Settings, store: Store) -> list[str]:
    """Keys under the prefix that are neither in the ledger nor in any row."""
    return (await _unknown_keys(connection, settings, store))[0]


async def _unknown_keys(connection: Connection, settings: Settings, store: Store) -> tuple[list[str], list[str]]:
    """Keys under the prefix that neither ledger nor row knows, and those that the ledger holds to be deleted."""
    unknown: list[str] = []
    returned: list[str] = []
    after = ""
    while keys := await store.keys(settings.prefix, after):
        after = keys[-1]
        rows = await (await connection.execute(_KNOWN_KEYS, {"keys": keys})).fetchall()
        returned += [key for key, deleted in rows if deleted]
        strange = sorted(set(keys) - {key for key, _ in rows})
        carried = await _carried(connection, settings, strange)
        unknown += [key for key in strange if key not in carried]
    return unknown, returned


async def _carried(connection: Connection, settings: Settings, keys: list[str]) -> set[str]:
    """Those of the keys that a row points at."""
    found: set[str] = set()
    for source in settings.sources if keys else ():
        rows = await connection.execute(_CARRIED_KEYS(source), {"keys": keys})
        found |= {row[0] for row in await rows.fetchall()}
    return found
