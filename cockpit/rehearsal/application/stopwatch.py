"""How long a request took in the cutover's time.

A rehearsal runs faster than the wall, so the time a request really computes must not be multiplied by the speed: it
took what it waited for in the world (the LLM, a full pool), plus what the machine needed, unscaled.
"""

from __future__ import annotations

import asyncio
import time
from contextvars import ContextVar
from datetime import timedelta

from cockpit.engine.clock import Clock

_SHORTEST_SLEEP_S = 0.002


class Stopwatch:
    """Runs from its making; `seconds` is in the cutover's time."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._slept = 0.0
        self._waited = 0.0

    async def wait(self, clock: Clock, seconds: float) -> None:
        """Let `seconds` of the cutover's time pass; too short to sleep for, they are only counted."""
        self._waited += seconds
        if seconds / max(clock.speed, 1e-9) < _SHORTEST_SLEEP_S:
            return
        began = time.monotonic()
        await clock.sleep(timedelta(seconds=seconds))
        self._slept += time.monotonic() - began

    async def wait_really(self, real: float, seconds: float) -> None:
        """Sleep `real` seconds of the wall that stand for `seconds` of the cutover's time."""
        self._waited += seconds
        self._slept += real
        await asyncio.sleep(real)

    def add(self, seconds: float) -> None:
        """Count time that passes in the world but not here."""
        self._waited += seconds

    def forget(self, real: float) -> None:
        """Leave out real seconds that stand for time already counted."""
        self._slept += real

    @property
    def seconds(self) -> float:
        return max(0.0, time.monotonic() - self._began - self._slept) + self._waited


running: ContextVar[Stopwatch | None] = ContextVar("stopwatch", default=None)


def current() -> Stopwatch:
    """The stopwatch of the request being served; a new one outside of any."""
    return running.get() or Stopwatch()
