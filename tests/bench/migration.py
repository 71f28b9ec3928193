"""How fast files move, side by side on one store and one PostgreSQL.

`PYTHONPATH=tests python tests/bench/migration.py [--quick] [--limit]`

(a) this engine as worker processes; (b) the readiness report's script, its steps in Python: load all rows, then one by one
upload and update; (c) export to files, then s5cmd; (d) export, then rclone; (e) the bare client's PUTs from memory, the ceiling.
Printed are ratios of one run; machines differ and are noisy. `--limit` prints only what bounds (a), of files of 1 MB and 300 MB.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import psycopg
from bench.migration_limit import Servers, against_the_limit

from cockpit.migration import runs, schema
from cockpit.migration.database import Connection, connect
from cockpit.migration.local_workers import DATABASE
from cockpit.migration.settings import Settings, Source
from cockpit.migration.states import PhaseName, Wanted
from cockpit.migration_scope import Limits, MigrationTable
from cockpit.rehearsal.database.postgres_server import EmbeddedPostgres
from cockpit.rehearsal.database.seed import seed_database

BUCKET = "documents-measured"
KEYS = {"AWS_ACCESS_KEY_ID": "rehearsal", "AWS_SECRET_ACCESS_KEY": "rehearsal-secret", "AWS_REGION": "us-east-1"}
MIB = 1024 * 1024
LOOK_S = 0.2


@dataclass
class Measured:
    files: int
    bytes: int
    seconds: float
    cpu_s: float
    peak: int
    """Most memory of one client process, bytes."""

    @property
    def rate(self) -> float:
        return self.files / self.seconds

    def __str__(self) -> str:
        speed = f"{self.rate:8,.0f} files/s {self.bytes / self.seconds / 1e6:7.1f} MB/s"
        return f"{speed} {self.cpu_s / self.files * 1e6:9,.0f} us CPU a file {self.peak / MIB:6.0f} MiB"


class Store:
    """The store in a process of its own; `latency` and `empty` steer it."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "cockpit.rehearsal.object_store", BUCKET, "0", "forget"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        self.pid = self._process.pid

    def tell(self, words: str) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(words + "\n")
        self._process.stdin.flush()
        self._process.stdout.readline()

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(5)


def fill(dsn: str, files: int, size: int) -> None:
    """`files` rows of about `size` bytes that do not compress."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS cutover CASCADE")
        connection.execute('TRUNCATE "KnowledgeDocument"')
        connection.execute('ALTER TABLE "KnowledgeDocument" ALTER "fileData" SET STORAGE EXTERNAL')
        seed = os.urandom(min(size, MIB))
        query = """INSERT INTO "KnowledgeDocument" ("id", "title", "filename", "fileType", "content", "fileData", "fileSize")
            SELECT 'd' || lpad(n::text, 8, '0'), 't', 'a file.pdf', 'pdf', 'c',
                n::text::bytea || (SELECT string_agg(%b::bytea, ''::bytea) FROM generate_series(1, %s)), %s
            FROM generate_series(%s::int, %s::int) AS n"""
        step = max(1, min(files, 20_000_000 // size + 1))
        for start in range(1, files + 1, step):
            last = min(files, start + step - 1)
            connection.execute(query, (seed, max(1, size // len(seed)), size, start, last))


@contextmanager
def watched(pids: Callable[[], list[int]]) -> Iterator[list[int]]:
    """The most memory of any of these processes, in the list's first place."""
    peak, ended = [0], threading.Event()

    def look() -> None:
        while not ended.wait(0.05):
            for pid in pids():
                try:
                    text = Path(f"/proc/{pid}/status").read_text()
                except OSError:
                    continue
                held = next((line for line in text.splitlines() if line.startswith("VmHWM")), "VmHWM: 0")
                peak[0] = max(peak[0], int(held.split()[1]) * 1024)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    yield peak
    ended.set()
    thread.join()


