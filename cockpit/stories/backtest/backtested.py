"""What a backtest found: trips, times of GO, closest approaches, traffic, and what could not be seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta

from cockpit.plan.position import Position
from probes.frozen import frozen
from probes.reading import Field


@frozen
class PastTrip:
    """One time a trigger would have tripped."""

    at: datetime
    """When the cockpit would have shown it."""
    cleared: datetime | None
    """When it was clear again; None where it was not by the end."""
    because: str
    again: int = 0
    """How often it tripped again before it was clear."""


@frozen
class Approach:
    """How near to a limit a field came."""

    path: str
    limit: str
    """Ready to show: "> 5.0 %"."""
    bound: float
    """The limit itself, in the unit of the field."""
    value: float
    text: str
    """Ready to show: "4.2 %"."""
    at: datetime
    share: float | None
    """What of the limit it reached; None for a limit of zero."""
    reached: bool
    """Whether it was beyond the limit: it made a trigger true, or kept a criterion from being met."""


@frozen
class OtherLimit:
    """What the same criterion would have done with another limit."""

    name: str
    """"looser" or "tighter"."""
    condition: str
    trips: tuple[PastTrip, ...] = ()
    met: timedelta = timedelta(0)


@frozen
class PastCriterion:
    """A success criterion or trigger over the past."""

    id: str
    title: str
    position: Position
    is_trigger: bool
    condition: str
    blind: tuple[str, ...] = ()
    """Probes of its condition that have no past: it was judged by the others alone."""
    trips: tuple[PastTrip, ...] = ()
    breaches: int = 0
    """Of a trigger: how often its condition began to be true."""
    longest: timedelta = timedelta(0)
    """Of a trigger: how long its window came to at most without tripping."""
    met: timedelta = timedelta(0)
    """Of a success criterion: for how long it was met in all."""
    unknown: timedelta = timedelta(0)
    """For how long it could not be judged."""
    approaches: tuple[Approach, ...] = ()
    others: tuple[OtherLimit, ...] = ()
    until: timedelta | None = None
    """In a night it is judged for so long after its phase began; of the past, throughout."""


@frozen
class NotSeen:
    """What a backtest cannot see, and why."""

    subject: str
    kind: str
    """"probe", "criterion" or "trigger"."""
    why: str


@frozen
class TrafficHour:
    """One hour of the day, over all days."""

    hour: int
    periods: int
    enough: int
    least: float | None
    most: float | None


@frozen
class PastTraffic:
    """Whether what a probe counts was enough for its share to say anything."""

    probe: str
    of: str
    needed: float
    within: timedelta
    time_zone: str
    hours: tuple[TrafficHour, ...]

    @property
    def periods(self) -> int:
        return sum(each.periods for each in self.hours)

    @property
    def enough(self) -> int:
        return sum(each.enough for each in self.hours)

    @property
    def never(self) -> tuple[int, ...]:
        """Hours in which it never was."""
        return tuple(each.hour for each in self.hours if each.periods and not each.enough)


@frozen
class PastSeries:
    """A field over the past, as it is drawn: values by the end of their period, rising; None where it was not known."""

    path: str
    declared: Field
    points: Sequence[tuple[datetime, float | None]]


@frozen
class Silence:
    """A time without a single period of a probe."""

    probe: str
    since: datetime
    until: datetime


@frozen
class Backtested:
    """A plan over the past, from `since` to `until`."""

    name: str
    digest: str
    since: datetime
    until: datetime
    criteria: tuple[PastCriterion, ...]
    not_seen: tuple[NotSeen, ...]
    go: tuple[tuple[datetime, datetime], ...]
    """When GO could have been had, as far as the seen criteria go."""
    go_rests_on: tuple[str, ...]
    """Success criteria that were wholly seen: GO is of these alone. Empty: nothing can be known about GO."""
    traffic: tuple[PastTraffic, ...] = ()
    silences: tuple[Silence, ...] = ()
    series: tuple[PastSeries, ...] = ()
    asked: Mapping[str, int] = field(default_factory=dict)
    """"series", "calls", "points", "waits"."""
    notes: tuple[str, ...] = ()

    @property
    def triggers(self) -> tuple[PastCriterion, ...]:
        return tuple(each for each in self.criteria if each.is_trigger)

    @property
    def success(self) -> tuple[PastCriterion, ...]:
        return tuple(each for each in self.criteria if not each.is_trigger)

    @property
    def length(self) -> timedelta:
        return self.until - self.since

    def findings(self) -> Iterator[tuple[PastCriterion | None, str]]:
        """What would have gone wrong: a trigger that tripped, a criterion never met, a GO that never could be had."""
        for each in self.triggers:
            if each.trips:
                yield (
                    each,
                    f"would have tripped {len(each.trips)} times" if len(each.trips) > 1 else "would have tripped",
                )
        for each in self.success:
            if not each.met and not each.blind:
                yield each, "was never met"
        if self.go_rests_on and not self.go:
            yield None, "GO could never have been had"
