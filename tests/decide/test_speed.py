"""How long a step that is under way takes, by the share that is done: at the speed of all of it, and of its newest part."""

from __future__ import annotations

from datetime import timedelta

import pytest
from decide.scene import HERE, START, at, probe, reading, seconds

from cockpit.decide.counted import Counted
from cockpit.decide.estimates import Estimate, estimate
from cockpit.decide.readings import Readings
from cockpit.decide.situation import StepStatus
from cockpit.decide.states import StepState
from cockpit.plan.model import Step

COPY = Step("copy", "Copy", HERE, duration=timedelta(hours=2), progress=("m.rate",))
UNDER_WAY = StepStatus(
    "copy", "Copy", StepState.STARTED, "", "", COPY.duration, None, "", "", HERE, began=START, by="ann"
)
AS_PLANNED = estimate(COPY, None, Counted(), Readings({}), START)


def seen(*shares: tuple[float, float], after: float = 0) -> Estimate | None:
    """What is estimated by shares at those seconds, so long after the newest."""
    readings = Readings({"m": probe("m")})
    for when, share in shares:
        readings.add("m", reading(at(when), {"rate": share}))
    return estimate(COPY, UNDER_WAY, Counted(), readings, at(shares[-1][0] + after))


def takes(shortest: float, likely: float, longest: float, text: str) -> Estimate:
    return Estimate(seconds(shortest), seconds(likely), seconds(longest), text)


def test_it_ends_by_the_speed_of_all_of_it_and_the_speed_of_its_newest_third_gives_the_range() -> None:
    assert seen((0, 0.0), (30, 0.2), (60, 0.3), (90, 0.4)) == takes(225, 225, 270, "40 % done")
    assert seen((0, 0.0), (30, 0.1), (60, 0.2), (90, 0.6)) == takes(120, 150, 150, "60 % done")


def test_the_newest_third_begins_with_the_newest_reading_that_is_not_within_it() -> None:
    assert seen((0, 0.0), (59, 0.2), (61, 0.3), (90, 0.4)) == takes(183, 225, 225, "40 % done")
    assert seen((0, 0.0), (30, 0.0), (65, 0.2), (90, 0.4)) == takes(180, 225, 225, "40 % done")


@pytest.mark.parametrize(("gained", "known"), [(0.0199, False), (0.02, True)])
def test_less_than_two_percent_says_nothing_about_a_speed(gained: float, known: bool) -> None:
    assert (seen((0, 0.0), (60, gained)) == AS_PLANNED) is not known


@pytest.mark.parametrize("shares", [[(60.0, 0.5)], [(0.0, 0.5), (60.0, 0.4)]])
def test_one_reading_and_a_share_that_falls_say_nothing_about_a_speed(shares: list[tuple[float, float]]) -> None:
    assert seen(*shares) == AS_PLANNED


@pytest.mark.parametrize("shares", [[(60.0, 1.0)], [(0.0, 1.0), (60.0, 1.0)], [(0.0, 0.2), (60.0, 1.0)]])
def test_what_is_done_took_until_it_was_last_seen(shares: list[tuple[float, float]]) -> None:
    assert seen(*shares, after=10) == takes(60, 60, 60, "100 % done")


@pytest.mark.parametrize(("after", "known"), [(50, True), (50.001, False)])
def test_a_share_counts_for_as_long_as_its_probe_may_be_silent(after: float, known: bool) -> None:
    assert (seen((0, 0.0), (60, 0.4), after=after) == takes(150, 150, 150, "40 % done")) is known


def test_of_two_shares_one_that_was_never_read_leaves_it_as_planned() -> None:
    both = Step("copy", "Copy", HERE, duration=COPY.duration, progress=("m.rate", "n.rate"))
    readings = Readings({"m": probe("m"), "n": probe("n")})
    for when, share in ((0, 0.0), (60, 0.4)):
        readings.add("m", reading(at(when), {"rate": share}))
    assert estimate(both, UNDER_WAY, Counted(), readings, at(60)) == AS_PLANNED


@pytest.mark.parametrize(("days", "known"), [(29.9, True), (30.5, False)])
def test_a_speed_at_which_it_would_take_more_than_thirty_days_is_not_told(days: float, known: bool) -> None:
    took = days * 86400 / 49
    readings = Readings({"m": probe("m")})
    for when, share in ((0.0, 0.0), (took, 0.02)):
        readings.add("m", reading(at(when), {"rate": share}))
    assert (estimate(COPY, UNDER_WAY, Counted(), readings, at(took)) != AS_PLANNED) is known
