"""A small plan over a rehearsed world whose documents are to be moved, and what its ledger says."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
from support.plans.trusted_plan import allow
from support.pty_terminal import Terminal
from support.waiting import LAST_RESORT_S, at_last

from cockpit.rehearsal.process.launcher import Rehearsal

COCKPIT = str(Path(sys.executable).with_name("cockpit"))
STARTED: list[asyncio.subprocess.Process] = []
"""Commands that were typed and may still run."""
PLAN = """
plan: v1
name: files
environment: rehearsal
target: {{account: "123456789012", region: us-east-1}}
probes:
  site: {{uses: http.health, with: {{url: "{url}/api/health"}}, interval: 2s}}
success_criteria:
  - {{id: up, title: The site answers, success_condition: site.ok}}
rollback_triggers:
  - {{id: down, title: The site is down, failure_condition: "!site.ok"}}
migration:
  database: "${{env:MIGRATION_DATABASE_URL}}"
  bucket: "{bucket}"
  tables: [{{name: KnowledgeDocument}}, {{name: CustomerDocument}}]
  guards:
    - {{id: guard.site, title: The site answers, pause_if: "!site.ok"}}
  limits: {{workers: 2, concurrency: 16, files_per_s: {rate}}}
  ecs: {{cluster: transparent-trust-prod, task_definition: {task}, subnets: ["{subnet}"], count: 2}}
"""


def written(world: Rehearsal, folder: Path, *, rate: int, task: str) -> Path:
    """The plan for this world, in a file, and allowed; `rate` files a second at most."""
    plan = folder / "files.yaml"
    held = world.vars
    plan.write_text(
        PLAN.format(url=held["url"], bucket=held["bucket"], rate=rate, task=task, subnet=held["migration_subnet"])
    )
    return allow(plan, world.environment)


def counted(dsn: str) -> dict[str, int]:
    with psycopg.connect(dsn) as connection:
        if not connection.execute("SELECT to_regclass('cutover.tally') IS NOT NULL").fetchone()[0]:  # type: ignore[index]
            return {}
        found = connection.execute("SELECT state, sum(files)::int FROM cutover.tally GROUP BY 1 HAVING sum(files) <> 0")
        return dict(found.fetchall())


async def until(condition: Callable[[], object], terminal: Terminal | None = None) -> None:
    """Poll until `condition()` is true, while the terminal's screen is read as a terminal would."""
    ends = time.monotonic() + LAST_RESORT_S
    while not condition():
        if time.monotonic() > ends:
            raise TimeoutError
        if terminal is not None:
            await asyncio.to_thread(terminal.drain, 0.2)
        await asyncio.sleep(0.1)


async def typed(world: Rehearsal, *words: str) -> asyncio.subprocess.Process:
    """`cockpit migrate WORDS`, as somebody types it; what it writes is one stream."""
    process = await asyncio.create_subprocess_exec(
        *(COCKPIT, "migrate", *words),
        env={**os.environ, **world.environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    STARTED.append(process)
    return process


async def said(process: asyncio.subprocess.Process) -> str:
    """What it wrote, once it has ended."""
    told, _ = await at_last(process.communicate())
    return told.decode()


async def end_started() -> None:
    """A command that a failed test leaves behind ends with it."""
    for process in STARTED:
        if process.returncode is None:
            process.kill()
            await process.wait()
    STARTED.clear()
