"""What readings of the past show beside what was decided: series and limits, nearest approaches, traffic, silences. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from cockpit import formatting
from cockpit.conditions.condition import COMPARE
from cockpit.plan.model import Criterion, Kind, Plan, ProbeSpec
from cockpit.stories.backtest.backtested import Approach, PastSeries, PastTraffic, Silence, TrafficHour
from probes.probe import Least
from probes.reading import Reading, Reason
from probes.registry import find

Samples = Mapping[str, Sequence[Reading]]
JUST_BEFORE = timedelta(microseconds=1)
"""A period that ends on the hour is one of the hour before."""
LEAST_SILENCE = 5
"""Periods without a sample from which on it is worth a line."""
_TOWARD_MORE = frozenset({">", ">=", "=="})


def series_of(plan: Plan, samples: Samples) -> dict[str, PastSeries]:
    """Every numeric field that a condition of the plan compares, by path."""
    compared: dict[str, None] = {}
    for one in plan.criteria():
        for each in one.condition.comparisons if one.condition is not None and "(" not in one.id else ():
            if isinstance(each.literal, float | int) and not isinstance(each.literal, bool):
                compared[each.path] = None
    found = {}
    for path in compared:
        probe, _, name = path.partition(".")
        if probe in samples:
            declared = next(each for each in plan.probes[probe].fields if each.name == name)
            points = [(each.data_at, _number(each, name)) for each in samples[probe] if each.values or each.unknown]
            found[path] = PastSeries(path, declared, points)
    return found


def _number(reading: Reading, name: str) -> float | None:
    value = reading.values.get(name)
    return float(value) if isinstance(value, int | float) else None


def approaches(one: Criterion, series: Mapping[str, PastSeries]) -> Iterator[Approach]:
    """How near each field came to making a trigger true, or by how much it kept (or nearly kept) a criterion from being met."""
    for each in one.condition.comparisons if one.condition is not None else ():
        held = series.get(each.path)
        limit = each.literal
        if held is None or isinstance(limit, bool | str) or each.operator not in COMPARE:
            continue
        known = [(value, at) for at, value in held.points if value is not None]
        if not known:
            continue
        more = (each.operator in _TOWARD_MORE) == (one.kind is Kind.TRIGGER) or each.operator == "=="
        value, at = (max if more else min)(known, key=lambda point: point[0])
        unit = held.declared.unit
        text = formatting.value(value, unit)
        shown = f"{each.operator} {formatting.value(limit, unit)}"
        reached = COMPARE[each.operator](value, limit) == (one.kind is Kind.TRIGGER)
        yield Approach(each.path, shown, float(limit), value, text, at, value / limit if limit else None, reached)


def traffic(plan: Plan, samples: Samples, zone: str) -> Iterator[PastTraffic]:
    """Of each probe that needs a number of something: by hour of the day, how often there was enough."""
    for name, found in samples.items():
        least = _least(plan.probes[name])
        if least is None:
            continue
        hours: dict[int, list[tuple[bool, float | None]]] = {hour: [] for hour in range(24)}
        for each in found:
            if each.values:
                enough = not any(
                    (why := each.unknown.get(field)) is not None and why.reason is Reason.LOW_VOLUME
                    for field in least.fields
                )
                hours[(each.data_at - JUST_BEFORE).astimezone(ZoneInfo(zone)).hour].append(
                    (enough, _number(each, least.counted))
                )
        yield PastTraffic(
            name,
            least.of,
            least.count,
            least.within,
            zone,
            tuple(_hour(hour, periods) for hour, periods in hours.items()),
        )


def _hour(hour: int, periods: Sequence[tuple[bool, float | None]]) -> TrafficHour:
    counts = [count for _, count in periods if count is not None]
    enough = sum(each for each, _ in periods)
    return TrafficHour(hour, len(periods), enough, min(counts, default=None), max(counts, default=None))


def _least(spec: ProbeSpec) -> Least | None:
    kind = find(spec.uses)
    return kind.least(kind.params_type.model_validate(dict(spec.params)))


def silences(plan: Plan, samples: Samples, since: datetime, until: datetime) -> Iterator[Silence]:
    """Times in which a probe had no period for a while: no traffic, or nothing was published."""
    for name, found in samples.items():
        spec = plan.probes[name]
        ends = [since, *(each.data_at for each in found if each.values), until]
        for before, after in pairwise(ends):
            if after - before > LEAST_SILENCE * spec.period + spec.settle + spec.interval:
                yield Silence(name, before, after)
