"""Connection strings as applications write them, made fit for libpq. Nothing here ever shows one."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from itertools import zip_longest
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote

from probes.clients.restricted import is_restricted
from probes.known_secrets import remember
from probes.reading import Reason, Unknown, Unseen

if TYPE_CHECKING:
    from psycopg import AsyncConnection

    from probes.clients.resolver import Resolver

CONNECT_TIMEOUT_S = 2
"""libpq rounds anything shorter up to two seconds."""
_HINT = "write postgresql://user:password@host:5432/database; percent-encode special characters in the password"
_TLS_WORDS = {"no-verify": "require", "accept_invalid_certs": "require", "strict": "verify-full"}
"""Values other drivers take that libpq has another word for."""

_FILES = ("passfile", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslcrldir")


def libpq_parameters(dsn: str, statement_timeout_ms: int) -> dict[str, str]:
    """Connection parameters for libpq, without the application's own settings (Prisma's `connection_limit`, ...).

    The session is read-only, in UTC, named `cockpit`, and its statements end by themselves. Raises Unseen (ERROR,
    never with the text of the DSN) if it cannot be used.
    """
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    remember(dsn)
    base, _, query = dsn.strip().partition("?") if "://" in dsn else (dsn, "", "")
    if not base:
        raise Unseen(Unknown(Reason.NOT_FOUND, "there is no connection string", _HINT))
    if base.startswith(("prisma://", "prisma+postgres://")):
        raise Unseen(Unknown(Reason.ERROR, "the connection string goes through Prisma Accelerate", _HINT))
    try:
        given = {key: str(value) for key, value in conninfo_to_dict(base).items() if value is not None}
    except ProgrammingError:
        # The parser's message quotes the text around the error, which may be the password.
        raise _unparsed() from None
    if _is_torn(base, query, given):
        raise _unparsed()
    extra = dict(parse_qsl(query, keep_blank_values=True))
    return given | _kept(extra) | _session(extra, statement_timeout_ms)


def _unparsed() -> Unseen:
    return Unseen(Unknown(Reason.ERROR, "the connection string cannot be parsed", _HINT))


def _is_torn(base: str, query: str, given: Mapping[str, str]) -> bool:
    """Whether a raw @, /, ? or : of the password was read as the end of it: part of it then stands where the host is shown."""
    if "://" not in base:
        return False
    ports = given.get("port", "").split(",")
    return (
        base.count("@") > 1
        or ("@" in query and "@" not in base)
        or "@" in given.get("dbname", "")
        or any(port and not (port.isascii() and port.isdigit()) for port in ports)
    )


def secrets_of(dsn: str) -> tuple[str, ...]:
    """What must never be seen of a connection string: the password, as written and decoded, and the string itself."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    base = dsn.strip().partition("?")[0] if "://" in dsn else dsn
    try:
        password = str(conninfo_to_dict(base).get("password") or "")
    except ProgrammingError:
        password = ""
    return tuple(secret for secret in (dsn.strip(), base, password, quote(password, safe="")) if len(secret) > 2)


def hosts_of(dsn: str) -> tuple[str, ...]:
    """Where libpq connects to, as `host:port` or the folder of a socket; empty where the string does not say."""
    given = _given(dsn)
    if given.get("service"):
        return ()
    hosts, ports = (given.get("hostaddr") or given.get("host", "")).split(","), given.get("port", "").split(",")
    ports = ports * len(hosts) if len(ports) == 1 else ports
    named = [f"{host}:{port}" if port else host for host, port in zip_longest(hosts, ports, fillvalue="")]
    return tuple(named) if all(hosts) else ()


def restricted_in(dsn: str) -> tuple[str, ...]:
    """Link-local and metadata addresses that the string itself names."""
    given = _given(dsn)
    hosts = f"{given.get('host', '')},{given.get('hostaddr', '')}".split(",")
    return tuple(host for host in dict.fromkeys(hosts) if is_restricted(host))


