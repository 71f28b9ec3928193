"""What this engine's speed is bounded by: PUTs of the bare client from memory, the same beside bare reads of the rows, and ours.

The bytes have to leave the database first. A client that throws them away and another that sends what it has in memory are the
least that a move of them can cost, and on one machine they share its cores. The three ways take turns; medians of their rounds.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import psutil

PUTS = """
import asyncio, os, sys, time, obstore
from obstore.store import S3Store
files, size, at_once, part = map(int, sys.argv[1:])
config = {"aws_endpoint": os.environ["AWS_ENDPOINT_URL"], "aws_access_key_id": "rehearsal",
    "aws_secret_access_key": "rehearsal-secret", "aws_region": "us-east-1", "aws_checksum_algorithm": "sha256",
    "aws_virtual_hosted_style_request": "false"}
store = S3Store("documents-measured", config=config, client_options={"allow_http": "true", "timeout": "60s"})
body = os.urandom(size)
how = {"use_multipart": True, "chunk_size": part, "max_concurrency": 2} if part else {"use_multipart": False, "mode": "create"}
async def main():
    gate = asyncio.Semaphore(at_once)
    async def one(n):
        async with gate:
            await obstore.put_async(store, f"bare/{n}", body, **how)
    await asyncio.gather(*(one(n) for n in range(files)))
print("ready", flush=True); sys.stdin.readline()
began = time.perf_counter()
asyncio.run(main())
print(time.perf_counter() - began, time.process_time(), flush=True); sys.stdin.readline()
"""
READS = """
import sys, time, psycopg
step = 2 * 1024 * 1024
query = f'''COPY (SELECT substring("fileData" FROM n FOR {step}) FROM "KnowledgeDocument",
    generate_series(1, octet_length("fileData"), {step}) AS n) TO STDOUT (FORMAT binary)'''
with psycopg.connect(sys.argv[1], autocommit=True) as db:
    print("ready", flush=True); sys.stdin.readline()
    began = time.perf_counter()
    with db.cursor().copy(query) as rows:
        for _ in rows:
            pass
    print(time.perf_counter() - began, time.process_time(), flush=True); sys.stdin.readline()
"""
PART = 8 * 1024 * 1024
Engine = Callable[[Callable[[], None]], tuple[float, float]]
"""Moves all files; its own seconds and CPU seconds. It calls what it is given when it may begin, and when all are moved."""


@dataclass(frozen=True, slots=True)
class Way:
    """What one way of moving the files took: seconds, and CPU milliseconds a MB by process."""

    seconds: float
    clients: float
    database: float
    store: float
    busy: float
    """Cores that were busy meanwhile, whoever used them."""

    @property
    def cpu(self) -> float:
        return self.clients + self.database + self.store


@dataclass(frozen=True, slots=True)
class Servers:
    """The process ids of PostgreSQL and of the store."""

    database: int
    store: int

    def cpu(self) -> tuple[float, float]:
        return tree_cpu(self.database), tree_cpu(self.store)


def tree_cpu(pid: int) -> float:
    """CPU seconds of a process, of those below it, and of those of them that have ended."""
    root = psutil.Process(pid)
    spent = 0.0
    for each in (root, *root.children(recursive=True)):
        try:
            spent += sum(each.cpu_times()[:4])
        except psutil.NoSuchProcess:
            continue
    return spent


def _busy_s() -> float:
    """Seconds that any core of this machine has been busy."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq)


def bare(servers: Servers, size: int, programs: Sequence[Sequence[str]]) -> Way:
    """Programs that begin at once; what was needed until the last of them was done. Their start-up does not count."""
    opened = [
        subprocess.Popen([sys.executable, "-c", *each], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for each in programs
    ]
    for process in opened:
        _line(process)
    started = sum(sum(psutil.Process(process.pid).cpu_times()[:2]) for process in opened)
    began, before, busy = time.perf_counter(), servers.cpu(), _busy_s()
    for process in opened:
        _on(process)
    answers = [[float(word) for word in _line(process).split()] for process in opened]
    took = time.perf_counter() - began
    busy, after = (_busy_s() - busy) / took, servers.cpu()
    for process in opened:
        _on(process)
        process.wait(60)
    clients = sum(cpu for _, cpu in answers) - started
    seconds = max(seconds for seconds, _ in answers)
    return _way(size, seconds, clients, before, after, busy)


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _on(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def watched(servers: Servers, size: int, engine: Engine) -> Way:
    """The engine, from when its run may begin files: what prepares it is not a part of moving them."""
    marks: list[tuple[float, float, tuple[float, float]]] = []
    seconds, cpu = engine(lambda: marks.append((time.perf_counter(), _busy_s(), servers.cpu())))
    (began, busy, before), (ended, busy_then, after) = marks
    return _way(size, seconds, cpu, before, after, (busy_then - busy) / (ended - began))


def _way(
    size: int, seconds: float, clients: float, before: tuple[float, float], after: tuple[float, float], busy: float
) -> Way:
    mb = size / 1e9
    return Way(seconds, clients / mb, (after[0] - before[0]) / mb, (after[1] - before[1]) / mb, busy)


def against_the_limit(
    dsn: str,
    servers: Servers,
    files: int,
    size: int,
    rounds: int,
    emptied: Callable[[], object],
    engine: Engine,
) -> Iterable[str]:
    """Lines about files of one size, the same of every round. `emptied` makes the rows and an empty store again."""
    at_once, part = ("64", "0") if size <= PART else ("4", str(PART))
    puts = (PUTS, str(files), str(size), at_once, "0")
    sent = (PUTS, str(files), str(size), at_once, part)
    ways: dict[str, Callable[[], Way]] = {
        "bare PUTs": lambda: bare(servers, files * size, [puts]),
        "bare PUTs beside bare reads": lambda: bare(servers, files * size, [sent, (READS, dsn)]),
        "this engine": lambda: watched(servers, files * size, engine),
    }
    found: dict[str, list[Way]] = {name: [] for name in ways}
    for number in range(rounds):
        names = list(ways)
        for name in names[number % 3 :] + names[: number % 3]:
            emptied()
            found[name].append(ways[name]())
    yield f"{files:,} files of {size / 1e6:,.0f} MB, {rounds} rounds in turn, {os.cpu_count()} cores"
    for name, ran in found.items():
        yield _row(name, files * size, ran)
    puts_alone, beside_reads, ours = ways
    for name, other in ((beside_reads, puts_alone), (ours, puts_alone), (ours, beside_reads)):
        pairs = list(zip(found[name], found[other], strict=True))
        speeds = [against.seconds / way.seconds for way, against in pairs]
        spent = statistics.median(way.cpu / against.cpu for way, against in pairs)
        yield (
            f"  {name} against {other}: {statistics.median(speeds):.2f} of the speed "
            f"({min(speeds):.2f} to {max(speeds):.2f}), {spent:.2f} x the CPU"
        )


def _row(name: str, size: int, ran: Sequence[Way]) -> str:
    middle = {
        key: statistics.median(getattr(way, key) for way in ran)
        for key in ("seconds", "clients", "database", "store", "busy")
    }
    return (
        f"  {name:28} {size / 1e6 / middle['seconds']:6.0f} MB/s; CPU ms a MB: client {middle['clients']:4.1f}, "
        f"PostgreSQL {middle['database']:4.1f}, store {middle['store']:4.1f}; {middle['busy']:.1f} cores busy"
    )
