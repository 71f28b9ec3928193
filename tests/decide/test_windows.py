"""Windows: each probe's own limits, gaps judged when they happen, periods that are counted, and M of N."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from decide.scene import CALM, START, STEP, Scene, at, blind, probe, reading, seconds, success, trigger

from cockpit.decide.limits import ZERO, Limits, limits_of
from cockpit.decide.readings import Readings
from cockpit.decide.states import State, Word
from cockpit.decide.window import Seen, inside
from probes.frozen import frozen
from probes.reading import Reading, Reason, Unknown

OWN = {"gap_tolerance": None, "stale_after": None}
"""Each probe's own limits."""
SITE = probe("m")
BALANCER = probe("slow", interval=60, period=300, settle=60)
MINUTE = timedelta(minutes=1)


def metric(scene: Scene, minute: int, rate: float | None, name: str = "m") -> Scene:
    """The period that ends at this minute, as it is read when it has settled; None: too little traffic to say."""
    scene.now = START + minute * MINUTE + timedelta(seconds=60)
    ended = START + minute * MINUTE
    if rate is None:
        low = {"rate": Unknown(Reason.LOW_VOLUME, "3 of 20 requests")}
        scene.board.add(name, Reading(scene.now, ended, {"running": 2}, low))
    else:
        scene.board.add(name, reading(scene.now, {"rate": rate}, data_at=ended))
    return scene.tick()


def minutes(scene: Scene, *rates: float | None, first: int = 1) -> Scene:
    for minute, rate in enumerate(rates, first):
        metric(scene, minute, rate)
    return scene


METRIC = (probe("m", period=60, settle=60),)


def test_what_reads_nothing_has_no_limits() -> None:
    assert limits_of(success("signed", ""), {}, ()) == Limits({}, {}, period=ZERO, longest=ZERO)


# -- each probe's own limits -----------------------------------------------------------------------------------------


def beside_a_balancer(scene: Scene, steps: int, site: str) -> Scene:
    """Polls of the site while the balancer's five-minute periods come in, all good."""
    for _ in range(steps):
        scene.now += STEP
        since = (scene.now - START - timedelta(seconds=60)) // timedelta(minutes=5)
        if since:
            scene.board.add("slow", reading(scene.now, data_at=START + since * timedelta(minutes=5)))
        if site == "denied":
            scene.board.add("m", blind(scene.now, Reason.ACCESS_DENIED))
        elif site != "_":
            scene.board.add("m", reading(scene.now, {"ok": site == "up"}))
        scene.tick()
    return scene


BOTH = success("both", "m.ok && slow.rate < 0.05", hold_for=600, **OWN)
EITHER = trigger("either", "!m.ok || slow.rate > 0.05", hold_for=600, **OWN)


@pytest.mark.parametrize("blindness", ["denied", "_"])
def test_nine_blind_minutes_of_a_site_beside_a_five_minute_balancer_prove_nothing_and_trip_nothing(
    blindness: str,
) -> None:
    scene = beside_a_balancer(Scene(BOTH, EITHER, probes=(SITE, BALANCER)), 80, "up")
    assert scene.state("both") is State.MET
    assert str(scene.word) == "GO"
    beside_a_balancer(scene, 36, blindness)
    assert str(scene.word) == "HOLD"
    beside_a_balancer(scene, 1, "up")
    assert scene.state("both") is State.PROVING
    progress = scene.of("both").because.progress
    assert progress is not None
    assert progress.have == timedelta(0)
    assert scene.state("either") is State.CLEAR


def test_a_breach_of_the_site_does_not_count_on_while_it_is_not_seen() -> None:
    scene = beside_a_balancer(Scene(EITHER, CALM[0], probes=(SITE, BALANCER)), 40, "up")
    beside_a_balancer(scene, 2, "down")
    beside_a_balancer(scene, 36, "denied")
    assert beside_a_balancer(scene, 1, "down").state("either") is State.PENDING
    assert scene.word is Word.HOLD


def test_go_never_outlives_the_limit_of_the_fast_probe() -> None:
    scene = beside_a_balancer(Scene(BOTH, EITHER, probes=(SITE, BALANCER)), 80, "up")
    scene.now += SITE.stale_after
    assert scene.tick().word is Word.GO
    assert scene.wait(0.001).word is Word.HOLD
    assert scene.reason("both") is scene.reason("either") is Reason.STALE


def test_the_slow_probe_is_not_stale_because_it_is_slow() -> None:
    scene = beside_a_balancer(Scene(BOTH, EITHER, probes=(SITE, BALANCER)), 200, "up")
    assert scene.state("both") is State.MET
    assert "FLAPPED" not in scene.of("either").badges
    assert scene.word is Word.GO


