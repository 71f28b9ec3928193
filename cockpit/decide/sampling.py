"""From readings to samples: a condition evaluated as of one data time, and how long the outcome goes on counting."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from datetime import datetime

from cockpit.conditions.condition import Condition
from cockpit.decide.before_phase import BeforePhase, Values
from cockpit.decide.limits import Limits
from cockpit.decide.readings import Readings, in_order, together
from cockpit.decide.state_machine import Sample
from cockpit.plan.model import Criterion
from probes.reading import Reading, Unknown


class Sampler:
    """Takes the samples of one criterion. `watched` are the probes of its conditions, the deciding ones among them.

    Data from before `begins` is not used. `before` is there for a trigger: what failed before its phase is PRE_EXISTING.
    """

    def __init__(
        self,
        criterion: Criterion,
        watched: tuple[str, ...],
        limits: Limits,
        begins: datetime,
        before: BeforePhase | None,
    ) -> None:
        self.criterion = criterion
        self.probes = criterion.condition.probes if criterion.condition else ()
        self.watched = watched
        self.limits = limits
        self.begins = begins
        self.before = before
        self._newest: _Deciding | None = None
        """Of the newest sample: most polls find everything as it was."""

    def copy(self, before: BeforePhase | None) -> Sampler:
        """One that judges by its own view of the time before the phase."""
        twin = copy.copy(self)
        twin.before = before
        return twin

    def sample(self, readings: Readings, moment: datetime) -> Sample | None:
        """The outcome as of `moment`; None where it is unknown."""
        condition, clear = self.criterion.condition, self.criterion.clear_condition
        assert condition is not None
        used, unknown = readings.at(self.watched, moment, self.begins, self.limits.stale)
        values = {probe: reading.values for probe, reading in used.items()}
        deciding = self._deciding(condition, clear, values, unknown)
        truth = deciding.truth
        if truth is None:
            return None
        deciders = {name: used[name] for name in self.probes if name in used}
        ages = {name: reading.data_at for name, reading in deciders.items()}
        newest = deciding.without_the_first(ages)
        before = self.before if truth else None
        return Sample(
            moment=moment,
            data_at=min(ages[name] for name in newest),
            observed_at=self._known_since(readings, {name: used[name] for name in newest}, truth),
            truth=truth,
            holds_until=deciding.longest({name: self._holds(readings, name, used[name]) for name in ages}),
            fresh_until=deciding.longest(
                {name: at + self.limits.stale[name].of(used[name]) for name, at in ages.items()}
            ),
            recovers=deciding.recovers,
            pre_existing=before.state_since(deciders, unknown) if before is not None else None,
        )

    def _deciding(
        self, condition: Condition, clear: Condition | None, values: Values, unknown: Mapping[str, Unknown]
    ) -> _Deciding:
        """What the values come to: worked out where anything the conditions read differs from the sample before."""
        read = condition.read(values, unknown), clear.read(values, unknown) if clear is not None else None
        newest = self._newest
        if newest is None or newest.read != read:
            truth = condition.evaluate(values, unknown).truth
            recovers = truth or clear is None or clear.evaluate(values, unknown).truth is True
            newest = self._newest = _Deciding(condition, values, unknown, truth, recovers=bool(recovers), read=read)
        return newest

    def _known_since(self, readings: Readings, needed: Mapping[str, Reading], truth: bool) -> datetime:
        """Since when it has been known to come out so: a correction with which it still does makes that no later."""
        given = {name: readings.histories[name].answered(reading) for name, reading in needed.items()}
        first_known = max(min(each.times[0] for each in answers) for answers in given.values())
        if all(len(answers) == 1 for answers in given.values()):
            return first_known
        answers, since = {name: in_order(each) for name, each in given.items()}, first_known
        for moment in sorted({each.observed_at for given in answers.values() for each in given}, reverse=True):
            if moment < first_known:
                break
            as_then = {name: [each for each in given if each.observed_at <= moment] for name, given in answers.items()}
            if as_then != answers and self._truth_of(as_then) is not truth:
                break
            since = moment
        return since

    def _truth_of(self, answers: Mapping[str, Sequence[Reading]]) -> bool | None:
        """What these answers alone come to, by probe."""
        condition = self.criterion.condition
        assert condition is not None
        known = {name: together(given) for name, given in answers.items()}
        why = {f"{name}.{of}": reason for name, reading in known.items() for of, reason in reading.unknown.items()}
        return condition.evaluate({name: reading.values for name, reading in known.items()}, why).truth

    def _holds(self, readings: Readings, probe: str, used: Reading) -> datetime:
        """Until when a window goes on with this reading: its gap tolerance, or until the cockpit stopped watching."""
        return readings.watched_until(probe, used.data_at, used.data_at + self.limits.gap[probe].of(used))


class _Deciding:
    """Which of the readings decide by themselves: one slow probe carried along by a fast one is no new sample, and an
    operand that does not matter makes nothing older than it is. `read` is all that this depends on."""

    def __init__(
        self,
        condition: Condition,
        values: Values,
        unknown: Mapping[str, Unknown],
        truth: bool | None,
        *,
        recovers: bool,
        read: object,
    ) -> None:
        self.condition = condition
        self.truth = truth
        self.recovers = recovers
        self.read = read
        self._values = values
        self._unknown = unknown
        self._needed: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._alone: dict[frozenset[str], bool] = {}

    def longest(self, ends: Mapping[str, datetime]) -> datetime:
        """Until when it is decided, if each reading counts until its end: the latest moment of any set that decides."""
        return min(ends[name] for name in self.without_the_first(ends))

    def without_the_first(self, ends: Mapping[str, datetime]) -> tuple[str, ...]:
        """Drop what ends first as long as the rest decides: of every set that decides, this one's first end is the latest.

        Never all of them: no condition comes out without a reading, `compile_condition` refuses it.
        """
        order = tuple(sorted(ends, key=lambda name: (ends[name], name)))
        if len(order) < 2:
            return order
        if order not in self._needed:
            kept = order
            for probe in order:
                fewer = tuple(name for name in kept if name != probe)
                if self._decided_by(frozenset(fewer)):
                    kept = fewer
            self._needed[order] = kept
        return self._needed[order]

    def _decided_by(self, names: frozenset[str]) -> bool:
        """Whether these readings alone come out the same; kept, for the orders by age, by gap and by freshness ask alike."""
        if names not in self._alone:
            values = {name: self._values[name] for name in names}
            self._alone[names] = self.condition.evaluate(values, self._unknown).truth is self.truth
        return self._alone[names]
