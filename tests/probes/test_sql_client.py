"""The one read-only connection per database: what it answers, what it refuses, and that its deadlines hold."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from decide.scene import plan
from support.silent_wire import wire_to
from support.waiting import LAST_RESORT_S, turns, until

from cockpit.engine.clock import SessionClock
from cockpit.engine.time_sources import learn_the_time
from cockpit.plan.model import ProbeSpec
from cockpit.plan.position import Position
from cockpit.rehearsal.database.postgres_server import EmbeddedPostgres
from probes.clients.clients import AwsOptions, Clients
from probes.clients.clock_offset import SHOWN_FROM_S, ClockOffset, MachineTime
from probes.clients.dsn import libpq_parameters
from probes.clients.sql import PoolFull, SqlClient
from probes.reading import Reason, Unseen

pytest_plugins = ["support.real_server"]


@pytest.fixture
async def sql() -> AsyncIterator[SqlClient]:
    client = SqlClient()
    yield client
    await client.close()


async def refused(sql: SqlClient, dsn: str, query: str = "SELECT 1", *, timeout_s: float = 5.0) -> Unseen:
    with pytest.raises(Unseen) as raised:
        await sql.rows(dsn, query, timeout_s=timeout_s)
    return raised.value


# -- answers -----------------------------------------------------------------------------------------------------------


async def test_rows_come_back_by_column_name(sql: SqlClient, cockpit_dsn: str) -> None:
    assert await sql.rows(cockpit_dsn, "SELECT 7 AS seven, %s::text AS word", ("x",)) == [{"seven": 7, "word": "x"}]


@pytest.mark.parametrize("off", [-420, 420])
async def test_a_machine_that_reads_a_database_alone_is_put_right_by_it_before_anything_is_read(
    off: float, cockpit_dsn: str
) -> None:
    """Afterwards a session that is ahead could only go more slowly, for more than an hour."""
    machine = MachineTime(wall=lambda: time.time() + off)
    clock = SessionClock(ClockOffset(machine))
    clients = Clients(AwsOptions(region="us-east-1"), clock_offset=clock.offset)
    params = {"dsn": cockpit_dsn}
    spec = ProbeSpec("db", "postgres.pool", params, timedelta(seconds=15), timedelta(seconds=5), Position("p.yaml", 1))
    try:
        await learn_the_time(plan(probes=(spec,)), clients, ())
    finally:
        await clients.close()
    clock.correct()
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=SHOWN_FROM_S)
    assert f"this machine is 420 s {'behind' if off < 0 else 'ahead of'} PostgreSQL" in clock.notice


async def test_who_may_not_be_read_is_not_asked_for_the_time(cockpit_dsn: str) -> None:
    clients = Clients(AwsOptions(region="us-east-1"))
    params = {"dsn": cockpit_dsn}
    spec = ProbeSpec("db", "postgres.pool", params, timedelta(seconds=15), timedelta(seconds=5), Position("p.yaml", 1))
    await learn_the_time(plan(probes=(spec,)), clients, {"db"})
    assert not clients.clock_offset.is_known


async def test_a_percent_sign_without_parameters_is_only_a_percent_sign(sql: SqlClient, cockpit_dsn: str) -> None:
    assert await sql.rows(cockpit_dsn, "SELECT 'abc' LIKE 'a%' AS yes") == [{"yes": True}]


async def test_one_connection_is_kept_and_named_cockpit(
    sql: SqlClient, cockpit_dsn: str, postgres_admin: psycopg.Connection
) -> None:
    first = await sql.rows(cockpit_dsn, "SELECT pg_backend_pid() AS pid")
    many = await asyncio.gather(*(sql.rows(cockpit_dsn, "SELECT pg_backend_pid() AS pid") for _ in range(5)))
    assert all(rows == first for rows in many)
    assert postgres_admin.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'cockpit'"
    ).fetchone() == (1,)


async def test_the_session_cannot_write_even_as_superuser(sql: SqlClient, postgres_server: EmbeddedPostgres) -> None:
    unseen = await refused(sql, postgres_server.dsn, """UPDATE "Category" SET name = 'x'""")
    assert unseen.unknown.reason is Reason.ERROR
    assert "only read" in unseen.unknown.hint


async def test_parameters_meant_for_prisma_never_reach_libpq(sql: SqlClient, cockpit_dsn: str) -> None:
    settings = "connection_limit=100&pool_timeout=20&pgbouncer=true&schema=Sales&sslmode=prefer&sslaccept=strict"
    assert await sql.rows(f"{cockpit_dsn}?{settings}", "SELECT current_setting('search_path') AS path") == [
        {"path": '"Sales"'}
    ]


def test_prisma_words_for_tls_become_libpqs() -> None:
    parameters = libpq_parameters("postgres://u:p@h/db?sslmode=no-verify&sslcert=/ca.pem", 1000)
    assert (parameters["sslmode"], parameters["sslrootcert"]) == ("require", "/ca.pem")
    assert "sslcert" not in parameters


# -- why not -----------------------------------------------------------------------------------------------------------


async def test_a_missing_table_is_named(sql: SqlClient, cockpit_dsn: str) -> None:
    unseen = await refused(sql, cockpit_dsn, "SELECT 1 FROM knowledgedocument")
    assert unseen.unknown.reason is Reason.NOT_FOUND
    assert "knowledgedocument" in unseen.unknown.detail


async def test_a_missing_column_is_named(sql: SqlClient, cockpit_dsn: str) -> None:
    unseen = await refused(sql, cockpit_dsn, 'SELECT s3key FROM "KnowledgeDocument"')
    assert unseen.unknown.reason is Reason.NOT_FOUND
    assert "s3key" in unseen.unknown.detail


async def test_a_missing_grant_is_named(sql: SqlClient, postgres_server: EmbeddedPostgres) -> None:
    unseen = await refused(sql, postgres_server.dsn_of("blinkered", "blinkered-pw"), 'SELECT 1 FROM "Category"')
    assert unseen.unknown.reason is Reason.ACCESS_DENIED
    assert 'GRANT SELECT ON "Category"' in unseen.unknown.hint


async def test_a_wrong_password_is_access_denied_and_stays_secret(
    sql: SqlClient, postgres_server: EmbeddedPostgres
) -> None:
    unseen = await refused(sql, postgres_server.dsn_of("cockpit", "hunter2hunter2"))
    assert unseen.unknown.reason is Reason.ACCESS_DENIED
    assert "hunter2" not in repr(unseen.unknown)


async def test_a_database_that_is_not_there(sql: SqlClient, postgres_server: EmbeddedPostgres) -> None:
    unseen = await refused(sql, postgres_server.dsn_of("cockpit", "read-only-pw", "elsewhere"))
    assert unseen.unknown.reason is Reason.NOT_FOUND


async def test_a_closed_port_is_unreachable(sql: SqlClient) -> None:
    async with wire_to() as wire:
        port = wire.port
    unseen = await refused(sql, f"postgresql://u:secret-word@127.0.0.1:{port}/db")
    assert unseen.unknown.reason is Reason.UNREACHABLE
    assert "secret-word" not in repr(unseen.unknown)


async def test_a_name_that_does_not_resolve_is_unreachable(sql: SqlClient) -> None:
    unseen = await refused(sql, "postgresql://u:p@no-such-host.invalid/db")
    assert unseen.unknown.reason is Reason.UNREACHABLE
    assert "resolve" in unseen.unknown.detail


@pytest.mark.parametrize(
    "dsn", ["", "postgresql://user:se%zzcret@host/db", "nonsense secret-word", "prisma://x/?api_key=secret"]
)
async def test_a_connection_string_that_cannot_be_used_is_never_quoted(sql: SqlClient, dsn: str) -> None:
    unseen = await refused(sql, dsn)
    assert unseen.unknown.reason in (Reason.ERROR, Reason.NOT_FOUND)
    assert "cret" not in repr(unseen.unknown)


# -- a full pool -------------------------------------------------------------------------------------------------------


@contextmanager
def every_slot_taken(server: EmbeddedPostgres) -> Iterator[None]:
    """The nine slots an ordinary role may have, all held by another one."""
    with ExitStack() as held:
        for _ in range(server.max_connections):
            try:
                held.enter_context(psycopg.connect(server.dsn_of("blinkered", "blinkered-pw")))
            except psycopg.OperationalError:
                break
        yield


async def test_no_slot_left_is_told_apart_from_every_other_failure(
    sql: SqlClient, postgres_server: EmbeddedPostgres, cockpit_dsn: str
) -> None:
    with every_slot_taken(postgres_server):
        assert isinstance(await refused(sql, cockpit_dsn), PoolFull)


async def test_a_connection_opened_before_the_pool_filled_still_answers(
    sql: SqlClient, postgres_server: EmbeddedPostgres, cockpit_dsn: str
) -> None:
    await sql.rows(cockpit_dsn, "SELECT 1")
    with every_slot_taken(postgres_server):
        assert await sql.rows(cockpit_dsn, "SELECT 1 AS one") == [{"one": 1}]


async def test_the_probe_roles_own_limit_is_not_a_full_pool(sql: SqlClient, postgres_server: EmbeddedPostgres) -> None:
    unseen = await refused(sql, postgres_server.dsn_of("narrow", "narrow-pw"))
    assert not isinstance(unseen, PoolFull)
    assert "ALTER ROLE" in unseen.unknown.hint


# -- deadlines ---------------------------------------------------------------------------------------------------------


async def test_connecting_to_a_black_hole_ends_at_the_deadline(sql: SqlClient) -> None:
    async with wire_to() as hole:
        unseen = await refused(sql, f"postgresql://u:p@127.0.0.1:{hole.port}/db", timeout_s=0.4)
    assert unseen.unknown.reason is Reason.TIMEOUT


async def test_a_connection_that_falls_silent_ends_at_the_deadline(
    sql: SqlClient, postgres_server: EmbeddedPostgres
) -> None:
    async with wire_to(postgres_server.port) as wire:
        dsn = f"postgresql://cockpit:read-only-pw@127.0.0.1:{wire.port}/{postgres_server.database}"
        await sql.rows(dsn, "SELECT 1")
        wire.silent = True
        unseen = await refused(sql, dsn, timeout_s=0.4)
        assert unseen.unknown.reason is Reason.TIMEOUT
        wire.silent = False
        assert await sql.rows(dsn, "SELECT 2 AS two") == [{"two": 2}]


async def test_a_lookup_that_hangs_ends_at_the_deadline_and_delays_no_exit(
    sql: SqlClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer.wait(LAST_RESORT_S))
    unseen = await refused(sql, "postgresql://u:p@db.example/db", timeout_s=0.3)
    assert not answer.is_set()
    assert unseen.unknown.reason is Reason.TIMEOUT
    assert all(thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread())
    answer.set()


async def test_a_name_is_looked_up_and_used(sql: SqlClient, postgres_server: EmbeddedPostgres) -> None:
    dsn = f"postgresql://cockpit:read-only-pw@localhost:{postgres_server.port}/{postgres_server.database}"
    assert await sql.rows(dsn, "SELECT 1 AS one") == [{"one": 1}]


async def test_waiting_behind_a_hanging_query_ends_at_ones_own_deadline(
    sql: SqlClient, postgres_server: EmbeddedPostgres
) -> None:
    async with wire_to(postgres_server.port) as wire:
        dsn = f"postgresql://cockpit:read-only-pw@127.0.0.1:{wire.port}/{postgres_server.database}"
        await sql.rows(dsn, "SELECT 1")
        wire.silent = True
        hanging = asyncio.create_task(sql.rows(dsn, "SELECT 1", timeout_s=LAST_RESORT_S))
        await asyncio.sleep(0)
        behind = await refused(sql, dsn, timeout_s=0.2)
        assert "earlier query" in behind.unknown.detail
        assert not hanging.done()
        hanging.cancel()
        await asyncio.gather(hanging, return_exceptions=True)


async def test_a_slow_query_ends_on_the_server_and_the_connection_stays(sql: SqlClient, cockpit_dsn: str) -> None:
    before = await sql.rows(cockpit_dsn, "SELECT pg_backend_pid() AS pid")
    unseen = await refused(sql, cockpit_dsn, "SELECT pg_sleep(60)", timeout_s=2)
    assert unseen.unknown.reason is Reason.TIMEOUT
    assert "57014" in unseen.unknown.detail
    assert await sql.rows(cockpit_dsn, "SELECT pg_backend_pid() AS pid") == before


async def test_a_cancelled_caller_returns_at_once_and_keeps_the_connection(
    sql: SqlClient, cockpit_dsn: str, postgres_admin: psycopg.Connection
) -> None:
    """Its query sleeps meanwhile, and goes on sleeping: nobody returns because it has ended."""
    before = await sql.rows(cockpit_dsn, "SELECT pg_backend_pid() AS pid")
    pid = before[0]["pid"]
    asleep = "FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND pid = %s"
    asking = asyncio.create_task(sql.rows(cockpit_dsn, "SELECT pg_sleep(86400)", timeout_s=LAST_RESORT_S))
    await until(lambda: postgres_admin.execute(f"SELECT 1 {asleep}", (pid,)).fetchone())
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert postgres_admin.execute(f"SELECT pg_cancel_backend(pid) {asleep}", (pid,)).fetchone()
    assert await sql.rows(cockpit_dsn, "SELECT pg_backend_pid() AS pid") == before


async def test_closing_does_not_wait_for_a_query_that_hangs(postgres_server: EmbeddedPostgres) -> None:
    sql = SqlClient()
    async with wire_to(postgres_server.port) as wire:
        dsn = f"postgresql://cockpit:read-only-pw@127.0.0.1:{wire.port}/{postgres_server.database}"
        await sql.rows(dsn, "SELECT 1")
        wire.silent = True
        hanging = asyncio.create_task(sql.rows(dsn, "SELECT 1", timeout_s=LAST_RESORT_S))
        await turns()
        await sql.close()
        with pytest.raises((Unseen, asyncio.CancelledError)):
            await hanging


# -- restarts ----------------------------------------------------------------------------------------------------------


async def test_a_cut_connection_is_opened_again_inside_the_same_question(
    sql: SqlClient, cockpit_dsn: str, postgres_admin: psycopg.Connection
) -> None:
    await sql.rows(cockpit_dsn, "SELECT 1")
    postgres_admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cockpit'")
    assert await sql.rows(cockpit_dsn, "SELECT 1 AS one") == [{"one": 1}]


async def test_a_wire_that_was_cut_is_opened_again_once_and_no_more(
    sql: SqlClient, postgres_server: EmbeddedPostgres
) -> None:
    async with wire_to(postgres_server.port) as wire:
        dsn = f"postgresql://cockpit:read-only-pw@127.0.0.1:{wire.port}/{postgres_server.database}"
        await sql.rows(dsn, "SELECT 1")
        wire.cut()
        assert await sql.rows(dsn, "SELECT 1 AS one") == [{"one": 1}]
        assert wire.accepted == 2
