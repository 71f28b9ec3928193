"""Many criteria, few calls: what is shared, what is kept apart, and who hears of a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from probes.clients.metric_batch import MetricBatch
from probes.clients.metrics import MetricQuery
from probes.reading import Reason, Unknown, Unseen

T0 = datetime(2026, 11, 23, 22, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
Answer = Callable[[dict[str, Any]], dict[str, Any]]


def query(metric: str = "RequestCount", stat: str = "Sum", period_s: int = 60) -> MetricQuery:
    return MetricQuery("AWS/ApplicationELB", metric, (("LoadBalancer", "app/a/1"),), stat, period_s)


def result(query_id: str, *minutes: int, status: str = "Complete", **more: Any) -> dict[str, Any]:
    """One point per minute after T0, whose value is the minute."""
    stamps = [T0 + MINUTE * minute for minute in minutes]
    return {"Id": query_id, "Timestamps": stamps, "Values": [float(m) for m in minutes], "StatusCode": status} | more


class CloudWatch:
    """Answers GetMetricData with a function, and keeps what was asked."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.asked: list[dict[str, Any]] = []

    async def __call__(self, service: str, operation: str, /, **params: Any) -> dict[str, Any]:
        assert (service, operation) == ("cloudwatch", "get_metric_data")
        self.asked.append(params)
        await asyncio.sleep(0)
        return self._answer(params)


def everything(params: dict[str, Any]) -> dict[str, Any]:
    minutes = range(int((params["EndTime"] - T0) / MINUTE))
    return {"MetricDataResults": [result(q["Id"], *minutes) for q in params["MetricDataQueries"]]}


def values(series: Any) -> list[float]:
    return [value for _, value in series.points]


async def test_requests_of_one_moment_share_one_call_and_equal_queries_are_asked_once() -> None:
    aws = CloudWatch(everything)
    batch = MetricBatch(aws)
    one, two = await asyncio.gather(
        batch.fetch([query("A"), query("B")], T0, T0 + 5 * MINUTE), batch.fetch([query("B")], T0, T0 + 5 * MINUTE)
    )
    assert len(aws.asked) == 1
    assert len(aws.asked[0]["MetricDataQueries"]) == 2
    assert one[1] == two[0]


async def test_the_question_is_of_the_real_shape() -> None:
    aws = CloudWatch(everything)
    await MetricBatch(aws).fetch([query(stat="p95")], T0, T0 + MINUTE)
    assert aws.asked[0] == {
        "MetricDataQueries": [
            {
                "Id": "q0",
                "MetricStat": {
                    "Metric": {
                        "Namespace": "AWS/ApplicationELB",
                        "MetricName": "RequestCount",
                        "Dimensions": [{"Name": "LoadBalancer", "Value": "app/a/1"}],
                    },
                    "Period": 60,
                    "Stat": "p95",
                },
                "ReturnData": True,
            }
        ],
        "StartTime": T0,
        "EndTime": T0 + MINUTE,
        "ScanBy": "TimestampAscending",
    }


async def test_the_call_covers_the_union_of_windows_and_each_caller_gets_its_own_slice() -> None:
    aws = CloudWatch(everything)
    batch = MetricBatch(aws)
    early, late = await asyncio.gather(
        batch.fetch([query()], T0, T0 + 3 * MINUTE), batch.fetch([query()], T0 + 4 * MINUTE, T0 + 8 * MINUTE)
    )
    assert (aws.asked[0]["StartTime"], aws.asked[0]["EndTime"]) == (T0, T0 + 8 * MINUTE)
    assert values(early[0]) == [0, 1, 2]
    assert values(late[0]) == [4, 5, 6, 7]


async def test_the_window_begins_where_every_period_begins() -> None:
    aws = CloudWatch(everything)
    batch = MetricBatch(aws)
    start = T0 + 7 * MINUTE
    await asyncio.gather(
        batch.fetch([query()], start, T0 + 9 * MINUTE), batch.fetch([query(period_s=300)], start, T0 + 9 * MINUTE)
    )
    assert aws.asked[0]["StartTime"] == T0 + 5 * MINUTE


async def test_no_more_than_500_queries_go_into_one_call() -> None:
    aws = CloudWatch(everything)
    series = await MetricBatch(aws).fetch([query(f"M{n}") for n in range(501)], T0, T0 + MINUTE)
    assert sorted(len(asked["MetricDataQueries"]) for asked in aws.asked) == [1, 500]
    assert all(values(one) == [0] for one in series)


async def test_pages_are_followed_and_the_last_status_counts() -> None:
    def paged(params: dict[str, Any]) -> dict[str, Any]:
        if "NextToken" not in params:
            return {"MetricDataResults": [result("q0", 0, 1, status="PartialData")], "NextToken": "more"}
        return {"MetricDataResults": [result("q0", 2)]}

    (series,) = await MetricBatch(CloudWatch(paged)).fetch([query()], T0, T0 + 9 * MINUTE)
    assert (values(series), series.complete) == ([0, 1, 2], True)


