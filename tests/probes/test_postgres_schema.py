"""Indexes and row counts, against a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from pydantic import ValidationError
from support.silent_wire import wire_to

from cockpit.rehearsal.database.postgres_server import EmbeddedPostgres
from probes.clients.clients import AwsOptions, Clients
from probes.databases.postgres_schema import PostgresIndexes, PostgresIndexesParams, PostgresRows, PostgresRowsParams
from probes.reading import Reading, Reason

pytest_plugins = ["support.real_server"]

NOW = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
BOTH = ["KnowledgeDocument.s3Key", "CustomerDocument.s3Key"]


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    opened = Clients(AwsOptions())
    yield opened
    await opened.close()


@pytest.fixture
def indexed(postgres_admin: psycopg.Connection) -> Iterator[psycopg.Connection]:
    postgres_admin.execute('CREATE INDEX "KnowledgeDocument_s3Key_idx" ON "KnowledgeDocument" ("s3Key")')
    postgres_admin.execute('CREATE INDEX "CustomerDocument_s3Key_idx" ON "CustomerDocument" ("s3Key")')
    yield postgres_admin
    postgres_admin.execute('DROP INDEX IF EXISTS "KnowledgeDocument_s3Key_idx", "CustomerDocument_s3Key_idx"')


async def indexes(clients: Clients, dsn: str, *names: str) -> Reading:
    given = PostgresIndexesParams(dsn=dsn, indexes=list(names or BOTH))
    return await PostgresIndexes(given, clients).read(NOW)


async def rows(clients: Clients, dsn: str, **floors: int) -> Reading:
    return await PostgresRows(PostgresRowsParams(dsn=dsn, floors=floors), clients).read(NOW)


def mark(admin: psycopg.Connection, index: str, column: str) -> None:
    """What a CREATE INDEX CONCURRENTLY that was cut off leaves in the catalog."""
    admin.execute(f"UPDATE pg_index SET {column} = false WHERE indexrelid = '\"{index}\"'::regclass")


# -- indexes -----------------------------------------------------------------------------------------------------------


async def test_every_index_is_there(clients: Clients, indexed: psycopg.Connection, cockpit_dsn: str) -> None:
    reading = await indexes(clients, cockpit_dsn, *BOTH, "KnowledgeDocument_s3Key_idx")
    assert reading.values == {"ok": True, "missing": 0, "invalid": 0, "not_ready": 0}
    assert {each.reason for each in reading.unknown.values()} == {Reason.NO_DATA}
    assert reading.evidence.lines[0] == "KnowledgeDocument.s3Key: KnowledgeDocument_s3Key_idx valid"


async def test_a_missing_index_is_named(clients: Clients, indexed: psycopg.Connection, cockpit_dsn: str) -> None:
    indexed.execute('DROP INDEX "CustomerDocument_s3Key_idx"')
    reading = await indexes(clients, cockpit_dsn, *BOTH, "no_such_idx")
    assert (reading.values["ok"], reading.values["missing"]) == (False, 2)
    assert reading.values["missing_names"] == (BOTH[1], "no_such_idx")
    assert "CustomerDocument.s3Key: missing" in reading.evidence.lines


async def test_an_index_that_only_contains_the_column_is_another(
    clients: Clients, postgres_admin: psycopg.Connection, cockpit_dsn: str
) -> None:
    postgres_admin.execute('CREATE INDEX second ON "KnowledgeDocument" ("createdAt", "s3Key")')
    reading = await indexes(clients, cockpit_dsn, BOTH[0])
    postgres_admin.execute("DROP INDEX second")
    assert reading.values["missing"] == 1


async def test_an_invalid_index_is_not_ok(clients: Clients, indexed: psycopg.Connection, cockpit_dsn: str) -> None:
    mark(indexed, "KnowledgeDocument_s3Key_idx", "indisvalid")
    values = (await indexes(clients, cockpit_dsn)).values
    assert (values["ok"], values["missing"], values["invalid"], values["not_ready"]) == (False, 0, 1, 0)
    assert values["invalid_names"] == (BOTH[0],)


async def test_an_index_still_being_built_is_not_ready(
    clients: Clients, indexed: psycopg.Connection, cockpit_dsn: str
) -> None:
    for column in ("indisvalid", "indisready"):
        mark(indexed, "CustomerDocument_s3Key_idx", column)
    values = (await indexes(clients, cockpit_dsn)).values
    assert (values["ok"], values["invalid"], values["not_ready"]) == (False, 1, 1)


async def test_a_good_index_makes_up_for_an_invalid_one_beside_it(
    clients: Clients, indexed: psycopg.Connection, cockpit_dsn: str
) -> None:
    mark(indexed, "KnowledgeDocument_s3Key_idx", "indisvalid")
    indexed.execute('CREATE INDEX a_partial ON "KnowledgeDocument" ("s3Key") WHERE "s3Key" IS NOT NULL')
    reading = await indexes(clients, cockpit_dsn)
    indexed.execute("DROP INDEX a_partial")
    assert reading.values["ok"] is True
    assert reading.evidence.lines[0].endswith("a_partial valid, partial")


async def test_a_table_that_is_not_there_may_be_another_database(clients: Clients, cockpit_dsn: str) -> None:
    reading = await indexes(clients, cockpit_dsn, "Nowhere.s3Key", BOTH[0])
    assert not reading.values
    assert {each.reason for each in reading.unknown.values()} == {Reason.NOT_FOUND}
    assert "no table Nowhere" in reading.unknown["ok"].detail


async def test_indexes_behind_a_black_hole_are_a_timeout(clients: Clients) -> None:
    async with wire_to() as hole:
        reading = await indexes(clients, f"postgresql://a:b@127.0.0.1:{hole.port}/d")
    assert {each.reason for each in reading.unknown.values()} == {Reason.TIMEOUT}


# -- rows --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def seeded(postgres_admin: psycopg.Connection) -> psycopg.Connection:
    postgres_admin.execute("""INSERT INTO "Category" (name) VALUES ('a'), ('b'), ('c')""")
    return postgres_admin


async def test_enough_rows(clients: Clients, seeded: psycopg.Connection, cockpit_dsn: str) -> None:
    reading = await rows(clients, cockpit_dsn, Category=3, KnowledgeDocument=0)
    assert reading.values == {"enough": True, "below": 0, "rows": 3}
    assert reading.unknown["below_names"].reason is Reason.NO_DATA
    assert reading.evidence.lines == ("Category: 3, floor 3", "KnowledgeDocument: 0, floor 0")
    assert reading.evidence.query.startswith('SELECT count(*) AS rows FROM "Category"; ')


async def test_too_few_rows(clients: Clients, seeded: psycopg.Connection, cockpit_dsn: str) -> None:
    values = (await rows(clients, cockpit_dsn, Category=4, KnowledgeDocument=1, CustomerDocument=0)).values
    assert (values["enough"], values["below"]) == (False, 2)
    assert values["below_names"] == ("Category", "KnowledgeDocument")


async def test_a_table_that_cannot_be_counted_leaves_the_others_sum_open(
    clients: Clients, seeded: psycopg.Connection, cockpit_dsn: str
) -> None:
    reading = await rows(clients, cockpit_dsn, Category=3, Nowhere=1)
    assert not reading.values
    assert {each.reason for each in reading.unknown.values()} == {Reason.NOT_FOUND}
    assert reading.evidence.lines[0] == "Category: 3, floor 3"
    assert "not counted" in reading.evidence.lines[1]


async def test_a_table_seen_below_is_certain(clients: Clients, seeded: psycopg.Connection, cockpit_dsn: str) -> None:
    reading = await rows(clients, cockpit_dsn, Category=4, Nowhere=1)
    assert reading.values == {"enough": False, "below_names": ("Category",)}


async def test_a_missing_grant_is_named(clients: Clients, postgres_server: EmbeddedPostgres) -> None:
    reading = await rows(clients, postgres_server.dsn_of("blinkered", "blinkered-pw"), Category=1)
    assert {each.reason for each in reading.unknown.values()} == {Reason.ACCESS_DENIED}
    assert "GRANT SELECT" in reading.unknown["enough"].hint


async def test_rows_behind_a_black_hole_are_a_timeout(clients: Clients) -> None:
    async with wire_to() as hole:
        reading = await rows(clients, f"postgresql://a:b@127.0.0.1:{hole.port}/d", Category=1, CustomerDocument=1)
    assert {each.reason for each in reading.unknown.values()} == {Reason.TIMEOUT}


@pytest.mark.parametrize("wrong", [[], ["a.b.c"], ['"a"'], ["a; DROP TABLE b"], [""]])
def test_names_of_indexes_that_cannot_be_are_refused(wrong: list[str]) -> None:
    with pytest.raises(ValidationError):
        PostgresIndexesParams(dsn="postgresql://h/d", indexes=wrong)


@pytest.mark.parametrize("wrong", [{}, {'a"b': 1}, {"a.b": 1}, {"a": -1}, {"a": "many"}])
def test_floors_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PostgresRowsParams(dsn="postgresql://h/d", floors=wrong)
