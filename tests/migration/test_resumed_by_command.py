"""A run that was paused goes on by a command only where its gate still lets it, as it does from the terminal."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from migration.migration_bench import Bench
from support.cockpit_process import cockpit
from support.plans.trusted_plan import allow

from cockpit.migration import runs
from cockpit.migration.controller import Controller
from cockpit.migration.states import PhaseName, Wanted
from cockpit.plan.model import Migration

PLAN = """
plan: v1
name: moving
people: [{{id: ada, name: Ada, roles: [on_call]}}]
probes: {{me: {{uses: aws.identity}}}}
gates:
  - {{id: move, title: Move the files, before: {before}, poll: {{roles: [on_call]}}}}
migration:
  database: {dsn}
  bucket: docs
  tables: [{{name: KnowledgeDocument}}]
"""


@pytest.mark.parametrize(("before", "goes_on"), [("migrate", False), ("deploy", True)])
async def test_it_asks_the_gate(before: str, goes_on: bool, bench: Bench, tmp_path: Path) -> None:
    bench.insert(1)
    run = await bench.begin(PhaseName.COPY)
    await runs.want(bench.connection, run, Wanted.PAUSE)
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN.format(before=before, dsn=bench.dsn))
    allow(plan)
    done = await asyncio.to_thread(cockpit, "migrate", "resume", str(plan))
    assert ("not approved:" in done.stderr, "Move the files" in done.stderr) == (not goes_on, not goes_on), done.stderr
    assert done.returncode == (0 if goes_on else 1)
    wanted = (await runs.load(bench.connection, run)).wanted
    assert wanted is (Wanted.RUN if goes_on else Wanted.PAUSE)


async def test_it_asks_the_gate_from_the_terminal_too(bench: Bench) -> None:
    bench.insert(1)
    run = await bench.begin(PhaseName.COPY)
    await runs.want(bench.connection, run, Wanted.PAUSE)
    controller = Controller(Migration(bench.dsn, "docs", "", ()), "plan.yaml")
    controller.progress = replace(controller.progress, run=run, active=True)
    asked: list[PhaseName] = []

    def shut(phase: PhaseName) -> list[str]:
        asked.append(phase)
        return ["Move the files: ada (on-call) votes no-go"]

    assert await controller.resume(shut) == "not approved: Move the files: ada (on-call) votes no-go"
    assert asked == [PhaseName.COPY]
    assert (await runs.load(bench.connection, run)).wanted is Wanted.PAUSE
    await controller.resume(lambda _: [])
    assert (await runs.load(bench.connection, run)).wanted is Wanted.RUN


async def test_who_takes_over_a_run_that_nobody_supervises_asks_it_first(bench: Bench) -> None:
    bench.insert(1)
    run = await bench.begin(PhaseName.COPY)
    before = await runs.load(bench.connection, run)
    with pytest.raises(runs.NotApproved, match="votes no-go"):
        await runs.take_over(bench.connection, before, gate=lambda _: ["Move: ada votes no-go"], supervisor="another")
    after = await runs.load(bench.connection, run)
    assert (after.supervisor, after.wanted) == (before.supervisor, Wanted.RUN)
