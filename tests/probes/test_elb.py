"""The load balancer's view: an empty group is never healthy, and every reason is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from support.aws.wire import AnsweringAws, query_refusal, wire

from probes.aws.alb_targets import AlbTargets, TargetsParams
from probes.reading import Reading, Reason

NOW = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
ARN = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/transparent-trust-web/0123456789abcdef"


@pytest.fixture
async def aws() -> AsyncIterator[AnsweringAws]:
    answering = AnsweringAws()
    answering.on["DescribeTargetGroups"] = groups()
    yield answering
    await answering.clients.close()


def answer(operation: str, result: str) -> Any:
    inner = f"<{operation}Result>{result}</{operation}Result>"
    return wire(
        f"<{operation}Response>{inner}<ResponseMetadata><RequestId>R-1</RequestId></ResponseMetadata></{operation}Response>"
    )


def groups(arn: str = ARN) -> Any:
    member = f"<member><TargetGroupArn>{arn}</TargetGroupArn><HealthCheckPath>/api/health</HealthCheckPath></member>"
    return answer("DescribeTargetGroups", f"<TargetGroups>{member if arn else ''}</TargetGroups>")


def health(*targets: tuple[str, str]) -> Any:
    """(state, reason) per target."""
    members = "".join(
        f"<member><Target><Id>10.0.1.{n}</Id><Port>3000</Port></Target><TargetHealth><State>{state}</State>"
        + (f"<Reason>{reason}</Reason><Description>Health checks failed</Description>" if reason else "")
        + "</TargetHealth></member>"
        for n, (state, reason) in enumerate(targets)
    )
    return answer("DescribeTargetHealth", f"<TargetHealthDescriptions>{members}</TargetHealthDescriptions>")


def probe(aws: AnsweringAws, group: str = "transparent-trust-web") -> AlbTargets:
    return AlbTargets(TargetsParams(target_group=group), aws.clients)


async def read(aws: AnsweringAws, *targets: tuple[str, str]) -> Reading:
    aws.on["DescribeTargetHealth"] = health(*targets)
    return await probe(aws).read(NOW)


async def test_two_healthy_targets(aws: AnsweringAws) -> None:
    reading = await read(aws, ("healthy", ""), ("healthy", ""))
    assert reading.values == {
        "total": 2,
        "healthy": 2,
        "unhealthy": 0,
        "initial": 0,
        "draining": 0,
        "all_healthy": True,
        "health_check_path": "/api/health",
    }
    assert reading.unknown["reasons"].reason is Reason.NO_DATA
    assert reading.evidence.request_id == "R-1"
    assert reading.evidence.console_url.endswith(ARN)


async def test_one_that_fails_is_told_with_its_reason(aws: AnsweringAws) -> None:
    reading = await read(aws, ("healthy", ""), ("unhealthy", "Target.ResponseCodeMismatch"))
    assert (reading.values["unhealthy"], reading.values["all_healthy"]) == (1, False)
    assert reading.values["reasons"] == ("Target.ResponseCodeMismatch",)
    assert reading.evidence.lines[1] == "10.0.1.1:3000 unhealthy Target.ResponseCodeMismatch Health checks failed"


async def test_draining_targets_neither_help_nor_hurt(aws: AnsweringAws) -> None:
    values = (await read(aws, ("healthy", ""), ("draining", "Target.DeregistrationInProgress"))).values
    assert (values["total"], values["draining"], values["all_healthy"]) == (2, 1, True)


@pytest.mark.parametrize(
    ("state", "reason"), [("initial", "Elb.InitialHealthChecking"), ("unused", "Target.NotInUse"), ("unavailable", "X")]
)
async def test_a_state_that_is_not_healthy_is_not_healthy(aws: AnsweringAws, state: str, reason: str) -> None:
    assert (await read(aws, ("healthy", ""), (state, reason))).values["all_healthy"] is False


@pytest.mark.parametrize("targets", [(), (("draining", "Target.DeregistrationInProgress"),)])
async def test_a_group_without_targets_is_never_healthy(
    aws: AnsweringAws, targets: tuple[tuple[str, str], ...]
) -> None:
    reading = await read(aws, *targets)
    assert reading.unknown["all_healthy"].reason is Reason.NO_DATA
    assert reading.values["healthy"] == 0


async def test_the_group_is_looked_up_once_and_again_after_it_was_made_anew(aws: AnsweringAws) -> None:
    aws.on["DescribeTargetHealth"] = health(("healthy", ""))
    targets = probe(aws)
    await targets.read(NOW)
    await targets.read(NOW)
    assert sum(operation == "DescribeTargetGroups" for operation, _ in aws.asked) == 1
    aws.on["DescribeTargetHealth"] = query_refusal("TargetGroupNotFound")
    assert (await targets.read(NOW)).unknown["healthy"].reason is Reason.NOT_FOUND
    aws.on["DescribeTargetGroups"] = groups(ARN + "0")
    aws.on["DescribeTargetHealth"] = health(("healthy", ""))
    assert (await targets.read(NOW)).values["healthy"] == 1
    assert aws.asked[-1][1]["TargetGroupArn"] == ARN + "0"


@pytest.mark.parametrize(
    ("given", "key"), [(ARN, "TargetGroupArns.member.1"), ("transparent-trust-web", "Names.member.1")]
)
async def test_a_group_is_found_by_name_and_by_arn(aws: AnsweringAws, given: str, key: str) -> None:
    aws.on["DescribeTargetHealth"] = health(("healthy", ""))
    await probe(aws, given).read(NOW)
    assert aws.asked[0][1][key] == given


@pytest.mark.parametrize("operation", ["DescribeTargetGroups", "DescribeTargetHealth"])
@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (query_refusal("AccessDenied", status=403), Reason.ACCESS_DENIED),
        (query_refusal("Throttling", "Rate exceeded"), Reason.THROTTLED),
        (query_refusal("TargetGroupNotFound"), Reason.NOT_FOUND),
        (ReadTimeoutError(endpoint_url="https://elb"), Reason.TIMEOUT),
    ],
)
async def test_not_knowing(aws: AnsweringAws, operation: str, said: Any, reason: Reason) -> None:
    aws.on["DescribeTargetHealth"] = health(("healthy", ""))
    aws.on[operation] = said
    reading = await probe(aws).read(NOW)
    assert not reading.values
    assert {u.reason for u in reading.unknown.values()} == {reason}
    if reason is Reason.ACCESS_DENIED:
        assert f"elasticloadbalancing:{operation}" in reading.unknown["healthy"].hint


async def test_no_group_in_a_successful_answer_is_not_found(aws: AnsweringAws) -> None:
    aws.on["DescribeTargetGroups"] = groups("")
    reading = await probe(aws).read(NOW)
    assert {u.reason for u in reading.unknown.values()} == {Reason.NOT_FOUND}
