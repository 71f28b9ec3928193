"""The main value of each criterion over time, from the readings of a record, reduced for drawing; gaps stay gaps."""

from __future__ import annotations

import hashlib
import math
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cockpit.conditions.condition import Comparison
from cockpit.decide.explanation import field_of
from cockpit.journal.reading_segments import whole_file
from cockpit.journal.readings import read
from cockpit.ordinary_file import looked_at
from cockpit.plan.model import Criterion, Plan
from cockpit.report.model import Measure, Point
from cockpit.report.proof import Readings
from probes.reading import Reading

MOST_POINTS, FEWEST_POINTS = 160, 30
"""Of one measure."""
ALL_POINTS = 12_000
"""Of all measures together, about: however large the plan, the report stays one that can be mailed."""
Series = dict[datetime, float | None]


def measured(path: Path, plan: Plan, criteria: Iterable[Criterion]) -> tuple[Mapping[str, Measure], Readings, bool]:
    """Criterion -> its measure; what readings there are; and whether anything was known at all. Raises nothing."""
    if not path.is_file():
        return {}, Readings(problem="the record has no readings"), False
    try:
        whole = whole_file(path)
        chosen = {each.id: main for each in criteria if (main := main_path(plan, each)) is not None}
        series, saw = _series(path, {main for main, _ in chosen.values()})
    except (sqlite3.Error, ValueError, OSError) as error:
        return {}, Readings(problem=f"the readings cannot be read: {error}"), False
    most = max(FEWEST_POINTS, min(MOST_POINTS, ALL_POINTS // max(1, len(chosen))))
    made = {name: _measure(plan, main, limit, series[main], most) for name, (main, limit) in chosen.items()}
    return made, Readings(whole.count, whole.sha256 if whole.count else "", _file_digest(path)), saw


def _file_digest(path: Path) -> str:
    """SHA-256 of the file; empty while part of it lies in the log beside it."""
    log = looked_at(path.with_name(path.name + "-wal"))
    if log is not None and log.st_size:
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main_path(plan: Plan, criterion: Criterion) -> tuple[str, Comparison | None] | None:
    """The value to draw for a criterion: the field it compares with a number (limits first), else its first number or flag."""
    if criterion.condition is None:
        return None
    numeric = [each for each in criterion.condition.comparisons if type(each.literal) in (int, float)]
    if numeric:
        chosen = min(numeric, key=lambda each: each.operator in ("==", "!="))
        return chosen.path, chosen
    for probe, name in criterion.condition.paths:
        if field_of(plan.probes, probe, name).type in (int, float, bool):
            return f"{probe}.{name}", None
    return None


def _series(path: Path, wanted: set[str]) -> tuple[dict[str, Series], bool]:
    """What was known of each path by data time, None where it was not; and whether anything was known of any."""
    names: dict[str, list[str]] = {}
    for each in wanted:
        names.setdefault(each.partition(".")[0], []).append(each.partition(".")[2])
    found: dict[str, Series] = {each: {} for each in wanted}
    saw = False
    for probe, reading in read(path):
        saw = saw or bool(reading.values)
        for name in names.get(probe, ()):
            for sample in (*reading.earlier, reading):
                _take(found[f"{probe}.{name}"], sample, name)
    return found, saw


def _take(series: Series, sample: Reading, name: str) -> None:
    value = sample.values.get(name)
    if isinstance(value, (int, float)) and math.isfinite(value):
        series[sample.data_at] = float(value)
    else:
        series.setdefault(sample.data_at, None)


def _measure(plan: Plan, path: str, limit: Comparison | None, series: Series, most: int) -> Measure:
    probe, _, name = path.partition(".")
    declared = field_of(plan.probes, probe, name)
    unit = "bool" if declared.type is bool else declared.unit
    points, width = coarse(sorted(series.items()), most)
    return Measure(
        path,
        declared.meaning,
        unit,
        limit.operator if limit else "",
        float(limit.literal) if limit else None,
        points,
        max(plan.probes[probe].stale_after, 2.5 * width),
    )


def coarse(series: Sequence[tuple[datetime, float | None]], most: int) -> tuple[tuple[Point, ...], timedelta]:
    """At most so many points, each with the extremes of its stretch; and how long a stretch is (0 where each stands alone).

    >>> day = datetime(2026, 1, 1)
    >>> [p.high for p in coarse([(day + timedelta(n), float(n)) for n in range(6)], 3)[0]]
    [1.0, 3.0, 5.0]
    """
    if len(series) <= most:
        return tuple(Point(at, value, value, value) for at, value in series), timedelta(0)
    began = series[0][0]
    width = (series[-1][0] - began) / most
    stretches: dict[int, list[tuple[datetime, float | None]]] = {}
    for at, value in series:
        stretches.setdefault(min(most - 1, int((at - began) / width)), []).append((at, value))
    return tuple(_point(stretch) for _, stretch in sorted(stretches.items())), width


def _point(stretch: Sequence[tuple[datetime, float | None]]) -> Point:
    known = [value for _, value in stretch if value is not None]
    if not known:
        return Point(stretch[-1][0], None, None, None)
    return Point(stretch[-1][0], min(known), max(known), known[-1])
