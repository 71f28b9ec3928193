"""Workers killed at random while the store misbehaves and the application writes; afterwards everything is audited.

`PYTHONPATH=tests python tests/migration/crash_driver.py --documents 4000 --seeds 6` prints a line a seed.
`--without xmin|intent|epoch` takes one guard out of the workers: the audit must then find something, or it proves nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from migration.mutations import MUTATIONS, code_without
from migration.transitions import unlisted, watch_transitions
from migration.worker_process import WorkerProcess
from support.waiting import LAST_RESORT_S, until

from cockpit.migration import runs, schema
from cockpit.migration.database import connect
from cockpit.migration.local_workers import DATABASE
from cockpit.migration.settings import Settings, Source
from cockpit.migration.states import PhaseName
from cockpit.migration_scope import Limits, MigrationTable
from cockpit.rehearsal.database.postgres_server import EmbeddedPostgres
from cockpit.rehearsal.database.seed import seed_database
from cockpit.rehearsal.object_store import ObjectStore, StoreFault

BUCKET = "documents-under-fire"
TABLE = '"KnowledgeDocument"'
WORKERS = 3
WRITES = 2
AT_ONCE = 100
COUNT_SWITCHES = """
CREATE TABLE IF NOT EXISTS switches (id text, at timestamptz DEFAULT clock_timestamp(), bytes bytea);
CREATE OR REPLACE FUNCTION switched() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO switches (id, bytes) VALUES (NEW."id", sha256(NEW."fileData"));
    RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS switched ON "KnowledgeDocument";
CREATE TRIGGER switched AFTER UPDATE OF "s3Key" ON "KnowledgeDocument" FOR EACH ROW
    WHEN (OLD."s3Key" IS NULL AND NEW."s3Key" IS NOT NULL) EXECUTE FUNCTION switched();
