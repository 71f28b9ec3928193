"""Where played readings come from: it stands where the live source stands, with every probe at its own pace."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush

from cockpit.engine.clock import Clock
from cockpit.engine.poller import interval_after, paced
from cockpit.plan.model import Plan
from cockpit.stories.played_world import PlayedWorld
from probes.reading import Reading

LATENCY_S = 0.05


@dataclass(slots=True)
class _Pace:
    """When one probe is read: as the live source paces it, the same way every time."""

    jitter: random.Random
    slowed: float = 1.0
    newest: datetime | None = None
    """The end of the newest period it has reported."""
    due: datetime | None = field(default=None)


class PlayedSource:
    """Readings of a played world, each due at its own moment: the protocol `Source`."""

    def __init__(self, plan: Plan, world: PlayedWorld, clock: Clock, *, steady: bool = False) -> None:
        """`steady`: exactly at the interval, without the live source's jitter."""
        self.plan, self.world, self.clock = plan, world, clock
        self.paused = False
        self._paces = {name: _Pace(random.Random(name)) for name in plan.probes}
        self._least = 1.0 if steady else 0.97
        self._queue: list[tuple[datetime, str]] = []
        for name in plan.probes:
            self._put(name, clock.now())

    @property
    def slowed(self) -> Mapping[str, float]:
        return {name: pace.slowed for name, pace in self._paces.items()}

    @property
    def due(self) -> datetime:
        """When the next reading is due. A plan has at least one probe."""
        self._drop_old()
        return self._queue[0][0]

    def take(self, until: datetime) -> list[tuple[str, Reading]]:
        """Every reading due up to `until`, in the order of their moments; none while it is paused."""
        found = []
        while not self.paused and self.due <= until:
            at, name = heappop(self._queue)
            found.append((name, self._read(name, at)))
        return found

    def _read(self, name: str, at: datetime) -> Reading:
        spec, pace = self.plan.probes[name], self._paces[name]
        reading = self.world.reading(name, at, pace.newest)
        if reading.values and spec.period:
            pace.newest = reading.data_at if pace.newest is None else max(pace.newest, reading.data_at)
        pace.slowed = paced(pace.slowed, reading)
        interval = interval_after(reading, spec.interval) * pace.slowed * pace.jitter.uniform(self._least, 1.0)
        self._put(name, at + timedelta(seconds=round(interval.total_seconds(), 3)))
        return reading

    def _put(self, name: str, at: datetime) -> None:
        self._paces[name].due = at
        heappush(self._queue, (at, name))

    def _drop_old(self) -> None:
        while self._paces[self._queue[0][1]].due != self._queue[0][0]:
            heappop(self._queue)

    async def readings(self) -> AsyncIterator[tuple[str, Reading]]:
        while True:
            await self.clock.sleep(max(self.due - self.clock.now(), timedelta(0)))
            for name, reading in self.take(self.clock.now()):
                yield name, reading

    def of_deployment(self, began: Callable[[], datetime | None]) -> None:
        """Nothing played depends on it."""

    def probe_now(self, probe: str = "") -> None:
        for name in [probe] if probe else list(self._paces):
            self._put(name, self.clock.now())

    def toggle_pause(self) -> None:
        self.paused = not self.paused
        if not self.paused:
            self.probe_now()

    async def close(self) -> None:
        """There is nothing to close."""