def engine(
    dsn: str,
    files: int,
    size: int,
    workers: int = 1,
    nice: int = 0,
    enough: threading.Event | None = None,
    mark: Callable[[], None] = lambda: None,
) -> Measured:
    """(a) Worker processes; the ledger is made before, as `prepare` does. Where it is `enough`, the rest is left where it is.

    `mark` is called when files may begin, and when they are moved.

    Raises RuntimeError where the files will never all have moved: nobody supervises this run, so nothing else would say so.
    """
    sources = (Source(MigrationTable("KnowledgeDocument")),)
    settings = Settings(BUCKET, "us-east-1", "documents/", sources, Limits(files_per_s=0))

    async def measure() -> Measured:
        control = await connect(dsn)
        await schema.create(control)
        await runs.enlist_all(control, settings)
        run = await runs.begin(control, PhaseName.COPY, settings, guarded=False, gate=lambda _: ())
        await runs.want(control, run, Wanted.PAUSE)
        environment = {**os.environ, DATABASE: dsn}
        command = [sys.executable, "-m", "cockpit.migration", str(run)]
        processes = [subprocess.Popen(command, env=environment) for _ in range(workers)]  # noqa: ASYNC220 - measured alone
        for process in processes:
            os.setpriority(os.PRIO_PROCESS, process.pid, nice)
        while (await runs.load(control, run)).workers < workers:  # noqa: ASYNC110 - other processes
            await asyncio.sleep(0.02)
        with watched(lambda: [process.pid for process in processes]) as peak:
            cpu_before = _cpu_of(processes)  # its start-up is not what is measured
            mark()
            await runs.go_on(control, await runs.load(control, run), gate=lambda _: ())
            while (moved := await _moved(control, run, processes)) < files and not (enough and enough.is_set()):  # noqa: ASYNC110
                await asyncio.sleep(LOOK_S)
            mark()
            took, cpu = await _took(control), _cpu_of(processes) - cpu_before
        await runs.want(control, run, Wanted.DRAIN)
        for process in processes:
            process.wait(60)
        await control.close()
        return Measured(moved, moved * size, took, cpu, peak[0])

    return asyncio.run(measure())


def _cpu_of(processes: Iterable[subprocess.Popen[bytes]]) -> float:
    """CPU seconds of processes that live."""
    times = [psutil.Process(process.pid).cpu_times() for process in processes]
    return float(sum(each.user + each.system for each in times))


async def _took(control: Connection) -> float:
    """Seconds from the first file that was begun to the last that was done, by the ledger: looking on costs the database time."""
    query = "SELECT extract(epoch FROM max(switched_at) - (SELECT min(last_intent_at) FROM cutover.object)) FROM cutover.item"
    row = await (await control.execute(query)).fetchone()
    return float(row[0] or 0) if row else 0.0


async def _moved(control: Connection, run: int, processes: list[subprocess.Popen[bytes]]) -> int:
    """How many files have moved. Raises RuntimeError where a worker has ended, the run is halted or files are quarantined."""
    cursor = await control.execute("SELECT state, sum(files)::int FROM cutover.tally GROUP BY 1")
    files = dict(await cursor.fetchall())
    ended = [process.returncode for process in processes if process.poll() is not None]
    now = await runs.load(control, run)
    if ended or now.halted or now.ended_at or files.get("quarantined"):
        raise RuntimeError(f"workers ended: {ended}; halted: {now.halted}; {now.outcome}; {files}")
    return int(files.get("switched", 0))


