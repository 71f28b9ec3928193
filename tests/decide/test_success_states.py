"""Success criterion: UNKNOWN, NOT_MET -> PROVING -> MET; and what it means not to know."""

from __future__ import annotations

from datetime import timedelta

import pytest
from decide.scene import CALM, GOOD, STEP, Scene, at, blind, probe, reading, seconds, success, trigger

from cockpit.decide.states import State, Word
from cockpit.plan.model import Phase
from probes.reading import Reading, Reason, Unknown

HEALTHY = success("healthy", "m.ok", hold_for=60)


def test_proving_becomes_met_when_it_has_held_for_long_enough() -> None:
    scene = Scene(HEALTHY).feed("up")
    assert scene.state("healthy") is State.PROVING
    assert scene.feed("upx3").state("healthy") is State.PROVING
    assert scene.feed("up").state("healthy") is State.MET


def test_the_first_real_failing_sample_restarts_the_proof() -> None:
    scene = Scene(HEALTHY).feed("upx5 down")
    assert scene.state("healthy") is State.NOT_MET
    assert scene.feed("upx4").state("healthy") is State.PROVING
    assert scene.feed("up").state("healthy") is State.MET


def test_a_gap_past_gap_tolerance_restarts_the_proof() -> None:
    scene = Scene(HEALTHY).feed("upx4 _x2 up")
    progress = scene.of("healthy").because.progress
    assert scene.state("healthy") is State.PROVING
    assert progress is not None
    assert (progress.have, progress.samples) == (timedelta(0), 1)


def test_a_gap_within_gap_tolerance_does_not() -> None:
    assert Scene(HEALTHY).feed("upx3 _ up").state("healthy") is State.MET


def test_a_gap_restarts_what_was_met_as_well() -> None:
    assert Scene(HEALTHY).feed("upx5 _x2 up").state("healthy") is State.PROVING


def test_gap_tolerance_zero_is_the_strict_form() -> None:
    strict = success("healthy", "m.ok", hold_for=60, gap_tolerance=0)
    assert Scene(strict).feed("upx9").state("healthy") is State.PROVING


def test_stale_sends_met_and_proving_to_unknown() -> None:
    assert Scene(HEALTHY).feed("upx5 stale").reason("healthy") is Reason.STALE
    assert Scene(HEALTHY).feed("up stale").reason("healthy") is Reason.STALE


def test_met_in_is_the_time_left_if_it_keeps_holding() -> None:
    scene = Scene(HEALTHY).feed("up up")
    assert scene.of("healthy").met_in == seconds(45)
    assert scene.wait(5).of("healthy").met_in == seconds(40)


def test_a_repeated_poll_of_the_same_period_is_one_sample() -> None:
    scene = Scene(success("healthy", "m.ok", min_samples=3), probes=(probe("m", period=60),))
    for second in range(0, 45, 5):
        scene.board.add("m", reading(at(second), data_at=at(0)))
    scene.now = at(45)
    assert scene.tick().of("healthy").because.samples == 1


def test_older_samples_in_the_same_answer_count() -> None:
    scene = Scene(success("healthy", "m.ok", hold_for=120, gap_tolerance=120), probes=(probe("m", period=60),))
    earlier = tuple(reading(at(200), data_at=at(second)) for second in (0, 60))
    scene.board.add("m", reading(at(200), data_at=at(120), earlier=earlier))
    scene.now = at(140)
    assert scene.tick().state("healthy") is State.MET


def test_nothing_from_before_the_phase_proves_anything() -> None:
    scene = Scene(HEALTHY, CALM[1]).feed("upx9")
    scene.wait(1).begin(Phase.POST_DEPLOY)
    assert scene.reason("healthy") is Reason.WARMING
    scene.board.add("m", reading(scene.now + STEP, earlier=(reading(scene.now + STEP, data_at=at(0)),)))
    assert scene.wait(15).of("healthy").because.samples == 1


