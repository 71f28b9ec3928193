"""How old what a probe saw may be: its own limit, and what a metric is later than it was allowed to be."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from decide.scene import START, Scene, at, probe, reading, seconds, success, trigger

from cockpit.decide.limits import limits_of, own_limit
from cockpit.plan.model import OnUnknown, ProbeSpec
from probes.reading import Reading

METRIC = probe("m", period=60, settle=120)
LIVE = probe("site", settle=120)
"""Its settle means nothing: what is asked live fills nothing up."""


def late(seconds_late: float) -> Reading:
    return Reading(START, START, lateness=seconds(seconds_late))


@pytest.mark.parametrize(
    ("spec", "lateness", "more"),
    [(METRIC, 0, 0), (METRIC, 119, 0), (METRIC, 120, 0), (METRIC, 180, 60), (LIVE, 0, 0), (LIVE, 30, 30)],
)
def test_what_is_measured_to_be_later_than_its_settle_may_be_older_by_the_difference_and_nothing_younger(
    spec: ProbeSpec, lateness: float, more: float
) -> None:
    assert own_limit(spec).of(late(lateness)) == spec.stale_after + seconds(more)


def test_an_age_that_the_plan_wrote_stays_as_it_is_however_late_a_metric_is() -> None:
    criterion = replace(success("fast", "m.rate < 0.05"), stale_after=seconds(90))
    limits = limits_of(criterion, {"m": METRIC}, ["m"])
    assert limits.stale["m"].of(late(600)) == seconds(90)
    assert limits.blind == seconds(90)


def test_a_gap_that_the_plan_wrote_is_counted_from_when_the_answer_may_come() -> None:
    criterion = replace(success("fast", "m.rate < 0.05"), gap_tolerance=seconds(30))
    gap = limits_of(criterion, {"m": METRIC}, ["m"]).gap["m"]
    assert gap.of(late(0)) == seconds(30) + METRIC.lag
    assert gap.of(late(180)) == seconds(30) + METRIC.lag + seconds(60)


def test_a_sample_stands_for_no_time_where_a_probe_is_asked_live_and_adds_the_longest_period_at_most() -> None:
    slow, criterion = probe("slow", period=300, settle=120), success("both", "m.rate < 0.05")
    probes = {"m": METRIC, "slow": slow, "site": LIVE}
    of = {names: limits_of(criterion, probes, names) for names in (("m", "slow"), ("m", "site"), ("site",), ())}
    assert [(each.period, each.longest) for each in of.values()] == [
        (seconds(60), seconds(300)),
        (timedelta(0), seconds(60)),
        (timedelta(0), timedelta(0)),
        (timedelta(0), timedelta(0)),
    ]


def test_not_being_seen_trips_no_sooner_than_the_slowest_probe_may_be_old_whichever_decided_last() -> None:
    either = trigger(
        "dark", "m.rate > 0.05 || site.rate > 0.05", stale_after=None, on_unknown=OnUnknown.ROLLBACK, unknown_limit=60
    )
    scene = Scene(either, success("fine", "site.ok"), probes=(METRIC, LIVE))
    scene.board.add("site", reading(at(15), {"rate": 0.2}))
    last = scene.board.evaluate(either, START, at(15)).reached
    assert last is not None
    assert (last.data_at, last.fresh_until) == (at(15), at(15) + LIVE.stale_after)
    tripped = at(15) + METRIC.stale_after
    assert [len(scene.board.evaluate(either, START, moment).trips) for moment in (tripped, tripped + seconds(1))] == [
        1,
        2,
    ]
