"""ECS: what counts as stable, healthy, failed and rolled back, and what nobody can know."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from support.aws.wire import REQUEST_ID, AnsweringAws, refusal, wire

from probes.aws.ecs import EcsService, ServiceParams
from probes.aws.ecs_deployment import DeploymentParams, EcsDeployment
from probes.aws.ecs_tasks import PAGE, EcsTasks, TasksParams
from probes.clients.long_list import MOST_ENTRIES
from probes.reading import Bounds, Reading, Reason

NOW = datetime(2026, 11, 23, 22, 30, 20, tzinfo=UTC)
CLUSTER, SERVICE = "transparent-trust-prod", "transparent-trust-web"
BASE = "arn:aws:ecs:us-east-1:123456789012"
DIGEST = "sha256:" + "1f" * 32


@pytest.fixture
async def aws() -> AsyncIterator[AnsweringAws]:
    answering = AnsweringAws()
    yield answering
    await answering.clients.close()


# -- ecs.service ------------------------------------------------------------------------------------------------------


def deployment(**more: Any) -> dict[str, Any]:
    return {
        "id": "ecs-svc/1",
        "status": "PRIMARY",
        "taskDefinition": f"{BASE}:task-definition/transparent-trust-web:42",
        "desiredCount": 2,
        "runningCount": 2,
        "failedTasks": 0,
        "rolloutState": "COMPLETED",
        "rolloutStateReason": "ECS deployment ecs-svc/1 completed.",
    } | more


def described(**more: Any) -> dict[str, Any]:
    return {
        "serviceName": SERVICE,
        "status": "ACTIVE",
        "desiredCount": 2,
        "runningCount": 2,
        "pendingCount": 0,
        "deployments": [deployment()],
        "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": True, "rollback": True}},
        "enableExecuteCommand": False,
        "events": [{"id": "1", "createdAt": NOW, "message": "(service web) has reached a steady state."}],
    } | more


async def service(aws: AnsweringAws, **more: Any) -> Reading:
    aws.on["DescribeServices"] = wire({"services": [described(**more)], "failures": []})
    return await EcsService(ServiceParams(cluster=CLUSTER, service=SERVICE), aws.clients).read(NOW)


async def test_a_service_at_rest(aws: AnsweringAws) -> None:
    reading = await service(aws)
    assert reading.values == {
        "status": "ACTIVE",
        "desired": 2,
        "running": 2,
        "pending": 0,
        "controller": "ECS",
        "strategy": "ROLLING",
        "deployments": 1,
        "rollout_state": "COMPLETED",
        "rollout_reason": "ECS deployment ecs-svc/1 completed.",
        "failed_tasks": 0,
        "task_definition": "transparent-trust-web:42",
        "stable": True,
        "circuit_breaker": True,
        "execute_command": False,
    }
    assert not reading.unknown
    assert reading.evidence.lines == ("(service web) has reached a steady state.",)
    assert reading.evidence.request_id == REQUEST_ID
    assert f"/clusters/{CLUSTER}/services/{SERVICE}/health" in reading.evidence.console_url


async def test_zero_of_zero_is_not_stable(aws: AnsweringAws) -> None:
    reading = await service(aws, desiredCount=0, runningCount=0)
    assert (reading.values["stable"], reading.values["running"]) == (False, 0)


async def test_a_rollout_state_that_is_new_leaves_open_whether_it_is_stable(aws: AnsweringAws) -> None:
    reading = await service(aws, deployments=[deployment(rolloutState="RESTING")])
    assert (reading.values["rollout_state"], reading.unknown["stable"].reason) == ("RESTING", Reason.NO_DATA)


@pytest.mark.parametrize(
    "more",
    [
        {"runningCount": 1},
        {"runningCount": 3},
        {"deployments": [deployment(), deployment(status="ACTIVE")]},
        {"deployments": [deployment(rolloutState="IN_PROGRESS")]},
        {"deployments": [deployment(rolloutState="FAILED", failedTasks=5)]},
    ],
)
async def test_a_service_under_way_is_not_stable(aws: AnsweringAws, more: dict[str, Any]) -> None:
    assert (await service(aws, **more)).values["stable"] is False


async def test_a_deployment_that_was_replaced_whole_is_not_under_way(aws: AnsweringAws) -> None:
    values = (await service(aws, deployments=[deployment(), deployment(status="INACTIVE")])).values
    assert (values["stable"], values["deployments"]) == (True, 1)


async def test_the_newest_deployment_speaks_not_the_one_it_replaces(aws: AnsweringAws) -> None:
    old = deployment(status="ACTIVE", failedTasks=0, taskDefinition=f"{BASE}:task-definition/w:41")
    new = deployment(rolloutState="IN_PROGRESS", failedTasks=3, taskDefinition=f"{BASE}:task-definition/w:42")
    values = (await service(aws, deployments=[old, new])).values
    assert (values["rollout_state"], values["failed_tasks"], values["task_definition"]) == ("IN_PROGRESS", 3, "w:42")


async def test_a_breaker_that_only_stops_does_not_roll_back(aws: AnsweringAws) -> None:
    stops = {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}
    assert (await service(aws, deploymentConfiguration=stops)).values["circuit_breaker"] is False


async def test_what_the_answer_leaves_out_is_unknown_not_zero(aws: AnsweringAws) -> None:
    aws.on["DescribeServices"] = wire({"services": [{"serviceName": SERVICE, "status": "INACTIVE"}], "failures": []})
    reading = await EcsService(ServiceParams(cluster=CLUSTER, service=SERVICE), aws.clients).read(NOW)
    assert reading.values == {"status": "INACTIVE"}
    assert {u.reason for u in reading.unknown.values()} == {Reason.NO_DATA}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"services": [], "failures": [{"arn": "a", "reason": "MISSING"}]}, "MISSING"),
        ({"services": []}, "empty answer"),
    ],
)
async def test_a_missing_service_inside_a_successful_answer_is_not_found(
    aws: AnsweringAws, answer: dict[str, Any], said: str
) -> None:
    aws.on["DescribeServices"] = wire(answer)
    reading = await EcsService(ServiceParams(cluster=CLUSTER, service=SERVICE), aws.clients).read(NOW)
    assert not reading.values
    assert {u.reason for u in reading.unknown.values()} == {Reason.NOT_FOUND}
    assert said in reading.unknown["running"].detail


# -- ecs.tasks --------------------------------------------------------------------------------------------------------


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


# -- ecs.deployment ---------------------------------------------------------------------------------------------------


def brief(number: int = 1, minutes: int = 30, **more: Any) -> dict[str, Any]:
    arn = f"{BASE}:service-deployment/{CLUSTER}/{SERVICE}/{number:021x}"
    return {"serviceDeploymentArn": arn, "createdAt": NOW - timedelta(minutes=minutes), "status": "SUCCESSFUL"} | more


WHOLE = {
    "deploymentCircuitBreaker": {"status": "MONITORING_COMPLETE", "failureCount": 1, "threshold": 3},
    "alarms": {"status": "MONITORING_COMPLETE", "alarmNames": ["a"], "triggeredAlarmNames": []},
}


async def deployed(
    aws: AnsweringAws, *found: dict[str, Any], after: Any = None, began: datetime | None = None, **expected: str
) -> Reading:
    by_arn = {d["serviceDeploymentArn"]: d for d in found}
    aws.on["DescribeServices"] = wire({"services": [described()], "failures": []})
    keep = ("serviceDeploymentArn", "createdAt", "status")
    aws.on["ListServiceDeployments"] = wire({"serviceDeployments": [{key: d[key] for key in keep} for d in found]})
    aws.on["DescribeServiceDeployments"] = lambda asked: wire(
        {"serviceDeployments": [WHOLE | by_arn[arn] for arn in asked["serviceDeploymentArns"]]}
    )
    probe = EcsDeployment(
        DeploymentParams.model_validate({"cluster": CLUSTER, "service": SERVICE, "after": after} | expected),
        aws.clients,
    )
    probe.deployment_began = lambda: began
    return await probe.read(NOW)


async def test_the_newest_deployment_succeeded(aws: AnsweringAws) -> None:
    failed = brief(1, minutes=90, status="ROLLBACK_SUCCESSFUL")
    reading = await deployed(aws, failed, brief(2, minutes=30, statusReason="all well"))
    assert reading.values == {
        "status": "SUCCESSFUL",
        "reason": "all well",
        "begun": True,
        "succeeded": True,
        "failed": False,
        "rolled_back": False,
        "paused": False,
        "breaker": "MONITORING_COMPLETE",
        "breaker_failures": 1,
        "breaker_threshold": 3,
        "alarms_watched": True,
        "alarms_triggered": 0,
        "created_at": NOW - timedelta(minutes=30),
    }
    assert reading.unknown.keys() == {"expected", "strategy", "stage", "traffic_share"}


@pytest.mark.parametrize(
    ("status", "failed", "rolled_back"),
    [
        ("PENDING", False, False),
        ("IN_PROGRESS", False, False),
        ("STOP_REQUESTED", True, False),
        ("STOPPED", True, False),
        ("ROLLBACK_REQUESTED", True, True),
        ("ROLLBACK_IN_PROGRESS", True, True),
        ("ROLLBACK_SUCCESSFUL", True, True),
        ("ROLLBACK_FAILED", True, True),
    ],
)
async def test_only_a_success_that_stayed_is_a_success(
    aws: AnsweringAws, status: str, failed: bool, rolled_back: bool
) -> None:
    values = (await deployed(aws, brief(status=status))).values
    assert (values["succeeded"], values["failed"], values["rolled_back"]) == (False, failed, rolled_back)


async def test_a_breaker_that_went_off_has_failed_before_ecs_says_so(aws: AnsweringAws) -> None:
    off = {"status": "TRIGGERED", "failureCount": 3, "threshold": 3}
    assert (await deployed(aws, brief(status="IN_PROGRESS", deploymentCircuitBreaker=off))).values["failed"] is True


async def test_a_deployment_that_names_a_rollback_was_rolled_back(aws: AnsweringAws) -> None:
    values = (await deployed(aws, brief(status="STOPPED", rollback={"reason": "alarm"}))).values
    assert (values["succeeded"], values["rolled_back"]) == (False, True)


async def test_alarms_that_went_off_are_counted_and_absent_ones_unknown(aws: AnsweringAws) -> None:
    rang = {"status": "TRIGGERED", "triggeredAlarmNames": ["a", "b"]}
    assert (await deployed(aws, brief(alarms=rang))).values["alarms_triggered"] == 2
    silent = await deployed(aws, brief(alarms=None, deploymentCircuitBreaker=None))
    assert silent.unknown["alarms_triggered"].reason is Reason.NO_DATA
    assert {silent.unknown[n].reason for n in ("breaker", "breaker_failures", "breaker_threshold")} == {Reason.NO_DATA}


async def test_alarms_that_are_not_watched_are_no_zero(aws: AnsweringAws) -> None:
    off = {"status": "DISABLED", "alarmNames": [], "triggeredAlarmNames": []}
    reading = await deployed(aws, brief(alarms=off))
    assert reading.values["alarms_watched"] is False
    assert reading.unknown["alarms_triggered"].detail == "ECS watches no alarms in this deployment"


@pytest.mark.parametrize("after", [None, NOW - timedelta(days=20)])
async def test_of_a_thousand_deployments_the_newest_is_found_in_a_handful_of_calls(
    aws: AnsweringAws, after: datetime | None
) -> None:
    """The listing has no order that AWS promises, so what is asked for is cut by time."""
    found = [brief(number, minutes=20 * number) for number in range(5, 1005)]
    await deployed(aws, *found)
    random.Random(7).shuffle(found)
    pages_asked = []

    def listed(asked: dict[str, Any]) -> Any:
        pages_asked.append(asked["createdAt"]["after"])
        within = [d for d in found if d["createdAt"].timestamp() > asked["createdAt"]["after"]]
        skip, most = int(asked.get("nextToken", 0)), asked.get("maxResults", 20)
        more = {"nextToken": str(skip + most)} if len(within) > skip + most else {}
        return wire({"serviceDeployments": within[skip : skip + most], **more})

    aws.on["ListServiceDeployments"] = listed
    params = {"cluster": CLUSTER, "service": SERVICE, "after": after}
    probe = EcsDeployment(DeploymentParams.model_validate(params), aws.clients)
    newest = NOW - timedelta(minutes=100)
    assert (await probe.read(NOW)).values["created_at"] == newest
    assert len(pages_asked) <= 2
    assert (await probe.read(NOW + timedelta(hours=5))).values["created_at"] == newest
    assert len(pages_asked) <= 3, "the newest one known begins the next stretch"
    found.clear()
    gone = await probe.read(NOW)
    assert "created_at" not in gone.values
    assert len(pages_asked) <= 8


@pytest.mark.parametrize("after", [NOW - timedelta(minutes=5), (NOW - timedelta(minutes=5)).replace(tzinfo=None)])
async def test_an_older_success_proves_nothing(aws: AnsweringAws, after: datetime) -> None:
    reading = await deployed(aws, brief(minutes=30), after=after)
    assert reading.values == NEVER_BEGUN
    assert "since 2026-11-23 22:25" in reading.unknown["status"].detail
    assert (await deployed(aws, brief(minutes=4), after=after)).values["succeeded"] is True


NEVER_BEGUN = {"begun": False, "succeeded": False, "failed": False, "rolled_back": False}


async def test_a_release_that_was_never_started_is_no_success_of_three_days_ago(aws: AnsweringAws) -> None:
    reading = await deployed(aws, brief(minutes=3 * 24 * 60), after="phase", began=NOW - timedelta(minutes=20))
    assert reading.values == NEVER_BEGUN
    (why,) = {each.detail for name, each in reading.unknown.items() if name != "expected"}
    assert why == f"no deployment of {SERVICE} since 2026-11-23 22:10, when the phase began"


async def test_since_the_phase_began_the_newest_deployment_counts(aws: AnsweringAws) -> None:
    began = NOW - timedelta(minutes=20)
    good = await deployed(aws, brief(1, minutes=90), brief(2, minutes=10), after="phase", began=began)
    assert good.values["succeeded"] is True
    back = brief(2, minutes=10, status="ROLLBACK_SUCCESSFUL")
    assert (await deployed(aws, brief(1, minutes=90), back, after="phase", began=began)).values["succeeded"] is False


async def test_before_the_phase_nothing_has_been_deployed(aws: AnsweringAws) -> None:
    reading = await deployed(aws, brief(minutes=5), after="phase")
    assert reading.values == NEVER_BEGUN
    assert reading.unknown["status"].detail == "the deployment of this cutover has not begun"


async def test_what_ecs_has_forgotten_is_not_known_to_be_absent(aws: AnsweringAws) -> None:
    assert not (await deployed(aws, after=NOW - timedelta(days=120))).values


# What it brought, by its service revision.


def revision(of: str = "web:42", digest: str = "sha256:good") -> dict[str, Any]:
    images = [
        {"containerName": "aws-guardduty-agent", "image": "agent:1", "imageDigest": "sha256:agent"},
        {"containerName": "web", "image": "web:1", "imageDigest": digest},
    ]
    return {
        "serviceRevisionArn": f"{BASE}:service-revision/{CLUSTER}/{SERVICE}/1",
        "taskDefinition": f"{BASE}:task-definition/{of}",
        "containerImages": images,
    }


BRINGS: dict[str, Any] = {"targetServiceRevision": {"arn": f"{BASE}:service-revision/{CLUSTER}/{SERVICE}/1"}}


@pytest.mark.parametrize(
    ("asked", "as_expected"),
    [
        ({"task_definition": "web:42"}, True),
        ({"task_definition": f"{BASE}:task-definition/web:42"}, True),
        ({"task_definition": "web:43"}, False),
        ({"image_digest": "sha256:good"}, True),
        ({"image_digest": "sha256:bad"}, False),
        ({"image_digest": "sha256:agent"}, False),
        ({"task_definition": "web:42", "image_digest": "sha256:bad"}, False),
    ],
)
async def test_a_success_of_another_release_is_none(aws: AnsweringAws, asked: Any, as_expected: bool) -> None:
    aws.on["DescribeServiceRevisions"] = wire({"serviceRevisions": [revision()]})
    values = (await deployed(aws, brief(**BRINGS), **asked)).values
    assert (values["expected"], values["succeeded"]) == (as_expected, as_expected)


@pytest.mark.parametrize(
    "answer", [{"serviceRevisions": []}, {"serviceRevisions": [revision() | {"containerImages": []}]}]
)
async def test_a_release_that_cannot_be_told_is_no_success(aws: AnsweringAws, answer: Any) -> None:
    aws.on["DescribeServiceRevisions"] = wire(answer)
    reading = await deployed(aws, brief(**BRINGS), image_digest="sha256:good")
    assert {reading.unknown[name].reason for name in ("expected", "succeeded")} == {Reason.NO_DATA}
    assert reading.values["status"] == "SUCCESSFUL"


async def test_a_refused_revision_hides_no_rollback(aws: AnsweringAws) -> None:
    aws.on["DescribeServiceRevisions"] = refusal("AccessDeniedException", "User: arn:x is not authorized")
    reading = await deployed(aws, brief(status="ROLLBACK_SUCCESSFUL", **BRINGS), task_definition="web:42")
    assert reading.unknown["expected"].reason is Reason.ACCESS_DENIED
    assert "ecs:DescribeServiceRevisions" in reading.unknown["expected"].hint
    assert (reading.values["succeeded"], reading.values["failed"]) == (False, True)


@pytest.mark.parametrize("wrong", [{"task_definition": "web"}, {"image_digest": "latest"}, {"after": "yesterday"}])
def test_what_names_no_release_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        DeploymentParams.model_validate({"cluster": CLUSTER, "service": SERVICE} | wrong)


async def test_a_rollback_on_the_second_page_is_not_an_older_success(aws: AnsweringAws) -> None:
    good, bad = brief(1, minutes=90), brief(2, minutes=5, status="ROLLBACK_SUCCESSFUL")
    await deployed(aws, good, bad)
    pages: dict[str | None, dict[str, Any]] = {
        None: {"serviceDeployments": [good], "nextToken": "more"},
        "more": {"serviceDeployments": [bad]},
    }
    aws.on["ListServiceDeployments"] = lambda asked: wire(pages[asked.get("nextToken")])
    reading = await EcsDeployment(DeploymentParams(cluster=CLUSTER, service=SERVICE), aws.clients).read(NOW)
    assert (reading.values["status"], reading.values["succeeded"]) == ("ROLLBACK_SUCCESSFUL", False)


async def test_a_deployment_that_cannot_be_described_is_not_found(aws: AnsweringAws) -> None:
    aws.on["ListServiceDeployments"] = wire({"serviceDeployments": [brief()]})
    aws.on["DescribeServiceDeployments"] = wire({"serviceDeployments": [], "failures": [{"reason": "MISSING"}]})
    reading = await EcsDeployment(DeploymentParams(cluster=CLUSTER, service=SERVICE), aws.clients).read(NOW)
    assert {u.reason for u in reading.unknown.values()} == {Reason.NOT_FOUND}


# -- not knowing ------------------------------------------------------------------------------------------------------

PROBES: list[tuple[Any, Any, list[str], str]] = [
    (EcsService, ServiceParams, ["DescribeServices"], "ecs:DescribeServices"),
    (EcsTasks, TasksParams, ["ListTasks"], "ecs:ListTasks"),
    (EcsDeployment, DeploymentParams, ["ListServiceDeployments"], "ecs:ListServiceDeployments"),
]


@pytest.mark.parametrize(("probe", "params", "operations", "action"), PROBES)
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (refusal("AccessDeniedException", "User: arn:x is not authorized"), Reason.ACCESS_DENIED),
        (refusal("ThrottlingException", "Rate exceeded"), Reason.THROTTLED),
        (refusal("ClusterNotFoundException", "Cluster not found."), Reason.NOT_FOUND),
        (refusal("ExpiredTokenException", "The security token included in the request is expired"), Reason.EXPIRED_CREDENTIALS),
        (refusal("ServerException", "oops", 500), Reason.ERROR),
        (ReadTimeoutError(endpoint_url="https://ecs"), Reason.TIMEOUT),
    ],
)  # fmt: skip
async def test_a_call_that_fails_makes_every_field_unknown(
    aws: AnsweringAws, probe: Any, params: Any, operations: list[str], action: str, answer: Any, reason: Reason
) -> None:
    aws.on |= dict.fromkeys(operations, answer)
    reading = await probe(params(cluster=CLUSTER, service=SERVICE), aws.clients).read(NOW)
    assert not reading.values
    assert {u.reason for u in reading.unknown.values()} == {reason}
    assert set(reading.unknown) == {field.name for field in probe.fields}
    if reason is Reason.ACCESS_DENIED:
        assert action in next(iter(reading.unknown.values())).hint


async def test_tasks_that_may_be_listed_but_not_described_are_unknown(aws: AnsweringAws) -> None:
    await tasks(aws, task(1))
    aws.on["DescribeTasks"] = refusal("AccessDeniedException")
    reading = await EcsTasks(TasksParams(cluster=CLUSTER, service=SERVICE), aws.clients).read(NOW)
    assert not reading.values
    assert "ecs:DescribeTasks" in reading.unknown["running"].hint


def test_permissions_name_the_plan_s_resources() -> None:
    clients = AnsweringAws().clients
    where = EcsService(ServiceParams(cluster=CLUSTER, service=SERVICE), clients).resources()
    assert where == {"ecs:DescribeServices": (f"{BASE}:service/{CLUSTER}/{SERVICE}",)}
    for probe, params, _, _ in PROBES:
        assert set(probe(params(cluster=CLUSTER, service=SERVICE), clients).resources()) <= set(probe.iam)
