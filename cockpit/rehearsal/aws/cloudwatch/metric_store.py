"""CloudWatch's metric points: every value kept for three hours, so that percentiles are exact."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cockpit.rehearsal.aws_profile import COUNTED, MINUTE_S, Delivery

KEPT = timedelta(hours=3)
PUBLICATION_DELAY = timedelta(seconds=30)
_MOST_VALUES = 20_000
"""Values kept of one minute of one series; more than any rehearsal produces, and a bound on memory."""

Dimensions = tuple[tuple[str, str], ...]
Key = tuple[str, str, Dimensions]
"""Namespace, metric, and the dimensions by name."""


@dataclass(slots=True)
class Minute:
    """All values of one series in one minute. `values` are unsorted."""

    values: list[float] = field(default_factory=list)
    unit: str = ""

    def add(self, values: Iterable[float], unit: str) -> None:
        room = _MOST_VALUES - len(self.values)
        self.values.extend(list(values)[:room])
        self.unit = self.unit or unit


class MetricStore:
    """Metric points by series and minute of the world's time.

    A minute shows `publication_delay` after its end, however early its values were put: a real period too fills up
    after it has closed. With a delay of minus one minute everything shows at once. With a `delivery` each minute of each
    metric fills up in its own time, and no sooner than after the delay; of some namespaces there is one point every five minutes.
    """

    def __init__(
        self,
        now: Callable[[], datetime],
        publication_delay: timedelta = PUBLICATION_DELAY,
        delivery: Delivery | None = None,
    ) -> None:
        self._now = now
        self.publication_delay = publication_delay
        self.delivery = delivery
        self._series: dict[Key, dict[int, Minute]] = {}
        self._pruned = 0.0
        self._lock = threading.RLock()

    def put(
        self,
        namespace: str,
        metric: str,
        dimensions: Mapping[str, str],
        at: datetime,
        values: Sequence[float],
        unit: str = "",
    ) -> None:
        """Add values to the minute of `at`. Values that are not finite are refused, as CloudWatch refuses them."""
        if not all(math.isfinite(value) for value in values):
            raise ValueError(f"{namespace} {metric}: values must be finite")
        resolution_s = self._resolution_s(namespace)
        minute = int(at.timestamp()) // resolution_s * resolution_s
        with self._lock:
            series = self._series.setdefault(key_of(namespace, metric, dimensions), {})
            series.setdefault(minute, Minute()).add(values, unit)
            self._prune()

    def statistics(self, key: Key, stat: str, period_s: int, start: datetime, end: datetime) -> dict[int, float]:
        """{period start, epoch seconds: statistic} of periods that begin in [start, end) and show already.

        Periods begin at multiples of their length; one with no value is absent. Raises ValueError for an unknown stat.
        """
        if stat not in _PLAIN:
            _share(stat)
        return {begin: statistic(values, stat) for begin, values in self.periods(key, period_s, start, end).items()}

    def periods(self, key: Key, period_s: int, start: datetime, end: datetime) -> dict[int, list[float]]:
        """The values themselves, by period; rising."""
        first = math.floor(start.timestamp() / period_s) * period_s
        resolution_s = self._resolution_s(key[0])
        until, shown = end.timestamp(), self.shown_until()
        found: dict[int, list[float]] = {}
        with self._lock:
            series = self._series.get(key, {})
            for minute in sorted(series):
                begin = minute // period_s * period_s
                if not (first <= begin < until and minute + resolution_s <= shown):
                    continue
                if values := self._shown(key, minute, series[minute].values):
                    found.setdefault(begin, []).extend(values)
        return found

    def _shown(self, key: Key, minute: int, values: list[float]) -> list[float]:
        """What of a minute's values can be seen by now."""
        if self.delivery is None:
            return values
        namespace, metric, _ = key
        filling = self.delivery.of(namespace, metric, minute)
        age_s = self._now().timestamp() - minute - self._resolution_s(namespace)
        if age_s >= filling.rest_s:
            return values
        if age_s < filling.first_s:
            return []
        if len(values) > 1:
            return values[: len(values) // 2]
        if not metric.startswith(COUNTED):
            return values
        return [half for half in (float(values[0] // 2),) if half]

    def _resolution_s(self, namespace: str) -> int:
        return self.delivery.resolution_s(namespace) if self.delivery else MINUTE_S

    def shown_until(self) -> float:
        """Minutes that end by this epoch second show."""
        return (self._now() - self.publication_delay).timestamp()

    def unit(self, key: Key) -> str:
        """The unit last seen, or "None"."""
        with self._lock:
            minutes = self._series.get(key, {})
            return next((minutes[m].unit for m in sorted(minutes, reverse=True) if minutes[m].unit), "None")

    def listed(self) -> list[Key]:
        """Every series that has a point, in order of name."""
        with self._lock:
            return sorted(key for key, minutes in self._series.items() if minutes)

    def points(self) -> int:
        """Values kept, over everything."""
        with self._lock:
            return sum(len(minute.values) for minutes in self._series.values() for minute in minutes.values())

    def _prune(self) -> None:
        """Forget what is older than three hours; looked at once a minute of the world's time."""
        now = self._now().timestamp()
        if now - self._pruned < MINUTE_S:
            return
        self._pruned = now
        oldest = now - KEPT.total_seconds()
        for key in list(self._series):
            minutes = {minute: held for minute, held in self._series[key].items() if minute >= oldest}
            if minutes:
                self._series[key] = minutes
            else:
                del self._series[key]


def key_of(namespace: str, metric: str, dimensions: Mapping[str, str] | Iterable[tuple[str, str]]) -> Key:
    """The series; the order of dimensions does not matter."""
    pairs = dimensions.items() if isinstance(dimensions, Mapping) else dimensions
    return namespace, metric, tuple(sorted(pairs))


def statistic(values: Sequence[float], stat: str) -> float:
    """Sum, Average, Minimum, Maximum, SampleCount, pNN or tmNN of at least one value.

    >>> [statistic([1, 2, 3, 4], stat) for stat in ("Sum", "Average", "p50", "p99", "tm75")]
    [10.0, 2.5, 2.0, 4.0, 2.0]
    """
    if stat in _PLAIN:
        return _PLAIN[stat](values)
    share = _share(stat)
    ordered = sorted(values)
    rank = max(1, math.ceil(len(ordered) * share / 100 - 1e-9))
    if stat.startswith("p"):
        return float(ordered[rank - 1])
    return math.fsum(ordered[:rank]) / rank


_PLAIN: Mapping[str, Callable[[Sequence[float]], float]] = {
    "Sum": math.fsum,
    "Average": lambda values: math.fsum(values) / len(values),
    "Minimum": lambda values: float(min(values)),
    "Maximum": lambda values: float(max(values)),
    "SampleCount": lambda values: float(len(values)),
}


def _share(stat: str) -> float:
    """95 of p95 or tm95. Raises ValueError for anything that is no statistic."""
    number = stat.removeprefix("tm") if stat.startswith("tm") else stat.removeprefix("p")
    try:
        share = float(number)
    except ValueError:
        share = -1.0
    if number == stat or not 0 <= share <= 100:
        raise ValueError(f"The value {stat} for parameter Stat is not supported.")
    return share


def at_epoch(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
