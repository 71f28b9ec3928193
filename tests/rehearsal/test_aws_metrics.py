"""CloudWatch metrics: percentiles and metric math by hand, periods that show only when they have closed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.request import Request, urlopen

import pytest
from botocore.exceptions import ClientError
from rehearsal.test_aws_desk import START, Desk, code_of, open_desk

from cockpit.rehearsal.aws.cloudwatch.metric_math import Frame, MathError, evaluate
from cockpit.rehearsal.aws.cloudwatch.metric_store import MetricStore, key_of

MINUTE = timedelta(minutes=1)
ALB = {"LoadBalancer": "app/transparent-trust-alb/50dc6c495c0c9188"}
DIMENSIONS = [{"Name": "LoadBalancer", "Value": ALB["LoadBalancer"]}]


@pytest.fixture
def desk() -> Iterator[Desk]:
    with open_desk() as opened:
        yield opened


def stat(id_: str, metric: str, statistic: str, *, shown: bool = True, period: int = 60) -> dict[str, Any]:
    held = {"Namespace": "AWS/ApplicationELB", "MetricName": metric, "Dimensions": DIMENSIONS}
    return {"Id": id_, "MetricStat": {"Metric": held, "Period": period, "Stat": statistic}, "ReturnData": shown}


def ask(desk: Desk, *queries: dict[str, Any], minutes: int = 10, **more: Any) -> dict[str, list[tuple[int, float]]]:
    """{id: [(minutes since START, value)]}, rising."""
    answer = desk.client("cloudwatch").get_metric_data(
        MetricDataQueries=list(queries),
        StartTime=START,
        EndTime=START + minutes * MINUTE,
        ScanBy="TimestampAscending",
        **more,
    )
    return {
        each["Id"]: [
            (round((at - START) / MINUTE), value) for at, value in zip(each["Timestamps"], each["Values"], strict=True)
        ]
        for each in answer["MetricDataResults"]
    }


def put(desk: Desk, metric: str, minute: int, values: list[float]) -> None:
    desk.aws.metrics.put("AWS/ApplicationELB", metric, ALB, START + minute * MINUTE, values)


def test_statistics_of_one_minute(desk: Desk) -> None:
    put(desk, "TargetResponseTime", 0, [float(n) for n in range(1, 101)])
    desk.clock.time += 5 * MINUTE
    names = {
        "a": "Sum",
        "b": "Average",
        "c": "Minimum",
        "d": "Maximum",
        "e": "SampleCount",
        "f": "p95",
        "g": "p99.9",
        "h": "tm90",
    }
    answer = ask(desk, *(stat(id_, "TargetResponseTime", name) for id_, name in names.items()))
    values = {names[id_]: points[0][1] for id_, points in answer.items()}
    assert values == {
        "Sum": 5050.0,
        "Average": 50.5,
        "Minimum": 1.0,
        "Maximum": 100.0,
        "SampleCount": 100.0,
        "p95": 95.0,
        "p99.9": 100.0,
        "tm90": 45.5,
    }


def test_longer_periods_join_their_minutes(desk: Desk) -> None:
    for minute in range(10):
        put(desk, "RequestCount", minute, [float(minute)])
    desk.clock.time += 15 * MINUTE
    assert ask(desk, stat("m", "RequestCount", "Sum", period=300)) == {"m": [(0, 10.0), (5, 35.0)]}


def test_a_minute_shows_only_after_its_end_and_the_publication_delay(desk: Desk) -> None:
    put(desk, "RequestCount", 0, [10.0])
    desk.clock.time = START + timedelta(seconds=89)
    assert ask(desk, stat("m", "RequestCount", "Sum")) == {"m": []}
    desk.clock.time = START + timedelta(seconds=90)
    assert ask(desk, stat("m", "RequestCount", "Sum")) == {"m": [(0, 10.0)]}
    desk.aws.metrics.publication_delay = timedelta(minutes=3)
    assert ask(desk, stat("m", "RequestCount", "Sum")) == {"m": []}


def test_the_error_rate_of_the_alarm(desk: Desk) -> None:
    for minute, (requests, failed) in enumerate([(200, 0), (200, 24), (0, 0), (100, 5)]):
        if requests:
            put(desk, "RequestCount", minute, [float(requests)])
        if failed:
            put(desk, "HTTPCode_Target_5XX_Count", minute, [float(failed)])
    desk.clock.time += 10 * MINUTE
    rate = {"Id": "rate", "Expression": "100 * (FILL(target, 0) + FILL(elb, 0)) / total"}
    hidden = [
        stat("target", "HTTPCode_Target_5XX_Count", "Sum", shown=False),
        stat("elb", "HTTPCode_ELB_5XX_Count", "Sum", shown=False),
        stat("total", "RequestCount", "Sum", shown=False),
    ]
    # The minute without a request has no rate: it is not zero.
    assert ask(desk, *hidden, rate) == {"rate": [(0, 0.0), (1, 12.0), (3, 5.0)]}


def test_expressions_may_build_on_expressions_in_any_order(desk: Desk) -> None:
    put(desk, "RequestCount", 0, [50.0])
    desk.clock.time += 5 * MINUTE
    answer = ask(
        desk,
        {"Id": "twice", "Expression": "half * 4"},
        {"Id": "half", "Expression": "m / 2"},
        stat("m", "RequestCount", "Sum"),
    )
    assert answer == {"twice": [(0, 100.0)], "half": [(0, 25.0)], "m": [(0, 50.0)]}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("m1 / m2 * 100", {0: 20.0}),
        ("(m1 + m2) / m3", {0: 30.0}),
        ("FILL(m2, 0)", {0: 10.0, 60: 0.0, 120: 0.0}),
        ("FILL(m2, REPEAT)", {0: 10.0, 60: 10.0, 120: 10.0}),
        ("SUM([m1, m2])", {0: 12.0, 60: 4.0}),
        ("SUM(METRICS())", {0: 12.4, 60: 4.0}),
        ("MAX([m1, m2])", {0: 10.0, 60: 4.0}),
        ("MIN([m1, m2])", {0: 2.0, 60: 4.0}),
        ("SUM(m1)", {0: 6.0, 60: 6.0, 120: 6.0}),
        ("IF(m1 > 3, m1, 0)", {0: 0.0, 60: 4.0}),
        ("IF(m1 > 3, m1)", {60: 4.0}),
        ("m1 - -1", {0: 3.0, 60: 5.0}),
        ("2 ^ 3 + m1", {0: 10.0, 60: 12.0}),
        ("m1 / 0", {}),
        ("m1 > 1 AND m1 < 3", {0: 1.0, 60: 0.0}),
        ("RATE(m1)", {60: 2 / 60}),
    ],
)
def test_metric_math_by_hand(expression: str, expected: dict[int, float]) -> None:
    frame = Frame({"m1": {0: 2.0, 60: 4.0}, "m2": {0: 10.0}, "m3": {0: 0.4}}, range(0, 180, 60), 60)
    assert evaluate(expression, frame) == pytest.approx(expected)


@pytest.mark.parametrize("expression", ["m9 + 1", "m1 +", "ANOMALY_DETECTION_BAND(m1)", "m1 m1", "(m1", "m1 ; m1"])
def test_an_expression_that_cannot_be_understood_is_an_error(expression: str) -> None:
    with pytest.raises(MathError):
        evaluate(expression, Frame({"m1": {0: 1.0}}, [0], 60))


def test_bad_queries_are_validation_errors(desk: Desk) -> None:
    for queries in (
        [stat("m", "RequestCount", "Sum"), stat("m", "RequestCount", "Sum")],
        [{"Id": "e", "Expression": "m9 * 2"}],
        [{"Id": "Big", "Expression": "1"}],
        [],
    ):
        with pytest.raises(ClientError) as refused:
            ask(desk, *queries)
        assert code_of(refused) in ("ValidationError", "MissingParameter")
    with pytest.raises(ClientError) as refused:
        ask(desk, stat("m", "RequestCount", "p101"))
    assert code_of(refused) == "InvalidParameterValue"


def test_pages_join_to_the_whole(desk: Desk) -> None:
    for minute in range(10):
        put(desk, "RequestCount", minute, [float(minute)])
    desk.clock.time += 15 * MINUTE
    cloudwatch, seen = desk.client("cloudwatch"), []
    token: dict[str, Any] = {}
    while True:
        page = cloudwatch.get_metric_data(
            MetricDataQueries=[stat("m", "RequestCount", "Sum")],
            StartTime=START,
            EndTime=START + 10 * MINUTE,
            MaxDatapoints=4,
            ScanBy="TimestampAscending",
            **token,
        )
        seen += page["MetricDataResults"][0]["Values"]
        if "NextToken" not in page:
            break
        assert page["MetricDataResults"][0]["StatusCode"] == "PartialData"
        token = {"NextToken": page["NextToken"]}
    assert seen == [float(n) for n in range(10)]


def test_what_the_api_puts_can_be_listed_and_read_again(desk: Desk) -> None:
    cloudwatch = desk.client("cloudwatch")
    cloudwatch.put_metric_data(
        Namespace="Custom",
        MetricData=[
            {
                "MetricName": "Latency",
                "Timestamp": START,
                "Values": [1.0, 3.0],
                "Counts": [2.0, 1.0],
                "Unit": "Seconds",
            },
            {
                "MetricName": "Latency",
                "Timestamp": START,
                "StatisticValues": {"SampleCount": 4, "Sum": 20, "Minimum": 2, "Maximum": 8},
                "Unit": "Seconds",
            },
        ],
    )
    desk.clock.time += 5 * MINUTE
    assert cloudwatch.list_metrics(Namespace="Custom")["Metrics"] == [
        {"Namespace": "Custom", "MetricName": "Latency", "Dimensions": []}
    ]
    window = {
        "Namespace": "Custom",
        "MetricName": "Latency",
        "StartTime": START,
        "EndTime": desk.clock.time,
        "Period": 60,
    }
    plain = cloudwatch.get_metric_statistics(**window, Statistics=["Sum", "SampleCount", "Maximum"])["Datapoints"]
    assert [(p["Sum"], p["SampleCount"], p["Maximum"], p["Unit"]) for p in plain] == [(25.0, 7.0, 8.0, "Seconds")]
    percentile = cloudwatch.get_metric_statistics(**window, ExtendedStatistics=["p50"])["Datapoints"]
    assert percentile[0]["ExtendedStatistics"] == {"p50": 3.0}


def test_what_is_older_than_three_hours_is_forgotten() -> None:
    now = START
    store = MetricStore(lambda: now)
    for minute in range(400):
        now = START + minute * MINUTE
        store.put("N", "m", {}, now, [1.0])
    assert store.points() <= 182
    assert min(store.periods(key_of("N", "m", {}), 60, START, now)) >= (now - timedelta(hours=3)).timestamp() - 60


def test_a_value_that_is_not_finite_is_refused(desk: Desk) -> None:
    with pytest.raises(ValueError, match="finite"):
        desk.aws.metrics.put("N", "m", {}, START, [float("nan")])


def test_the_older_protocols_of_cloudwatch_are_understood_too(desk: Desk) -> None:
    put(desk, "RequestCount", 0, [10.0])
    desk.clock.time += 5 * MINUTE
    scope = "AWS4-HMAC-SHA256 Credential=AKIACOCKPIT000000000/20241228/us-east-1/monitoring/aws4_request, SignedHeaders=host"
    form = (
        "Action=GetMetricStatistics&Version=2010-08-01&Namespace=AWS%2FApplicationELB&MetricName=RequestCount&Period=60"
        "&StartTime=2024-12-28T22:00:00Z&EndTime=2024-12-28T22:05:00Z&Statistics.member.1=Sum"
        f"&Dimensions.member.1.Name=LoadBalancer&Dimensions.member.1.Value={ALB['LoadBalancer']}"
    )
    asked = Request(
        desk.endpoint, form.encode(), {"Authorization": scope, "Content-Type": "application/x-www-form-urlencoded"}
    )
    with urlopen(asked) as answer:
        assert b"<Sum>10.0</Sum>" in answer.read()
    headers = {
        "Authorization": scope,
        "X-Amz-Target": "GraniteServiceVersion20100801.ListMetrics",
        "Content-Type": "application/x-amz-json-1.0",
    }
    with urlopen(Request(desk.endpoint, b"{}", headers)) as answer:
        assert b'"MetricName": "RequestCount"' in answer.read()
