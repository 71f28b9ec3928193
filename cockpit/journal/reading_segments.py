"""Segments of readings: what one entry of the journal says about a stretch of rows, so that a change in them is visible.

A segment covers the rows its session kept since its last one; its digest is made from what was kept, not from what the file
says by then. An opening segment covers every row that was in the file when a session began: it fixes them from then on, and
proves nothing of what was before.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from cockpit.journal.entry import Type
from cockpit.journal.writer import Draft
from cockpit.ordinary_file import looked_at
from probes.frozen import frozen

KIND = "readings"
WITHOUT_WRITER = 1
"""The version of a file whose rows do not say who took them in."""
Row = tuple[int, str, int, int, int, str, str]
"""id, probe, observed, data and taken in (microseconds since 1970), the reading as text, writer."""


@frozen
class Segment:
    """One stretch of rows. Without rows `last` is `first` - 1."""

    file: str
    """Which file of readings, by the name it was born with."""
    first: int
    last: int
    count: int
    sha256: str
    lost: int = 0
    """Readings the session had not been able to keep by then."""
    opening: bool = False
    """Whether it speaks for every row up to `last`, as a session found them; otherwise for those of its own writer."""

    def draft(self) -> Draft:
        body: dict[str, Any] = {"kind": KIND, "file": self.file, "first": self.first, "last": self.last}
        return Draft(
            Type.NOTE, body | {"count": self.count, "sha256": self.sha256, "lost": self.lost, "opening": self.opening}
        )

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Segment | None:
        """The segment a body holds; None for a body of another kind, and of an older version. Raises ValueError."""
        if body.get("kind") != KIND or "count" not in body:
            return None
        kinds = {"file": str, "first": int, "last": int, "count": int, "sha256": str, "lost": int, "opening": bool}
        if bad := [name for name, kind in kinds.items() if type(body.get(name)) is not kind]:
            raise ValueError(f"its digest of readings lacks {', '.join(bad)}")
        return cls(**{name: body[name] for name in kinds})


def row_digest(row: Row) -> bytes:
    return hashlib.sha256(json.dumps(row, separators=(",", ":")).encode()).digest()


def digest(rows: Iterable[bytes]) -> str:
    """Of rows by their digests, in order; hex."""
    whole = hashlib.sha256()
    for each in rows:
        whole.update(each)
    return whole.hexdigest()


def read_only(path: Path) -> sqlite3.Connection:
    """Raises sqlite3.Error, for what is no file of plain tables too: a pipe is never read to its end, nor is every view."""
    if odd := not_ordinary(path):
        raise sqlite3.DatabaseError(f"{odd.name} is not an ordinary file")
    database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    try:
        other = database.execute(
            "SELECT name FROM sqlite_schema WHERE type NOT IN ('table', 'index') OR sql LIKE 'CREATE VIRTUAL%'"
        ).fetchone()
    except sqlite3.Error:
        database.close()
        raise
    if other:
        database.close()
        raise sqlite3.DatabaseError("it holds more than tables")
    return database


def not_ordinary(path: Path) -> Path | None:
    """Of the files that SQLite opens for a database, the first that is there and is none to open: it might wait forever.

    All but the first go away when a session ends, at any moment. Raises OSError.
    """
    beside = (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal")))
    there = ((each, looked_at(each)) for each in beside)
    return next((each for each, found in there if found is not None and not stat.S_ISREG(found.st_mode)), None)


def version(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def writer_column(database: sqlite3.Connection) -> str:
    """The column that names the writer; an empty text where the file has none."""
    return "''" if version(database) == WITHOUT_WRITER else "writer"


def rows_of(database: sqlite3.Connection) -> Iterator[Row]:
    """Every row in order, with bytes that are no text kept apart. Raises sqlite3.Error."""
    database.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    columns = f"id, probe, observed_us, data_us, taken_us, reading, {writer_column(database)}"
    yield from database.execute(f"SELECT {columns} FROM readings ORDER BY id")


def name_of(database: sqlite3.Connection) -> str:
    """The name the file was born with. Raises sqlite3.Error, and ValueError where it has none, or several."""
    found = database.execute("SELECT id FROM named").fetchall()
    if len(found) != 1:
        raise ValueError(f"the file has {len(found)} names, and should have one")
    return str(found[0][0])


def whole_file(path: Path) -> Segment:
    """The opening segment of a file as it is now. Raises sqlite3.Error, ValueError."""
    with closing(read_only(path)) as database:
        last, digests = 0, []
        for row in rows_of(database):
            last = row[0]
            digests.append(row_digest(row))
        return Segment(name_of(database), 1, last, len(digests), digest(digests), opening=True)
