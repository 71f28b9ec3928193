"""A clock moved by hand."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from support.waiting import turns

START = datetime(2026, 3, 1, 22, 0, tzinfo=UTC)


class HandClock:
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


async def settle() -> None:
    """Let every task run until it waits for something."""
    await turns()
