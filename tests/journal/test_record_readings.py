"""The readings of a record are under the journal's signature: what is missing, changed, added or foreign is named by `verify`."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from support.records.short_record import START, change, make_folder, open_journal

from cockpit.journal.entry import Type
from cockpit.journal.findings import BROKEN, INTACT, NOT_PROVABLE
from cockpit.journal.readings import ReadingStore, taken
from cockpit.journal.record_folder import RecordFolder
from cockpit.journal.verify import verify_record
from cockpit.journal.writer import Draft
from cockpit.journal.writer_thread import WriterThread
from probes.reading import Reading


def at(second: int, **values: int) -> Reading:
    moment = START + timedelta(seconds=second)
    return Reading(moment, moment, values)


def session(folder: RecordFolder, first: int, *, writer: str = "alex-laptop", copied_to: Path | None = None) -> str:
    """A session that takes in three readings, decides on them, and takes in three more; the last head.

    `copied_to`: gets the folder as it is before the session closes, which is what a killed process leaves.
    """
    journal = open_journal(folder, writer)
    store = ReadingStore(folder.readings, journal.writer)
    thread = WriterThread(journal, store)
    thread.submit(store.opening()).result()
    for second in range(first, first + 3):
        store.put("db", at(second, n=second))
    thread.submit(Draft.of(change(first))).result()
    for second in range(first + 3, first + 6):
        store.put("db", at(second, n=second))
    if copied_to is not None:
        store.flush()
        shutil.copytree(folder.path, copied_to)
    head = thread.close()
    store.close()
    return head


def killed(tmp_path: Path) -> RecordFolder:
    """A record whose session was killed after three readings that nothing speaks for."""
    session(make_folder(tmp_path), 0, copied_to=tmp_path / "killed")
    return RecordFolder(tmp_path / "killed")


@pytest.fixture
def record(tmp_path: Path) -> RecordFolder:
    folder = make_folder(tmp_path)
    session(folder, 0)
    session(folder, 10)
    return folder


def readings_row(folder: RecordFolder) -> tuple[str, str]:
    """How the readings stand, and every reason."""
    row = verify_record(folder.path).row("readings")
    return row.standing.word, " ".join(row.why)


def sql(folder: RecordFolder, *statements: str) -> None:
    with closing(sqlite3.connect(folder.readings)) as database, database:
        for each in statements:
            database.execute(each)


def test_readings_as_they_were_kept_are_proven(record: RecordFolder) -> None:
    assert readings_row(record) == ("PROVEN", "")
    assert len(list(taken(record.readings))) == 12


def test_what_a_decision_rests_on_is_under_the_signature_before_it(record: RecordFolder) -> None:
    covered = 0
    for _, line in record.lines():
        if line.entry.body.get("kind") == "readings":
            covered = max(covered, line.entry.body["last"])
        if line.entry.type is Type.PROBE:
            assert covered in (3, 9)


ALTERATIONS: dict[str, str] = {
    "a value": "UPDATE readings SET reading = replace(reading, '\"n\":2', '\"n\":3') WHERE id = 3",
    "when it was observed": "UPDATE readings SET observed_us = 0 WHERE id = 2",
    "the time of its data": "UPDATE readings SET data_us = data_us + 1 WHERE id = 2",
    "when it was taken in": "UPDATE readings SET taken_us = taken_us + 1 WHERE id = 2",
    "who took it in": "UPDATE readings SET writer = 'bob' WHERE id = 2",
    "its probe": "UPDATE readings SET probe = 'other' WHERE id = 2",
    "its place": "UPDATE readings SET id = id + 100 WHERE id = 12",
    "one removed": "DELETE FROM readings WHERE id = 2",
    "the last removed": "DELETE FROM readings WHERE id = 12",
    "all removed": "DELETE FROM readings",
    "one added at the end, of nobody": (
        "INSERT INTO readings SELECT 99, probe, observed_us, data_us, taken_us, reading, 'mallory' "
        "FROM readings WHERE id = 1"
    ),
    "one added without a writer": (
        "INSERT INTO readings SELECT 99, probe, observed_us, data_us, taken_us, reading, '' FROM readings WHERE id = 1"
    ),
    "the file's name for itself": "UPDATE named SET id = 'feedface'",
    "a second name": "INSERT INTO named VALUES ('feedface')",
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON readings BEGIN DELETE FROM readings; END",
    "no table": "DROP TABLE readings",
    "no name": "DROP TABLE named",
    "another version": "PRAGMA user_version = 1",
}


@pytest.mark.parametrize("what", ALTERATIONS)
def test_what_was_altered_is_broken(record: RecordFolder, what: str) -> None:
    sql(record, ALTERATIONS[what])
    word, why = readings_row(record)
    assert word == "BROKEN", (what, why)
    assert verify_record(record.path).exit_code == BROKEN


def test_a_view_in_place_of_the_table_is_broken(record: RecordFolder) -> None:
    sql(record, "ALTER TABLE readings RENAME TO kept", "CREATE VIEW readings AS SELECT * FROM kept")
    assert readings_row(record)[0] == "BROKEN"


def test_no_flipped_byte_shows_another_reading(record: RecordFolder) -> None:
    sql(record, "PRAGMA wal_checkpoint(TRUNCATE)")
    whole = record.readings.read_bytes()
    before = list(taken(record.readings))
    found = set()
    for place in range(0, len(whole), 127):
        bent = bytearray(whole)
        bent[place] ^= 0x15
        record.readings.write_bytes(bent)
        word, _ = readings_row(record)
        found.add(word)
        if word == "PROVEN":
            assert list(taken(record.readings)) == before, place
        for beside in ("-wal", "-shm"):
            record.readings.with_name(record.readings.name + beside).unlink(missing_ok=True)
    assert "BROKEN" in found


def test_a_missing_file_is_not_provable(record: RecordFolder) -> None:
    record.readings.unlink()
    word, why = readings_row(record)
    assert word == "NOT PROVABLE"
    assert "readings.sqlite is not in the record" in why
    assert verify_record(record.path).exit_code == NOT_PROVABLE


def test_a_renamed_file_is_named(record: RecordFolder) -> None:
    record.readings.rename(record.path / "old.sqlite")
    word, why = readings_row(record)
    assert word == "BROKEN"
    assert "old.sqlite" in why


def test_the_file_of_another_record_is_broken(record: RecordFolder, tmp_path: Path) -> None:
    other = make_folder(tmp_path / "other")
    session(other, 0)
    shutil.copy(other.readings, record.readings)
    word, why = readings_row(record)
    assert word == "BROKEN"
    assert "another record" in why


def test_a_new_empty_file_is_broken(record: RecordFolder) -> None:
    record.readings.unlink()
    ReadingStore(record.readings, "alex-laptop").close()
    assert readings_row(record)[0] == "BROKEN"


def test_no_file_at_all_of_that_kind_is_broken(record: RecordFolder) -> None:
    record.readings.write_bytes(b"these are not the readings " * 100)
    assert readings_row(record)[0] == "BROKEN"


def test_the_tail_after_a_crash_is_not_provable(tmp_path: Path) -> None:
    folder = killed(tmp_path)
    word, why = readings_row(folder)
    assert word == "NOT PROVABLE"
    assert "3 readings" in why
    assert "4 to 6" in why


def test_what_a_later_session_found_is_not_provable_but_fixed_from_then(tmp_path: Path) -> None:
    folder = killed(tmp_path)
    session(folder, 10)
    word, why = readings_row(folder)
    assert (word, "4 to 6" in why) == ("NOT PROVABLE", True)
    sql(folder, "UPDATE readings SET taken_us = taken_us + 1 WHERE id = 5")
    assert readings_row(folder)[0] == "BROKEN"


def test_a_row_of_the_tail_that_is_added_later_is_never_proven(tmp_path: Path) -> None:
    folder = killed(tmp_path)
    sql(folder, "UPDATE readings SET reading = replace(reading, '\"n\":5', '\"n\":1') WHERE id = 6")
    session(folder, 10)
    word, why = readings_row(folder)
    assert (word, "4 to 6" in why) == ("NOT PROVABLE", True)


def test_a_row_put_into_the_file_while_a_session_runs_is_not_signed_by_it(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    journal = open_journal(folder)
    store = ReadingStore(folder.readings, journal.writer)
    thread = WriterThread(journal, store)
    thread.submit(store.opening()).result()
    store.put("db", at(1, n=1))
    store.flush()
    sql(
        folder,
        "INSERT INTO readings SELECT id + 1, probe, observed_us, data_us, taken_us, reading, writer FROM readings",
    )
    store.put("db", at(2, n=2))
    thread.close()
    store.close()
    assert readings_row(folder)[0] == "BROKEN"


def test_two_cockpits_with_one_file_are_both_proven(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    journals = [open_journal(folder) for _ in range(2)]
    stores = [ReadingStore(folder.readings, journal.writer) for journal in journals]
    threads = [WriterThread(*each) for each in zip(journals, stores, strict=True)]
    for store, thread in zip(stores, threads, strict=True):
        thread.submit(store.opening()).result()
    for second in range(6):
        stores[second % 2].put("db", at(second, n=second))
        stores[second % 2].flush()
        threads[second % 2].submit(Draft.of(change(second))).result()
    for store, thread in zip(stores, threads, strict=True):
        thread.close()
        store.close()
    assert {journal.writer for journal in journals} == {"alex-laptop", "alex-laptop-2"}
    assert readings_row(folder) == ("PROVEN", "")


def test_readings_of_another_machine_are_not_provable_here(tmp_path: Path) -> None:
    folder, away = make_folder(tmp_path / "here"), make_folder(tmp_path / "there")
    session(folder, 0)
    session(away, 0, writer="bo-desk")
    shutil.copy(away.journal / "bo-desk.jsonl", folder.journal)
    word, why = readings_row(folder)
    assert (word, "bo-desk" in why) == ("NOT PROVABLE", True)


def test_a_record_without_digests_of_readings_proves_none(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    journal = open_journal(folder)
    store = ReadingStore(folder.readings, journal.writer)
    store.put("db", at(1, n=1))
    store.close()
    head = journal.close()
    word, why = readings_row(folder)
    assert (word, "no digest" in why) == ("NOT PROVABLE", True)
    assert verify_record(folder.path, [head]).exit_code == NOT_PROVABLE


def test_a_record_without_readings_has_none_to_prove(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    head = open_journal(folder).close()
    assert readings_row(folder)[0] == "PROVEN"
    assert verify_record(folder.path, [head]).exit_code in (INTACT, NOT_PROVABLE)


def _remove_segments(folder: RecordFolder) -> None:
    """Without the journal's lines nobody speaks for the readings: a cut chain is the chain's matter, never silence."""
    path = folder.journal / "alex-laptop.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0])


def _other_journal(folder: RecordFolder) -> None:
    path = folder.journal / "alex-laptop.jsonl"
    path.unlink()
    open_journal(folder, "eve").close()


@pytest.mark.parametrize("alter", [_remove_segments, _other_journal])
def test_a_cut_or_foreign_journal_proves_no_readings(
    record: RecordFolder, alter: Callable[[RecordFolder], None]
) -> None:
    alter(record)
    assert readings_row(record)[0] in ("NOT PROVABLE", "BROKEN")
