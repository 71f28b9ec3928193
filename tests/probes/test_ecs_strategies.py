"""Services that are not deployed by rolling: blue/green, linear and canary by ECS itself, by CodeDeploy, by somebody else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from support.aws.modelled import NOW, ModelledAws

from probes.aws.ecs import EcsService
from probes.aws.ecs_deployment import EcsDeployment
from probes.aws.ecs_rollout import FAILED, baking
from probes.reading import Reading, Reason

PLACE = {"cluster": "prod", "service": "web"}
BASE = "arn:aws:ecs:us-east-1:123456789012"
ARN = f"{BASE}:service-deployment/prod/web/0000000000000000000001"
CODE_DEPLOY = "d-ABCDEF123"


async def read(probe: type[EcsService] | type[EcsDeployment], on: Mapping[str, Any], **params: Any) -> Reading:
    aws = ModelledAws()
    aws.on |= on
    try:
        asked = probe.params_type.model_validate(PLACE | params)
        return await probe(asked, aws.clients).read(NOW)  # type: ignore[arg-type]
    finally:
        await aws.clients.close()


# -- by ECS itself ---------------------------------------------------------------------------------------------------


def pause(status: str = "AWAITING_ACTION", **more: Any) -> dict[str, Any]:
    expires = NOW + timedelta(minutes=30)
    return {"hookId": "ecs-pause-1", "targetType": "PAUSE", "status": status, "expiresAt": expires} | more


async def shifting(status: str = "IN_PROGRESS", **more: Any) -> Reading:
    """A native blue/green deployment, as DescribeServiceDeployments gives it."""
    found = {
        "serviceDeploymentArn": ARN,
        "createdAt": NOW - timedelta(minutes=9),
        "status": status,
        "targetServiceRevision": {
            "arn": f"{BASE}:service-revision/prod/web/2",
            "requestedProductionTrafficWeight": 100.0,
        },
        "lifecycleStage": "BAKE_TIME",
        "deploymentConfiguration": {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 10},
        "deploymentCircuitBreaker": {"status": "MONITORING", "failureCount": 0, "threshold": 3},
        "alarms": {"status": "MONITORING", "alarmNames": ["errors"]},
    } | more
    brief = {key: found[key] for key in ("serviceDeploymentArn", "createdAt", "status")}
    return await read(
        EcsDeployment,
        {
            "ListServiceDeployments": {"serviceDeployments": [brief]},
            "DescribeServiceDeployments": {"serviceDeployments": [found]},
        },
    )


async def test_a_deployment_in_its_bake_time_is_neither_done_nor_failed() -> None:
    reading = await shifting()
    values = reading.values
    assert (values["strategy"], values["stage"], values["traffic_share"]) == ("BLUE_GREEN", "BAKE_TIME", 1.0)
    assert (values["succeeded"], values["failed"], values["paused"]) == (False, False, False)
    assert reading.evidence.lines == (
        "BAKE_TIME: all users are on the new tasks, and the old ones are kept to go back to",
        "it is SUCCESSFUL only after 10 min of bake time",
    )


async def test_a_canary_says_how_much_traffic_the_new_tasks_have() -> None:
    canary = {"arn": f"{BASE}:service-revision/prod/web/2", "requestedProductionTrafficWeight": 10.0}
    values = (await shifting(targetServiceRevision=canary, lifecycleStage="PRODUCTION_TRAFFIC_SHIFT")).values
    assert (values["traffic_share"], values["succeeded"]) == (0.1, False)


async def test_a_pause_hook_says_how_a_person_lets_it_go_on() -> None:
    reading = await shifting(
        lifecycleStage="POST_TEST_TRAFFIC_SHIFT", lifecycleHookDetails=[pause(timeoutAction="CONTINUE")]
    )
    assert (reading.values["paused"], reading.values["failed"]) == (True, False)
    assert reading.evidence.lines[-1] == (
        "a pause hook waits for a person until 23:00, then CONTINUE: aws ecs continue-service-deployment "
        f"--service-deployment-arn {ARN} --hook-id ecs-pause-1 --action CONTINUE"
    )


@pytest.mark.parametrize(
    ("hook", "failed"),
    [
        (
            {"targetType": "AWS_LAMBDA", "targetArn": "arn:aws:lambda:us-east-1:1:function:smoke", "status": "FAILED"},
            True,
        ),
        (pause("TIMED_OUT", timeoutAction="ROLLBACK"), True),
        (pause("TIMED_OUT", timeoutAction="CONTINUE"), False),
        ({"targetType": "AWS_LAMBDA", "status": "IN_PROGRESS"}, False),
        ({"targetType": "AWS_LAMBDA", "status": "SUCCEEDED"}, False),
    ],
)
async def test_a_hook_that_failed_has_failed_the_deployment(hook: dict[str, Any], failed: bool) -> None:
    reading = await shifting(lifecycleHookDetails=[hook])
    assert (reading.values["failed"], reading.values["succeeded"]) == (failed, False)


@pytest.mark.parametrize("status", sorted(FAILED))
async def test_each_documented_status_is_judged(status: str) -> None:
    values = (await shifting(status)).values
    assert (values["failed"], values["succeeded"]) == (FAILED[status], status == "SUCCESSFUL")


async def test_a_status_that_is_new_is_neither_success_nor_failure() -> None:
    reading = await shifting("MEDITATING", lifecycleStage="DREAMING")
    assert {reading.unknown[name].reason for name in ("succeeded", "failed", "rolled_back")} == {Reason.NO_DATA}
    assert reading.values["status"] == "MEDITATING"
    assert "does not know" in reading.evidence.lines[0]


def test_bake_times_add_up() -> None:
    canary = {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 15}
    linear = {"stepPercent": 25.0, "stepBakeTimeInMinutes": 6}
    assert baking({"bakeTimeInMinutes": 10, "canaryConfiguration": canary}) == timedelta(minutes=25)
    assert baking({"bakeTimeInMinutes": 10, "linearConfiguration": linear}) == timedelta(minutes=34)
    assert baking({}) == timedelta(0)


# -- by CodeDeploy and others ----------------------------------------------------------------------------------------


def task_set(status: str = "PRIMARY", revision: int = 42, minutes: float = 30, **more: Any) -> dict[str, Any]:
    return {
        "id": f"ecs-svc/{revision}",
        "startedBy": "CODE_DEPLOY",
        "externalId": CODE_DEPLOY,
        "status": status,
        "taskDefinition": f"{BASE}:task-definition/web:{revision}",
        "computedDesiredCount": 2,
        "runningCount": 2,
        "createdAt": NOW - timedelta(minutes=minutes),
        "stabilityStatus": "STEADY_STATE",
    } | more


BLUE, GREEN = task_set(revision=41, minutes=9000, externalId="d-OLD"), task_set()
SHIFTED = (task_set(), task_set("ACTIVE", 41, 9000))
STARTING = (task_set("PRIMARY", 41, 9000), task_set("ACTIVE", 42, 3, stabilityStatus="STABILIZING"))


def described(*sets: dict[str, Any], controller: str = "CODE_DEPLOY") -> dict[str, Any]:
    """As DescribeServices gives such a service: without deployments of ECS's own."""
    service = {
        "serviceName": "web",
        "status": "ACTIVE",
        "desiredCount": 2,
        "runningCount": sum(each["runningCount"] for each in sets),
        "pendingCount": 0,
        "deploymentController": {"type": controller},
        "deploymentConfiguration": {"maximumPercent": 200, "minimumHealthyPercent": 100},
        "deployments": [],
        "taskSets": list(sets),
    }
    return {"services": [service], "failures": []}


