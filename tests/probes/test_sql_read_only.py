"""A plan's statement reads and nothing else: the server holds that, whatever the text of the statement or the role may do."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import psycopg
import pytest

from cockpit.rehearsal.database.postgres_server import EmbeddedPostgres
from probes.clients.clients import AwsOptions, Clients
from probes.clients.sql import SqlClient
from probes.clients.writing_role import writing_role
from probes.reading import Unseen

pytest_plugins = ["support.real_server"]

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
