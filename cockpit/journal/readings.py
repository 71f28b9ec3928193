"""Every reading at full resolution, beside the journal: for sparklines, replay and backtests.

One SQLite file in WAL mode, written by a thread of its own, a transaction for many readings. Values and times come back
exactly; text is kept redacted.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import queue
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from probes.reading import Evidence, Reading, Reason, Unknown, Value
from probes.redact import redact

log = logging.getLogger(__name__)
BATCH = 500
PAUSE_S = 0.25
"""How long a reading may wait for others to share its transaction."""
MOST_WAITING = 100_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS readings (
  id INTEGER PRIMARY KEY, probe TEXT NOT NULL, observed_us INTEGER NOT NULL, data_us INTEGER NOT NULL,
  taken_us INTEGER NOT NULL, reading TEXT NOT NULL, writer TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE IF NOT EXISTS named (id TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS readings_by_probe ON readings (probe, data_us);
PRAGMA user_version = 2;
"""
_WITHOUT_WRITER = 1
"""The version whose rows do not say who took them in."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_Row = tuple[str, Reading, datetime]
_Job = _Row | threading.Event | None


@dataclass(frozen=True, slots=True)
class Taken:
    """One kept reading: its row, when and by which writer's cockpit it was taken in. Two cockpits may share a file."""

    row: int
    at: datetime
    writer: str
    """Empty where it was not kept."""
    probe: str
    reading: Reading


@dataclass(frozen=True, slots=True)
class Mark:
    """What a stretch of readings is: put under the journal's signature, it makes a change in them visible."""

    file: str
    """Which file of readings, by the name it was born with."""
    first: int
    last: int
    sha256: str

    def body(self) -> dict[str, Any]:
        return {"kind": "readings", "file": self.file, "first": self.first, "last": self.last, "sha256": self.sha256}


class ReadingStore:
    """Keeps readings; `put` never waits. One per record and process."""

    def __init__(self, path: Path, writer: str = "") -> None:
        """Begins or goes on with a file (mode 0600). `writer`: whose journal they go with. Raises OSError or sqlite3.Error."""
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        self.path = path
        self.writer = writer
        self.lost = 0
        """Readings that were not kept."""
        self.trouble = ""
        """Why, in one line; empty while all are kept."""
        self._marked = 0
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._open = True
        self._database = _connect(path)
        try:
            if _version(self._database) == _WITHOUT_WRITER:
                self._database.execute("ALTER TABLE readings ADD COLUMN writer TEXT NOT NULL DEFAULT ''")
            self._database.executescript(_SCHEMA)
            with self._database:
                self._database.execute(
                    "INSERT INTO named SELECT ? WHERE NOT EXISTS (SELECT 1 FROM named)", (uuid4().hex,)
                )
        except sqlite3.Error:
            self._database.close()
            raise
        self._thread = threading.Thread(target=self._run, name="readings", daemon=True)
        self._thread.start()

    def put(self, probe: str, reading: Reading, taken: datetime | None = None) -> None:
        """Keep a reading soon, with the moment it was taken in (when it was made, by default).

        Never waits and never raises; see `lost`.
        """
        if self._open and self._jobs.qsize() < MOST_WAITING:
            self._jobs.put((probe, reading, taken or reading.observed_at))
        else:
            self.lost += 1

    def flush(self, timeout_s: float | None = None) -> None:
        """Wait until everything put so far is in the file, but no longer than `timeout_s`."""
        done = threading.Event()
        if self._open:
            self._jobs.put(done)
            done.wait(timeout_s)

    def mark(self) -> Mark | None:
        """What was kept since the last mark; None when nothing was. Waits for the disk: call it in a thread."""
        self.flush()
        with closing(_reading_only(self.path)) as database:
            found = mark_of(database, self._marked + 1)
        if found is not None:
            self._marked = found.last
        return found

    def close(self) -> None:
        """Write what is left and let go of the file. Waits for the disk: call it in a thread."""
        if self._open:
            self._open = False
            self._jobs.put(None)
            self._thread.join()
            while not self._jobs.empty():  # came in while we closed
                job = self._jobs.get()
                if isinstance(job, threading.Event):
                    job.set()
                else:
                    self.lost += 1

    def _run(self) -> None:
        going = True
        while going:
            batch, waiting, going = self._batch()
            self._keep(batch)
            for done in waiting:
                done.set()
        self._database.close()

    def _batch(self) -> tuple[list[_Row], list[threading.Event], bool]:
        """What came within the pause, who waits for it, and whether more may come."""
        batch: list[_Row] = []
        waiting: list[threading.Event] = []
        timeout: float | None = None
        while len(batch) < BATCH:
            try:
                job = self._jobs.get(timeout=timeout)
            except queue.Empty:
                break
            if job is None:
                return batch, waiting, False
            if isinstance(job, threading.Event):
                waiting.append(job)
                break
            batch.append(job)
            timeout = PAUSE_S
        return batch, waiting, True

    def _keep(self, batch: list[_Row]) -> None:
        rows = []
        for probe, reading, taken in batch:
            times = (reading.observed_at, reading.data_at, taken)
            try:
                rows.append((probe, *map(_micros, times), _text(reading), self.writer))
            except (TypeError, ValueError, AttributeError):
                log.exception("a reading of %s cannot be kept", probe)
                self._lose(1, f"a reading of {probe} has a form that cannot be kept")
        if not rows:
            return
        try:
            with self._database:
                self._database.executemany(
                    "INSERT INTO readings (probe, observed_us, data_us, taken_us, reading, writer) "
                    "VALUES (?, ?, ?, ?, ?, ?)",
                    rows,
                )
        except (sqlite3.Error, ValueError) as error:
            log.exception("readings cannot be written")
            self._lose(len(rows), f"readings are not being kept: {error}")

    def _lose(self, many: int, why: str) -> None:
        self.lost += many
        self.trouble = why


