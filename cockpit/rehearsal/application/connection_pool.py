"""A connection pool that fails as Prisma's does: P2024 when it is dry, PostgreSQL's words when it may not grow."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg

from cockpit.engine.clock import Clock
from cockpit.rehearsal.application.stopwatch import current

Connection = psycopg.AsyncConnection[Any]
_LEAST_PATIENCE_S = 0.5


class PoolTimeout(Exception):  # noqa: N818 - Prisma's name for it
    """No connection became free in time. Its text is Prisma's."""

    code = "P2024"

    def __init__(self) -> None:
        super().__init__("Timed out fetching a new connection from the connection pool")


@dataclass(slots=True)
class _Idle:
    connection: Connection
    until: datetime


class ConnectionPool:
    """At most `limit` connections, opened when needed, replaced after about `lifetime`, waited for `timeout_s` at most.

    Lifetimes and timeouts are in the cutover's time. So that a busy machine is not mistaken for a dry pool, the timeout is at
    least half a real second, and begins again whenever a connection was given back meanwhile.
    """

    def __init__(
        self,
        dsn: str,
        clock: Clock,
        *,
        limit: int = 20,
        timeout_s: float = 20.0,
        lifetime: timedelta = timedelta(minutes=5),
    ) -> None:
        self._dsn = dsn
        self._clock = clock
        self._timeout_s = timeout_s
        self._lifetime = lifetime
        self._permits = asyncio.Semaphore(limit)
        self._idle: list[_Idle] = []
        self._chance = random.Random(11)
        self._leaked: list[Connection] = []
        self._given_back = 0
        self.leaking = False
        """While true, connections are taken and never given back: the defect that runs a pool dry."""

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """One connection in autocommit. Raises PoolTimeout, or OperationalError when PostgreSQL refuses a new one."""
        await self._permit()
        held: _Idle | None = None
        try:
            held = await self._take()
            yield held.connection
        finally:
            if held is not None and self.leaking:
                self._leaked.append(held.connection)
            else:
                if held is not None:
                    self._give_back(held)
                self._given_back += 1
                self._permits.release()

    async def plug(self) -> None:
        """The leak is over: what was leaked is closed and may be reopened."""
        self.leaking = False
        leaked, self._leaked = self._leaked, []
        for connection in leaked:
            await connection.close()
            self._permits.release()

    async def close(self) -> None:
        await self.plug()
        idle, self._idle = self._idle, []
        for held in idle:
            await held.connection.close()

    async def _permit(self) -> None:
        if not self._permits.locked():  # no waiting, so no deadline: that would cost every request a task of its own
            await self._permits.acquire()
            return
        began, seen = time.monotonic(), -1
        patience_s = max(self._timeout_s / max(self._clock.speed, 1e-9), _LEAST_PATIENCE_S)
        while seen != self._given_back:
            seen = self._given_back
            with suppress(TimeoutError):
                await asyncio.wait_for(self._permits.acquire(), patience_s)
                return
        current().forget(time.monotonic() - began)
        current().add(self._timeout_s)
        raise PoolTimeout

    async def _take(self) -> _Idle:
        now = self._clock.now()
        while self._idle:
            held = self._idle.pop()
            if held.connection.closed:
                continue
            if held.until > now:
                return held
            await held.connection.close()
        connection = await psycopg.AsyncConnection.connect(
            self._dsn, autocommit=True, application_name="transparent-trust-web"
        )
        return _Idle(connection, now + self._lifetime * self._chance.uniform(0.6, 1.0))

    def _give_back(self, held: _Idle) -> None:
        if not held.connection.closed:
            # The oldest unused goes last, so that idle connections age, expire and are replaced like Prisma's.
            self._idle.insert(0, held)


async def discard(connection: Connection) -> None:
    """Close a connection that may already be gone."""
    with suppress(psycopg.Error):
        await connection.close()
