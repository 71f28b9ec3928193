"""What lies in a record in the place of a file and has no end: whoever reads the record says so, and waits for nothing."""

from __future__ import annotations

import os
import sqlite3
import threading
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from support.records.short_record import START, change, make_folder, open_journal

from cockpit.journal.entry import MAX_BYTES
from cockpit.journal.findings import INTACT
from cockpit.journal.reading_segments import not_ordinary, whole_file
from cockpit.journal.readings import ReadingStore
from cockpit.journal.record_folder import RecordFolder
from cockpit.journal.verify import verify_record
from cockpit.journal.verify_chain import check_chain
from cockpit.journal.writer import Draft
from cockpit.journal.writer_thread import WriterThread
from probes.reading import Reading

ENDLESS = "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT * FROM n"


def pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def endless_view(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.executescript(f"DROP TABLE readings; CREATE VIEW readings AS {ENDLESS}")


IN_PLACE: dict[str, Callable[[RecordFolder], None]] = {
    "a pipe for the readings": lambda folder: pipe(folder.readings),
    "a pipe for their log": lambda folder: pipe(folder.path / "readings.sqlite-wal"),
    "a pipe under another name": lambda folder: pipe(folder.path / "readings.sqlite.old"),
    "a view for the readings": lambda folder: endless_view(folder.readings),
    "a pipe for the plan": lambda folder: pipe(folder.plan),
    "a pipe for a chain": lambda folder: pipe(folder.journal / "eve.jsonl"),
}


@pytest.fixture
def folder(tmp_path: Path) -> RecordFolder:
    made = make_folder(tmp_path)
    journal = open_journal(made, "alex-laptop")
    store = ReadingStore(made.readings, journal.writer)
    thread = WriterThread(journal, store)
    thread.submit(store.opening()).result()
    store.put("db", Reading(START, START, {"n": 1}))
    thread.submit(Draft.of(change(1))).result()
    thread.close()
    store.close()
    return made


@pytest.mark.parametrize("kind", IN_PLACE)
def test_it_is_named_and_never_read_to_its_end(folder: RecordFolder, kind: str) -> None:
    IN_PLACE[kind](folder)
    assert verify_record(folder.path).outcome != INTACT
    if not folder.readings.is_file() or "view" in kind or "log" in kind:
        with pytest.raises(sqlite3.Error):
            whole_file(folder.readings)


@pytest.mark.parametrize("kind", ["a pipe for the readings", "a pipe for their log"])
def test_no_session_goes_on_with_it(folder: RecordFolder, kind: str) -> None:
    IN_PLACE[kind](folder)
    with pytest.raises(OSError, match="not an ordinary file"):
        ReadingStore(folder.readings, "alex-laptop")


def test_a_last_line_without_an_end_is_never_in_memory(folder: RecordFolder) -> None:
    path = folder.journal / "eve.jsonl"
    path.touch()
    os.truncate(path, 40 * MAX_BYTES)
    tracemalloc.start()
    check_chain(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10 * MAX_BYTES


def test_what_goes_away_while_it_is_looked_at_is_nothing_odd(tmp_path: Path) -> None:
    """The log of another session beside the readings: SQLite takes it away with the last of them."""
    path, ends = tmp_path / "readings.sqlite", threading.Event()
    path.touch()

    def another_session() -> None:
        log = path.with_name(f"{path.name}-wal")
        while not ends.is_set():
            log.touch()
            log.unlink()

    other = threading.Thread(target=another_session)
    other.start()
    found = {not_ordinary(path) for _ in range(5_000)}
    ends.set()
    other.join()
    assert found == {None}