async def service(*sets: dict[str, Any], controller: str = "CODE_DEPLOY") -> Reading:
    return await read(EcsService, {"DescribeServices": described(*sets, controller=controller)})


async def deployment(*sets: dict[str, Any], controller: str = "CODE_DEPLOY", **params: Any) -> Reading:
    on = {
        "ListServiceDeployments": {"serviceDeployments": []},
        "DescribeServices": described(*sets, controller=controller),
    }
    return await read(EcsDeployment, on, **params)


async def test_a_service_that_codedeploy_deploys_is_known_by_its_task_set() -> None:
    reading = await service(GREEN)
    values = reading.values
    assert (values["controller"], values["task_definition"], values["stable"]) == ("CODE_DEPLOY", "web:42", True)
    assert (values["deployments"], values["running"]) == (1, 2)
    hints = {reading.unknown[name].hint for name in ("rollout_state", "failed_tasks", "circuit_breaker", "strategy")}
    assert hints == {f"`aws deploy get-deployment --deployment-id {CODE_DEPLOY}`"}
    assert reading.evidence.lines == (f"task set ecs-svc/42 PRIMARY STEADY_STATE: web:42, 2 of 2 tasks {CODE_DEPLOY}",)


@pytest.mark.parametrize(
    ("sets", "serves"),
    [(SHIFTED, "web:42"), (STARTING, "web:41"), ((task_set(stabilityStatus="STABILIZING"),), "web:42")],
)
async def test_it_is_not_stable_while_another_task_set_is_there_or_its_own_not_steady(
    sets: tuple[dict[str, Any], ...], serves: str
) -> None:
    values = (await service(*sets)).values
    assert (values["stable"], values["task_definition"]) == (False, serves)


