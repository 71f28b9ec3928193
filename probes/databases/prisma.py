"""Prisma: which migrations the database has had, against those of the repository."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from probes.clients.clients import Clients
from probes.clients.files import LocalFiles
from probes.databases.postgres import Dsn
from probes.demand import Connects, ReadsFile
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen, Value
from probes.redact import one_line
from probes.three_valued import FieldValue, sorted_out

_QUERY = """\
SELECT migration_name AS name, checksum, finished_at, rolled_back_at, started_at, coalesce(logs, '') AS logs
  FROM _prisma_migrations ORDER BY started_at, migration_name"""
_LINES = 8


class PrismaMigrationsParams(Params):
    dsn: Dsn
    """Connection string of the database, from the environment: `${env:DATABASE_URL}`."""
    folder: str = ""
    """prisma/migrations of the commit that is deployed; without it, what is pending is unknown."""


class PrismaMigrations(Probe[PrismaMigrationsParams]):
    """Prisma's own record of migrations, against the folder of them.

    Reads every row of `_prisma_migrations`: a migration counts as applied when a row of it finished and was not rolled
    back, else as failed (neither finished nor rolled back), else as rolled back. The folder's migrations are its
    subfolders with a migration.sql, whose SHA-256 Prisma keeps as checksum. Needs SELECT on the table.
    """

    name = "prisma.migrations"
    params_type = PrismaMigrationsParams
    demands = (Connects("dsn"), ReadsFile("folder"))
    subjects = ("prisma", "database migration", "schema migration")
    cannot_see = "changes made to the schema by hand, and whether the folder is of the deployed commit"
    late = "not at all: both are read when asked"
    fields = (
        Field(
            "up_to_date",
            bool,
            "the folder's migrations are applied, unchanged, no others, and none failed",
            example=True,
        ),
        Field("applied", int, "migrations that are applied", 4, "count", low=0),
        Field("failed", int, "migrations begun and neither finished nor rolled back", 0, "count", low=0),
        Field("failed_names", tuple, "their names", ("20241228101500_add_s3_storage_fields",)),
        Field("rolled_back", int, "migrations marked as rolled back and not applied since", 0, "count", low=0),
        Field("pending", int, "migrations of the folder that are not applied", 0, "count", low=0),
        Field("pending_names", tuple, "their names", ("20241228101500_add_s3_storage_fields",)),
        Field("unknown", int, "applied migrations that are not in the folder", 0, "count", low=0),
        Field("modified", int, "applied migrations whose file has changed since", 0, "count", low=0),
        Field("last", str, "the migration applied last", "20241228101500_add_s3_storage_fields"),
    )
    grants = ("PostgreSQL: SELECT on _prisma_migrations",)
    interval = timedelta(seconds=60)

    def __init__(self, params: PrismaMigrationsParams, clients: Clients) -> None:
        super().__init__(params, clients)
        self._files = LocalFiles()

    async def close(self) -> None:
        self._files.close()

    async def read(self, now: datetime) -> Reading:
        rows, folder = await asyncio.gather(self._recorded(), self._folder())
        if isinstance(rows, Unknown):
            return self.blind(now, rows, Evidence(_QUERY))
        states = _states(rows)
        fields = _values(states, folder)
        values, unknown = sorted_out(fields)
        return self.reading(now, values, unknown=unknown, evidence=Evidence(_QUERY, lines=_lines(states, fields)))

    async def _recorded(self) -> list[dict[str, Any]] | Unknown:
        try:
            return await self.clients.sql(self.params.dsn, _QUERY)
        except Unseen as unseen:
            return unseen.unknown

    async def _folder(self) -> dict[str, str] | Unknown:
        if not self.params.folder:
            return Unknown(Reason.NO_DATA, "the plan gives no folder of migrations", "set folder: prisma/migrations")
        place = self.params.folder
        try:
            held = await self._files.read(place, _checksums, "a relative path is one of the plan's folder")
        except Unseen as unseen:
            return unseen.unknown
        if not held:
            return Unknown(Reason.NO_DATA, f"{place} holds no migration", "folder is the one with <name>/migration.sql")
        return held


def _checksums(folder: Path) -> dict[str, str]:
    """Migration name -> SHA-256 of its migration.sql, as Prisma computes it."""
    held = {}
    for file in sorted(folder.iterdir()):
        script = file / "migration.sql"
        if script.is_file():
            with script.open("rb") as opened:
                held[file.name] = hashlib.file_digest(opened, "sha256").hexdigest()
    return held


def _states(rows: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The row that counts for each migration: an applied one, else a failed one, else one rolled back; in time's order."""
    found: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        held = found.get(row["name"])
        if held is None or _rank(row) >= _rank(held):
            found.pop(row["name"], None)  # to the end: in the order they were applied
            found[row["name"]] = row
    return found


def _rank(row: Mapping[str, Any]) -> int:
    if row["rolled_back_at"] is not None:
        return 0
    return 1 if row["finished_at"] is None else 2


def _values(states: Mapping[str, Mapping[str, Any]], folder: Mapping[str, str] | Unknown) -> dict[str, FieldValue]:
    applied = {name: row for name, row in states.items() if _rank(row) == 2}
    failed = tuple(name for name, row in states.items() if _rank(row) == 1)
    none = Unknown(Reason.NO_DATA, "there is none")
    fields: dict[str, FieldValue] = {
        "applied": len(applied),
        "failed": len(failed),
        "failed_names": failed or none,
        "rolled_back": sum(_rank(row) == 0 for row in states.values()),
        "last": next(reversed(applied), None) or Unknown(Reason.NO_DATA, "no migration is applied"),
    }
    if isinstance(folder, Unknown):
        blind = dict.fromkeys(("pending", "pending_names", "unknown", "modified"), folder)
        return fields | blind | {"up_to_date": False if failed else folder}
    pending = tuple(name for name in folder if name not in applied)
    modified = [name for name, row in applied.items() if name in folder and row["checksum"] != folder[name]]
    foreign = sum(name not in folder for name in applied)
    return fields | {
        "pending": len(pending),
        "pending_names": pending or none,
        "unknown": foreign,
        "modified": len(modified),
        "up_to_date": not (pending or failed or modified or foreign),
    }


def _lines(states: Mapping[str, Mapping[str, Any]], fields: Mapping[str, Value | Unknown | None]) -> tuple[str, ...]:
    """What failed and why, then what is pending."""
    lines = [
        one_line(f"failed: {name} since {row['started_at']:%Y-%m-%d %H:%M}: {row['logs'][:1000]}")
        for name, row in states.items()
        if _rank(row) == 1
    ]
    pending = fields["pending_names"]
    lines += [f"pending: {one_line(name)}" for name in pending] if isinstance(pending, tuple) else []
    return tuple(lines[:_LINES])
