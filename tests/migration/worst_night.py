"""A copy on the worst of nights: workers are killed and stopped, supervisors killed, the database fails over, credentials
rotate, one row in a hundred is refused. Every healthy row is moved, every poisoned one quarantined with a reason, nothing is
lost, the run ends.

`PYTHONPATH=tests python tests/migration/worst_night.py --documents 20000 --seeds 3` prints a line a seed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import psutil
import psycopg
from migration.crash_driver import BUCKET, COUNT_SWITCHES, TABLE, Audit, audited
from migration.credential_issuer import Issuer, StrictStore
from migration.primary_and_standby import Pair, pair
from migration.transitions import watch_transitions
from support.waiting import LAST_RESORT_S, until

from cockpit.migration import runs, schema
from cockpit.migration.database import GONE, connect
from cockpit.migration.local_workers import DATABASE
from cockpit.migration.settings import Settings, Source
from cockpit.migration.states import PhaseName
from cockpit.migration_scope import Limits, MigrationTable
from cockpit.rehearsal.database.seed import seed_database
from cockpit.rehearsal.object_store import StoreFault

T = TypeVar("T")
WORKERS = 2
ONE_IN = 100
SUPERVISORS_KILLED = 3
SUPERVISE = f"""
import asyncio, os, sys
from cockpit.migration.local_workers import LocalWorkers
from cockpit.migration.runs import RunError
from cockpit.migration.supervisor import Supervisor
dsn, run, log = os.environ[{DATABASE!r}], int(sys.argv[1]), sys.argv[2]
try:
    asyncio.run(Supervisor(dsn, run, list, LocalWorkers(dsn, run, {WORKERS}, log)).run())
except RunError:
    sys.exit(3)
