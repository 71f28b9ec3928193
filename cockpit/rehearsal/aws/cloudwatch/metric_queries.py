"""MetricDataQueries: what GetMetricData and metric-math alarms ask for, answered from the store."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cockpit.rehearsal.aws.cloudwatch.metric_math import Frame, MathError, Series, evaluate, identifiers
from cockpit.rehearsal.aws.cloudwatch.metric_store import Key, MetricStore, key_of
from cockpit.rehearsal.aws.wire.protocols import AwsError

_ID = re.compile(r"[a-z]\w{0,254}")
Query = Mapping[str, Any]


def answer_queries(store: MetricStore, queries: Sequence[Query], start: datetime, end: datetime) -> dict[str, Series]:
    """The series of every query, by id: {period start: value}. Raises AwsError as CloudWatch does."""
    _check(queries)
    found: dict[str, Series] = {}
    waiting = []
    for query in queries:
        if query.get("Expression"):
            waiting.append(query)
        else:
            found[query["Id"]] = _metric(store, query["MetricStat"], start, end)
    fallback = _period(queries)
    while waiting:
        ready = [query for query in waiting if identifiers_of(query) <= found.keys()]
        if not ready:
            unknown = sorted(set().union(*(identifiers_of(query) for query in waiting)) - found.keys())
            raise _invalid(f"Error in expression: there is no metric with id {', '.join(unknown)}")
        for query in ready:
            found[query["Id"]] = _expression(query, found, int(query.get("Period") or fallback), start, end)
        waiting = [query for query in waiting if query["Id"] not in found]
    return found


def metric_key(metric: Mapping[str, Any]) -> Key:
    """The series of a Metric structure."""
    pairs = [(each["Name"], each["Value"]) for each in metric.get("Dimensions") or ()]
    return key_of(metric["Namespace"], metric["MetricName"], pairs)


def identifiers_of(query: Query) -> set[str]:
    """Ids a query's expression refers to. Raises AwsError."""
    try:
        return identifiers(query["Expression"])
    except MathError as error:
        raise _invalid(str(error)) from error


def _metric(store: MetricStore, stat: Mapping[str, Any], start: datetime, end: datetime) -> Series:
    try:
        return store.statistics(metric_key(stat["Metric"]), stat["Stat"], int(stat["Period"]), start, end)
    except KeyError as error:
        raise AwsError("MissingParameter", f"The parameter {error.args[0]} is required.") from error
    except ValueError as error:
        raise AwsError("InvalidParameterValue", str(error)) from error


def _expression(query: Query, found: Mapping[str, Series], period_s: int, start: datetime, end: datetime) -> Series:
    first = int(start.timestamp()) // period_s * period_s
    periods = range(first, int(end.timestamp()), period_s)
    try:
        return evaluate(query["Expression"], Frame(found, periods, period_s))
    except MathError as error:
        raise _invalid(str(error)) from error


def _period(queries: Sequence[Query]) -> int:
    return max((int(query["MetricStat"]["Period"]) for query in queries if query.get("MetricStat")), default=60)


def _check(queries: Sequence[Query]) -> None:
    if not queries:
        raise AwsError("MissingParameter", "The parameter MetricDataQueries is required.")
    if len(queries) > 500:
        raise _invalid(
            f"The collection MetricDataQueries must not have a size greater than 500, it has {len(queries)}."
        )
    seen: set[str] = set()
    for query in queries:
        id_ = str(query.get("Id", ""))
        if not _ID.fullmatch(id_):
            raise _invalid(f"The value {id_} for parameter Id is not valid: it must begin with a small letter.")
        if id_ in seen:
            raise _invalid(f"The values for parameter id in MetricDataQueries are not unique: {id_}.")
        if bool(query.get("Expression")) == bool(query.get("MetricStat")):
            raise _invalid(f"{id_}: exactly one of Expression and MetricStat is required.")
        seen.add(id_)


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationError", message)
