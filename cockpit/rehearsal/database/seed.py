"""The application's database as the cutover finds it: schema, applied migrations, roles, seed rows and stored files."""

from __future__ import annotations

import hashlib
import random
import secrets
import uuid
from collections.abc import Iterator
from dataclasses import field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from cockpit.rehearsal.database.postgres_server import EmbeddedPostgres
from probes.frozen import frozen

MIGRATIONS = Path(__file__).parent.parent / "prisma" / "migrations"
"""The application's Prisma migrations, one folder each, as its repository would hold them."""

SKILL_CATEGORIES = (
    *(
        "Access control",
        "Application security",
        "Audit and assurance",
        "Business continuity",
        "Cloud infrastructure",
        "Compliance",
    ),
    *("Data protection", "Encryption", "Human resources", "Incident response", "Network security", "Vendor management"),
)
DEFAULT_PROMPTS = (
    ("rfp-answer", "Answer the question from the knowledge provided. Say so when it is not covered."),
    ("rfp-review", "Review this answer for accuracy, tone and completeness."),
    ("document-summary", "Summarise the document in five sentences for a security reviewer."),
    ("customer-profile", "Describe the customer in one paragraph from public sources."),
    ("contract-review", "List clauses that differ from our standard terms."),
)
CUSTOMERS = ("Aldermoor Bank", "Brightwell Health", "Castell Energy", "Dunmore Insurance", "Eastgate Logistics")

KNOWLEDGE_DOCUMENTS = 360
CUSTOMER_DOCUMENTS = 40
_FILE_TYPES = ("pdf", "docx", "txt", "pptx", "doc")
_TITLES = (
    "SOC 2 report",
    "Pentest summary",
    "Data flow diagram",
    "ISMS policy",
    "DPA annex",
    "Übersicht Verschlüsselung",
    "Résumé d'audit",
)


@frozen
class Logins:
    """Connection URLs by role. They hold passwords: never show them."""

    application: str = field(repr=False)
    """What Prisma connects as: owner of the tables, no superuser."""
    cockpit: str = field(repr=False)
    """What the cockpit looks with: pg_monitor and SELECT."""


def seed_database(postgres: EmbeddedPostgres, now: datetime, seed: int = 7) -> Logins:
    """Make roles, apply the migrations, fill the tables. The same `seed` gives the same rows; blocking, about 0.2 s."""
    logins = _create_roles(postgres)
    with psycopg.connect(logins.application) as connection:
        applied_at = now - timedelta(days=2)
        for folder in migrations():
            _apply(connection, folder, applied_at)
            applied_at += timedelta(seconds=3)
        _seed(connection)
        _store_files(connection, now, random.Random(seed))
    with psycopg.connect(postgres.dsn, autocommit=True) as admin:
        admin.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO cockpit")
        admin.execute("ANALYZE")
    return logins


def migrations() -> list[Path]:
    """The migration folders in the order they are applied."""
    return sorted(folder for folder in MIGRATIONS.iterdir() if (folder / "migration.sql").exists())


def checksum(folder: Path) -> str:
    """What Prisma stores for a migration: the SHA-256 of its migration.sql, in hex."""
    return hashlib.sha256((folder / "migration.sql").read_bytes()).hexdigest()


def _create_roles(postgres: EmbeddedPostgres) -> Logins:
    application, cockpit = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    create = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
    with psycopg.connect(postgres.dsn, autocommit=True) as admin:
        admin.execute(create.format(sql.Identifier("transparent_trust"), sql.Literal(application)))
        admin.execute(create.format(sql.Identifier("cockpit"), sql.Literal(cockpit)))
        admin.execute("GRANT pg_monitor TO cockpit")
        admin.execute("GRANT ALL ON SCHEMA public TO transparent_trust")
        # The application's role owns its tables and may make the migration's ledger beside them.
        database = sql.Identifier(admin.info.dbname)
        admin.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO transparent_trust").format(database))
    return Logins(postgres.dsn_of("transparent_trust", application), postgres.dsn_of("cockpit", cockpit))


