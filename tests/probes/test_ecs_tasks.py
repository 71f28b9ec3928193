"""ECS tasks: what counts as healthy and as failed, and which images run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from support.aws.ecs_place import BASE, CLUSTER, DIGEST, NOW, SERVICE
from support.aws.wire import AnsweringAws, refusal, wire

from probes.aws.ecs_tasks import PAGE, EcsTasks, TasksParams
from probes.clients.long_list import MOST_ENTRIES
from probes.reading import Bounds, Reading, Reason


@pytest.fixture
async def aws() -> AsyncIterator[AnsweringAws]:
    answering = AnsweringAws()
    yield answering
    await answering.clients.close()


def task(number: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "taskArn": f"{BASE}:task/{CLUSTER}/{number:032x}",
        "taskDefinitionArn": f"{BASE}:task-definition/web:42",
        "lastStatus": "RUNNING",
        "desiredStatus": "RUNNING",
        "healthStatus": "HEALTHY",
        "startedAt": NOW - timedelta(minutes=20),
        "containers": [{"name": "web", "imageDigest": DIGEST, "healthStatus": "HEALTHY"}],
    } | more


def stopped(number: int, code: str, reason: str, minutes: float = 2, exit_code: int | None = None) -> dict[str, Any]:
    container = {"name": "web", "imageDigest": DIGEST} | ({} if exit_code is None else {"exitCode": exit_code})
    return task(
        number,
        lastStatus="STOPPED",
        desiredStatus="STOPPED",
        stopCode=code,
        stoppedReason=reason,
        stoppedAt=NOW - timedelta(minutes=minutes),
        containers=[container],
    )


async def tasks(aws: AnsweringAws, *found: dict[str, Any], window: str = "10m") -> Reading:
    return await (await made(aws, {t["taskArn"]: t for t in found}, window)).read(NOW)


async def made(aws: AnsweringAws, by_arn: dict[str, dict[str, Any]], window: str = "10m") -> EcsTasks:
    """A probe of a service with these tasks, which may change."""

    def listed(asked: dict[str, Any]) -> Any:
        arns = [arn for arn, t in by_arn.items() if t["desiredStatus"] == asked["desiredStatus"]]
        start = int(asked.get("nextToken", 0))
        more = {"nextToken": str(start + PAGE)} if len(arns) > start + PAGE else {}
        return wire({"taskArns": arns[start : start + PAGE]} | more)

    aws.on["ListTasks"] = listed
    aws.on["DescribeTasks"] = lambda asked: wire({"tasks": [by_arn[arn] for arn in asked["tasks"]], "failures": []})
    params = TasksParams.model_validate({"cluster": CLUSTER, "service": SERVICE, "window": window})
    return EcsTasks(params, aws.clients)


async def test_two_healthy_tasks_of_one_image(aws: AnsweringAws) -> None:
    reading = await tasks(aws, task(1), task(2, startedAt=NOW - timedelta(minutes=15)))
    assert reading.values == {
        "running": 2,
        "healthy": 2,
        "unhealthy": 0,
        "health_unknown": 0,
        "failed_recently": 0,
        "interrupted_recently": 0,
        "task_definitions": ("web:42",),
        "one_release": True,
        "digests": (DIGEST,),
        "one_image": True,
        "youngest_age_s": 900.0,
    }
    assert reading.unknown["last_failure"].reason is Reason.NO_DATA


async def test_a_task_without_a_health_check_is_not_healthy(aws: AnsweringAws) -> None:
    values = (await tasks(aws, task(1, healthStatus="UNKNOWN"), task(2, healthStatus="UNHEALTHY"))).values
    assert (values["healthy"], values["unhealthy"], values["health_unknown"]) == (0, 1, 1)


async def test_no_task_running_is_a_count_of_zero_and_no_image(aws: AnsweringAws) -> None:
    reading = await tasks(aws)
    assert (reading.values["running"], reading.values["healthy"]) == (0, 0)
    assert {reading.unknown[name].reason for name in ("digests", "one_image", "youngest_age_s")} == {Reason.NO_DATA}
    assert "DescribeTasks" not in {operation for operation, _ in aws.asked}


async def test_two_images_of_one_container_show(aws: AnsweringAws) -> None:
    other = [{"name": "web", "imageDigest": "sha256:" + "2e" * 32}]
    values = (await tasks(aws, task(1), task(2, containers=other))).values
    assert (values["one_image"], len(values["digests"])) == (False, 2)  # type: ignore[arg-type]


async def test_two_task_definitions_at_once_show(aws: AnsweringAws) -> None:
    values = (await tasks(aws, task(1), task(2, taskDefinitionArn=f"{BASE}:task-definition/web:41"))).values
    assert (values["one_release"], values["task_definitions"]) == (False, ("web:41", "web:42"))
    unnamed = await tasks(aws, task(1), task(2, taskDefinitionArn=None))
    assert unnamed.unknown["one_release"].reason is Reason.NO_DATA


async def test_a_sidecar_is_not_a_second_image(aws: AnsweringAws) -> None:
    both = [{"name": "web", "imageDigest": DIGEST}, {"name": "proxy", "imageDigest": "sha256:" + "2e" * 32}]
    assert (await tasks(aws, task(1, containers=both), task(2, containers=both))).values["one_image"] is True


async def test_somebody_elses_sidecar_by_tag_is_no_second_image(aws: AnsweringAws) -> None:
    def beside(digest: str) -> list[dict[str, str]]:
        web = {"name": "web", "image": "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/web:7", "imageDigest": DIGEST}
        return [web, {"name": "xray", "image": "public.ecr.aws/xray/aws-xray-daemon:3.x", "imageDigest": digest}]

    newer, older = beside("sha256:" + "2e" * 32), beside("sha256:" + "2d" * 32)
    values = (await tasks(aws, task(1, containers=newer), task(2, containers=older))).values
    assert (values["one_image"], values["digests"]) == (True, (DIGEST,))


async def test_an_image_that_is_not_named_could_be_another(aws: AnsweringAws) -> None:
    reading = await tasks(aws, task(1), task(2, containers=[{"name": "web"}]))
    assert reading.unknown["one_image"].reason is Reason.NO_DATA
    assert reading.values["digests"] == (DIGEST,)


async def test_tasks_that_died_by_themselves_are_failures_newest_first(aws: AnsweringAws) -> None:
    reading = await tasks(
        aws,
        task(1),
        stopped(2, "TaskFailedToStart", "CannotPullContainerError: manifest unknown", minutes=8),
        stopped(3, "EssentialContainerExited", "Essential container in task exited", minutes=2, exit_code=137),
    )
    assert reading.values["failed_recently"] == 2
    assert reading.values["last_failure"] == "EssentialContainerExited: Essential container in task exited (exit 137)"
    assert reading.evidence.lines[0].startswith("22:28:20 EssentialContainerExited")


@pytest.mark.parametrize(
    ("code", "reason", "failed"),
    [
        ("ServiceSchedulerInitiated", "Scaling activity initiated by (deployment ecs-svc/2)", 0),
        ("UserInitiated", "Task stopped by user", 0),
        ("ServiceSchedulerInitiated", "Task failed ELB health checks in (target-group arn:x)", 1),
        ("ServiceSchedulerInitiated", "Task failed container health checks", 1),
        ("SpotInterruption", "Your Spot Task was interrupted.", 0),
        ("TerminationNotice", "The task is stopped by ECS: its host is retired", 0),
        ("EssentialContainerExited", "Host EC2 (instance i-0abc) terminated.", 0),
        ("InfrastructureHealth", "The infrastructure under the task is impaired", 0),
        # A person's words, and an image's name, say nothing of what ended the task.
        ("UserInitiated", "the health check was changed: one by one", 0),
        ("TaskFailedToStart", "CannotPullContainerError: failed to resolve team/retirement-app:7: not found", 1),
        ("EssentialContainerExited", "Essential container retired-orders exited", 1),
    ],
)
async def test_what_the_scheduler_stopped_on_purpose_is_no_failure(
    aws: AnsweringAws, code: str, reason: str, failed: int
) -> None:
    assert (await tasks(aws, task(1), stopped(2, code, reason))).values["failed_recently"] == failed


async def test_what_aws_took_away_is_shown_apart(aws: AnsweringAws) -> None:
    reading = await tasks(aws, task(1), stopped(2, "SpotInterruption", "Your Spot Task was interrupted."))
    assert (reading.values["failed_recently"], reading.values["interrupted_recently"]) == (0, 1)
    unwell = await tasks(aws, task(1), stopped(2, "InfrastructureHealth", "The infrastructure is impaired"))
    assert unwell.values["interrupted_recently"] == 1
    assert reading.values["last_interruption"] == "SpotInterruption: Your Spot Task was interrupted."
    assert reading.evidence.lines[0].startswith("22:28:20 SpotInterruption")


async def test_a_stop_code_that_is_new_is_neither_a_failure_nor_none(aws: AnsweringAws) -> None:
    strange = stopped(2, "ZonalShift", "Zone use1-az1 was shifted away")
    why = (await tasks(aws, task(1), strange, stopped(3, "TaskFailedToStart", "x"))).unknown["failed_recently"]
    assert (why.reason, why.bounds) == (Reason.ERROR, Bounds(1, 2))
    assert "ZonalShift" in why.detail


async def test_a_container_that_aws_adds_is_no_image_of_the_release(aws: AnsweringAws) -> None:
    def with_agent(number: int, digest: str) -> dict[str, Any]:
        agent = {"name": "aws-guardduty-agent-x7", "imageDigest": digest}
        proxy = {"name": "ecs-service-connect-q2", "imageDigest": digest}
        return task(number, containers=[*task(number)["containers"], agent, proxy])

    values = (await tasks(aws, with_agent(1, "sha256:aa"), with_agent(2, "sha256:bb"))).values
    assert (values["one_image"], values["digests"]) == (True, (DIGEST,))


async def test_failures_before_the_window_do_not_count(aws: AnsweringAws) -> None:
    old = stopped(2, "EssentialContainerExited", "x", minutes=11)
    assert (await tasks(aws, task(1), old)).values["failed_recently"] == 0
    assert (await tasks(aws, task(1), old, window="15m")).values["failed_recently"] == 1


async def test_more_than_a_hundred_tasks_are_all_seen_at_once(aws: AnsweringAws) -> None:
    reading = await tasks(aws, *(task(number) for number in range(1, 151)))
    assert (reading.values["running"], reading.data_at) == (150, NOW)
    sizes = [len(asked["tasks"]) for operation, asked in aws.asked if operation == "DescribeTasks"]
    assert sorted(sizes) == [50, 100]


FAILED = [stopped(1000 + number, "EssentialContainerExited", "x") for number in range(250)]


async def test_of_hundreds_of_tasks_each_reading_sees_some_and_the_rest_is_known_from_below(aws: AnsweringAws) -> None:
    service = [task(number) for number in range(1, 450)]
    states = {each["taskArn"]: each for each in (*service, task(450, healthStatus="UNHEALTHY"), *FAILED)}
    probe = await made(aws, states)
    readings = []
    for number in range(6):
        before = len(aws.asked)
        readings.append(await probe.read(NOW + number * timedelta(seconds=15)))
        assert len(aws.asked) - before <= 6
    first, second, third, *later = readings
    assert first.unknown["healthy"].bounds == Bounds(200, MOST_ENTRIES)
    assert second.unknown["failed_recently"].bounds == Bounds(200, MOST_ENTRIES)
    assert {first.unknown[name].reason for name in ("healthy", "one_image", "failed_recently")} == {Reason.PARTIAL}
    for reading in (third, *later):
        assert [reading.values[name] for name in ("running", "healthy", "unhealthy", "failed_recently")] == [
            450,
            449,
            1,
            250,
        ]
        # Three readings go through the list: the page read longest ago was read two of them before.
        assert reading.observed_at - reading.data_at == reading.lateness == timedelta(seconds=30)


async def test_a_task_that_is_gone_is_forgotten_once_the_list_was_read_again(aws: AnsweringAws) -> None:
    states = {each["taskArn"]: each for each in (task(number) for number in range(1, 302))}
    probe = await made(aws, states)
    for _ in range(2):
        await probe.read(NOW)
    for number in range(1, 301):
        del states[task(number)["taskArn"]]
    assert [(await probe.read(NOW)).values["running"] for _ in range(1)] == [1]


async def test_a_task_that_has_stopped_is_described_once(aws: AnsweringAws) -> None:
    dying = stopped(3, "EssentialContainerExited", "x") | {"lastStatus": "STOPPING"}
    states = {each["taskArn"]: each for each in (task(1), stopped(2, "EssentialContainerExited", "x"), dying)}
    probe = await made(aws, states)
    for _ in range(2):
        await probe.read(NOW)
    asked = [len(asked["tasks"]) for operation, asked in aws.asked if operation == "DescribeTasks"]
    assert asked == [3, 2]


async def test_a_place_in_the_list_that_ecs_no_longer_knows_is_given_up(aws: AnsweringAws) -> None:
    probe = await made(aws, {each["taskArn"]: each for each in (task(number) for number in range(1, 302))})
    await probe.read(NOW)
    listing = aws.on["ListTasks"]
    aws.on["ListTasks"] = refusal("InvalidParameterException", "Invalid token")
    assert not (await probe.read(NOW)).values
    aws.on["ListTasks"] = listing
    readings = [await probe.read(NOW) for _ in range(2)]
    assert [reading.values.get("running") for reading in readings] == [None, 301]


async def described_as(aws: AnsweringAws, listed: list[dict[str, Any]], answer: dict[str, Any]) -> Reading:
    await tasks(aws, *listed)
    aws.on["DescribeTasks"] = wire(answer)
    return await EcsTasks(TasksParams(cluster=CLUSTER, service=SERVICE), aws.clients).read(NOW)


async def test_a_stopped_task_that_is_not_described_could_be_a_failure_nobody_counts(aws: AnsweringAws) -> None:
    dead = stopped(2, "EssentialContainerExited", "x")
    refused = {"arn": dead["taskArn"], "reason": "ACCESS"}
    reading = await described_as(aws, [task(1), dead], {"tasks": [task(1)], "failures": [refused]})
    assert not reading.values
    assert {u.reason for u in reading.unknown.values()} == {Reason.PARTIAL}
    assert reading.unknown["failed_recently"].detail == "1 of 2 tasks were listed but not described (ACCESS)"


@pytest.mark.parametrize("failures", [[], [{"arn": task(2)["taskArn"], "reason": "MISSING"}]])
async def test_a_running_task_that_is_not_described_is_not_one_task_less(
    aws: AnsweringAws, failures: list[dict[str, str]]
) -> None:
    reading = await described_as(aws, [task(1), task(2)], {"tasks": [task(1)], "failures": failures})
    assert reading.unknown["running"].reason is Reason.PARTIAL


async def test_a_stopped_task_that_ecs_has_forgotten_by_now_is_no_gap(aws: AnsweringAws) -> None:
    old = stopped(2, "EssentialContainerExited", "x", minutes=61)
    gone = {"arn": old["taskArn"], "reason": "MISSING"}
    reading = await described_as(aws, [task(1), old], {"tasks": [task(1)], "failures": [gone]})
    assert (reading.values["running"], reading.values["failed_recently"]) == (1, 0)


async def test_a_secret_in_a_stop_reason_is_hidden(aws: AnsweringAws) -> None:
    reason = "ResourceInitializationError: url postgres://app:hunter2@db/x"
    reading = await tasks(aws, stopped(1, "TaskFailedToStart", reason))
    assert "hunter2" not in repr(reading)


async def test_tasks_that_may_be_listed_but_not_described_are_unknown(aws: AnsweringAws) -> None:
    await tasks(aws, task(1))
    aws.on["DescribeTasks"] = refusal("AccessDeniedException")
    reading = await EcsTasks(TasksParams(cluster=CLUSTER, service=SERVICE), aws.clients).read(NOW)
    assert not reading.values
    assert "ecs:DescribeTasks" in reading.unknown["running"].hint
