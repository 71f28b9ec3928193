"""Alarms as the plan means them: the right metric, the right number, somebody who hears, and data to judge."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from support.aws.modelled import DENIED, NOW, THROTTLED, ModelledAws, paged

from probes.aws.alarm_definitions import AlarmDefinition, AlarmDefinitionParams
from probes.reading import Reading, Reason

TOPIC = "arn:aws:sns:us-east-1:123456789012:alerts"
DIMENSIONS = [{"Name": "DBInstanceIdentifier", "Value": "db"}]
WANTED = {
    "namespace": "AWS/RDS",
    "metric": "DatabaseConnections",
    "dimensions": {"DBInstanceIdentifier": "db"},
    "statistic": "Maximum",
    "threshold": 80,
    "comparison": "GreaterThanThreshold",
    "period": "60s",
    "evaluation_periods": 3,
}
OF_MATCHING = {
    "matching_names",
    "actions_enabled",
    "notifies",
    "muted",
    "confirmed_subscribers",
    "pending_subscribers",
    "dead",
    "without_data",
}


def alarm(name: str = "connections", **more: Any) -> dict[str, Any]:
    return {
        "AlarmName": name,
        "ActionsEnabled": True,
        "AlarmActions": [TOPIC],
        "StateValue": "OK",
        "Namespace": "AWS/RDS",
        "MetricName": "DatabaseConnections",
        "Dimensions": DIMENSIONS,
        "Statistic": "Maximum",
        "Threshold": 80.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "Period": 60,
        "EvaluationPeriods": 3,
    } | more


def metric(name: str = "DatabaseConnections", dimensions: Any = DIMENSIONS) -> dict[str, Any]:
    return {"Namespace": "AWS/RDS", "MetricName": name, "Dimensions": dimensions}


def subscriptions(*arns: str) -> dict[str, Any]:
    return {"Subscriptions": [{"SubscriptionArn": arn, "Protocol": "email", "TopicArn": TOPIC} for arn in arns]}


@pytest.fixture
async def aws() -> AsyncIterator[ModelledAws]:
    modelled = ModelledAws()
    modelled.on = {
        "ListSubscriptionsByTopic": subscriptions(f"{TOPIC}:1"),
        "ListMetrics": {"Metrics": [metric()]},
        "ListAlarmMuteRules": {"AlarmMuteRuleSummaries": []},
    }
    yield modelled
    await modelled.clients.close()


async def read(aws: ModelledAws, *alarms: Any, params: dict[str, Any] = WANTED, **on: Any) -> Reading:
    aws.on |= {"DescribeAlarms": {"MetricAlarms": list(alarms)}} | on
    return await AlarmDefinition(AlarmDefinitionParams.model_validate(params), aws.clients).read(NOW)


async def test_an_alarm_as_the_plan_says(aws: ModelledAws) -> None:
    reading = await read(aws, alarm(), alarm("other", MetricName="CPUUtilization"))
    assert reading.values == {
        "matching": 1,
        "matching_names": ("connections",),
        "differing": 0,
        "actions_enabled": True,
        "notifies": True,
        "muted": False,
        "confirmed_subscribers": 1,
        "pending_subscribers": 0,
        "dead": False,
    }
    assert set(reading.unknown) == {"differences", "missing", "without_data"}
    assert reading.evidence.lines == ("connections: as planned",)


async def test_of_an_account_full_of_alarms_five_pages_are_listed_in_a_reading(aws: ModelledAws) -> None:
    """Where the plan names none, whether one is on the metric is known once all have been listed."""
    listed: list[str] = []

    def page(asked: Any) -> dict[str, Any]:
        listed.append(asked.get("NextToken", ""))
        number = int(asked.get("NextToken", "0"))
        more = {"NextToken": str(number + 1)} if number < 6 else {}
        return {"MetricAlarms": [alarm(f"a{number}", MetricName="Other") if number < 6 else alarm("last")]} | more

    aws.on["DescribeAlarms"] = page
    probe = AlarmDefinition(AlarmDefinitionParams.model_validate(WANTED), aws.clients)
    first = await probe.read(NOW)
    assert (len(listed), first.unknown["matching"].reason) == (5, Reason.PARTIAL)
    later = await probe.read(NOW + timedelta(minutes=1))
    assert (len(listed), later.values["matching_names"]) == (7, ("last",))
    assert later.data_at == NOW, "as old as the page read first"


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"metric": "Databaseconnections"}, "did you mean 'DatabaseConnections'?"),
        ({"dimensions": {"LoadBalancer": "app/x/1"}}, "is published by"),
        ({"namespace": "AWS/RdS"}, "did you mean 'AWS/RDS'?"),
    ],
)
def test_a_metric_that_aws_never_publishes_is_refused_at_load(wrong: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(text)):
        AlarmDefinitionParams.model_validate(WANTED | wrong)
    AlarmDefinitionParams.model_validate(WANTED | wrong | {"unlisted": True})


async def test_an_alarm_on_a_metric_that_aws_never_publishes_is_dead_whatever_reports_there(aws: ModelledAws) -> None:
    named = {"names": ["connections"]}
    reading = await read(aws, alarm(MetricName="Databaseconnections"), params=named)
    assert (reading.values["dead"], reading.values["without_data"]) == (True, ("Databaseconnections",))
    proven = {"Metrics": [metric("BrandNewCount")]}
    reading = await read(aws, alarm(MetricName="BrandNewCount"), params=named, ListMetrics=proven)
    assert reading.values["dead"] is False


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"Threshold": 90.5}, "threshold 90.5 instead of 80"),
        ({"Period": 300}, "period 300 instead of 60"),
        ({"EvaluationPeriods": 1}, "evaluation periods 1 instead of 3"),
        ({"DatapointsToAlarm": 1}, "1 of 3 datapoints to alarm instead of 3"),
        ({"Unit": "Percent"}, "counts only points in Percent"),
        ({"ThresholdMetricId": "band", "Threshold": 80.0}, "judges by anomaly detection instead of a threshold"),
        ({"Statistic": "Average"}, "statistic Average instead of Maximum"),
        ({"ComparisonOperator": "LessThanThreshold"}, "comparison LessThanThreshold instead of GreaterThanThreshold"),
        ({"Dimensions": [{"Name": "DBInstanceIdentifier", "Value": "old"}]}, "dimensions DBInstanceIdentifier=old"),
        ({"Dimensions": []}, "dimensions none"),
    ],
)
async def test_an_alarm_that_differs_is_told_in_what(aws: ModelledAws, more: Any, text: str) -> None:
    reading = await read(aws, alarm(**more))
    assert (reading.values["matching"], reading.values["differing"]) == (0, 1)
    assert reading.values["differences"] == (f"connections: {text}",)
    assert {reading.unknown[name].reason for name in OF_MATCHING} == {Reason.NOT_FOUND}


async def test_no_alarm_on_the_metric_is_a_count_of_zero_and_open_questions(aws: ModelledAws) -> None:
    reading = await read(aws, alarm(MetricName="CPUUtilization"))
    assert reading.values == {"matching": 0, "differing": 0}


async def test_named_alarms_are_judged_and_missed(aws: ModelledAws) -> None:
    reading = await read(aws, alarm(MetricName="CPUUtilization"), params=WANTED | {"names": ["connections", "gone"]})
    assert (reading.values["missing"], reading.values["matching"]) == (1, 0)
    assert reading.values["differences"] == ("connections: not on AWS/RDS DatabaseConnections",)
    assert "gone: does not exist" in reading.evidence.lines
    assert aws.asked[0][1]["AlarmNames"] == ["connections", "gone"]


async def test_a_name_alone_is_enough(aws: ModelledAws) -> None:
    reading = await read(aws, alarm(), params={"names": ["connections"]})
    assert (reading.values["matching"], reading.values["missing"]) == (1, 0)


async def test_an_alarm_on_a_later_page_counts(aws: ModelledAws) -> None:
    two = paged([{"MetricAlarms": [alarm("a")]}, {"MetricAlarms": [alarm("b")]}])
    assert (await read(aws, DescribeAlarms=two)).values["matching_names"] == ("a", "b")


def math(**more: Any) -> dict[str, Any]:
    described = alarm("rate", **more)
    for name in ("Namespace", "MetricName", "Dimensions", "Statistic", "Period"):
        del described[name]
    stats = [
        {"Id": f"m{n}", "MetricStat": {"Metric": metric(name), "Period": 60, "Stat": "Sum"}, "ReturnData": False}
        for n, name in enumerate(("Deadlocks", "CommitThroughput"))
    ]
    described["Metrics"] = [*stats, {"Id": "rate", "Expression": "100*m0/m1", "ReturnData": True}]
    return described


MATH = {"namespace": "AWS/RDS", "metric": "Deadlocks", "statistic": "Sum", "threshold": 80, "period": "1m"}


async def test_metric_math_is_on_each_metric_below_it(aws: ModelledAws) -> None:
    listed = {"Metrics": [metric("CommitThroughput"), metric("Deadlocks", [])]}
    reading = await read(aws, math(), params=MATH, ListMetrics=listed)
    assert reading.values["matching_names"] == ("rate",)
    assert (reading.values["dead"], reading.values["without_data"]) == (False, ("Deadlocks",))


async def test_switched_off_actions_show(aws: ModelledAws) -> None:
    values = (await read(aws, alarm(ActionsEnabled=False))).values
    assert (values["actions_enabled"], values["notifies"], values["confirmed_subscribers"]) == (False, False, 1)


async def test_a_subscriber_who_has_not_confirmed_hears_nothing(aws: ModelledAws) -> None:
    values = (await read(aws, alarm(), ListSubscriptionsByTopic=subscriptions("PendingConfirmation"))).values
    assert (values["notifies"], values["confirmed_subscribers"], values["pending_subscribers"]) == (False, 0, 1)


@pytest.mark.parametrize("actions", [[], ["arn:aws:lambda:us-east-1:123456789012:function:f"]])
async def test_an_alarm_without_a_topic_tells_nobody_we_know_of(aws: ModelledAws, actions: list[str]) -> None:
    values = (await read(aws, alarm(), alarm("b", AlarmActions=actions))).values
    assert (values["notifies"], values["confirmed_subscribers"]) == (False, 0)


async def test_pages_of_subscribers_are_followed(aws: ModelledAws) -> None:
    two = paged([subscriptions("PendingConfirmation"), subscriptions(f"{TOPIC}:2", f"{TOPIC}:3")])
    assert (await read(aws, alarm(), ListSubscriptionsByTopic=two)).values["confirmed_subscribers"] == 2


@pytest.mark.parametrize(
    "listed",
    [[], [metric(dimensions=[*DIMENSIONS, {"Name": "More", "Value": "x"}])], [metric(dimensions=[])]],
)
async def test_dimensions_without_any_data_are_dead(aws: ModelledAws, listed: Any) -> None:
    values = (await read(aws, alarm(), ListMetrics={"Metrics": listed})).values
    assert (values["dead"], values["without_data"]) == (True, ("DatabaseConnections",))
    assert ("ListMetrics", {"Namespace": "AWS/RDS", "Dimensions": DIMENSIONS}) in aws.asked


async def test_a_metric_never_heard_of_under_living_dimensions_is_told_apart(aws: ModelledAws) -> None:
    values = (await read(aws, alarm(), ListMetrics={"Metrics": [metric("CPUUtilization")]})).values
    assert (values["dead"], values["without_data"]) == (False, ("DatabaseConnections",))


async def test_without_dimensions_the_metric_itself_is_looked_for(aws: ModelledAws) -> None:
    params = {"namespace": "AWS/RDS", "metric": "DatabaseConnections"}
    reading = await read(aws, alarm(Dimensions=[]), params=params, ListMetrics={"Metrics": [metric(dimensions=[])]})
    assert reading.values["dead"] is False
    assert ("ListMetrics", {"Namespace": "AWS/RDS", "MetricName": "DatabaseConnections"}) in aws.asked


async def test_a_composite_alarm_looks_at_no_metric(aws: ModelledAws) -> None:
    composite = {"AlarmName": "c", "ActionsEnabled": True, "AlarmActions": [TOPIC], "AlarmRule": "ALARM(a)"}
    reading = await read(aws, params={"names": ["c"]}, DescribeAlarms={"CompositeAlarms": [composite]})
    assert reading.evidence.lines == ("c: as planned (judges by composite)",)
    assert {reading.unknown[name].reason for name in ("dead", "without_data")} == {Reason.NO_DATA}
    assert reading.values["notifies"] is True


async def test_an_alarm_that_is_muted_notifies_nobody_now(aws: ModelledAws) -> None:
    rule = {"AlarmMuteRuleArn": "arn:aws:cloudwatch:us-east-1:123456789012:alarm-mute-rule:night", "Status": "ACTIVE"}
    reading = await read(aws, alarm(), ListAlarmMuteRules={"AlarmMuteRuleSummaries": [rule]})
    assert (reading.values["muted"], reading.values["notifies"]) == (True, False)
    assert reading.values["confirmed_subscribers"] == 1
    assert ("ListAlarmMuteRules", {"AlarmName": "connections", "Statuses": ["ACTIVE"]}) in aws.asked


async def test_an_alarm_whose_actions_are_suppressed_notifies_nobody_now(aws: ModelledAws) -> None:
    composite = {"AlarmName": "c", "ActionsEnabled": True, "AlarmActions": [TOPIC], "AlarmRule": "ALARM(a)"}
    suppressed = composite | {"ActionsSuppressedBy": "Alarm"}
    reading = await read(aws, params={"names": ["c"]}, DescribeAlarms={"CompositeAlarms": [suppressed]})
    assert (reading.values["muted"], reading.values["notifies"]) == (True, False)


async def test_a_log_alarm_is_there_and_is_told_for_what_it_is(aws: ModelledAws) -> None:
    log = {
        "AlarmName": "l",
        "ActionsEnabled": True,
        "AlarmActions": [TOPIC],
        "QueryResultsToEvaluate": 3,
        "Threshold": 80.0,
    }
    reading = await read(aws, params={"names": ["l"], "threshold": 80}, DescribeAlarms={"LogAlarms": [log]})
    assert (reading.values["missing"], reading.values["matching"]) == (0, 0)
    assert reading.values["differences"] == ("l: judges by log instead of a threshold",)


@pytest.mark.parametrize(
    ("operation", "fields", "action"),
    [
        (
            "ListSubscriptionsByTopic",
            {"notifies", "muted", "confirmed_subscribers", "pending_subscribers"},
            "sns:ListSubscriptionsByTopic",
        ),
        ("ListMetrics", {"dead", "without_data"}, "cloudwatch:ListMetrics"),
        ("ListAlarmMuteRules", {"muted", "notifies"}, "cloudwatch:ListAlarmMuteRules"),
    ],
)
@pytest.mark.parametrize(("said", "reason"), [(DENIED, Reason.ACCESS_DENIED), (THROTTLED, Reason.THROTTLED)])
async def test_a_part_that_fails_makes_only_its_fields_unknown(
    aws: ModelledAws, operation: str, fields: set[str], action: str, said: Any, reason: Reason
) -> None:
    reading = await read(aws, alarm(), **{operation: said})
    assert {name for name, u in reading.unknown.items() if u.reason is reason} == fields
    assert reading.values["matching"] == 1
    if reason is Reason.ACCESS_DENIED:
        assert action in reading.unknown[min(fields)].hint


@pytest.mark.parametrize(("said", "reason"), [(DENIED, Reason.ACCESS_DENIED), (THROTTLED, Reason.THROTTLED)])
async def test_a_refusal_makes_everything_unknown(aws: ModelledAws, said: Any, reason: Reason) -> None:
    reading = await read(aws, DescribeAlarms=said)
    assert not reading.values
    assert {u.reason for u in reading.unknown.values()} == {reason}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"threshold": 5},
        {"namespace": "AWS/RDS"},
        {"names": ["a"], "dimensions": {"a": "b"}},
        {"names": ["a"], "statistic": "Sum"},
        {"names": ["a"], "comparison": "More"},
    ],
)
def test_a_definition_must_say_of_what(given: Any) -> None:
    with pytest.raises(ValidationError):
        AlarmDefinitionParams.model_validate(given)