def read(
    path: Path, probe: str = "", since: datetime | None = None, until: datetime | None = None
) -> Iterator[tuple[str, Reading]]:
    """(probe, reading) in the order they came in; `since` and `until` bound `observed_at`, both included. Raises as `taken`."""
    for each in taken(path, probe, since, until):
        yield each.probe, each.reading


def taken(path: Path, probe: str = "", since: datetime | None = None, until: datetime | None = None) -> Iterator[Taken]:
    """Readings in the order they were taken in; `since` and `until` bound `observed_at`, both included.

    Raises FileNotFoundError, sqlite3.Error for a file that is none, and ValueError for a reading that was altered.
    """
    if not path.is_file():
        raise FileNotFoundError(path)
    low = _micros(since) if since else -(1 << 62)
    high = _micros(until) if until else 1 << 62
    with closing(_reading_only(path)) as database:
        query = (
            f"SELECT id, taken_us, {_writer_of(database)}, probe, reading FROM readings "
            "WHERE (?1 = '' OR probe = ?1) AND observed_us BETWEEN ?2 AND ?3 ORDER BY id"
        )
        for row, micros, writer, name, text in database.execute(query, (probe, low, high)):
            try:
                yield Taken(row, _moment(micros), writer, name, _reading(json.loads(text)))
            except (KeyError, TypeError, AttributeError) as error:
                raise ValueError(f"{path} holds a reading of {name} that is none: {error!r}") from None


def mark_of(database: sqlite3.Connection, first: int, last: int = 1 << 62) -> Mark | None:
    """The mark of the readings from row `first` to row `last`; None where there are none. Raises sqlite3.Error."""
    digest = hashlib.sha256()
    rows = database.execute(
        f"SELECT id, probe, taken_us, reading, {_writer_of(database)} FROM readings WHERE id BETWEEN ? AND ? ORDER BY id",
        (first, last),
    )
    end = 0
    for id_, probe, micros, text, writer in rows:
        end = id_
        digest.update(
            "\t".join(str(each) for each in (id_, probe, micros, text, writer) if each != "").encode() + b"\n"
        )
    if not end:
        return None
    name = str(database.execute("SELECT id FROM named").fetchone()[0])
    return Mark(name, first, end, digest.hexdigest())