SCRIPT = """
import os, sys, boto3, psycopg
s3 = boto3.client("s3")
db = psycopg.connect(sys.argv[1], autocommit=True)
query = 'SELECT "id", "filename", "fileData" FROM "KnowledgeDocument" WHERE "s3Key" IS NULL LIMIT %s'
rows = db.execute(query, (int(sys.argv[2]),)).fetchall()
about = {"ContentType": "application/pdf", "ServerSideEncryption": "AES256"}
for id_, name, data in rows:
    key = f"documents/pdf/{id_}_{name}"
    s3.put_object(Bucket="documents-measured", Key=key, Body=bytes(data), **about)
    db.execute('UPDATE "KnowledgeDocument" SET "s3Key" = %s, "fileData" = NULL WHERE "id" = %s', (key, id_))
"""
CEILING = """
import asyncio, os, sys, obstore
from obstore.store import S3Store
files, size, at_once = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
config = {"aws_endpoint": os.environ["AWS_ENDPOINT_URL"], "aws_access_key_id": "rehearsal",
    "aws_secret_access_key": "rehearsal-secret", "aws_region": "us-east-1", "aws_checksum_algorithm": "sha256",
    "aws_virtual_hosted_style_request": "false"}
store = S3Store("documents-measured", config=config, client_options={"allow_http": "true", "timeout": "60s"})
body = os.urandom(size)
async def main():
    gate = asyncio.Semaphore(at_once)
    async def one(n):
        async with gate:
            await obstore.put_async(store, f"bare/{n}", body, mode="create", use_multipart=False)
    await asyncio.gather(*(one(n) for n in range(files)))
asyncio.run(main())
"""
EXPORT = """
import pathlib, sys, psycopg
folder = pathlib.Path(sys.argv[2]); db = psycopg.connect(sys.argv[1])
with db.cursor(name="all", binary=True) as cursor:
    cursor.itersize = 50
    cursor.execute('SELECT "id", "fileData" FROM "KnowledgeDocument"')
    for id_, data in cursor:
        (folder / id_).write_bytes(data)
"""