async def test_pages_without_end_are_given_up() -> None:
    aws = CloudWatch(lambda _: {"MetricDataResults": [result("q0", 0)], "NextToken": "again"})
    with pytest.raises(Unseen) as raised:
        await MetricBatch(aws).fetch([query()], T0, T0 + MINUTE)
    assert raised.value.unknown.reason is Reason.PARTIAL


@pytest.mark.parametrize(
    "answer",
    [
        {"MetricDataResults": [result("q0", 0, status="PartialData")]},
        {"MetricDataResults": [result("q0", 0, Messages=[{"Code": "x", "Value": "cut short"}])]},
        {"MetricDataResults": [result("q0", 0)], "Messages": [{"Code": "x", "Value": "cut short"}]},
    ],
)
async def test_an_answer_said_to_be_partial_is_not_complete(answer: dict[str, Any]) -> None:
    (series,) = await MetricBatch(CloudWatch(lambda _: answer)).fetch([query()], T0, T0 + MINUTE)
    assert (values(series), series.complete) == ([0], False)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"MetricDataResults": [result("q0", status="Forbidden")]}, Reason.ACCESS_DENIED),
        ({"MetricDataResults": [result("q0", status="InternalError")]}, Reason.ERROR),
        ({"MetricDataResults": []}, Reason.PARTIAL),
    ],
)
async def test_a_query_not_answered_says_why(answer: dict[str, Any], reason: Reason) -> None:
    with pytest.raises(Unseen) as raised:
        await MetricBatch(CloudWatch(lambda _: answer)).fetch([query()], T0, T0 + MINUTE)
    assert raised.value.unknown.reason is reason


async def test_a_forbidden_query_does_not_blind_the_other_caller() -> None:
    answer = {"MetricDataResults": [result("q0", status="Forbidden"), result("q1", 0)]}
    batch = MetricBatch(CloudWatch(lambda _: answer))
    denied, seen = await asyncio.gather(
        batch.fetch([query("A")], T0, T0 + MINUTE), batch.fetch([query("B")], T0, T0 + MINUTE), return_exceptions=True
    )
    assert isinstance(denied, Unseen)
    assert not isinstance(seen, BaseException)
    assert values(seen[0]) == [0]


async def test_nan_from_cloudwatch_is_no_point() -> None:
    answer = {"MetricDataResults": [result("q0", 0) | {"Values": [float("nan")]}]}
    (series,) = await MetricBatch(CloudWatch(lambda _: answer)).fetch([query()], T0, T0 + MINUTE)
    assert series.points == ()


async def test_a_failure_reaches_every_caller_that_waits() -> None:
    def throttled(_: dict[str, Any]) -> dict[str, Any]:
        raise Unseen(Unknown(Reason.THROTTLED, "rate exceeded"))

    aws = CloudWatch(throttled)
    batch = MetricBatch(aws)
    calls = [batch.fetch([query(name)], T0, T0 + MINUTE) for name in "ABC"]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [a.unknown.reason for a in answers if isinstance(a, Unseen)] == [Reason.THROTTLED] * 3
    assert len(aws.asked) == 1


async def test_one_malformed_query_does_not_blind_the_others() -> None:
    def picky(params: dict[str, Any]) -> dict[str, Any]:
        if any(q["MetricStat"]["Stat"] == "p123" for q in params["MetricDataQueries"]):
            raise Unseen(Unknown(Reason.ERROR, "cloudwatch get_metric_data: ValidationError: stat p123 is not valid"))
        return everything(params)

    batch = MetricBatch(CloudWatch(picky))
    bad, good = await asyncio.gather(
        batch.fetch([query(stat="p123")], T0, T0 + MINUTE),
        batch.fetch([query()], T0, T0 + MINUTE),
        return_exceptions=True,
    )
    assert isinstance(bad, Unseen)
    assert not isinstance(good, BaseException)
    assert values(good[0]) == [0]


async def test_a_caller_that_gives_up_does_not_disturb_the_others() -> None:
    batch = MetricBatch(CloudWatch(everything))
    gone = asyncio.create_task(batch.fetch([query("A")], T0, T0 + MINUTE))
    stays = asyncio.create_task(batch.fetch([query("B")], T0, T0 + MINUTE))
    await asyncio.sleep(0)
    gone.cancel()
    assert values((await stays)[0]) == [0]


async def test_requests_that_come_later_make_a_call_of_their_own() -> None:
    aws = CloudWatch(everything)
    batch = MetricBatch(aws, gather_s=0)
    await batch.fetch([query()], T0, T0 + MINUTE)
    await batch.fetch([query()], T0, T0 + MINUTE)
    assert len(aws.asked) == 2


async def test_closing_tells_whoever_still_waits() -> None:
    asked = asyncio.Event()

    async def never(service: str, operation: str, /, **params: Any) -> dict[str, Any]:
        asked.set()
        await asyncio.Event().wait()
        return {}

    batch = MetricBatch(never, gather_s=0)
    waits = asyncio.create_task(batch.fetch([query()], T0, T0 + MINUTE))
    await asked.wait()
    await batch.close()
    with pytest.raises(Unseen):
        await waits
    with pytest.raises(Unseen):
        await batch.fetch([query()], T0, T0 + MINUTE)