def _apply(connection: psycopg.Connection[Any], folder: Path, at: datetime) -> None:
    connection.execute(
        """CREATE TABLE IF NOT EXISTS _prisma_migrations (
            id VARCHAR(36) PRIMARY KEY NOT NULL, checksum VARCHAR(64) NOT NULL, finished_at TIMESTAMPTZ,
            migration_name VARCHAR(255) NOT NULL, logs TEXT, rolled_back_at TIMESTAMPTZ,
            started_at TIMESTAMPTZ NOT NULL DEFAULT now(), applied_steps_count INTEGER NOT NULL DEFAULT 0)"""
    )
    connection.execute((folder / "migration.sql").read_bytes())
    connection.execute(
        """INSERT INTO _prisma_migrations (id, checksum, started_at, finished_at, migration_name, applied_steps_count)
           VALUES (%s, %s, %s, %s, %s, 1)""",
        (str(uuid.uuid4()), checksum(folder), at, at + timedelta(seconds=1), folder.name),
    )


def _seed(connection: psycopg.Connection[Any]) -> None:
    """What `prisma db seed` loads: skill categories and default prompts."""
    cursor = connection.cursor()
    cursor.executemany(
        'INSERT INTO "SkillCategory" ("id", "name", "position") VALUES (%s, %s, %s)',
        [(f"category-{position:02}", name, position) for position, name in enumerate(SKILL_CATEGORIES, 1)],
    )
    cursor.executemany(
        'INSERT INTO "DefaultPrompt" ("id", "name", "body") VALUES (%s, %s, %s)',
        [(f"prompt-{name}", name, body) for name, body in DEFAULT_PROMPTS],
    )
    cursor.executemany(
        'INSERT INTO "User" ("id", "email", "name") VALUES (%s, %s, %s)',
        [(f"user-{number:03}", f"user{number:03}@company.com", f"User {number}") for number in range(1, 51)],
    )
    cursor.executemany(
        'INSERT INTO "Project" ("id", "name", "ownerId") VALUES (%s, %s, %s)',
        [
            (f"project-{number:03}", f"RFP {customer}", f"user-{number:03}")
            for number, customer in enumerate(CUSTOMERS, 1)
        ],
    )


@frozen
class _File:
    id: str
    title: str
    filename: str
    file_type: str
    data: bytes
    created_at: datetime


def _files(prefix: str, count: int, now: datetime, chance: random.Random) -> Iterator[_File]:
    """Stored files of 1 to 24 KB, some with names that a storage key must not hold, over the last 400 days."""
    for number in range(1, count + 1):
        title, kind = chance.choice(_TITLES), chance.choice(_FILE_TYPES)
        data = chance.randbytes(chance.randrange(1_024, 24_576))
        created_at = now - timedelta(minutes=chance.randrange(60, 400 * 24 * 60))
        yield _File(f"{prefix}-{number:04}", title, f"{title} ({number}).{kind}", kind, data, created_at)


def _store_files(connection: psycopg.Connection[Any], now: datetime, chance: random.Random) -> None:
    with connection.cursor() as cursor:
        columns = '"id", "title", "filename", "fileType", "content", "fileData", "fileSize", "createdAt"'
        with cursor.copy(f'COPY "KnowledgeDocument" ({columns}) FROM STDIN') as copy:
            for file in _files("knowledge", KNOWLEDGE_DOCUMENTS, now, chance):
                text = f"Text extracted from {file.filename}."
                row = (
                    file.id,
                    file.title,
                    file.filename,
                    file.file_type,
                    text,
                    file.data,
                    len(file.data),
                    _naive(file.created_at),
                )
                copy.write_row(row)
        columns = '"id", "customer", "title", "filename", "fileType", "fileData", "fileSize", "createdAt"'
        with cursor.copy(f'COPY "CustomerDocument" ({columns}) FROM STDIN') as copy:
            for file in _files("customer", CUSTOMER_DOCUMENTS, now, chance):
                customer = chance.choice(CUSTOMERS)
                row = (
                    file.id,
                    customer,
                    file.title,
                    file.filename,
                    file.file_type,
                    file.data,
                    len(file.data),
                    _naive(file.created_at),
                )
                copy.write_row(row)


def _naive(moment: datetime) -> datetime:
    """Prisma's TIMESTAMP(3) holds UTC without saying so."""
    return moment.replace(tzinfo=None)
