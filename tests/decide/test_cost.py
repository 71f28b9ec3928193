"""What deciding costs late in a long night, in functions called. `tests/bench/long_night_bench.py` has the times."""

from __future__ import annotations

from functools import partial

from decide.long_night import calls, long_night
from decide.scene import START, STEP, Scene, reading, trigger

from cockpit.decide.decide import decide
from cockpit.decide.limits import limits_of
from cockpit.decide.sampling import Sampler

HOUR = 3600 // 15


def deciding(scene: Scene) -> int:
    return calls(lambda: decide(scene.plan, scene.board, scene.record, scene.now))


def test_four_times_the_flaps_cost_no_more_than_four_times_as_much() -> None:
    few, many = (deciding(long_night(flaps=flaps, steps=2 * HOUR)) for flaps in (50, 200))
    assert many <= 4 * few


def test_gaps_of_the_past_cost_nothing() -> None:
    few, many = (deciding(long_night(gaps=gaps, steps=2 * HOUR)) for gaps in (2, 20))
    assert many <= 1.1 * few


def test_a_gap_costs_what_it_touches_and_not_the_night_before_it() -> None:
    short, long = (long_night(steps=hours * HOUR) for hours in (1, 4))
    assert sleeping(long) <= 1.1 * sleeping(short)


def sleeping(scene: Scene) -> int:
    return calls(lambda: scene.board.gap(scene.now - 4 * STEP, scene.now))


def test_a_reading_costs_what_it_touches_and_not_the_night_before_it() -> None:
    short, long = (long_night(flaps=20 * hours, steps=hours * HOUR) for hours in (1, 4))
    assert one_more(long) <= 1.1 * one_more(short)


def one_more(scene: Scene) -> int:
    return calls(lambda: scene.board.add("m", reading(scene.now + STEP)))


def test_what_a_reading_does_not_change_is_not_worked_out_again() -> None:
    scene = long_night(steps=HOUR)
    same, other = (calls(partial(taken, scene, rate)) for rate in (0.0, 0.01))
    assert same <= 0.9 * other


def test_a_sample_that_finds_everything_as_it_was_is_not_evaluated_again() -> None:
    rule = trigger("errors", "m.rate > 0.05 && n.ok", clear_condition="m.rate < 0.01")
    scene = Scene(rule).feed_all("0x3")
    limits = limits_of(rule, scene.plan.probes, ("m", "n"))
    sampler = Sampler(rule, ("m", "n"), limits, START, None)
    first, second = (calls(lambda: sampler.sample(scene.board.readings, scene.now), "execute") for _ in range(2))
    assert first > second == 0


def taken(scene: Scene, rate: float) -> None:
    scene.now += STEP
    scene.board.add("m", reading(scene.now, {"rate": rate}))
