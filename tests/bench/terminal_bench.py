"""The terminal as its user meets it, in a real pseudo-terminal: start-up, first paint, keys, detection, CPU, quitting.

Prints medians, with the best and the worst, beside their budgets: `--help` 150 ms, first paint 0.7 s, key to screen p95
50 ms with 500 criteria, CPU 5 % of a core for the full plan, detection overhead 100 ms, quit 1 s.
"""

from __future__ import annotations

import asyncio
import compileall
import http.server
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil
from bench.migration import KEYS, Measured, Store, engine, fill
from bench.spread import p95, spread
from support.plans.trusted_plan import allow
from support.pty_terminal import Terminal

from cockpit.migration.local_workers import NICE
from cockpit.rehearsal.database.postgres_server import EmbeddedPostgres
from cockpit.rehearsal.database.seed import seed_database
from cockpit.rehearsal.process.launcher import Rehearsal

COCKPIT = [str(Path(sys.executable).with_name("cockpit"))]
WORD = "m ✗ ROLLBACK ".encode()
"""In the banner: not in the title of the terminal, nor a heading of the list."""


class Site(http.server.ThreadingHTTPServer):
    """Answers 200, or 500 once it is broken; keeps when it first said 500."""

    daemon_threads = True
    broken = False
    said_500_at: float | None = None


