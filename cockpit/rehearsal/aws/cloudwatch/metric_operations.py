"""The operations of CloudWatch about metric data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cockpit.rehearsal.aws.cloudwatch.metric_queries import answer_queries, metric_key
from cockpit.rehearsal.aws.cloudwatch.metric_store import MetricStore, at_epoch, statistic
from cockpit.rehearsal.aws.wire.protocols import AwsError
from cockpit.rehearsal.aws.wire.routing import Call
from cockpit.rehearsal.aws.wire.wire_times import moment

_STATISTICS = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
_PAGE = 100_800
"""Points GetMetricData gives at most in one answer."""
_LISTED_PAGE = 500


class MetricAnswers:
    """PutMetricData, GetMetricData, GetMetricStatistics and ListMetrics over the store."""

    def __init__(self, store: MetricStore) -> None:
        self._store = store

    def answers(self) -> Mapping[tuple[str, str], Callable[[Call], Mapping[str, Any]]]:
        return {
            ("monitoring", "PutMetricData"): self.put_metric_data,
            ("monitoring", "GetMetricData"): self.get_metric_data,
            ("monitoring", "GetMetricStatistics"): self.get_metric_statistics,
            ("monitoring", "ListMetrics"): self.list_metrics,
        }

    def put_metric_data(self, call: Call) -> Mapping[str, Any]:
        namespace = call.params["Namespace"]
        for datum in call.params.get("MetricData") or ():
            at = moment(datum["Timestamp"]) if datum.get("Timestamp") else at_epoch(self._now())
            dimensions = {each["Name"]: each["Value"] for each in datum.get("Dimensions") or ()}
            unit = datum.get("Unit") or "None"
            try:
                self._store.put(namespace, datum["MetricName"], dimensions, at, list(_values(datum)), unit)
            except ValueError as error:
                raise AwsError("InvalidParameterValue", str(error)) from error
        return {}

    def get_metric_data(self, call: Call) -> Mapping[str, Any]:
        asked = call.params
        start, end = moment(asked["StartTime"]), moment(asked["EndTime"])
        if start >= end:
            raise AwsError("ValidationError", "The parameter StartTime must be less than the parameter EndTime.")
        queries = asked.get("MetricDataQueries") or []
        found = answer_queries(self._store, queries, start, end)
        rising = asked.get("ScanBy") == "TimestampAscending"
        shown = [query for query in queries if query.get("ReturnData") is not False]
        page = max(1, int(asked.get("MaxDatapoints") or _PAGE) // max(len(shown), 1))
        skip = int(asked.get("NextToken") or 0)
        results, more = [], False
        for query in shown:
            points = sorted(found[query["Id"]].items(), reverse=not rising)
            complete = skip + page >= len(points)
            more = more or not complete
            results.append(_result(query, points[skip : skip + page], complete))
        return {"MetricDataResults": results, "Messages": [], "NextToken": str(skip + page) if more else None}

    def get_metric_statistics(self, call: Call) -> Mapping[str, Any]:
        asked = call.params
        key = metric_key(asked)
        plain, extended = asked.get("Statistics") or [], asked.get("ExtendedStatistics") or []
        if bool(plain) == bool(extended):
            raise AwsError(
                "InvalidParameterCombination", "Exactly one of Statistics and ExtendedStatistics is required."
            )
        start, end = moment(asked["StartTime"]), moment(asked["EndTime"])
        points = []
        for begin, values in self._store.periods(key, int(asked["Period"]), start, end).items():
            point: dict[str, Any] = {"Timestamp": at_epoch(begin), "Unit": self._store.unit(key)}
            try:
                point |= {name: statistic(values, name) for name in plain}
                if extended:
                    point["ExtendedStatistics"] = {name: statistic(values, name) for name in extended}
            except ValueError as error:
                raise AwsError("InvalidParameterValue", str(error)) from error
            points.append(point)
        return {"Label": asked["MetricName"], "Datapoints": points}

    def list_metrics(self, call: Call) -> Mapping[str, Any]:
        asked = call.params
        wanted = {(each["Name"], each.get("Value")) for each in asked.get("Dimensions") or ()}
        found = [
            {
                "Namespace": namespace,
                "MetricName": metric,
                "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions],
            }
            for namespace, metric, dimensions in self._store.listed()
            if asked.get("Namespace") in (None, namespace)
            and asked.get("MetricName") in (None, metric)
            and all(any(name == n and value in (None, v) for n, v in dimensions) for name, value in wanted)
        ]
        skip = int(asked.get("NextToken") or 0)
        more = len(found) > skip + _LISTED_PAGE
        return {"Metrics": found[skip : skip + _LISTED_PAGE], "NextToken": str(skip + _LISTED_PAGE) if more else None}

    def _now(self) -> float:
        return self._store.shown_until() + self._store.publication_delay.total_seconds()


def _values(datum: Mapping[str, Any]) -> Iterator[float]:
    """The values of one datum, however they were sent; a StatisticSet is taken as its extremes and its mean."""
    if datum.get("Values"):
        counts = datum.get("Counts") or [1.0] * len(datum["Values"])
        for value, count in zip(datum["Values"], counts, strict=True):
            yield from [float(value)] * int(count)
    elif datum.get("StatisticValues"):
        statistics = datum["StatisticValues"]
        count, total, low, high = (float(statistics[name]) for name in ("SampleCount", "Sum", "Minimum", "Maximum"))
        yield from [low, high][: int(count)]
        yield from [(total - low - high) / (count - 2)] * int(count - 2) if count > 2 else []
    elif datum.get("Value") is not None:
        yield float(datum["Value"])
    else:
        raise AwsError("InvalidParameterCombination", f"{datum.get('MetricName')}: a value is required.")


def _result(query: Mapping[str, Any], points: list[tuple[int, float]], complete: bool) -> dict[str, Any]:
    stat = query.get("MetricStat")
    label = query.get("Label") or (stat["Metric"]["MetricName"] if stat else query["Id"])
    return {
        "Id": query["Id"],
        "Label": label,
        "Timestamps": [at_epoch(begin) for begin, _ in points],
        "Values": [value for _, value in points],
        "StatusCode": "Complete" if complete else "PartialData",
    }