TRUNCATE switches;
"""


@dataclass
class Audit:
    documents: int = 0
    kills: int = 0
    wrong: list[str] = field(default_factory=list)
    """Rows that name an object which is not their bytes."""
    misrecorded: list[str] = field(default_factory=list)
    """Rows that name an object which the ledger does not hold to be theirs: it would be swept, or never verified and purged."""
    unfinished: list[str] = field(default_factory=list)
    """Rows that name no object: not wrong, but the run was to end."""
    unknown: list[str] = field(default_factory=list)
    """Keys in the store that neither the ledger nor a row knows."""
    doubled: list[str] = field(default_factory=list)
    """Documents switched more than once with the same bytes."""
    unlisted: list[str] = field(default_factory=list)
    """Changes of state that `states.py` does not list."""
    unrecorded: list[str] = field(default_factory=list)
    """Left-overs in the store that are neither live nor waiting to be swept."""

    @property
    def clean(self) -> bool:
        """Nothing lost, nothing doubled, nothing nobody knows of. Whether the run ended is another matter."""
        return not (self.wrong or self.misrecorded or self.unknown or self.doubled or self.unlisted or self.unrecorded)

    def __str__(self) -> str:
        found = f"{len(self.wrong)} wrong, {len(self.misrecorded)} misrecorded, {len(self.unknown)} unknown keys"
        twice = f"{len(self.doubled)} switched twice, {len(self.unlisted)} unlisted changes of state"
        rest = f"{len(self.unrecorded)} unrecorded, {len(self.unfinished)} unfinished"
        return f"{self.documents:,} documents, {self.kills} kills: {found}, {twice}, {rest}"


async def drive(
    dsn: str,
    store: ObjectStore,
    documents: int,
    seed: int,
    *,
    without: str = "",
    held_up: bool = False,
    rounds: int = 3_000,
) -> Audit:
    """One run under fire, and its audit. Raises TimeoutError when no file is taken up any more.

    `rounds`: how many times at most the workers are looked after once one of them may be hit. `held_up`: uploads stall and
    workers sleep past their leases far more often, so that one wakes while another has its document: what only the epoch
    tells apart. Hits and the application's writes keep step with the files that are moved, so that a slow machine sees as
    many of both.
    """
    chance = random.Random(seed)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS cutover, watch CASCADE")
        connection.execute(f'TRUNCATE {TABLE}, "CustomerDocument"')
        connection.execute(COUNT_SWITCHES)
        store.buckets[BUCKET].versions.clear()
        with connection.cursor() as cursor:
            columns = '"id", "title", "filename", "fileType", "content", "fileData", "fileSize"'
            with cursor.copy(f"COPY {TABLE} ({columns}) FROM STDIN") as copy:
                for number in range(documents):
                    body = chance.randbytes(chance.randrange(1, 4_000))
                    copy.write_row((f"d{number:06}", "t", "a file.pdf", "pdf", "c", body, len(body)))
    store.faults[:] = [
        StoreFault("status", chance=0.02),
        StoreFault("reset_after", chance=0.02),
        StoreFault("stall", chance=0.15 if held_up else 0.002, seconds=2.5),
    ]
    settings = Settings(
        BUCKET,
        "us-east-1",
        "documents/",
        (Source(MigrationTable("KnowledgeDocument")),),
        Limits(files_per_s=0),
        lease_s=1.0,
    )
    control = await connect(dsn)
    audit = Audit()
    fighters = Fighters(dsn, without, held_up)
    writing = asyncio.create_task(_application(dsn, documents, chance, lambda: fighters.begun))
    try:
        await schema.create(control)
        with psycopg.connect(dsn, autocommit=True) as connection:
            watch_transitions(connection)
        await runs.enlist_all(control, settings)
        run = await runs.begin(control, PhaseName.COPY, settings, guarded=False, gate=lambda _: ())
        gives_up = time.monotonic() + LAST_RESORT_S
        while rounds:
            fighters.keep(run)
            await asyncio.sleep(chance.uniform(0.05, 0.35))
            left = await (
                await control.execute("SELECT sum(files)::int FROM cutover.tally WHERE state IN ('planned')")
            ).fetchone()
            planned = left[0] if left and left[0] else 0
            calm = planned < documents * 0.1
            if documents - planned > fighters.begun:
                gives_up = time.monotonic() + LAST_RESORT_S
                fighters.begun = documents - planned
                if not calm or not fighters.kills:  # who takes up nearly all at once is hit as well
                    fighters.hit(chance)
            elif not calm:
                if time.monotonic() > gives_up:
                    raise TimeoutError(f"no worker takes up any of {planned} files")
                continue
            rounds -= 1
            if calm:
                writing.cancel()
                if await runs.finish_if_done(control, await runs.load(control, run)):
                    break
        audit.kills = fighters.kills
    finally:
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        fighters.end()
        await control.close()
    return audited(dsn, store, audit)


@dataclass
class Fighters:
    """Worker processes that die and come back; some are stopped past their lease instead."""

    dsn: str
    without: str
    held_up: bool = False
    kills: int = 0
    begun: int = 0
    """Files that a worker has taken up."""
    processes: list[WorkerProcess | subprocess.Popen[bytes]] = field(default_factory=list)
    stopped: dict[int, tuple[float, int]] = field(default_factory=dict)
    """Process id -> until when it is stopped at least, and how many files had been taken up then."""

    def keep(self, run: int) -> None:
        now = time.monotonic()
        for process in list(self.processes):
            if process.pid in self.stopped:
                rests_until, begun = self.stopped[process.pid]
                if now > rests_until and (self.begun > begun or len(self.stopped) == WORKERS):
                    del self.stopped[process.pid]
                    process.send_signal(signal.SIGCONT)
            if process.poll() is not None:
                self.processes.remove(process)
        while len(self.processes) < WORKERS:
            if not self.without:
                self.processes.append(WorkerProcess(self.dsn, run))
                continue
            code = code_without(self.without) + "import asyncio, os\nfrom cockpit.migration.worker import main\n"
            code += f"asyncio.run(main(os.environ[{DATABASE!r}], {run}))"
            self.processes.append(
                subprocess.Popen(
                    [sys.executable, "-c", code], env={**os.environ, DATABASE: self.dsn}, stderr=subprocess.DEVNULL
                )
            )

    def hit(self, chance: random.Random) -> None:
        victim = chance.choice(self.processes)
        if victim.pid in self.stopped:
            return
        if not self.kills:
            victim.kill()
            self.kills += 1
        elif chance.random() < (0.8 if self.held_up else 0.3):
            victim.send_signal(signal.SIGSTOP)
            self.stopped[victim.pid] = time.monotonic() + chance.uniform(1.2, 2.5), self.begun
        elif chance.random() < 0.5:
            victim.kill()
            self.kills += 1

    def end(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()


async def _application(dsn: str, documents: int, chance: random.Random, begun: Callable[[], int]) -> None:
    """The application: it rewrites files (and then forgets its key, as an upload does), edits titles, deletes, adds.

    It writes WRITES times for each file that a worker has taken up, and for some at the beginning.
    """
    connection = await psycopg.AsyncConnection.connect(dsn, autocommit=True)
    written = 0

    def in_step() -> bool:
        return written <= WRITES * (begun() + AT_ONCE)

    try:
        while True:
            written += 1
            await until(in_step, "no file is taken up any more")
            id_ = f"d{chance.randrange(documents):06}"
            what = chance.random()
            body = chance.randbytes(chance.randrange(1, 2_000))
            if what < 0.5:
                # Only files that are not in S3 yet: a rewrite after the switch is the purge's to find.
                query = f'UPDATE {TABLE} SET "fileData" = %s WHERE "id" = %s AND "s3Key" IS NULL'
                await connection.execute(query, (body, id_))
            elif what < 0.8:
                await connection.execute(f'UPDATE {TABLE} SET "title" = \'edited\' WHERE "id" = %s', (id_,))
            elif what < 0.9:
                await connection.execute(f'DELETE FROM {TABLE} WHERE "id" = %s', (id_,))
            await asyncio.sleep(0.002)
    finally:
        await connection.close()


def audited(dsn: str, store: ObjectStore, audit: Audit) -> Audit:
    shelf = store.buckets[BUCKET]
    with psycopg.connect(dsn) as connection:
        rows: Sequence[Any] = connection.execute(f'SELECT "id", "fileData", "s3Key" FROM {TABLE}').fetchall()
        objects: dict[str, str] = dict(connection.execute("SELECT key, state FROM cutover.object").fetchall())
        twice = connection.execute("SELECT id FROM switches GROUP BY id HAVING count(*) > 1").fetchall()
        audit.unlisted = unlisted(connection)
    audit.documents = len(rows)
    audit.doubled = [row[0] for row in twice]
    live = set()
    for id_, held, key in rows:
        if key is None:
            audit.unfinished.append(id_)
            continue
        live.add(key)
        stored = shelf.current(key)
        if stored is None or stored.body != bytes(held):
            audit.wrong.append(id_)
        if objects.get(key, "live") != "live":
            audit.misrecorded.append(id_)
    for key in shelf.names():
        if key not in objects:
            if key not in live:
                audit.unknown.append(key)
        elif key not in live and objects[key] == "live":
            audit.unrecorded.append(key)
    # A document deleted after its switch leaves a live object that sweep marks: it is recorded, by its item.
    with psycopg.connect(dsn) as connection:
        ids = {row[0] for row in rows}
        keys: dict[str, str] = dict(
            connection.execute("SELECT key, doc_id FROM cutover.item WHERE key IS NOT NULL").fetchall()
        )
        switched: dict[str, str] = dict(
            connection.execute("SELECT doc_id, key FROM cutover.item WHERE state = 'switched'").fetchall()
        )
    audit.misrecorded += [id_ for id_, _, key in rows if key is not None and switched.get(id_) != key]
    audit.unrecorded = [key for key in audit.unrecorded if keys.get(key) in ids or key not in keys]
    return audit


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, default=4_000)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--held-up", action="store_true", help="workers sleep, and uploads stall, far more often")
    parser.add_argument("--without", choices=sorted(MUTATIONS), default="")
    asked = parser.parse_args()
    os.environ.update(AWS_ACCESS_KEY_ID="rehearsal", AWS_SECRET_ACCESS_KEY="rehearsal-secret", AWS_REGION="us-east-1")
    clean = True
    with tempfile.TemporaryDirectory() as folder:
        postgres = EmbeddedPostgres(Path(folder) / "postgres")
        postgres.start()
        try:
            dsn = seed_database(postgres, datetime.now(UTC)).application
            for seed in range(asked.seeds):
                with ObjectStore(BUCKET, seed=seed) as store:
                    os.environ["AWS_ENDPOINT_URL"] = store.url
                    audit = asyncio.run(
                        drive(dsn, store, asked.documents, seed, without=asked.without, held_up=asked.held_up)
                    )
                clean = clean and audit.clean
                print(f"seed {seed}: {audit}", flush=True)
        finally:
            postgres.stop()
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
