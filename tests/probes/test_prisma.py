"""Prisma's record against the folder: real migrations, a real server."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from pydantic import ValidationError
from support.silent_wire import wire_to

from cockpit.rehearsal.database.postgres_server import EmbeddedPostgres
from cockpit.rehearsal.database.seed import MIGRATIONS, checksum, migrations
from probes.clients.clients import AwsOptions, Clients
from probes.databases.prisma import PrismaMigrations, PrismaMigrationsParams
from probes.reading import Reading, Reason

pytest_plugins = ["support.real_server"]

NOW = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
NAMES = [folder.name for folder in migrations()]
TABLE = """CREATE TABLE _prisma_migrations (
    id serial PRIMARY KEY, checksum VARCHAR(64) NOT NULL, finished_at TIMESTAMPTZ, migration_name VARCHAR(255) NOT NULL,
    logs TEXT, rolled_back_at TIMESTAMPTZ, started_at TIMESTAMPTZ NOT NULL, applied_steps_count INTEGER DEFAULT 0)"""


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    opened = Clients(AwsOptions())
    yield opened
    await opened.close()


class Record:
    """The table, filled as `prisma migrate` would."""

    def __init__(self, admin: psycopg.Connection) -> None:
        self._admin = admin
        self._at = NOW - timedelta(days=1)

    def add(
        self, name: str, *, finished: bool = True, rolled_back: bool = False, sum_: str = "", logs: str = ""
    ) -> None:
        self._at += timedelta(minutes=1)
        self._admin.execute(
            "INSERT INTO _prisma_migrations (checksum, finished_at, migration_name, logs, rolled_back_at, started_at)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            (
                sum_ or (checksum(MIGRATIONS / name) if (MIGRATIONS / name).exists() else "0" * 64),
                self._at if finished else None,
                name,
                logs or None,
                self._at if rolled_back else None,
                self._at,
            ),
        )


@pytest.fixture
def record(postgres_admin: psycopg.Connection) -> Iterator[Record]:
    postgres_admin.execute(TABLE)
    yield Record(postgres_admin)
    postgres_admin.execute("DROP TABLE _prisma_migrations")


async def read(clients: Clients, dsn: str, folder: Path | str = MIGRATIONS) -> Reading:
    probe = PrismaMigrations(PrismaMigrationsParams(dsn=dsn, folder=str(folder)), clients)
    try:
        return await probe.read(NOW)
    finally:
        await probe.close()


async def test_every_migration_applied(clients: Clients, record: Record, cockpit_dsn: str) -> None:
    for name in NAMES:
        record.add(name)
    reading = await read(clients, cockpit_dsn)
    assert reading.values == {
        "up_to_date": True,
        "applied": 4,
        "failed": 0,
        "rolled_back": 0,
        "pending": 0,
        "unknown": 0,
        "modified": 0,
        "last": NAMES[-1],
    }
    assert {name: each.reason for name, each in reading.unknown.items()} == {
        "failed_names": Reason.NO_DATA,
        "pending_names": Reason.NO_DATA,
    }


async def test_a_pending_migration_is_named(clients: Clients, record: Record, cockpit_dsn: str) -> None:
    for name in NAMES[:3]:
        record.add(name)
    reading = await read(clients, cockpit_dsn)
    assert (reading.values["pending"], reading.values["pending_names"]) == (1, (NAMES[3],))
    assert (reading.values["up_to_date"], reading.values["last"]) == (False, NAMES[2])
    assert reading.evidence.lines == (f"pending: {NAMES[3]}",)


async def test_a_failed_migration_is_pending_too_and_says_why(
    clients: Clients, record: Record, cockpit_dsn: str
) -> None:
    for name in NAMES[:3]:
        record.add(name)
    record.add(NAMES[3], finished=False, logs='ERROR: column "s3Key"\nalready exists postgresql://a:hunter2@h/d')
    reading = await read(clients, cockpit_dsn)
    assert (reading.values["failed"], reading.values["failed_names"]) == (1, (NAMES[3],))
    assert (reading.values["pending"], reading.values["up_to_date"]) == (1, False)
    assert 'column "s3Key" already exists' in reading.evidence.lines[0]
    assert "hunter2" not in repr(reading)


async def test_a_migration_rolled_back_and_not_applied_since(
    clients: Clients, record: Record, cockpit_dsn: str
) -> None:
    for name in NAMES[:3]:
        record.add(name)
    record.add(NAMES[3], finished=False, rolled_back=True)
    values = (await read(clients, cockpit_dsn)).values
    assert (values["rolled_back"], values["failed"], values["pending"]) == (1, 0, 1)


async def test_a_migration_rolled_back_and_applied_again_is_applied(
    clients: Clients, record: Record, cockpit_dsn: str
) -> None:
    record.add(NAMES[3], finished=False, rolled_back=True)
    for name in NAMES:
        record.add(name)
    values = (await read(clients, cockpit_dsn)).values
    assert (values["rolled_back"], values["pending"], values["up_to_date"]) == (0, 0, True)


async def test_a_rolled_back_row_does_not_hide_that_it_failed_again(
    clients: Clients, record: Record, cockpit_dsn: str
) -> None:
    for name in NAMES[:3]:
        record.add(name)
    record.add(NAMES[3], finished=False, rolled_back=True)
    record.add(NAMES[3], finished=False)
    values = (await read(clients, cockpit_dsn)).values
    assert (values["rolled_back"], values["failed"], values["pending"]) == (0, 1, 1)


async def test_a_migration_the_folder_does_not_have(clients: Clients, record: Record, cockpit_dsn: str) -> None:
    for name in [*NAMES, "20990101000000_from_another_branch"]:
        record.add(name)
    values = (await read(clients, cockpit_dsn)).values
    assert (values["unknown"], values["up_to_date"]) == (1, False)


async def test_a_file_changed_after_it_was_applied(
    clients: Clients, record: Record, cockpit_dsn: str, tmp_path: Path
) -> None:
    for name in NAMES:
        record.add(name)
    changed = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, changed)
    with (changed / NAMES[1] / "migration.sql").open("a") as script:
        script.write("-- edited\n")
    (changed / "migration_lock.toml").write_text('provider = "postgresql"')
    (changed / "20990101000000_empty").mkdir()
    values = (await read(clients, cockpit_dsn, changed)).values
    assert (values["modified"], values["pending"], values["up_to_date"]) == (1, 0, False)


async def test_a_new_database_has_nothing_applied(clients: Clients, record: Record, cockpit_dsn: str) -> None:
    reading = await read(clients, cockpit_dsn)
    assert (reading.values["applied"], reading.values["pending"], reading.values["up_to_date"]) == (0, 4, False)
    assert reading.unknown["last"].reason is Reason.NO_DATA


# -- not knowing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("folder", "reason"), [("", Reason.NO_DATA), ("nowhere", Reason.NOT_FOUND), ("empty", Reason.NO_DATA)]
)
async def test_without_the_folder_only_the_record_is_known(
    clients: Clients, record: Record, cockpit_dsn: str, tmp_path: Path, folder: str, reason: Reason
) -> None:
    for name in NAMES:
        record.add(name)
    (tmp_path / "empty").mkdir()
    reading = await read(clients, cockpit_dsn, tmp_path / folder if folder else "")
    assert (reading.values["applied"], reading.values["failed"]) == (4, 0)
    for name in ("pending", "pending_names", "unknown", "modified", "up_to_date"):
        assert reading.unknown[name].reason is reason, name


async def test_a_failed_migration_is_certain_without_the_folder(
    clients: Clients, record: Record, cockpit_dsn: str
) -> None:
    record.add(NAMES[0], finished=False)
    assert (await read(clients, cockpit_dsn, "")).values["up_to_date"] is False


async def test_a_database_prisma_never_saw_is_not_found(clients: Clients, cockpit_dsn: str) -> None:
    reading = await read(clients, cockpit_dsn)
    assert not reading.values
    assert {each.reason for each in reading.unknown.values()} == {Reason.NOT_FOUND}


async def test_a_missing_grant_is_named(clients: Clients, record: Record, postgres_server: EmbeddedPostgres) -> None:
    reading = await read(clients, postgres_server.dsn_of("blinkered", "blinkered-pw"))
    assert {each.reason for each in reading.unknown.values()} == {Reason.ACCESS_DENIED}
    assert "GRANT SELECT" in reading.unknown["pending"].hint


async def test_a_black_hole_is_a_timeout(clients: Clients) -> None:
    async with wire_to() as hole:
        reading = await read(clients, f"postgresql://a:b@127.0.0.1:{hole.port}/d")
    assert {each.reason for each in reading.unknown.values()} == {Reason.TIMEOUT}


def test_parameters_that_cannot_work_are_refused() -> None:
    with pytest.raises(ValidationError):
        PrismaMigrationsParams(dsn="")
