"""The clock of a story: it stands still between steps, so that a story is the same however fast it is gone through."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from probes.clients.clock_offset import MachineTime

LONGEST_WAIT_S = 0.25
BEGINS = datetime(2026, 1, 1, 22, 0, tzinfo=UTC)
"""When a story begins that nobody watches."""


class StoryClock:
    """The protocol `WatchClock`; only who steps the story moves it."""

    def __init__(self, at: datetime = BEGINS, speed: float = 1.0) -> None:
        self.at = at
        self.speed = speed
        # No real time matters to it: a laptop that slept has slept between two steps.
        self.machine = MachineTime(lambda: 0.0, self._wall)

    def now(self) -> datetime:
        return self.at

    def _wall(self) -> float:
        return self.at.timestamp()

    def not_before(self, moment: datetime) -> None:
        self.at = max(self.at, moment)

    def correct(self) -> timedelta:
        return timedelta(0)

    async def sleep(self, duration: timedelta) -> None:
        until = self.at + duration
        while (left := (until - self.at).total_seconds()) > 0:  # noqa: ASYNC110 - the time comes from the steps
            await asyncio.sleep(min(max(left / self.speed, 0.002), LONGEST_WAIT_S))
