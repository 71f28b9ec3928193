"""A phase of the migration begins as it was shown, after typed words and a reason, or not at all."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from rehearsal.files_world import counted, until, written
from support.plans.trusted_plan import allow
from support.sources import NoSource
from support.waiting import at_last

from cockpit.decide.events import GateUsed
from cockpit.engine.operator_desk import Desk
from cockpit.engine.recorded import record_in
from cockpit.engine.recording import recording
from cockpit.engine.watch import Watch
from cockpit.journal.record_folder import records_root
from cockpit.migration.database import host_and_name
from cockpit.migration.phase_proposal import FROZEN, proposal_from
from cockpit.plan.load import load_plan
from cockpit.rehearsal.process.launcher import Rehearsal

pytestmark = [pytest.mark.world, pytest.mark.long]
COCKPIT = str(Path(sys.executable).with_name("cockpit"))
GATED = """
people: [{id: ada, name: Ada, roles: [on_call]}]
gates:
  - {id: move, title: Move the files, before: migrate, poll: {roles: [on_call]}}
"""
Done = tuple[int | None, str, str]


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rehearsal]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    async with Rehearsal(rate=0.3) as started:
        started.clock.set_speed(1.0)
        yield started


async def migrate(world: Rehearsal, *words: str, **given: str) -> Done:
    """Exit code, output and errors of `cockpit migrate`."""
    process = await asyncio.create_subprocess_exec(
        *(COCKPIT, "migrate", *words),
        env={**os.environ, **world.environment, **given},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await at_last(process.communicate())
    return process.returncode, out.decode(), " ".join(err.decode().split())


async def test_it_is_shown_confirmed_and_looked_at_again(world: Rehearsal, tmp_path: Path) -> None:
    plan = str(written(world, tmp_path, rate=0, task="unused"))
    dsn = world.environment["MIGRATION_DATABASE_URL"]
    words = f"copy {host_and_name(dsn)}"

    code, _, err = await migrate(world, "copy", plan)
    assert code == 1
    assert "123456789012, us-east-1" in err
    assert f"Type {words}: and why to confirm" in err
    for typed in ("copy", words, f"{words}x: it is time", f"purge {host_and_name(dsn)}: it is time"):
        assert (await migrate(world, "copy", plan, "--confirm", typed))[0] == 1
    assert counted(dsn) == {}, "nothing was begun, and nothing was written"

    code, out, _ = await migrate(world, "copy", plan, "--propose")
    assert code == 0
    proposal = proposal_from(out)
    assert (proposal.account, proposal.database, proposal.files) == ("123456789012", host_and_name(dsn), None)
    another = out.replace(proposal.principal, "arn:aws:iam::123456789012:user/somebody-else")
    code, _, err = await migrate(world, "copy", plan, "--confirm", f"{words}: it is time", **{FROZEN: another})
    assert code == 3
    assert "it changed since it was shown, so nothing was begun: principal was" in err
    assert counted(dsn) == {}

    code, _, err = await migrate(world, "copy", plan, "--confirm", f"{words}: it is time", **{FROZEN: out})
    assert code == 0, err
    with psycopg.connect(dsn) as connection:
        kinds = connection.execute("SELECT kind, text FROM cutover.event ORDER BY id").fetchall()
    first, second = kinds[:2]
    assert first[0] == "decided"
    assert ": it is time (copy" in first[1]
    assert proposal.principal in first[1]
    assert second == ("began", "copy")
    assert counted(dsn).get("switched", 0) > 0
    assert proposal.line in "".join(path.read_text() for path in records_root().glob("*/journal/*.jsonl"))


async def test_votes_are_used_by_a_run_that_begins_and_not_by_a_command_that_is_killed_before(
    world: Rehearsal, tmp_path: Path
) -> None:
    path = written(world, tmp_path, rate=0, task="unused")
    path.write_text(path.read_text() + GATED)
    allow(path, world.environment)
    plan = load_plan(path, environ={**os.environ, **world.environment})
    clock, dsn = world.clock, world.environment["MIGRATION_DATABASE_URL"]
    async with recording(plan, clock, who="ada") as kept:
        watch = Watch(plan, NoSource(), clock, kept.record, kept.started_at)
        kept.attach(watch)
        await Desk(watch, kept, "ada").vote("move", "go")
    words = ("copy", str(path), "--as", "ada", "--confirm", f"copy {host_and_name(dsn)}: it is time")
    with psycopg.connect(dsn, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(hashtext('cockpit: a run begins by a statement'))")
        process = await asyncio.create_subprocess_exec(
            *(COCKPIT, "migrate", *words), env={**os.environ, **world.environment}, stderr=asyncio.subprocess.DEVNULL
        )
        waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory'"
        await until(lambda: other.execute(waits).fetchone() == (1,))
        process.kill()
        await process.wait()
    held = record_in(kept.folder)
    assert [use.by for use in held.all(GateUsed)] == ["ada"]
    assert counted(dsn).get("switched", 0) == 0, "it was stated, and had not begun"

    code, out, err = await migrate(world, *words, "--propose")
    assert (code, proposal_from(out).stated.partition(" by ")[2]) == (0, "ada, and not begun: it begins by that"), err
    code, _, err = await migrate(world, *words)
    assert code == 0, err
    assert counted(dsn).get("switched", 0) > 0
    assert record_in(kept.folder).all(GateUsed) == held.all(GateUsed)
    code, _, err = await migrate(world, *words)
    assert code == 1
    assert "Move the files: needs 1 more GO vote" in err
    code, _, err = await migrate(world, "forget", str(path), "--confirm", f"forget {host_and_name(dsn)}")
    assert code == 3
    assert "the ledger holds that they are used" in err
    with psycopg.connect(dsn, autocommit=True) as other:  # a database that is put back to before
        other.execute("DROP SCHEMA cutover CASCADE")
    code, _, err = await migrate(world, *words)
    assert code == 1
    assert "Move the files: needs 1 more GO vote" in err
