"""ECS deployments: what counts as succeeded, failed and rolled back, and of which release."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from support.aws.ecs_place import BASE, CLUSTER, NOW, SERVICE, described
from support.aws.wire import AnsweringAws, refusal, wire

from probes.aws.ecs_deployment import DeploymentParams, EcsDeployment
from probes.reading import Reading, Reason


@pytest.fixture
async def aws() -> AsyncIterator[AnsweringAws]:
    answering = AnsweringAws()
    yield answering
    await answering.clients.close()


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
