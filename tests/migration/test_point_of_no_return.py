"""The point of no return in the record: what the ledger says is in S3 alone, passed and undone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from support.clock import HandClock

from cockpit.decide.events import PointOfNoReturn, Proof, Record
from cockpit.migration.chronicle import Chronicle
from cockpit.migration.progress import Progress
from cockpit.migration.states import PhaseName

NIGHT = datetime(2026, 6, 6, 23, tzinfo=UTC)
PURGE = NIGHT.replace(hour=22)


def ledger(purged: int, phase: PhaseName = PhaseName.PURGE, *, active: bool = False) -> Progress:
    return Progress(prepared=True, at=NIGHT, phase=phase, run=1, active=active, purge_began=PURGE, purged=purged)


def noted(*seen: Progress, before: tuple[PointOfNoReturn, ...] = ()) -> list[tuple[str, bool]]:
    """What the record has of the point of no return after a ledger was seen so, one after the other."""
    record = Record(list(before))
    chronicle = Chronicle(record, HandClock(NIGHT))
    for progress in seen:
        chronicle.record_progress(progress)
    return [(each.loses, each.undone) for each in record.all(PointOfNoReturn)[len(before) :]]


GOES_ON = ("65 files that live in S3 alone, and more while the purge goes on", False)
ALL = ("400 files that live in S3 alone", False)
ONE = ("1 file that lives in S3 alone", False)
UNDONE = ("", True)


def test_a_night_that_purges_and_restores() -> None:
    restoring = [ledger(n, PhaseName.RESTORE, active=True) for n in (400, 200, 1)]
    seen = [ledger(0, active=True), ledger(65, active=True), ledger(200, active=True), ledger(400), *restoring]
    assert noted(*seen) == [GOES_ON, ALL]
    assert noted(*seen, ledger(1, PhaseName.RESTORE)) == [GOES_ON, ALL, ONE]
    assert noted(*seen, ledger(0, PhaseName.RESTORE)) == [GOES_ON, ALL, UNDONE]
    again = [ledger(0, PhaseName.RESTORE), ledger(0, PhaseName.COPY), ledger(0, active=True), ledger(400)]
    assert noted(*seen, *again) == [GOES_ON, ALL, UNDONE, ALL]


@pytest.mark.parametrize(
    "unknown",
    [
        Progress(),
        Progress(prepared=True, at=NIGHT),
        replace(ledger(0), purge_began=NIGHT),
        ledger(0, active=True),
    ],
    ids=["no ledger, or forgotten", "another ledger without a purge", "another ledger with one", "a purge under way"],
)
def test_only_the_ledger_of_that_purge_at_rest_undoes_it(unknown: Progress) -> None:
    assert noted(ledger(400), unknown, unknown) == [ALL]


def test_a_session_that_begins_after_the_restore_undoes_what_this_cockpit_noted_and_nobody_elses() -> None:
    passed = PointOfNoReturn(NIGHT, ALL[0], PURGE.isoformat())
    restored = ledger(0, PhaseName.RESTORE)
    assert noted(restored, before=(passed,)) == [UNDONE]
    assert noted(restored, before=(replace(passed, proof=Proof()),)) == []
    theirs = replace(passed, loses="", undone=True, proof=Proof())
    assert noted(ledger(400), before=(passed, theirs)) == []
    assert noted(restored) == []
