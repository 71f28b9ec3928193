"""The definition that runs: what its environment has, lacks and shows in the clear; never a value."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import ValidationError
from support.aws.queued import NOW, StubbedAws

from probes.aws.ecs_task_definition import EcsTaskDefinition, TaskDefinitionParams
from probes.reading import Reading, Reason

ARN = "arn:aws:ecs:us-east-1:123456789012:task-definition/web:42"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/web"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:app/key-AbCdEf"
PLACE = {"cluster": "prod", "service": "web"}
CHECKS = {
    "required": ["NEXTAUTH_URL", "DATABASE_URL"],
    "secrets": ["DATABASE_URL"],
    "expected": {"AWS_REGION": "us-east-1"},
    "groups": {"okta": ["OKTA_CLIENT_ID", "OKTA_ISSUER"]},
}
COUNTS = (
    "variables_missing_count",
    "secrets_missing_count",
    "plain_secrets_count",
    "wrong_values_count",
    "incomplete_groups_count",
)


@pytest.fixture
async def aws() -> AsyncIterator[StubbedAws]:
    stubbed = StubbedAws()
    yield stubbed
    await stubbed.clients.close()


def container(plain: dict[str, str] | None = None, held: tuple[str, ...] = ("DATABASE_URL",), **more: Any) -> Any:
    variables = {"NEXTAUTH_URL": "https://x", "AWS_REGION": "us-east-1"} if plain is None else plain
    return {
        "name": "web",
        "image": f"{IMAGE}@sha256:{'1f' * 32}",
        "environment": [{"name": name, "value": value} for name, value in variables.items()],
        "secrets": [{"name": name, "valueFrom": SECRET} for name in held],
        "healthCheck": {"command": ["CMD-SHELL", "curl -f http://localhost:3000"]},
        "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/web"}},
    } | more


def definition(*containers: Any, **more: Any) -> dict[str, Any]:
    roles = {
        "taskRoleArn": "arn:aws:iam::123456789012:role/web-task",
        "executionRoleArn": "arn:aws:iam::123456789012:role/x/web-execution",
    }
    described = {"taskDefinitionArn": ARN, "family": "web", "revision": 42, "containerDefinitions": list(containers)}
    return {"taskDefinition": described | roles | more}


def service(**deployment: Any) -> dict[str, Any]:
    older = {"status": "ACTIVE", "taskDefinition": ARN.replace(":42", ":41")}
    return {"services": [{"deployments": [older, {"status": "PRIMARY", "taskDefinition": ARN} | deployment]}]}


async def read(aws: StubbedAws, *containers: Any, more: dict[str, Any] | None = None, **params: Any) -> Reading:
    aws.answers("ecs", "describe_services", service())
    aws.answers("ecs", "describe_task_definition", definition(*containers, **(more or {})), {"taskDefinition": ARN})
    settings = TaskDefinitionParams.model_validate(PLACE | CHECKS | params)
    reading = await EcsTaskDefinition(settings, aws.clients).read(NOW)
    aws.done()
    return reading


async def test_a_definition_as_it_should_be(aws: StubbedAws) -> None:
    reading = await read(aws, container())
    assert reading.values == {
        "definition": "web:42",
        "revision": 42,
        "image": f"{IMAGE}@sha256:{'1f' * 32}",
        "image_by_digest": True,
        "has_health_check": True,
        "log_group": "/ecs/web",
        "task_role": "web-task",
        "execution_role": "web-execution",
        "static_keys": False,
        **dict.fromkeys(COUNTS, 0),
    }
    assert {u.reason for u in reading.unknown.values()} == {Reason.NO_DATA}
    assert reading.evidence.console_url.endswith("/task-definitions/web/42?region=us-east-1")


async def test_what_is_missing_is_named(aws: StubbedAws) -> None:
    values = (await read(aws, container({"NEXTAUTH_URL": " "}, held=()))).values
    assert values["variables_missing"] == ("NEXTAUTH_URL", "DATABASE_URL")
    assert values["secrets_missing"] == ("DATABASE_URL",)
    assert (values["variables_missing_count"], values["secrets_missing_count"]) == (2, 1)
    assert values["wrong_values"] == ("AWS_REGION",)


async def test_a_secret_in_the_clear_is_named_and_never_shown(aws: StubbedAws) -> None:
    dsn = "postgresql://app:Wm4rT0q8uYc2@db:5432/app"
    reading = await read(aws, container({"DATABASE_URL": "hidden-by-name", "OTHER": dsn}, held=()))
    assert reading.values["plain_secrets"] == ("DATABASE_URL", "OTHER")
    assert reading.values["plain_secrets_count"] == 2
    assert "plain secrets: DATABASE_URL, OTHER" in reading.evidence.lines
    assert "Wm4rT0q8uYc2" not in repr(reading)
    assert "hidden-by-name" not in repr(reading)


async def test_a_variable_that_may_be_absent_but_never_plain(aws: StubbedAws) -> None:
    absent = await read(aws, container(), never_plain=["SLACK_WEBHOOK_URL"])
    assert absent.values["plain_secrets_count"] == 0
    plain = await read(aws, container({"SLACK_WEBHOOK_URL": "x"}), never_plain=["SLACK_WEBHOOK_URL"])
    assert plain.values["plain_secrets"] == ("SLACK_WEBHOOK_URL",)


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
async def test_static_keys_show_in_the_clear_and_from_a_secret(aws: StubbedAws, name: str) -> None:
    assert (await read(aws, container({name: "x"}))).values["static_keys"] is True
    assert (await read(aws, container(held=(name,)))).values["static_keys"] is True


async def test_a_wrong_value_is_named_without_it(aws: StubbedAws) -> None:
    reading = await read(aws, container({"AWS_REGION": "eu-west-9"}))
    assert (reading.values["wrong_values"], reading.values["wrong_values_count"]) == (("AWS_REGION",), 1)
    assert "eu-west-9" not in repr(reading)


async def test_a_value_that_comes_from_a_secret_cannot_be_compared(aws: StubbedAws) -> None:
    reading = await read(aws, container(held=("DATABASE_URL", "AWS_REGION"), plain={}))
    assert reading.unknown["wrong_values_count"].reason is Reason.PARTIAL


@pytest.mark.parametrize(
    ("given", "incomplete"),
    [((), 0), (("OKTA_CLIENT_ID",), 1), (("OKTA_CLIENT_ID", "OKTA_ISSUER"), 0)],
)
async def test_a_group_is_set_whole_or_not_at_all(aws: StubbedAws, given: tuple[str, ...], incomplete: int) -> None:
    values = (await read(aws, container(dict.fromkeys(given, "x")))).values
    assert values["incomplete_groups_count"] == incomplete
    assert values.get("incomplete_groups", ()) == (("okta",) if incomplete else ())


async def test_an_image_by_tag_and_no_health_check_show(aws: StubbedAws) -> None:
    bare = container(image=f"{IMAGE}:latest")
    del bare["healthCheck"]
    values = (await read(aws, bare)).values
    assert (values["image_by_digest"], values["has_health_check"]) == (False, False)


async def test_no_roles_and_no_logs_are_not_names(aws: StubbedAws) -> None:
    bare = container()
    del bare["logConfiguration"]
    reading = await read(aws, bare, more={"taskRoleArn": "", "executionRoleArn": ""})
    for field in ("log_group", "task_role", "execution_role"):
        assert reading.unknown[field].reason is Reason.NOT_FOUND


async def test_lists_the_plan_does_not_give_are_not_checked(aws: StubbedAws) -> None:
    reading = await read(aws, container(), required=[], secrets=[], expected={}, groups={})
    blind = {name for name in COUNTS if name in reading.unknown}
    assert blind == set(COUNTS) - {"plain_secrets_count"}
    assert "plan gives no" in reading.unknown["variables_missing_count"].detail


FILES = [{"type": "s3", "value": "arn:aws:s3:::config/web.env"}]


async def test_a_file_of_variables_leaves_open_what_it_could_change(aws: StubbedAws) -> None:
    reading = await read(aws, container({}, environmentFiles=FILES))
    for field in (
        "variables_missing_count",
        "plain_secrets_count",
        "static_keys",
        "wrong_values_count",
        "incomplete_groups_count",
    ):
        assert reading.unknown[field].reason is Reason.PARTIAL, field
    assert reading.values["secrets_missing_count"] == 0


async def test_a_file_cannot_excuse_what_is_seen(aws: StubbedAws) -> None:
    plain = {"AWS_ACCESS_KEY_ID": "x", "AWS_REGION": "eu-west-9", "DATABASE_URL": "x", "NEXTAUTH_URL": "x"}
    values = (await read(aws, container(plain, environmentFiles=FILES))).values
    assert (values["static_keys"], values["plain_secrets_count"], values["wrong_values_count"]) == (True, 1, 1)
    assert values["variables_missing_count"] == 0


async def test_of_several_containers_one_must_be_named(aws: StubbedAws) -> None:
    side = container(name="sidecar", image=f"{IMAGE}:side")
    reading = await read(aws, container(), side)
    assert "sidecar" in reading.unknown["image"].detail
    assert reading.values["task_role"] == "web-task"
    named = await read(aws, container(), side, container="sidecar")
    assert named.values["image"] == f"{IMAGE}:side"
    gone = await read(aws, container(), side, container="no")
    assert gone.unknown["static_keys"].reason is Reason.NOT_FOUND


async def test_no_container_in_the_answer_is_no_data(aws: StubbedAws) -> None:
    assert (await read(aws)).unknown["plain_secrets_count"].reason is Reason.NO_DATA


async def test_a_definition_can_be_named(aws: StubbedAws) -> None:
    aws.answers("ecs", "describe_task_definition", definition(container()), {"taskDefinition": "web:42"})
    probe = EcsTaskDefinition(TaskDefinitionParams(task_definition="web:42"), aws.clients)
    assert (await probe.read(NOW)).values["revision"] == 42


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"services": [], "failures": [{"arn": "x", "reason": "MISSING"}]}, Reason.NOT_FOUND),
        ({"services": [{"deployments": []}]}, Reason.NO_DATA),
        ({"services": [{"deployments": [{"status": "ACTIVE", "taskDefinition": ARN}]}]}, Reason.NO_DATA),
    ],
)
async def test_without_a_running_definition_nothing_is_known(aws: StubbedAws, answer: Any, reason: Reason) -> None:
    aws.answers("ecs", "describe_services", answer)
    reading = await EcsTaskDefinition(TaskDefinitionParams.model_validate(PLACE), aws.clients).read(NOW)
    assert not reading.values
    assert {u.reason for u in reading.unknown.values()} == {reason}


@pytest.mark.parametrize("operation", ["describe_services", "describe_task_definition"])
@pytest.mark.parametrize(
    ("code", "message", "reason"),
    [
        ("AccessDeniedException", "no", Reason.ACCESS_DENIED),
        ("ThrottlingException", "Rate exceeded", Reason.THROTTLED),
        ("ClientException", "Unable to describe task definition.", Reason.NOT_FOUND),
    ],
)
async def test_a_refusal_makes_everything_unknown(
    aws: StubbedAws, operation: str, code: str, message: str, reason: Reason
) -> None:
    if operation == "describe_task_definition":
        aws.answers("ecs", "describe_services", service())
    aws.refuses("ecs", operation, code, message)
    reading = await EcsTaskDefinition(TaskDefinitionParams.model_validate(PLACE), aws.clients).read(NOW)
    assert not reading.values
    assert {u.reason for u in reading.unknown.values()} == {reason}
    if reason is Reason.ACCESS_DENIED:
        assert "ecs:Describe" in reading.unknown["image"].hint


@pytest.mark.parametrize("given", [{}, {"cluster": "c"}, {"service": "s"}, PLACE | {"task_definition": "web"}])
def test_a_service_or_a_definition_and_not_both(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="give cluster and service, or task_definition"):
        TaskDefinitionParams.model_validate(given)


def test_it_needs_to_describe_its_own_service(aws: StubbedAws) -> None:
    probe = EcsTaskDefinition(TaskDefinitionParams.model_validate(PLACE), aws.clients)
    assert probe.resources() == {"ecs:DescribeServices": ("arn:aws:ecs:us-east-1:123456789012:service/prod/web",)}
