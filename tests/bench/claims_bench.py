"""Sixteen workers on a calm ledger, beside one: claims a second, and how often anybody waits for another's lock."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from cockpit.migration import runs, schema
from cockpit.migration.database import connect
from cockpit.migration.ledger import Ledger
from cockpit.migration.settings import Settings, Source
from cockpit.migration.states import PhaseName
from cockpit.migration_scope import MIB, Limits, MigrationTable
from cockpit.rehearsal.database.postgres_server import EmbeddedPostgres
from cockpit.rehearsal.database.seed import seed_database

FILES, BATCH, ROUNDS = 10_000, 32, 3
LOOK_S = 0.01
EMPTIED = "TRUNCATE cutover.item, cutover.object, cutover.tally; UPDATE cutover.run SET ended_at = clock_timestamp()"
FILLED = (
    "INSERT INTO cutover.item (tbl, doc_id, kind, name, size)"
    " SELECT 'KnowledgeDocument', 'doc-' || lpad(n::text, 6, '0'), 'pdf', 'a.pdf', 20000 FROM generate_series(1, %s) AS n"
)
WAITING = (
    "SELECT CASE WHEN wait_event_type = 'Lock' THEN wait_event ELSE '' END FROM pg_stat_activity"
    " WHERE application_name = 'claims' AND state = 'active'"
)


async def _claims(dsn: str, settings: Settings, run: int, number: int) -> int:
    connection, claimed = await connect(dsn, name="claims"), 0
    ledger = Ledger(settings, run, f"worker-{number}")
    try:
        while taken := await ledger.claim_to_copy(connection, BATCH, 100 * MIB):
            claimed += len(taken)
        return claimed
    finally:
        await connection.close()


async def _waits(dsn: str, found: Counter[str]) -> None:
    """What the workers' statements under way wait for, again and again: the kind of lock, or "" for none."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        while True:
            found.update(row[0] for row in await (await connection.execute(WAITING)).fetchall())
            await asyncio.sleep(LOOK_S)


async def measure(dsn: str, admin: str, workers: int) -> tuple[float, Counter[str]]:
    """Claims a second, and what the statements under way waited for whenever somebody looked."""
    settings = Settings("bucket", "us-east-1", "documents/", (Source(MigrationTable("KnowledgeDocument")),), Limits())
    control = await connect(dsn)
    try:
        await schema.create(control)
        await control.execute(EMPTIED)
        await control.execute(FILLED, [FILES])
        await control.execute("ANALYZE cutover.item")
        run = await runs.begin(control, PhaseName.COPY, settings, guarded=False, gate=lambda _: ())
        found: Counter[str] = Counter()
        looking = asyncio.create_task(_waits(admin, found))
        began = time.perf_counter()
        claimed = sum(await asyncio.gather(*(_claims(dsn, settings, run, number) for number in range(workers))))
        took = time.perf_counter() - began
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        assert claimed == FILES, "every file is claimed once"
        return claimed / took, found
    finally:
        await control.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder) / "postgres") as postgres:
        dsn = seed_database(postgres, datetime.now(UTC)).application
        measured = {
            workers: [asyncio.run(measure(dsn, postgres.dsn, workers)) for _ in range(ROUNDS)] for workers in (1, 16)
        }
    rates = {workers: statistics.median(rate for rate, _ in found) for workers, found in measured.items()}
    seen: Counter[str] = sum((found for _, found in measured[16]), Counter())
    waits = ", ".join(f"{what} {count / seen.total():.1%}" for what, count in seen.most_common() if what) or "none"
    print(
        f"{FILES:,} files claimed {BATCH} at a time: 1 worker {rates[1]:,.0f}/s, 16 workers {rates[16]:,.0f}/s, ratio "
        f"{rates[16] / rates[1]:.2f}; of the statements of 16 that were under way, waiting for a lock: {waits} "
        f"({ROUNDS} rounds; it counts for little where other programs have the cores)"
    )


if __name__ == "__main__":
    main()
