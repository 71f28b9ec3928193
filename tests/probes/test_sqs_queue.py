"""An SQS queue: what waits in it, how old it is, and what was given up."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from support.aws.modelled import DENIED, NOW, ModelledAws, refusal

from probes.aws.sqs_queue import SqsQueue, SqsQueueParams
from probes.reading import Reading, Reason

FINAL = datetime(2026, 11, 23, 22, 26, tzinfo=UTC)
POINTS = {"ApproximateAgeOfOldestMessage": 4.0, "NumberOfMessagesSent": 340.0, "NumberOfMessagesDeleted": 338.0}
ATTRIBUTES = {
    "ApproximateNumberOfMessages": "12",
    "ApproximateNumberOfMessagesNotVisible": "3",
    "ApproximateNumberOfMessagesDelayed": "0",
    "VisibilityTimeout": "30",
    "SqsManagedSseEnabled": "true",
    "RedrivePolicy": '{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:jobs-dead","maxReceiveCount":"5"}',
}
METRICS = {"oldest_age_s", "sent_per_min", "deleted_per_min"}


def metrics(points: dict[str, float]) -> Any:
    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        results = []
        for query in asked["MetricDataQueries"]:
            metric = query["MetricStat"]["Metric"]
            assert metric["Dimensions"] == [{"Name": "QueueName", "Value": "jobs"}]
            value = points.get(metric["MetricName"])
            series = (
                {"Timestamps": [FINAL], "Values": [value]} if value is not None else {"Timestamps": [], "Values": []}
            )
            results.append({"Id": query["Id"], "StatusCode": "Complete"} | series)
        return {"MetricDataResults": results}

    return answer


def url(asked: dict[str, Any]) -> dict[str, Any]:
    return {"QueueUrl": f"https://sqs.us-east-1.amazonaws.com/123456789012/{asked['QueueName']}"}


def attributes(asked: dict[str, Any]) -> dict[str, Any]:
    dead = asked["QueueUrl"].endswith("jobs-dead")
    return {"Attributes": {"ApproximateNumberOfMessages": "2"} if dead else ATTRIBUTES}


async def read(queue: str = "jobs", dead: str | None = None, **on: Any) -> Reading:
    aws = ModelledAws()
    aws.on |= {"GetQueueUrl": url, "GetQueueAttributes": attributes, "GetMetricData": metrics(POINTS)} | on
    params = SqsQueueParams(queue=queue, dead_letter_queue=dead)
    try:
        return await SqsQueue(params, aws.clients).read(NOW)
    finally:
        await aws.clients.close()


@pytest.mark.parametrize(
    "name",
    ["jobs", "arn:aws:sqs:us-east-1:123456789012:jobs", "https://sqs.us-east-1.amazonaws.com/123456789012/jobs"],
)
async def test_a_queue_by_any_of_its_names(name: str) -> None:
    reading = await read(name, "jobs-dead")
    assert reading.values == {
        "waiting": 12,
        "in_flight": 3,
        "delayed": 0,
        "oldest_age_s": 4.0,
        "sent_per_min": 340,
        "deleted_per_min": 338,
        "has_dead_letter_queue": True,
        "max_receives": 5,
        "dead_letters": 2,
        "encrypted": True,
        "visibility_timeout_s": 30,
    }


async def test_a_dead_letter_queue_nobody_names_is_not_counted() -> None:
    assert "dead_letter_queue" in (await read()).unknown["dead_letters"].hint


async def test_an_answer_without_counts_is_no_empty_queue() -> None:
    reading = await read(GetQueueAttributes={"Attributes": {"RedrivePolicy": "not JSON"}})
    assert reading.unknown["waiting"].reason is Reason.NO_DATA
    assert reading.unknown["encrypted"].reason is Reason.NO_DATA
    for name in ("has_dead_letter_queue", "max_receives"):
        assert (reading.unknown[name].reason, "redrive" in reading.unknown[name].detail) == (Reason.ERROR, True)


async def test_an_empty_answer_says_nothing_of_the_queue() -> None:
    reading = await read(GetQueueAttributes={"Attributes": {}})
    assert set(reading.values) == METRICS
    plain = (await read(GetQueueAttributes={"Attributes": {"SqsManagedSseEnabled": "false"}})).values
    assert (plain["has_dead_letter_queue"], plain["encrypted"]) == (False, False)


async def test_a_queue_nobody_uses_has_no_age() -> None:
    reading = await read(GetMetricData=metrics({}))
    assert {reading.unknown[name].reason for name in METRICS} == {Reason.NO_DATA}
    assert reading.values["waiting"] == 12


async def test_a_call_that_is_refused_blinds_its_own_fields_alone() -> None:
    reading = await read(dead="jobs-dead", GetMetricData=DENIED)
    assert set(reading.unknown) == METRICS
    reading = await read(dead="jobs-dead", GetQueueAttributes=DENIED)
    assert set(reading.values) == METRICS
    assert reading.unknown["waiting"].hint == "allow sqs:GetQueueAttributes, then press r"


async def test_a_queue_that_is_not_there_is_not_found() -> None:
    reading = await read(GetQueueUrl=refusal("AWS.SimpleQueueService.NonExistentQueue"))
    assert {(u.reason, "queue jobs" in u.detail) for u in reading.unknown.values()} == {(Reason.NOT_FOUND, True)}


def test_its_policy_names_the_queues_of_the_plan() -> None:
    probe = SqsQueue(SqsQueueParams(queue="jobs", dead_letter_queue="jobs-dead"), ModelledAws().clients)
    arns = tuple(f"arn:aws:sqs:us-east-1:123456789012:{name}" for name in ("jobs", "jobs-dead"))
    assert probe.resources() == {"sqs:GetQueueUrl": arns, "sqs:GetQueueAttributes": arns}
