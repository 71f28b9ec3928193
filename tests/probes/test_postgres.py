"""The pool and one query, against a real server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from pydantic import ValidationError
from support.silent_wire import Wire, wire_to

from cockpit.rehearsal.database.postgres_server import EmbeddedPostgres
from probes.clients.clients import AwsOptions, Clients
from probes.databases.postgres import PostgresPool, PostgresPoolParams, PostgresQuery, PostgresQueryParams
from probes.reading import Reading, Reason

pytest_plugins = ["support.real_server"]

NOW = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    opened = Clients(AwsOptions())
    yield opened
    await opened.close()


async def pool(clients: Clients, dsn: str) -> Reading:
    return await PostgresPool(PostgresPoolParams(dsn=dsn), clients).read(NOW)


async def pool_of(clients: Clients, dsn: str, used: int) -> Reading:
    """The pool once sessions that earlier tests closed have really left."""
    for _ in range(200):
        reading = await pool(clients, dsn)
        if reading.values.get("used") == used:
            break
    return reading


async def ask(clients: Clients, dsn: str, query: str, **params: Any) -> Reading:
    given = PostgresQueryParams.model_validate({"dsn": dsn, "query": query} | params)
    return await PostgresQuery(given, clients).read(NOW)


@contextmanager
def sessions(server: EmbeddedPostgres, count: int, application: str = "prisma") -> Iterator[list[psycopg.Connection]]:
    """`count` idle sessions of the application, or as many as the server has slots for."""
    dsn = server.dsn_of("blinkered", "blinkered-pw")
    with ExitStack() as held:
        opened: list[psycopg.Connection] = []
        refusals = 0
        while len(opened) < count and refusals < 50:
            try:
                one = psycopg.connect(dsn, autocommit=True, application_name=application)
            except psycopg.OperationalError:
                refusals += 1
                time.sleep(0.02)  # a session closed by an earlier test may still be leaving
                continue
            opened.append(held.enter_context(one))
        yield opened


# -- the pool ----------------------------------------------------------------------------------------------------------


async def test_a_quiet_pool(clients: Clients, postgres_server: EmbeddedPostgres, cockpit_dsn: str) -> None:
    with sessions(postgres_server, 3):
        reading = await pool_of(clients, cockpit_dsn, used=3)
    assert reading.values == {
        "used": 3,
        "max_connections": 12,
        "reserved": 3,
        "usable": 9,
        "utilization": 3 / 9,
        "active": 0,
        "idle": 3,
        "idle_in_transaction": 0,
        "waiting": 0,
        "by_application": "prisma 3",
        "longest_query_s": 0.0,
        "exhausted": False,
        "through_pooler": False,
    }
    assert not reading.unknown
    assert reading.evidence.lines == ("prisma idle: 3",)


@pytest.fixture
def pgbouncer(tmp_path: Path, postgres_server: EmbeddedPostgres) -> Iterator[int]:
    """The port of a PgBouncer before the server, that keeps a connection for the length of a transaction."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("PgBouncer is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = conninfo_to_dict(postgres_server.dsn_of("cockpit", "read-only-pw"))
    where = " ".join(f"{key}={server[key]}" for key in ("host", "port", "user", "password"))
    settings = f"""[databases]
* = {where}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
ignore_startup_parameters = options, extra_float_digits
"""
    file = tmp_path / "pgbouncer.ini"
    file.write_text(settings, encoding="utf-8")
    as_whom = ("-u", "nobody") if os.geteuid() == 0 else ()
    for part in (file, *file.parents):
        if tmp_path.parent.parent in (part, *part.parents):
            part.chmod(0o755)
    process = subprocess.Popen([program, "-q", *as_whom, str(file)], stderr=subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.terminate()
        process.wait()


async def test_a_pool_behind_pgbouncer_says_so(clients: Clients, pgbouncer: int, cockpit_dsn: str) -> None:
    database = conninfo_to_dict(cockpit_dsn)["dbname"]
    dsn = f"postgresql://cockpit:read-only-pw@127.0.0.1:{pgbouncer}/{database}"
    reading = await pool(clients, dsn)
    while not reading.values and "refused" in reading.unknown["used"].detail:
        reading = await pool(clients, dsn)  # it has not begun to listen
    assert (reading.values["through_pooler"], reading.values["exhausted"]) == (True, False)
    assert "clients that wait there are not counted" in reading.evidence.lines[0]


class Proxy(Wire):
    """Answers as RDS Proxy does, with a process of its own: BackendKeyData names none of the server's."""

    def change(self, data: bytes) -> bytes:
        before, key, after = data.partition(b"K\0\0\0\x0c")
        return before + key + b"\0\0\0\1" + after[4:] if key else data


async def test_a_pool_behind_a_proxy_says_so(
    clients: Clients, postgres_server: EmbeddedPostgres, cockpit_dsn: str
) -> None:
    server = conninfo_to_dict(cockpit_dsn)
    async with wire_to(int(str(server["port"])), Proxy) as proxy:
        dsn = f"postgresql://cockpit:read-only-pw@127.0.0.1:{proxy.port}/{server['dbname']}"
        assert (await pool(clients, dsn)).values["through_pooler"] is True
    assert (await pool(clients, cockpit_dsn)).values["through_pooler"] is False


async def test_each_kind_of_session_is_counted(
    clients: Clients, postgres_server: EmbeddedPostgres, postgres_admin: psycopg.Connection, cockpit_dsn: str
) -> None:
    with sessions(postgres_server, 2) as (_, waiter):
        with postgres_admin.transaction():
            postgres_admin.execute("SELECT pg_advisory_xact_lock(7)")
            waiter.pgconn.send_query(b"SELECT pg_advisory_lock(7)")
            reading = await pool_of(clients, cockpit_dsn, used=3)
            while reading.values["waiting"] != 1:
                reading = await pool(clients, cockpit_dsn)
        waiter.close()
    assert (reading.values["active"], reading.values["idle"]) == (1, 1)
    assert reading.values["idle_in_transaction"] == 1
    assert reading.values["by_application"] == "prisma 2, (no name) 1"
    assert isinstance(reading.values["longest_query_s"], float)
    assert reading.values["longest_query_s"] > 0


async def test_the_last_slot_taken_is_exhausted_and_seen_from_inside(
    clients: Clients, postgres_server: EmbeddedPostgres, cockpit_dsn: str
) -> None:
    await pool(clients, cockpit_dsn)
    with sessions(postgres_server, 20):
        reading = await pool(clients, cockpit_dsn)
    assert (reading.values["used"], reading.values["exhausted"]) == (8, True)


async def test_being_refused_the_last_slot_is_the_evidence(
    clients: Clients, postgres_server: EmbeddedPostgres, cockpit_dsn: str
) -> None:
    with sessions(postgres_server, 20):
        reading = await pool(clients, cockpit_dsn)
    assert reading.values == {"exhausted": True}
    assert reading.unknown["utilization"].reason is Reason.UNREACHABLE
    assert "remaining connection slots" in reading.evidence.lines[0]


async def test_without_pg_monitor_nothing_is_counted_as_zero(
    clients: Clients, postgres_server: EmbeddedPostgres, postgres_admin: psycopg.Connection
) -> None:
    reading = await pool(clients, postgres_server.dsn_of("blinkered", "blinkered-pw"))
    assert reading.values == {"max_connections": 12, "reserved": 3, "usable": 9, "through_pooler": False}
    assert {unknown.reason for unknown in reading.unknown.values()} == {Reason.ACCESS_DENIED}
    assert "pg_monitor" in reading.unknown["used"].hint


@pytest.mark.parametrize("dsn", ["postgresql://u:p@127.0.0.1:1/db", "postgresql://u:p@no-such-host.invalid/db"])
async def test_a_server_out_of_reach_leaves_everything_unknown(clients: Clients, dsn: str) -> None:
    reading = await pool(clients, dsn)
    assert not reading.values
    assert {unknown.reason for unknown in reading.unknown.values()} == {Reason.UNREACHABLE}


async def test_a_server_that_falls_silent_leaves_everything_unknown(clients: Clients) -> None:
    async with wire_to() as hole:
        reading = await pool(clients, f"postgresql://u:p@127.0.0.1:{hole.port}/db")
    assert {unknown.reason for unknown in reading.unknown.values()} == {Reason.TIMEOUT}


async def test_the_connection_string_is_nowhere_in_the_reading(
    clients: Clients, postgres_server: EmbeddedPostgres, cockpit_dsn: str
) -> None:
    wrong = postgres_server.dsn_of("cockpit", "hunter2hunter2")
    for dsn, password in ((cockpit_dsn, "read-only-pw"), (wrong, "hunter2")):
        assert password not in repr(await pool(clients, dsn))


# -- a query -----------------------------------------------------------------------------------------------------------


async def test_a_count_of_nothing_is_zero(clients: Clients, cockpit_dsn: str) -> None:
    reading = await ask(clients, cockpit_dsn, 'SELECT count(*) FROM "Category"')
    assert (reading.values["value"], reading.values["rows"]) == (0.0, 1)
    assert reading.unknown["text"].reason is Reason.NO_DATA
    assert reading.unknown["age_s"].reason is Reason.NO_DATA


async def test_every_column_has_its_field(clients: Clients, cockpit_dsn: str) -> None:
    query = "SELECT 2.5 AS value, 4 AS rows, 'ready' AS text, interval '90 s' AS age_s"
    reading = await ask(clients, cockpit_dsn, query)
    assert reading.values == {"value": 2.5, "rows": 4, "text": "ready", "age_s": 90.0}


@pytest.mark.parametrize("at", ["timestamp '2026-11-23 22:29:00'", "timestamptz '2026-11-23 23:29:00+01'"])
async def test_an_age_is_counted_from_a_time(clients: Clients, cockpit_dsn: str, at: str) -> None:
    assert (await ask(clients, cockpit_dsn, f"SELECT {at} AS at")).values["age_s"] == 60.0


async def test_no_row_is_no_data(clients: Clients, cockpit_dsn: str) -> None:
    reading = await ask(clients, cockpit_dsn, 'SELECT id AS value FROM "Category"')
    assert not reading.values
    assert {unknown.reason for unknown in reading.unknown.values()} == {Reason.NO_DATA}


@pytest.mark.parametrize("value", ["NULL::int", "'NaN'::float8", "'text'"])
async def test_a_value_that_is_no_number_is_no_value(clients: Clients, cockpit_dsn: str, value: str) -> None:
    assert "value" in (await ask(clients, cockpit_dsn, f"SELECT {value} AS value")).unknown


async def test_rows_since_the_window_began(
    clients: Clients, postgres_admin: psycopg.Connection, cockpit_dsn: str
) -> None:
    for minutes in (1, 9, 11):
        at = (NOW - timedelta(minutes=minutes)).replace(tzinfo=None)
        postgres_admin.execute('INSERT INTO "KnowledgeDocument" ("createdAt") VALUES (%s)', (at,))
    query = """SELECT count(*) AS value FROM "KnowledgeDocument"
                WHERE "createdAt" > %(since)s AND "createdAt" <= %(now)s AND 'a' LIKE '%a%'"""
    assert (await ask(clients, cockpit_dsn, query, window="10m")).values["value"] == 2.0


async def test_a_missing_table_is_not_found(clients: Clients, cockpit_dsn: str) -> None:
    reading = await ask(clients, cockpit_dsn, "SELECT count(*) FROM nowhere")
    assert reading.unknown["value"].reason is Reason.NOT_FOUND
    assert "nowhere" in reading.unknown["value"].detail


async def test_a_missing_grant_is_named(clients: Clients, postgres_server: EmbeddedPostgres) -> None:
    dsn = postgres_server.dsn_of("blinkered", "blinkered-pw")
    reading = await ask(clients, dsn, 'SELECT count(*) FROM "Category"')
    assert reading.unknown["value"].reason is Reason.ACCESS_DENIED
    assert "GRANT SELECT" in reading.unknown["value"].hint


@pytest.mark.parametrize(
    "query",
    [
        'DELETE FROM "Category"',
        "SELECT 1; SELECT 2",
        'WITH gone AS (DELETE FROM "Category" RETURNING 1) SELECT * FROM gone',
        "SELECT pg_terminate_backend(1)",
        "SELECT set_config('default_transaction_read_only', 'off', false)",
        "SELECT 1 INTO copied",
        'SELECT 1 FROM "Category" FOR UPDATE',
        "EXPLAIN SELECT 1",
        "SELECT %(today)s",
        "SELECT %s",
        "-- only a comment",
    ],
)
def test_only_one_select_is_accepted(query: str) -> None:
    with pytest.raises(ValidationError):
        PostgresQueryParams(dsn="postgresql://h/d", query=query)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1;",
        "  with a as (select 1) select * from a",
        "SELECT 'delete; drop' AS text -- update",
        'SELECT "set" FROM "Update"',
        "SELECT $$; delete $$ AS text",
    ],
)
def test_words_in_quotes_and_comments_are_only_words(query: str) -> None:
    PostgresQueryParams(dsn="postgresql://h/d", query=query)
