"""A world that is nothing but values over time: what each probe of a plan would read at a moment, and what hinders it. Pure.

Values change at moments and stay. A probe that reads a metric sees the newest period that has closed and settled, with the
value at its end, and the periods it has not reported before; any other sees the values of the moment it asks.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cockpit.plan.model import Plan, ProbeSpec
from cockpit.stories.value_search import Values
from probes.periods import last_closed
from probes.reading import Evidence, Reading, Reason, Unknown, Value

JUST_BEFORE = timedelta(microseconds=1)
MOST_EARLIER = 30
"""Periods one reading carries at most."""
HINTS = {
    Reason.THROTTLED: "wait: it is asked less often",
    Reason.TIMEOUT: "check the network",
    Reason.ACCESS_DENIED: "allow the action, then press r",
    Reason.LOW_VOLUME: "wait for traffic",
}


@dataclass(slots=True)
class Hindrance:
    """From `since` on, and up to `until` where it ends: a probe or field cannot be read, is late, or flaps."""

    target: str
    since: datetime
    until: datetime | None = None
    unknown: Unknown | None = None
    by: timedelta = timedelta(0)
    every: timedelta = timedelta(0)
    value: Value | None = None

    def on(self, at: datetime) -> bool:
        """Whether it hinders at a moment; what flaps does so for the first half of each `every`."""
        if at < self.since or (self.until is not None and at >= self.until):
            return False
        return not self.every or (at - self.since) % self.every < self.every / 2


@dataclass(slots=True)
class _Course:
    """One field over time."""

    times: list[datetime] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)

    def at(self, moment: datetime, otherwise: Value) -> Value:
        index = bisect_right(self.times, moment)
        return self.values[index - 1] if index else otherwise

    def add(self, moment: datetime, value: Value) -> None:
        index = bisect_right(self.times, moment)
        self.times.insert(index, moment)
        self.values.insert(index, value)


class PlayedWorld:
    """The values of a plan's fields over time. What happens is added at its moment, before or while it is read."""

    def __init__(self, plan: Plan, healthy: Values) -> None:
        self.plan = plan
        self.healthy = dict(healthy)
        self.hindrances: list[Hindrance] = []
        self._courses: dict[str, _Course] = {}

    # -- what happens ------------------------------------------------------------------------------------------------

    def set(self, at: datetime, values: Values) -> None:
        """These fields have these values from then on."""
        for path, value in values.items():
            self._courses.setdefault(path, _Course()).add(at, value)

    def blind(self, at: datetime, target: str, reason: Reason, until: datetime | None = None) -> None:
        """A probe, or one of its fields, cannot be read."""
        self.hindrances.append(Hindrance(target, at, until, _unknown(reason)))

    def never(self, path: str, why: str) -> None:
        """No reading has this field: the plan's parameters leave it out."""
        self.hindrances.append(Hindrance(path, datetime.min.replace(tzinfo=UTC), None, Unknown(Reason.NO_DATA, why)))

    def late(self, at: datetime, probe: str, by: timedelta, until: datetime | None = None) -> None:
        """What a probe reads is older by so much."""
        self.hindrances.append(Hindrance(probe, at, until, by=by))

    def flap(
        self,
        at: datetime,
        target: str,
        every: timedelta,
        *,
        value: Value | None = None,
        reason: Reason = Reason.UNREACHABLE,
        until: datetime | None = None,
    ) -> None:
        """A field goes to `value` and back; without one the target cannot be read, and can again."""
        unknown = _unknown(reason) if value is None else None
        self.hindrances.append(Hindrance(target, at, until, unknown, every=every, value=value))

    def restore(self, at: datetime, target: str) -> None:
        """A probe, or one of its fields, is healthy again, and seen in time."""
        for each in self.hindrances:
            if (each.target == target or each.target.startswith(f"{target}.")) and (
                each.until is None or each.until > at
            ):
                each.until = max(at, each.since)
        healthy = {
            path: value for path, value in self.healthy.items() if path == target or path.startswith(f"{target}.")
        }
        self.set(at, {path: value for path, value in healthy.items() if path in self._courses})

    # -- what is read ------------------------------------------------------------------------------------------------

    def value(self, path: str, at: datetime) -> Value:
        for each in reversed(self.hindrances):
            if each.value is not None and each.target == path and each.on(at):
                return each.value
        course = self._courses.get(path)
        return self.healthy[path] if course is None else course.at(at, self.healthy[path])

    def values(self, paths: Iterable[str], at: datetime) -> dict[str, Value]:
        return {path: self.value(path, at) for path in paths}

    def reading(self, probe: str, now: datetime, since: datetime | None) -> Reading:
        """What a probe reads now. `since`: the end of the newest period it reported before, for a metric."""
        spec = self.plan.probes[probe]
        evidence = Evidence(f"played: {spec.uses} {probe}")
        unknown, late = self._hindered(spec, now)
        if len(unknown) == len(spec.fields):
            return Reading(now, now, {}, unknown, evidence)
        if not spec.period:
            at = now - late
            return Reading(now, at, self._seen(spec, at, unknown), unknown, evidence)
        newest = last_closed(now, spec.period, spec.settle + late)
        earlier = []
        end = newest if since is None else max(since + spec.period, newest - MOST_EARLIER * spec.period)
        while end < newest:
            earlier.append(Reading(now, end, self._seen(spec, end - JUST_BEFORE, unknown), unknown))
            end += spec.period
        values = self._seen(spec, newest - JUST_BEFORE, unknown)
        return Reading(now, newest, values, unknown, evidence, earlier=tuple(earlier))

    def _seen(self, spec: ProbeSpec, at: datetime, unknown: Mapping[str, Unknown]) -> dict[str, Value]:
        return {
            each.name: self.value(f"{spec.name}.{each.name}", at) for each in spec.fields if each.name not in unknown
        }

    def _hindered(self, spec: ProbeSpec, now: datetime) -> tuple[dict[str, Unknown], timedelta]:
        """Why which fields cannot be read now, and how late the others are."""
        unknown: dict[str, Unknown] = {}
        late = timedelta(0)
        for each in self.hindrances:
            probe, _, name = each.target.partition(".")
            if probe != spec.name or not each.on(now):
                continue
            late = max(late, each.by)
            if each.unknown is not None:
                unknown |= {f.name: each.unknown for f in spec.fields if not name or f.name == name}
        return unknown, late


def _unknown(reason: Reason) -> Unknown:
    return Unknown(reason, f"played: {reason.traits.help}", HINTS.get(reason, ""))
