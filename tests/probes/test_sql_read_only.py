"""A plan's statement reads and nothing else: the server holds that, whatever the text of the statement or the role may do."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import psycopg
import pytest
from support.silent_wire import Wire, wire_to
from support.waiting import LAST_RESORT_S

from cockpit.rehearsal.database.postgres_server import EmbeddedPostgres
from probes.clients.clients import AwsOptions, Clients
from probes.clients.select_only import check_select
from probes.clients.sql import SqlClient
from probes.clients.writing_role import writing_role
from probes.reading import Reason, Unseen

pytest_plugins = ["support.real_server"]

MB = 1_000_000

ADD = """INSERT INTO "Category" (name) VALUES ('written') RETURNING 1 AS one"""
WRITES = (
    ADD,
    f"SELECT 1; {ADD}",
    f"COMMIT; {ADD}",
    f"SET default_transaction_read_only = off; {ADD}",
    f"ROLLBACK; BEGIN READ WRITE; {ADD}; COMMIT",
    "SELECT set_config('transaction_read_only', 'off', false)",
    "SELECT set_config('default_transaction_read_only', 'off', false)",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
    "COMMIT",
    "ROLLBACK",
    "SELECT public.sneaky()",
    "SELECT nextval('public.numbers')",
    "COPY (SELECT 1) TO '/dev/null'",
    "CALL public.commits()",
    "DO $$ BEGIN COMMIT; END $$",
    "PREPARE TRANSACTION 'x'",
    "SAVEPOINT s",
)


@pytest.fixture(scope="module")
def traps(postgres_server: EmbeddedPostgres) -> None:
    """What a plan could call by a name that looks harmless."""
    with psycopg.connect(postgres_server.dsn, autocommit=True) as admin:
        admin.execute("DROP FUNCTION IF EXISTS public.sneaky(); DROP PROCEDURE IF EXISTS public.commits()")
        admin.execute(
            """DROP FUNCTION IF EXISTS public.ends(int, int), public.ends_step(int, int) CASCADE;
               DROP FUNCTION IF EXISTS public.random(timestamptz, int); DROP TYPE IF EXISTS public.handle CASCADE;
               CREATE FUNCTION public.ends(int, int) RETURNS bool LANGUAGE plpgsql AS
               $$ BEGIN RETURN pg_terminate_backend($2); END $$;
               CREATE FUNCTION public.random(timestamptz, int) RETURNS bool LANGUAGE plpgsql AS
               $$ BEGIN RETURN pg_terminate_backend($2); END $$;
               CREATE OPERATOR public.### (FUNCTION = public.ends, LEFTARG = int, RIGHTARG = int);
               CREATE FUNCTION public.ends_step(int, int) RETURNS int LANGUAGE plpgsql AS
               $$ BEGIN PERFORM pg_terminate_backend($2); RETURN 0; END $$;
               CREATE AGGREGATE public.ends_all(int) (SFUNC = public.ends_step, STYPE = int, INITCOND = '0');
               CREATE TYPE public.handle AS (pid int);
               CREATE FUNCTION public.to_handle(text) RETURNS public.handle LANGUAGE plpgsql AS
               $$ BEGIN PERFORM pg_terminate_backend($1::int); RETURN ROW(1); END $$;
               CREATE CAST (text AS public.handle) WITH FUNCTION public.to_handle(text)"""
        )
        admin.execute("CREATE SEQUENCE IF NOT EXISTS public.numbers")
        admin.execute(
            """CREATE FUNCTION public.sneaky() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
               PERFORM set_config('transaction_read_only', 'off', true);
               INSERT INTO "Category" (name) VALUES ('written'); RETURN 1; END $$"""
        )
        admin.execute(
            """CREATE PROCEDURE public.commits() LANGUAGE plpgsql AS $$ BEGIN
               COMMIT; SET TRANSACTION READ WRITE; INSERT INTO "Category" (name) VALUES ('written'); COMMIT; END $$"""
        )


@pytest.fixture
async def sql() -> AsyncIterator[SqlClient]:
    client = SqlClient()
    yield client
    await client.close()


def written(server: EmbeddedPostgres) -> int:
    with psycopg.connect(server.dsn) as admin:
        found = admin.execute("""SELECT count(*) FROM "Category" WHERE name = 'written'""").fetchone()
    assert found
    return int(found[0])


@pytest.mark.usefixtures("traps")
@pytest.mark.parametrize("statement", WRITES)
async def test_nothing_is_written_whatever_the_role_may_do(
    sql: SqlClient, postgres_server: EmbeddedPostgres, statement: str
) -> None:
    for _ in range(2):
        with contextlib.suppress(Unseen):  # some of them are harmless once they cannot write
            await sql.rows(postgres_server.dsn, statement)
    assert written(postgres_server) == 0
    with pytest.raises(Unseen):
        await sql.rows(postgres_server.dsn, ADD)
    assert written(postgres_server) == 0
    assert await sql.rows(postgres_server.dsn, "SELECT 1 AS one") == [{"one": 1}]


ACTS = (
    "pg_terminate_backend({pid})",
    '"pg_terminate_backend"({pid})',
    'pg_catalog . "pg_terminate_backend" /* ( */ ({pid})',
    "count(*) FROM (VALUES (true), (pg_terminate_backend({pid}))) AS v",
    "1 LIMIT pg_terminate_backend({pid})::int",
    "1 LIMIT --\rpg_terminate_backend({pid})::int",
    "count(*) AS a$$ FROM (VALUES (true), (pg_terminate_backend({pid}))) AS v$$",
    "E'a'\n'\\' ', count(*) FROM (VALUES (true), (pg_terminate_backend({pid}))) AS v -- '",
    "E'a' -- b\n -- c\n'\\' ', count(*) FROM (VALUES (true), (pg_terminate_backend({pid}))) AS v -- '",
    "$\u00e9$ ' $\u00e9$, count(*) FROM (VALUES (true), (pg_terminate_backend({pid}))) AS v -- '",
    "count(*) FROM (VALUES (true), (1 ### {pid})) AS v",
    "ends_all(p) FROM (VALUES ({pid})) AS v(p)",
    "random(now(), {pid})",
    "('{pid}'::text)::handle",
    "query_to_xml('SELECT pg_terminate_backend({pid})', true, false, '')",
    "* FROM ending",
    "* FROM ts_stat('SELECT to_tsvector(pg_terminate_backend({pid})::text)')",
    "public.sneaky()",
    "pg_advisory_lock(1)",
    "pg_reload_conf()",
    "pg_stat_reset()",
)


@pytest.mark.usefixtures("traps")
@pytest.mark.parametrize("called", ACTS)
async def test_nothing_is_started_that_does_more_than_look(
    sql: SqlClient, postgres_server: EmbeddedPostgres, called: str
) -> None:
    with psycopg.connect(postgres_server.dsn, autocommit=True) as other:
        pid = other.info.backend_pid
        other.execute(f"CREATE OR REPLACE VIEW ending AS SELECT pg_terminate_backend({pid}) AS it")
        with pytest.raises(Unseen) as raised:
            await sql.rows(postgres_server.dsn, "SELECT " + called.format(pid=pid))
        assert raised.value.unknown.reason is Reason.REFUSED
        assert "() may do more than read" in raised.value.unknown.detail
        assert other.execute("SELECT 1").fetchone() == (1,), "it was ended"
        assert other.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone() == (0,)


async def test_what_only_looks_is_asked(sql: SqlClient, cockpit_dsn: str) -> None:
    query = """SELECT count(*) FILTER (WHERE pg_table_size(c.oid) > 0) AS sized, clock_timestamp() > %s AS late,
      (SELECT count(*) FROM pg_locks) > 0 AS locks, 'pg_sleep(1)' AS "pg_sleep (text)" FROM pg_class c"""
    (row,) = await sql.rows(cockpit_dsn, query, (datetime(2020, 1, 1, tzinfo=UTC),))
    assert row["sized"] > 0
    assert row["late"]


def test_a_name_is_not_written_by_numbers() -> None:
    with pytest.raises(ValueError, match="U&"):
        check_select('SELECT U&"pg\\005fsleep"(1)')


async def test_several_statements_cannot_be_sent_at_once(sql: SqlClient, cockpit_dsn: str) -> None:
    with pytest.raises(Unseen) as raised:
        await sql.rows(cockpit_dsn, "SELECT 1; SELECT 2")
    assert "one statement" in raised.value.unknown.hint


async def test_every_answer_was_given_in_a_transaction_that_could_not_write(sql: SqlClient, cockpit_dsn: str) -> None:
    query = """SELECT current_setting('transaction_read_only') AS read_only,
      current_setting('statement_timeout') AS ends, current_setting('lock_timeout') AS waits"""
    (row,) = await sql.rows(cockpit_dsn, query, timeout_s=5)
    assert row == {"read_only": "on", "ends": "4s", "waits": "1s"}


async def test_a_role_that_could_write_is_found_and_one_that_cannot_is_not(
    postgres_server: EmbeddedPostgres, cockpit_dsn: str
) -> None:
    clients = Clients(AwsOptions("us-east-1"))
    try:
        found = await writing_role(clients, postgres_server.dsn)
        assert found is not None
        assert 0 < found.writable <= found.tables
        assert str(found).startswith(f"role {found.role} could write ")
        assert await writing_role(clients, cockpit_dsn) is None
    finally:
        await clients.close()


async def test_rows_without_end_are_refused_and_the_next_question_is_answered(
    sql: SqlClient, cockpit_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probes.clients.sql.MAX_ROWS", 10)
    with pytest.raises(Unseen) as raised:
        await sql.rows(cockpit_dsn, "SELECT generate_series(1, 20) AS n", timeout_s=LAST_RESORT_S)
    assert raised.value.unknown.detail == "more than 10 rows"
    assert await sql.rows(cockpit_dsn, "SELECT 1 AS one") == [{"one": 1}]


class Counting(Wire):
    """Knows how much it carried."""

    carried = 0

    def change(self, data: bytes) -> bytes:
        self.carried += len(data)
        return data


@pytest.mark.usefixtures("cockpit_dsn")
@pytest.mark.parametrize(
    "field", [f"repeat('x', {100 * MB})", f"repeat('x', {100 * MB} + date_part('year', clock_timestamp())::int)"]
)
async def test_a_field_without_end_is_refused_and_only_the_beginning_of_it_is_taken_in(
    sql: SqlClient, postgres_server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    """A constant one is written into the server's plan, too."""
    monkeypatch.setattr("probes.clients.bounded_connection.MAX_BYTES", MB)
    async with wire_to(postgres_server.port, Counting) as wire:
        dsn = f"postgresql://cockpit:read-only-pw@127.0.0.1:{wire.port}/{postgres_server.database}"
        with pytest.raises(Unseen) as raised:
            await sql.rows(dsn, f"SELECT {field} AS text", timeout_s=LAST_RESORT_S)
        assert raised.value.unknown.detail == "an answer of more than 1 MB"
        assert isinstance(wire, Counting)
        assert MB < wire.carried < 30 * MB, "the rest stays in the buffers of the network"
        assert await sql.rows(dsn, "SELECT 1 AS one") == [{"one": 1}]


