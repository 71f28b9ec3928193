"""The two state machines, advanced by real samples in the order of their data times.

A sample is real when its condition is true or false. Unknown samples move nothing here: suspicion survives them, and proof
needs real samples close together. What they mean *now* is judged in `criterion.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cockpit.decide.readings import gone
from cockpit.decide.states import State
from cockpit.plan.model import Criterion, Kind, OnUnknown, Severity

ZERO = timedelta(0)


@dataclass(frozen=True, slots=True)
class Credit:
    """What a sample adds to a run: time, and whether it is near enough to the one before, and not the same data again."""

    time: timedelta
    near: bool
    new: bool


@dataclass(frozen=True, slots=True)
class Sample:
    """One real outcome. `data_at` is the age of the oldest data it rests on; `observed_at` is when we knew."""

    data_at: datetime
    observed_at: datetime
    truth: bool
    recovers: bool = True
    """For a false sample of a trigger: whether its `clear_condition` holds too."""
    pre_existing: datetime | None = None
    """For a true sample that was true before the phase began: since when, as far as is known."""
    fresh: bool = False
    """A state that it rests on is known to have begun in this phase."""


@dataclass(frozen=True, slots=True)
class Trip:
    """One time a trigger tripped, by when we knew. Tripping again after RECOVERING is another trip."""

    since: datetime
    until: datetime | None = None
    """When it was TRIPPED no more; None while it is."""
    cleared: datetime | None = None
    """When the trigger was clear again; None while it is not."""
    after: datetime | None = None
    """Since when the trigger has not been clear, where it tripped before; None where this is the first trip since then."""

    @property
    def first(self) -> datetime:
        """When the trigger tripped first since it was last clear."""
        return self.after or self.since


@dataclass(frozen=True, slots=True)
class MachineState:
    """The state after one real sample. `have` and `samples` measure the run (breach, clear or good) the state is in."""

    state: State
    data_at: datetime
    observed_at: datetime
    have: timedelta
    samples: int
    ok_since: datetime | None
    failed_at: datetime | None = None
    """When the newest sample that counts against it was observed."""
    turned_at: datetime | None = None
    """When the truth was last seen to turn."""
    truth: bool | None = None
    trips: tuple[Trip, ...] = ()
    near_misses: int = 0
    pre_existing: datetime | None = None
    """Since when the breach it is in has been there, if that is from before the phase."""


def next_state(
    criterion: Criterion, before: MachineState | None, sample: Sample, gaps: Sequence[tuple[datetime, datetime]] = ()
) -> MachineState:
    """The state after `sample`. `gaps` are times at which the cockpit was not watching: they never count toward anything."""
    if before is None:
        state = State.CLEAR if criterion.kind is Kind.TRIGGER else State.NOT_MET
        ok_since = sample.observed_at if state is State.CLEAR else None
        before = MachineState(state, sample.data_at, sample.observed_at, ZERO, 0, ok_since)
        credit = Credit(ZERO, near=False, new=True)
    else:
        credit = _credit(criterion, before, sample, gaps)
    turned_at = sample.observed_at if before.truth is (not sample.truth) else before.turned_at
    seen = replace(
        before,
        data_at=max(before.data_at, sample.data_at),
        observed_at=sample.observed_at,
        truth=sample.truth,
        turned_at=turned_at,
    )
    advance = _trigger if criterion.kind is Kind.TRIGGER else _success
    return advance(criterion, before, seen, sample, credit)


def blind_trip(
    criterion: Criterion, seen_at: datetime, until: datetime, gaps: Sequence[tuple[datetime, datetime]]
) -> datetime | None:
    """When a trigger with `on_unknown: rollback` trips for not having been seen from `seen_at` to `until`; else None.

    Its limit is never shorter than what it takes to call data stale, and time without watching does not count.
    """
    if criterion.on_unknown is not OnUnknown.ROLLBACK or criterion.severity is not Severity.CRITICAL:
        return None
    limit = max(criterion.unknown_limit or ZERO, criterion.stale_after)
    over = until - seen_at - gone(seen_at, until, gaps) - limit
    return until - over if over > ZERO else None


def _credit(
    criterion: Criterion, before: MachineState, sample: Sample, gaps: Sequence[tuple[datetime, datetime]]
) -> Credit:
    """What the new sample adds to a window. Time at which the cockpit was not watching adds nothing."""
    apart = max(sample.data_at - before.data_at, ZERO)
    if any(since < sample.data_at and until > before.data_at for since, until in gaps):
        return Credit(ZERO, near=False, new=apart > ZERO)
    return Credit(min(apart, criterion.gap_tolerance), near=apart <= criterion.gap_tolerance, new=apart > ZERO)


def _ends(criterion: Criterion, window: timedelta, have: timedelta, samples: int) -> bool:
    return have >= window and samples >= criterion.min_samples


def _success(
    criterion: Criterion, before: MachineState, seen: MachineState, sample: Sample, credit: Credit
) -> MachineState:
    if not sample.truth:
        return replace(seen, state=State.NOT_MET, have=ZERO, samples=0, ok_since=None, failed_at=sample.observed_at)
    contiguous = credit.near and before.samples > 0
    have = before.have + credit.time if contiguous else ZERO
    samples = before.samples + credit.new if contiguous else 1
    if not _ends(criterion, criterion.hold_for, have, samples):
        return replace(seen, state=State.PROVING, have=have, samples=samples, ok_since=None)
    since = before.ok_since if contiguous and before.ok_since else sample.observed_at
    return replace(seen, state=State.MET, have=have, samples=samples, ok_since=since)


def _trigger(
    criterion: Criterion, before: MachineState, seen: MachineState, sample: Sample, credit: Credit
) -> MachineState:
    if sample.truth:
        return _breach(criterion, before, seen, sample, credit)
    if before.state.judging.tripped:
        return _recover(criterion, before, seen, sample, credit)
    missed = before.near_misses + (before.state is State.PENDING)
    stale = sample.data_at - before.data_at > criterion.stale_after
    since = before.ok_since if before.ok_since and not stale else sample.observed_at
    return replace(seen, state=State.CLEAR, have=ZERO, samples=0, ok_since=since, near_misses=missed)


def _breach(
    criterion: Criterion, before: MachineState, seen: MachineState, sample: Sample, credit: Credit
) -> MachineState:
    seen = replace(seen, ok_since=None, failed_at=sample.observed_at, pre_existing=sample.pre_existing)
    if before.state.judging.tripped:
        known = replace(seen, state=State.TRIPPED, have=criterion.hold_for, samples=before.samples + credit.new)
        if before.pre_existing and not sample.pre_existing:
            return _tripped(known, sample)
        again = before.state is State.RECOVERING and before.trips
        return _tripped(known, sample, before.trips[-1].first) if again else known
    suspected = before.state is State.PENDING
    # Suspicion survives a gap; of the gap only the tolerated part counts.
    have = before.have + credit.time if suspected else ZERO
    samples = before.samples + credit.new if suspected else 1
    if not _ends(criterion, criterion.hold_for, have, samples):
        return replace(seen, state=State.PENDING, have=have, samples=samples)
    return _tripped(replace(seen, state=State.TRIPPED, have=have, samples=samples), sample)


def _tripped(reached: MachineState, sample: Sample, after: datetime | None = None) -> MachineState:
    """`after`: when it tripped first, where it has not been clear since."""
    if sample.pre_existing:
        return reached
    return replace(reached, trips=(*reached.trips, Trip(sample.observed_at, after=after)))


def _newest_trip(reached: MachineState, until: datetime | None) -> tuple[Trip, ...]:
    """The trips, the newest of them TRIPPED until then."""
    if not reached.trips or reached.trips[-1].cleared is not None:
        return reached.trips
    return (*reached.trips[:-1], replace(reached.trips[-1], until=until))


def _recover(
    criterion: Criterion, before: MachineState, seen: MachineState, sample: Sample, credit: Credit
) -> MachineState:
    if not sample.recovers:
        seen = replace(seen, trips=_newest_trip(before, None))
        return replace(seen, state=State.TRIPPED, have=criterion.hold_for, samples=before.samples + credit.new)
    if before.state is State.TRIPPED:
        seen = replace(seen, trips=_newest_trip(before, sample.observed_at))
    contiguous = before.state is State.RECOVERING and credit.near
    have = before.have + credit.time if contiguous else ZERO
    samples = before.samples + credit.new if contiguous else 1
    if not _ends(criterion, criterion.clear_for, have, samples):
        return replace(seen, state=State.RECOVERING, have=have, samples=samples, ok_since=None)
    at = sample.observed_at
    trips = tuple(trip if trip.cleared else replace(trip, until=trip.until or at, cleared=at) for trip in seen.trips)
    return replace(seen, state=State.CLEAR, have=ZERO, samples=0, ok_since=at, trips=trips, pre_existing=None)
