"""The cutover's clock. A rehearsal shares it with the cockpit, and it may run faster than real time."""

from __future__ import annotations

import asyncio
import mmap
import os
import struct
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from probes.clients.clock_offset import SHOWN_FROM_S, ClockOffset, MachineTime


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

    def now(self) -> datetime:
        self._asked = True
        return datetime.fromtimestamp(self._origin + self._ticks(), UTC)

    async def sleep(self, duration: timedelta) -> None:
        until = self._ticks() + duration.total_seconds()
        while (left := until - self._ticks()) > 0:  # noqa: ASYNC110 - the time comes from the machine
            await asyncio.sleep(min(left, LONGEST_SLEEP_S))

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
        # A change of speed by another process may land between our reading of the time and its own: never go back for that.
        self._latest = max(self._latest, self._epoch(time.monotonic()))
        return datetime.fromtimestamp(self._latest, UTC)

    def not_before(self, moment: datetime) -> None:
        """Every session reads the one file: its time is never before what another has seen."""

    def correct(self) -> timedelta:
        """A simulated cutover has no other clock."""
        return timedelta(0)

    async def sleep(self, duration: timedelta) -> None:
        """Wait in short real steps, so that a change of speed takes effect at once."""
        until = self.now() + duration
        while (left := (until - self.now()).total_seconds()) > 0:  # noqa: ASYNC110 - the time comes from another process
            await asyncio.sleep(min(max(left / max(self.speed, 1e-9), 0.002), 0.25))