def program(command: list[str], files: int, size: int, environment: dict[str, str] | None = None) -> Measured:
    """Run a program to its end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    process = subprocess.Popen(
        command, env={**os.environ, **(environment or {})}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    with watched(lambda: [process.pid]) as peak:
        process.wait()
    took = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measured(files, files * size, took, cpu, peak[0])


def exported(dsn: str, mover: str, store: Store, files: int, size: int) -> Measured:
    """(c), (d): the export counts; so does what starts the programs."""
    tools = Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as folder:
        first = program([sys.executable, "-c", EXPORT, dsn, folder], files, size)
        if mover == "s5cmd":
            command = [str(tools / "s5cmd"), "--endpoint-url", store.url, "cp", folder + "/", f"s3://{BUCKET}/export/"]
            second = program(command, files, size)
        else:
            remote = f":s3,provider=Other,env_auth=true,endpoint='{store.url}',no_check_bucket=true:{BUCKET}/export"
            command = [
                str(tools / "rclone"),
                "copy",
                "--transfers",
                "64",
                "--no-check-dest",
                "--ignore-checksum",
                folder,
                remote,
            ]
            second = program(command, files, size)
    seconds = first.seconds + second.seconds
    return Measured(files, files * size, seconds, first.cpu_s + second.cpu_s, max(first.peak, second.peak))


def cell(dsn: str, store: Store, files: int, size: int, latency_ms: int) -> list[str]:
    """One size at one latency: every way, and what the targets say."""
    print(f"\n{files:,} files of {size / 1000:,.0f} KB, {latency_ms} ms away", flush=True)
    store.tell(f"latency {latency_ms / 1000}")
    found: dict[str, Measured] = {}
    few = min(files, max(20, 1_000 // max(1, latency_ms // 5)))
    ways: dict[str, Callable[[], Measured]] = {
        "a  this engine, 1 worker": lambda: engine(dsn, files, size),
        "a2 this engine, 2 workers": lambda: engine(dsn, files, size, 2),
        f"b  the report's script ({few:,} files)": lambda: program(
            [sys.executable, "-c", SCRIPT, dsn, str(few)], few, size
        ),
        "c  export + s5cmd": lambda: exported(dsn, "s5cmd", store, files, size),
        "d  export + rclone": lambda: exported(dsn, "rclone", store, files, size),
        "e  bare PUTs from memory": lambda: program(
            [sys.executable, "-c", CEILING, str(files), str(size), "64" if size < MIB else "4"], files, size
        ),
    }
    for name, way in ways.items():
        fill(dsn, files, size)
        store.tell("empty")
        found[name[:2].strip()] = way()
        print(f"  {name:36} {found[name[:2].strip()]}", flush=True)
    ours = max(found["a"].rate, found["a2"].rate)
    ratios = {way: ours / found[way].rate for way in ("b", "c", "d", "e")}
    peak = max(found["a"].peak, found["a2"].peak) / MIB
    said = ", ".join(f"{ratio:.2f} x ({way})" for way, ratio in ratios.items())
    return [f"{files:>7,} x {size / 1000:>9,.0f} KB at {latency_ms:>3} ms: {said}; peak {peak:.0f} MiB"]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a tenth of the files, 20 ms only")
    parser.add_argument("--limit", action="store_true", help="only what bounds it, of files of 1 MB and 300 MB")
    asked = parser.parse_args()
    share = 10 if asked.quick else 1
    sizes = ((10_000 // share, 20_000), (1_000 // share, 1_000_000), (1 if asked.quick else 4, 300_000_000))
    with tempfile.TemporaryDirectory() as folder:
        postgres, store = EmbeddedPostgres(Path(folder) / "postgres"), Store()
        try:
            postgres.start()
            dsn = seed_database(postgres, datetime.now(UTC)).application
            os.environ.update(KEYS, AWS_ENDPOINT_URL=store.url, AWS_EC2_METADATA_DISABLED="true")
            lines: list[str] = []
            limits(postgres, dsn, store, 3 if asked.quick else 7)
            if asked.limit:
                return
            for latency in (20,) if asked.quick else (0, 20, 100):
                for files, size in sizes:
                    lines += cell(dsn, store, files, size, latency)
            lines += _by_rows(dsn, store, (1_000, 10_000) if asked.quick else (1_000, 100_000, 1_000_000))
            print("\nThis engine against the others\n  " + "\n  ".join(lines))
        finally:
            store.close()
            postgres.stop()


def limits(postgres: EmbeddedPostgres, dsn: str, store: Store, rounds: int) -> None:
    """What the engine's speed is bounded by, of files of 1 MB and of 300 MB, with no latency: where CPU is scarce."""
    store.tell("latency 0")
    assert postgres.pid is not None
    servers = Servers(postgres.pid, store.pid)
    for files, size in ((500, 1_000_000), (2, 300_000_000)):
        peak = [0]

        def emptied(files: int = files, size: int = size) -> None:
            fill(dsn, files, size)
            store.tell("empty")

        def ours(
            mark: Callable[[], None], files: int = files, size: int = size, peak: list[int] = peak
        ) -> tuple[float, float]:
            ran = engine(dsn, files, size, mark=mark)
            peak[0] = max(peak[0], ran.peak)
            return ran.seconds, ran.cpu_s

        for line in against_the_limit(dsn, servers, files, size, rounds, emptied, ours):
            print(line, flush=True)
        print(f"  most memory of this engine's worker: {peak[0] / MIB:.0f} MiB", flush=True)


def _by_rows(dsn: str, store: Store, counts: tuple[int, ...]) -> list[str]:
    """Time for a file must not grow with the number of files."""
    store.tell("latency 0")
    rates: list[Any] = []
    for count in counts:
        fill(dsn, count, 100)
        store.tell("empty")
        rates.append(engine(dsn, count, 100).rate)
        print(f"{count:,} rows of 100 bytes: {rates[-1]:,.0f} files/s", flush=True)
    return [f"time a file at {counts[-1]:,} rows against {counts[0]:,}: {rates[0] / rates[-1]:.2f} x"]


if __name__ == "__main__":
    main()
