"""Fixtures for tests against a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from cockpit.rehearsal.database.postgres_server import EmbeddedPostgres

SCHEMA = """
CREATE TABLE "KnowledgeDocument" (id serial PRIMARY KEY, "s3Key" text, "createdAt" timestamp(3) NOT NULL);
CREATE TABLE "CustomerDocument" (id serial PRIMARY KEY, "s3Key" text, "createdAt" timestamp(3) NOT NULL);
CREATE TABLE "Category" (id serial PRIMARY KEY, name text);
CREATE ROLE cockpit LOGIN PASSWORD 'read-only-pw' IN ROLE pg_monitor;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO cockpit;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO cockpit;
CREATE ROLE blinkered LOGIN PASSWORD 'blinkered-pw';
CREATE ROLE narrow LOGIN PASSWORD 'narrow-pw' CONNECTION LIMIT 0;
"""


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL with 12 slots (3 reserved), the document tables, and roles of different sight."""
    folder: Path = tmp_path_factory.mktemp("postgres")
    with EmbeddedPostgres(folder, max_connections=12) as started:
        with psycopg.connect(started.dsn, autocommit=True) as admin:
            admin.execute(SCHEMA)
        yield started


@pytest.fixture
def postgres_admin(postgres_server: EmbeddedPostgres) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres_server.dsn, autocommit=True) as connection:
        yield connection
        for table in ("KnowledgeDocument", "CustomerDocument", "Category"):  # of few rows: TRUNCATE makes new files
            connection.execute(f'DELETE FROM "{table}"'.encode())


@pytest.fixture
def cockpit_dsn(postgres_server: EmbeddedPostgres) -> str:
    return postgres_server.dsn_of("cockpit", "read-only-pw")
