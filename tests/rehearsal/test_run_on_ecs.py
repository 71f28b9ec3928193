"""Workers as ECS tasks: started by RunTask, followed through the ledger, drained and stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import boto3
import psycopg
import pytest
from rehearsal.files_world import counted, until, written
from support.waiting import at_last

from cockpit.migration.database import host_and_name
from cockpit.rehearsal.process.launcher import Rehearsal

pytestmark = [pytest.mark.world]
COCKPIT = str(Path(sys.executable).with_name("cockpit"))
TASK = "transparent-trust-migration"
STARTED: list[asyncio.subprocess.Process] = []


@pytest.fixture(autouse=True)
async def _ended() -> AsyncIterator[None]:
    """A command that a failed test leaves behind ends with it."""
    yield
    for process in STARTED:
        if process.returncode is None:
            process.kill()
            await process.wait()
    STARTED.clear()


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rehearsal]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    async with Rehearsal(rate=0.3) as started:
        started.clock.set_speed(1.0)
        yield started


async def begun(world: Rehearsal, plan: Path) -> asyncio.subprocess.Process:
    """`cockpit migrate run-on-ecs`, as somebody types it."""
    process = await asyncio.create_subprocess_exec(
        *(COCKPIT, "migrate", "run-on-ecs", str(plan), "--format", "json"),
        *("--confirm", f"copy {host_and_name(world.environment['MIGRATION_DATABASE_URL'])}: it is time"),
        env={**os.environ, **world.environment},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    STARTED.append(process)
    return process


async def said(process: asyncio.subprocess.Process) -> str:
    """What it said, once it has ended."""
    _, told = await at_last(process.communicate())
    return told.decode()


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


async def test_interrupted_its_tasks_are_drained_and_stopped(world: Rehearsal, tmp_path: Path) -> None:
    process = await begun(world, written(world, tmp_path, rate=20, task=TASK))
    dsn = world.environment["MIGRATION_DATABASE_URL"]
    await until(lambda: counted(dsn).get("switched", 0) > 10)
    assert len(tasks(world.environment)) == 2
    process.send_signal(signal.SIGINT)
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


async def test_a_task_that_cannot_be_started_is_told_and_nothing_is_left_running(
    world: Rehearsal, tmp_path: Path
) -> None:
    process = await begun(world, written(world, tmp_path, rate=20, task="no-such-task"))
    told = await said(process)
    assert process.returncode == 3, told
    assert "no-such-task" in told
    assert "Traceback" not in told
    assert tasks(world.environment) == []
