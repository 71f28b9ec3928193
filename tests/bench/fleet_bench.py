"""64 workers on one ledger, each a process of its own: claims a second, waits for locks, memory; nothing is claimed twice."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import psutil
import psycopg

from cockpit.migration import runs, schema
from cockpit.migration.database import connect
from cockpit.migration.local_workers import LocalWorkers
from cockpit.migration.settings import Settings, Source
from cockpit.migration.states import PhaseName, Wanted
from cockpit.migration.supervisor import Supervisor
from cockpit.migration_scope import Limits, MigrationTable
from cockpit.rehearsal.database.postgres_server import EmbeddedPostgres
from cockpit.rehearsal.database.seed import seed_database
from cockpit.rehearsal.object_store import ObjectStore

FILES, SIZE, CONNECTIONS = 20_000, 2_000, 2
LOOK_S = 0.05
CLAIMS = """
CREATE TABLE claims (doc_id text, epoch int, owner text, at timestamptz DEFAULT clock_timestamp());
CREATE FUNCTION claimed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO claims SELECT f.doc_id, f.epoch, f.owner FROM fresh f JOIN stale s USING (tbl, doc_id) WHERE f.epoch > s.epoch;
    RETURN NULL; END $$;
CREATE TRIGGER claimed AFTER UPDATE ON cutover.item REFERENCING NEW TABLE AS fresh OLD TABLE AS stale
    FOR EACH STATEMENT EXECUTE FUNCTION claimed();
"""
ROWS = (
    'INSERT INTO "KnowledgeDocument" ("id", "title", "filename", "fileType", "content", "fileData", "fileSize")'
    " SELECT 'doc-' || lpad(n::text, 6, '0'), 't', 'a.pdf', 'pdf', 'c', decode(repeat(md5(n::text), %s / 16), 'hex'), %s"
    " FROM generate_series(1, %s) AS n"
)
WAITING = (
    "SELECT CASE WHEN wait_event_type = 'Lock' THEN wait_event ELSE '' END FROM pg_stat_activity"
    " WHERE application_name = 'cockpit-migration' AND state = 'active'"
)


async def _waits(dsn: str, found: Counter[str]) -> None:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        while True:
            found.update(row[0] for row in await (await connection.execute(WAITING)).fetchall())
            await asyncio.sleep(LOOK_S)


async def measure(dsn: str, admin: str, workers: int, log: str) -> str:
    settings = Settings(
        "documents-measured", "us-east-1", "documents/", (Source(MigrationTable("KnowledgeDocument")),),
        Limits(connections=CONNECTIONS, concurrency=8),
    )  # fmt: skip
    control = await connect(dsn)
    try:
        await schema.create(control)
        await runs.enlist_all(control, settings)
        with psycopg.connect(admin, autocommit=True) as owner:
            owner.execute(CLAIMS.replace("claims ", "public.claims ").replace("claimed()", "public.claimed()"))
            owner.execute("GRANT ALL ON public.claims TO PUBLIC")
        run = await runs.begin(control, PhaseName.COPY, settings, guarded=False, gate=lambda _: ())
        await runs.want(control, run, Wanted.PAUSE)
        fleet, found = LocalWorkers(dsn, run, workers, log), Counter[str]()
        supervising = asyncio.create_task(Supervisor(dsn, run, list, fleet).run())
        while (await runs.load(control, run)).workers < workers:
            assert not supervising.done(), "it ended before all were there"
            await asyncio.sleep(0.5)
        looking = asyncio.create_task(_waits(admin, found))
        began = time.perf_counter()
        await runs.go_on(control, await runs.load(control, run), gate=lambda _: ())
        most = Counter[int]()
        while not supervising.done():
            for child in psutil.Process().children():
                most[child.pid] = max(most[child.pid], _private(child.pid))
            await asyncio.sleep(0.5)
        outcome, took = await supervising, time.perf_counter() - began
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        await fleet.end(60)
        rows = await (await control.execute(
            "SELECT count(*), count(DISTINCT doc_id), max(epoch), count(DISTINCT owner), "
            "extract(epoch FROM max(at) - min(at)) FROM public.claims"
        )).fetchone()  # fmt: skip
        assert rows is not None
        claims, files, epoch, owners, seconds = rows
        assert (claims, files, epoch) == (FILES, FILES, 1), f"a file was claimed twice: {rows}"
        died = (
            await (await control.execute("SELECT count(*) FROM cutover.event WHERE kind LIKE 'worker %'")).fetchone()
            or (0,)
        )[0]
        waits = ", ".join(f"{what} {n / found.total():.1%}" for what, n in found.most_common() if what) or "none"
        memory = sorted(size for pid, size in most.items() if size)
        return (
            f"{workers} workers, {CONNECTIONS} connections each: {outcome}; {files:,} files, each claimed once, by {owners} "
            f"workers: {float(claims) / float(seconds):,.0f} claims/s, {files / took:,.0f} files/s; "
            f"waiting for a lock: {waits}; memory of its own, each: {memory[len(memory) // 2] / 2**20:.0f} MiB, "
            f"at most {memory[-1] / 2**20:.0f}; deaths or silences: {died}"
        )
    finally:
        await control.close()


def _private(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_full_info().uss)
    except psutil.Error:
        return 0


def main() -> None:
    for workers in map(int, sys.argv[1:] or ["64"]):
        with tempfile.TemporaryDirectory() as folder, ObjectStore("documents-measured") as store:
            os.environ |= {
                "AWS_ENDPOINT_URL": store.url, "AWS_ACCESS_KEY_ID": "rehearsal", "AWS_SECRET_ACCESS_KEY": "rehearsal-secret",
                "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
            }  # fmt: skip
            with EmbeddedPostgres(Path(folder) / "postgres", max_connections=workers * CONNECTIONS + 80) as postgres:
                dsn = seed_database(postgres, datetime.now(UTC)).application
                with psycopg.connect(postgres.dsn, autocommit=True) as owner:
                    owner.execute('TRUNCATE "KnowledgeDocument", "CustomerDocument"')
                    owner.execute(ROWS, [SIZE, SIZE, FILES])
                print(asyncio.run(measure(dsn, postgres.dsn, workers, str(Path(folder) / "log"))), flush=True)


if __name__ == "__main__":
    main()
