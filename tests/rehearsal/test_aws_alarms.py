"""Alarms: M of N, missing data as the user guide's tables say, math and percentiles, in the world's time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from rehearsal.test_aws_desk import START, Desk, code_of, open_desk

from cockpit.rehearsal.aws.cloudwatch.alarm_evaluation import AlarmState, Rule, Treatment, judge

MINUTE = timedelta(minutes=1)
PLAIN: dict[str, Any] = {
    "AlarmName": "latency",
    "Namespace": "N",
    "MetricName": "m",
    "Dimensions": [],
    "Statistic": "Maximum",
    "Period": 60,
    "EvaluationPeriods": 3,
    "Threshold": 10.0,
    "ComparisonOperator": "GreaterThanThreshold",
    "AlarmActions": ["arn:aws:sns:us-east-1:123456789012:alerts"],
}


@pytest.fixture
def desk() -> Iterator[Desk]:
    with open_desk() as opened:
        yield opened


def described(desk: Desk, name: str = "latency") -> dict[str, Any]:
    found: dict[str, Any] = desk.client("cloudwatch").describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm"])[
        "MetricAlarms"
    ][0]
    return found


def live(desk: Desk, minutes: int, value: float | None, count: int = 1) -> None:
    """Let minutes pass in which the metric has this value, or none."""
    for _ in range(minutes):
        if value is not None:
            desk.aws.metrics.put("N", "m", {}, desk.clock.time.replace(second=0), [value] * count)
        desk.wait(60, step=10)


GUIDE = [
    # datapoints, and the state for missing, ignore, breaching, notBreaching; `=` keeps the state before it
    ("0-X-X", 3, ("OK", "OK", "OK", "OK")),
    ("0----", 3, ("OK", "OK", "OK", "OK")),
    ("-----", 3, ("INSUFFICIENT_DATA", "=", "ALARM", "OK")),
    ("0XX-X", 3, ("ALARM", "ALARM", "ALARM", "ALARM")),
    ("--X--", 3, ("ALARM", "=", "ALARM", "OK")),
    ("0-X-X", 2, ("ALARM", "ALARM", "ALARM", "ALARM")),
    ("00X0X", 2, ("ALARM", "ALARM", "ALARM", "ALARM")),
    ("0-X--", 2, ("OK", "OK", "ALARM", "OK")),
    ("----0", 2, ("OK", "OK", "ALARM", "OK")),
    ("---X-", 2, ("ALARM", "=", "ALARM", "OK")),
]


@pytest.mark.parametrize(("points", "needed", "states"), GUIDE)
def test_missing_data_is_treated_as_the_user_guide_says(points: str, needed: int, states: tuple[str, ...]) -> None:
    values = [(60 * place, {"0": 1.0, "X": 9.0, "-": None}[sign]) for place, sign in enumerate(points)]
    treatments: tuple[Treatment, ...] = ("missing", "ignore", "breaching", "notBreaching")
    for treatment, expected in zip(treatments, states, strict=True):
        judged = judge(Rule("GreaterThanThreshold", 5.0, 3, needed, treatment), values)
        assert (judged.state if judged else "=") == expected, treatment


@pytest.mark.parametrize(
    ("operator", "breaching", "fine"),
    [
        ("GreaterThanThreshold", 10.1, 10.0),
        ("GreaterThanOrEqualToThreshold", 10.0, 9.9),
        ("LessThanThreshold", 9.9, 10.0),
        ("LessThanOrEqualToThreshold", 10.0, 10.1),
    ],
)
def test_comparisons(operator: str, breaching: float, fine: float) -> None:
    rule = Rule(operator, 10.0, 1, 1)
    states: list[AlarmState] = [judged.state for value in (breaching, fine) if (judged := judge(rule, [(0, value)]))]
    assert states == ["ALARM", "OK"]


def test_an_alarm_goes_off_after_n_periods_and_says_why(desk: Desk) -> None:
    desk.client("cloudwatch").put_metric_alarm(**PLAIN)
    assert described(desk)["StateValue"] == "INSUFFICIENT_DATA"
    live(desk, 4, 5.0)
    assert described(desk)["StateValue"] == "OK"
    live(desk, 3, 50.0)
    assert described(desk)["StateValue"] == "OK"
    desk.wait(40)
    alarm = described(desk)
    assert alarm["StateValue"] == "ALARM"
    # The third breaching minute, 22:06, shows half a minute after its end.
    assert alarm["StateUpdatedTimestamp"] == START + timedelta(minutes=7, seconds=30)
    assert alarm["StateReason"] == (
        "Threshold Crossed: 3 out of the last 3 datapoints [50.0 (28/12/24 22:06:00), 50.0 (28/12/24 22:05:00), "
        "50.0 (28/12/24 22:04:00)] were greater than the threshold (10.0) (minimum 3 datapoints for OK -> ALARM transition)."
    )
    assert json.loads(alarm["StateReasonData"])["recentDatapoints"] == [50.0, 50.0, 50.0]
    live(desk, 3, 5.0)
    assert described(desk)["StateValue"] == "OK"
    assert "was not greater than the threshold (10.0)" in described(desk)["StateReason"]


def test_an_alarm_without_data_cannot_judge(desk: Desk) -> None:
    desk.client("cloudwatch").put_metric_alarm(**PLAIN)
    live(desk, 5, 5.0)
    live(desk, 6, None)
    assert described(desk)["StateValue"] == "INSUFFICIENT_DATA"
    assert described(desk)["StateReason"] == "Insufficient Data: 3 datapoints were unknown."
    desk.client("cloudwatch").put_metric_alarm(**(PLAIN | {"TreatMissingData": "notBreaching"}))
    live(desk, 1, None)
    assert described(desk)["StateValue"] == "OK"
    assert "3 missing datapoints were treated as [NonBreaching]" in described(desk)["StateReason"]


def test_one_big_jump_of_time_ends_as_many_small_ones(desk: Desk) -> None:
    cloudwatch = desk.client("cloudwatch")
    cloudwatch.put_metric_alarm(**PLAIN)
    desk.aws.tick(desk.clock.time)
    for minute in range(30):
        desk.aws.metrics.put("N", "m", {}, START + minute * MINUTE, [50.0 if 5 <= minute < 10 else 5.0])
    desk.clock.time = START + 30 * MINUTE
    desk.aws.tick(desk.clock.time)
    history = cloudwatch.describe_alarm_history(
        AlarmName="latency", HistoryItemType="StateUpdate", ScanBy="TimestampAscending"
    )
    told = [(item["Timestamp"] - START, item["HistorySummary"]) for item in history["AlarmHistoryItems"]]
    assert told == [
        (timedelta(minutes=1, seconds=30), "Alarm updated from INSUFFICIENT_DATA to OK"),
        (timedelta(minutes=8, seconds=30), "Alarm updated from OK to ALARM"),
        (timedelta(minutes=11, seconds=30), "Alarm updated from ALARM to OK"),
    ]


def test_a_percentile_alarm_and_its_few_samples(desk: Desk) -> None:
    given = {key: value for key, value in PLAIN.items() if key != "Statistic"} | {
        "ExtendedStatistic": "p95",
        "EvaluationPeriods": 1,
    }
    desk.client("cloudwatch").put_metric_alarm(**given, EvaluateLowSampleCountPercentile="ignore")
    live(desk, 2, 50.0, count=20)
    desk.wait(40)
    assert described(desk)["StateValue"] == "INSUFFICIENT_DATA"
    live(desk, 2, 50.0, count=250)
    desk.wait(40)
    assert described(desk)["StateValue"] == "ALARM"


def test_a_metric_math_alarm(desk: Desk) -> None:
    def held(id_: str, name: str) -> dict[str, Any]:
        metric = {"Namespace": "N", "MetricName": name, "Dimensions": []}
        return {"Id": id_, "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}, "ReturnData": False}

    rate = {"Id": "rate", "Expression": "100 * FILL(bad, 0) / total", "ReturnData": True}
    common = {key: PLAIN[key] for key in ("AlarmName", "ComparisonOperator", "Threshold")}
    desk.client("cloudwatch").put_metric_alarm(
        **common, EvaluationPeriods=2, Metrics=[held("bad", "errors"), held("total", "requests"), rate]
    )
    for minute in range(6):
        desk.aws.metrics.put("N", "requests", {}, START + minute * MINUTE, [100.0])
        if minute >= 3:
            desk.aws.metrics.put("N", "errors", {}, START + minute * MINUTE, [12.0])
    desk.wait(4 * 60)
    assert described(desk)["StateValue"] == "OK"
    desk.wait(2 * 60)
    assert described(desk)["StateValue"] == "ALARM"
    assert "12.0 (28/12/24 22:04:00)" in described(desk)["StateReason"]


def test_a_state_set_by_hand_is_taken_back_by_the_next_evaluation(desk: Desk) -> None:
    cloudwatch = desk.client("cloudwatch")
    cloudwatch.put_metric_alarm(**PLAIN)
    live(desk, 5, 5.0)
    cloudwatch.set_alarm_state(AlarmName="latency", StateValue="ALARM", StateReason="a drill")
    assert described(desk)["StateReason"] == "a drill"
    assert described(desk)["StateUpdatedTimestamp"] == desk.clock.time
    live(desk, 1, 5.0)
    assert described(desk)["StateValue"] == "OK"


def test_actions_are_told_in_the_history_unless_switched_off(desk: Desk) -> None:
    cloudwatch = desk.client("cloudwatch")
    cloudwatch.put_metric_alarm(**PLAIN)
    cloudwatch.set_alarm_state(AlarmName="latency", StateValue="ALARM", StateReason="drill")
    acted = cloudwatch.describe_alarm_history(AlarmName="latency", HistoryItemType="Action")["AlarmHistoryItems"]
    assert [item["HistorySummary"] for item in acted] == [f"Successfully executed action {PLAIN['AlarmActions'][0]}"]
    cloudwatch.disable_alarm_actions(AlarmNames=["latency"])
    assert described(desk)["ActionsEnabled"] is False
    cloudwatch.set_alarm_state(AlarmName="latency", StateValue="OK", StateReason="drill")
    cloudwatch.set_alarm_state(AlarmName="latency", StateValue="ALARM", StateReason="drill")
    acted = cloudwatch.describe_alarm_history(AlarmName="latency", HistoryItemType="Action")["AlarmHistoryItems"]
    assert len(acted) == 1
    cloudwatch.enable_alarm_actions(AlarmNames=["latency"])
    assert described(desk)["ActionsEnabled"] is True


def test_alarms_can_be_found_and_deleted(desk: Desk) -> None:
    cloudwatch = desk.client("cloudwatch")
    for name in ("a-1", "a-2", "b-1"):
        cloudwatch.put_metric_alarm(**(PLAIN | {"AlarmName": name}))
    names = [alarm["AlarmName"] for alarm in cloudwatch.describe_alarms(AlarmNamePrefix="a-")["MetricAlarms"]]
    assert names == ["a-1", "a-2"]
    page = cloudwatch.describe_alarms(MaxRecords=2)
    rest = cloudwatch.describe_alarms(MaxRecords=2, NextToken=page["NextToken"])
    assert [alarm["AlarmName"] for alarm in rest["MetricAlarms"]] == ["b-1"]
    assert cloudwatch.describe_alarms(AlarmTypes=["CompositeAlarm"])["MetricAlarms"] == []
    cloudwatch.delete_alarms(AlarmNames=["a-1", "a-2"])
    assert len(cloudwatch.describe_alarms()["MetricAlarms"]) == 1
    with pytest.raises(ClientError) as refused:
        cloudwatch.set_alarm_state(AlarmName="a-1", StateValue="OK", StateReason="x")
    assert code_of(refused) == "ResourceNotFound"


def test_what_is_below_a_composite_alarm_is_asked_for_alone(desk: Desk) -> None:
    cloudwatch = desk.client("cloudwatch")
    cloudwatch.put_metric_alarm(**PLAIN)
    cloudwatch.put_composite_alarm(AlarmName="inner", AlarmRule="ALARM(latency)")
    cloudwatch.put_composite_alarm(AlarmName="outer", AlarmRule="ALARM(inner) OR ALARM(latency)")
    found = cloudwatch.describe_alarms(ChildrenOfAlarmName="outer", MaxRecords=50)
    assert [[a["AlarmName"] for a in found[kind]] for kind in ("MetricAlarms", "CompositeAlarms")] == [
        ["latency"],
        ["inner"],
    ]
    with pytest.raises(ClientError) as refused:
        cloudwatch.describe_alarms(ChildrenOfAlarmName="outer", AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    assert code_of(refused) == "ValidationError"


def test_an_alarm_that_cannot_be_evaluated_stays_as_it_is_and_disturbs_no_other(desk: Desk) -> None:
    cloudwatch = desk.client("cloudwatch")
    common = {key: PLAIN[key] for key in ("ComparisonOperator", "Threshold", "EvaluationPeriods")}
    cloudwatch.put_metric_alarm(
        AlarmName="broken", **common, Metrics=[{"Id": "e", "Expression": "m9 * 2", "Period": 60}]
    )
    cloudwatch.put_metric_alarm(**PLAIN)
    live(desk, 5, 50.0)
    assert described(desk, "broken")["StateValue"] == "INSUFFICIENT_DATA"
    assert described(desk)["StateValue"] == "ALARM"
