"""The evaluation of one condition: its samples by data time, the state after each, and the state now."""

from __future__ import annotations

import copy
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from cockpit import formatting
from cockpit.conditions.condition import Condition, Outcome
from cockpit.decide import window
from cockpit.decide.because import Explanation, Observed
from cockpit.decide.before_phase import NONE, BeforePhase, Paths
from cockpit.decide.explanation import Explainer
from cockpit.decide.limits import ZERO, limits_of
from cockpit.decide.readings import Readings
from cockpit.decide.sampling import Sampler
from cockpit.decide.state_machine import MachineState, Sample, Trip, Window, next_state, standing
from cockpit.decide.states import State
from cockpit.decide.unseen import UnseenLimit
from cockpit.plan.model import Criterion, Item, Kind, ProbeSpec
from probes.frozen import frozen
from probes.reading import Reason, Unknown

Subject = Criterion | Item
_NOT_READ = Outcome(None, Unknown(Reason.WARMING, "no reading yet"))


@frozen
class Evaluation:
    """The result of evaluating one criterion or item at a moment, before waivers and sign-offs are applied."""

    outcome: Outcome
    """What the newest polls say."""
    reached: MachineState | None
    """The state after the newest real sample, as it stands now; None before the first."""
    because: Explanation
    blindness: Unknown | None
    """Why the condition cannot be judged now; None while it can."""
    trips: tuple[Trip, ...]
    """Every trip of a trigger, with the one for being blind too long right now."""
    left: timedelta | None
    """Until the running window ends if every further sample agrees; None where none is running."""
    past: bool = False
    """Whether the time in which it is judged is over: it was seen to be good at its end, or since."""