def test_nothing_from_before_the_phase_is_carried_into_it_by_another_probe() -> None:
    scene = Scene(success("both", "m.ok && n.ok")).feed_all("0x3")
    scene.wait(1).begin(Phase.POST_DEPLOY)
    scene.board.add("n", reading(scene.now + seconds(1)))
    assert scene.wait(1).state("both") is State.UNKNOWN


def test_nothing_from_within_initial_delay_is_carried_past_it_by_another_probe() -> None:
    scene = Scene(success("both", "m.ok && n.ok", initial_delay=60)).feed_all("0x3").wait(20)
    scene.board.add("n", reading(scene.now))
    assert scene.tick().state("both") is State.UNKNOWN


# -- not knowing -----------------------------------------------------------------------------------------------------


def test_transient_errors_are_tolerated_up_to_error_limit() -> None:
    rule = success("fine", "m.ok", error_limit=3, stale_after=600, gap_tolerance=600)
    scene = Scene(rule, CALM[1]).feed("up err err")
    assert scene.state("fine") is State.MET
    assert scene.feed("err").reason("fine") is Reason.ERROR


def test_a_passing_error_of_every_probe_at_once_does_not_take_back_go() -> None:
    scene = Scene(*CALM, probes=(probe("m"),)).feed("0x9 err")
    assert scene.word is Word.GO
    assert scene.feed("0").word is Word.GO


def test_a_good_answer_resets_the_count_of_errors() -> None:
    rule = success("fine", "m.ok", error_limit=2, stale_after=600, gap_tolerance=600)
    assert Scene(rule).feed("up err up err up err").state("fine") is State.MET


@pytest.mark.parametrize("limit", [1, 4, 40])
def test_error_limit_is_kept_however_large(limit: int) -> None:
    rule = success("fine", "m.ok", error_limit=limit, stale_after=6000, gap_tolerance=6000)
    scene = Scene(rule).feed("up")
    assert scene.feed(f"errx{limit - 1}" if limit > 1 else "up").state("fine") is State.MET
    assert scene.feed("err").state("fine") is State.UNKNOWN


@pytest.mark.parametrize("reason", [reason for reason in Reason if not reason.traits.transient])
def test_permanent_reasons_are_unknown_at_once(reason: Reason) -> None:
    scene = Scene(success("fine", "m.ok")).feed("up")
    scene.board.add("m", blind(scene.now + STEP, reason))
    assert scene.wait(15).reason("fine") is reason


def test_a_passing_trouble_does_not_hide_a_permanent_one_behind_it() -> None:
    scene = Scene(success("both", "m.ok && n.ok")).feed_all("0")
    scene.now += STEP
    scene.board.add("m", blind(scene.now, Reason.TIMEOUT))
    scene.board.add("n", blind(scene.now, Reason.ACCESS_DENIED))
    assert scene.tick().reason("both") is Reason.ACCESS_DENIED


def test_errors_do_not_outlast_staleness() -> None:
    scene = Scene(success("fine", "m.ok", error_limit=100, gap_tolerance=600)).feed("up errx3")
    assert scene.state("fine") is State.MET
    assert scene.feed("err").state("fine") is State.UNKNOWN


def test_what_the_newest_poll_says_is_shown_as_the_reason_of_staleness() -> None:
    assert Scene(success("fine", "m.ok", error_limit=100)).feed("up throttledx4").reason("fine") is Reason.THROTTLED


def test_kleene_decides_without_an_unknown_operand() -> None:
    scene = Scene(success("either", "m.ok || n.ok"), trigger("any", "m.rate > 0.5 || n.rate > 0.5")).feed("up")
    assert scene.state("either") is State.MET
    assert scene.state("any") is State.UNKNOWN
    scene.now += STEP
    assert scene.give(rate=0.9).state("any") is State.TRIPPED


def test_a_probe_that_knows_a_part_blinds_only_what_reads_the_rest() -> None:
    scene = Scene(success("fine", "m.ok"), success("named", "m.name == 'web'"), CALM[1])
    values = {name: value for name, value in GOOD.items() if name != "name"}
    scene.board.add("m", Reading(at(0), at(0), values, {"name": Unknown(Reason.ACCESS_DENIED, hint="allow it")}))
    scene.tick()
    assert scene.state("fine") is State.MET
    assert scene.reason("named") is Reason.ACCESS_DENIED
    assert "(allow it)" in scene.of("named").because.line


