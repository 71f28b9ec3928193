"""What each watched service runs now, and what it ran before its deployment. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cockpit.decide.counted import Counted
from cockpit.decide.events import ReleaseSeen
from cockpit.decide.readings import Readings
from cockpit.decide.situation import ServiceRelease
from probes.reading import Value


def releases(record: Counted, readings: Readings, now: datetime) -> tuple[ServiceRelease, ...]:
    """One for each service that a probe watches, in the order of the plan."""
    before = {(seen.cluster, seen.service): seen for seen in record.all(ReleaseSeen)}
    seen: dict[tuple[str, str], dict[str, Value]] = {}
    for probe, on in readings.services.items():
        values = seen.setdefault((on.cluster, on.service), {})
        latest = readings.latest(probe)
        if latest is not None and now - latest.data_at <= readings.probes[probe].stale_after:
            values |= {name: latest.values[name] for name in _READ if name in latest.values}
    return tuple(_release(key, values, before.get(key)) for key, values in seen.items())


_READ = ("task_definition", "digests", "created_at")
"""Fields of the probes that watch a service; each is of one of them."""


def _release(key: tuple[str, str], values: dict[str, Value], before: ReleaseSeen | None) -> ServiceRelease:
    began = values.get("created_at")
    return ServiceRelease(
        cluster=key[0],
        service=key[1],
        runs=revision(str(values.get("task_definition", ""))),
        digests=tuple(_texts(values.get("digests"))),
        since=began if isinstance(began, datetime) else None,
        before=revision(before.task_definition) if before is not None else "",
        before_digests=tuple(before.digests.split()) if before is not None else (),
        noted_at=before.at if before is not None else None,
    )


def revision(task_definition: str) -> str:
    """
    >>> revision("arn:aws:ecs:us-east-1:123456789012:task-definition/web:41")
    'web:41'
    """
    return task_definition.rpartition("/")[2]


def _texts(value: Value | None) -> Iterator[str]:
    if isinstance(value, tuple):
        yield from value
