"""Readings of the past: what a plan's metric probes would have read at each moment of it, due when they would have read it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from cockpit.plan.model import Plan, ProbeSpec
from probes.aws.cloudwatch_periods import MetricParams, PeriodProbe
from probes.clients.metrics import MetricQuery
from probes.clients.past_clients import PastClients
from probes.periods import floor_to
from probes.reading import Reading
from probes.registry import find

Due = tuple[datetime, str, Reading]
"""When a reading would have been made, of which probe."""
_BREATH = 50
"""Readings after which others may go on: a cancelled backtest ends."""


def has_past(spec: ProbeSpec) -> bool:
    """Whether a store keeps what this probe reads: only CloudWatch's metrics do, period by period."""
    return issubclass(find(spec.uses), PeriodProbe)


def why_no_past(spec: ProbeSpec) -> str:
    """Why nothing can be seen of a probe's past."""
    if has_past(spec):
        return ""
    if spec.uses.startswith(("logs.", "s3.uploads")):
        return "log queries are not made again for every minute of the past"
    return "it asks how things are when it is read; nobody kept how they were"


def queries_of(spec: ProbeSpec) -> tuple[MetricQuery, ...]:
    """What a probe with a past asks CloudWatch for."""
    params = find(spec.uses).params_type.model_validate(dict(spec.params))
    assert isinstance(params, MetricParams)
    return params.named()


def past_probe(spec: ProbeSpec, clients: PastClients) -> PeriodProbe[Any]:
    """The probe of the night itself, over clients that answer about the past."""
    kind = find(spec.uses)
    made = kind(kind.params_type.model_validate(dict(spec.params)), clients.elsewhere(spec.region, spec.profile))
    assert isinstance(made, PeriodProbe)
    return made


async def read_past(
    plan: Plan, clients: PastClients, since: datetime, until: datetime, on_read: Callable[[str], None]
) -> Mapping[str, Sequence[Due]]:
    """The readings of every probe with a past, by probe, from `since` to `until`. All are asked at first together, so that
    their series are fetched together. `on_read` is called with each probe that is done."""
    specs = {name: spec for name, spec in plan.probes.items() if has_past(spec)}

    async def of(name: str, spec: ProbeSpec) -> list[Due]:
        found = await _readings(spec, past_probe(spec, clients), since, until)
        on_read(name)
        return found

    found = await asyncio.gather(*(of(name, spec) for name, spec in specs.items()))
    return dict(zip(specs, found, strict=True))


async def _readings(spec: ProbeSpec, probe: PeriodProbe[Any], since: datetime, until: datetime) -> list[Due]:
    """One answer holds as many periods as the probe looks back over; each counts from when it had settled and was next asked
    for, as in the night. Two answers share a period: while the lateness is not known yet, the newest one is held back."""
    step = spec.period * max(probe.params.lookback - 1, 1)
    asked, newest = floor_to(since, spec.period) + spec.settle, None
    found: list[Due] = []
    for number in range(math.ceil((until + spec.settle - asked) / step) + 1):
        reading = await probe.read(asked + number * step)
        if not reading.values and not reading.earlier and reading.data_at == reading.observed_at:
            found.append((reading.observed_at, spec.name, reading))
        else:
            for sample in (*reading.earlier, replace(reading, earlier=())):
                if newest is None or sample.data_at > newest:
                    newest = sample.data_at
                    at = _next_read(spec, since, sample.data_at + spec.settle)
                    found.append((at, spec.name, replace(sample, observed_at=at)))
        if number % _BREATH == 0:
            await asyncio.sleep(0)
    return sorted((due for due in found if due[0] <= until), key=lambda due: due[0])


def _next_read(spec: ProbeSpec, since: datetime, moment: datetime) -> datetime:
    """When it is next read at or after a moment, read from `since` on at its interval."""
    return since + max(math.ceil((moment - since) / spec.interval), 0) * spec.interval


class PastSource:
    """Readings that are there already, each due at its moment: what a `PlayedWatch` goes through."""

    paused = False

    def __init__(self, plan: Plan, readings: Mapping[str, Sequence[Due]], until: datetime) -> None:
        self.slowed: Mapping[str, float] = dict.fromkeys(plan.probes, 1.0)
        self._due = sorted((due for each in readings.values() for due in each), key=lambda due: due[:2])
        self._at, self._until = 0, until

    @property
    def due(self) -> datetime:
        """When the next reading is due; the end of the past after the last."""
        return self._due[self._at][0] if self._at < len(self._due) else self._until

    def take(self, until: datetime) -> list[tuple[str, Reading]]:
        """Every reading due up to `until`, in the order of their moments."""
        found = []
        while self._at < len(self._due) and self._due[self._at][0] <= until:
            _, name, reading = self._due[self._at]
            found.append((name, reading))
            self._at += 1
        return found

    async def readings(self) -> AsyncIterator[tuple[str, Reading]]:
        """Those that are left, at once."""
        for one in self.take(self._until + timedelta(days=1)):
            yield one

    def of_deployment(self, began: Callable[[], datetime | None]) -> None:
        """Nothing of the past depends on it."""

    def probe_now(self, probe: str = "") -> None:
        """It was read when it was read."""

    def toggle_pause(self) -> None:
        """The past does not pause."""

    async def close(self) -> None:
        """There is nothing to close."""
