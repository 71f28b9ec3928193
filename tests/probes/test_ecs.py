"""ECS services: what counts as stable, and what of all that ECS is asked nobody can know."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from support.aws.ecs_place import BASE, CLUSTER, NOW, SERVICE, deployment, described
from support.aws.wire import REQUEST_ID, AnsweringAws, refusal, wire

from probes.aws.ecs import EcsService, ServiceParams
from probes.aws.ecs_deployment import DeploymentParams, EcsDeployment
from probes.aws.ecs_tasks import EcsTasks, TasksParams
from probes.reading import Reading, Reason


@pytest.fixture
async def aws() -> AsyncIterator[AnsweringAws]:
    answering = AnsweringAws()
    yield answering
    await answering.clients.close()


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


def test_permissions_name_the_plan_s_resources() -> None:
    clients = AnsweringAws().clients
    where = EcsService(ServiceParams(cluster=CLUSTER, service=SERVICE), clients).resources()
    assert where == {"ecs:DescribeServices": (f"{BASE}:service/{CLUSTER}/{SERVICE}",)}
    for probe, params, _, _ in PROBES:
        assert set(probe(params(cluster=CLUSTER, service=SERVICE), clients).resources()) <= set(probe.iam)
