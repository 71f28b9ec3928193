"""AWS at its worst, trait by trait: late in halves, short of queries, full of others."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.clock import HandClock

from cockpit.rehearsal.aws.cloudwatch.metric_store import MetricStore, key_of
from cockpit.rehearsal.aws.logs.query_quota import QueryQuota
from cockpit.rehearsal.aws.services.cloudtrail import Trail
from cockpit.rehearsal.aws.wire.protocols import AwsError
from cockpit.rehearsal.aws.wire.routing import Call, HttpRequest, understand
from cockpit.rehearsal.aws_profile import PROFILES, USUAL, WORST
from cockpit.rehearsal.site.telemetry import Telemetry

START = datetime(2026, 11, 23, 22, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SIGNED = "AWS4-HMAC-SHA256 Credential=AKIAX/20261123/us-east-1/cloudtrail/aws4_request"
WORSE = PROFILES[WORST]


class Store:
    """A store at its worst, and a hand on its clock."""

    def __init__(self) -> None:
        self.time = START
        self.store = MetricStore(
            lambda: self.time, timedelta(seconds=WORSE.delivery.earliest_s), delivery=WORSE.delivery
        )

    def put(self, namespace: str, metric: str, values: list[float]) -> None:
        for minute in range(30):
            self.store.put(namespace, metric, {}, START + minute * MINUTE, values)

    def seen(self, namespace: str, metric: str, minute: int) -> list[tuple[int, float]]:
        """(seconds after the minute's end, sum) at each change."""
        found: list[tuple[int, float]] = []
        begin = START + minute * MINUTE
        for age in range(0, 1200, 1):
            self.time = begin + MINUTE + timedelta(seconds=age)
            key = key_of(namespace, metric, {})
            total = self.store.statistics(key, "Sum", 60, begin, begin + MINUTE).get(int(begin.timestamp()), 0.0)
            if total != (found[-1][1] if found else 0.0):
                found.append((age, total))
        return found


def test_a_count_comes_in_two_halves_between_45_and_180_seconds() -> None:
    world = Store()
    world.put("AWS/ApplicationELB", "RequestCount", [30.0])
    moments = [world.seen("AWS/ApplicationELB", "RequestCount", minute) for minute in range(5)]
    for (first, half), (rest, whole) in moments:
        assert (half, whole) == (15.0, 30.0)
        assert 45 <= first < rest <= 180
    assert len({rest for _, (rest, _) in moments}) > 1


def test_counts_and_their_total_do_not_come_at_the_same_moment() -> None:
    world = Store()
    for metric in ("RequestCount", "HTTPCode_Target_5XX_Count"):
        world.put("AWS/ApplicationELB", metric, [30.0])
    total, errors = (world.seen("AWS/ApplicationELB", m, 3) for m in ("RequestCount", "HTTPCode_Target_5XX_Count"))
    assert [at for at, _ in total] != [at for at, _ in errors]


def test_a_gauge_is_never_halved() -> None:
    world = Store()
    world.put("AWS/RDS", "DatabaseConnections", [7.0])
    assert [value for _, value in world.seen("AWS/RDS", "DatabaseConnections", 2)] == [7.0]


def test_request_metrics_of_s3_come_fifteen_minutes_late() -> None:
    world = Store()
    world.put("AWS/S3", "PutRequests", [6.0])
    assert world.seen("AWS/S3", "PutRequests", 1) == [(900, 6.0)]


@pytest.mark.parametrize(("name", "wrong"), [(USUAL, 0.0), (WORST, 6.0)])
def test_s3_counts_errors_of_requests_that_are_no_uploads(name: str, wrong: float) -> None:
    clock, store = HandClock(START), MetricStore(lambda: START + 10 * MINUTE)
    telemetry = Telemetry(clock, store, "app/x/1", "targetgroup/x/1")
    telemetry.bucket_misses = PROFILES[name].bucket_misses
    telemetry.remember(START, [], puts=4, tasks=2)
    telemetry.publish(START + MINUTE)
    sums: dict[str, float] = {}
    for key in store.listed():
        if key[0] == "AWS/S3":
            sums[key[1]] = sum(store.statistics(key, "Sum", 60, START, START + MINUTE).values())
    assert (sums["PutRequests"], sums["4xxErrors"], sums["AllRequests"]) == (4.0, wrong, 4.0 + wrong)


def test_others_take_from_the_quota_of_queries() -> None:
    time = START
    quota = QueryQuota(lambda: time, WORSE)
    admitted = []
    for second in range(120):
        time = START + timedelta(seconds=second)
        admitted.append(sum(_passes(quota) for _ in range(20)))
    assert max(admitted) <= 10
    assert min(admitted) == 0
    assert len(set(admitted)) > 3


def test_on_a_usual_day_there_is_no_end_to_queries() -> None:
    quota = QueryQuota(lambda: START, PROFILES[USUAL])
    assert all(_passes(quota) for _ in range(500))


def _passes(quota: QueryQuota) -> bool:
    try:
        quota.take("StartQuery")
    except AwsError as error:
        return error.code != "ThrottlingException"
    return True


def asking(params: dict[str, Any]) -> Call:
    body = json.dumps(params).encode()
    target = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents"
    headers = {"x-amz-target": target, "content-type": "application/x-amz-json-1.1", "authorization": SIGNED}
    return understand(HttpRequest("POST", "/", "", headers, body))


def test_cloudtrail_holds_hundreds_of_others_newest_first() -> None:
    trail = Trail(lambda: START, "123456789012", "us-east-1", WORSE.trail_after)
    trail.crowd(WORSE.principals, START)
    events: list[dict[str, Any]] = []
    token: dict[str, Any] = {}
    while True:
        answer = trail.lookup_events(asking(token))
        events += answer["Events"]
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}
    assert len({event["Username"] for event in events}) > 200
    times = [event["EventTime"] for event in events]
    assert times == sorted(times, reverse=True)
    assert max(times) <= START - timedelta(minutes=15)