class IgnoresOptions(Wire):
    """As a pooler does: what a connection asks for at its start is not handed on."""

    def change(self, data: bytes) -> bytes:
        return data.replace(b"default_transaction_read_only=on", b"default_transaction_read_only=no")


class BeginsToWrite(IgnoresOptions):
    """As a proxy may: what is to be read-only is begun as what is not."""

    def change(self, data: bytes) -> bytes:
        return super().change(data).replace(b"BEGIN READ ONLY;", b"BEGIN          ;")


class SaysItIsOver(Wire):
    """As a server does whose transaction is not what it was: asked after the statement, another setting answers, which is off."""

    def change(self, data: bytes) -> bytes:
        asked, other = b"current_setting('transaction_read_only')", b"current_setting('log_duration')"
        return re.sub(rb"(?s)(Q....SELECT )" + re.escape(asked), rb"\1" + other.ljust(len(asked)), data)


class SaysThereIsNone(Wire):
    """As a pooler does that hands a connection on after each statement: no transaction is under way after any."""

    def change(self, data: bytes) -> bytes:
        return data.replace(b"Z\0\0\0\5T", b"Z\0\0\0\5I")


async def asked_through(kind: type[Wire], sql: SqlClient, server: EmbeddedPostgres) -> list[dict[str, object]]:
    async with wire_to(server.port, kind) as wire:
        dsn = f"{server.dsn.replace(f':{server.port}', f':{wire.port}')}"
        assert str(wire.port) in dsn
        try:
            return [dict(row) for row in await sql.rows(dsn, "SELECT 'as asked' AS n", timeout_s=LAST_RESORT_S)]
        finally:
            await sql.close()


