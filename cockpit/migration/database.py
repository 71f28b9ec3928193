"""Connections that write, for the migration alone: named, with deadlines, never left in a transaction."""

from __future__ import annotations

import socket
from typing import Any

import psycopg

from probes.clients.dsn import admit_connected, libpq_parameters, pinned, restricted_in
from probes.clients.resolver import Resolver
from probes.redact import one_line

STATEMENT_MS = 60_000
Connection = psycopg.AsyncConnection[Any]
GONE = (psycopg.OperationalError, psycopg.InterfaceError)
"""What is raised when the server, or the way to it, is gone."""


async def connect(dsn: str, *, name: str = "cockpit-migration", read_only: bool = False) -> Connection:
    """An autocommitting connection. Raises psycopg's errors, and Unseen for a connection string that cannot be used.

    A link-local or metadata address must be written as such in the string: whoever runs a plan has allowed what it names.
    """
    parameters = libpq_parameters(dsn, STATEMENT_MS)
    options = parameters["options"].replace(
        "default_transaction_read_only=on", f"default_transaction_read_only={'on' if read_only else 'off'}"
    )
    parameters |= {
        # Row-level security that would hide rows is an error, never a shorter answer.
        "options": f"{options} -c lock_timeout=5000 -c row_security=off",
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
    opened = await psycopg.AsyncConnection.connect(**parameters, autocommit=True)  # type: ignore[arg-type]
    admit_connected(opened, resolver)
    return opened


def host_and_name(dsn: str) -> str:
    """What an operator types to name a database: two of one name on two hosts differ.

    >>> host_and_name("postgresql://me:secret@db.example.com:5432/app?schema=public")
    'db.example.com/app'

    Raises Unseen for a connection string that cannot be used.
    """
    held = libpq_parameters(dsn, STATEMENT_MS)
    host = held.get("host") or held.get("hostaddr") or "localhost"
    return f"{host}/{held.get('dbname') or held.get('user') or 'postgres'}"


def words_of(error: BaseException) -> str:
    """A database error on one line, without what it was given."""
    diagnostic = getattr(error, "diag", None)
    primary = diagnostic.message_primary if diagnostic is not None else None
    return one_line(primary or str(error) or type(error).__name__, 200)
