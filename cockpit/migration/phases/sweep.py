"""Sweeping: what copying left behind is deleted once nothing can need it; unknown keys are listed and never touched."""

from __future__ import annotations

from dataclasses import dataclass, field

from cockpit.migration.database import Connection
from cockpit.migration.object_store import Store, Version
from cockpit.migration.settings import Settings
from cockpit.migration.sql_files import statement, table_statement
from cockpit.migration.store_errors import Busy, StoreError

PAGE = 500
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
    hidden: int = 0
    """Left-overs whose bytes stay, and are billed, behind a delete marker: this role may not remove versions."""
    hidden_bytes: int = 0
    unseen: bool = False
    """This role may not list versions, so nobody knows how many bytes stay."""
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
        await _erase(store, key, version or "")
        await connection.execute(_MARK_DELETED, {"key": key})
        swept.deleted += 1
    await _abort_finished(connection, store, uploads, swept)
    swept.unknown, returned = await _unknown_keys(connection, settings, store)
    # A request that was held up for longer than we waited: what it left is deleted the next time.
    await connection.execute(_MARK_RETURNED, {"keys": returned})
    swept.waiting += len(returned)
    await _hidden(connection, settings, store, swept)
    return swept


async def _erase(store: Store, key: str, version: str) -> None:
    """Remove every version of a key that nothing needs; where that may not be, one hides behind a delete marker."""
    try:
        for each in [one.id async for one in store.versions(key) if one.key == key]:
            await store.delete(key, each)
    except Busy:
        raise
    except StoreError:
        if not await _erasable(store, key, version):
            await store.delete(key)


async def _erasable(store: Store, key: str, version: str) -> bool:
    """Whether one version may be removed, though versions may not be listed."""
    if not version:
        return False
    try:
        await store.delete(key, version)
    except Busy:
        raise
    except StoreError:
        return False
    return True


async def _hidden(connection: Connection, settings: Settings, store: Store, swept: Swept) -> None:
    """Versions of keys that were swept before: removed now, or counted."""
    page: dict[str, list[Version]] = {}
    try:
        async for version in store.versions(settings.prefix):
            if version.key not in page and len(page) >= PAGE:
                await _remove_hidden(connection, settings, store, page, swept)
                page = {}
            page.setdefault(version.key, []).append(version)
        await _remove_hidden(connection, settings, store, page, swept)
    except Busy:
        raise
    except StoreError:
        swept.unseen = swept.deleted > 0


async def _remove_hidden(
    connection: Connection, settings: Settings, store: Store, page: dict[str, list[Version]], swept: Swept
) -> None:
    rows = await (await connection.execute(_KNOWN_KEYS, {"keys": list(page)})).fetchall()
    gone = [key for key, deleted in rows if deleted]
    for key in set(gone) - await _carried(connection, settings, gone):
        try:
            for version in page[key]:
                await store.delete(key, version.id)
        except Busy:
            raise
        except StoreError:
            held = sum(version.size or 0 for version in page[key])
            swept.hidden += held > 0
            swept.hidden_bytes += held


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
