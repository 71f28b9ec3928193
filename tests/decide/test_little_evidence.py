"""Too few requests for a share, which all the same lies between two bounds: what is the same everywhere between is decided."""

from __future__ import annotations

from datetime import datetime

from decide.scene import CALM, GOOD, STEP, Scene, at, reading, success, trigger

from cockpit.decide.states import State
from probes.reading import Bounds, Reading, Reason, Unknown


def between(low: float, high: float, when: datetime, data_at: datetime | None = None) -> Reading:
    """One poll whose share of failed requests is not known, and lies between these."""
    why = Unknown(Reason.LOW_VOLUME, "8 of 20 requests", "", Bounds(low, high))
    return Reading(when, data_at or when, {name: GOOD[name] for name in GOOD if name != "rate"}, {"rate": why})


def test_a_share_that_is_surely_low_enough_clears_a_trip() -> None:
    scene = Scene(trigger("errors", "m.rate > 0.4", clear_condition="m.rate < 0.2"), CALM[0]).feed("0.5")
    states = []
    for high in (0.3, 0.2, 0.1):
        scene.now += STEP
        scene.board.add("m", between(0, high, scene.now))
        states.append(scene.tick().state("errors"))
    assert states == [State.TRIPPED, State.TRIPPED, State.CLEAR]


def test_what_a_share_surely_comes_to_is_no_older_than_that_share() -> None:
    """`a || b`, and a alone decides: it is as fresh as a, however old b is."""
    scene = Scene(success("few", "m.rate < 0.5 || n.rate < 0.5", stale_after=30), CALM[1]).feed("0", "n")
    scene.now += STEP
    scene.board.add("m", between(0.1, 0.4, scene.now))
    assert scene.wait(30).state("few") is State.MET
    assert scene.wait(0.001).reason("few") is Reason.STALE


def test_what_is_learned_later_of_a_share_counts_though_every_value_is_the_same() -> None:
    scene = Scene(trigger("errors", "m.rate > 0.05"), CALM[0])
    states = []
    for second, low in ((15, 0.0), (16, 0.1)):
        scene.now = at(second)
        scene.board.add("m", between(low, 0.9, scene.now, data_at=at(15)))
        states.append(scene.tick().state("errors"))
    assert states == [State.UNKNOWN, State.TRIPPED]


def test_a_correction_with_which_a_share_surely_was_too_high_before_moves_no_trip() -> None:
    scene = Scene(trigger("errors", "m.rate > 0.05"), CALM[0])
    scene.now = at(15)
    scene.board.add("m", between(0.1, 0.9, scene.now))
    before = scene.tick().situation.verdict.latch
    assert before is not None
    scene.now = at(20)
    scene.board.add("m", reading(scene.now, {"rate": 0.2}, data_at=at(15)))
    after = scene.tick().situation.verdict.latch
    assert after is not None
    assert after.trips == before.trips
