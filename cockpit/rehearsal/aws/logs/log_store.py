"""Log events by group, kept for three hours; what FilterLogEvents, Insights and metric filters read."""

from __future__ import annotations

import json
import threading
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from itertools import count
from typing import Any

from cockpit.rehearsal.aws.cloudwatch.metric_store import MetricStore
from cockpit.rehearsal.aws.logs.filter_pattern import Matches, compile_pattern
from probes.frozen import frozen

KEPT = timedelta(hours=3)
INGESTION_DELAY = timedelta(seconds=5)
_MOST_EVENTS = 150_000
"""Events kept of one group: a bound on memory, some hours of a busy rehearsal."""
_PRUNE_EVERY = 1_000


@dataclass(eq=False)
class Event:
    """One log event. Times are epoch milliseconds."""

    number: int
    stream: str
    timestamp: int
    ingested: int
    message: str

    def __lt__(self, other: Event) -> bool:
        return self.timestamp < other.timestamp

    @cached_property
    def document(self) -> Any:
        """The message as JSON, or None."""
        if not self.message.lstrip().startswith("{"):
            return None
        try:
            return json.loads(self.message)
        except ValueError:
            return None

    @cached_property
    def fields(self) -> Mapping[str, Any]:
        """The document's members by dotted name: every query reads them again."""
        flat: dict[str, Any] = {}
        if isinstance(self.document, Mapping):
            _flatten(self.document, "", flat)
        return flat


def _flatten(document: Mapping[str, Any], prefix: str, row: dict[str, Any]) -> None:
    for name, value in document.items():
        if isinstance(value, Mapping):
            _flatten(value, f"{prefix}{name}.", row)
        elif isinstance(value, list):
            _flatten({str(place): item for place, item in enumerate(value)}, f"{prefix}{name}.", row)
        elif value is not None:
            row[prefix + name] = value


@frozen
class MetricFilter:
    """A metric filter: what it matches and what it counts."""

    name: str
    matches: Matches
    transformations: tuple[Mapping[str, Any], ...]


@dataclass(slots=True)
class Group:
    events: list[Event] = field(default_factory=list)
    streams: dict[str, int] = field(default_factory=dict)
    """Name and creation, epoch milliseconds."""
    filters: dict[str, MetricFilter] = field(default_factory=dict)


class LogStore:
    """Log events, in order of time within each group. A group comes into being with its first event or stream.

    An event can be read `ingestion_delay` after it was put.
    """

    def __init__(
        self, now: Callable[[], datetime], metrics: MetricStore, ingestion_delay: timedelta = INGESTION_DELAY
    ) -> None:
        self._now = now
        self._metrics = metrics
        self.ingestion_delay = ingestion_delay
        self._groups: dict[str, Group] = {}
        self._numbers = count(1)
        self._lock = threading.RLock()

    def put(self, group: str, stream: str, at: datetime, message: str) -> None:
        """Add one event."""
        now = self._now()
        timestamp, ingested = _milliseconds(at), _milliseconds(now)
        with self._lock:
            held = self._groups.setdefault(group, Group())
            held.streams.setdefault(stream, ingested)
            event = Event(next(self._numbers), stream, timestamp, ingested, message)
            if held.events and timestamp < held.events[-1].timestamp:
                insort(held.events, event)
            else:
                held.events.append(event)
            if event.number % _PRUNE_EVERY == 0:
                self._prune(ingested)
        for filter_ in tuple(held.filters.values()):
            self._count(filter_, event, at)

    def between(self, group: str, start_ms: int, end_ms: int) -> list[Event]:
        """Events with start <= timestamp < end that can be read already, oldest first."""
        readable = _milliseconds(self._now() - self.ingestion_delay)
        with self._lock:
            held = self._groups.get(group)
            if held is None:
                return []
            first = bisect_left(held.events, start_ms, key=_timestamp)
            last = bisect_right(held.events, end_ms - 1, key=_timestamp)
            return [event for event in held.events[first:last] if event.ingested <= readable]

    def create_stream(self, group: str, stream: str) -> bool:
        """False if it was there already."""
        with self._lock:
            streams = self._groups.setdefault(group, Group()).streams
            if stream in streams:
                return False
            streams[stream] = _milliseconds(self._now())
            return True

    def streams(self, group: str) -> Mapping[str, int]:
        """Streams and when they were made, epoch milliseconds."""
        with self._lock:
            return dict(self._groups[group].streams) if group in self._groups else {}

    def delete_stream(self, group: str, stream: str) -> None:
        with self._lock:
            held = self._groups.get(group, Group())
            held.streams.pop(stream, None)
            held.events[:] = [event for event in held.events if event.stream != stream]

    def sizes(self, group: str) -> tuple[int, int]:
        """Metric filters of a group, and bytes of its events as CloudWatch counts them: 26 more each."""
        with self._lock:
            held = self._groups.get(group, Group())
            return len(held.filters), sum(len(event.message) + 26 for event in held.events)

    def delete_group(self, group: str) -> None:
        with self._lock:
            self._groups.pop(group, None)

    def put_filter(self, group: str, name: str, pattern: str, transformations: tuple[Mapping[str, Any], ...]) -> None:
        """From now on, count matching events into the metrics. Raises PatternError."""
        made = MetricFilter(name, compile_pattern(pattern), transformations)
        with self._lock:
            self._groups.setdefault(group, Group()).filters[name] = made

    def delete_filter(self, group: str, name: str) -> None:
        with self._lock:
            self._groups.get(group, Group()).filters.pop(name, None)

    def _count(self, filter_: MetricFilter, event: Event, at: datetime) -> None:
        matched = filter_.matches(event.message, event.document)
        for each in filter_.transformations:
            text = each["metricValue"] if matched else each.get("defaultValue")
            value = _number(text, event.document)
            if value is not None:
                unit = each.get("unit") or "None"
                self._metrics.put(each["metricNamespace"], each["metricName"], {}, at, [value], unit)

    def _prune(self, now_ms: int) -> None:
        oldest = now_ms - int(KEPT.total_seconds() * 1000)
        for held in self._groups.values():
            gone = max(bisect_left(held.events, oldest, key=_timestamp), len(held.events) - _MOST_EVENTS)
            del held.events[: max(gone, 0)]


def _timestamp(event: Event) -> int:
    return event.timestamp


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _number(text: Any, document: Any) -> float | None:
    """A metric value: a number, or `$.field` of the event."""
    if isinstance(text, str) and text.startswith("$."):
        found = next(walk(document, text[2:]), None)
        return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None
    return None if text is None else float(text)


def walk(document: Any, path: str) -> Iterator[Any]:
    """What lies at `a.b` or `a[0].b` in a JSON document; nothing if there is no such place."""
    for step in path.replace("[", ".").replace("]", "").split("."):
        if isinstance(document, Mapping) and step in document:
            document = document[step]
        elif isinstance(document, list) and step.isdigit() and int(step) < len(document):
            document = document[int(step)]
        else:
            return
    yield document