"""
POISONED = f"""
CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF OLD."title" = 'poisoned' THEN RAISE EXCEPTION 'document % must not be changed', OLD."id"; END IF; RETURN NEW; END $$;
DROP TRIGGER IF EXISTS refuse ON {TABLE};
CREATE TRIGGER refuse BEFORE UPDATE ON {TABLE} FOR EACH ROW EXECUTE FUNCTION refuse();
"""


@dataclass
class Night:
    audit: Audit = field(default_factory=Audit)
    outcome: str = ""
    supervisors_killed: int = 0
    stopped: int = 0
    """Workers that were stopped, and went on once the run had ended."""
    rotations: int = 0
    halts: int = 0
    """How often an operator had to resume the run."""
    poisoned: int = 0
    left: list[str] = field(default_factory=list)
    """Healthy rows that were not moved."""
    unexplained: list[str] = field(default_factory=list)
    """Poisoned rows that are not quarantined with a reason."""

    @property
    def clean(self) -> bool:
        return self.audit.clean and bool(self.outcome) and not (self.left or self.unexplained)

    def __str__(self) -> str:
        hits = (
            f"{self.supervisors_killed} supervisors killed, {self.stopped} workers stopped, {self.rotations} rotations, "
            f"{self.halts} halts, 1 failover"
        )
        rows = f"{self.poisoned} poisoned ({len(self.unexplained)} unexplained), {len(self.left)} healthy rows left"
        return f"{self.audit}; {hits}; {rows}; ended: {self.outcome or 'NEVER'}"


async def night(servers: Pair, store: StrictStore, issuer: Issuer, documents: int, seed: int, log: Path) -> Night:
    """One copy through all of it. The servers run, and nobody follows the primary yet."""
    chance, found = random.Random(seed), Night()
    application = seed_database(servers.primary, datetime.now(UTC)).application
    servers.address.leads_to = servers.primary.port
    dsn = servers.through_address(application)
    fill(dsn, documents, chance)
    servers.follow(synchronous=True)
    store.faults[:] = [StoreFault("status", chance=0.02), StoreFault("reset_after", chance=0.02)]
    sources = (Source(MigrationTable("KnowledgeDocument")),)
    settings = Settings(BUCKET, "us-east-1", "documents/", sources, Limits(), lease_s=3.0)
    control = await connect(dsn)
    await schema.create(control)
    with psycopg.connect(dsn, autocommit=True) as connection:
        watch_transitions(connection)
    await runs.enlist_all(control, settings)
    run = await runs.begin(control, PhaseName.COPY, settings, guarded=False, gate=lambda _: ())
    await control.close()

    supervisor: subprocess.Popen[bytes] | None = None
    failed_over = False
    moved: object = None
    gives_up = time.monotonic() + LAST_RESORT_S
    try:
        while True:
            if supervisor is None or supervisor.poll() is not None:
                supervisor = supervising(dsn, run, log)
            await asyncio.sleep(chance.uniform(0.2, 0.8))  # the pace of the hits
            now = await asked(dsn, lambda connection: runs.load(connection, run))
            if now.ended_at is not None:
                found.outcome = now.outcome
                break
            if now.halted is not None:
                found.halts += 1
                await asked(dsn, lambda connection: resumed(connection, run))
            left = await planned(dsn)
            share = 1 - left / documents
            if (seen := (left, found.halts, found.supervisors_killed, failed_over)) != moved:
                moved, gives_up = seen, time.monotonic() + LAST_RESORT_S
            elif time.monotonic() > gives_up:
                break  # it never ended: that is what is found
            if not failed_over and share > 0.4:
                failed_over = True
                servers.primary.kill()
                servers.address.leads_to = servers.standby.port
                servers.promote()
            if chance.random() < 0.1:
                found.rotations += 1
                issuer.expire()
            known = await reported(dsn, run)
            victims = [each for each in workers_of(dsn, run) if each.pid in known]
            if (
                victims and share < 0.9 and (not found.audit.kills or chance.random() < 0.3)
            ):  # one at least, however fast it goes
                hit(victims, chance, found)
            if found.supervisors_killed < SUPERVISORS_KILLED and share > 0.2 * (found.supervisors_killed + 1):
                supervisor.send_signal(signal.SIGKILL)
                found.supervisors_killed += 1
        with contextlib.suppress(subprocess.TimeoutExpired):
            supervisor.wait(60)
    finally:
        if supervisor is not None:
            supervisor.kill()
            supervisor.wait()
        wake(workers_of(dsn, run))
        await until(lambda: not workers_of(dsn, run), "workers of an ended run end")
    judge(dsn, store, found)
    return found


def hit(victims: Sequence[psutil.Process], chance: random.Random, found: Night) -> None:
    """Kill one, or stop it where another goes on."""
    victim = victims[chance.randrange(len(victims))]
    with contextlib.suppress(psutil.Error):
        going_on = [each for each in victims if each.status() != psutil.STATUS_STOPPED]
        if len(going_on) > 1 and found.audit.kills and (not found.stopped or chance.random() < 0.3):
            victim.suspend()
            found.stopped += 1
        else:
            victim.kill()
            found.audit.kills += 1


def wake(stopped: Sequence[psutil.Process]) -> None:
    for worker in stopped:
        with contextlib.suppress(psutil.Error):
            worker.resume()


def supervising(dsn: str, run: int, log: Path) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-c", SUPERVISE, str(run), str(log)]
    return subprocess.Popen(words, env={**os.environ, DATABASE: dsn})


def fill(dsn: str, documents: int, chance: random.Random) -> None:
    columns = '"id", "title", "filename", "fileType", "content", "fileData", "fileSize"'
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f'TRUNCATE {TABLE}, "CustomerDocument"'.encode())
        connection.execute(COUNT_SWITCHES.encode())
        with connection.cursor() as cursor, cursor.copy(f"COPY {TABLE} ({columns}) FROM STDIN".encode()) as copy:
            for number in range(documents):
                body = chance.randbytes(chance.randrange(1, 4_000))
                title = "poisoned" if number % ONE_IN == 7 else "t"
                copy.write_row((f"d{number:06}", title, "a file.pdf", "pdf", "c", body, len(body)))
        connection.execute(POISONED.encode())


async def resumed(connection: psycopg.AsyncConnection[object], run: int) -> None:
    await runs.go_on(connection, await runs.load(connection, run), gate=lambda _: (), by="the operator")


async def asked(dsn: str, question: Callable[[psycopg.AsyncConnection[object]], Awaitable[T]]) -> T:
    """The answer of whichever database is there now. Raises TimeoutError where none comes."""
    async with asyncio.timeout(LAST_RESORT_S):
        while True:
            with contextlib.suppress(*GONE):
                connection = await connect(dsn, primary=True)
                try:
                    return await question(connection)
                finally:
                    with contextlib.suppress(*GONE):
                        await connection.close()


async def planned(dsn: str) -> int:
    async def count(connection: psycopg.AsyncConnection[object]) -> int:
        query = "SELECT coalesce(sum(files), 0)::int FROM cutover.tally WHERE state = 'planned'"
        row = await (await connection.execute(query)).fetchone()
        return int(row[0])  # type: ignore[index]

    return await asked(dsn, count)


async def reported(dsn: str, run: int) -> set[int]:
    """The process ids of workers that have begun: on a slow machine one that is killed at its start would never begin at all."""

    async def pids(connection: psycopg.AsyncConnection[object]) -> set[int]:
        rows = await (await connection.execute("SELECT pid FROM cutover.worker WHERE run_id = %s", (run,))).fetchall()
        return {int(row[0]) for row in rows}  # type: ignore[index]

    return await asked(dsn, pids)


def workers_of(dsn: str, run: int) -> list[psutil.Process]:
    """Whoever started them; of this database alone, for others may have a run of this number."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if (process.info["cmdline"] or [])[-2:] == ["cockpit.migration", str(run)]:
            with contextlib.suppress(psutil.Error):
                if process.environ().get(DATABASE) == dsn:
                    found.append(process)
    return found


