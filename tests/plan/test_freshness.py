"""How old a metric comes to be by itself: in the earliest GO, and where a limit of the plan can never be met."""

from __future__ import annotations

import pytest
from support.plans.written_plan import own_probes, plan

from cockpit.plan.load import PlanError, load_text
from cockpit.plan.summary import summarise

__all__ = ["own_probes"]
TRIGGER = "rollback_triggers: [{id: t, title: T, failure_condition: live.running < 1}]\n"
METRIC = (
    TRIGGER
    + "success_criteria: [{id: s, title: S, success_condition: metric.rate < 0.05, for: 5m%s}]\nverdict_dwell: 0s\n"
)
LIVE = (
    TRIGGER
    + "success_criteria: [{id: s, title: S, success_condition: live.running > 0, for: 5m%s}]\nverdict_dwell: 0s\n"
)


@pytest.mark.parametrize(("text", "earliest"), [(METRIC, "7m"), (LIVE, "5m")])
def test_the_earliest_go_waits_for_a_metric_to_close_and_settle(text: str, earliest: str) -> None:
    assert f"earliest GO {earliest} after the phase begins" in " ".join(" ".join(summarise(plan(text % ""))).split())


UPLOADS = """\
plan: v1
name: p
verdict_dwell: 0s
probes:
  puts:
    uses: cloudwatch.metric
    with: {namespace: AWS/S3, dimensions: {BucketName: b, FilterId: all}, metric: PutRequests, stat: Sum%s}
success_criteria: [{id: s, title: S, success_condition: puts.points > 0}]
rollback_triggers: [{id: t, title: T, failure_condition: puts.value > 100.0%s}]
"""


def said_of(text: str) -> str:
    return " ".join(" ".join(summarise(load_text(text, "plan.yaml"))).split())


def test_what_aws_publishes_late_is_in_the_earliest_go_of_criteria_and_of_triggers() -> None:
    assert "earliest GO 16m after the phase begins" in said_of(UPLOADS % ("", ""))
    live = METRIC.replace("metric.rate < 0.05, for: 5m%s", "live.running > 0")
    watched = live.replace("live.running < 1", "metric.rate > 0.05")
    assert "earliest GO 2m after the phase begins" in " ".join(" ".join(summarise(plan(watched))).split())


def test_a_limit_below_what_aws_itself_is_late_is_told_with_the_numbers() -> None:
    said = said_of(UPLOADS % ("", ", stale_after: 10m"))
    assert "t is UNKNOWN for good: stale_after is 10m" in said
    assert "period 1m, settle 15m, read every 1m" in said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            "AWS/S3, dimensions: {BucketName: b, FilterId: all}, metric: 5xxErrors, settle: 2m, lookback: 10",
            "AWS/S3 5xxErrors comes up to 15m late, and settle 2m with lookback 10 of 1m reaches back 12m",
        ),
        (
            "AWS/RDS, dimensions: {DBInstanceIdentifier: d}, metric: CPUCreditBalance",
            "AWS/RDS CPUCreditBalance has one point every 5m, and period is 1m",
        ),
    ],
)
def test_a_metric_of_which_no_period_is_ever_seen_whole_is_refused_with_the_numbers(given: str, said: str) -> None:
    text = "plan: v1\nname: p\nprobes:\n  m: {uses: cloudwatch.metric, with: {namespace: %s, stat: Sum}}\n"
    with pytest.raises(PlanError) as refused:
        load_text(text % given, "plan.yaml")
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("text", "limit", "said"),
    [
        (METRIC, "149s", "period 1m, settle 1m, read every 30s"),
        (METRIC, "150s", ""),
        (LIVE, "30s", ""),
    ],
)
def test_a_limit_that_can_never_be_met_is_told_with_the_numbers(text: str, limit: str, said: str) -> None:
    lines = " ".join(" ".join(summarise(plan(text % f", stale_after: {limit}"))).split())
    assert ("UNKNOWN for good" in lines) is bool(said)
    assert said in lines
