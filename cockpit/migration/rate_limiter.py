"""How much at once: as much as S3 takes quickly, less as soon as it objects, never more than memory and the operator allow."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field

FIRST = 32
STEP_S = 2.0
DOUBLING_S = 1.0
HOLD_S = 5.0
ADD = 8
FEWEST = 2
RISE = 1.1
"""Throughput must rise by a tenth for doubling to go on."""
SLOW = 2.0
"""A p95 of twice its best says that more at once only waits longer."""


@dataclass(slots=True)
class Throttle:
    """Adaptive concurrency. `take` before a request, `give` after it; `limit` and `why` are shown to the operator."""

    most: int
    limit: int = FIRST
    in_flight: int = 0
    why: str = "starting"
    p95_s: float = 0.0
    _best_p95: float = 0.0
    _rate: float = 0.0
    _doubling: bool = True
    _hold_until: float = 0.0
    _stepped: float = field(default_factory=time.monotonic)
    _finished: int = 0
    _full: bool = False
    _latencies: deque[float] = field(default_factory=lambda: deque(maxlen=512))
    _waiting: deque[asyncio.Future[None]] = field(default_factory=deque)

    async def take(self) -> None:
        """Wait until one more may be in flight."""
        while self.in_flight >= min(self.limit, self.most):
            self._full = True
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                self._wake()
                raise
        self.in_flight += 1

    def give(self, seconds: float | None) -> None:
        """One is done; `seconds` it took, None when it failed."""
        self.in_flight -= 1
        if seconds is not None:
            self._latencies.append(seconds)
            self._finished += 1
        self._step(time.monotonic())
        self._wake()

    def objected(self) -> None:
        """S3 answered 503 or not at all: half the rate, and no increase for a while."""
        now = time.monotonic()
        self._doubling = False
        if now >= self._hold_until:
            self.limit = max(FEWEST, self.limit // 2)
            self.why = f"S3 throttled: halved to {self.limit}"
            self._hold_until = now + HOLD_S
            self._stepped = now
            self._finished = 0

    def _step(self, now: float) -> None:
        passed = now - self._stepped
        if passed < (DOUBLING_S if self._doubling else STEP_S) or len(self._latencies) < 8:
            return
        ordered = sorted(self._latencies)
        self.p95_s = ordered[int(len(ordered) * 0.95)]
        self._best_p95 = min(self._best_p95 or self.p95_s, self.p95_s)
        rate, before = self._finished / passed, self._rate
        self._stepped, self._finished, self._rate = now, 0, rate
        full, self._full = self._full, False
        if now < self._hold_until:
            return
        if not full:
            self.why = f"{self.limit} concurrent uploads are enough"
        elif self.p95_s > SLOW * self._best_p95 + 0.005 and not self._doubling:
            self.why = f"kept at {self.limit}: more would only add latency"
        elif self._doubling and rate > RISE * before and self.p95_s <= SLOW * self._best_p95 + 0.005:
            self.limit = min(self.most, self.limit * 2)
            self.why = f"doubling while throughput rises: {self.limit}"
        else:
            self._doubling = False
            self.limit = min(self.most, self.limit + ADD)
            self.why = f"growing by {ADD}: {self.limit}" if self.limit < self.most else f"at the limit of {self.most}"
        self._latencies.clear()

    def _wake(self) -> None:
        room = min(self.limit, self.most) - self.in_flight
        while self._waiting and room > 0:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                room -= 1


@dataclass(slots=True)
class Pace:
    """This worker's share of what the whole run may do in a second. 0 means no limit."""

    files_per_s: float = 0.0
    bytes_per_s: float = 0.0
    _free_at: float = 0.0

    async def wait(self, files: int, size: int) -> None:
        """Wait for the time this much work is worth."""
        cost = max(
            files / self.files_per_s if self.files_per_s else 0.0, size / self.bytes_per_s if self.bytes_per_s else 0.0
        )
        if not cost:
            return
        now = time.monotonic()
        begins = max(now, self._free_at)
        self._free_at = begins + cost
        if begins > now:
            await asyncio.sleep(begins - now)
