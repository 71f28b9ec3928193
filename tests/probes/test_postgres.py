"""One query, against a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from pydantic import ValidationError

from cockpit.rehearsal.database.postgres_server import EmbeddedPostgres
from probes.clients.clients import AwsOptions, Clients
from probes.databases.postgres import PostgresQuery, PostgresQueryParams
from probes.reading import Reading, Reason

pytest_plugins = ["support.real_server"]

NOW = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    opened = Clients(AwsOptions())
    yield opened
    await opened.close()


async def ask(clients: Clients, dsn: str, query: str, **params: Any) -> Reading:
    given = PostgresQueryParams.model_validate({"dsn": dsn, "query": query} | params)
    return await PostgresQuery(given, clients).read(NOW)


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
