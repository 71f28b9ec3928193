"""What PostgreSQL says when it cannot answer, in the cockpit's words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from probes.reading import Reason, Unknown, Unseen
from probes.redact import HIDDEN, one_line

if TYPE_CHECKING:
    from psycopg import Error

POOL_FULL = re.compile(
    r"too many clients already|remaining connection slots are reserved|too many connections for database", re.IGNORECASE
)
"""SQLSTATE 53300 as the server words it: libpq does not expose the SQLSTATE of a refused connection."""
_ROLE_FULL = re.compile(r'too many connections for role "?([^"\s]+)', re.IGNORECASE)
_NO_TLS = re.compile(r"no pg_hba\.conf entry for .*(no encryption|SSL off)", re.IGNORECASE)
"""How the server refuses a client without TLS; RDS does where rds.force_ssl is 1, as it is from PostgreSQL 15 on."""
_STARTING = re.compile(
    r"the database system is (starting up|shutting down|in recovery mode|not yet accepting)", re.IGNORECASE
)
_AUTH = re.compile(
    r"authentication failed|no pg_hba\.conf entry|role \S+ does not exist|no password supplied|not permitted to log in",
    re.IGNORECASE,
)
_NO_DATABASE = re.compile(r'database "([^"]+)" does not exist', re.IGNORECASE)
_TLS = re.compile(r"certificate|SSL|TLS", re.IGNORECASE)
_DNS = re.compile(r"failed to resolve host|could not translate host name", re.IGNORECASE)
_REFUSED = re.compile(
    r"refused|no route to host|network is unreachable|reset by peer|closed the connection unexpectedly", re.IGNORECASE
)
_PGBOUNCER = re.compile(r"unsupported startup parameter", re.IGNORECASE)
_SUBJECT = re.compile(r"permission denied for (\w+|materialized view) (\S+)", re.IGNORECASE)


ROUTE = "check the route: VPN, security group, address"


class PoolFull(Unseen):
    """The server has no connection slot left (SQLSTATE 53300): seen from outside, this *is* the exhausted pool."""


class RoleFull(Unseen):
    """The role we log in by is at its own CONNECTION LIMIT. Whether that is the application's is not known from this alone."""

    def __init__(self, unknown: Unknown, role: str) -> None:
        super().__init__(unknown)
        self.role = role


def connection_lost(error: Error) -> bool:
    """Whether the connection itself is gone, and a new one is worth trying."""
    from psycopg import InterfaceError, OperationalError

    if state := error.sqlstate:
        return state.startswith("08") or state in ("57P01", "57P02", "57P03", "57P05", "25P03")
    return isinstance(error, OperationalError | InterfaceError)


def unseen_from(error: Error, secrets: Sequence[str] = ()) -> Unseen:
    """The Unseen for an error of psycopg; `secrets` are cut out of the server's text."""
    from psycopg import errors

    text = _server_text(error, secrets)
    if isinstance(error, errors.ConnectionTimeout):
        return _is(Reason.TIMEOUT, "no answer while connecting to the database", ROUTE)
    if error.sqlstate:
        return _by_state(error.sqlstate, text)
    if connection_lost(error):
        return _by_words(text)
    return _is(Reason.ERROR, text, "the query and its parameters do not fit each other")


def _by_state(state: str, text: str) -> Unseen:
    detail = f"{text} (SQLSTATE {state})"
    match state:
        case "53300":
            return _by_words(text) if _ROLE_FULL.search(text) else _full(detail)
        case "42501":
            return _is(Reason.ACCESS_DENIED, detail, _grant(text))
        case "42P01" | "42703" | "42883" | "3F000" | "3D000" | "42704":
            return _is(
                Reason.NOT_FOUND,
                detail,
                "wrong database or schema, or a migration has not run (CamelCase needs quotes)",
            )
        case "57014":
            return _is(Reason.TIMEOUT, detail, "the query is too slow for its deadline: narrow it")
        case "25006":
            return _is(Reason.ERROR, detail, "the query writes; probes only read")
        case "42601" if "multiple commands" in text:
            return _is(Reason.ERROR, detail, "a probe sends one statement: leave out the ';' and what follows it")
        case "08P01" if "transaction blocks" in text:
            return _is(Reason.ERROR, detail, "this pooler keeps no transactions: connect to the database itself")
        case "55P03":
            return _is(Reason.TIMEOUT, detail, "another session holds the lock")
    if state.startswith("28"):
        if _NO_TLS.search(text):
            return _by_words(text)
        return _is(Reason.ACCESS_DENIED, detail, "check the user and the password in the connection string")
    if state.startswith("08") or state in ("57P01", "57P02", "57P03"):
        return _is(Reason.UNREACHABLE, detail, "the database restarts or fails over; it is tried again")
    return _is(Reason.ERROR, detail, "run the query in psql to see why")


def _by_words(text: str) -> Unseen:
    """A refused connection carries no SQLSTATE, only words."""
    if match := _ROLE_FULL.search(text):
        role = match.group(1).strip('"')
        hint = f'raise the role\'s own limit: ALTER ROLE "{role}" CONNECTION LIMIT -1'
        return RoleFull(Unknown(Reason.ERROR, text, hint), role)
    if POOL_FULL.search(text):
        return _full(text)
    if match := _NO_DATABASE.search(text):
        return _is(Reason.NOT_FOUND, text, f'there is no database "{match.group(1)}" on that server')
    if _NO_TLS.search(text):
        hint = "the server takes TLS only (on RDS rds.force_ssl = 1): add sslmode=verify-full or sslmode=require"
        return _is(Reason.ACCESS_DENIED, text, hint)
    if _AUTH.search(text):
        return _is(Reason.ACCESS_DENIED, text, "check the user, the password and pg_hba.conf (or rds-db:connect)")
    if _STARTING.search(text):
        return _is(Reason.UNREACHABLE, text, "the database restarts or fails over; it is tried again")
    if _DNS.search(text):
        return _is(Reason.UNREACHABLE, text, "the name does not resolve: check the address, DNS and VPN")
    if _PGBOUNCER.search(text):
        return _is(Reason.ERROR, text, "connect to the database itself, not through PgBouncer")
    if _REFUSED.search(text):
        return _is(Reason.UNREACHABLE, text, "nothing answers there: check the address, port, security group and VPN")
    if _TLS.search(text):
        return _is(Reason.ERROR, text, "check sslmode and the certificate authority in the connection string")
    return _is(Reason.UNREACHABLE, text or "the connection was lost", "it is opened again at the next reading")


def _grant(text: str) -> str:
    """The statement that would give the missing permission."""
    match = _SUBJECT.search(text)
    if match is None:
        return "GRANT pg_monitor TO the cockpit's role"
    kind, subject = match.group(1).lower(), match.group(2).strip('"')
    privilege = {"schema": "USAGE ON SCHEMA", "function": "EXECUTE ON FUNCTION", "database": "CONNECT ON DATABASE"}
    return f'GRANT {privilege.get(kind, "SELECT ON")} "{subject}" TO the cockpit\'s role'


def _full(text: str) -> PoolFull:
    hint = "no connection slot is free: end idle sessions, or lower connection_limit times tasks below max_connections"
    return PoolFull(Unknown(Reason.UNREACHABLE, text, hint))


def _is(reason: Reason, detail: str, hint: str) -> Unseen:
    return Unseen(Unknown(reason, detail, hint))


def _server_text(error: Error, secrets: Sequence[str]) -> str:
    primary = error.diag.message_primary if error.sqlstate else None
    text = primary or str(error)
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return one_line(text)
