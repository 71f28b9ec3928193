"""How old a metric comes to be by itself: in the earliest GO, and where a limit of the plan can never be met."""

from __future__ import annotations

import pytest
from support.plans.written_plan import own_probes, plan

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
