"""Keeps the rehearsal's time no faster than the machine can follow.

The clock only goes on while it is driven from the cockpit's own loop, so a stall of the cockpit stalls the world too. When a
read takes longer than its share of the cutover's time, the clock slows down for everyone, and says so, instead of letting
probes look late.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from cockpit.engine.clock import SharedClock

BEAT_S = 0.02
HORIZON_S = 0.1
PATIENCE = 6.0
"""Seconds of the cutover one read may take before the clock slows down: well under the shortest interval of a plan."""
NOTICEABLE = 0.85
"""Share of the asked speed below which the screen says that the world lags."""


@dataclass(slots=True)
class Pace:
    """Drives `clock` at `asked` times life, or slower while `waiting_s` (real seconds of the longest read under way) is long."""

    clock: SharedClock
    asked: float
    waiting_s: Callable[[], float]
    average: float = 0.0

    async def run(self) -> None:
        """Beat until cancelled."""
        self.average = self.asked
        while True:
            speed = self.speed()
            self.average += (speed - self.average) * 0.01
            self.clock.beat(speed, HORIZON_S)
            await asyncio.sleep(BEAT_S)

    def speed(self) -> float:
        """The speed the machine can follow now.

        However long a read takes, it costs at most PATIENCE seconds of the cutover, and those it takes in real time: half of
        them pass at full speed, the other half ever more slowly, down to the speed of life itself.
        """
        half = PATIENCE / 2
        late = max(0.0, self.waiting_s() - half / self.asked)
        return max(min(1.0, self.asked), self.asked / (1 + self.asked * late / half) ** 2)

    def notice(self) -> str:
        """What the screen says while the world lags; empty while it keeps up."""
        if self.average < self.asked * NOTICEABLE:
            return f"running at {self.average:.0f}x (asked: {self.asked:.0f}x)"
        return ""