def test_what_is_not_needed_makes_nothing_stale() -> None:
    """`a || b`, and only b can be seen: as fresh as b."""
    scene = Scene(success("any", "m.ok || n.ok", **OWN), trigger("all", "!m.ok && !n.ok", **OWN)).feed_all("0")
    for _ in range(20):
        scene.now += STEP
        scene.give("n")
    assert scene.state("any") is State.MET
    assert scene.state("all") is State.CLEAR


@pytest.mark.parametrize(("older", "newer"), ["mn", "nm"])
def test_what_either_of_two_readings_decides_is_as_fresh_as_the_newer(older: str, newer: str) -> None:
    scene = Scene(success("any", "m.ok || n.ok", stale_after=30)).feed("up", older).feed("up", newer)
    assert scene.wait(30).state("any") is State.MET
    assert scene.wait(0.001).reason("any") is Reason.STALE


@pytest.mark.parametrize(("second", "state"), [(45, State.MET), (45.001, State.UNKNOWN)])
def test_a_reading_counts_beside_a_newer_one_until_it_is_stale(second: float, state: State) -> None:
    scene = Scene(success("both", "m.ok && n.ok", stale_after=30)).feed("up", "n")
    scene.now = at(second)
    assert scene.give("m").state("both") is state


@pytest.mark.parametrize(("silent", "state"), [(45, State.MET), (56, State.PROVING)])
def test_one_throttled_poll_and_the_slower_one_after_it_cost_no_proof(silent: float, state: State) -> None:
    """A throttled probe of 15 s is asked again after 30 s; its answer may take its time."""
    fast = success("fast", "m.ok", hold_for=60, **OWN)
    scene = Scene(fast, probes=(probe("m"),)).feed("upx5 throttled")
    scene.now += seconds(silent) - STEP
    scene.give()
    assert scene.state("fast") is state


# -- gaps, judged when they happen -----------------------------------------------------------------------------------


def test_a_gap_breaks_a_proof_when_it_happens_whatever_comes_after_it() -> None:
    fast = success("fast", "m.ok", hold_for=60, stale_after=600)
    blinded, seen_again = Scene(fast, CALM[1]).feed("upx9"), Scene(fast, CALM[1]).feed("upx9")
    for scene in (blinded, seen_again):
        assert scene.word is Word.GO
        scene.wait(36)
        assert scene.state("fast") is State.PROVING
        assert scene.of("fast").because.line.endswith("there was a gap")
    assert seen_again.give().state("fast") is State.PROVING
    assert blinded.word is seen_again.word is Word.HOLD


def test_a_gap_breaks_what_was_seen_once_as_well() -> None:
    scene = Scene(success("fine", "m.ok", stale_after=600), CALM[1]).feed("upx9").wait(36)
    assert scene.state("fine") is State.PROVING
    assert scene.word is Word.HOLD
    assert scene.give().state("fine") is State.MET
    assert scene.word is Word.HOLD, "it has to dwell again"


def test_a_gap_breaks_a_recovery_when_it_happens() -> None:
    scene = Scene(trigger("errors", "m.rate > 0.05", hold_for=60, stale_after=600)).feed("0.2x5 0x5").wait(36)
    assert scene.state("errors") is State.RECOVERING
    progress = scene.of("errors").because.progress
    assert progress is not None
    assert progress.have == timedelta(0)


def test_a_sleep_in_which_the_metric_store_has_every_period_costs_no_proof() -> None:
    few = success("few", "m.rate < 0.05", hold_for=600, **OWN)
    scene = minutes(Scene(few, probes=METRIC), *[0.0] * 10)
    assert scene.state("few") is State.MET
    asleep = scene.now
    scene.now += 10 * MINUTE
    scene.board.gap(asleep, scene.now)
    scene.tick()
    earlier = tuple(reading(scene.now, data_at=START + minute * MINUTE) for minute in range(11, 20))
    scene.board.add("m", reading(scene.now, data_at=START + 20 * MINUTE, earlier=earlier))
    assert scene.tick().state("few") is State.MET


def test_a_sleep_before_anything_was_read_is_no_error() -> None:
    scene = Scene(*CALM).tick()
    scene.board.gap(START, START + MINUTE)
    scene.now += MINUTE
    assert scene.tick().state("fine") is State.UNKNOWN
    assert scene.feed("0").state("fine") is State.MET


# -- metric periods are counted --------------------------------------------------------------------------------------

BAD_FOR_5M = trigger("errors", "m.rate > 0.05", hold_for=300, **OWN)


