"""CloudWatch Logs: events by group, filtered, queried with Insights, and counted by metric filters."""

from __future__ import annotations

import json
import threading
import uuid
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cockpit.rehearsal.cloud import insights
from cockpit.rehearsal.cloud.metrics import MetricStore
from cockpit.rehearsal.cloud.protocols import AwsError

KEPT = 60_000
"""Events kept per group."""


@dataclass(frozen=True, slots=True)
class Event:
    at: float
    stream: str
    message: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    """The message's own fields where it is JSON, with @message, @timestamp and @logStream."""


@dataclass(slots=True)
class Group:
    events: list[Event] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def between(self, start: float, end: float) -> Sequence[Event]:
        return self.events[bisect_left(self.times, start) : bisect_right(self.times, end)]

    def add(self, event: Event) -> None:
        index = bisect_right(self.times, event.at)
        self.times.insert(index, event.at)
        self.events.insert(index, event)
        if len(self.events) > KEPT:
            del self.events[: KEPT // 4], self.times[: KEPT // 4]


@dataclass(frozen=True, slots=True)
class MetricFilter:
    """Counts the events of a group that contain every one of `terms`."""

    group: str
    terms: tuple[str, ...]
    namespace: str
    metric: str


class LogStore:
    """Events of every group, in order of time."""

    def __init__(self, metrics: MetricStore) -> None:
        self._metrics = metrics
        self._groups: dict[str, Group] = {}
        self._lock = threading.Lock()
        self.metric_filters: list[MetricFilter] = []

    def put(self, group: str, stream: str, at: datetime, message: str) -> None:
        fields: dict[str, Any] = {
            "@message": message,
            "@timestamp": f"{at:%Y-%m-%d %H:%M:%S.000}",
            "@logStream": stream,
        }
        if message.startswith("{"):
            try:
                fields = json.loads(message) | fields
            except ValueError:
                fields["@unparsed"] = "true"
        event = Event(at.timestamp(), stream, message, fields)
        with self._lock:
            self._groups.setdefault(group, Group()).add(event)
        for each in self.metric_filters:
            if each.group == group and all(term in message for term in each.terms):
                self._metrics.put(each.namespace, each.metric, {}, at, [1.0])

    def between(self, group: str, start: float, end: float) -> list[Event]:
        with self._lock:
            held = self._groups.get(group)
            return list(held.between(start, end)) if held else []


class LogAnswers:
    """The operations of CloudWatch Logs that read and write events."""

    def __init__(self, store: LogStore, exists: Callable[[str], bool]) -> None:
        self._store = store
        self._exists = exists
        self._queries: dict[str, dict[str, Any]] = {}

    def put_log_events(self, params: Mapping[str, Any]) -> dict[str, Any]:
        self._known([params["logGroupName"]])
        for event in params.get("logEvents", []):
            at = datetime.fromtimestamp(event["timestamp"] / 1000).astimezone()
            self._store.put(params["logGroupName"], params["logStreamName"], at, event["message"])
        return {"nextSequenceToken": "1"}

    def filter_log_events(self, params: Mapping[str, Any]) -> dict[str, Any]:
        group = str(params["logGroupName"])
        self._known([group])
        start, end = float(params.get("startTime", 0)) / 1000, float(params.get("endTime", 1e16)) / 1000
        terms = _terms(str(params.get("filterPattern", "")))
        found = [e for e in self._store.between(group, start, end) if all(term in e.message for term in terms)]
        events = [
            {"logStreamName": e.stream, "timestamp": int(e.at * 1000), "message": e.message, "eventId": str(index)}
            for index, e in enumerate(found[: int(params.get("limit", 10_000))])
        ]
        return {"events": events, "searchedLogStreams": []}

    def start_query(self, params: Mapping[str, Any]) -> dict[str, Any]:
        groups = params.get("logGroupNames") or [params.get("logGroupName") or ""]
        self._known(groups)
        start, end = float(params["startTime"]), float(params["endTime"])
        events = [event for group in groups for event in self._store.between(group, start, end)]
        try:
            rows, matched = insights.run(str(params["queryString"]), [event.fields for event in events])
        except insights.QueryError as error:
            raise AwsError("MalformedQueryException", str(error)) from None
        query_id = str(uuid.uuid4())
        statistics = {
            "recordsMatched": float(matched),
            "recordsScanned": float(len(events)),
            "bytesScanned": float(sum(len(e.message) for e in events)),
        }
        results = [
            [{"field": key, "value": value} for key, value in row.items()]
            for row in rows[: int(params.get("limit", 1000))]
        ]
        if len(self._queries) > 200:
            self._queries.pop(next(iter(self._queries)))
        self._queries[query_id] = {"status": "Running", "results": results, "statistics": statistics}
        return {"queryId": query_id}

    def get_query_results(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Complete from the first look on: a query takes the time of a round trip here."""
        query = self._queries.get(str(params["queryId"]))
        if query is None:
            raise AwsError("ResourceNotFoundException", f"Query {params['queryId']} does not exist")
        return query | {"status": "Complete"}

    def stop_query(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"success": self._queries.pop(str(params["queryId"]), None) is not None}

    def _known(self, groups: Sequence[Any]) -> None:
        for group in groups:
            if not self._exists(str(group)):
                raise AwsError("ResourceNotFoundException", "The specified log group does not exist.")


def _terms(pattern: str) -> list[str]:
    """Words and quoted phrases that must all occur; other filter syntax is not rehearsed."""
    if any(mark in pattern for mark in "?{%[") or pattern.startswith("-"):
        raise AwsError("InvalidParameterException", f"this filter pattern is not rehearsed: {pattern}")
    parts = pattern.split('"')
    return [part for i, part in enumerate(parts) for part in ([part] if i % 2 else part.split()) if part]
