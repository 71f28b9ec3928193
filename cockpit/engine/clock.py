"""The cutover's clock. A rehearsal shares it with the cockpit, and it may run faster than real time."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import mmap
import os
import struct
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol
from weakref import WeakKeyDictionary

from probes.clients.clock_offset import SHOWN_FROM_S, ClockOffset, MachineTime


class Sleepers:
    """All who wait for one clock.

    Nobody knows beforehand when a clock will have come so far, so it is looked at again and again: by one timer for all of
    them. Sixty probe loops that each look by themselves took as long as drawing the screen.
    """

    def __init__(self, now_s: Callable[[], float], again_s: Callable[[float], float]) -> None:
        """`now_s`: the clock. `again_s`: in how many seconds of the event loop to look again, when so many are left on it."""
        self._now_s, self._again_s = now_s, again_s
        self._of: WeakKeyDictionary[asyncio.AbstractEventLoop, _Sleeping] = WeakKeyDictionary()

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has gone on by so much."""
        until = self._now_s() + seconds
        loop = asyncio.get_running_loop()
        if (sleeping := self._of.get(loop)) is None:
            sleeping = self._of[loop] = _Sleeping(self._now_s, self._again_s)
        while self._now_s() < until:
            await sleeping.wait(loop, until)


class _Sleeping:
    """Those of one event loop."""

    def __init__(self, now_s: Callable[[], float], again_s: Callable[[float], float]) -> None:
        self._now_s, self._again_s = now_s, again_s
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        """A heap, the one who is due next first; the number tells those apart who are due at once."""
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self, loop: asyncio.AbstractEventLoop, until: float) -> None:
        entry = until, next(self._numbers), loop.create_future()
        heapq.heappush(self._waiting, entry)
        if self._waiting[0] is entry:
            self._set(loop)
        try:
            await entry[2]
        except asyncio.CancelledError:
            if entry in self._waiting:
                self._waiting.remove(entry)
                heapq.heapify(self._waiting)
            raise

    def _set(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_later(self._again_s(self._waiting[0][0] - self._now_s()), self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now, self._timer = self._now_s(), None
        while self._waiting and self._waiting[0][0] <= now:
            woken = heapq.heappop(self._waiting)[2]
            if not woken.done():
                woken.set_result(None)
        if self._waiting:
            self._set(loop)


class Clock(Protocol):
    """Gives the cutover's time (aware UTC) and waits in it."""

    def now(self) -> datetime: ...

    @property
    def speed(self) -> float:
        """Seconds of the cutover per second of the wall."""
        ...

    async def sleep(self, duration: timedelta) -> None:
        """Wait for `duration` of the cutover's time."""
        ...


class WatchClock(Clock, Protocol):
    """One that a watch can go by: it never goes back, and tells what passed while nobody was watching."""

    @property
    def machine(self) -> MachineTime:
        """The machine it runs on."""
        ...

    def not_before(self, moment: datetime) -> None:
        """From now on be later than `moment`, which an earlier session has seen."""
        ...

    def correct(self) -> timedelta:
        """Put it right by what has been measured since; how far that set it forward at once."""
        ...


SLOWED = 0.1
"""A session that is ahead of the true time lets it catch up by so much of each second: time never goes back."""
LONGEST_SLEEP_S = 1.0
"""Waits are cut so short: the event loop's own time stands still while the machine sleeps."""


class SessionClock:
    """The time of one session of the cockpit: this machine's clock is read once, at the start.

    From there it goes on by ticks, the machine's sleep included: whoever sets the clock meanwhile changes nothing. What is
    measured by others' clocks corrects it: before anybody has asked for the time in either direction at once, later forward
    at once, and back by going more slowly.
    """

    speed = 1.0

    def __init__(self, offset: ClockOffset | None = None) -> None:
        self.offset = offset or ClockOffset()
        """What the others say."""
        self.machine = self.offset.machine
        self._ticks = self.machine.ticks
        self._origin = self.machine.origin()
        """Epoch seconds of tick 0."""
        self._asked = False
        self._corrected = self._ticks()
        self._sleepers = Sleepers(self._ticks, lambda left: min(left, LONGEST_SLEEP_S))

    def now(self) -> datetime:
        self._asked = True
        return datetime.fromtimestamp(self._origin + self._ticks(), UTC)

    async def sleep(self, duration: timedelta) -> None:
        await self._sleepers.sleep(duration.total_seconds())

    def not_before(self, moment: datetime) -> None:
        self._origin = max(self._origin, moment.timestamp() - self._ticks())

    def correct(self) -> timedelta:
        passed, self._corrected = self._ticks() - self._corrected, self._ticks()
        by = self.offset.behind_s(self._origin) or 0.0
        if self._asked:
            by = max(by, -SLOWED * passed)
        self._origin += by
        return timedelta(seconds=max(by, 0.0))

    @property
    def notice(self) -> str:
        """One line for the screen where this machine's clock, or still this session's time, is off; else empty."""
        ahead = -(self.offset.behind_s(self._origin) or 0.0)
        still = f" (still {ahead:.0f} s ahead here, so data looks older than it is)" if ahead > SHOWN_FROM_S else ""
        return self.offset.notice + still if self.offset.notice else still and f"CLOCK:{still}"


class Stopwatch:
    """Cutover time that has really passed: a wall clock that is set forward or back in between adds nothing."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen = clock.now(), time.monotonic()
        self._passed = timedelta(0)

    def passed(self) -> timedelta:
        """Since it was made. Ask often: between two questions the lesser of the clock's and the machine's time counts."""
        now, real = self._clock.now(), time.monotonic()
        by_clock, by_machine = now - self._seen[0], timedelta(seconds=(real - self._seen[1]) * self._clock.speed)
        self._seen = now, real
        self._passed += max(timedelta(0), min(by_clock, by_machine))
        return self._passed


_LAYOUT = struct.Struct("<Qdddd")
_SEQUENCE = struct.Struct("<Q")
NO_END = 1e12
TRIES = 100


class SharedClock:
    """A clock several processes read from one small file: changing its speed changes it for all of them at once.

    The file holds: a sequence number (odd while being written), the monotonic second of the last change, the cutover's
    epoch second at that moment, the speed from then on, and the horizon. Only its creator writes it.

    Left alone it runs on. Driven by `beat`, it runs at most `horizon` real seconds past the last beat: when the driver
    stalls, time stalls with it, so a busy machine makes a rehearsal slower but never makes it misjudge.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.machine = MachineTime()
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _LAYOUT.size)
        self._latest = 0.0
        self._sleepers = Sleepers(self._now_s, lambda left: min(max(left / max(self.speed, 1e-9), 0.002), 0.25))

    @classmethod
    def create(cls, path: Path, speed: float, start: datetime | None = None) -> SharedClock:
        """A new clock that starts at `start` (the wall's time if None), rounded down to a whole minute."""
        epoch = (start or datetime.now(UTC)).replace(second=0, microsecond=0).timestamp()
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(_LAYOUT.pack(0, time.monotonic(), epoch, speed, NO_END))
        return cls(path)

    def _read(self) -> tuple[float, float, float, float]:
        for _ in range(TRIES):
            sequence, real, epoch, speed, horizon = _LAYOUT.unpack_from(self._map)
            if sequence % 2 == 0 and _SEQUENCE.unpack_from(self._map)[0] == sequence:
                return real, epoch, speed, horizon
            time.sleep(0)
        return real, epoch, speed, horizon  # its writer died while writing: the last it wrote is all there is

    def _epoch(self, monotonic: float) -> float:
        real, epoch, speed, horizon = self._read()
        return epoch + min(max(monotonic - real, 0.0), horizon) * speed

    def _write(self, speed: float, horizon: float) -> None:
        sequence = _SEQUENCE.unpack_from(self._map)[0]
        sequence += sequence % 2  # a writer that died while writing left it odd
        now = time.monotonic()
        fresh = _LAYOUT.pack(0, now, self._epoch(now), speed, horizon)
        self._map[: _SEQUENCE.size] = _SEQUENCE.pack(sequence + 1)
        self._map[_SEQUENCE.size : _LAYOUT.size] = fresh[_SEQUENCE.size :]
        self._map[: _SEQUENCE.size] = _SEQUENCE.pack(sequence + 2)

    @property
    def speed(self) -> float:
        return self._read()[2]

    def set_speed(self, speed: float) -> None:
        """Run at another speed from now on; time never jumps and never goes back."""
        self._write(speed, self._read()[3])

    def beat(self, speed: float, horizon_s: float = 0.1) -> None:
        """Go on for at most `horizon_s` real seconds at `speed`; call again before that."""
        self._write(speed, horizon_s)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._now_s(), UTC)

    def _now_s(self) -> float:
        # A change of speed by another process may land between our reading of the time and its own: never go back for that.
        self._latest = max(self._latest, self._epoch(time.monotonic()))
        return self._latest

    def not_before(self, moment: datetime) -> None:
        """Every session reads the one file: its time is never before what another has seen."""

    def correct(self) -> timedelta:
        """A simulated cutover has no other clock."""
        return timedelta(0)

    async def sleep(self, duration: timedelta) -> None:
        """Wait in short real steps, so that a change of speed takes effect at once."""
        await self._sleepers.sleep(duration.total_seconds())
