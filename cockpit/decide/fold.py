"""The two state machines, folded over real samples in the order of their data times.

A sample is real when its condition is true or false. Unknown samples move nothing here: suspicion survives them, and proof
needs real samples close together. What they mean *now* is judged in `criterion.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cockpit.decide.situation import State
from cockpit.plan.model import Criterion, Kind

ZERO = timedelta(0)
Credit = tuple[timedelta, bool]


@dataclass(frozen=True, slots=True)
class Sample:
    """One real outcome. `data_at` orders samples; `observed_at` is when we knew."""

    data_at: datetime
    observed_at: datetime
    truth: bool
    recovers: bool = True
    """For a false sample of a trigger: whether its `clear_condition` holds too."""
    pre_existing: bool = False
    """For a true sample: the world says this began before the cutover did."""


@dataclass(frozen=True, slots=True)
class Trip:
    """One time a trigger tripped, by when we knew; `until` is None while it has not cleared."""

    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Fold:
    """The state after one real sample. `have` and `samples` measure the run (breach, clear or good) the state is in."""

    state: State
    data_at: datetime
    observed_at: datetime
    have: timedelta
    samples: int
    ok_since: datetime | None
    failed_at: datetime | None = None
    """When the newest sample that counts against it was observed."""
    trips: tuple[Trip, ...] = ()
    near_misses: int = 0
    pre_existing: bool = False


def step(
    criterion: Criterion, before: Fold | None, sample: Sample, gaps: Sequence[tuple[datetime, datetime]] = ()
) -> Fold:
    """The state after `sample`. `gaps` are times nobody was looking: they never count toward anything."""
    if before is None:
        return _first(criterion, sample)
    advance = _trigger if criterion.kind is Kind.TRIGGER else _success
    return advance(criterion, before, sample, _credit(criterion, before, sample, gaps))


def _first(criterion: Criterion, sample: Sample) -> Fold:
    state = State.CLEAR if criterion.kind is Kind.TRIGGER else State.NOT_MET
    start = Fold(
        state, sample.data_at, sample.observed_at, ZERO, 0, sample.observed_at if state is State.CLEAR else None
    )
    advance = _trigger if criterion.kind is Kind.TRIGGER else _success
    return advance(criterion, start, sample, (ZERO, False))


def _credit(
    criterion: Criterion, before: Fold, sample: Sample, gaps: Sequence[tuple[datetime, datetime]]
) -> tuple[timedelta, bool]:
    """Time the new sample adds to a run, and whether the run is contiguous. Time nobody was looking adds nothing."""
    if any(since < sample.data_at and until > before.data_at for since, until in gaps):
        return ZERO, False
    apart = sample.data_at - before.data_at
    return min(apart, criterion.gap_tolerance), apart <= criterion.gap_tolerance


def _ends(criterion: Criterion, window: timedelta, have: timedelta, samples: int) -> bool:
    return have >= window and samples >= criterion.min_samples


def _success(criterion: Criterion, before: Fold, sample: Sample, credit: Credit) -> Fold:
    seen = replace(before, data_at=sample.data_at, observed_at=sample.observed_at)
    if not sample.truth:
        return replace(seen, state=State.NOT_MET, have=ZERO, samples=0, ok_since=None, failed_at=sample.observed_at)
    time, near = credit
    contiguous = near and before.samples > 0
    have = before.have + time if contiguous else ZERO
    samples = before.samples + 1 if contiguous else 1
    if not _ends(criterion, criterion.hold_for, have, samples):
        return replace(seen, state=State.PROVING, have=have, samples=samples, ok_since=None)
    since = before.ok_since if contiguous and before.ok_since else sample.observed_at
    return replace(seen, state=State.MET, have=have, samples=samples, ok_since=since)


def _trigger(criterion: Criterion, before: Fold, sample: Sample, credit: Credit) -> Fold:
    seen = replace(before, data_at=sample.data_at, observed_at=sample.observed_at)
    if sample.truth:
        return _breach(criterion, before, seen, sample, credit)
    if before.state in (State.TRIPPED, State.RECOVERING):
        return _recover(criterion, before, seen, sample, credit)
    missed = before.near_misses + (before.state is State.PENDING)
    stale = sample.data_at - before.data_at > criterion.stale_after
    since = before.ok_since if before.ok_since and not stale else sample.observed_at
    return replace(seen, state=State.CLEAR, have=ZERO, samples=0, ok_since=since, near_misses=missed)


def _breach(criterion: Criterion, before: Fold, seen: Fold, sample: Sample, credit: Credit) -> Fold:
    seen = replace(seen, ok_since=None, failed_at=sample.observed_at, pre_existing=sample.pre_existing)
    if before.state in (State.TRIPPED, State.RECOVERING):
        known = replace(seen, state=State.TRIPPED, have=criterion.hold_for, samples=before.samples + 1)
        began_anew = before.pre_existing and not sample.pre_existing
        return _tripped(known, sample) if began_anew else known
    suspected = before.state is State.PENDING
    # Suspicion survives a gap; of the gap only the tolerated part counts.
    have = before.have + credit[0] if suspected else ZERO
    samples = before.samples + 1 if suspected else 1
    if not _ends(criterion, criterion.hold_for, have, samples):
        return replace(seen, state=State.PENDING, have=have, samples=samples)
    return _tripped(replace(seen, state=State.TRIPPED, have=have, samples=samples), sample)


def _tripped(fold: Fold, sample: Sample) -> Fold:
    return fold if sample.pre_existing else replace(fold, trips=(*fold.trips, Trip(sample.observed_at)))


def _recover(criterion: Criterion, before: Fold, seen: Fold, sample: Sample, credit: Credit) -> Fold:
    if not sample.recovers:
        return replace(seen, state=State.TRIPPED, have=criterion.hold_for, samples=before.samples + 1)
    time, near = credit
    contiguous = before.state is State.RECOVERING and near
    have = before.have + time if contiguous else ZERO
    samples = before.samples + 1 if contiguous else 1
    if not _ends(criterion, criterion.clear_for, have, samples):
        return replace(seen, state=State.RECOVERING, have=have, samples=samples, ok_since=None)
    trips = before.trips
    if trips and trips[-1].until is None:
        trips = (*trips[:-1], replace(trips[-1], until=sample.observed_at))
    return replace(
        seen, state=State.CLEAR, have=ZERO, samples=0, ok_since=sample.observed_at, trips=trips, pre_existing=False
    )
