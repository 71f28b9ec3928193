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
from datetime import UTC, datetime, timedelta
from errno import EINVAL
from math import isfinite
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from cockpit.journal.reading_segments import (
    WITHOUT_WRITER,
    Row,
    Segment,
    digest,
    not_ordinary,
    read_only,
    row_digest,
    version,
    whole_file,
    writer_column,
)
from cockpit.journal.writer import Draft
from probes.frozen import frozen
from probes.reading import Bounds, Evidence, Reading, Reason, Unknown, Value
from probes.redact import redact

log = logging.getLogger(__name__)
BATCH = 500
PAUSE_S = 0.25
"""How long a reading may wait for others to share its transaction."""
MOST_WAITING = 100_000
_LAYOUT = (
    """CREATE TABLE IF NOT EXISTS readings (
      id INTEGER PRIMARY KEY, probe TEXT NOT NULL, observed_us INTEGER NOT NULL, data_us INTEGER NOT NULL,
      taken_us INTEGER NOT NULL, reading TEXT NOT NULL, writer TEXT NOT NULL DEFAULT ''
    ) STRICT""",
    "CREATE TABLE IF NOT EXISTS named (id TEXT NOT NULL) STRICT",
    "CREATE INDEX IF NOT EXISTS readings_by_probe ON readings (probe, data_us)",
    "PRAGMA user_version = 2",
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_Row = tuple[str, Reading, datetime]
_Job = _Row | threading.Event | None


@frozen
class Taken:
    """One kept reading: its row, when and by which writer's cockpit it was taken in. Two cockpits may share a file."""

    row: int
    at: datetime
    writer: str
    """Empty where it was not kept."""
    probe: str
    reading: Reading


class ReadingStore:
    """Keeps readings; `put` never waits. One per record and process."""

    def __init__(self, path: Path, writer: str = "") -> None:
        """Begins or goes on with a file (mode 0600). `writer`: whose journal they go with. Raises OSError or sqlite3.Error."""
        if odd := not_ordinary(path):
            raise OSError(EINVAL, "is not an ordinary file", str(odd))
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        self.path = path
        self.writer = writer
        self.lost = 0
        """Readings that were not kept."""
        self._misshapen = self._disk = ""
        self._kept: list[bytes] = []
        """Digests of the rows no segment covers yet."""
        self._kept_lock = threading.Lock()
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._open = True
        self._database = _connect(path)
        try:
            _lay_out(self._database)
            self._found = whole_file(path)
        except (sqlite3.Error, ValueError):
            self._database.close()
            raise
        self._covered = self._last = self._found.last
        self._thread = threading.Thread(target=self._run, name="readings", daemon=True)
        self._thread.start()

    @property
    def trouble(self) -> str:
        """Why readings are not being kept, in one line; empty when they are, and those of every form."""
        return self._disk or self._misshapen

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

    def opening(self) -> Draft:
        """The entry that names this file and fixes what was in it when this session began."""
        return self._found.draft()

    def segment(self) -> Segment | None:
        """What this session kept since the last segment that was `covered`; None where nothing was. Never waits for the disk."""
        with self._kept_lock:
            if not self._kept:
                return None
            return Segment(
                self._found.file, self._covered + 1, self._last, len(self._kept), digest(self._kept), self.lost
            )

    def covered(self, segment: Segment) -> None:
        """The segment's entry is in the journal: the next one begins after it."""
        with self._kept_lock:
            del self._kept[: segment.count]
            self._covered = segment.last

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
        rows: list[tuple[str, int, int, int, str, str]] = []
        for probe, reading, taken in batch:
            try:
                observed, data = _micros(reading.observed_at), _micros(reading.data_at)
                rows.append((probe, observed, data, _micros(taken), _text(reading), self.writer))
            except (TypeError, ValueError, AttributeError):
                log.exception("a reading of %s cannot be kept", probe)
                self.lost += 1
                self._misshapen = f"a reading of {probe} has a form that cannot be kept"
        if not rows:
            return
        try:
            with self._database:
                kept = [self._insert(row) for row in rows]
        except (sqlite3.Error, ValueError) as error:
            log.exception("readings cannot be written")
            self.lost += len(rows)
            self._disk = f"readings are not being kept: {error}"
            return
        self._disk = ""
        with self._kept_lock:
            self._kept += map(row_digest, kept)
            self._last = kept[-1][0]

    def _insert(self, row: tuple[str, int, int, int, str, str]) -> Row:
        """The row with the number it got."""
        columns = "probe, observed_us, data_us, taken_us, reading, writer"
        made = self._database.execute(f"INSERT INTO readings ({columns}) VALUES (?, ?, ?, ?, ?, ?)", row)
        assert made.lastrowid is not None
        return (made.lastrowid, *row)


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
    with closing(read_only(path)) as database:
        query = (
            f"SELECT id, taken_us, {writer_column(database)}, probe, reading FROM readings "
            "WHERE (? = '' OR probe = ?) AND observed_us BETWEEN ? AND ? ORDER BY id"
        )
        for row, micros, writer, name, text in database.execute(query, (probe, probe, low, high)):
            try:
                yield Taken(row, _moment(micros), writer, name, _reading(json.loads(text)))
            except (KeyError, TypeError, AttributeError, ArithmeticError, ValueError, RecursionError) as error:
                raise ValueError(f"{path} holds a reading of {name} that is none: {error!r}") from None


def digest_of(readings: Mapping[str, Reading]) -> str:
    """SHA-256 of the readings of some probes, hex: the evidence a sign-off names."""
    plain = {name: _plain(reading) for name, reading in sorted(readings.items())}
    return hashlib.sha256(json.dumps(plain, separators=(",", ":"), default=str).encode()).hexdigest()


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


def _lay_out(database: sqlite3.Connection) -> None:
    """All of it or nothing: whoever looks meanwhile, or after a crash, sees a file with its name, or an empty one."""
    with database:
        database.execute("BEGIN IMMEDIATE")
        if version(database) == WITHOUT_WRITER:
            database.execute("ALTER TABLE readings ADD COLUMN writer TEXT NOT NULL DEFAULT ''")
        for statement in _LAYOUT:
            database.execute(statement)
        database.execute("INSERT INTO named SELECT ? WHERE NOT EXISTS (SELECT 1 FROM named)", (uuid4().hex,))


_MICRO = timedelta(microseconds=1)
_YEARS = range(1900, 3000)
"""Of a reading. A time that is a value of one may be any: a certificate that never ends is valid until 9999."""


def _micros(at: datetime) -> int:
    delta = at - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def _moment(micros: int) -> datetime:
    """Raises ValueError, OverflowError for a time so far that no window fits behind it."""
    at = _EPOCH + timedelta(microseconds=micros)
    if at.year not in _YEARS:
        raise ValueError(f"the year {at.year} is not between {_YEARS.start} and {_YEARS.stop - 1}")
    return at


def _text(reading: Reading) -> str:
    return json.dumps(_plain(reading), separators=(",", ":"), allow_nan=False)


def _plain(reading: Reading) -> dict[str, Any]:
    evidence = reading.evidence
    plain: dict[str, Any] = {
        "at": _micros(reading.observed_at),
        "data": _micros(reading.data_at),
        "values": {name: _value(value) for name, value in reading.values.items()},
        "unknown": {name: _why(why) for name, why in reading.unknown.items()},
        "latency": reading.latency_s,
    }
    if evidence != Evidence():
        texts = [redact(text) for text in (evidence.query, evidence.request_id, evidence.console_url)]
        plain["evidence"] = [*texts, [redact(line) for line in evidence.lines]]
        if evidence.hint:
            plain["evidence"] += [redact(evidence.hint), evidence.done_in]
    if reading.state_since is not None:
        plain["since"] = _micros(reading.state_since)
    if reading.lateness:
        plain["late"] = reading.lateness // _MICRO
    if reading.earlier:
        plain["earlier"] = [_plain(each) for each in reading.earlier]
    return plain


def _why(why: Unknown) -> list[Any]:
    """Reason, detail, hint, and both bounds where there are any."""
    bounds = [why.bounds.low, why.bounds.high] if why.bounds else []
    return [str(why.reason), redact(why.detail), redact(why.hint), *bounds]


def _unknown(kept: list[Any]) -> Unknown:
    reason, detail, hint, *bounds = kept
    return Unknown(Reason(reason), detail, hint, Bounds(*bounds) if bounds else None)


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
    query, request_id, console_url, lines, *hint = plain.get("evidence", ("", "", "", ()))
    since = plain.get("since")
    return Reading(
        _moment(plain["at"]),
        _moment(plain["data"]),
        MappingProxyType({name: _kept(value) for name, value in plain["values"].items()}),
        MappingProxyType({name: _unknown(why) for name, why in plain["unknown"].items()}),
        Evidence(query, request_id, console_url, tuple(lines), *hint),
        plain["latency"],
        None if since is None else _moment(since),
        tuple(_reading(each) for each in plain.get("earlier", ())),
        plain.get("late", 0) * _MICRO,
    )


def _kept(value: Any) -> Value:
    if isinstance(value, dict):
        return float(value["f"]) if "f" in value else _EPOCH + timedelta(microseconds=value["t"])
    kept: Value = tuple(value) if isinstance(value, list) else value
    return kept