async def test_it_is_begun_read_only_where_the_options_of_a_connection_are_ignored(
    sql: SqlClient, postgres_server: EmbeddedPostgres
) -> None:
    assert await asked_through(IgnoresOptions, sql, postgres_server) == [{"n": "as asked"}]


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (BeginsToWrite, "did not begin a read-only transaction"),
        (SaysItIsOver, "ended or changed its read-only transaction"),
        (SaysThereIsNone, "ended or changed its read-only transaction"),
    ],
)
async def test_what_was_made_of_it_on_the_way_is_looked_at_before_and_after(
    kind: type[Wire], why: str, sql: SqlClient, postgres_server: EmbeddedPostgres
) -> None:
    with pytest.raises(Unseen) as raised:
        await asked_through(kind, sql, postgres_server)
    assert why in raised.value.unknown.detail


async def test_what_a_statement_calls_is_looked_up_again_on_every_connection(
    sql: SqlClient, postgres_server: EmbeddedPostgres
) -> None:
    """After a restart, or a failover, it may be another function."""
    define = "CREATE OR REPLACE FUNCTION public.turns() RETURNS text LANGUAGE sql {} AS $$ SELECT {}::text $$"
    with psycopg.connect(postgres_server.dsn, autocommit=True) as admin:
        admin.execute(define.format("STABLE", "now()"))
        async with wire_to(postgres_server.port) as wire:
            dsn = postgres_server.dsn.replace(f":{postgres_server.port}", f":{wire.port}")
            try:
                assert await sql.rows(dsn, "SELECT public.turns()", timeout_s=LAST_RESORT_S)
                admin.execute(define.format("VOLATILE", "pg_terminate_backend(0)"))
                wire.cut()
                with pytest.raises(Unseen) as raised:
                    await sql.rows(dsn, "SELECT public.turns()", timeout_s=LAST_RESORT_S)
            finally:
                await sql.close()
                admin.execute("DROP FUNCTION public.turns()")
    assert "turns" in raised.value.unknown.detail