class Answers(http.server.BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        broken = self.server.broken
        if broken and self.server.said_500_at is None:
            self.server.said_500_at = time.monotonic()
        self.send_response(500 if broken else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


def plan_text(port: int, criteria: int = 1) -> str:
    """A plan of one HTTP probe, or of many with `criteria` on them."""
    count = max(1, criteria // 20)
    one = f"{{uses: http.health, with: {{url: 'http://127.0.0.1:{port}/'}}, interval: 1s}}"
    probes = "\n".join(f"  p{n}: {one}" for n in range(count))
    success = "\n".join(
        f"  - {{id: c{n}, title: 'Criterion number {n}', success_condition: 'p{n % count}.latency_ms < {n % 90 + 9}.0'}}"
        for n in range(max(1, criteria - 1))
    )
    return (
        f"plan: v1\nname: bench\nenvironment: bench\nverdict_dwell: 1s\nprobes:\n{probes}\nsuccess_criteria:\n{success}\n"
        'rollback_triggers:\n  - {id: down, title: The site is down, failure_condition: "!p0.ok"}\n'
    )


def help_ms() -> list[float]:
    times = []
    for _ in range(9):
        began = time.perf_counter()
        subprocess.run([*COCKPIT, "--help"], check=True, capture_output=True)
        times.append((time.perf_counter() - began) * 1000)
    return times


@contextmanager
def site() -> Iterator[Site]:
    served = Site(("127.0.0.1", 0), Answers)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    try:
        yield served
    finally:
        served.shutdown()
        served.server_close()


def opened(plan: Path, text: str) -> tuple[Terminal, float, float]:
    """The cockpit on a plan; seconds until its first paint, and of them those of the processor."""
    plan.write_text(text)
    terminal = Terminal([*COCKPIT, "run", str(plan), "--new"])  # no earlier record is gone on with
    terminal.wait_for(b"READ-ONLY")
    took, cpu = time.monotonic() - terminal.began, psutil.Process(terminal.pid).cpu_times()
    return terminal, took, cpu.user + cpu.system


def first_paint_s(folder: Path) -> tuple[list[float], list[float], list[float]]:
    """First paint, the same on the processor, and quitting."""
    paints, cpus, quits = [], [], []
    for _ in range(7):
        with site() as served:
            terminal, took, cpu = opened(folder / "plan.yaml", plan_text(served.server_port))
            paints.append(took)
            cpus.append(cpu)
            terminal.drain(2.0)
            quits.append(terminal.quit())
    return paints, cpus, quits


def detection_ms(folder: Path) -> list[float]:
    """From the first 500 on the wire to ROLLBACK on the screen, which was not there before."""
    overheads = []
    for _ in range(7):
        with site() as served:
            terminal, *_ = opened(folder / "plan.yaml", plan_text(served.server_port))
            if WORD in terminal.read_for(2.0):
                raise SystemExit("ROLLBACK is on the screen before anything is wrong")
            served.broken = True
            terminal.wait_for(WORD)
            assert served.said_500_at is not None
            overheads.append((time.monotonic() - served.said_500_at) * 1000)
            terminal.kill()  # with a rollback undecided, q would ask first
    return overheads


def keys_ms(folder: Path) -> list[float]:
    """From a key to its screen, with 500 criteria read once a second."""
    with site() as served:
        terminal, *_ = opened(folder / "many.yaml", plan_text(served.server_port, 500))
        terminal.drain(4.0)
        times = []
        for n in range(80):
            key, shown = (("3", b"SEES, OR WHY NOT"), ("1", b"CRITERION"))[n % 2]
            terminal.key(key)
            times.append(terminal.wait_for(shown) * 1000)
            terminal.drain(0.137)
        terminal.kill()
        return times


MOVING = """
migration:
  database: "{dsn}"
  bucket: documents-measured
  prefix: documents/
  tables: [{{name: KnowledgeDocument}}]
"""


def keys_while_moving_ms(folder: Path, files: int = 120_000) -> tuple[list[float], float]:
    """From a key to its screen while files of 20 KB move at full speed beside it; and how many a second."""
    with site() as served, tempfile.TemporaryDirectory() as name:
        postgres, store = EmbeddedPostgres(Path(name) / "postgres"), Store()
        try:
            postgres.start()
            dsn = seed_database(postgres, datetime.now(UTC)).application
            os.environ.update(KEYS, AWS_ENDPOINT_URL=store.url, AWS_EC2_METADATA_DISABLED="true")
            fill(dsn, files, 20_000)
            store.tell("latency 0.02")
            plan = folder / "moving.yaml"
            plan.write_text(text := plan_text(served.server_port, 40) + MOVING.format(dsn=dsn))
            allow(plan)
            enough = threading.Event()
            with ThreadPoolExecutor(1) as pool:
                moving = pool.submit(engine, dsn, files, 20_000, nice=NICE, enough=enough)
                try:
                    times = _keys_beside(moving, plan, text)
                finally:
                    enough.set()  # the rest would take minutes, on a busy machine hours, and measure nothing more
                rate = moving.result().rate
        finally:
            store.close()
            postgres.stop()
    return times, rate


def _keys_beside(moving: Future[Measured], plan: Path, text: str) -> list[float]:
    terminal, *_ = opened(plan, text)
    times: list[float] = []
    try:
        terminal.drain(3.0)
        while not moving.done() and len(times) < 60:
            key, shown = (("4", b"COPY"), ("1", b"CRITERION"))[len(times) % 2]
            terminal.key(key)
            times.append(terminal.wait_for(shown) * 1000)
            terminal.drain(0.1)
    finally:
        terminal.kill()
    if moving.done():
        moving.result()  # where it failed, that is why
        raise SystemExit(f"the files had moved after {len(times)} keys: give it more of them; {sorted(times)[-9:]}")
    return times


async def cpu_percents(seconds: float = 10.0, times: int = 5) -> list[float]:
    """CPU of the terminal on the full plan, read as often as the plan says, in percent of one core."""
    async with Rehearsal(rate=0.3) as world:
        world.clock.set_speed(1.0)
        variables = [part for name, value in world.vars.items() for part in ("--var", f"{name}={value}")]
        plan = allow(Path("checklists/transparent-trust.yaml"), world.environment, **world.vars)
        command = [*COCKPIT, "run", str(plan), "--allow-claimed", "measured, not decided", *variables]
        terminal = Terminal(command, env=dict(world.environment))
        await asyncio.to_thread(terminal.wait_for, b"READ-ONLY")
        await asyncio.to_thread(terminal.drain, 15.0)  # everything has been imported and every client made
        process, found = psutil.Process(terminal.pid), []
        for _ in range(times):
            before = process.cpu_times()
            await asyncio.to_thread(terminal.drain, seconds)
            after = process.cpu_times()
            found.append((after.user + after.system - before.user - before.system) / seconds * 100)
        terminal.kill()
        return found


def main() -> None:
    for room in ("cockpit", "probes"):
        compileall.compile_dir(room, quiet=1)  # as whatever installs it does
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["XDG_STATE_HOME"] = str(folder / "state")  # no record of an earlier night is gone on with
        print(f"--help {spread(help_ms(), 'ms')} (budget 150)", flush=True)
        paints, cpus, quits = first_paint_s(folder)
        print(f"first paint {spread(paints, 's', 2)}, of the processor {spread(cpus, 's', 2)} (budget 0.7)")
        print(f"quit {spread(quits, 's', 2)} (budget 1)", flush=True)
        overheads = detection_ms(folder)
        print(
            f"failing answer on the wire to ROLLBACK on the screen {spread(overheads, 'ms')} (budget 100)", flush=True
        )
        times = keys_ms(folder)
        print(
            f"key to screen with 500 criteria at 1 Hz: p95 {p95(times):.0f} ms, {spread(times, 'ms')} (budget p95 50)"
        )
        times, rate = keys_while_moving_ms(folder)
        print(
            f"key to screen beside {rate:,.0f} files/s: p95 {p95(times):.0f} ms, {spread(times, 'ms')} (budget p95 50)"
        )
        print(
            f"CPU of the terminal on the full plan: {spread(asyncio.run(cpu_percents()), '% of a core', 1)} (budget 5)"
        )


if __name__ == "__main__":
    main()
