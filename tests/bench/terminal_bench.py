"""The terminal as its user meets it, in a real pseudo-terminal: start-up, first paint, keys, detection, CPU, quitting.

Prints medians beside their budgets: `--help` 150 ms, first paint 0.7 s, key to screen p95 50 ms with 500 criteria, CPU 5 %
of a core for the full plan, detection overhead 100 ms, quit 1 s.
"""

from __future__ import annotations

import asyncio
import http.server
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import psutil
from bench.migration import KEYS, Store, engine, fill
from support.plans.trusted_plan import allow
from support.pty_terminal import Terminal

from cockpit.migration.local_workers import NICE
from cockpit.rehearsal.database.postgres_server import EmbeddedPostgres
from cockpit.rehearsal.database.seed import seed_database
from cockpit.rehearsal.process.launcher import Rehearsal

COCKPIT = [str(Path(sys.executable).with_name("cockpit"))]


class Site(http.server.ThreadingHTTPServer):
    """Answers 200, or 500 once told to; remembers when it first said 500."""

    daemon_threads = True
    broken = False
    said_500_at = 0.0


class Answers(http.server.BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self.send_response(500 if self.server.broken else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()
        if self.server.broken and not self.server.said_500_at:
            self.server.said_500_at = time.monotonic()

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


def help_ms() -> float:
    times = []
    for _ in range(9):
        began = time.perf_counter()
        subprocess.run([*COCKPIT, "--help"], check=True, capture_output=True)
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def detection_ms(folder: Path) -> tuple[float, float, float]:
    """Medians: first paint (s); from the 500 on the wire to ROLLBACK on the screen (ms); quit (s)."""
    paints, overheads, quits = [], [], []
    for _ in range(7):
        site = Site(("127.0.0.1", 0), Answers)
        threading.Thread(target=site.serve_forever, daemon=True).start()
        plan = folder / "plan.yaml"
        plan.write_text(plan_text(site.server_port))
        terminal = Terminal([*COCKPIT, "run", str(plan)])
        terminal.wait_for(b"READ-ONLY")
        paints.append(time.monotonic() - terminal.began)
        terminal.drain(2.0)
        site.broken = True
        terminal.wait_for(b"ROLLBACK")
        overheads.append((time.monotonic() - site.said_500_at) * 1000)
        quits.append(terminal.quit())
        site.shutdown()
        site.server_close()
    return statistics.median(paints), statistics.median(overheads), statistics.median(quits)


def keys_ms(folder: Path) -> tuple[float, float]:
    """Median and p95 from a key to its screen, with 500 criteria read once a second."""
    site = Site(("127.0.0.1", 0), Answers)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    plan = folder / "many.yaml"
    plan.write_text(plan_text(site.server_port, 500))
    terminal = Terminal([*COCKPIT, "run", str(plan)])
    terminal.wait_for(b"READ-ONLY")
    terminal.drain(4.0)
    times = []
    for n in range(80):
        key, shown = (("3", b"SEES, OR WHY NOT"), ("1", b"CRITERION"))[n % 2]
        terminal.key(key)
        times.append(terminal.wait_for(shown) * 1000)
        terminal.drain(0.137)
    terminal.quit()
    site.shutdown()
    ordered = sorted(times)
    return statistics.median(times), ordered[int(len(ordered) * 0.95)]


MOVING = """
migration:
  database: "{dsn}"
  bucket: documents-measured
  prefix: documents/
  tables: [{{name: KnowledgeDocument}}]
"""


def keys_while_moving_ms(folder: Path, files: int = 120_000) -> tuple[float, float, float]:
    """Median and p95 from a key to its screen while files of 20 KB move at full speed beside it; and how many a second."""
    site = Site(("127.0.0.1", 0), Answers)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as name:
        postgres, store = EmbeddedPostgres(Path(name) / "postgres"), Store()
        try:
            postgres.start()
            dsn = seed_database(postgres, datetime.now(UTC)).application
            os.environ.update(KEYS, AWS_ENDPOINT_URL=store.url, AWS_EC2_METADATA_DISABLED="true")
            fill(dsn, files, 20_000)
            store.tell("latency 0.02")
            plan = folder / "moving.yaml"
            plan.write_text(plan_text(site.server_port, 40) + MOVING.format(dsn=dsn))
            allow(plan)
            with ThreadPoolExecutor(1) as pool:
                moving = pool.submit(engine, dsn, files, 20_000, nice=NICE)
                terminal = Terminal([*COCKPIT, "run", str(plan)])
                terminal.wait_for(b"READ-ONLY")
                terminal.drain(3.0)
                times: list[float] = []
                while not moving.done() and len(times) < 60:
                    key, shown = (("4", b"COPY"), ("1", b"CRITERION"))[len(times) % 2]
                    terminal.key(key)
                    times.append(terminal.wait_for(shown) * 1000)
                    terminal.drain(0.1)
                if moving.done():
                    raise SystemExit(
                        f"the files had moved after {len(times)} keys: give it more of them; {sorted(times)[-9:]}"
                    )
                terminal.quit()
                rate = moving.result().rate
        finally:
            store.close()
            postgres.stop()
            site.shutdown()
    ordered = sorted(times)
    return statistics.median(times), ordered[int(len(ordered) * 0.95)], rate


async def cpu_percent(seconds: float = 20.0) -> float:
    """CPU of the terminal on the full plan, read as often as the plan says, in percent of one core."""
    async with Rehearsal(rate=0.3) as world:
        world.clock.set_speed(1.0)
        variables = [part for name, value in world.vars.items() for part in ("--var", f"{name}={value}")]
        plan = allow(Path("checklists/transparent-trust.yaml"), world.environment, **world.vars)
        command = [*COCKPIT, "run", str(plan), "--allow-claimed", "measured, not decided", *variables]
        terminal = Terminal(command, env=dict(world.environment))
        await asyncio.to_thread(terminal.wait_for, b"READ-ONLY")
        await asyncio.to_thread(terminal.drain, 6.0)
        process = psutil.Process(terminal.pid)
        before = process.cpu_times()
        await asyncio.to_thread(terminal.drain, seconds)
        after = process.cpu_times()
        await asyncio.to_thread(terminal.quit)
        return (after.user + after.system - before.user - before.system) / seconds * 100


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["XDG_STATE_HOME"] = str(folder / "state")  # no record of an earlier night is gone on with
        print(f"--help {help_ms():.0f} ms (budget 150)")
        paint, overhead, quitting = detection_ms(folder)
        print(f"first paint {paint:.2f} s (budget 0.7)")
        print(f"from the failing answer on the wire to ROLLBACK on the screen {overhead:.0f} ms (budget 100)")
        print(f"quit {quitting:.2f} s (budget 1)")
        median, p95 = keys_ms(folder)
        print(f"key to screen with 500 criteria at 1 Hz: median {median:.0f} ms, p95 {p95:.0f} ms (budget 50)")
        median, p95, rate = keys_while_moving_ms(folder)
        print(f"key to screen beside {rate:,.0f} files/s: median {median:.0f} ms, p95 {p95:.0f} ms (budget 50)")
        print(f"CPU of the terminal on the full plan: {asyncio.run(cpu_percent()):.1f} % of a core (budget 5)")


if __name__ == "__main__":
    main()