def files_of(dsn: str) -> tuple[str, ...]:
    """The files of keys, passwords and certificates that the string names."""
    given = _given(dsn)
    return tuple(given[name] for name in _FILES if given.get(name) and given[name] != "system")


def _given(dsn: str) -> dict[str, str]:
    try:
        return libpq_parameters(dsn, 0)
    except Unseen:
        return {}


async def pinned(parameters: Mapping[str, str], resolver: Resolver) -> dict[str, str]:
    """`host`, `hostaddr` and `port`, with which libpq looks nothing up: it connects to what the resolver gave out.

    Empty where the operator's own files say where to (`service`), or nothing does. Raises socket.gaierror where none of the
    names resolves, and Unseen (NOT_TRUSTED) for a link-local or metadata address.
    """
    hosts = (parameters.get("host") or os.environ.get("PGHOST", "")).split(",")
    addresses = (parameters.get("hostaddr") or "").split(",")
    ports = (parameters.get("port") or os.environ.get("PGPORT", "")).split(",")
    if parameters.get("service") or not any([*hosts, *addresses]):
        return {}
    ports = ports * max(len(hosts), len(addresses)) if len(ports) == 1 else ports
    found: list[tuple[str, str, str]] = []
    unresolved: socket.gaierror | None = None
    for host, address, port in zip_longest(hosts, addresses, ports, fillvalue=""):
        if not address and host.startswith(("/", "@")):
            found.append((host, "", port))
            continue
        try:
            given = await resolver.addresses(address or host, int(port or 5432))
        except socket.gaierror as error:
            unresolved = error
        else:
            found += [(host, each, port) for each in given]
    if not found and unresolved is not None:
        raise unresolved
    return {
        "host": ",".join(host for host, _, _ in found),
        "hostaddr": ",".join(address for _, address, _ in found),
        "port": ",".join(port for _, _, port in found),
    }


def admit_connected(connection: AsyncConnection[Any], resolver: Resolver) -> None:
    """Look at where a connection leads that a service or the environment named. Raises Unseen, having closed it."""
    try:
        resolver.admit(connection.info.hostaddr)
    except Unseen:
        connection.pgconn.finish()
        raise


def _kept(extra: Mapping[str, str]) -> dict[str, str]:
    """The query parameters libpq knows, in its own words."""
    from psycopg.pq import Conninfo

    known = {option.keyword.decode() for option in Conninfo.get_defaults()}
    kept = {key: value for key, value in extra.items() if key in known and value}
    if "sslcert" in kept and "sslkey" not in kept:
        # Prisma's `sslcert` is the authority to trust; libpq's is a client certificate.
        kept["sslrootcert"] = kept.pop("sslcert")
    if kept.get("sslmode") in _TLS_WORDS:
        kept["sslmode"] = _TLS_WORDS[kept["sslmode"]]
    return {key: value for key, value in kept.items() if key not in ("options", "application_name", "connect_timeout")}


def _session(extra: Mapping[str, str], statement_timeout_ms: int) -> dict[str, str]:
    settings = {
        "default_transaction_read_only": "on",
        "statement_timeout": str(statement_timeout_ms),
        "idle_in_transaction_session_timeout": "10000",
        "timezone": "UTC",
    }
    if schema := extra.get("schema"):
        settings["search_path"] = '"' + schema.replace('"', '""') + '"'
    options = " ".join(f"-c {name}={_escaped(value)}" for name, value in settings.items())
    return {
        "options": options,
        "application_name": "cockpit",
        "client_encoding": "UTF8",  # in others the last byte of a character takes the quote behind it along
        "connect_timeout": str(CONNECT_TIMEOUT_S),
        "keepalives_idle": "10",
        "gssencmode": "disable",
    }


def _escaped(value: str) -> str:
    """A value inside libpq's `options`, where spaces and backslashes separate."""
    return value.replace("\\", "\\\\").replace(" ", "\\ ")
