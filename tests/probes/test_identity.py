"""The right account, or none: before anything else is believed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError, NoCredentialsError
from support.aws.wire import AnsweringAws, query_refusal, wire

from probes.aws.identity import AwsIdentity, AwsIdentityParams
from probes.reading import Reading, Reason

NOW = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
ARN = "arn:aws:sts::123456789012:assumed-role/on-call/me"


async def identity(answer: Any, account: str = "123456789012") -> Reading:
    aws = AnsweringAws(account)
    aws.on["GetCallerIdentity"] = answer
    reading = await AwsIdentity(AwsIdentityParams(), aws.clients).read(NOW)
    await aws.clients.close()
    return reading


def told(account: str = "<Account>123456789012</Account>") -> Any:
    result = f"<GetCallerIdentityResult><Arn>{ARN}</Arn><UserId>A:me</UserId>{account}</GetCallerIdentityResult>"
    metadata = "<ResponseMetadata><RequestId>R-1</RequestId></ResponseMetadata>"
    return wire(f"<GetCallerIdentityResponse>{result}{metadata}</GetCallerIdentityResponse>")


async def test_the_plan_s_account() -> None:
    reading = await identity(told())
    assert reading.values == {"account": "123456789012", "arn": ARN, "matches": True}
    assert (reading.evidence.request_id, reading.evidence.lines) == ("R-1", ())


async def test_another_account_is_no_match_and_says_which() -> None:
    reading = await identity(told(), account="210987654321")
    assert reading.values["matches"] is False
    assert reading.evidence.lines == ("the plan is for 210987654321, these credentials are for 123456789012",)


async def test_a_plan_without_an_account_matches_nothing() -> None:
    reading = await identity(told(), account="")
    assert reading.values["account"] == "123456789012"
    assert "target.account" in reading.unknown["matches"].hint


async def test_an_answer_without_an_account_is_not_a_mismatch() -> None:
    reading = await identity(told(account=""))
    assert {name: u.reason for name, u in reading.unknown.items()} == {
        "account": Reason.NO_DATA,
        "matches": Reason.NO_DATA,
    }
    assert reading.evidence.lines == ()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (
            query_refusal("ExpiredToken", "The security token included in the request is expired", 403),
            Reason.EXPIRED_CREDENTIALS,
        ),
        (query_refusal("InvalidClientTokenId", status=403), Reason.EXPIRED_CREDENTIALS),
        (query_refusal("AccessDenied", status=403), Reason.ACCESS_DENIED),
        (query_refusal("Throttling", "Rate exceeded"), Reason.THROTTLED),
        (NoCredentialsError(), Reason.NO_CREDENTIALS),
        (ConnectTimeoutError(endpoint_url="https://sts"), Reason.TIMEOUT),
    ],
)
async def test_not_knowing_who_we_are(answer: Any, reason: Reason) -> None:
    reading = await identity(answer)
    assert not reading.values
    assert {u.reason for u in reading.unknown.values()} == {reason}
