"""Each trigger, proven by playing it: what trips it, how soon and how late, and what could hide it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cockpit.decide.states import State
from cockpit.plan.model import Criterion, OnUnknown, Plan, Severity
from cockpit.stories.plan_slice import plan_slice
from cockpit.stories.proven import Hidden, TriggerProven
from cockpit.stories.short_play import ShortPlay
from cockpit.stories.value_search import Values, ValueSearch
from cockpit.stories.values_for import tripping
from probes.reading import Reason

ZERO, SECOND = timedelta(0), timedelta(seconds=1)
PHASES = 4
"""So many moments between two readings a fault is tried at, where several probes are read; for one, both ends will do."""
LONGEST = timedelta(hours=30)
"""Longer than this nothing is played: then it is undecided."""
HIDING = (Reason.ACCESS_DENIED, Reason.THROTTLED)
"""One reason that lasts, and one that may pass by itself: the others are of one of these kinds."""


@dataclass(frozen=True, slots=True)
class _Tripped:
    """When it tripped after the fault, and on how many bad samples."""

    after: timedelta
    readings: int
    verdict: str


def prove_trigger(plan: Plan, one: Criterion, healthy: Values, search: ValueSearch) -> TriggerProven:
    """What is proven of one trigger."""
    proven = TriggerProven(one.id, one.title, one.position, str(one.severity), one.enforced)
    if one.condition is None:
        return replace(proven, undecided="it has no condition: only a person can call it")
    found = tripping(plan, one.id, search, healthy)
    if found.values is None:
        return proven if found.decided else replace(proven, undecided="no values were found within the bound")
    play = _Play(plan, one, healthy, found.values)
    if play.limit > LONGEST:
        return replace(proven, values=found.values, undecided="its window is longer than what is played")
    seen = [tripped for phase in play.phases() if (tripped := play.tripped(phase)) is not None]
    if not seen:
        return replace(proven, values=found.values)
    soonest = min(seen, key=lambda each: each.after)
    worst = max(each.after for each in seen)
    return replace(
        proven,
        values=found.values,
        readings=min(each.readings for each in seen),
        best=soonest.after,
        worst=worst,
        verdict=_verdict(plan, one, soonest),
        hidden_by=tuple(play.hidden(worst)),
    )


def _verdict(plan: Plan, one: Criterion, tripped: _Tripped) -> str:
    if one.severity is Severity.MAJOR and one.enforced:
        others = [each.id for each in plan.rollback_triggers if each.id != one.id and each.severity is Severity.MAJOR]
        return "HOLD; ROLLBACK with " + " or ".join(others) if others else "HOLD: it is the only major one"
    return tripped.verdict


@dataclass(slots=True)
class _Play:
    plan: Plan
    one: Criterion
    healthy: Values
    values: Values

    @property
    def probes(self) -> tuple[str, ...]:
        return self.one.condition.probes if self.one.condition else ()

    @property
    def pace(self) -> timedelta:
        return max(self.plan.probes[name].pace for name in self.probes)

    @property
    def warm(self) -> timedelta:
        """Until everything it reads has been read and counts."""
        fresh = max(self.plan.probes[name].oldest_fresh for name in self.probes)
        return self.one.initial_delay + 2 * self.pace + fresh

    @property
    def limit(self) -> timedelta:
        """After the fault: by then it has tripped, or never does."""
        window = max(self.one.within or ZERO, self.one.needs)
        stale = max(self.plan.probes[name].stale_after for name in self.probes)
        return 2 * window + (self.one.min_samples + 3) * self.pace + 2 * stale

    def phases(self) -> Iterator[timedelta]:
        """Moments of the fault between two readings: right after one, right before the next, and between."""
        yield SECOND
        for part in range(1, PHASES - 1) if len(self.probes) > 1 else ():
            yield self.pace * part / (PHASES - 1)
        yield self.pace - SECOND

    def _begun(self, phase: timedelta) -> tuple[ShortPlay, datetime]:
        """Healthy until the fault, which falls so long after a whole number of its pace."""
        play = ShortPlay(plan_slice(self.plan, triggers=[self.one]), self.healthy)
        whole = -(-self.warm // self.pace) * self.pace
        fault = play.now + whole + phase
        play.world.set(fault, self.values)
        return play, fault

    def tripped(self, phase: timedelta) -> _Tripped | None:
        play, fault = self._begun(phase)
        if not play.until(lambda _: self._is_tripped(play), fault + self.limit):
            return None
        status = play.situation.criterion(self.one.id)
        turned = next(c.at for c in reversed(play.watch.changes()) if c.subject == self.one.id)
        samples = status.because.progress.samples if status.because.progress else 1
        return _Tripped(_whole(turned - fault), max(samples, 1), str(play.situation.verdict.word))

    def _is_tripped(self, play: ShortPlay) -> bool:
        return play.situation.criterion(self.one.id).state is State.TRIPPED

    def hidden(self, worst: timedelta) -> Iterator[Hidden]:
        """Every blindness of one probe, from just before the fault on, under which it does not trip.

        Why it cannot be read makes a difference only to a trigger that trips for being unseen. `worst`: after the fault, when
        all is seen.
        """
        calls = self.one.on_unknown is OnUnknown.ROLLBACK
        stale = max(self.plan.probes[name].stale_after for name in self.probes)
        limit = worst + 2 * self.pace + ((self.one.unknown_limit or ZERO) + 2 * stale if calls else ZERO)
        for probe in self.probes:
            for reason in HIDING if calls else HIDING[:1]:
                play, fault = self._begun(SECOND)
                play.world.blind(fault - SECOND, probe, reason)
                if not play.until(lambda _, play=play: self._called(play), fault + limit):  # type: ignore[misc]
                    yield Hidden(probe, str(reason), str(play.situation.verdict.word))

    def _called(self, play: ShortPlay) -> bool:
        return self._is_tripped(play) or play.situation.verdict.latch is not None


def _whole(span: timedelta) -> timedelta:
    return timedelta(seconds=round(span.total_seconds()))
