"""A worker that dies says why where every screen shows it: in the ledger."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from migration.migration_bench import Bench
from support.aws.modelled import ModelledAws, refusal
from support.waiting import until

from cockpit.commands.migrate.migration_text import progress_lines
from cockpit.migration import runs
from cockpit.migration.ecs_workers import EcsWorkers
from cockpit.migration.follower import Follower
from cockpit.migration.local_workers import LocalWorkers
from cockpit.migration.replacements import FIRST_PAUSE_S, MOST_DEATHS, Ended, Replacements
from cockpit.migration.silence import SILENT_S, Silence
from cockpit.migration.states import PhaseName, Wanted
from cockpit.migration.supervisor import Supervisor
from cockpit.migration_scope import EcsTask
from probes.clients.child_process import Command

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
    await runs.go_on(bench.connection, await runs.load(bench.connection, run), gate=lambda _: ())
    assert await supervising == "done"
    assert bench.states() == {"switched": 2}
    assert await workers.ended(60)


class AnotherProgram(LocalWorkers):
    """What a worker is started with ends, or does something else: the wrong image, a wrapper that hides how it ended."""

    program = ""

    def command(self) -> Command:
        return Command(("/bin/sh", "-c", self.program), {"PATH": os.defpath})


@pytest.mark.parametrize(
    ("program", "silent_s", "why"),
    [
        ("exit 0", SILENT_S, "ended with 0: it says nothing"),
        ("echo no such image >&2; exit 3", SILENT_S, "ended with 3: no such image"),
        ("kill -9 $$", SILENT_S, "ended with -9: it says nothing"),
        ("exec sleep 1000", 0.0, "was ended: for 180 s it did not come to the ledger"),
    ],
)
async def test_however_workers_end_that_did_nothing_they_are_not_started_for_ever(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, silent_s: float, why: str
) -> None:
    for name, given in (("MOST_DEATHS", 2), ("FIRST_PAUSE_S", 0.01)):
        monkeypatch.setattr(f"cockpit.migration.replacements.{name}", given)
    monkeypatch.setattr("cockpit.migration.silence.SILENT_S", silent_s)
    monkeypatch.setattr("cockpit.migration.supervisor.ROUND_S", 0.05)
    bench.insert(2)
    run = await bench.begin(PhaseName.COPY)
    workers = AnotherProgram(bench.dsn, run, 1, str(tmp_path / "log"))
    workers.program = program
    supervising = asyncio.create_task(Supervisor(bench.dsn, run, list, workers).run())
    await bench.until(lambda: bench.sql("SELECT halted IS NOT NULL FROM cutover.run") == [(True,)])
    shown = "".join(progress_lines(await Follower().poll(bench.connection)))
    assert why in shown
    assert "2 deaths with no file done in between" in shown
    halted = (await runs.load(bench.connection, run)).halted
    assert halted is not None
    assert (halted["code"], why in halted["detail"]) == ("WorkersDie", True)
    await runs.want(bench.connection, run, Wanted.DRAIN)
    assert await supervising == "drained"
    assert not workers._processes


async def test_workers_that_end_well_because_their_run_ends_have_not_died(bench: Bench, tmp_path: Path) -> None:
    bench.insert(2)
    run = await bench.begin(PhaseName.COPY)
    await runs.want(bench.connection, run, Wanted.PAUSE)
    workers = LocalWorkers(bench.dsn, run, 1, str(tmp_path / "log"))
    supervising = asyncio.create_task(Supervisor(bench.dsn, run, list, workers).run())
    await bench.until(lambda: bench.sql("SELECT 1 FROM cutover.worker"))
    await runs.want(bench.connection, run, Wanted.DRAIN)
    assert await supervising == "drained"
    assert bench.sql("SELECT text FROM cutover.event WHERE kind = 'worker died'") == []


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
    assert not any(replacements.died(7, idle=True) for _ in range(3 * MOST_DEATHS)), "nothing could be done"
    assert replacements.died(7)


@pytest.mark.parametrize(
    ("ended", "words", "well"),
    [
        (
            {"containers": [{"name": "worker", "reason": "CannotPullContainerError: no such image"}]},
            "TaskFailedToStart; worker: never ran, CannotPullContainerError: no such image",
            False,
        ),
        ({"containers": [{"name": "worker", "exitCode": 1}]}, "TaskFailedToStart; worker: exit 1", False),
        ({"containers": [{"name": "worker", "exitCode": 0}]}, "TaskFailedToStart; worker: exit 0", True),
    ],
)
async def test_a_task_that_stops_by_itself_says_what_ecs_says(ended: dict[str, Any], words: str, *, well: bool) -> None:
    aws = ModelledAws()
    stopped = {"taskArn": TASK, "lastStatus": "STOPPED", "stoppedReason": "TaskFailedToStart", **ended}
    aws.on = {
        "RunTask": {"tasks": [], "failures": [{"reason": "RESOURCE:MEMORY"}]},
        "DescribeTasks": {"tasks": [stopped], "failures": []},
    }
    workers = EcsWorkers(aws.clients, EcsTask("main", "worker:1", ("subnet-1",), container="worker"), 7, 1, arns=[TASK])
    try:
        assert await workers.who_ended() == [Ended(f"task 0a1b2c3d stopped: {words}", well, "task-0a1b2c3d")]
        assert await workers.who_ended() == []
        await workers.keep()
        assert await workers.who_ended() == [Ended("a task was not started: RESOURCE:MEMORY")]
    finally:
        await aws.clients.close()


async def test_tasks_that_do_not_report_are_stopped_once_they_run_and_one_that_ecs_forgot_is_no_secret() -> None:
    aws = ModelledAws()
    lost, waiting, reporting = f"{TASK}-lost", f"{TASK}-waiting", f"{TASK}-reporting"
    states = {TASK: "RUNNING", waiting: "PENDING", reporting: "RUNNING"}
    tasks = [{"taskArn": arn, "lastStatus": state} for arn, state in states.items()]
    aws.on = {"DescribeTasks": {"tasks": tasks, "failures": [{"arn": lost, "reason": "MISSING"}]}, "StopTask": {}}
    arns = [TASK, waiting, lost, reporting]
    workers = EcsWorkers(aws.clients, EcsTask("main", "worker:1", ("subnet-1",), container="worker"), 7, 4, arns=arns)
    now = [0.0]
    silence = Silence(lambda: now[0])
    try:
        ended = Ended("task 0a1b2c3d-lost: ECS knows it no longer", well=True, worker="task-0a1b2c3d-lost")
        assert await workers.who_ended() == [ended]
        for _ in range(int(SILENT_S) + 2):
            now[0] += 1
            silence.looked(workers.names, ["task-0a1b2c3d-reporting-ab12"])
        await workers.give_up(silence.too_long(), "was ended")
        [stopped] = [given for name, given in aws.asked if name == "StopTask"]
        assert (stopped["task"], stopped["reason"]) == (TASK, "the task was ended")
        assert workers.arns == [waiting, reporting], "another is started, however long ECS calls that one running"
        assert await workers.who_ended() == [Ended("task 0a1b2c3d was ended", worker="task-0a1b2c3d")]
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
        await workers.keep()
        assert workers.arns == arns
        [ended] = await workers.who_ended()
        assert ended.words.startswith("a task was not started: ")
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
        await workers.keep()
        assert len(workers.arns) == 56
        asked = [given for name, given in aws.asked if name == "RunTask"]
        assert [given["count"] for given in asked] == [10] * 6 + [4]
        assert all(("launchType" in given) is not spot for given in asked)
    finally:
        await aws.clients.close()
