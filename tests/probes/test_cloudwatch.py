"""Metrics: a sample per closed period, and never a number where there was none."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from support.aws.queued import MINUTE, NOW, StubbedAws

from probes.aws.cloudwatch import (
    CloudWatchMetric,
    CloudWatchMetricParams,
    CloudWatchPercentile,
    CloudWatchPercentileParams,
    CloudWatchRatio,
    CloudWatchRatioParams,
)
from probes.low_volume import bounds
from probes.reading import Reading, Reason

ALB = "app/transparent-trust-alb/50dc6c495c0c9188"
LAST_CLOSED = NOW.replace(second=0) - 2 * MINUTE
"""22:28: at 22:30:20 the period ending 22:29 has not settled for two minutes."""


@pytest.fixture
async def aws() -> AsyncIterator[StubbedAws]:
    stubbed = StubbedAws()
    yield stubbed
    await stubbed.clients.close()


def metric(aws: StubbedAws, **params: Any) -> CloudWatchMetric:
    given = {
        "namespace": "AWS/RDS",
        "metric": "DatabaseConnections",
        "stat": "Maximum",
        "lookback": 3,
        "settle": "2m",
    } | params
    return CloudWatchMetric(CloudWatchMetricParams.model_validate(given), aws.clients)


def ratio(aws: StubbedAws, **params: Any) -> CloudWatchRatio:
    parts = ["HTTPCode_Target_5XX_Count", "HTTPCode_ELB_5XX_Count"]
    given = {"load_balancer": ALB, "part": parts, "total": "RequestCount", "min_total": 50, "lookback": 3}
    given |= {"settle": "2m"} | params
    return CloudWatchRatio(CloudWatchRatioParams.model_validate(given), aws.clients)


def percentile(aws: StubbedAws, **params: Any) -> CloudWatchPercentile:
    given = {"load_balancer": ALB, "metric": "TargetResponseTime", "p": 95, "lookback": 3, "settle": "2m"} | params
    return CloudWatchPercentile(CloudWatchPercentileParams.model_validate(given), aws.clients)


def only_reason(reading: Reading) -> Reason:
    (reason,) = {unknown.reason for unknown in reading.unknown.values()}
    assert not reading.values
    return reason


# -- one metric --------------------------------------------------------------------------------------------------------


async def test_the_newest_closed_period_is_the_reading_and_older_ones_come_along(aws: StubbedAws) -> None:
    aws.metrics([1, 2, 3])
    reading = await metric(aws).read(NOW)
    assert (reading.values, reading.data_at) == ({"value": 3.0, "points": 3}, LAST_CLOSED)
    assert [(r.data_at, r.values["value"]) for r in reading.earlier] == [
        (LAST_CLOSED - 2 * MINUTE, 1.0),
        (LAST_CLOSED - MINUTE, 2.0),
    ]


async def test_a_period_that_has_not_settled_does_not_count(aws: StubbedAws) -> None:
    aws.metrics([1, 2, 99], end=NOW - MINUTE)
    reading = await metric(aws).read(NOW)
    assert (reading.data_at, reading.values["value"]) == (LAST_CLOSED, 2.0)


async def test_only_closed_periods_are_asked_for(aws: StubbedAws) -> None:
    aws.metrics([1])
    await metric(aws, dimensions={"DBInstanceIdentifier": "db"}).read(NOW)
    ((operation, asked),) = aws.asked
    assert operation == "GetMetricData"
    # Those that have not settled are asked for too: what changes of them measures how late the metric is.
    assert (asked["StartTime"], asked["EndTime"]) == (LAST_CLOSED - 5 * MINUTE, NOW.replace(second=0))


async def test_an_old_point_keeps_its_old_time(aws: StubbedAws) -> None:
    aws.metrics([7, None, None])
    reading = await metric(aws).read(NOW)
    assert (reading.values["value"], reading.data_at) == (7.0, LAST_CLOSED - 2 * MINUTE)


async def test_two_polls_of_one_period_are_the_same_sample(aws: StubbedAws) -> None:
    aws.metrics([1, 2, 3])
    aws.metrics([1, 2, 3])
    probe = metric(aws)
    first, second = await probe.read(NOW), await probe.read(NOW + timedelta(seconds=30))
    assert (first.data_at, first.values) == (second.data_at, second.values)


async def test_scale_turns_seconds_into_milliseconds(aws: StubbedAws) -> None:
    aws.metrics([0.25])
    assert (await metric(aws, scale=1000).read(NOW)).values["value"] == 250.0


async def test_no_point_at_all_is_no_data_with_a_hint_and_never_zero(aws: StubbedAws) -> None:
    aws.metrics([])
    reading = await metric(aws).read(NOW)
    assert only_reason(reading) is Reason.NO_DATA
    assert "dimension" in reading.unknown["value"].hint


async def test_an_answer_cut_short_with_nothing_in_it_is_partial(aws: StubbedAws) -> None:
    aws.metrics([], StatusCode="PartialData")
    assert only_reason(await metric(aws).read(NOW)) is Reason.PARTIAL


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("AccessDenied", Reason.ACCESS_DENIED),
        ("ThrottlingException", Reason.THROTTLED),
        ("ExpiredToken", Reason.EXPIRED_CREDENTIALS),
        ("InternalServiceFault", Reason.ERROR),
    ],
)
async def test_a_refusal_makes_everything_unknown(aws: StubbedAws, code: str, reason: Reason) -> None:
    aws.refuses("cloudwatch", "get_metric_data", code)
    reading = await metric(aws).read(NOW)
    assert only_reason(reading) is reason


async def test_a_missing_permission_is_named(aws: StubbedAws) -> None:
    aws.refuses("cloudwatch", "get_metric_data", "AccessDenied", "not authorized")
    assert "cloudwatch:GetMetricData" in (await metric(aws).read(NOW)).unknown["value"].hint


async def test_evidence_tells_how_to_look_again(aws: StubbedAws) -> None:
    aws.metrics([5])
    evidence = (await metric(aws, dimensions={"DBInstanceIdentifier": "a/b"}).read(NOW)).evidence
    assert "AWS/RDS DatabaseConnections Maximum 60s {DBInstanceIdentifier=a/b}" in evidence.query
    assert evidence.console_url.startswith("https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1#")
    assert "a*2fb" in evidence.console_url
    assert evidence.lines[0] == "until 22:28  DatabaseConnections Maximum 5"


LIVE = {"zero_when": {"metric": "CPUUtilization", "stat": "SampleCount"}}


async def test_absent_means_zero_only_where_the_liveness_metric_is_present(aws: StubbedAws) -> None:
    aws.metrics([4, None, None], [100, None, 90])
    reading = await metric(aws, absent=LIVE).read(NOW)
    told = {r.data_at: r.values["value"] for r in (*reading.earlier, reading)}
    assert told == {LAST_CLOSED - 2 * MINUTE: 4.0, LAST_CLOSED: 0.0}


async def test_absent_is_not_zero_when_the_answer_was_cut_short(aws: StubbedAws) -> None:
    aws.metrics([None, None], [100, 90], StatusCode="PartialData")
    assert only_reason(await metric(aws, absent=LIVE).read(NOW)) is Reason.PARTIAL


async def test_absent_is_not_zero_when_liveness_is_absent_too(aws: StubbedAws) -> None:
    aws.metrics([], [])
    assert only_reason(await metric(aws, absent=LIVE).read(NOW)) is Reason.NO_DATA


# -- a ratio -----------------------------------------------------------------------------------------------------------


async def test_rate_is_part_of_total(aws: StubbedAws) -> None:
    aws.metrics([100, 200], [None, 9], [None, 1])
    reading = await ratio(aws).read(NOW)
    assert reading.values == {"rate": 0.05, "part": 10.0, "total": 200.0}
    assert [r.values["rate"] for r in reading.earlier] == [0.0]


async def test_the_load_balancer_is_the_dimension(aws: StubbedAws) -> None:
    aws.metrics([100], [], [])
    arn = f"arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/{ALB}"
    await ratio(aws, load_balancer=arn).read(NOW)
    metrics = [q["MetricStat"]["Metric"] for q in aws.asked[0][1]["MetricDataQueries"]]
    assert [m["MetricName"] for m in metrics] == ["RequestCount", "HTTPCode_Target_5XX_Count", "HTTPCode_ELB_5XX_Count"]
    assert all(m["Namespace"] == "AWS/ApplicationELB" for m in metrics)
    assert all(m["Dimensions"] == [{"Name": "LoadBalancer", "Value": ALB}] for m in metrics)


async def test_no_errors_without_a_total_is_no_data_and_not_zero(aws: StubbedAws) -> None:
    aws.metrics([], [], [])
    reading = await ratio(aws).read(NOW)
    assert only_reason(reading) is Reason.NO_DATA
    assert "RequestCount" in reading.unknown["rate"].hint


async def test_requests_refused_for_want_of_a_target_are_seen_though_request_count_is_silent(aws: StubbedAws) -> None:
    aws.metrics([None], [None], [80])
    assert (await ratio(aws).read(NOW)).values == {"rate": 1.0, "part": 80.0, "total": 80.0}


async def test_low_volume_hides_the_rate_and_only_the_rate(aws: StubbedAws) -> None:
    aws.metrics([49], [49], [])
    reading = await ratio(aws).read(NOW)
    assert reading.values == {"part": 49.0, "total": 49.0}
    assert reading.unknown["rate"].reason is Reason.LOW_VOLUME
    assert reading.unknown["rate"].detail.startswith("49 of 50 requests; 49 of 49 is ")


async def test_few_requests_that_all_fail_say_what_they_prove(aws: StubbedAws) -> None:
    aws.metrics([8], [8], [])
    why = (await ratio(aws).read(NOW)).unknown["rate"]
    assert why.detail == "8 of 50 requests; 8 of 8 is 38.7% to 100.0%, at 99.9% confidence"
    assert why.bounds == bounds(8, 8)


async def test_what_monitors_ask_for_is_no_traffic_of_users(aws: StubbedAws) -> None:
    aws.metrics([64, 54, 4], [5, None, None], [])
    reading = await ratio(aws, monitors_per_min=4).read(NOW)
    first, second = reading.earlier
    assert (first.values["total"], first.values["rate"]) == (60.0, 5 / 60)
    assert (second.values["total"], second.values["rate"]) == (50.0, 0.0)
    assert (reading.values["total"], reading.unknown["rate"].detail) == (0.0, "0 of 50 requests")


async def test_what_failed_is_never_taken_off_with_the_monitors(aws: StubbedAws) -> None:
    aws.metrics([60, 60], [58, 58], [])
    reading = await ratio(aws, monitors_per_min=4, window="2m").read(NOW)
    assert (reading.values["part"], reading.values["total"]) == (116.0, 116.0)


async def test_a_sum_of_what_is_no_count_has_no_bounds(aws: StubbedAws) -> None:
    aws.metrics([8.5], [2.5], [])
    why = (await ratio(aws).read(NOW)).unknown["rate"]
    assert (why.detail, why.bounds) == ("8.5 of 50 requests", None)


async def test_nothing_divided_by_nothing_is_low_volume(aws: StubbedAws) -> None:
    aws.metrics([0], [], [])
    reading = await ratio(aws, min_total=0).read(NOW)
    assert reading.unknown["rate"].reason is Reason.LOW_VOLUME


async def test_a_window_sums_its_periods(aws: StubbedAws) -> None:
    aws.metrics([100, 100, 100, 100], [1, 2, 3, None], [])
    reading = await ratio(aws, window="2m").read(NOW)
    assert [r.values["part"] for r in (*reading.earlier, reading)] == [3.0, 5.0, 3.0]
    assert reading.values["total"] == 200.0


async def test_a_window_with_a_hole_gives_no_sample(aws: StubbedAws) -> None:
    aws.metrics([100, 100, None, 100], [], [])
    reading = await ratio(aws, window="2m", lookback=4).read(NOW)
    assert (reading.data_at, reading.earlier) == (LAST_CLOSED - 2 * MINUTE, ())


async def test_parts_cut_short_are_not_zero(aws: StubbedAws) -> None:
    aws.metrics([100], [], [], StatusCode="PartialData")
    assert only_reason(await ratio(aws).read(NOW)) is Reason.PARTIAL


async def test_a_refusal_makes_the_ratio_unknown(aws: StubbedAws) -> None:
    aws.refuses("cloudwatch", "get_metric_data", "AccessDenied")
    assert only_reason(await ratio(aws).read(NOW)) is Reason.ACCESS_DENIED


# -- a percentile ------------------------------------------------------------------------------------------------------


async def test_a_percentile_with_the_samples_behind_it(aws: StubbedAws) -> None:
    aws.metrics([0.4, 0.5], [250, 200])
    reading = await percentile(aws, scale=1000).read(NOW)
    assert reading.values == {"value": 500.0, "samples": 200}
    stats = [q["MetricStat"]["Stat"] for q in aws.asked[0][1]["MetricDataQueries"]]
    assert stats == ["p95", "SampleCount"]


async def test_a_percentile_of_too_few_samples_is_low_volume(aws: StubbedAws) -> None:
    aws.metrics([0.4], [199])
    reading = await percentile(aws).read(NOW)
    assert reading.values == {"samples": 199}
    assert reading.unknown["value"].reason is Reason.LOW_VOLUME
    assert reading.unknown["value"].detail == "199 of 200 samples for a p95"


async def test_what_monitors_ask_for_is_no_sample_of_users(aws: StubbedAws) -> None:
    aws.metrics([0.2], [22])
    reading = await percentile(aws, min_samples=20, monitors_per_min=4).read(NOW)
    assert reading.values["samples"] == 18
    assert reading.unknown["value"].detail == "18 of 20 samples for a p95"


async def test_a_percentile_without_its_sample_count_is_not_believed(aws: StubbedAws) -> None:
    aws.metrics([0.4], [])
    assert only_reason(await percentile(aws).read(NOW)) is Reason.NO_DATA


@pytest.mark.parametrize(("p", "needed"), [(95, 200), (99, 1000), (99.9, 10000), (50, 20)])
def test_samples_needed_are_cloudwatchs_own_rule(p: float, needed: int) -> None:
    assert CloudWatchPercentileParams(namespace="n", metric="m", p=p).needed == needed


async def test_a_five_minute_period_is_five_minutes(aws: StubbedAws) -> None:
    aws.metrics([0.4] * 9, [300] * 9, end=NOW - timedelta(minutes=5))
    probe = percentile(aws, period="5m")
    assert probe.period == timedelta(minutes=5)
    await probe.read(NOW)
    assert aws.asked[0][1]["EndTime"] == NOW.replace(minute=30, second=0)
    assert {query["MetricStat"]["Period"] for query in aws.asked[0][1]["MetricDataQueries"]} == {300}
    assert aws.asked[0][1]["MetricDataQueries"][0]["MetricStat"]["Period"] == 300


# -- parameters --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"metric": "m", "stat": "Sum"},
        {"namespace": "n", "load_balancer": ALB, "metric": "m", "stat": "Sum"},
        {"load_balancer": "transparent-trust-alb", "metric": "m", "stat": "Sum"},
        {"namespace": "n", "metric": "m", "stat": "p123"},
        {"namespace": "n", "metric": "m", "stat": "Mean"},
        {"namespace": "n", "metric": "m", "stat": "Sum", "period": "90s"},
        {"namespace": "n", "metric": "m", "stat": "Sum", "period": 60},
        {"namespace": "n", "metric": "m", "stat": "Sum", "dimension": {}},
        {"namespace": "n", "metric": "m", "stat": "Sum", "absent": "zero"},
    ],
)
def test_parameters_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CloudWatchMetricParams.model_validate(wrong)


def test_a_window_is_whole_periods() -> None:
    with pytest.raises(ValidationError, match="whole number of periods"):
        CloudWatchRatioParams.model_validate({"namespace": "n", "part": ["a"], "total": "b", "window": "90s"})


# -- names that do not exist ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"part": ["HTTPCode_Target_5xx_Count"]}, "did you mean 'HTTPCode_Target_5XX_Count'?"),
        ({"part": ["HTTPCode_ELB_5XX"]}, "did you mean 'HTTPCode_ELB_5XX_Count'?"),
        ({"total": "Requests"}, "no metric 'Requests'"),
        ({"target_group": "targetgroup/web/73e2d6bc24d8a067"}, "not by LoadBalancer + TargetGroup"),
        ({"load_balancer": "", "namespace": "AWS/ApplicationElb"}, "did you mean 'AWS/ApplicationELB'?"),
    ],
)
def test_a_name_that_aws_never_publishes_is_refused_at_load(given: dict[str, Any], words: str) -> None:
    params = {"load_balancer": ALB, "part": ["HTTPCode_ELB_5XX_Count"], "total": "RequestCount"} | given
    with pytest.raises(ValidationError, match=re.escape(words)):
        CloudWatchRatioParams.model_validate(params)


def test_all_wrong_names_of_a_probe_are_told_at_once() -> None:
    with pytest.raises(ValidationError) as refused:
        CloudWatchRatioParams(load_balancer=ALB, part=["HTTPCode_Target_5xx_Count"], total="RequestCnt")
    assert "HTTPCode_Target_5XX_Count" in str(refused.value)
    assert "RequestCount" in str(refused.value)


def test_a_name_newer_than_the_table_can_be_given_on_purpose() -> None:
    given = CloudWatchRatioParams(load_balancer=ALB, part=["NewIn2027Count"], total="RequestCount", unlisted=True)
    assert [query.metric for query in given.named()] == ["RequestCount", "NewIn2027Count"]


OWN = {
    "load_balancer": "",
    "namespace": "Orders",
    "dimensions": {"Service": "api"},
    "part": ["Failed"],
    "total": "Placed",
}


async def test_a_count_of_ones_own_that_was_never_seen_is_not_zero(aws: StubbedAws) -> None:
    """A misspelt name and a failure that never happened look the same in GetMetricData."""
    aws.metrics([100, 200], [])
    aws.answers("cloudwatch", "list_metrics", {"Metrics": []})
    reading = await ratio(aws, **OWN).read(NOW)
    assert only_reason(reading) is Reason.NO_DATA
    assert "no Failed" in reading.unknown["rate"].detail
    assert "publish a 0" in reading.unknown["rate"].hint


async def test_a_series_of_other_dimensions_proves_nothing(aws: StubbedAws) -> None:
    aws.metrics([100], [])
    finer = [{"Name": "Service", "Value": "api"}, {"Name": "Zone", "Value": "a"}]
    listed = [{"Namespace": "Orders", "MetricName": "Failed", "Dimensions": finer}]
    aws.answers("cloudwatch", "list_metrics", {"Metrics": listed})
    assert only_reason(await ratio(aws, **OWN).read(NOW)) is Reason.NO_DATA


async def test_once_listed_or_seen_its_absence_is_zero(aws: StubbedAws) -> None:
    probe = ratio(aws, **OWN)
    listed = [{"Namespace": "Orders", "MetricName": "Failed", "Dimensions": [{"Name": "Service", "Value": "api"}]}]
    aws.metrics([100], [])
    aws.answers("cloudwatch", "list_metrics", {"Metrics": listed})
    assert (await probe.read(NOW)).values["rate"] == 0.0
    aws.metrics([100], [])
    assert (await probe.read(NOW)).values["rate"] == 0.0, "and it is not asked again"
    seen = ratio(aws, **OWN)
    aws.metrics([100, 100], [3, None])
    assert (await seen.read(NOW)).values["rate"] == 0.0
    aws.done()


async def test_a_list_that_may_not_be_read_is_no_proof(aws: StubbedAws) -> None:
    aws.metrics([100], [])
    aws.refuses("cloudwatch", "list_metrics", "AccessDenied", "not authorized")
    reading = await ratio(aws, **OWN).read(NOW)
    assert only_reason(reading) is Reason.ACCESS_DENIED
    assert "cloudwatch:ListMetrics" in reading.unknown["rate"].hint