@pytest.mark.parametrize(("bad", "state"), [(4, State.PENDING), (5, State.TRIPPED)])
def test_for_5m_is_five_bad_closed_minutes(bad: int, state: State) -> None:
    """The same alarm as CloudWatch's 5 of 5 periods of 60 s."""
    assert minutes(Scene(BAD_FOR_5M, probes=METRIC), *[0.2] * bad).state("errors") is state


def test_a_period_nobody_saw_is_not_counted() -> None:
    scene = minutes(Scene(BAD_FOR_5M, probes=METRIC), 0.2, 0.2, None, 0.2, 0.2)
    assert scene.state("errors") is State.PENDING
    assert metric(scene, 6, 0.2).state("errors") is State.TRIPPED


def test_of_a_period_that_began_before_the_phase_only_the_rest_counts() -> None:
    scene = Scene(BAD_FOR_5M, probes=METRIC)
    for minute in range(5):
        end = at(30 + 60 * minute)
        scene.now = end + MINUTE
        scene.board.add("m", reading(scene.now, {"rate": 0.2}, data_at=end))
    scene.tick()
    assert scene.state("errors") is State.PENDING
    assert scene.of("errors").trips_in == timedelta(seconds=30)


def test_ten_good_closed_minutes_prove_ten_minutes() -> None:
    rule = success("few", "m.rate < 0.05", hold_for=600, **OWN)
    assert minutes(Scene(rule, probes=METRIC), *[0.0] * 9).state("few") is State.PROVING
    assert minutes(Scene(rule, probes=METRIC), *[0.0] * 10).state("few") is State.MET


def test_four_bad_minutes_an_hour_apart_are_no_five_minutes() -> None:
    """On a quiet night nothing in between can be judged; a suspicion does not last for ever."""
    quiet: list[float | None] = [None] * 59
    scene = minutes(Scene(BAD_FOR_5M, probes=METRIC), *([0.2, *quiet] * 6))
    assert scene.word is Word.HOLD
    assert scene.of("errors").because.samples == 1


# -- M of N ----------------------------------------------------------------------------------------------------------

MOSTLY = trigger("mostly", "m.rate > 0.05", within=600, at_least=0.8)


def test_19_of_20_bad_polls_roll_back() -> None:
    without_a_break = trigger("errors", "m.rate > 0.05", hold_for=300)
    scene = Scene(MOSTLY, without_a_break, CALM[0]).feed("0.2x19 0 0.2x19 0")
    assert scene.state("errors") is State.CLEAR
    assert scene.state("mostly") in (State.TRIPPED, State.RECOVERING)
    assert scene.word is Word.ROLLBACK


def test_it_trips_when_the_share_is_reached_and_not_before() -> None:
    scene = Scene(MOSTLY, CALM[0]).feed("0.2x32")
    assert scene.state("mostly") is State.PENDING
    assert scene.of("mostly").because.line.endswith("; breached 7m45s of 8m needed within 10m (7m45s seen)")
    assert scene.of("mostly").trips_in == STEP
    assert scene.feed("0.2").state("mostly") is State.TRIPPED


def test_less_than_the_share_never_trips() -> None:
    """Three of four polls are bad, for two hours."""
    scene = Scene(MOSTLY, CALM[0])
    for _ in range(120):
        scene.feed("0.2x3 0")
        assert scene.state("mostly") is State.PENDING
    assert scene.word is Word.HOLD


def test_it_is_clear_when_nothing_bad_is_left_within_the_window() -> None:
    scene = Scene(MOSTLY, CALM[0]).feed("0.2 0x39")
    assert scene.state("mostly") is State.PENDING
    assert scene.feed("0").state("mostly") is State.CLEAR


def test_time_nobody_saw_is_neither_good_nor_bad() -> None:
    """Five blind minutes, all else is bad: they are left out of the window, which reaches further back instead."""
    scene = Scene(MOSTLY, CALM[0]).feed("0.2x20 deniedx20 0.2x11")
    assert scene.state("mostly") is State.PENDING
    assert scene.feed("0.2").state("mostly") is State.TRIPPED


def test_it_never_looks_back_over_more_than_twice_its_window() -> None:
    scene = Scene(MOSTLY, CALM[0]).feed("0.2x30 deniedx80 0.2x5")
    assert scene.state("mostly") is State.PENDING
    assert scene.of("mostly").because.samples == 5


@pytest.mark.parametrize(("rates", "state"), [((0.2, 0, 0), State.PENDING), ((0.2, 0, 0.2), State.TRIPPED)])
def test_cloudwatch_2_of_3_periods(rates: tuple[float, ...], state: State) -> None:
    rule = trigger("two of three", "m.rate > 0.05", within=180, at_least=0.66, min_samples=2, **OWN)
    assert minutes(Scene(rule, probes=METRIC), *rates).state("two of three") is state