@pytest.mark.parametrize("sets", [(), (task_set("ACTIVE"),)])
async def test_without_a_task_set_that_serves_nothing_is_stable(sets: tuple[dict[str, Any], ...]) -> None:
    reading = await service(*sets)
    assert {reading.unknown[name].reason for name in ("stable", "task_definition")} == {Reason.NO_DATA}


async def test_a_task_set_that_serves_alone_is_a_deployment_that_succeeded() -> None:
    reading = await deployment(GREEN, task_definition="web:42")
    values = reading.values
    assert (values["begun"], values["succeeded"], values["failed"]) == (True, True, False)
    assert (values["rolled_back"], values["created_at"]) == (False, GREEN["createdAt"])
    assert CODE_DEPLOY in reading.unknown["status"].hint


async def test_another_release_than_expected_did_not_succeed() -> None:
    values = (await deployment(GREEN, task_definition="web:43")).values
    assert (values["expected"], values["succeeded"]) == (False, False)


async def test_a_digest_cannot_be_read_off_a_task_set() -> None:
    reading = await deployment(GREEN, image_digest="sha256:1f3a")
    assert {"expected", "succeeded"} <= set(reading.unknown)
    assert "ecs.tasks" in reading.unknown["expected"].hint


async def test_while_the_former_task_set_is_kept_it_can_still_go_back() -> None:
    reading = await deployment(*SHIFTED)
    assert (reading.values["succeeded"], reading.values["rolled_back"]) == (False, False)
    assert "failed" in reading.unknown


async def test_a_task_set_without_traffic_has_neither_succeeded_nor_failed() -> None:
    reading = await deployment(*STARTING)
    assert (reading.values["begun"], reading.values["succeeded"]) == (True, False)
    assert {"failed", "rolled_back"} <= set(reading.unknown)


async def test_where_only_the_former_task_set_is_left_nothing_is_known_of_the_new_one() -> None:
    """It has not begun, or it has failed and is gone: ECS does not tell the two apart."""
    reading = await deployment(BLUE, after=NOW - timedelta(hours=1))
    assert not reading.values
    assert all(unknown.hint.startswith("`aws deploy") for unknown in reading.unknown.values())


async def test_an_external_controller_has_no_codedeploy_to_ask() -> None:
    reading = await deployment(task_set(startedBy="jenkins", externalId="42"), controller="EXTERNAL")
    assert reading.values["succeeded"] is True
    assert reading.unknown["status"].detail == "EXTERNAL deploys this service: ECS keeps no deployment of it"
    assert "aws deploy" not in reading.unknown["status"].hint


async def test_a_service_that_is_not_there_is_not_found() -> None:
    on: Mapping[str, Any] = {
        "ListServiceDeployments": {"serviceDeployments": []},
        "DescribeServices": {"services": []},
    }
    assert {u.reason for u in (await read(EcsDeployment, on)).unknown.values()} == {Reason.NOT_FOUND}
