"""Workers as ECS tasks: started by RunTask, followed through the ledger, drained and stopped."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import boto3
import psycopg
import pytest
from rehearsal.files_world import counted, end_started, said, typed, until, written

from cockpit.exit_codes import INTERRUPTED
from cockpit.migration.database import host_and_name
from cockpit.rehearsal.process.launcher import Rehearsal

pytestmark = [pytest.mark.world, pytest.mark.long]
TASK = "transparent-trust-migration"


@pytest.fixture(autouse=True)
async def _ended() -> AsyncIterator[None]:
    yield
    await end_started()


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rehearsal]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    async with Rehearsal(rate=0.3) as started:
        started.clock.set_speed(1.0)
        yield started


async def begun(world: Rehearsal, plan: Path) -> asyncio.subprocess.Process:
    confirm = f"copy {host_and_name(world.environment['MIGRATION_DATABASE_URL'])}: it is time"
    return await typed(world, "run-on-ecs", str(plan), "--format", "json", "--confirm", confirm)


def tasks(environment: Mapping[str, str]) -> list[str]:
    """The tasks of the migration that are meant to run."""
    client = boto3.client(
        "ecs",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )
    try:
        asked = {"cluster": "transparent-trust-prod", "desiredStatus": "RUNNING", "startedBy": "cockpit-migration"}
        return list(client.list_tasks(**asked)["taskArns"])
    finally:
        client.close()


async def test_two_tasks_move_the_files_and_end(world: Rehearsal, tmp_path: Path) -> None:
    process = await begun(world, written(world, tmp_path, rate=0, task=TASK))
    told = await said(process)
    dsn = world.environment["MIGRATION_DATABASE_URL"]
    assert process.returncode == 0, told
    assert not {"planned", "uploading"} & set(counted(dsn))
    with psycopg.connect(dsn) as connection:
        workers = connection.execute("SELECT state, files > 0 FROM cutover.worker").fetchall()
    assert workers == [("ended", True)] * 2
    assert tasks(world.environment) == []


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGHUP, marks=pytest.mark.long)])
async def test_interrupted_its_tasks_are_drained_and_stopped(
    world: Rehearsal, tmp_path: Path, number: signal.Signals
) -> None:
    process = await begun(world, written(world, tmp_path, rate=20, task=TASK))
    dsn = world.environment["MIGRATION_DATABASE_URL"]
    await until(lambda: counted(dsn).get("switched", 0) > 10)
    assert len(tasks(world.environment)) == 2
    process.send_signal(number)
    told = await said(process)
    assert process.returncode == 0, told
    assert "draining" in told
    left = counted(dsn)
    assert left.get("planned", 0) > 0
    assert "uploading" not in left
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT outcome FROM cutover.run").fetchone() == ("drained",)
        assert connection.execute("SELECT count(*) FROM cutover.item WHERE lease_until IS NOT NULL").fetchone() == (0,)
    assert tasks(world.environment) == []


@pytest.mark.long
async def test_interrupted_twice_it_leaves_at_once_and_says_what_can_be_done(world: Rehearsal, tmp_path: Path) -> None:
    process = await begun(world, written(world, tmp_path, rate=20, task=TASK))
    dsn = world.environment["MIGRATION_DATABASE_URL"]
    await until(lambda: counted(dsn).get("switched", 0) > 10)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)  # another, because two of one kind may arrive as one
    told = await said(process)
    assert process.returncode == INTERRUPTED, told
    assert "Traceback" not in told
    assert "cockpit migrate " in told
    assert tasks(world.environment) == []


async def test_a_task_that_cannot_be_started_is_told_and_nothing_is_left_running(
    world: Rehearsal, tmp_path: Path
) -> None:
    process = await begun(world, written(world, tmp_path, rate=20, task="no-such-task"))
    told = await said(process)
    assert process.returncode == 3, told
    assert "no-such-task" in told
    assert "Traceback" not in told
    assert tasks(world.environment) == []
