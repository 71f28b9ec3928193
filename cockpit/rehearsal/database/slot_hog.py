"""A job that takes every free connection slot of a database, for real, and holds on to them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import psycopg

_LOOK_AGAIN_S = 0.2


class SlotHog:
    """Opens connections until PostgreSQL refuses, and takes every slot that becomes free again."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._held: list[psycopg.AsyncConnection[Any]] = []
        self._task: asyncio.Task[None] | None = None

    @property
    def held(self) -> int:
        return len(self._held)

    async def seize(self) -> None:
        """Take all there are now, and keep watch for more."""
        if self._task is None:
            await self._fill()
            self._task = asyncio.create_task(self._watch(), name="slot hog")

    async def release(self) -> None:
        """Give all of them back."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        held, self._held = self._held, []
        for connection in held:
            await connection.close()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_AGAIN_S)
            self._held = [connection for connection in self._held if not connection.closed]
            await self._fill()

    async def _fill(self) -> None:
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                opened = await psycopg.AsyncConnection.connect(
                    self._dsn, autocommit=True, application_name="monthly-report"
                )
                self._held.append(opened)
