"""A CodeDeploy group's newest deployment: the release, an older one, or a rollback."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from support.aws.modelled import DENIED, NOW, ModelledAws, refusal

from probes.aws.codedeploy import CodeDeployDeployment, CodeDeployParams
from probes.reading import Reading, Reason

CREATED = NOW - timedelta(minutes=4)


def deployment(**more: Any) -> dict[str, Any]:
    return {
        "deploymentId": "d-A1B2C3D4E",
        "status": "Succeeded",
        "createTime": CREATED,
        "completeTime": NOW - timedelta(minutes=1),
        "creator": "user",
        "revision": {"revisionType": "S3", "s3Location": {"bucket": "releases", "key": "web-42.zip"}},
        "deploymentOverview": {"Pending": 0, "InProgress": 0, "Succeeded": 4, "Failed": 0, "Skipped": 0, "Ready": 0},
    } | more


async def read(
    found: dict[str, Any] | None = None,
    params: dict[str, Any] | None = None,
    began: datetime | None = None,
    **on: Any,
) -> Reading:
    aws = ModelledAws()
    last = {"deploymentGroupInfo": {"lastAttemptedDeployment": {"deploymentId": "d-A1B2C3D4E"}}}
    aws.on |= {"GetDeploymentGroup": last, "GetDeployment": {"deploymentInfo": found or deployment()}} | on
    asked = CodeDeployParams.model_validate({"application": "web", "group": "prod"} | (params or {}))
    probe = CodeDeployDeployment(asked, aws.clients)
    probe.deployment_began = lambda: began
    try:
        return await probe.read(NOW)
    finally:
        await aws.clients.close()


async def test_a_release_that_is_there() -> None:
    reading = await read(params={"revision": "releases/web-42.zip"})
    assert reading.values == {
        "status": "Succeeded",
        "begun": True,
        "in_progress": False,
        "succeeded": True,
        "failed": False,
        "is_rollback": False,
        "waits": False,
        "deployment_id": "d-A1B2C3D4E",
        "revision": "releases/web-42.zip",
        "began_at": CREATED,
        "age_s": 240.0,
        "targets": 4,
        "targets_succeeded": 4,
        "targets_failed": 0,
    }


@pytest.mark.parametrize(
    "back",
    [
        {"rollbackInfo": {"rollbackTriggeringDeploymentId": "d-B", "rollbackMessage": "back"}},
        {"creator": "codeDeployRollback"},
    ],
)
async def test_a_rollback_that_succeeded_is_no_success(back: dict[str, Any]) -> None:
    values = (await read(deployment(**back))).values
    assert (values["succeeded"], values["failed"], values["is_rollback"]) == (False, True, True)


async def test_another_revision_is_no_success() -> None:
    assert (await read(params={"revision": "releases/web-43.zip"})).values["succeeded"] is False


async def test_a_revision_that_is_not_named_is_neither_the_release_nor_another() -> None:
    reading = await read(deployment(revision={}), {"revision": "releases/web-42.zip"})
    assert reading.unknown["succeeded"].reason is reading.unknown["revision"].reason is Reason.NO_DATA


@pytest.mark.parametrize(("more", "failed"), [({}, None), ({"creator": "codeDeployRollback"}, True)])
async def test_a_status_that_is_new_says_nothing(more: dict[str, Any], failed: bool | None) -> None:
    reading = await read(deployment(status="Paused", **more))
    assert reading.values.get("failed") is failed
    assert {"in_progress", "waits"} <= reading.unknown.keys()
    assert "Paused" in reading.unknown["in_progress"].detail


async def test_an_answer_without_the_group_begins_nothing_and_ends_nothing() -> None:
    assert {u.reason for u in (await read(GetDeploymentGroup={})).unknown.values()} == {Reason.NO_DATA}


async def test_one_without_a_time_is_not_older_than_the_phase() -> None:
    found = {name: value for name, value in deployment().items() if name != "createTime"}
    assert (await read(found, {"after": "phase"}, NOW)).unknown["begun"].reason is Reason.NO_DATA


async def test_a_failed_one_says_why() -> None:
    error = {"code": "HEALTH_CONSTRAINTS", "message": "too many failed"}
    reading = await read(deployment(status="Failed", errorInformation=error))
    assert reading.values["failed"] is True
    assert reading.values["error"] == "HEALTH_CONSTRAINTS: too many failed"


async def test_one_that_waits_for_a_person() -> None:
    values = (await read(deployment(status="Ready"))).values
    assert (values["in_progress"], values["waits"], values["succeeded"]) == (True, True, False)


@pytest.mark.parametrize(
    ("began", "begun"), [(None, False), (CREATED + timedelta(seconds=1), False), (CREATED - timedelta(seconds=1), True)]
)
async def test_after_the_phase_an_older_success_proves_nothing(began: datetime | None, begun: bool) -> None:
    values = (await read(params={"after": "phase"}, began=began)).values
    assert (values["begun"], values["succeeded"]) == (begun, begun)


async def test_a_group_without_a_deployment_has_begun_nothing() -> None:
    reading = await read(GetDeploymentGroup={"deploymentGroupInfo": {}})
    assert (reading.values["begun"], reading.values["failed"]) == (False, False)
    assert reading.unknown["status"].reason is Reason.NO_DATA


@pytest.mark.parametrize(
    ("operation", "answer", "reason"),
    [
        ("GetDeployment", DENIED, Reason.ACCESS_DENIED),
        ("GetDeploymentGroup", refusal("DeploymentGroupDoesNotExistException"), Reason.NOT_FOUND),
    ],
)
async def test_what_cannot_be_read_is_unknown(operation: str, answer: Any, reason: Reason) -> None:
    assert {u.reason for u in (await read(**{operation: answer})).unknown.values()} == {reason}
