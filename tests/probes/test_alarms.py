"""Alarms: OK is only OK when the alarm exists and could judge."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
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
RULE = {"AlarmMuteRuleArn": "arn:aws:cloudwatch:us-east-1:123456789012:alarm-mute-rule:night", "Status": "ACTIVE"}


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
    accept: Sequence[str] = (),
    muted: Sequence[bool] = (False,),
) -> Reading:
    """`muted`: whether any rule is active, then whether one is for each alarm."""
    aws.answers("cloudwatch", "describe_alarms", {"MetricAlarms": list(found)})
    for active in muted:
        aws.answers("cloudwatch", "list_alarm_mute_rules", {"AlarmMuteRuleSummaries": [RULE] if active else []})
    params = CloudWatchAlarmsParams.model_validate({"names": names, "accept": accept})
    return await CloudWatchAlarms(params, aws.clients).read(NOW)


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


def on_math(name: str = "a", **more: Any) -> dict[str, Any]:
    described = alarm(name, **more)
    for key in ("MetricName", "Namespace", "Statistic", "Dimensions", "Period"):
        del described[key]
    stat = {"Metric": {"Namespace": "n", "MetricName": "m", "Dimensions": []}, "Period": 60, "Stat": "Sum"}
    described["Metrics"] = [
        {"Id": "e", "Expression": "100*a/b", "ReturnData": True},
        {"Id": "a", "MetricStat": stat, "ReturnData": False},
        {"Id": "b", "MetricStat": stat, "ReturnData": False},
    ]
    return described


async def test_an_alarm_on_metric_math_tells_its_expression(aws: StubbedAws) -> None:
    reading = await read(aws, ["a"], on_math())
    assert (reading.values["metric"], reading.values["window_s"]) == ("100*a/b", 300.0)
    assert reading.unknown["statistic"].reason is Reason.NO_DATA


NOTHING_CAME = {
    "StateReason": "Threshold Crossed: no datapoints were received for 5 periods and 5 missing datapoints were treated as "
    "[NonBreaching].",
    "TreatMissingData": "notBreaching",
}
RESTS = (
    ("metric math", on_math(), "a is OK by metric math, which may fill in what is missing: 100*a/b"),
    ("anomaly detection", alarm("a", ThresholdMetricId="band"), "a is OK by anomaly detection"),
    ("m of n", alarm("a", DatapointsToAlarm=1), "a is OK by M of N: 1 of 5 datapoints are enough to ring"),
    ("unit", alarm("a", Unit="Percent"), "a is OK by points in Percent alone"),
    ("missing data", alarm("a", **NOTHING_CAME), "a is OK without a datapoint: it treats missing data as notBreaching"),
    (
        "missing data",
        alarm("a", TreatMissingData="ignore", StateReasonData='{"version": "1.0", "recentDatapoints": []}'),
        "a is OK without a datapoint: it treats missing data as ignore",
    ),
)


@pytest.mark.parametrize(("ground", "described", "detail"), RESTS)
async def test_an_ok_that_rests_on_something_else_than_plain_data_is_unknown_until_the_plan_accepts_that(
    aws: StubbedAws, ground: str, described: dict[str, Any], detail: str
) -> None:
    reading = await read(aws, ["a"], described)
    for field in ("all_ok", "in_alarm", "state"):
        assert reading.unknown[field].detail.startswith(detail)
    assert f'add "{ground}" to the probe\'s `accept`' in reading.unknown["all_ok"].hint
    assert reading.values["insufficient"] == 1
    accepted = await read(aws, ["a"], described, accept=[ground])
    assert (accepted.values["all_ok"], accepted.values["in_alarm"], accepted.values["state"]) == (True, 0, "OK")
    assert detail.removeprefix("a is OK ") in accepted.evidence.lines[0]
    rings = await read(aws, ["a"], described | {"StateValue": "ALARM"})
    assert (rings.values["all_ok"], rings.values["in_alarm"]) == (False, 1)


@pytest.mark.parametrize(
    "more",
    [
        {"StateReasonData": '{"recentDatapoints": [3.0]}', "TreatMissingData": "notBreaching"},
        NOTHING_CAME
        | {
            "Namespace": "AWS/ApplicationELB",
            "MetricName": "HTTPCode_Target_5XX_Count",
            "Dimensions": [{"Name": "LoadBalancer", "Value": "app/x/1"}],
            "Statistic": "Sum",
        },
    ],
    ids=["had data", "a count that AWS publishes only where it is not zero"],
)
async def test_silence_is_no_doubt_where_data_came_or_none_means_zero(aws: StubbedAws, more: dict[str, Any]) -> None:
    assert (await read(aws, ["a"], alarm("a", **more))).values["all_ok"] is True


async def test_a_mute_rule_is_found_for_the_alarm_it_mutes(aws: StubbedAws) -> None:
    reading = await read(aws, ["a", "b"], alarm("a"), alarm("b"), muted=[True, False, True])
    assert (reading.values["with_actions"], reading.values["all_ok"]) == (False, True)
    assert ["a mute rule is active" in line for line in reading.evidence.lines].count(True) == 1
    aws.answers("cloudwatch", "describe_alarms", {"MetricAlarms": [alarm("a")]})
    aws.refuses("cloudwatch", "list_alarm_mute_rules", "AccessDenied", "no")
    hidden = await CloudWatchAlarms(CloudWatchAlarmsParams(names=["a"]), aws.clients).read(NOW)
    assert hidden.unknown["with_actions"].reason is Reason.ACCESS_DENIED
    assert hidden.values["all_ok"] is True


async def test_while_a_rule_is_active_a_handful_of_many_alarms_is_asked_about_in_a_reading(aws: StubbedAws) -> None:
    names = [f"a{n:02}" for n in range(12)]
    probe = CloudWatchAlarms(CloudWatchAlarmsParams(names=names), aws.clients)

    async def round_of(muted: Sequence[bool]) -> Reading:
        aws.answers("cloudwatch", "describe_alarms", {"MetricAlarms": [alarm(name) for name in names]})
        for active in [True, *muted]:
            aws.answers("cloudwatch", "list_alarm_mute_rules", {"AlarmMuteRuleSummaries": [RULE] if active else []})
        return await probe.read(NOW)

    for seen in (5, 10):
        partial = (await round_of([False] * 5)).unknown["with_actions"]
        assert (partial.reason, f"{seen} of 12" in partial.detail) == (Reason.PARTIAL, True)
    assert (await round_of([False] * 5)).values["with_actions"] is True
    assert (await round_of([True, *[False] * 4])).values["with_actions"] is False, (
        "those asked longest ago are asked again"
    )
    assert (await round_of([False] * 5)).values["with_actions"] is False
    aws.answers("cloudwatch", "describe_alarms", {"MetricAlarms": [alarm(name) for name in names]})
    aws.answers("cloudwatch", "list_alarm_mute_rules", {"AlarmMuteRuleSummaries": []})
    assert (await probe.read(NOW)).values["with_actions"] is True, "no rule is active any more"


async def test_what_is_switched_off_does_nothing(aws: StubbedAws) -> None:
    assert (await read(aws, ["a"], alarm("a", ActionsEnabled=False), muted=())).values["with_actions"] is False


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


async def over(
    aws: StubbedAws, top: dict[str, Any], *levels: dict[str, list[dict[str, Any]]], full: Sequence[dict[str, Any]] = ()
) -> Reading:
    """`full`: what DescribeAlarms says of the children when it is asked for them by name."""
    aws.answers("cloudwatch", "describe_alarms", {"CompositeAlarms": [top]})
    for level in levels:
        aws.answers("cloudwatch", "describe_alarms", level)
    if levels:
        aws.answers("cloudwatch", "describe_alarms", {"MetricAlarms": list(full)})
    if not top.get("ActionsSuppressedBy"):
        aws.answers("cloudwatch", "list_alarm_mute_rules", {"AlarmMuteRuleSummaries": []})
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
    assert [asked for _, asked in aws.asked[1:3]] == [
        {"ChildrenOfAlarmName": of, "MaxRecords": 100} for of in ("c", "inner")
    ]


async def test_nor_over_one_whose_ok_rests_on_what_the_plan_does_not_accept(aws: StubbedAws) -> None:
    both = {"MetricAlarms": [below("a"), below("b")]}
    reading = await over(aws, composite("c"), both, full=[alarm("a"), alarm("b", ThresholdMetricId="band")])
    assert reading.unknown["all_ok"].detail.startswith("c is OK, but b below it is OK by anomaly detection")


async def test_a_composite_alarm_that_rings_has_judged_whatever_is_below(aws: StubbedAws) -> None:
    reading = await over(aws, composite("c", "ALARM"))
    assert (reading.values["all_ok"], reading.values["in_alarm"]) == (False, 1)


async def test_what_is_below_one_and_cannot_be_seen_hides_no_other_alarm(aws: StubbedAws) -> None:
    aws.answers(
        "cloudwatch", "describe_alarms", {"CompositeAlarms": [composite("c")], "MetricAlarms": [alarm("a", "ALARM")]}
    )
    aws.refuses("cloudwatch", "describe_alarms", "AccessDenied", "no")
    aws.answers("cloudwatch", "list_alarm_mute_rules", {"AlarmMuteRuleSummaries": []})
    both = await CloudWatchAlarms(CloudWatchAlarmsParams(names=["a", "c"]), aws.clients).read(NOW)
    assert (both.values["all_ok"], both.values["in_alarm"], both.values["insufficient"]) == (False, 1, 1)
    aws.answers("cloudwatch", "describe_alarms", {"CompositeAlarms": [composite("c")]})
    aws.refuses("cloudwatch", "describe_alarms", "AccessDenied", "no")
    aws.answers("cloudwatch", "list_alarm_mute_rules", {"AlarmMuteRuleSummaries": []})
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
    for accept in ([], ["log", "m of n"]):
        aws.answers("cloudwatch", "describe_alarms", {"LogAlarms": [log]})
        params = CloudWatchAlarmsParams.model_validate({"names": ["l"], "accept": accept})
        reading = await CloudWatchAlarms(params, aws.clients).read(NOW)
        assert (reading.values["exist_count"], reading.values["missing"], reading.values["kind"]) == (1, 0, "log")
        assert (reading.values["evaluation_periods"], reading.values["datapoints_to_alarm"]) == (3, 2)
        assert reading.values.get("all_ok") is (True if accept else None)
        if not accept:
            assert "by a log query" in reading.unknown["all_ok"].detail


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