def check_mark(path: Path, body: Mapping[str, Any]) -> str:
    """What is wrong with the readings a mark speaks for; empty where they are as they were. Raises sqlite3.Error."""
    with closing(_reading_only(path)) as database:
        named = database.execute("SELECT id FROM named").fetchone()
        if named is None or named[0] != body.get("file"):
            return ""  # another cockpit's readings: they lie on its machine
        found = mark_of(database, int(body["first"]), int(body["last"]))
    return "" if found is not None and found.body() == dict(body) else "the readings it speaks for were changed"


def digest_of(readings: Mapping[str, Reading]) -> str:
    """SHA-256 of what some probes said, hex, as a sign-off names the evidence it was given on."""
    plain = {name: _plain(reading) for name, reading in sorted(readings.items())}
    return hashlib.sha256(json.dumps(plain, separators=(",", ":"), default=str).encode()).hexdigest()


def _reading_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)


def _connect(path: Path) -> sqlite3.Connection:
    """Made in one thread, then used by the writing one only."""
    database = sqlite3.connect(path, timeout=10.0, check_same_thread=False)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        # What an entry on the disk rests on is on the disk too, even when the power goes.
        database.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error:
        database.close()
        raise
    return database


def _version(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def _writer_of(database: sqlite3.Connection) -> str:
    """The column that tells the writer; an empty text where the file has none."""
    return "''" if _version(database) == _WITHOUT_WRITER else "writer"


def _micros(at: datetime) -> int:
    delta = at - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def _moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def _text(reading: Reading) -> str:
    return json.dumps(_plain(reading), separators=(",", ":"), allow_nan=False)


def _plain(reading: Reading) -> dict[str, Any]:
    evidence = reading.evidence
    plain: dict[str, Any] = {
        "at": _micros(reading.observed_at),
        "data": _micros(reading.data_at),
        "values": {name: _value(value) for name, value in reading.values.items()},
        "unknown": {
            name: [str(why.reason), redact(why.detail), redact(why.hint)] for name, why in reading.unknown.items()
        },
        "latency": reading.latency_s,
    }
    if evidence != Evidence():
        texts = [redact(text) for text in (evidence.query, evidence.request_id, evidence.console_url)]
        plain["evidence"] = [*texts, [redact(line) for line in evidence.lines]]
    if reading.state_since is not None:
        plain["since"] = _micros(reading.state_since)
    if reading.earlier:
        plain["earlier"] = [_plain(each) for each in reading.earlier]
    return plain


def _value(value: Value) -> Any:
    """Times as {"t": microseconds}; what is no number as {"f": text}; lists of text as lists; all else is JSON's own.

    Raises TypeError for what could not be read back.
    """
    if isinstance(value, datetime):
        return {"t": _micros(value)}
    if isinstance(value, float) and not isfinite(value):
        return {"f": str(value)}  # it was seen as unknown, and must be seen so again
    if isinstance(value, dict):
        raise TypeError("a mapping is no value")
    return list(value) if isinstance(value, tuple) else value


def _reading(plain: Mapping[str, Any]) -> Reading:
    query, request_id, console_url, lines = plain.get("evidence", ("", "", "", ()))
    since = plain.get("since")
    return Reading(
        _moment(plain["at"]),
        _moment(plain["data"]),
        MappingProxyType({name: _kept(value) for name, value in plain["values"].items()}),
        MappingProxyType({name: Unknown(Reason(why[0]), why[1], why[2]) for name, why in plain["unknown"].items()}),
        Evidence(query, request_id, console_url, tuple(lines)),
        plain["latency"],
        None if since is None else _moment(since),
        tuple(_reading(each) for each in plain.get("earlier", ())),
    )


def _kept(value: Any) -> Value:
    if isinstance(value, dict):
        return float(value["f"]) if "f" in value else _moment(value["t"])
    kept: Value = tuple(value) if isinstance(value, list) else value
    return kept