class Evaluator:
    """Samples and states of one criterion (or item) since `origin`, when its phase began; extended as readings arrive.

    Samples are taken at every data time of the condition's probes, and count from `begins` on: `initial_delay` later. The first
    good one from `ends` on is the last that counts: what is never seen to be good is judged to the end of the night.
    """

    def __init__(
        self, subject: Subject, origin: datetime, probes: Mapping[str, ProbeSpec], ends: datetime | None = None
    ) -> None:
        self.subject = subject
        self.origin = origin
        self.ends = ends
        self.criterion = subject if isinstance(subject, Criterion) else _as_criterion(subject)
        self.begins = origin + self.criterion.initial_delay
        self.condition: Condition | None = self.criterion.condition
        self.probes: tuple[str, ...] = self.condition.probes if self.condition else ()
        clear = self.criterion.clear_condition
        self.watched = tuple(dict.fromkeys((*self.probes, *(clear.probes if clear else ()))))
        self.explainer = Explainer(self.criterion, probes)
        self.limits = limits_of(self.criterion, {name: probes[name] for name in self.watched}, self.probes)
        self.before: BeforePhase | None = None
        if self.criterion.kind is Kind.TRIGGER and self.condition is not None:
            self.before = BeforePhase(self.condition, origin, self.begins, self.limits.stale)
        self.sampler = Sampler(self.criterion, self.watched, self.limits, self.begins, self.before)
        self.unseen = UnseenLimit(self.criterion, self.limits, self.begins)
        self.gaps: list[tuple[datetime, datetime]] = []
        """Times at which the cockpit was not watching, long enough to matter to all it reads."""
        self.times: list[datetime] = []
        self.samples: list[Sample | None] = []
        self.states: list[MachineState | None] = []
        self.base: MachineState | None = None
        """The state reached by samples already forgotten, and the data time up to which they are."""
        self.forgotten: datetime | None = None
        self.now = _NOT_READ
        """What the newest polls say."""
        self.observed: tuple[Observed, ...] = ()
        """The values they say it by."""
        self._read: object = None
        """All that both depend on."""
        self.version = 0
        """Rises with everything that arrives."""

    def copy(self) -> Evaluator:
        twin = copy.copy(self)
        twin.times, twin.samples, twin.states = list(self.times), list(self.samples), list(self.states)
        twin.before = copy.copy(self.before)
        twin.sampler = self.sampler.copy(twin.before)
        return twin

    @property
    def reached(self) -> MachineState | None:
        """The state after the newest real sample; None before the first."""
        return self.states[-1] if self.states else self.base

    def outcome(self) -> object:
        """What the newest polls and the samples have come to."""
        reached, unknown = self.reached, self.now.unknown
        samples = (
            None
            if reached is None
            else (reached.state, reached.truth, reached.turned_at, reached.trips, reached.broken)
        )
        return self.now.truth, unknown.reason if unknown else None, samples

    def lapses(self, readings: Readings) -> Iterator[datetime]:
        """When what it has come to no longer holds, if nothing more is read: time alone changes it after these moments."""
        yield self.begins
        if self.reached is not None:
            yield self.reached.holds_until
            yield self.reached.fresh_until
        if (moment := self.unseen.trips_at(*self._last_seen(readings), self.gaps)) is not None:
            yield moment

    @property
    def past(self) -> bool:
        """Whether its time is over, and it was seen to be good at the end of it."""
        return self._past(self.reached)

    def _past(self, reached: MachineState | None) -> bool:
        if self.ends is None or reached is None:
            return False
        return reached.state.meaning.done and reached.data_at >= self.ends

    def _ended_before(self, sample: Sample, reached: MachineState | None) -> bool:
        """Whether its time was over before a sample was known. What comes late of the time before the end moves no end that was
        known already: what was known sooner still counts.
        """
        if reached is None or not self._past(reached):
            return False
        return reached.ok_since is None or sample.observed_at >= reached.ok_since

    # -- taking in ---------------------------------------------------------------------------------------------------

    def rebuild(self, readings: Readings) -> None:
        """Start over from the histories."""
        self.base = self.forgotten = None
        self.gaps = readings.gaps_of(self.probes)
        moments = {t for probe in self.probes for t in readings.histories[probe].times if t >= self.begins}
        self.times = sorted(moments)
        self.states = [None] * len(self.times)
        if self.before is not None:
            self.before.read(readings)
        self._sample_all(readings)
        self.polled(readings)

    def unwatched(self, readings: Readings, since: datetime) -> None:
        """The cockpit was not watching from `since` on: what rests on a reading from just before does not go on so long."""
        self.gaps = readings.gaps_of(self.probes)
        last = {name: readings.histories[name].at(since) for name in self.probes}
        reach = (self.limits.gap[name].of(sample) for name, sample in last.items() if sample is not None)
        first = bisect_left(self.times, since - max(reach, default=ZERO))
        for index in range(first, len(self.times)):
            self.samples[index] = self.sampler.sample(readings, self.times[index])
        self._advance(readings, first)

    def polled(self, readings: Readings) -> None:
        """Evaluate the condition on the newest answers, after a probe was polled."""
        self.version += 1
        if self.condition is None:
            return
        values, unknown = readings.newest(self.probes)
        read = self.condition.read(values, unknown)
        if read != self._read:
            self._read = read
            self.now = self.condition.evaluate(values, unknown)
            self.observed = self.explainer.observed(readings)

    def touch(self, readings: Readings, probe: str, moment: datetime) -> None:
        """A sample about `moment` came in (or was corrected): judge it, and every later moment that rests on it."""
        if self.forgotten is not None and moment <= self.forgotten:
            return
        if moment < self.begins:
            if self.before is not None:
                self.before.read(readings)
                self._sample_all(readings)
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
            self.samples[index] = self.sampler.sample(readings, self.times[index])
        self._advance(readings, first)

    def _sample_all(self, readings: Readings) -> None:
        self.samples = [self.sampler.sample(readings, moment) for moment in self.times]
        self._advance(readings, 0)

    def forget_before(self, moment: datetime) -> None:
        """Drop what is older, but keep the state reached."""
        index = bisect_right(self.times, moment) - 1
        if index > 0:
            self.base, self.forgotten = self.states[index - 1], self.times[index - 1]
            del self.times[:index], self.samples[:index], self.states[:index]

    def _advance(self, readings: Readings, first: int) -> None:
        reached = self.states[first - 1] if first else self.base
        failing = reached.from_before if reached else self._from_before(readings, first)
        for index in range(first, len(self.times)):
            sample = self.samples[index]
            failing, old = self._goes_on(readings, self.times[index], failing)
            if sample is not None and not self._ended_before(sample, reached):
                before, limits = reached, self.limits
                if old and sample.pre_existing is None:
                    sample = replace(sample, pre_existing=self.origin)
                reached = next_state(self.criterion, limits, before, sample, self.begins, self._window(index))
                reached = self.unseen.noted(before, reached, sample, self.gaps)
            if reached is not None and reached.from_before != failing:
                reached = replace(reached, from_before=failing)
            self.states[index] = reached
        self.version += 1

    def _from_before(self, readings: Readings, end: int) -> Paths:
        """What has failed since before the phase up to the sample `end`, where none of those before it was real."""
        failing = self.before.failing if self.before is not None else NONE
        for moment in self.times[:end]:
            failing, _ = self._goes_on(readings, moment, failing)
        return failing

    def _goes_on(self, readings: Readings, moment: datetime, failing: Paths) -> tuple[Paths, bool]:
        return (NONE, False) if self.before is None else self.before.goes_on(failing, readings, moment)

    def _window(self, index: int) -> Window | None:
        within = self.criterion.within
        if within is None:
            return None
        older = self.base.seen if self.base else window.NOTHING

        def before(seen: window.Seen, data_at: datetime) -> window.Seen:
            return window.inside(self._known(index), seen, data_at, within, older)

        return before

    def _known(self, end: int) -> Sequence[MachineState]:
        """The states before a sample, from the one with which a window that ends there can begin."""
        reach = window.REACH * (self.criterion.within or ZERO) + self.limits.blind
        begin = bisect_left(self.times, self.times[end] - reach)
        return [state for state in self.states[max(begin - 1, 0) : end] if state is not None]

    # -- as of a moment ----------------------------------------------------------------------------------------------

    def standing(self, now: datetime) -> MachineState | None:
        """The state reached, as it stands at `now`; of what is past, as it stood then."""
        if self.reached is None or self.past:
            return self.reached
        return standing(self.reached, now)

    def explain(self, reached: MachineState | None, readings: Readings) -> Explanation:
        if reached is not None and self.past:
            return self.explainer.past(reached)
        return self.explainer.explain(reached, self.observed, readings)

    def evaluation(
        self, readings: Readings, reached: MachineState | None, explained: Explanation, now: datetime
    ) -> Evaluation:
        """How it all stands at `now`; `reached` is the state that stands then."""
        blindness = None if self.past else self._blindness(readings, now)
        return Evaluation(
            self.now,
            reached,
            explained,
            blindness,
            self._trips(blindness, readings, now),
            self._left(reached, readings, now),
            self.past,
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
        """What the newest real sample rests on is too old to count, whatever else the probes still see."""
        reached = self.reached
        if reached is None or now <= reached.fresh_until:
            return None
        if self.now.unknown is not None:
            return self.now.unknown
        ages = {probe: now - (readings.histories[probe].newest_data_at or reached.data_at) for probe in self.probes}
        over = {probe: age - readings.histories[probe].allowed(self.limits.stale[probe]) for probe, age in ages.items()}
        oldest = max(over, key=lambda probe: over[probe])
        late = f"{oldest} comes later than {self._measured(readings, oldest)}, or not at all: wait, or see Probes"
        return Unknown(
            Reason.STALE,
            f"the newest data of {oldest} is {formatting.duration(ages[oldest])} old",
            late if readings.probes[oldest].period else f"press r to read {oldest} again; see Probes",
        )

    @staticmethod
    def _measured(readings: Readings, probe: str) -> str:
        settle, lateness = readings.probes[probe].settle, readings.histories[probe].lateness
        if lateness <= settle:
            return f"its settle of {formatting.duration(settle)}"
        return f"its lateness, measured as {formatting.duration(lateness)}"

    def _unreadable(self, readings: Readings) -> Unknown | None:
        if self.now.truth is not None:
            # Truth from the newest polls, but no sample since the phase began: the proof has not begun.
            return None if self.reached is not None else Unknown(Reason.WARMING, "no sample since this phase began")
        if self.reached is not None and readings.tolerated(self.now, self.criterion.error_limit):
            return None
        return self.now.unknown

    def _trips(self, blindness: Unknown | None, readings: Readings, now: datetime) -> tuple[Trip, ...]:
        trips = self.reached.trips if self.reached else ()
        if blindness is None:
            return trips
        since = self.unseen.trips_at(*self._last_seen(readings), self.gaps)
        if since is None or since >= now:
            return trips
        return *trips, Trip(since, unseen=self.reached.observed_at if self.reached else self.begins)

    def _last_seen(self, readings: Readings) -> tuple[datetime, timedelta]:
        """The time of the newest real sample's data, or when it began; and how old data may be to count, as was measured."""
        if self.reached is not None:
            return self.reached.data_at, self.reached.fresh_until - self.reached.data_at
        allowed = (readings.histories[name].allowed(limit) for name, limit in self.limits.stale.items())
        return self.begins, max(allowed, default=ZERO)

    def _left(self, reached: MachineState | None, readings: Readings, now: datetime) -> timedelta | None:
        if reached is None or not reached.state.judging.running:
            return None
        left = time_left(self.criterion, reached, readings.interval(self.probes))
        return left if reached.broken else max(left - (now - reached.observed_at), ZERO)


def time_left(criterion: Criterion, reached: MachineState, interval: timedelta) -> timedelta:
    """Time until the running window ends if every further sample agrees, from the moment of the newest sample."""
    need = criterion.clear_for if reached.state is State.RECOVERING else criterion.needs
    return max(need - reached.have, (criterion.min_samples - reached.samples) * interval, ZERO)


def _as_criterion(item: Item) -> Criterion:
    """An item is a success criterion that holds as soon as it is seen to hold."""
    return Criterion(
        item.id,
        item.title,
        Kind.SUCCESS,
        item.expect,
        item.position,
        gap_tolerance=item.stale_after,
        stale_after=item.stale_after,
    )
