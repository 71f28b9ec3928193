"""Each trigger, proven by playing it: what trips it, how soon and how late, and what could hide it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cockpit.decide.states import State
from cockpit.formatting import duration
from cockpit.plan.model import Criterion, OnUnknown, Plan, Severity
from cockpit.plan.probe_limits import never_known
from cockpit.stories.plan_slice import plan_slice
from cockpit.stories.proof.proven import Hidden, TriggerProven
from cockpit.stories.short_play import ShortPlay
from cockpit.stories.value_search import Values, ValueSearch
from cockpit.stories.values_for import tripping
from probes.frozen import frozen
from probes.reading import Reason, Value
from probes.registry import find

ZERO, SECOND = timedelta(0), timedelta(seconds=1)
PHASES = 4
"""So many moments between two readings a fault is tried at, where several probes are read; for one, both ends will do."""
LONGEST = timedelta(hours=30)
"""Longer than this nothing is played: then it is undecided."""
HIDING = (Reason.ACCESS_DENIED, Reason.THROTTLED, Reason.TIMEOUT, Reason.NO_DATA, Reason.NOT_FOUND)
"""One reason of each kind that anything is made of: it lasts; it may pass by itself, and is asked for less often, or sooner
again; there was no traffic; there is no such thing. The others are of one of these kinds."""
LATE = "LATE"
"""Played as well: its data come later than they count."""


@frozen
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
        undecided = "" if found.decided else "no values were found within the bound"
        return replace(proven, undecided=undecided)
    never = _never(plan, one)
    if never and not _may_be_true(one, {**healthy, **found.values}, never):
        return replace(proven, values=found.values, never=tuple(map(": ".join, never.items())))
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
        slow=_slow(plan, one, soonest.after),
        hidden_by=tuple(play.hidden(worst)) if play.hiding_limit(worst) <= LONGEST else (),
        undecided=""
        if play.hiding_limit(worst) <= LONGEST
        else "what hides it: its unknown_limit is longer than what is played",
        blinded=blinded(plan, one),
    )


def _never(plan: Plan, one: Criterion) -> Mapping[str, str]:
    """The fields it reads that no reading of this plan has: that this is so, and why."""
    why = never_known(plan)
    paths = (f"{probe}.{name}" for probe, name in one.condition.paths) if one.condition else ()
    return {f"{path} is never known": why[path] for path in paths if path in why}


def _may_be_true(one: Criterion, values: Values, never: Mapping[str, str]) -> bool:
    """Whether these values make it true without the fields that are never known."""
    assert one.condition is not None
    context: dict[str, dict[str, Value]] = {}
    for probe, name in one.condition.paths:
        if f"{probe}.{name} is never known" not in never:
            context.setdefault(probe, {})[name] = values[f"{probe}.{name}"]
    return one.condition.evaluate(context).truth is True


def _slow(plan: Plan, one: Criterion, best: timedelta) -> str:
    """Why it takes much longer than its window, and what to do: its data are further apart than the window is long, or one
    reading does not carry the window to the next."""
    probes = [plan.probes[name] for name in one.condition.probes] if one.condition else []
    slowest = max(probes, key=lambda spec: spec.pace, default=None)
    if slowest is None or not one.needs:
        return ""
    if slowest.pace <= one.needs:
        if best <= one.needs + 2 * slowest.pace + slowest.delay:
            return ""
        return (
            f"{slowest.name} is read every {duration(slowest.pace)}, and by its gap_tolerance a reading does not carry the "
            f"window that long: for {duration(one.needs)} it takes {duration(best)} at best; leave gap_tolerance out"
        )
    key, data = ("period", "has a point") if slowest.period > slowest.interval else ("interval", "is read")
    return (
        f"{slowest.name} {data} every {duration(slowest.pace)}, its window is {duration(one.needs)}, and it takes "
        f"{duration(best)} at best; give the probe a shorter {key}, or the trigger a longer `for`"
    )


def blinded(plan: Plan, one: Criterion) -> tuple[tuple[str, str], ...]:
    """What is played of a trigger: each probe it reads, unreadable by each kind of reason."""
    found = []
    for name in one.condition.probes if one.condition else ():
        few = [Reason.LOW_VOLUME] if _counted(plan, name) else []
        found += [(name, str(reason)) for reason in (*HIDING, *few)] + [(name, LATE)]
    return tuple(found)


def _counted(plan: Plan, probe: str) -> tuple[str, ...]:
    """The fields of a probe that are LOW_VOLUME where too little is counted."""
    spec = plan.probes[probe]
    kind = find(spec.uses)
    least = kind.least(kind.params_type.model_validate(dict(spec.params)))
    return tuple(f"{probe}.{field}" for field in least.fields) if least is not None else ()


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

        `worst`: after the fault, when all is seen.
        """
        limit = self.hiding_limit(worst)
        for probe, reason in blinded(self.plan, self.one):
            play, fault = self._begun(SECOND)
            self._blind(play, fault - SECOND, probe, reason)
            if not play.until(lambda _, play=play: self._called(play), fault + limit):  # type: ignore[misc]
                yield Hidden(probe, reason, str(play.situation.verdict.word))

    def hiding_limit(self, worst: timedelta) -> timedelta:
        """After the fault: who has not tripped by then is hidden."""
        stale = max(self.plan.probes[name].stale_after for name in self.probes)
        calls = self.one.on_unknown is OnUnknown.ROLLBACK
        return worst + 2 * self.pace + ((self.one.unknown_limit or ZERO) + 2 * stale if calls else ZERO)

    def _blind(self, play: ShortPlay, at: datetime, probe: str, reason: str) -> None:
        if reason == LATE:
            play.world.late(at, probe, 2 * self.plan.probes[probe].stale_after + self.limit)
        elif reason == Reason.LOW_VOLUME:
            for path in _counted(self.plan, probe):
                play.world.blind(at, path, Reason.LOW_VOLUME)
        else:
            play.world.blind(at, probe, Reason(reason))

    def _called(self, play: ShortPlay) -> bool:
        return self._is_tripped(play) or play.situation.verdict.latch is not None


def _whole(span: timedelta) -> timedelta:
    return timedelta(seconds=round(span.total_seconds()))
