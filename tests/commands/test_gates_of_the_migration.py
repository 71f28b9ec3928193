"""The plan's gates stand where a run of the migration begins, whoever its workers are."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from support.cockpit_process import cockpit
from support.plans.trusted_plan import allow
from support.sources import NoSource
from support.waiting import until

from cockpit.engine.clock import SessionClock
from cockpit.engine.operator_desk import Desk
from cockpit.engine.recording import recording
from cockpit.engine.watch import Watch
from cockpit.journal.shared_store import DirectoryStore
from cockpit.migration.database import host_and_name
from cockpit.plan.load import load_plan

PLAN = """
plan: v1
name: moving
people: [{id: ada, name: Ada, roles: [on_call]}]
probes: {me: {uses: aws.identity}}
gates:
  - {id: move, title: Move the files, before: migrate, poll: {roles: [on_call]}}
  - {id: purge, title: Purge the bytes, before: purge, poll: {roles: [on_call]}}
migration:
  database: postgresql://me@127.0.0.1:1/app
  bucket: docs
  tables: [{name: Document}]
  ecs: {cluster: prod, task_definition: migration, subnets: [subnet-1]}
"""


@pytest.mark.parametrize(
    ("command", "gate"),
    [
        (("copy",), "Move the files"),
        (("purge",), "Purge the bytes"),
        (("run-on-ecs",), "Move the files"),
        (("run-on-ecs", "--phase", "copy", "--as", "ada"), "Move the files"),
    ],
)
def test_no_run_begins_before_its_gate(tmp_path: Path, command: tuple[str, ...], gate: str) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN)
    allow(plan)
    name, *options = command
    done = cockpit("migrate", name, str(plan), *options)
    assert done.returncode == 1, done.stderr
    assert "not approved:" in done.stderr
    assert gate in done.stderr


@pytest.mark.parametrize("command", [("copy",), ("purge",), ("run-on-ecs",)])
async def test_no_run_begins_by_a_record_whose_share_is_not_named(tmp_path: Path, command: tuple[str, ...]) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN)
    allow(plan)
    share, loaded = tmp_path / "share", load_plan(plan)
    async with recording(loaded, SessionClock(), who="ada", store=DirectoryStore(share)) as kept:
        watch = Watch(loaded, NoSource(), kept.clock, kept.record, kept.started_at)
        kept.attach(watch)
        for gate in ("move", "purge"):
            await Desk(watch, kept, "ada").vote(gate, "go")
        await until(lambda: list(share.rglob("*.jsonl")), "it is shared")
    name, *options = command
    done = await asyncio.to_thread(cockpit, "migrate", name, str(plan), "--as", "ada", *options)
    assert done.returncode == 1
    assert "the share is not read: what others stated or took back since" in done.stderr
    assert "name it with --share; or ask the others, then go on without it, by name: A in the cockpit" in done.stderr
    done = await asyncio.to_thread(cockpit, "migrate", name, str(plan), "--as", "ada", "--share", str(share), *options)
    assert "not approved" not in done.stderr
    assert "the database refused" in done.stderr


@pytest.mark.parametrize("command", [("verify",), ("run-on-ecs", "--phase", "verify")])
def test_a_phase_without_a_gate_goes_on_to_the_database(tmp_path: Path, command: tuple[str, ...]) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN)
    allow(plan)
    name, *options = command
    done = cockpit("migrate", name, str(plan), *options)
    assert "not approved" not in done.stderr
    assert "the database refused" in done.stderr


def test_the_words_of_a_purge_name_the_host() -> None:
    one, other = (host_and_name(f"postgresql://me:secret@{host}:5432/app?schema=x") for host in ("a.db", "b.db"))
    assert (one, other) == ("a.db/app", "b.db/app")