def test_a_field_not_seen_for_too_long_is_unknown_although_its_probe_answers() -> None:
    """However many errors are tolerated: the age of what was seen of this field counts."""
    scene = Scene(success("fine", "m.ok", error_limit=100), success("other", "m.running > 0")).feed("up")
    rest = {name: value for name, value in GOOD.items() if name != "ok"}
    for _ in range(4):
        scene.now += STEP
        scene.board.add("m", Reading(scene.now, scene.now, rest, {"ok": Unknown(Reason.TIMEOUT)}))
        scene.tick()
    assert scene.reason("fine") is Reason.TIMEOUT
    assert scene.state("other") is State.MET


# -- nobody was looking ----------------------------------------------------------------------------------------------


def test_an_observer_gap_is_unknown_on_everything_until_it_is_seen_again() -> None:
    scene = Scene(HEALTHY, trigger("errors", "m.rate > 0.05")).feed("upx5")
    scene.board.gap(scene.now, scene.now + seconds(46))
    scene.wait(46)
    assert scene.reason("healthy") is scene.reason("errors") is Reason.OBSERVER_GAP
    assert scene.feed("up").state("errors") is State.CLEAR


def test_an_observer_gap_never_counts_toward_for() -> None:
    tolerant = {"hold_for": 120, "gap_tolerance": 600, "stale_after": 600}
    scene = Scene(success("healthy", "m.ok", **tolerant), trigger("errors", "!m.ok", **tolerant)).feed("upx3")
    scene.board.gap(scene.now + seconds(1), scene.now + seconds(100))
    scene.wait(100).feed("up")
    assert scene.state("healthy") is State.PROVING
    scene.feed("down down")
    scene.board.gap(scene.now + seconds(1), scene.now + seconds(100))
    scene.wait(100).feed("down")
    assert scene.state("errors") is State.PENDING
    progress = scene.of("errors").because.progress
    assert progress is not None
    assert progress.have == STEP + seconds(1), "the second it still watched"


def test_a_hiccup_of_less_than_three_intervals_is_no_observer_gap() -> None:
    scene = Scene(HEALTHY).feed("upx3")
    scene.board.gap(scene.now, scene.now + seconds(10))
    scene.wait(10)
    assert scene.state("healthy") is State.PROVING
    assert scene.wait(5).give().of("healthy").because.samples == 4


def test_three_intervals_without_watching_are_no_observer_gap_either() -> None:
    scene = Scene(HEALTHY).feed("upx3")
    scene.board.gap(scene.now, scene.now + 3 * STEP)
    assert scene.wait(45).reason("healthy") is None


def test_a_hiccup_after_an_observer_gap_does_not_hide_it() -> None:
    scene = Scene(CALM[0]).feed("up")
    scene.board.gap(scene.now, scene.now + seconds(46))
    scene.board.gap(scene.now + seconds(47), scene.now + seconds(53))
    assert scene.wait(53).reason("fine") is Reason.OBSERVER_GAP


def test_every_probe_of_a_condition_must_be_seen_after_a_gap() -> None:
    scene = Scene(success("both", "m.ok && n.ok")).feed_all("0x3")
    scene.board.gap(scene.now, scene.now + seconds(46))
    scene.wait(46).feed("up")
    assert scene.reason("both") is Reason.OBSERVER_GAP
    assert scene.word is Word.HOLD


@pytest.mark.parametrize(("later", "state"), [(30, State.MET), (31, State.PROVING)])
def test_a_proof_stands_until_its_gap_is_longer_than_what_is_tolerated(later: float, state: State) -> None:
    rule = success("fine", "m.ok", hold_for=30, gap_tolerance=25, stale_after=120)
    scene = Scene(rule, CALM[1], probes=(probe("m"),)).feed("up up up")
    assert scene.state("fine") is State.MET
    assert scene.wait(later).state("fine") is state
