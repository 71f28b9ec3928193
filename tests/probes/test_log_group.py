"""A log group by its exact name; keeping for ever is an answer, not a number."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from support.aws.modelled import DENIED, NOW, REQUEST_ID, THROTTLED, ModelledAws, paged, refusal

from probes.aws.logs_group import LogGroupParams, LogsGroup
from probes.reading import Reading, Reason

NAME = "/ecs/web"


def group(name: str = NAME, **more: Any) -> dict[str, Any]:
    return {"logGroupName": name, "retentionInDays": 30, "storedBytes": 2048, "metricFilterCount": 1} | more


@pytest.fixture
async def aws() -> AsyncIterator[ModelledAws]:
    modelled = ModelledAws()
    last = int((NOW - timedelta(seconds=30)).timestamp() * 1000)
    modelled.on = {
        "DescribeLogGroups": {"logGroups": [group()]},
        "DescribeLogStreams": {"logStreams": [{"logStreamName": "s", "lastEventTimestamp": last}]},
    }
    yield modelled
    await modelled.clients.close()


async def read(aws: ModelledAws, **on: Any) -> Reading:
    aws.on |= on
    return await LogsGroup(LogGroupParams(log_group=NAME), aws.clients).read(NOW)


async def test_a_group_that_keeps_a_month(aws: ModelledAws) -> None:
    reading = await read(aws)
    assert reading.values == {
        "exists": True,
        "retention_days": 30,
        "never_expires": False,
        "kms": False,
        "stored_bytes": 2048,
        "metric_filters": 1,
        "last_event_age_s": 30.0,
    }
    assert not reading.unknown
    assert reading.evidence.request_id == REQUEST_ID
    assert "log-group" in reading.evidence.console_url


async def test_one_that_keeps_for_ever_has_no_number_of_days(aws: ModelledAws) -> None:
    bare = group()
    del bare["retentionInDays"]
    reading = await read(aws, DescribeLogGroups={"logGroups": [bare]})
    assert reading.values["never_expires"] is True
    assert reading.unknown["retention_days"].reason is Reason.NO_DATA


async def test_a_key_of_ones_own(aws: ModelledAws) -> None:
    keyed = group(kmsKeyId="arn:aws:kms:us-east-1:123456789012:key/x")
    assert (await read(aws, DescribeLogGroups={"logGroups": [keyed]})).values["kms"] is True


async def test_a_name_that_only_begins_alike_is_another_group(aws: ModelledAws) -> None:
    reading = await read(aws, DescribeLogGroups={"logGroups": [group("/ecs/web-old")]})
    assert reading.values == {"exists": False}
    assert {u.reason for u in reading.unknown.values()} == {Reason.NOT_FOUND}
    assert reading.evidence.lines == ("not meant: /ecs/web-old",)


async def test_hundreds_of_names_that_begin_alike_cost_one_call(aws: ModelledAws) -> None:
    alike = [group(f"{NAME}-{number:04d}") for number in range(50)]
    many = paged([{"logGroups": [group(), *alike[:49]]}, {"logGroups": alike}], "nextToken", "nextToken")
    assert (await read(aws, DescribeLogGroups=many)).values["exists"] is True
    assert [operation for operation, _ in aws.asked].count("DescribeLogGroups") == 1


async def test_a_page_without_any_group_is_not_the_end(aws: ModelledAws) -> None:
    two = paged([{"logGroups": []}, {"logGroups": [group()]}], "nextToken", "nextToken")
    assert (await read(aws, DescribeLogGroups=two)).values["exists"] is True


@pytest.mark.parametrize("streams", [[], [{"logStreamName": "s"}]])
async def test_an_empty_group_has_no_last_event(aws: ModelledAws, streams: Any) -> None:
    reading = await read(aws, DescribeLogStreams={"logStreams": streams})
    assert reading.unknown["last_event_age_s"].reason is Reason.NO_DATA
    assert reading.values["retention_days"] == 30


async def test_streams_that_cannot_be_seen_leave_the_rest(aws: ModelledAws) -> None:
    reading = await read(aws, DescribeLogStreams=DENIED)
    assert {name: u.reason for name, u in reading.unknown.items()} == {"last_event_age_s": Reason.ACCESS_DENIED}
    assert "logs:DescribeLogStreams" in reading.unknown["last_event_age_s"].hint


async def test_what_logs_leaves_out_is_unknown(aws: ModelledAws) -> None:
    reading = await read(aws, DescribeLogGroups={"logGroups": [{"logGroupName": NAME, "retentionInDays": 30}]})
    assert set(reading.unknown) == {"stored_bytes", "metric_filters"}


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (DENIED, Reason.ACCESS_DENIED),
        (THROTTLED, Reason.THROTTLED),
        (refusal("ServiceUnavailableException", status=503), Reason.ERROR),
    ],
)
async def test_a_refusal_makes_everything_unknown(aws: ModelledAws, said: Any, reason: Reason) -> None:
    reading = await read(aws, DescribeLogGroups=said)
    assert not reading.values
    assert {u.reason for u in reading.unknown.values()} == {reason}
