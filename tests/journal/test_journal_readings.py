"""Readings come back exactly as they were, however many, and putting one never waits."""

from __future__ import annotations

import sqlite3
import stat
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.records.short_record import START

from cockpit.journal.reading_segments import whole_file
from cockpit.journal.readings import ReadingStore, digest_of, read, taken
from cockpit.journal.verify_readings import check_readings
from probes.reading import Bounds, Evidence, Reading, Reason, Unknown

TIMES = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
PLAIN = st.text("abcdefghij äöü\n\"\\'", max_size=20)
VALUES = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    TIMES,
    st.lists(PLAIN, min_size=1, max_size=3).map(tuple),
)
UNKNOWN = st.builds(Unknown, st.sampled_from(Reason), PLAIN, PLAIN)
EVIDENCE = st.builds(Evidence, PLAIN, PLAIN, PLAIN, st.lists(PLAIN, max_size=2).map(tuple))


def readings(earlier: st.SearchStrategy[tuple[Reading, ...]]) -> st.SearchStrategy[Reading]:
    fields = st.dictionaries(PLAIN, VALUES, max_size=4)
    blind = st.dictionaries(PLAIN, UNKNOWN, max_size=3)
    latency = st.floats(0, 60)
    return st.builds(Reading, TIMES, TIMES, fields, blind, EVIDENCE, latency, st.none() | TIMES, earlier)


READINGS = readings(st.lists(readings(st.just(())), max_size=2).map(tuple))


@settings(max_examples=60)
@given(st.lists(st.tuples(PLAIN, READINGS), max_size=4))
def test_every_reading_survives(tmp_path_factory: pytest.TempPathFactory, many: list[tuple[str, Reading]]) -> None:
    path = tmp_path_factory.mktemp("readings") / "readings.sqlite"
    store = ReadingStore(path)
    for probe, reading in many:
        store.put(probe, reading)
    store.close()
    kept = list(read(path))
    assert kept == many
    assert [[type(value) for value in each.values.values()] for _, each in kept] == [
        [type(value) for value in each.values.values()] for _, each in many
    ]
    assert store.lost == 0


def at(second: int, **values: int) -> Reading:
    now = START + timedelta(seconds=second)
    return Reading(now, now, values)


def test_chosen_by_probe_and_time(tmp_path: Path) -> None:
    path = tmp_path / "readings.sqlite"
    store = ReadingStore(path)
    for second in range(10):
        store.put("db" if second % 2 else "web", at(second, n=second))
    store.flush()
    assert [reading.values["n"] for _, reading in read(path, "db")] == [1, 3, 5, 7, 9]
    since, until = START + timedelta(seconds=3), START + timedelta(seconds=6)
    assert [reading.values["n"] for _, reading in read(path, since=since, until=until)] == [3, 4, 5, 6]
    store.close()
    again = ReadingStore(path)
    again.put("db", at(11, n=11))
    again.close()
    assert len(list(read(path))) == 11


