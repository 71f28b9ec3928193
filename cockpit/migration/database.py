"""Connections that write, for the migration alone: named, with deadlines, never left in a transaction."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from cockpit.migration.sql_files import statement
from probes.clients.dsn import admit_connected, libpq_parameters, pinned, restricted_in
from probes.clients.resolver import Resolver
from probes.redact import one_line

STATEMENT_MS = 60_000
ANSWERS_WITHIN_S = 10.0
"""A server that let a connection in answers its first question in this time, or the connection is given up."""
_NEVER_IDLE = " -c idle_in_transaction_session_timeout=30000"
"""Of workers: one that is stopped in a transaction gives back what it has locked before the application has waited for long."""
_REFUSED_OPTIONS = "unsupported startup parameter"
_BACKEND = statement("backend")
Connection = psycopg.AsyncConnection[Any]
ANSWERED_WITHIN_S = STATEMENT_MS / 1000 + 15
"""The server ends a statement before that: what is not answered by then never will be, though the network takes every byte."""
LONG_ANSWERED_WITHIN_S = 30 * 60 + 15.0
"""The same for what may take long (see `wait_longer`)."""
GONE = (psycopg.OperationalError, psycopg.InterfaceError)
"""What is raised when the server, or the way to it, is gone."""


class AnsweringConnection(psycopg.AsyncConnection[Any]):
    """A connection on which nothing is waited for without end. It is closed where an answer does not come."""

    waits_longer = False
    """Whether a statement is under way that may take long."""

    async def wait(self, gen: Any, *args: Any, **named: Any) -> Any:
        """As psycopg waits. Raises OperationalError where it takes longer than the server would let it."""
        within = LONG_ANSWERED_WITHIN_S if self.waits_longer else ANSWERED_WITHIN_S
        try:
            async with asyncio.timeout(within):
                return await super().wait(gen, *args, **named)
        except TimeoutError:
            self.pgconn.finish()
            raise psycopg.OperationalError(f"the server did not answer within {within:g} s") from None


class Pooled(psycopg.ProgrammingError):
    """A connection pooler stands between here and the database: settings of a session, on which safety rests, would not hold."""

    def __init__(self) -> None:
        super().__init__(
            "a connection pooler (PgBouncer, RDS Proxy ...) answers instead of the database, and settings of a session do not "
            "hold there: name the database's own address in migration.database"
        )


class NotPrimary(psycopg.OperationalError):
    """The server can only be read: a standby, or one that is not promoted yet."""

    def __init__(self) -> None:
        super().__init__("this server is a standby, which nothing can be written to")


async def connect(
    dsn: str, *, name: str = "cockpit-migration", read_only: bool = False, primary: bool = False
) -> Connection:
    """An autocommitting connection. Raises psycopg's errors, Pooled, and Unseen for a connection string that cannot be used.

    With `primary` also NotPrimary, which is to be waited out: after a failover a name leads to the old server for a while.

    A link-local or metadata address must be written as such in the string: whoever runs a plan has allowed what it names.
    """
    parameters = libpq_parameters(dsn, STATEMENT_MS)
    options = parameters["options"].replace(
        "default_transaction_read_only=on", f"default_transaction_read_only={'on' if read_only else 'off'}"
    )
    parameters |= {
        # Row-level security that would hide rows is an error, never a shorter answer. Each statement sees what was committed
        # before it began, whatever role or database are set to: with any other level most would fail beside a live application.
        "options": f"{options} -c lock_timeout=5000 -c row_security=off -c default_transaction_isolation=read\\ committed"
        + (_NEVER_IDLE if primary else ""),
        "application_name": name,
        "connect_timeout": "5",
        "keepalives_interval": "5",
        "keepalives_count": "3",
        "tcp_user_timeout": "20000",
    }
    resolver = Resolver(named=restricted_in(dsn))
    try:
        parameters |= await pinned(parameters, resolver)
    except (socket.gaierror, UnicodeError, ValueError):
        raise psycopg.OperationalError(f"{parameters.get('host', '')}: the name does not resolve") from None
    finally:
        resolver.close()
    try:
        opened = await AnsweringConnection.connect(**parameters, autocommit=True)  # type: ignore[arg-type]
    except psycopg.OperationalError as error:
        if _REFUSED_OPTIONS in str(error):
            raise Pooled from None
        raise
    try:
        admit_connected(opened, resolver)
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            await _look_at_server(opened, primary=primary)
    except TimeoutError:
        await opened.close()
        raise psycopg.OperationalError(f"{parameters.get('host', '')}: it lets in, and answers nothing") from None
    except BaseException:
        await opened.close()
        raise
    return opened


@contextmanager
def waiting_longer(connection: Connection) -> Iterator[None]:
    """Statements in here may take long, as `wait_longer` lets them: their answers are waited for as long."""
    if isinstance(connection, AnsweringConnection):
        connection.waits_longer = True
    try:
        yield
    finally:
        if isinstance(connection, AnsweringConnection):
            connection.waits_longer = False


async def _look_at_server(connection: Connection, *, primary: bool) -> None:
    """Raises Pooled where the process that the server named at the start is not the one that answers, and NotPrimary."""
    row = await (await connection.execute(_BACKEND)).fetchone()
    if row is None or row[0] != connection.info.backend_pid:
        raise Pooled
    if primary and row[1]:
        raise NotPrimary


def host_and_name(dsn: str) -> str:
    """What an operator types to name a database: two of one name on two hosts, or two ports of one, differ.

    >>> host_and_name("postgresql://me:secret@db.example.com:5432/app?schema=public")
    'db.example.com/app'

    Raises Unseen for a connection string that cannot be used.
    """
    held = libpq_parameters(dsn, STATEMENT_MS)
    host = held.get("host") or held.get("hostaddr") or "localhost"
    port = "" if held.get("port", "5432") in ("", "5432") else f":{held['port']}"
    return f"{host}{port}/{held.get('dbname') or held.get('user') or 'postgres'}"


def words_of(error: BaseException) -> str:
    """A database error on one line, without what it was given."""
    diagnostic = getattr(error, "diag", None)
    primary = diagnostic.message_primary if diagnostic is not None else None
    return one_line(primary or str(error) or type(error).__name__, 200)
