"""A clock moved by hand."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from cockpit.engine.clock import SessionClock
from probes.clients.clock_offset import ClockOffset, MachineTime
from support.waiting import turns

START = datetime(2026, 3, 1, 22, 0, tzinfo=UTC)


class Undisturbed:
    """What a clock has to say of which nothing passes unseen."""

    real = 0.0

    @property
    def machine(self) -> MachineTime:
        return MachineTime(lambda: self.real, lambda: START.timestamp() + self.real)

    def not_before(self, moment: datetime) -> None: ...

    def correct(self) -> timedelta:
        return timedelta(0)


class HandClock(Undisturbed):
    """Stands still until it is moved; who sleeps wakes when their time has come."""

    speed = 1.0

    def __init__(self, at: datetime = START) -> None:
        self.time = at
        self._sleepers: list[tuple[datetime, asyncio.Event]] = []

    def now(self) -> datetime:
        return self.time

    async def sleep(self, duration: timedelta) -> None:
        woken = asyncio.Event()
        self._sleepers.append((self.time + duration, woken))
        await woken.wait()

    async def move(self, seconds: float) -> None:
        """Let that much time pass, and let everybody do what is due."""
        self.time += timedelta(seconds=seconds)
        due = [woken for until, woken in self._sleepers if until <= self.time]
        self._sleepers = [(until, woken) for until, woken in self._sleepers if until > self.time]
        for woken in due:
            woken.set()
        await settle()

    async def asleep(self, seconds: float) -> None:
        """Let that much time pass in which the machine was asleep."""
        self.real += seconds
        await self.move(seconds)


class Machine:
    """A machine's clock, which can be set, and its ticks, which cannot; both start at `at`'s epoch seconds and 1,000."""

    def __init__(self, at: datetime = START, off: float = 0.0) -> None:
        """`off`: by how many seconds its clock is ahead of the true time `at`."""
        self._began = at
        self.passed = 0.0
        self.off = off
        time = MachineTime(lambda: 1_000 + self.passed, lambda: self.true.timestamp() + self.off)
        self.said = ClockOffset(time)
        self.clock = SessionClock(self.said)

    @property
    def true(self) -> datetime:
        return self._began + timedelta(seconds=self.passed)

    def set_clock(self, by: float) -> None:
        self.off += by

    def ask_the_time(self, by: str = "AWS", source: str = "sts", *, wrong: float = 0.0, took: float = 0.1) -> None:
        """Have somebody say the time, who may be wrong."""
        asked = self.said.machine.ticks()
        self.passed += took
        self.said.measure(by, source, self.true.timestamp() + wrong - took / 2, asked)


class SetClock(HandClock):
    """What a session makes of the true time on a machine whose clock others set; `time` is the true one."""

    def __init__(self, on: Machine) -> None:
        self.on = on
        super().__init__(on.true)

    @property
    def time(self) -> datetime:
        return self.on.true

    @time.setter
    def time(self, moment: datetime) -> None:
        self.on.passed += (moment - self.on.true).total_seconds()

    @property
    def machine(self) -> MachineTime:
        return self.on.said.machine

    def now(self) -> datetime:
        return self.on.clock.now()

    def not_before(self, moment: datetime) -> None:
        self.on.clock.not_before(moment)

    def correct(self) -> timedelta:
        return self.on.clock.correct()


async def settle() -> None:
    """Let every task run until it waits for something."""
    await turns()