def test_cloudwatch_3_of_5_periods_forgets_the_sixth() -> None:
    rule = trigger("three of five", "m.rate > 0.05", within=300, at_least=0.6, **OWN)
    assert minutes(Scene(rule, probes=METRIC), 0.2, 0.2, 0, 0, 0, 0.2).state("three of five") is State.PENDING
    assert minutes(Scene(rule, probes=METRIC), 0, 0.2, 0.2, 0, 0, 0.2).state("three of five") is State.TRIPPED


def test_what_was_before_a_recovery_has_been_answered() -> None:
    rule = trigger("mostly", "m.rate > 0.05", within=600, at_least=0.5, clear_for=30, min_samples=1)
    scene = Scene(rule, CALM[0]).feed("0.2x21")
    assert scene.state("mostly") is State.TRIPPED
    assert scene.feed("0x3").state("mostly") is State.CLEAR
    assert scene.feed("0.2x10").state("mostly") is State.PENDING


def test_what_was_bad_longer_ago_than_twice_the_window_counts_for_nothing_however_little_was_seen_since() -> None:
    """45 seconds of it, and 50 since: a minute would trip it."""
    rule = trigger("mostly", "m.rate > 0.05", within=120, at_least=0.5, min_samples=1)
    scene = Scene(rule).feed("0.2x4 0x4 _x12 0.2x2")
    progress = scene.of("mostly").because.progress
    assert scene.state("mostly") is State.PENDING
    assert progress is not None
    assert progress.have == seconds(50)


def test_a_window_that_begins_with_what_was_forgotten_holds_none_of_it() -> None:
    rule = trigger("mostly", "m.rate > 0.05", within=120, at_least=0.5, min_samples=1)
    scene = Scene(rule).feed("0.2x4 0x30")
    scene.board._evaluators["mostly"].forget_before(scene.now)
    assert scene.feed("0.2").state("mostly") is State.PENDING


def test_a_window_after_a_recovery_forgets_like_any_other() -> None:
    rule = trigger("mostly", "m.rate > 0.05", within=600, at_least=0.5, clear_for=30, min_samples=1)
    scene = Scene(rule, CALM[0]).feed("0x100 0.2x21 0x3")
    assert scene.state("mostly") is State.CLEAR
    assert scene.feed("0.2 0x39").state("mostly") is State.PENDING
    assert scene.feed("0").state("mostly") is State.CLEAR


@frozen
class Sampled:
    data_at: datetime
    seen: Seen


@pytest.mark.parametrize("stood_for", [300, 301, 600, 900])
def test_a_sample_that_stands_for_more_than_the_window_fills_it_and_no_more(stood_for: float) -> None:
    whole = Seen().plus(seconds(stood_for), bad=True, new=True)
    assert inside([Sampled(START, Seen())], whole, at(stood_for), seconds(300)) == Seen(seconds(300), seconds(300), 1)


def test_what_was_forgotten_is_in_no_window_and_what_a_recovery_lies_behind_is_not_taken_off_it() -> None:
    forgotten = Seen(seconds(600), seconds(600), 40)
    later = forgotten.plus(STEP, bad=True, new=True)
    assert inside([], later, at(99), seconds(900), forgotten) == Seen(STEP, STEP, 1)
    recovered = forgotten.recovered().plus(STEP, bad=True, new=True)
    assert inside([], recovered, at(99), seconds(900), forgotten) == Seen(STEP, STEP, 1)


def test_prometheus_keep_firing_for_is_clear_for() -> None:
    rule = trigger("errors", "m.rate > 0.05", hold_for=60, clear_for=300)
    scene = Scene(rule, CALM[0]).feed("0.2x5 0x20")
    assert scene.state("errors") is State.RECOVERING
    assert scene.feed("0").state("errors") is State.CLEAR


@pytest.mark.parametrize(
    ("gaps", "since", "watched"),
    [
        ([(0, 60)], 60, 120),
        ([(0, 60)], 59, 59),
        ([(70, 130)], 60, 70),
        ([(119, 180)], 60, 119),
        ([(120, 180)], 60, 120),
        ([(70, 115)], 60, 120),
        ([(70, 116)], 60, 70),
        ([(0, 60), (62, 64), (70, 130)], 61, 70),
    ],
)
def test_a_live_probe_is_watched_until_the_cockpit_no_longer_does_for_longer_than_three_intervals(
    gaps: list[tuple[float, float]], since: float, watched: float
) -> None:
    readings = Readings({"m": probe("m")})
    readings.gaps = [(at(began), at(ended)) for began, ended in gaps]
    assert readings.watched_until("m", at(since), at(120)) == at(watched)


def test_what_reads_no_probe_waits_for_none() -> None:
    assert Readings({"m": probe("m")}).interval(()) == ZERO
