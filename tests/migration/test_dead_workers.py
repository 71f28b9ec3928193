"""A worker that dies says why where every screen shows it: in the ledger."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from migration.migration_bench import Bench
from support.aws.modelled import ModelledAws
from support.waiting import until

from cockpit.migration import runs
from cockpit.migration.ecs_workers import EcsWorkers
from cockpit.migration.local_workers import LocalWorkers
from cockpit.migration.progress import Follower
from cockpit.migration.states import PhaseName, Wanted
from cockpit.migration.supervisor import Supervisor
from cockpit.migration_scope import EcsTask

TASK = "arn:aws:ecs:us-east-1:123456789012:task/main/0a1b2c3d"


async def test_a_worker_that_dies_at_its_start_is_told_on_every_screen(bench: Bench, tmp_path: Path) -> None:
    bench.insert(2)
    run = await bench.begin(PhaseName.COPY)
    workers = LocalWorkers("password=hunter2hunter2 nonsense", run, 1, str(tmp_path / "log"))
    supervising = asyncio.create_task(Supervisor(bench.dsn, run, list, workers).run())

    async def told() -> list[str]:
        progress = await Follower().poll(bench.connection)
        return [event.text for event in progress.events if event.kind == "worker died"]

    await bench.until(lambda: bench.sql("SELECT 1 FROM cutover.event WHERE kind = 'worker died'"))
    [text] = await told()
    assert "ended with 70: " in text
    assert "the connection string cannot be parsed" in text
    assert "hunter2" not in text
    await runs.want(bench.connection, run, Wanted.ABORT)
    assert await supervising == "aborted"
    await until(lambda: not workers._processes or workers._processes[0].code is not None)


@pytest.mark.parametrize(
    ("ended", "told"),
    [
        (
            {"containers": [{"name": "worker", "reason": "CannotPullContainerError: no such image"}]},
            ["task 0a1b2c3d stopped: TaskFailedToStart; worker: never ran, CannotPullContainerError: no such image"],
        ),
        (
            {"containers": [{"name": "worker", "exitCode": 1}]},
            ["task 0a1b2c3d stopped: TaskFailedToStart; worker: exit 1"],
        ),
        ({"containers": [{"name": "worker", "exitCode": 0}]}, []),
    ],
)
async def test_a_task_that_stops_by_itself_says_what_ecs_says(ended: dict[str, Any], told: list[str]) -> None:
    aws = ModelledAws()
    stopped = {"taskArn": TASK, "lastStatus": "STOPPED", "stoppedReason": "TaskFailedToStart", **ended}
    aws.on = {
        "RunTask": {"tasks": [], "failures": [{"reason": "RESOURCE:MEMORY"}]},
        "DescribeTasks": {"tasks": [stopped], "failures": []},
    }
    workers = EcsWorkers(aws.clients, EcsTask("main", "worker:1", ("subnet-1",), container="worker"), 7, 1, arns=[TASK])
    try:
        await workers._look()
        assert workers.died() == told
        assert workers.died() == []
        await workers.keep()
        assert workers.died() == ["a task was not started: RESOURCE:MEMORY"]
    finally:
        await aws.clients.close()
