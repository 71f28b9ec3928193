"""The audit: every object that a row names is looked at again, and every row that has bytes of its own is compared with it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from cockpit.migration.database import Connection
from cockpit.migration.ledger import Ledger
from cockpit.migration.object_store import Store
from cockpit.migration.phases.verify import STALE, stale_ids, wrong_with
from cockpit.migration.rate_limiter import Throttle
from cockpit.migration.row_errors import apart, server_words
from cockpit.migration.settings import Settings
from cockpit.migration.sql_files import statement, table_statement
from cockpit.migration.worker_context import Work
from probes.frozen import frozen

PAGE = 500
_LIST_NAMED = statement("list_named")
_TAKE_BACK_STALE = table_statement("take_back_stale")


@frozen
class Named:
    """One file whose row names an object."""

    tbl: str
    doc_id: str
    state: str
    key: str
    size: int
    sha256: bytes
    content_type: str | None


@dataclass(slots=True)
class Audited:
    """How many were looked at, and what was found: (table, document, what is wrong)."""

    files: int = 0
    read: int = 0
    """Of these, those whose bytes were read back whole."""
    wrong: list[tuple[str, str, str]] = field(default_factory=list)
    stale: list[tuple[str, str, str]] = field(default_factory=list)
    """The application wrote these again: they were taken back, and are to be copied again."""


async def audit(connection: Connection, settings: Settings, store: Store, *, share: float, read: bool) -> Audited:
    """Look at `share` (0 to 1) of the switched, verified and purged files; with `read` at every byte, else at what S3 recorded.

    Raises StoreError where S3 as a whole does not answer.
    """
    found = Audited()
    work = Work(settings, 0, "audit", store, Ledger(settings, 0, "audit"), Throttle(most=64), renewed=float("inf"))
    after = ("", "")
    while True:
        given = {"after_tbl": after[0], "after_id": after[1], "files": PAGE}
        rows = await (await connection.execute(_LIST_NAMED, given)).fetchall()
        if not rows:
            return found
        after = (rows[-1][0], rows[-1][1])
        chosen = [Named(*row) for row in rows if share >= 1 or work.chance.random() < share]
        await _look(connection, work, chosen, found, read=read)


async def _look(connection: Connection, work: Work, files: Sequence[Named], found: Audited, *, read: bool) -> None:
    looked = await asyncio.gather(*(wrong_with(work, one, read=read) for one in files))
    found.files += len(files)
    for one, (_, wrong, was_read) in zip(files, looked, strict=True):
        found.read += was_read
        if wrong:
            found.wrong.append((one.tbl, one.doc_id, wrong))
    for label in {one.tbl for one in files}:
        ours = [one for one in files if one.tbl == label]
        ids, failed = await apart(ours, lambda these: stale_ids(connection, work.settings, these))
        found.wrong += [(one.tbl, one.doc_id, server_words(error)) for one, error in failed]
        for one in (one for one in ours if one.doc_id in ids):
            await _take_back(connection, work.settings, one, found)


async def _take_back(connection: Connection, settings: Settings, one: Named, found: Audited) -> None:
    given: dict[str, Any] = {"tbl": one.tbl, "id": one.doc_id, "key": one.key, "why": STALE}
    try:
        row = await (await connection.execute(_TAKE_BACK_STALE(settings.source(one.tbl)), given)).fetchone()
    except psycopg.Error as error:
        found.wrong.append((one.tbl, one.doc_id, f"{STALE}; it could not be taken back: {server_words(error)}"))
        return
    what = "taken back, to be copied again" if row else "in use now: audit again"
    found.stale.append((one.tbl, one.doc_id, what))
