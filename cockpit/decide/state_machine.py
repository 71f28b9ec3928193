"""The two state machines, advanced by real samples in the order of their data times, and judged at a moment.

A sample is real when its condition is true or false. Unknown samples move nothing here: suspicion survives them for a while,
and proof needs real samples close together. What they mean *now* is judged in `criterion.py`. `docs/verdict.md` has the
tables of both machines.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from cockpit.decide.before_phase import NONE, Paths
from cockpit.decide.limits import ZERO, Limits
from cockpit.decide.states import State
from cockpit.decide.window import NOTHING, Seen
from cockpit.plan.model import Criterion, Kind
from probes.frozen import frozen


@frozen
class Sample:
    """One real outcome. `moment` is the data time it was taken at, `observed_at` when we knew.

    The times below are those of the readings that decide it: of every set of readings that would, the one that is best.
    """

    moment: datetime
    data_at: datetime
    """The age of the oldest data it rests on."""
    observed_at: datetime
    truth: bool
    holds_until: datetime
    """A sample after this does not continue what this one began: there was a gap."""
    fresh_until: datetime
    """After this it no longer says anything about now."""
    recovers: bool = True
    """For a false sample of a trigger: whether its `clear_condition` holds too."""
    pre_existing: datetime | None = None
    """For a true sample that was true before the phase began: since when, as far as is known."""


@frozen
class Trip:
    """One time a trigger tripped, by when we knew. Tripping again after RECOVERING is another trip."""

    since: datetime
    until: datetime | None = None
    """When it was TRIPPED no more; None while it is."""
    cleared: datetime | None = None
    """When the trigger was clear again; None while it is not."""
    after: datetime | None = None
    """Since when the trigger has not been clear, where it tripped before; None where this is the first trip since then."""
    unseen: datetime | None = None
    """Of a trip for not having been seen: when it last was, or began to be judged; None where it was seen to be true."""

    @property
    def first(self) -> datetime:
        """When the trigger tripped first since it was last clear."""
        return self.after or self.since


@frozen
class MachineState:
    """The state after one real sample. `have` and `samples` measure the run (breach, clear or good) the state is in."""

    state: State
    data_at: datetime
    observed_at: datetime
    have: timedelta
    samples: int
    ok_since: datetime | None
    holds_until: datetime
    """Until when the run goes on without another sample."""
    fresh_until: datetime
    counted_at: datetime
    """The moment of the newest sample that was counted: one that rests on data from before it is the same data again."""
    failed_at: datetime | None = None
    """When the newest sample that counts against it was observed."""
    turned_at: datetime | None = None
    """When the truth was last seen to turn."""
    truth: bool | None = None
    trips: tuple[Trip, ...] = ()
    near_misses: int = 0
    pre_existing: datetime | None = None
    """Since when the breach it is in has been there, if that is from before the phase."""
    from_before: Paths = NONE
    """What it reads that has failed since before the phase, and was not seen good."""
    broken: bool = False
    """A gap has ended its run, and no sample has begun another."""
    seen: Seen = NOTHING
    """For M of N: all that was seen so far."""
    inside: Seen = NOTHING
    """For M of N: what was seen within the window that ends with this sample."""


Window = Callable[[Seen, datetime], Seen]
"""What lies within the window of an M of N that ends with this total, at this data time."""


@frozen
class Advance:
    """A sample on its way into the state: what it adds to a run, and whether it continues the one before."""

    criterion: Criterion
    before: MachineState
    sample: Sample
    seen: MachineState
    """The state before, with what every sample changes."""
    time: timedelta
    """What it adds to the run it continues."""
    alone: timedelta
    """What it is worth as the first of a run."""
    near: bool
    new: bool

    @property
    def count(self) -> int:
        return self.before.samples + self.new


def next_state(
    criterion: Criterion,
    limits: Limits,
    before: MachineState | None,
    sample: Sample,
    begins: datetime,
    window: Window | None = None,
) -> MachineState:
    """The state after `sample`. Nothing from before `begins` counts; `window` is there for an M of N."""
    step = _advance(criterion, limits, before, sample, begins)
    if window is not None:
        total = step.seen.seen.plus(step.time if before else step.alone, bad=sample.truth, new=step.new)
        step = replace(step, seen=replace(step.seen, seen=total, inside=window(total, step.seen.data_at)))
    return (_trigger if criterion.kind is Kind.TRIGGER else _success)(step)


def standing(reached: MachineState, now: datetime) -> MachineState:
    """The state at `now`: what must hold without a gap is broken when the gap happens, not when the next sample comes."""
    if now <= reached.holds_until:
        return reached
    match reached.state:
        case State.MET | State.PROVING:
            return replace(reached, state=State.PROVING, have=ZERO, samples=0, ok_since=None, broken=True)
        case State.RECOVERING:
            return replace(reached, have=ZERO, samples=0, broken=True)
        case _:
            return reached


def _advance(
    criterion: Criterion, limits: Limits, before: MachineState | None, sample: Sample, begins: datetime
) -> Advance:
    alone = min(limits.period, max(sample.data_at - begins, ZERO))
    if before is None:
        before = MachineState(
            State.UNKNOWN,
            sample.data_at,
            sample.observed_at,
            ZERO,
            0,
            None,
            sample.holds_until,
            sample.fresh_until,
            sample.moment,
        )
        return Advance(
            criterion, before, sample, replace(before, truth=sample.truth), ZERO, alone, near=False, new=True
        )
    same = before.truth is sample.truth
    new = sample.data_at > before.counted_at
    # Of a gap only the time counts for which the sample before it still stood.
    covered = max(min(sample.data_at, before.holds_until) - before.data_at, ZERO)
    seen = replace(
        before,
        data_at=max(before.data_at, sample.data_at),
        observed_at=sample.observed_at,
        truth=sample.truth,
        turned_at=before.turned_at if same else sample.observed_at,
        holds_until=max(before.holds_until, sample.holds_until) if same else sample.holds_until,
        fresh_until=max(before.fresh_until, sample.fresh_until) if same else sample.fresh_until,
        counted_at=sample.moment if new or not same else before.counted_at,
    )
    time = min(covered, limits.longest) if limits.longest else covered
    return Advance(criterion, before, sample, seen, time, alone, near=sample.moment <= before.holds_until, new=new)


def _ends(step: Advance, window: timedelta, have: timedelta, samples: int) -> bool:
    return have >= window and samples >= step.criterion.min_samples


def _known_since(before: MachineState, sample: Sample) -> datetime:
    """Since when it is known to be fine. Older data that came late makes that no later."""
    return min(before.ok_since or sample.observed_at, sample.observed_at)


# -- success criteria ------------------------------------------------------------------------------------------------


def _success(step: Advance) -> MachineState:
    before, sample, seen = step.before, step.sample, step.seen
    if not sample.truth:
        return replace(seen, state=State.NOT_MET, have=ZERO, samples=0, ok_since=None, failed_at=sample.observed_at)
    contiguous = step.near and before.samples > 0
    have = before.have + step.time if contiguous else step.alone
    samples = step.count if contiguous else 1
    if not _ends(step, step.criterion.needs, have, samples):
        return replace(seen, state=State.PROVING, have=have, samples=samples, ok_since=None)
    since = _known_since(before, sample) if contiguous else sample.observed_at
    return replace(seen, state=State.MET, have=have, samples=samples, ok_since=since)


# -- rollback triggers -----------------------------------------------------------------------------------------------


def _trigger(step: Advance) -> MachineState:
    if step.sample.truth:
        return _breach(step)
    if step.before.state.judging.tripped:
        return _recover(step)
    return _clear(step)


def _clear(step: Advance) -> MachineState:
    before, sample, seen = step.before, step.sample, step.seen
    if step.criterion.within is not None and seen.inside.anything_bad:
        return _suspected(step, seen)
    missed = before.near_misses + (before.state is State.PENDING)
    since = _known_since(before, sample) if sample.moment <= before.fresh_until else sample.observed_at
    return replace(seen, state=State.CLEAR, have=ZERO, samples=0, ok_since=since, near_misses=missed)


def _breach(step: Advance) -> MachineState:
    before, sample, criterion = step.before, step.sample, step.criterion
    seen = replace(step.seen, ok_since=None, failed_at=sample.observed_at, pre_existing=sample.pre_existing)
    if before.state.judging.tripped:
        known = replace(seen, state=State.TRIPPED, have=criterion.needs, samples=step.count)
        if before.pre_existing and not sample.pre_existing:
            return _tripped(known, sample)
        place = _open_trip(before.trips) if before.state is State.RECOVERING else None
        return known if place is None else _tripped(known, sample, before.trips[place].first)
    if criterion.within is not None:
        return _suspected(step, seen)
    suspected = before.state is State.PENDING and not _expired(step)
    have = before.have + step.time if suspected else step.alone
    samples = step.count if suspected else 1
    if not _ends(step, criterion.needs, have, samples):
        return replace(seen, state=State.PENDING, have=have, samples=samples)
    return _tripped(replace(seen, state=State.TRIPPED, have=have, samples=samples), sample)


def _expired(step: Advance) -> bool:
    """Suspicion survives a gap, but not one longer than `for`: bad minutes an hour apart are no run of bad minutes."""
    alive_until = max(step.before.data_at + step.criterion.hold_for, step.before.holds_until)
    return step.sample.moment > alive_until


def _suspected(step: Advance, seen: MachineState) -> MachineState:
    """M of N: there was something bad within the window; it trips on a bad sample when it was bad for long enough."""
    criterion, sample = step.criterion, step.sample
    bad, samples = seen.inside.bad, seen.inside.samples
    seen = replace(seen, have=bad, samples=samples)
    if sample.truth and _ends(step, criterion.needs, bad, samples):
        return _tripped(replace(seen, state=State.TRIPPED), sample)
    return replace(seen, state=State.PENDING)


def _tripped(reached: MachineState, sample: Sample, after: datetime | None = None) -> MachineState:
    """`after`: when it tripped first, where it has not been clear since."""
    if sample.pre_existing:
        return reached
    return replace(reached, trips=(*reached.trips, Trip(sample.observed_at, after=after)))


def _open_trip(trips: tuple[Trip, ...]) -> int | None:
    """Where the newest trip stands that is not clear; one for having been blind may follow it, and is clear at once."""
    return next((place for place in reversed(range(len(trips))) if trips[place].cleared is None), None)


def _newest_trip(reached: MachineState, until: datetime | None) -> tuple[Trip, ...]:
    """The trips, the newest that is not clear TRIPPED until then."""
    trips, place = reached.trips, _open_trip(reached.trips)
    if place is None:
        return trips
    return (*trips[:place], replace(trips[place], until=until), *trips[place + 1 :])


def _cleared(trips: tuple[Trip, ...], at: datetime) -> tuple[Trip, ...]:
    return tuple(trip if trip.cleared else replace(trip, cleared=at) for trip in trips)


def _recover(step: Advance) -> MachineState:
    before, sample, seen, criterion = step.before, step.sample, step.seen, step.criterion
    if not sample.recovers:
        trips = _newest_trip(before, None)
        return replace(seen, state=State.TRIPPED, have=criterion.needs, samples=step.count, trips=trips)
    if before.state is State.TRIPPED:
        seen = replace(seen, trips=_newest_trip(before, sample.observed_at))
    contiguous = before.state is State.RECOVERING and step.near
    have = before.have + step.time if contiguous else step.alone
    samples = step.count if contiguous else 1
    if not _ends(step, criterion.clear_for, have, samples):
        return replace(seen, state=State.RECOVERING, have=have, samples=samples)
    return replace(
        seen,
        state=State.CLEAR,
        have=ZERO,
        samples=0,
        ok_since=sample.observed_at,
        trips=_cleared(seen.trips, sample.observed_at),
        pre_existing=None,
        seen=seen.seen.recovered(),
    )
