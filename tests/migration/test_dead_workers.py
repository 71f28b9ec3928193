"""A worker that dies says why where every screen shows it: in the ledger."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from migration.migration_bench import Bench
from support.aws.modelled import ModelledAws, refusal
from support.waiting import until

from cockpit.commands.migrate.migration_text import progress_lines
from cockpit.migration import runs
from cockpit.migration.ecs_workers import EcsWorkers
from cockpit.migration.local_workers import LocalWorkers
from cockpit.migration.progress import Follower
from cockpit.migration.replacements import FIRST_PAUSE_S, MOST_DEATHS, Replacements
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
        assert "connection string cannot be parsed" in "".join(progress_lines(progress))
        return [event.text for event in progress.deaths]

    await bench.until(lambda: bench.sql("SELECT 1 FROM cutover.event WHERE kind = 'worker died'"))
    text = (await told())[-1]
    assert text.startswith("another starts in 1 s: worker ")
    assert "ended with 70: " in text
    assert "the connection string cannot be parsed" in text
    assert "hunter2" not in text
    await runs.want(bench.connection, run, Wanted.ABORT)
    assert await supervising == "aborted"
    await until(lambda: not workers._processes or workers._processes[0].code is not None)


async def test_dead_workers_are_replaced_when_their_pause_is_over_and_at_last_the_run_is_halted_until_it_is_resumed(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cockpit.migration.replacements.MOST_DEATHS", 2)
    monkeypatch.setattr("cockpit.migration.supervisor.ROUND_S", 0.05)
    bench.insert(2)
    run = await bench.begin(PhaseName.COPY)
    now, rounds = [0.0], [0]
    workers = LocalWorkers("password=hunter2hunter2 nonsense", run, 1, str(tmp_path / "log"))

    def show(_: object) -> None:
        rounds[0] += 1

    supervisor = Supervisor(bench.dsn, run, list, workers, show, clock=lambda: now[0])
    supervising = asyncio.create_task(supervisor.run())

    async def more_rounds(count: int) -> None:
        wanted = rounds[0] + count
        await bench.until(lambda: rounds[0] >= wanted)

    await bench.until(lambda: bench.sql("SELECT 1 FROM cutover.event WHERE kind = 'worker died'"))
    await more_rounds(5)
    assert not workers._processes, "its pause is not over"
    assert bench.sql("SELECT halted FROM cutover.run") == [(None,)]
    now[0] += FIRST_PAUSE_S
    await bench.until(lambda: bench.sql("SELECT halted IS NOT NULL FROM cutover.run") == [(True,)])
    now[0] += 1000
    await more_rounds(5)
    assert not workers._processes, "nobody has looked yet"
    notes = [
        row[0].partition(": ")[0]
        for row in bench.sql("SELECT text FROM cutover.event WHERE kind = 'worker died' ORDER BY id")
    ]
    assert notes == [
        "another starts in 1 s",
        "2 deaths with no file done in between, nobody starts another until the run is resumed",
    ], "the same cause twice, and each time what follows"
    halted = (await runs.load(bench.connection, run)).halted
    assert halted is not None
    assert halted["code"] == "WorkersDie"
    assert "the connection string cannot be parsed" in halted["detail"]
    assert "hunter2" not in str(halted)
    workers.dsn = bench.dsn
    await runs.want(bench.connection, run, Wanted.RUN)
    assert await supervising == "done"
    assert bench.states() == {"switched": 2}
    assert await workers.ended(60)


def test_each_time_nothing_was_done_in_between_the_next_worker_waits_longer() -> None:
    now = [0.0]
    replacements = Replacements(clock=lambda: now[0])
    waits = []
    for _ in range(MOST_DEATHS - 1):
        assert not replacements.died(7)
        began = now[0]
        while not replacements.due():
            now[0] += 0.5
        waits.append(now[0] - began)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60]
    assert not Replacements(clock=lambda: 0.0, _deaths=MOST_DEATHS, _done=6).died(7), "a file was done in between"
    assert replacements.died(7)
    assert not replacements.due()
    replacements.resumed(1)
    assert replacements.due()
    assert not replacements.died(7)


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
        assert await workers.died() == told
        assert await workers.died() == []
        await workers.keep()
        assert await workers.died() == ["a task was not started: RESOURCE:MEMORY"]
    finally:
        await aws.clients.close()


@pytest.mark.parametrize(
    ("running", "code"), [(0, "ThrottlingException"), (1, "AccessDeniedException"), (0, "AccessDeniedException")]
)
async def test_what_ecs_cannot_start_now_is_started_later_and_stops_no_task_that_runs(running: int, code: str) -> None:
    aws = ModelledAws()
    aws.on = {"RunTask": refusal(code)}
    arns = [f"{TASK}-{n}" for n in range(running)]
    workers = EcsWorkers(aws.clients, EcsTask("main", "worker:1", ("subnet-1",), container="worker"), 7, 2, arns=arns)
    try:
        if not running and code == "AccessDeniedException":
            with pytest.raises(runs.RunError, match="ECS did not start a worker"):
                await workers.keep()
            return
        assert await workers.keep() == running
        [words] = await workers.died()
        assert words.startswith("a task was not started: ")
        assert not [name for name, _ in aws.asked if name == "StopTask"]
    finally:
        await aws.clients.close()


@pytest.mark.parametrize("spot", [False, True])
async def test_many_tasks_are_started_ten_at_a_time_on_spot_where_the_plan_says_so(*, spot: bool) -> None:
    aws = ModelledAws()
    aws.on = {"RunTask": {"tasks": [{"taskArn": f"{TASK}-{n}"} for n in range(8)], "failures": []}}
    task = EcsTask("main", "worker:1", ("subnet-1",), container="worker", spot=spot)
    workers = EcsWorkers(aws.clients, task, 7, 64)
    try:
        assert await workers.keep() == 56
        asked = [given for name, given in aws.asked if name == "RunTask"]
        assert [given["count"] for given in asked] == [10] * 6 + [4]
        assert all(("launchType" in given) is not spot for given in asked)
    finally:
        await aws.clients.close()
