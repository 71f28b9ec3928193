"""AWS at its worst, trait by trait: late in halves, short of queries, full of others."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.clock import HandClock

from cockpit.rehearsal.aws.cloudwatch.alarms import AlarmBook
from cockpit.rehearsal.aws.cloudwatch.composite_alarms import CompositeAlarms
from cockpit.rehearsal.aws.cloudwatch.metric_store import MetricStore, key_of
from cockpit.rehearsal.aws.ecs import shapes
from cockpit.rehearsal.aws.ecs.task import Container, Task
from cockpit.rehearsal.aws.logs.query_quota import QueryQuota
from cockpit.rehearsal.aws.services.cloudtrail import Trail
from cockpit.rehearsal.aws.wire.protocols import AwsError
from cockpit.rehearsal.aws.wire.routing import Call, HttpRequest, understand
from cockpit.rehearsal.aws_profile import GUARDDUTY, PROFILES, SERVICE_CONNECT, USUAL, WORST
from cockpit.rehearsal.site.telemetry import Telemetry
from probes.aws.image_names import own

START = datetime(2026, 11, 23, 22, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SIGNED = "AWS4-HMAC-SHA256 Credential=AKIAX/20261123/us-east-1/cloudtrail/aws4_request"
WORSE = PROFILES[WORST]


METRIC_ALARM: dict[str, Any] = {
    "Namespace": "N",
    "MetricName": "m",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 1.0,
    "ComparisonOperator": "GreaterThanThreshold",
}


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
    world.put("AWS/ElastiCache", "CurrConnections", [7.0])
    assert [value for _, value in world.seen("AWS/ElastiCache", "CurrConnections", 2)] == [7.0]


def test_of_some_namespaces_there_is_one_point_in_five_minutes_and_it_comes_after_they_have_ended() -> None:
    world = Store()
    world.put("AWS/RDS", "DatabaseConnections", [7.0])
    key, until = key_of("AWS/RDS", "DatabaseConnections", {}), START + 10 * MINUTE
    world.time = START + 5 * MINUTE + timedelta(seconds=44)
    assert world.store.statistics(key, "Maximum", 60, START, until) == {}
    world.time = START + 8 * MINUTE
    assert world.store.statistics(key, "Maximum", 60, START, until) == {START.timestamp(): 7.0}
    assert world.store.statistics(key, "SampleCount", 300, START, until) == {START.timestamp(): 5.0}


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


def test_cloudtrail_finds_what_was_ninety_days_ago_and_nothing_before() -> None:
    trail = Trail(lambda: START, "123456789012", "us-east-1", WORSE.trail_after)
    for days in (91, 89):
        trail.recall(f"read {days} days ago", START - timedelta(days=days))
    (event,) = trail.lookup_events(asking({}))["Events"]
    assert event["Resources"][0]["ResourceName"] == "read 89 days ago"


def test_a_composite_alarm_is_what_its_rule_makes_of_the_states_below_it() -> None:
    book = AlarmBook(lambda: START, MetricStore(lambda: START), "123456789012", "us-east-1")
    alarms = CompositeAlarms(lambda: START, book, "123456789012", "us-east-1")
    for name in ("errors", "latency"):
        book.put(name, METRIC_ALARM)
    alarms.put("either", {"AlarmRule": 'ALARM("errors") OR ALARM(latency)'})
    alarms.put("calm", {"AlarmRule": "NOT ALARM(either) AND (OK(errors) OR FALSE)"})
    assert (book.find("errors").state, alarms.state("either"), alarms.state("calm")) == (
        "INSUFFICIENT_DATA",
        "OK",
        "OK",
    )
    book.set_state("latency", "ALARM", "slow", at=START + MINUTE)
    assert (alarms.state("either"), alarms.state("calm")) == ("ALARM", "OK")
    assert alarms.described(alarms.all()[1])["StateTransitionedTimestamp"] == START + MINUTE


@pytest.mark.parametrize("rule", ["", "ALARM(gone)", "ALARM(a", "(TRUE", "TRUE TRUE", "AND TRUE", "MAYBE(errors)"])
def test_a_rule_that_cannot_be_read_is_refused(rule: str) -> None:
    book = AlarmBook(lambda: START, MetricStore(lambda: START), "123456789012", "us-east-1")
    with pytest.raises(AwsError, match=r"malformed|does not exist"):
        CompositeAlarms(lambda: START, book, "123456789012", "us-east-1").put("x", {"AlarmRule": rule})


@pytest.mark.parametrize(("name", "added"), [(USUAL, [GUARDDUTY]), (WORST, [GUARDDUTY, SERVICE_CONNECT])])
def test_tasks_have_the_containers_that_aws_adds_beside_their_own(name: str, added: list[str]) -> None:
    web = Container("web", "registry/web@sha256:aa", "sha256:aa")
    task = Task("arn:aws:ecs:r:1:task/c/aaaa", "web:1", 1, "10.0.10.1", "ecs-svc/1", "service:web", START, (web,))
    task.sidecars = PROFILES[name].sidecars
    containers = shapes.task(task)["containers"]
    assert [each["name"].rpartition("-")[0] or each["name"] for each in containers] == ["web", *added]
    assert own((each["name"], each["image"]) for each in containers) == {"web"}


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