def test_putting_never_waits_even_while_the_file_is_locked(tmp_path: Path) -> None:
    path = tmp_path / "readings.sqlite"
    store = ReadingStore(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for second in range(2000):
        store.put("db", at(second, n=second))
    assert list(read(path)) == [], "nothing could be written yet, and nobody waited for it"
    other.execute("COMMIT")
    other.close()
    store.close()
    assert len(list(read(path))) == 2000
    store.put("db", at(1))
    assert store.lost == 1


def test_no_secret_and_only_the_owner(tmp_path: Path) -> None:
    path = tmp_path / "readings.sqlite"
    store = ReadingStore(path)
    url = "https://x/?X-Amz-Signature=hunter2"
    why = Unknown(Reason.ERROR, "password=hunter2", "token: hunter2")
    store.put(
        "db",
        Reading(START, START, {}, {"n": why}, Evidence("psql postgresql://a:hunter2@b", "", url, ("secret=hunter2",))),
    )
    store.flush()
    for each in tmp_path.iterdir():
        assert stat.S_IMODE(each.stat().st_mode) == 0o600
        assert b"hunter2" not in each.read_bytes()
    store.close()
    ((_, kept),) = read(path)
    assert kept.evidence.console_url == "https://x/?X-Amz-Signature=***"


def test_what_little_evidence_proves_is_kept(tmp_path: Path) -> None:
    why = Unknown(Reason.LOW_VOLUME, "8 of 20 requests", "wait for traffic", Bounds(0.38672682, 1.0))
    store = ReadingStore(tmp_path / "readings.sqlite")
    store.put("errors", Reading(START, START, {"part": 8.0}, {"rate": why}))
    store.close()
    ((_, kept),) = read(store.path)
    assert kept.unknown["rate"] == why


def test_what_to_do_next_is_kept(tmp_path: Path) -> None:
    evidence = Evidence("SELECT", lines=("copy: DONE",), hint="begin the verify", done_in="migration")
    store = ReadingStore(tmp_path / "readings.sqlite")
    store.put("files", Reading(START, START, {"complete": False}, {}, evidence))
    store.close()
    ((_, kept),) = read(store.path)
    assert kept.evidence == evidence


def test_what_is_no_number_was_seen_too(tmp_path: Path) -> None:
    store = ReadingStore(tmp_path / "readings.sqlite")
    store.put("db", Reading(START, START, {"n": float("nan"), "m": float("-inf")}))
    store.close()
    ((_, reading),) = read(store.path)
    assert str(dict(reading.values)) == "{'n': nan, 'm': -inf}"


def test_what_cannot_be_kept_is_counted_and_the_rest_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "readings.sqlite"
    store = ReadingStore(path)
    store.put("db", Reading(START, START, {"n": {1: 2}}))  # type: ignore[dict-item]
    store.put("db", Reading(START, START, {"n": object()}))  # type: ignore[dict-item]
    store.put("db", at(1, n=1))
    store.close()
    assert [reading.values for _, reading in read(path)] == [{"n": 1}]
    assert store.lost == 2
    assert "db" in store.trouble


def test_no_file_another_file_and_an_altered_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(read(tmp_path / "nothing"))
    other = tmp_path / "other"
    other.write_text("not a database, not at all, " * 10)
    with pytest.raises(sqlite3.Error):
        list(read(other))
    with pytest.raises(sqlite3.Error):
        ReadingStore(other)
    path = tmp_path / "readings.sqlite"
    store = ReadingStore(path)
    store.put("db", at(1))
    store.close()
    database = sqlite3.connect(path)
    for text in ('{"at": 1}', "[]", "{", '{"at":"x","data":1,"values":{},"unknown":{},"latency":0}'):
        with database:
            database.execute("UPDATE readings SET reading = ?", (text,))
        with pytest.raises(ValueError, match=r"none|JSON|Expecting"):
            list(read(path))
    database.close()


def test_a_segment_speaks_for_what_was_kept_since_the_last_that_was_written(tmp_path: Path) -> None:
    path = tmp_path / "readings.sqlite"
    store = ReadingStore(path)
    store.put("db", at(1, n=1))
    store.flush()
    first = store.segment()
    assert first is not None
    assert (first.first, first.last, first.count) == (1, 1, 1)
    store.put("db", at(2, n=2), START + timedelta(seconds=5))
    store.flush()
    both = store.segment()
    assert both is not None
    assert (both.first, both.last, both.count) == (1, 2, 2), "the first was never written to the journal"
    store.covered(first)
    second = store.segment()
    assert second is not None
    assert (second.first, second.last, second.count) == (2, 2, 1)
    store.covered(second)
    assert store.segment() is None
    store.close()
    assert [each.at for each in taken(path)] == [at(1).observed_at, START + timedelta(seconds=5)]
    assert whole_file(path).sha256 == both.sha256


def test_an_older_file_is_read_and_gone_on_with(tmp_path: Path) -> None:
    """Its rows do not say who took them in."""
    path = tmp_path / "readings.sqlite"
    store = ReadingStore(path)
    store.put("db", at(1, n=1))
    store.close()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("ALTER TABLE readings DROP COLUMN writer")
        database.execute("PRAGMA user_version = 1")
    before = whole_file(path)
    assert [(each.writer, each.reading) for each in taken(path)] == [("", at(1, n=1))]
    again = ReadingStore(path, "ada")
    assert again.opening().body["sha256"] == before.sha256
    again.put("db", at(2, n=2))
    again.close()
    assert [each.writer for each in taken(path)] == ["", "ada"]


def test_evidence_has_a_digest() -> None:
    assert digest_of({"db": at(1, n=2), "a": at(1, n=1)}) == digest_of({"a": at(1, n=1), "db": at(1, n=2)})
    assert digest_of({"db": at(1, n=2)}) != digest_of({"db": at(1, n=3)})


def test_a_time_that_is_a_value_may_be_the_last_there_is(tmp_path: Path) -> None:
    """As certificates that never end have it (RFC 5280)."""
    never = Reading(START, START, {"ends": datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)})
    store = ReadingStore(tmp_path / "readings.sqlite")
    store.put("certificate", never)
    store.close()
    assert [each.reading for each in taken(tmp_path / "readings.sqlite")] == [never]


def test_a_file_that_is_being_begun_is_not_broken(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.sqlite" for number in range(20)]
    begun = threading.Event()

    def sessions_begin() -> None:
        for path in paths:
            ReadingStore(path).close()
        begun.set()

    beginning = threading.Thread(target=sessions_begin)
    beginning.start()
    found = []
    while not begun.is_set():
        found += [problem for path in paths for problem in check_readings(path, []).broken]
    beginning.join()
    assert found == []
