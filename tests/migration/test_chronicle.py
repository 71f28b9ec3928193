"""What the record notes of the migration: each line of the ledger once, whatever other cockpits noted of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from support.clock import HandClock

from cockpit.decide.events import MIGRATION, WORKERS, Happened, Proof, Record
from cockpit.migration.chronicle import Chronicle
from cockpit.migration.ledger import Event
from cockpit.migration.progress import Progress, WorkerLine

NIGHT = datetime(2026, 6, 6, 23, tzinfo=UTC)
SEEN = Progress(prepared=True, at=NIGHT, run=1, events=(Event(NIGHT, "ada", "began", "copy"),))
BEGAN = "began: copy (2026-06-06 23:00:00.000000Z by the database)"
WORKER = WorkerLine("copy-1", "host", "working", 12, 32, "", 100, 2_000_000, 3, 0, 21.0, 90_000_000, 0.4)


def noted(record: Record) -> list[tuple[str, str]]:
    return [(each.subject, each.text) for each in record.all(Happened) if each.proof.own]


def test_each_line_of_the_ledger_is_noted_once_also_by_the_next_session() -> None:
    record = Record()
    for _ in range(2):
        chronicle = Chronicle(record, HandClock(NIGHT))
        chronicle.record_progress(SEEN)
        chronicle.record_progress(SEEN)
    assert noted(record) == [(MIGRATION, BEGAN)]


def test_what_another_cockpit_noted_is_noted_here_too() -> None:
    """Only what this cockpit noted is told to Slack by it: the other one may tell nobody."""
    record = Record([Happened(NIGHT, MIGRATION, BEGAN, "ada", proof=Proof(received=NIGHT))])
    Chronicle(record, HandClock(NIGHT)).record_progress(SEEN)
    assert noted(record) == [(MIGRATION, BEGAN)]


def test_workers_that_come_and_go_are_a_subject_of_their_own() -> None:
    record = Record()
    chronicle = Chronicle(record, HandClock(NIGHT))
    chronicle.record_progress(replace(SEEN, workers=(WORKER,)))
    chronicle.record_progress(SEEN)
    joined, left = noted(record)[1:]
    assert joined == (WORKERS, "worker copy-1 joined run 1")
    assert left == (WORKERS, "worker copy-1 left run 1")
