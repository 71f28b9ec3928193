"""PostgreSQL for probes: one read-only connection per database, kept open, with deadlines that always hold."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

from probes.clients.clock_offset import ClockOffset
from probes.clients.dsn import admit_connected, libpq_parameters, pinned, secrets_of
from probes.clients.resolver import Resolver
from probes.clients.side_effects import refuse_side_effects
from probes.clients.sql_errors import ROUTE, PoolFull, connection_lost, unseen_from
from probes.reading import Reason, Unknown, Unseen
from probes.redact import one_line

if TYPE_CHECKING:
    from psycopg import AsyncConnection

    from probes.clients.bounded_connection import BoundedConnection

__all__ = ["PoolFull", "SqlClient"]

Row = dict[str, Any]
Parameters = Sequence[Any] | Mapping[str, Any]
LOCK_TIMEOUT_MS = 1_000
"""A reader that waits for a lock for longer has met a migration of the schema: it must not queue behind it."""
_AT_ONCE = 1_000
"""Rows fetched at once."""
MAX_ROWS = 100_000
"""Nobody reads more, and a statement that makes them without end would fill the memory of the watch."""
_STATE = """SELECT current_setting('transaction_read_only') AS read_only, pg_backend_pid() AS pid,
  (SELECT setting::int FROM pg_settings WHERE name = 'statement_timeout') AS ends_ms,
  (SELECT setting::int FROM pg_settings WHERE name = 'lock_timeout') AS waits_ms,
  extract(epoch FROM clock_timestamp())::float8 AS server_s"""
_READ_ONLY_HINT = "probes only read: one SELECT, on PostgreSQL itself or through a pooler that keeps transactions"
SEVERED_GRACE_S = 0.5
"""How long a query may take to notice that its socket was shut down under it; it needs a few milliseconds."""


class SqlClient:
    """Rows of read-only statements. One connection per DSN, opened at the first question and kept."""

    def __init__(self, named: Collection[str] = (), clock_offset: ClockOffset | None = None) -> None:
        """`named`: link-local and metadata addresses that may be connected to, by who writes them as such.

        `clock_offset`: where it is noted what time the servers say it is.
        """
        self._clock_offset = clock_offset or ClockOffset()
        self._sessions: dict[str, _Session] = {}
        self._resolver = Resolver(named)
        self._closed = False

    async def rows(self, dsn: str, query: str, params: Parameters = (), *, timeout_s: float = 5.0) -> list[Row]:
        """Rows as dictionaries by column name. Raises Unseen; PoolFull when the server has no slot left for us.

        `timeout_s` is real seconds and covers everything: waiting for the connection, opening it, and the answer.
        """
        if self._closed:
            raise Unseen(Unknown(Reason.ERROR, "the connections to databases are closed", "shutting down"))
        session = self._sessions.get(dsn) or self._sessions.setdefault(dsn, self._session(dsn))
        return await session.rows(query, params, timeout_s)

    async def login(self, dsn: str, *, timeout_s: float = 2.0) -> None:
        """Log in once more, and leave at once: what a new client meets, a kept connection cannot see. Raises Unseen."""
        if not self._closed:
            await (self._sessions.get(dsn) or self._sessions.setdefault(dsn, self._session(dsn))).login(timeout_s)

    def pooled(self, dsn: str) -> bool | None:
        """Whether somebody stands between us and the server, as of the last question; None before the first."""
        session = self._sessions.get(dsn)
        return None if session is None else session.pooled

    def _session(self, dsn: str) -> _Session:
        number = f"{len(self._sessions) + 1}"

        def measured(server_s: float, asked: float) -> None:
            self._clock_offset.measure("PostgreSQL", number, server_s, asked)

        return _Session(dsn, self._resolver, self._clock_offset.machine.ticks, measured)

    async def close(self) -> None:
        """Drop every connection at once; never waits for a query that hangs."""
        self._closed = True
        self._resolver.close()
        await asyncio.gather(*(session.close() for session in self._sessions.values()))
        self._sessions.clear()


class _Session:
    """The one connection to one database. Questions queue on its lock."""

    def __init__(
        self, dsn: str, resolver: Resolver, ticks: Callable[[], float], measured: Callable[[float, float], None]
    ) -> None:
        """`measured` is given the epoch second the server says it is, and when it was asked, in `ticks`."""
        self._ticks, self._measured = ticks, measured
        self._dsn = dsn
        self._resolver = resolver
        self._secrets: tuple[str, ...] | None = None
        self._lock = asyncio.Lock()
        self._connection: BoundedConnection | None = None
        self._asking: set[asyncio.Task[list[Row]]] = set()
        self.pooled: bool | None = None
        self._only_look: set[str] = set()
        """Statements whose functions were looked up on this connection."""

    async def rows(self, query: str, params: Parameters, timeout_s: float) -> list[Row]:
        # The question runs in a task of its own: a caller that is cancelled must not cost us the connection, and
        # psycopg answers a cancellation by a cancel request and a wait of up to 10 s.
        task = asyncio.create_task(self._in_turn(query, params, timeout_s), name="sql")
        self._asking.add(task)
        task.add_done_callback(self._finished)
        return await asyncio.shield(task)

    async def login(self, timeout_s: float) -> None:
        from psycopg import Error

        try:
            opened = await self._opened(timeout_s, asyncio.get_running_loop().time() + timeout_s)
        except Error as error:
            raise self._unseen(error) from None
        await opened.close()

    async def close(self) -> None:
        for task in self._asking:
            task.cancel()
        self._sever()
        if self._asking:
            await asyncio.wait(self._asking, timeout=SEVERED_GRACE_S)
        await self._drop()

    def _finished(self, task: asyncio.Task[list[Row]]) -> None:
        self._asking.discard(task)
        if not task.cancelled():
            task.exception()  # nobody may be waiting any more

    async def _in_turn(self, query: str, params: Parameters, timeout_s: float) -> list[Row]:
        deadline = asyncio.get_running_loop().time() + timeout_s
        try:
            async with asyncio.timeout_at(deadline):
                await self._lock.acquire()
        except TimeoutError:
            detail = f"an earlier query kept the connection busy for {timeout_s:g} s"
            raise Unseen(Unknown(Reason.TIMEOUT, detail, "see the other probes of this database")) from None
        try:
            return await self._answer(query, params, timeout_s, deadline)
        finally:
            self._lock.release()

    async def _answer(self, query: str, params: Parameters, timeout_s: float, deadline: float) -> list[Row]:
        """Ask; if the connection kept open turns out to be dead (a restart), open another once and ask again."""
        from psycopg import Error

        kept = self._connection is not None
        while True:
            try:
                connection = await self._connected(timeout_s, deadline)
                return await self._ask(connection, query, params, timeout_s, deadline)
            except Error as error:
                lost = connection_lost(error) or (self._connection is not None and self._connection.closed)
                if lost:
                    await self._drop()
                if not (lost and kept):
                    raise self._unseen(error) from None
                kept = False

    async def _connected(self, timeout_s: float, deadline: float) -> BoundedConnection:
        if self._connection is None or self._connection.closed:
            await self._drop()
            self._connection = await self._opened(timeout_s, deadline)
            self._only_look.clear()
        return self._connection

    async def _opened(self, timeout_s: float, deadline: float) -> BoundedConnection:
        from psycopg.conninfo import make_conninfo
        from psycopg.rows import dict_row

        from probes.clients.bounded_connection import BoundedConnection

        parameters = libpq_parameters(self._dsn, _statement_timeout_ms(timeout_s))
        try:
            async with asyncio.timeout_at(deadline):
                parameters |= await pinned(parameters, self._resolver)
                opened = await BoundedConnection.connect(
                    make_conninfo("", **parameters), autocommit=True, row_factory=dict_row, prepare_threshold=None
                )
        except TimeoutError:
            detail = f"no connection to the database within {timeout_s:g} s"
            raise Unseen(Unknown(Reason.TIMEOUT, detail, ROUTE)) from None
        except (socket.gaierror, UnicodeError, ValueError):
            detail = one_line(f"{parameters.get('host', '')}: the name does not resolve")
            hint = "check the address, DNS, and whether the VPN is up"
            raise Unseen(Unknown(Reason.UNREACHABLE, detail, hint)) from None
        admit_connected(opened, self._resolver)
        return opened

    async def _ask(
        self, connection: BoundedConnection, query: str, params: Parameters, timeout_s: float, deadline: float
    ) -> list[Row]:
        """Run the statement; at the deadline shut the socket down: nothing else ends the wait at once."""
        work = asyncio.create_task(self._execute(connection, query, params, timeout_s), name="sql-execute")
        try:
            await asyncio.wait({work}, timeout=max(0.0, deadline - asyncio.get_running_loop().time()))
        finally:
            if not work.done():
                self._sever()
                await asyncio.wait({work}, timeout=SEVERED_GRACE_S)
                await self._drop()
                work.add_done_callback(lambda task: task.cancelled() or task.exception())
        if not work.done() or self._connection is None:
            detail = f"the database did not answer within {timeout_s:g} s"
            raise Unseen(Unknown(Reason.TIMEOUT, detail, "server or network hang; the connection is opened again"))
        return work.result()

    async def _execute(
        self, connection: BoundedConnection, query: str, params: Parameters, timeout_s: float
    ) -> list[Row]:
        """One statement, in a transaction that the server has confirmed to be read-only; rolled back always."""
        from psycopg.pq import TransactionStatus

        connection.taken = 0
        try:
            await self._begin_read_only(connection, _statement_timeout_ms(timeout_s))
            if query not in self._only_look:
                await refuse_side_effects(connection, query, params)
                self._only_look.add(query)
            # Streaming uses the extended protocol, in which the server takes exactly one statement. Without parameters
            # psycopg must not look for placeholders: `LIKE 'a%'` is meant as it stands.
            rows: list[Row] = []
            asked = connection.cursor().stream(query.encode(), params or None, size=_AT_ONCE)
            async with aclosing(cast("AsyncGenerator[Row]", asked)) as answer:
                async for row in answer:
                    if len(rows) == MAX_ROWS:
                        raise Unseen(Unknown(Reason.ERROR, f"more than {MAX_ROWS:,} rows", "count them in the query"))
                    rows.append(row)
            await self._still_read_only(connection)
            return rows
        finally:
            if not connection.closed and connection.info.transaction_status is not TransactionStatus.IDLE:
                await connection.execute("ROLLBACK")

    async def _begin_read_only(self, connection: AsyncConnection[Row], limit_ms: int) -> None:
        """Begin, and check what the server made of it: a pooler ignores connection options, and so may a proxy."""
        begin = (
            f"BEGIN READ ONLY; SET LOCAL statement_timeout = {limit_ms}; SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}; "
            f"{_STATE}"
        )
        asked = self._ticks()
        cursor = await connection.execute(begin.encode())
        while cursor.nextset():
            pass  # the last result is the state
        state = await cursor.fetchone()
        if state is not None:
            self._measured(state.pop("server_s"), asked)
            # Whoever takes connections in the server's place names a process of its own when one is opened.
            self.pooled = state.pop("pid") != connection.info.backend_pid
        if state != {"read_only": "on", "ends_ms": limit_ms, "waits_ms": LOCK_TIMEOUT_MS}:
            raise Unseen(Unknown(Reason.ERROR, "the database did not begin a read-only transaction", _READ_ONLY_HINT))

    async def _still_read_only(self, connection: AsyncConnection[Row]) -> None:
        """The answer counts only if the statement left the transaction as it was."""
        from psycopg.pq import TransactionStatus

        state = None
        if connection.info.transaction_status is TransactionStatus.INTRANS:
            state = await (await connection.execute(_STATE.encode())).fetchone()
        if state is None or state["read_only"] != "on":
            raise Unseen(
                Unknown(Reason.ERROR, "the statement ended or changed its read-only transaction", _READ_ONLY_HINT)
            )

    def _sever(self) -> None:
        """Shut the socket down under libpq, so that whoever waits on it wakes at once."""
        if self._connection is None or self._connection.closed:
            return
        with socket.socket(fileno=os.dup(self._connection.pgconn.socket)) as wire:
            try:
                wire.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # the other side was faster

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    def _unseen(self, error: Any) -> Unseen:
        if self._secrets is None:
            self._secrets = secrets_of(self._dsn)
        return unseen_from(error, self._secrets)


def _statement_timeout_ms(timeout_s: float) -> int:
    """A little less than our own deadline, so that a slow query ends on the server and the connection stays."""
    return max(100, int(timeout_s * 800))
