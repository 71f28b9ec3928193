"""CloudWatch metrics: kept per minute, read as statistics, percentiles and simple math, visible only once published."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cockpit.rehearsal.cloud.metric_math import evaluate
from cockpit.rehearsal.cloud.protocols import AwsError

Key = tuple[str, str, frozenset[tuple[str, str]]]
MINUTE = 60
KEEP_MINUTES = 240
PUBLISHED_AFTER_S = 30
"""How long after a minute has closed its points can be read."""


class MetricStore:
    """Values per metric and minute. `now` is the world's time in epoch seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._minutes: dict[Key, dict[int, list[float]]] = defaultdict(dict)
        self._lock = threading.Lock()

    def put(
        self,
        namespace: str,
        metric: str,
        dimensions: Mapping[str, str],
        at: datetime,
        values: Sequence[float],
        _unit: str = "",
    ) -> None:
        """Add values of one moment. Old minutes are forgotten."""
        key = (namespace, metric, frozenset(dimensions.items()))
        minute = int(at.timestamp()) // MINUTE
        with self._lock:
            minutes = self._minutes[key]
            minutes.setdefault(minute, []).extend(values)
            if len(minutes) > KEEP_MINUTES + 30:
                oldest = max(minutes) - KEEP_MINUTES
                self._minutes[key] = {m: held for m, held in minutes.items() if m >= oldest}

    def statistics(
        self,
        namespace: str,
        metric: str,
        dimensions: Iterable[tuple[str, str]],
        stat: str,
        period_s: int,
        start: float,
        end: float,
    ) -> dict[int, float]:
        """Period start (epoch) -> value, for published periods in [start, end) that have values."""
        key = (namespace, metric, frozenset(dimensions))
        published = self._now() - PUBLISHED_AFTER_S
        found: dict[int, list[float]] = {}
        with self._lock:
            for minute, values in self._minutes.get(key, {}).items():
                at = minute * MINUTE
                if at + MINUTE > published:
                    continue
                period = at - at % period_s
                if start <= period < end:
                    found.setdefault(period, []).extend(values)
        return {period: statistic(values, stat) for period, values in sorted(found.items()) if values}

    def names(self) -> list[Key]:
        with self._lock:
            return list(self._minutes)


def statistic(values: Sequence[float], stat: str) -> float:
    """
    >>> statistic([1, 2, 3, 4], "Average"), statistic(range(1, 101), "p95")
    (2.5, 95.05)
    """
    simple: dict[str, Callable[[Sequence[float]], float]] = {
        "Sum": sum,
        "Average": lambda held: sum(held) / len(held),
        "Minimum": min,
        "Maximum": max,
        "SampleCount": len,
    }
    if stat in simple:
        return float(simple[stat](values))
    if stat[:1] == "p":
        return _percentile(sorted(values), float(stat[1:]) / 100)
    raise AwsError("InvalidParameterValue", f"Unknown statistic {stat}")


def _percentile(ordered: Sequence[float], share: float) -> float:
    """Linear interpolation between the closest ranks."""
    at = share * (len(ordered) - 1)
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return float(ordered[low] + (ordered[high] - ordered[low]) * (at - low))


class MetricAnswers:
    """The operations of CloudWatch that read and write metrics."""

    def __init__(self, store: MetricStore) -> None:
        self._store = store

    def put_metric_data(self, params: Mapping[str, Any]) -> dict[str, Any]:
        for datum in params.get("MetricData", []):
            values = datum.get("Values") or [datum["Value"]]
            counts = datum.get("Counts") or [1] * len(values)
            spread = [float(v) for v, n in zip(values, counts, strict=True) for _ in range(int(n))]
            at = datum.get("Timestamp") or datetime.fromtimestamp(self._store._now(), UTC)
            self._store.put(str(params["Namespace"]), str(datum["MetricName"]), _dimensions(datum), at, spread)
        return {}

    def get_metric_data(self, params: Mapping[str, Any]) -> dict[str, Any]:
        start, end = _epoch(params["StartTime"]), _epoch(params["EndTime"])
        if start >= end:
            raise AwsError("ValidationError", "The parameter StartTime must be less than the parameter EndTime.")
        queries = params.get("MetricDataQueries", [])
        series: dict[str, dict[int, float]] = {}
        for query in (q for q in queries if "MetricStat" in q):
            series[query["Id"]] = self._stat(query["MetricStat"], start, end)
        for query in (q for q in queries if "Expression" in q):
            series[query["Id"]] = evaluate(str(query["Expression"]), series)
        backwards = params.get("ScanBy", "TimestampDescending") == "TimestampDescending"
        results = []
        for query in queries:
            if query.get("ReturnData", True) is False:
                continue
            points = sorted(series[query["Id"]].items(), reverse=backwards)
            results.append(
                {
                    "Id": query["Id"],
                    "Label": query.get("Label") or query["Id"],
                    "Timestamps": [datetime.fromtimestamp(at, UTC) for at, _ in points],
                    "Values": [value for _, value in points],
                    "StatusCode": "Complete",
                }
            )
        return {"MetricDataResults": results, "Messages": []}

    def _stat(self, stat: Mapping[str, Any], start: float, end: float) -> dict[int, float]:
        metric = stat["Metric"]
        dimensions = _dimensions(metric).items()
        found = self._store.statistics(
            metric["Namespace"], metric["MetricName"], dimensions, stat["Stat"], int(stat["Period"]), start, end
        )
        return dict(found)

    def get_metric_statistics(self, params: Mapping[str, Any]) -> dict[str, Any]:
        start, end = _epoch(params["StartTime"]), _epoch(params["EndTime"])
        dimensions, period = _dimensions(params).items(), int(params["Period"])
        points: dict[int, dict[str, Any]] = {}
        for stat in params.get("Statistics", []):
            found = self._store.statistics(
                params["Namespace"], params["MetricName"], dimensions, stat, period, start, end
            )
            for at, value in found.items():
                points.setdefault(at, {"Timestamp": datetime.fromtimestamp(at, UTC)})[stat] = value
        return {"Label": params["MetricName"], "Datapoints": list(points.values())}

    def list_metrics(self, params: Mapping[str, Any]) -> dict[str, Any]:
        wanted = {(d["Name"], d.get("Value")) for d in params.get("Dimensions", [])}
        metrics = []
        for namespace, name, dimensions in self._store.names():
            if params.get("Namespace") not in (None, namespace) or params.get("MetricName") not in (None, name):
                continue
            if any(
                (key, value) not in dimensions and not (value is None and key in dict(dimensions))
                for key, value in wanted
            ):
                continue
            pairs = [{"Name": key, "Value": value} for key, value in sorted(dimensions)]
            metrics.append({"Namespace": namespace, "MetricName": name, "Dimensions": pairs})
        return {"Metrics": metrics}


def _dimensions(holder: Mapping[str, Any]) -> dict[str, str]:
    return {str(d["Name"]): str(d["Value"]) for d in holder.get("Dimensions") or []}


def _epoch(value: Any) -> float:
    return value.timestamp() if isinstance(value, datetime) else float(value)
