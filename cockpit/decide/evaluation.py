"""The evaluation of one condition: its samples by data time, the state after each, and the state now."""

from __future__ import annotations

import copy
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from cockpit import formatting
from cockpit.conditions.condition import Condition, Outcome
from cockpit.decide.readings import Readings
from cockpit.decide.situation import Explanation
from cockpit.decide.state_machine import MachineState, Sample, Trip, blind_trip, next_state
from cockpit.decide.states import State
from cockpit.plan.model import Criterion, Item, Kind
from probes.reading import Reading, Reason, Unknown

Subject = Criterion | Item
_EVER = datetime.min.replace(tzinfo=UTC)
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result of evaluating one criterion or item at a moment, before waivers and sign-offs are applied."""

    outcome: Outcome
    """What the newest polls say."""
    reached: MachineState | None
    """The state after the newest real sample; None before the first."""
    because: Explanation
    blindness: Unknown | None
    """Why the condition cannot be judged now; None while it can."""
    trips: tuple[Trip, ...]
    """Every trip of a trigger, with the one for being blind too long right now."""
    left: timedelta | None
    """Until the running window ends if every further sample agrees; None where none is running."""


class Evaluator:
    """Samples and states of one criterion (or item) since `origin`, when its phase began; extended as readings arrive.

    Samples are taken at every data time of the condition's probes, and count from `begins` on: `initial_delay` later.
    """

    def __init__(self, subject: Subject, origin: datetime) -> None:
        self.subject = subject
        self.origin = origin
        self.criterion = subject if isinstance(subject, Criterion) else _as_criterion(subject)
        self.begins = origin + self.criterion.initial_delay
        self.condition: Condition | None = self.criterion.condition
        self.probes: tuple[str, ...] = self.condition.probes if self.condition else ()
        clear = self.criterion.clear_condition
        self.watched = tuple(dict.fromkeys((*self.probes, *(clear.probes if clear else ()))))
        self.times: list[datetime] = []
        self.samples: list[Sample | None] = []
        self.states: list[MachineState | None] = []
        self.base: MachineState | None = None
        """The state reached by samples already forgotten, and the data time up to which they are."""
        self.forgotten: datetime | None = None
        self.older: datetime | None = None
        """Of a trigger: since when it was true before it is judged, if it was true until then; else None."""
        self.now: Outcome = Outcome(None)
        """What the newest polls say."""
        self.version = 0
        """Rises with everything that arrives."""

    def copy(self) -> Evaluator:
        twin = copy.copy(self)
        twin.times, twin.samples, twin.states = list(self.times), list(self.samples), list(self.states)
        return twin

    @property
    def reached(self) -> MachineState | None:
        """The state after the newest real sample; None before the first."""
        return self.states[-1] if self.states else self.base

    # -- taking in ---------------------------------------------------------------------------------------------------

    def rebuild(self, readings: Readings) -> None:
        """Start over from the histories."""
        self.base = self.forgotten = None
        moments = {t for probe in self.probes for t in readings.histories[probe].times if t >= self.begins}
        self.times = sorted(moments)
        self.samples = [self._sample(readings, moment) for moment in self.times]
        self.states = [None] * len(self.times)
        self.older = self._older(readings)
        self._advance(readings, 0)
        self.polled(readings)

    def restart(self, readings: Readings) -> None:
        self._advance(readings, 0)

    def polled(self, readings: Readings) -> None:
        """Evaluate the condition on the newest answers, after a probe was polled."""
        self.version += 1
        if self.condition is not None:
            self.now = self.condition.evaluate(*readings.newest(self.probes))

    def touch(self, readings: Readings, probe: str, moment: datetime) -> None:
        """A sample about `moment` came in (or was corrected): judge it, and every later moment that rests on it."""
        if self.forgotten is not None and moment <= self.forgotten:
            return
        if moment < self.begins:
            if (older := self._older(readings)) != self.older:
                self.older = older
                self._advance(readings, 0)
            return
        first = bisect_left(self.times, moment)
        # A probe only the clear_condition reads makes no samples of its own.
        if probe in self.probes and (first == len(self.times) or self.times[first] != moment):
            self.times.insert(first, moment)
            self.samples.insert(first, None)
            self.states.insert(first, None)
        until = readings.histories[probe].next_after(moment)
        last = bisect_left(self.times, until) if until is not None else len(self.times)
        for index in range(first, last):
            self.samples[index] = self._sample(readings, self.times[index])
        self._advance(readings, first)

    def forget_before(self, moment: datetime) -> None:
        """Drop what is older, but keep the state reached."""
        index = bisect_right(self.times, moment) - 1
        if index > 0:
            self.base, self.forgotten = self.states[index - 1], self.times[index - 1]
            del self.times[:index], self.samples[:index], self.states[:index]

    def _sample(self, readings: Readings, moment: datetime) -> Sample | None:
        condition, clear = self.condition, self.criterion.clear_condition
        assert condition is not None
        used, unknown = readings.at(self.watched, moment, self.begins)
        values = {probe: reading.values for probe, reading in used.items()}
        truth = condition.evaluate(values, unknown).truth
        if truth is None:
            return None
        rests_on = self._support(condition, used, unknown, truth)
        return Sample(
            data_at=min((reading.data_at for reading in rests_on.values()), default=moment),
            observed_at=max((reading.observed_at for reading in rests_on.values()), default=moment),
            truth=truth,
            recovers=truth or clear is None or clear.evaluate(values, unknown).truth is True,
            pre_existing=self._pre_existing(condition, used, unknown) if truth else None,
            fresh=any(reading.state_since and reading.state_since >= self.origin for reading in rests_on.values()),
        )

    def _support(
        self, condition: Condition, used: Mapping[str, Reading], unknown: Mapping[str, Unknown], truth: bool
    ) -> dict[str, Reading]:
        """The newest readings that decide by themselves: one slow probe carried along by a fast one is no new sample."""
        kept = {probe: used[probe] for probe in self.probes if probe in used}
        if len(kept) < 2:
            return kept
        for probe in sorted(kept, key=lambda name: (kept[name].data_at, name)):
            fewer = {name: reading for name, reading in kept.items() if name != probe}
            values = {name: reading.values for name, reading in fewer.items()}
            if condition.evaluate(values, unknown).truth is truth:
                kept = fewer
        return kept

    def _pre_existing(
        self, condition: Condition, used: Mapping[str, Reading], unknown: Mapping[str, Unknown]
    ) -> datetime | None:
        """Since when, if the condition is only known to be true through states that began before the cutover did."""
        since = {probe: reading.state_since for probe, reading in used.items()}
        old = {probe: began for probe, began in since.items() if began is not None and began < self.origin}
        if not old:
            return None
        values = {probe: reading.values for probe, reading in used.items() if probe not in old}
        return None if condition.evaluate(values, unknown).truth is True else max(old.values())

    def _older(self, readings: Readings) -> datetime | None:
        """The origin, if the trigger was true then and has not been seen clear until it is judged."""
        condition = self.condition
        if condition is None or self.criterion.kind is not Kind.TRIGGER:
            return None
        between = {
            t for probe in self.probes for t in readings.histories[probe].times if self.origin <= t < self.begins
        }
        before = self.origin - _INSTANT
        for moment in (before, *sorted(between)):
            used, unknown = readings.at(self.probes, moment, _EVER)
            truth = condition.evaluate({probe: reading.values for probe, reading in used.items()}, unknown).truth
            if truth is False or (truth is None and moment == before):
                return None
        return self.origin

    def _inherited(self, reached: MachineState | None, sample: Sample) -> Sample:
        """The sample, known to be of a breach from before the phase while no clear one has come between."""
        if self.older is None or not sample.truth or sample.fresh or sample.pre_existing is not None:
            return sample
        unbroken = reached is None or (reached.truth is True and reached.pre_existing == self.older)
        return replace(sample, pre_existing=self.older) if unbroken else sample

    def _advance(self, readings: Readings, first: int) -> None:
        reached = self.states[first - 1] if first else self.base
        gaps = readings.gaps_of(self.probes)
        for index in range(first, len(self.times)):
            sample = self.samples[index]
            if sample is not None:
                sample = self._inherited(reached, sample)
                before, reached = reached, next_state(self.criterion, reached, sample, gaps)
                reached = self._unseen(before, reached, sample, gaps)
            self.states[index] = reached
        self.version += 1

    def _unseen(
        self, before: MachineState | None, reached: MachineState, sample: Sample, gaps: list[tuple[datetime, datetime]]
    ) -> MachineState:
        """The state with the trip for having been blind too long before this sample, where the plan wants one."""
        seen_at = before.data_at if before else self.begins
        if before is not None and sample.observed_at <= before.observed_at:
            return reached  # the same answer: it was known together with the sample before
        since = blind_trip(self.criterion, seen_at, sample.observed_at, gaps)
        if since is None:
            return reached
        return replace(reached, trips=(*reached.trips, Trip(since, sample.observed_at, sample.observed_at)))

    # -- as of a moment ----------------------------------------------------------------------------------------------

    def evaluation(self, readings: Readings, explained: Explanation, now: datetime) -> Evaluation:
        """How it all stands at `now`."""
        blindness = self._blindness(readings, now)
        return Evaluation(
            self.now,
            self.reached,
            explained,
            blindness,
            self._trips(readings, blindness, now),
            self._left(readings, now),
        )

    def _blindness(self, readings: Readings, now: datetime) -> Unknown | None:
        if self.condition is None:
            return None
        if now < self.begins:
            return Unknown(Reason.WARMING, f"judged from {formatting.clock(self.begins)} on")
        return self._slept(readings) or self._stale(readings, now) or self._unreadable(readings)

    def _slept(self, readings: Readings) -> Unknown | None:
        """The cockpit was not watching, and not every probe has answered since."""
        gaps = readings.gaps_of(self.probes)
        if not gaps:
            return None
        since, until = gaps[-1]
        latest = [readings.latest(probe) for probe in self.probes]
        if any(reading is None or reading.observed_at < until for reading in latest):
            return Unknown(
                Reason.OBSERVER_GAP,
                f"the cockpit was not watching for {formatting.duration(until - since)}",
                "wait for the next reading",
            )
        return None

    def _stale(self, readings: Readings, now: datetime) -> Unknown | None:
        """The newest real sample rests on data too old to count, whatever else the probes still see."""
        reached = self.reached
        if reached is None or now - reached.data_at <= self.criterion.stale_after:
            return None
        if self.now.unknown is not None:
            return self.now.unknown
        ages = {probe: now - (readings.histories[probe].newest_data_at or reached.data_at) for probe in self.probes}
        oldest = max(ages, key=lambda probe: ages[probe])
        return Unknown(
            Reason.STALE,
            f"the newest data of {oldest} is {formatting.duration(ages[oldest])} old",
            f"press r to read {oldest} again; see Probes",
        )

    def _unreadable(self, readings: Readings) -> Unknown | None:
        if self.now.truth is not None:
            # Truth from the newest polls, but no sample since the phase began: the proof has not begun.
            return None if self.reached is not None else Unknown(Reason.WARMING, "no sample since this phase began")
        if self.reached is not None and readings.tolerated(self.now, self.criterion.error_limit):
            return None
        return self.now.unknown or Unknown(Reason.WARMING, "no reading yet")

    def _trips(self, readings: Readings, blindness: Unknown | None, now: datetime) -> tuple[Trip, ...]:
        reached = self.reached
        trips = reached.trips if reached else ()
        if self.criterion.kind is not Kind.TRIGGER or blindness is None:
            return trips
        seen_at = reached.data_at if reached else self.begins
        since = blind_trip(self.criterion, seen_at, now, readings.gaps_of(self.probes))
        return trips if since is None else (*trips, Trip(since))

    def _left(self, readings: Readings, now: datetime) -> timedelta | None:
        reached = self.reached
        if reached is None or not reached.state.judging.running:
            return None
        left = time_left(self.criterion, reached, readings.interval(self.probes))
        return max(left - (now - reached.observed_at), timedelta(0))


def time_left(criterion: Criterion, reached: MachineState, interval: timedelta) -> timedelta:
    """Time until the running window ends if every further sample agrees, from the moment of the newest sample."""
    window = criterion.clear_for if reached.state is State.RECOVERING else criterion.hold_for
    return max(window - reached.have, (criterion.min_samples - reached.samples) * interval, timedelta(0))


def _as_criterion(item: Item) -> Criterion:
    """An item is a success criterion that holds as soon as it is seen to hold."""
    return Criterion(
        item.id,
        item.title,
        Kind.SUCCESS,
        item.expect,
        item.position,
        gap_tolerance=max(item.stale_after, timedelta(seconds=1)),
        stale_after=item.stale_after,
    )
