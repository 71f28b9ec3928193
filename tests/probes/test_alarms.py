"""Alarms: OK is only OK when the alarm exists and could judge."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from support.aws.queued import NOW, StubbedAws

from probes.aws.cloudwatch_alarms import CloudWatchAlarms, CloudWatchAlarmsParams
from probes.reading import Reading, Reason

SINGLE = (
    "state",
    "threshold",
    "metric",
    "statistic",
    "dimensions_text",
    "evaluation_periods",
    "datapoints_to_alarm",
    "kind",
    "window_s",
    "treat_missing",
)


@pytest.fixture
async def aws() -> AsyncIterator[StubbedAws]:
    stubbed = StubbedAws()
    yield stubbed
    await stubbed.clients.close()


def alarm(name: str, state: str = "OK", **more: Any) -> dict[str, Any]:
    """As DescribeAlarms gives it."""
    return {
        "AlarmName": name,
        "AlarmArn": f"arn:aws:cloudwatch:us-east-1:123456789012:alarm:{name}",
        "ActionsEnabled": True,
        "AlarmActions": ["arn:aws:sns:us-east-1:123456789012:transparent-trust-alerts"],
        "StateValue": state,
        "StateReason": "Threshold Crossed: 1 datapoint",
        "StateUpdatedTimestamp": NOW - timedelta(hours=1),
        "MetricName": "DatabaseConnections",
        "Namespace": "AWS/RDS",
        "Statistic": "Average",
        "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": "transparent-trust-db-prod"}],
        "Period": 60,
        "EvaluationPeriods": 5,
        "Threshold": 80.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "missing",
    } | more


async def read(
    aws: StubbedAws,
    names: list[str],
    *found: dict[str, Any],
) -> Reading:
    aws.answers("cloudwatch", "describe_alarms", {"MetricAlarms": list(found)})
    return await CloudWatchAlarms(CloudWatchAlarmsParams(names=names), aws.clients).read(NOW)


async def test_all_ok(aws: StubbedAws) -> None:
    reading = await read(aws, ["a", "b"], alarm("a"), alarm("b"))
    assert reading.values == {
        "all_ok": True,
        "in_alarm": 0,
        "insufficient": 0,
        "missing": 0,
        "exist_count": 2,
        "actions_enabled": True,
        "with_actions": True,
        "names_in_alarm": "",
    }
    assert set(reading.unknown) == set(SINGLE)


async def test_those_in_alarm_are_named_and_dated_by_the_newest(aws: StubbedAws) -> None:
    late = NOW - timedelta(minutes=3)
    reading = await read(
        aws,
        ["a", "b", "c"],
        alarm("b", "ALARM", StateUpdatedTimestamp=NOW - timedelta(minutes=30)),
        alarm("a", "ALARM", StateUpdatedTimestamp=late),
        alarm("c", StateUpdatedTimestamp=NOW - timedelta(days=3)),
    )
    assert (reading.values["all_ok"], reading.values["in_alarm"], reading.values["names_in_alarm"]) == (
        False,
        2,
        "a, b",
    )
    assert reading.state_since == late


async def test_the_transition_dates_an_alarm_better_than_its_last_update(aws: StubbedAws) -> None:
    began = NOW - timedelta(hours=2)
    reading = await read(aws, ["a"], alarm("a", "ALARM", StateTransitionedTimestamp=began))
    assert reading.state_since == began


async def test_insufficient_data_is_never_ok(aws: StubbedAws) -> None:
    reading = await read(aws, ["a", "b"], alarm("a"), alarm("b", "INSUFFICIENT_DATA", StateReason="no data"))
    assert reading.unknown["all_ok"].reason is Reason.NO_DATA
    assert reading.unknown["in_alarm"].reason is Reason.NO_DATA
    assert reading.values["insufficient"] == 1


async def test_an_alarm_that_rings_is_not_hidden_by_one_that_cannot_judge(aws: StubbedAws) -> None:
    reading = await read(aws, ["a", "b"], alarm("a", "ALARM"), alarm("b", "INSUFFICIENT_DATA"))
    assert (reading.values["all_ok"], reading.values["in_alarm"]) == (False, 1)


async def test_a_failed_evaluation_is_not_ok(aws: StubbedAws) -> None:
    reading = await read(aws, ["a"], alarm("a", EvaluationState="EVALUATION_FAILURE"))
    assert reading.unknown["all_ok"].reason is Reason.PARTIAL
    assert reading.unknown["state"].reason is Reason.PARTIAL


async def test_an_alarm_that_does_not_exist_is_named(aws: StubbedAws) -> None:
    reading = await read(aws, ["a", "gone"], alarm("a"))
    assert (reading.values["missing"], reading.values["exist_count"]) == (1, 1)
    assert reading.unknown["all_ok"].reason is Reason.NOT_FOUND
    assert reading.unknown["actions_enabled"].reason is Reason.NOT_FOUND
    assert reading.unknown["with_actions"].reason is Reason.NOT_FOUND
    assert "gone" in reading.unknown["all_ok"].detail


async def test_none_found_is_a_count_of_zero_and_an_open_question(aws: StubbedAws) -> None:
    reading = await read(aws, ["gone"])
    assert reading.values == {"insufficient": 0, "missing": 1, "exist_count": 0}
    assert {unknown.reason for unknown in reading.unknown.values()} == {Reason.NOT_FOUND}


async def test_switched_off_and_silent_alarms_show(aws: StubbedAws) -> None:
    reading = await read(aws, ["a", "b"], alarm("a", ActionsEnabled=False), alarm("b", AlarmActions=[]))
    assert (reading.values["actions_enabled"], reading.values["with_actions"]) == (False, False)
    assert "switched off" in reading.evidence.lines[0]
    assert "notifies nobody" in reading.evidence.lines[1]


async def test_an_alarm_that_takes_silence_for_health_is_warned_of(aws: StubbedAws) -> None:
    reading = await read(aws, ["a"], alarm("a", TreatMissingData="notBreaching"))
    assert "OK may mean no data" in reading.evidence.lines[0]


async def test_one_alarm_tells_its_settings(aws: StubbedAws) -> None:
    reading = await read(aws, ["a"], alarm("a"))
    assert {name: reading.values[name] for name in SINGLE} == {
        "state": "OK",
        "threshold": 80.0,
        "metric": "AWS/RDS DatabaseConnections",
        "statistic": "Average",
        "dimensions_text": "DBInstanceIdentifier=transparent-trust-db-prod",
        "evaluation_periods": 5,
        "datapoints_to_alarm": 5,
        "kind": "metric",
        "window_s": 300.0,
        "treat_missing": "missing",
    }
    assert not reading.unknown
    assert reading.evidence.console_url.endswith("#alarmsV2:alarm/a")


async def test_an_alarm_without_data_has_no_state(aws: StubbedAws) -> None:
    reading = await read(aws, ["a"], alarm("a", "INSUFFICIENT_DATA"))
    assert reading.unknown["state"].reason is Reason.NO_DATA
    assert reading.values["threshold"] == 80.0


async def test_an_alarm_on_metric_math_tells_its_expression(aws: StubbedAws) -> None:
    described = alarm("a")
    for name in ("MetricName", "Namespace", "Statistic", "Dimensions", "Period"):
        del described[name]
    stat = {"Metric": {"Namespace": "n", "MetricName": "m", "Dimensions": []}, "Period": 60, "Stat": "Sum"}
    described["Metrics"] = [
        {"Id": "e", "Expression": "100*a/b", "ReturnData": True},
        {"Id": "a", "MetricStat": stat, "ReturnData": False},
        {"Id": "b", "MetricStat": stat, "ReturnData": False},
    ]
    reading = await read(aws, ["a"], described)
    assert (reading.values["metric"], reading.values["window_s"]) == ("100*a/b", 300.0)
    assert reading.unknown["statistic"].reason is Reason.NO_DATA


def composite(name: str, state: str = "OK", **more: Any) -> dict[str, Any]:
    return {
        "AlarmName": name,
        "StateValue": state,
        "ActionsEnabled": True,
        "AlarmActions": ["x"],
        "AlarmRule": "ALARM(a) OR ALARM(b)",
    } | more


def below(name: str, state: str = "OK") -> dict[str, Any]:
    """A child, as DescribeAlarms lists it for ChildrenOfAlarmName."""
    return {
        "AlarmName": name,
        "AlarmArn": f"arn:aws:cloudwatch:us-east-1:123456789012:alarm:{name}",
        "StateValue": state,
    }


async def over(aws: StubbedAws, top: dict[str, Any], *levels: dict[str, list[dict[str, Any]]]) -> Reading:
    aws.answers("cloudwatch", "describe_alarms", {"CompositeAlarms": [top]})
    for level in levels:
        aws.answers("cloudwatch", "describe_alarms", level)
    reading = await CloudWatchAlarms(CloudWatchAlarmsParams(names=[top["AlarmName"]]), aws.clients).read(NOW)
    aws.done()
    return reading


async def test_composite_alarms_count(aws: StubbedAws) -> None:
    reading = await over(aws, composite("c"), {"MetricAlarms": [below("a"), below("b")]})
    assert reading.values["all_ok"] is True
    assert (reading.values["metric"], reading.values["kind"]) == ("ALARM(a) OR ALARM(b)", "composite")
    assert reading.unknown["threshold"].reason is Reason.NO_DATA


async def test_a_composite_alarm_over_one_that_cannot_judge_is_not_ok(aws: StubbedAws) -> None:
    reading = await over(aws, composite("c"), {"MetricAlarms": [below("a"), below("b", "INSUFFICIENT_DATA")]})
    assert reading.unknown["all_ok"].reason is Reason.NO_DATA
    assert reading.unknown["all_ok"].detail == "c is OK, but b below it is INSUFFICIENT_DATA"
    assert reading.values["insufficient"] == 1


async def test_nor_over_a_composite_alarm_over_one(aws: StubbedAws) -> None:
    reading = await over(
        aws,
        composite("c"),
        {"MetricAlarms": [below("a")], "CompositeAlarms": [below("inner")]},
        {"MetricAlarms": [below("deep", "INSUFFICIENT_DATA")]},
    )
    assert "deep below it" in reading.unknown["all_ok"].detail
    # Beside it CloudWatch takes MaxRecords and NextToken alone (DescribeAlarms in its API reference).
    assert [asked for _, asked in aws.asked[1:]] == [
        {"ChildrenOfAlarmName": of, "MaxRecords": 100} for of in ("c", "inner")
    ]


async def test_a_composite_alarm_that_rings_has_judged_whatever_is_below(aws: StubbedAws) -> None:
    reading = await over(aws, composite("c", "ALARM"))
    assert (reading.values["all_ok"], reading.values["in_alarm"]) == (False, 1)


async def test_what_is_below_one_and_cannot_be_seen_hides_no_other_alarm(aws: StubbedAws) -> None:
    aws.answers(
        "cloudwatch", "describe_alarms", {"CompositeAlarms": [composite("c")], "MetricAlarms": [alarm("a", "ALARM")]}
    )
    aws.refuses("cloudwatch", "describe_alarms", "AccessDenied", "no")
    both = await CloudWatchAlarms(CloudWatchAlarmsParams(names=["a", "c"]), aws.clients).read(NOW)
    assert (both.values["all_ok"], both.values["in_alarm"], both.values["insufficient"]) == (False, 1, 1)
    aws.answers("cloudwatch", "describe_alarms", {"CompositeAlarms": [composite("c")]})
    aws.refuses("cloudwatch", "describe_alarms", "AccessDenied", "no")
    alone = await CloudWatchAlarms(CloudWatchAlarmsParams(names=["c"]), aws.clients).read(NOW)
    assert alone.unknown["all_ok"].reason is alone.unknown["state"].reason is Reason.ACCESS_DENIED


async def test_one_that_is_suppressed_does_nothing_now(aws: StubbedAws) -> None:
    reading = await over(aws, composite("c", ActionsSuppressedBy="WaitPeriod"), {"MetricAlarms": [below("a")]})
    assert reading.values["with_actions"] is False
    assert "suppressed (WaitPeriod)" in reading.evidence.lines[0]


async def test_an_alarm_on_a_log_query_exists(aws: StubbedAws) -> None:
    log = {
        "AlarmName": "l",
        "StateValue": "OK",
        "QueryResultsToEvaluate": 3,
        "QueryResultsToAlarm": 2,
        "Threshold": 5.0,
    }
    aws.answers("cloudwatch", "describe_alarms", {"LogAlarms": [log]})
    reading = await CloudWatchAlarms(CloudWatchAlarmsParams(names=["l"]), aws.clients).read(NOW)
    assert (reading.values["exist_count"], reading.values["all_ok"], reading.values["kind"]) == (1, True, "log")
    assert (reading.values["evaluation_periods"], reading.values["datapoints_to_alarm"]) == (3, 2)


@pytest.mark.parametrize(
    ("more", "note"),
    [
        ({"DatapointsToAlarm": 1}, "1 of 5 datapoints are enough"),
        ({"Unit": "Percent"}, "counts only points in Percent"),
        ({"ThresholdMetricId": "band"}, "anomaly detection"),
    ],
)
async def test_an_alarm_is_told_for_what_it_is(aws: StubbedAws, more: dict[str, Any], note: str) -> None:
    assert note in (await read(aws, ["a"], alarm("a", **more))).evidence.lines[0]


async def test_pages_are_followed(aws: StubbedAws) -> None:
    aws.answers("cloudwatch", "describe_alarms", {"MetricAlarms": [alarm("a")], "NextToken": "more"})
    reading = await read(aws, ["a", "b"], alarm("b", "ALARM"))
    assert reading.values["exist_count"] == 2
    assert aws.asked[1][1]["NextToken"] == "more"


async def test_a_refusal_makes_everything_unknown(aws: StubbedAws) -> None:
    aws.refuses("cloudwatch", "describe_alarms", "AccessDenied", "no")
    reading = await CloudWatchAlarms(CloudWatchAlarmsParams(names=["a"]), aws.clients).read(NOW)
    assert not reading.values
    assert "cloudwatch:DescribeAlarms" in reading.unknown["all_ok"].hint


def test_an_empty_list_of_alarms_is_refused() -> None:
    with pytest.raises(ValidationError):
        CloudWatchAlarmsParams(names=[])
