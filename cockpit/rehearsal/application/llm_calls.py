"""The language model as the application sees it: it takes its time, and sometimes it does not answer."""

from __future__ import annotations

import math
import random

from cockpit.engine.clock import Clock
from cockpit.rehearsal.application.stopwatch import current

MODEL = "claude-sonnet"
MEDIAN_S = 3.2
SPREAD = 0.5
"""Sigma of the log-normal duration: with the median of 3.2 s the 95th percentile is 7.3 s, inside the plan's 10 s."""
SLOW_FACTOR = 4.0


class LlmUnavailable(Exception):  # noqa: N818 - what happened, in the vendor's terms
    """The vendor refused: HTTP status, and seconds it took to say so."""

    def __init__(self, status: int, seconds: float) -> None:
        super().__init__(f"the LLM answered {status}")
        self.status = status
        self.seconds = seconds


class Llm:
    """Answers after a log-normal time (the cutover's seconds). `down` and `slow` are faults."""

    def __init__(self, clock: Clock, seed: int = 5) -> None:
        self._clock = clock
        self._chance = random.Random(seed)
        self.down = False
        self.slow = False

    async def answer(self) -> float:
        """Wait for an answer; how long it took, in seconds. Raises LlmUnavailable."""
        if self.down:
            seconds = self._chance.uniform(0.8, 2.5)
            await current().wait(self._clock, seconds)
            raise LlmUnavailable(529, seconds)
        seconds = MEDIAN_S * math.exp(self._chance.gauss(0.0, SPREAD)) * (SLOW_FACTOR if self.slow else 1.0)
        await current().wait(self._clock, seconds)
        return seconds