def judge(dsn: str, store: StrictStore, found: Night) -> None:
    audited(dsn, store, found.audit)
    with psycopg.connect(dsn) as connection:
        poisoned = {
            row[0] for row in connection.execute(f'SELECT "id" FROM {TABLE} WHERE "title" = \'poisoned\''.encode())
        }
        items = connection.execute(
            "SELECT doc_id, state, last_error FROM cutover.item WHERE state = 'quarantined'"
        ).fetchall()
    explained = {doc_id for doc_id, _, error in items if error and "must not be changed" in error}
    found.poisoned = len(poisoned)
    found.unexplained = sorted(poisoned - explained)
    found.left = sorted(set(found.audit.unfinished) - poisoned)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, default=3)
    asked_for = parser.parse_args()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        os.environ.pop(name, None)
    clean = True
    for seed in range(asked_for.seeds):
        with tempfile.TemporaryDirectory() as folder:
            found = asyncio.run(one(Path(folder), asked_for.documents, seed))
        clean = clean and found.clean
        print(f"seed {seed}: {found}", flush=True)
    return 0 if clean else 1


async def one(
    folder: Path, documents: int, seed: int, setenv: Callable[[str, str], None] = os.environ.__setitem__
) -> Night:
    """A night with servers, a store and credentials of its own. No credentials may stand in the environment."""
    issuer = Issuer(lives_s=16 * 60)
    with pair(folder) as servers, StrictStore(BUCKET, seed=seed) as store:
        store.shown, store.issuer = set(), issuer
        setenv("AWS_REGION", "us-east-1")
        setenv("AWS_EC2_METADATA_DISABLED", "true")
        setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
        setenv("AWS_CONFIG_FILE", str(folder / "config"))
        setenv("AWS_ENDPOINT_URL", store.url)
        setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", issuer.url)
        return await night(servers, store, issuer, documents, seed, folder / "workers.log")


if __name__ == "__main__":
    sys.exit(main())
