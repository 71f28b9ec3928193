"""Rollback trigger: UNKNOWN, CLEAR -> PENDING -> TRIPPED -> RECOVERING -> CLEAR."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from decide.scene import CALM, STEP, Scene, at, probe, reading, seconds, success, trigger

from cockpit.decide.events import Acknowledgement, Decision, PhaseBegan, Record
from cockpit.decide.readings import after_watching
from cockpit.decide.situation import Badge
from cockpit.decide.states import State, Word
from cockpit.plan.model import Mode, OnUnknown, Phase, Severity
from probes.reading import Reason

ERRORS = "m.rate > 0.05"
FOR_A_MINUTE = trigger("errors", ERRORS, hold_for=60)


def states(line: str, *criteria: object) -> list[State]:
    """The state after each poll of a line."""
    scene = Scene(*(criteria or (FOR_A_MINUTE, CALM[0])))  # type: ignore[arg-type]
    return [scene.feed(word).state("errors") for word in line.split()]


def test_it_is_unknown_until_it_has_been_seen() -> None:
    scene = Scene(FOR_A_MINUTE)
    assert scene.state("errors") is State.UNKNOWN
    assert scene.reason("errors") is Reason.WARMING


def test_pending_becomes_tripped_when_truth_has_held_over_data_times_spanning_for() -> None:
    expected = ["PENDING"] * 4 + ["TRIPPED"]
    assert states("0.2 0.2 0.2 0.2 0.2") == expected


def test_without_for_one_real_sample_trips() -> None:
    assert states("0 0.2", trigger("errors", ERRORS), CALM[0]) == ["CLEAR", "TRIPPED"]


def test_for_without_enough_samples_does_not_trip() -> None:
    """Two samples a minute apart span the minute, but min_samples is 3."""
    rule = trigger("errors", ERRORS, hold_for=60, gap_tolerance=120, stale_after=300)
    scene = Scene(rule).feed("0.2 _x3 0.2")
    assert scene.state("errors") is State.PENDING
    assert scene.feed("0.2").state("errors") is State.TRIPPED


def test_min_samples_without_for() -> None:
    assert states("0.2 0.2 0.2", trigger("errors", ERRORS, min_samples=3)) == ["PENDING", "PENDING", "TRIPPED"]


def test_a_real_clear_sample_resets_the_timer() -> None:
    assert states("0.2 0.2 0.2 0.2 0 0.2 0.2")[4:] == ["CLEAR", "PENDING", "PENDING"]


def test_unknown_pauses_the_timer_and_suspicion_survives() -> None:
    scene = Scene(FOR_A_MINUTE).feed("0.2 0.2 0.2")
    assert scene.feed("denied").state("errors") is State.UNKNOWN
    assert scene.feed("denied").state("errors") is State.UNKNOWN
    assert scene.feed("0.2").state("errors") is State.TRIPPED


def test_suspicion_expires_after_for_without_a_bad_sample() -> None:
    scene = Scene(FOR_A_MINUTE).feed("0.2 0.2 0.2 denied _x3 0.2")
    assert scene.state("errors") is State.PENDING
    assert have(scene) == timedelta(0)
    assert Scene(FOR_A_MINUTE).feed("0.2 0.2 0.2 denied _x2 0.2").state("errors") is State.TRIPPED


def test_of_a_gap_no_more_counts_than_its_tolerance_and_the_time_an_answer_takes() -> None:
    scene = Scene(trigger("errors", ERRORS, hold_for=600)).feed("0.2 _x19 0.2")
    assert scene.state("errors") is State.PENDING
    assert have(scene) == 2 * STEP + scene.plan.probes["m"].timeout


def have(scene: Scene) -> timedelta:
    progress = scene.of("errors").because.progress
    assert progress is not None
    return progress.have


@pytest.mark.parametrize(("polls", "expected"), [(3, State.PENDING), (4, State.PENDING), (5, State.TRIPPED)])
def test_for_at_its_edge(polls: int, expected: State) -> None:
    """Five polls 15 s apart span exactly 60 s."""
    assert Scene(FOR_A_MINUTE).feed(f"0.2x{polls}").state("errors") is expected


def test_tripped_trigger_never_clears_through_missing_data() -> None:
    scene = Scene(FOR_A_MINUTE).feed("0.2x5")
    for line in ("_x50", "denied", "errx10", "stale", "lowx3", "nonex3"):
        assert scene.feed(line).state("errors") is State.TRIPPED
        assert Badge.BLIND in scene.of("errors").badges
        assert "blind now" in scene.of("errors").because.line


def test_tripped_recovers_through_clear_for_twice_for() -> None:
    scene = Scene(FOR_A_MINUTE).feed("0.2x5 0")
    assert scene.state("errors") is State.RECOVERING
    assert scene.feed("0x7").state("errors") is State.RECOVERING
    assert scene.feed("0").state("errors") is State.CLEAR


def test_recovering_needs_to_be_contiguous() -> None:
    scene = Scene(FOR_A_MINUTE).feed("0.2x5 0x8 _x3 0")
    assert scene.state("errors") is State.RECOVERING
    progress = scene.of("errors").because.progress
    assert progress is not None
    assert (progress.verb, progress.have) == ("clear", timedelta(0))


def test_recovering_falls_back_at_the_first_breach_and_it_is_the_same_trip() -> None:
    scene = Scene(FOR_A_MINUTE).feed("0.2x5 0x5 0.2")
    assert scene.state("errors") is State.TRIPPED
    assert scene.situation.verdict.since == at(75)


def test_recovering_through_missing_data_stays_and_is_blind() -> None:
    scene = Scene(FOR_A_MINUTE).feed("0.2x5 0x5 stale")
    assert scene.state("errors") is State.RECOVERING
    assert Badge.BLIND in scene.of("errors").badges


def test_clear_condition_is_a_lower_bar_to_pass_on_the_way_out() -> None:
    rule = trigger("errors", ERRORS, clear_condition="m.rate < 0.01")
    scene = Scene(rule).feed("0.2 0.03 0.03")
    assert scene.state("errors") is State.TRIPPED
    assert scene.feed("0.001").state("errors") is State.CLEAR


def test_an_unknown_clear_condition_does_not_clear() -> None:
    rule = trigger("errors", ERRORS, clear_condition="n.ok")
    scene = Scene(rule).feed("0.2 0")
    assert scene.state("errors") is State.TRIPPED
    scene.now += seconds(7)
    assert scene.give("n").state("errors") is State.TRIPPED, "it is asked when the condition is seen next"
    assert scene.feed("0").state("errors") is State.CLEAR


def test_a_clear_condition_on_another_probe_counts_whenever_its_reading_arrives() -> None:
    rule = trigger("errors", ERRORS, clear_condition="n.ok")
    late, early = Scene(rule), Scene(rule)
    for scene in (late, early):
        scene.feed("0.2")
        scene.now += STEP
    early.board.add("n", reading(at(29)))
    early.board.add("m", reading(at(30)))
    late.board.add("m", reading(at(30)))
    late.board.add("n", reading(at(29)))
    assert early.tick().state("errors") is late.tick().state("errors") is State.CLEAR


def test_stale_readings_send_clear_and_pending_to_unknown() -> None:
    assert Scene(FOR_A_MINUTE).feed("0 stale").reason("errors") is Reason.STALE
    assert Scene(FOR_A_MINUTE).feed("0.2 stale").reason("errors") is Reason.STALE


def test_stale_begins_after_stale_after_and_not_before() -> None:
    scene = Scene(FOR_A_MINUTE).feed("0").wait(45)
    assert scene.state("errors") is State.CLEAR
    assert scene.wait(0.001).state("errors") is State.UNKNOWN


def test_flapping_stays_visible_after_recovery() -> None:
    scene = Scene(FOR_A_MINUTE).feed("0.2 0")
    assert scene.state("errors") is State.CLEAR
    assert Badge.FLAPPED in scene.of("errors").badges


def test_trips_in_counts_down_between_polls() -> None:
    scene = Scene(FOR_A_MINUTE).feed("0.2 0.2 0.2")
    assert scene.of("errors").trips_in == seconds(30)
    assert scene.wait(10).of("errors").trips_in == seconds(20)
    assert scene.wait(25).of("errors").trips_in == seconds(0)


def test_trips_in_waits_for_samples_too() -> None:
    rule = trigger("errors", ERRORS, hold_for=15, min_samples=5)
    assert Scene(rule).feed("0.2").of("errors").trips_in == 4 * STEP


def test_trips_in_is_only_told_while_pending() -> None:
    assert Scene(FOR_A_MINUTE).feed("0").of("errors").trips_in is None
    assert Scene(FOR_A_MINUTE).feed("0.2x5").of("errors").trips_in is None
    assert Scene(FOR_A_MINUTE).feed("0.2 denied").of("errors").trips_in is None


# -- initial_delay ---------------------------------------------------------------------------------------------------


def test_nothing_is_judged_and_nothing_trips_during_initial_delay() -> None:
    rule = trigger("errors", ERRORS, initial_delay=60)
    scene = Scene(rule).feed("0.2x3")
    assert scene.state("errors") is State.UNKNOWN
    assert scene.reason("errors") is Reason.WARMING
    assert scene.feed("0").word is Word.HOLD
    assert scene.state("errors") is State.CLEAR


def test_a_breach_that_outlasts_initial_delay_trips() -> None:
    assert Scene(trigger("errors", ERRORS, initial_delay=60)).feed("0.2x4").word is Word.ROLLBACK


def test_an_alarm_that_began_within_initial_delay_is_not_pre_existing() -> None:
    scene = Scene(trigger("alarm", "!m.ok", initial_delay=60), CALM[0]).wait(60)
    assert alarm(scene, ringing=True, since=20).word is Word.ROLLBACK


# -- already so before the cutover -----------------------------------------------------------------------------------


def alarm(scene: Scene, ringing: bool, since: float) -> Scene:
    scene.now += STEP
    scene.board.add("m", reading(scene.now, {"ok": not ringing}, state_since=at(since)))
    return scene.tick()


RINGS = trigger("alarm", "!m.ok")
FINE = success("fine", "n.ok")


def test_an_alarm_from_before_the_cutover_does_not_roll_back_but_blocks_go_until_acknowledged_by_name() -> None:
    scene = Scene(RINGS, FINE)
    for _ in range(8):
        scene.board.add("n", reading(scene.now + STEP))
        alarm(scene, ringing=True, since=-600)
    assert scene.state("alarm") is State.TRIPPED
    assert Badge.PRE_EXISTING in scene.of("alarm").badges
    assert scene.word is Word.HOLD
    assert "acknowledge it by name" in scene.situation.verdict.reasons[0]
    scene.say(Acknowledgement(scene.now, "alarm", "primary", "known for a week", role="on_call", plan_digest="d1"))
    for _ in range(5):
        scene.board.add("n", reading(scene.now + STEP))
        alarm(scene, ringing=True, since=-600)
    assert scene.tick().word is Word.GO
    assert scene.situation.verdict.reasons == ("1 criterion met, 0 triggers clear, 1 acknowledged, checklist 0/0",)


def test_an_acknowledged_alarm_that_cannot_be_seen_any_more_holds() -> None:
    scene = alarm(Scene(RINGS, FINE), ringing=True, since=-600)
    scene.say(Acknowledgement(scene.now, "alarm", "primary", "known", role="on_call", plan_digest="d1"))
    assert scene.of("alarm").ok
    assert not scene.feed("denied").of("alarm").ok


def test_an_alarm_that_cleared_and_rings_again_is_not_pre_existing() -> None:
    scene = alarm(Scene(RINGS, FINE), ringing=True, since=-600)
    scene.say(Acknowledgement(scene.now, "alarm", "primary", "known", role="on_call", plan_digest="d1"))
    alarm(scene, ringing=False, since=20)
    assert alarm(scene, ringing=True, since=40).word is Word.ROLLBACK


def test_an_alarm_that_rang_anew_between_two_polls_is_not_pre_existing() -> None:
    scene = alarm(Scene(RINGS, FINE), ringing=True, since=-600)
    assert alarm(scene, ringing=True, since=20).word is Word.ROLLBACK


def test_an_old_alarm_does_not_excuse_a_new_breach_in_the_same_condition() -> None:
    rule = trigger("either", "!m.ok || n.rate > 0.05")
    scene = Scene(rule, FINE)
    scene.board.add("n", reading(at(15), {"rate": 0.2}))
    assert alarm(scene, ringing=True, since=-600).word is Word.ROLLBACK


def test_an_old_alarm_beside_a_condition_of_today_is_still_old() -> None:
    scene = Scene(trigger("both", "!m.ok && n.running > 0"), FINE)
    scene.board.add("n", reading(at(15)))
    assert alarm(scene, ringing=True, since=-600).word is Word.HOLD


def test_what_began_before_this_phase_is_pre_existing_in_it() -> None:
    scene = alarm(Scene(RINGS, FINE), ringing=False, since=-600)
    scene.now = at(600)
    scene.say(PhaseBegan(at(600), Phase.POST_DEPLOY))
    assert Badge.PRE_EXISTING in alarm(scene, ringing=True, since=500).of("alarm").badges


# -- a plan may opt in to roll back blind ----------------------------------------------------------------------------

BLINDED = trigger("errors", ERRORS, on_unknown=OnUnknown.ROLLBACK, unknown_limit=120)


def test_unknown_past_unknown_limit_rolls_back_where_the_plan_opted_in() -> None:
    scene = Scene(BLINDED, CALM[0]).feed("0 deniedx8")
    assert scene.word is Word.HOLD
    assert scene.feed("denied").word is Word.ROLLBACK
    assert scene.situation.verdict.since == at(15 + 120)


def test_unknown_from_the_start_rolls_back_too() -> None:
    assert Scene(BLINDED, CALM[0]).feed("deniedx8").word is Word.HOLD
    assert Scene(BLINDED, CALM[0]).feed("deniedx9").word is Word.ROLLBACK


def test_a_rollback_for_being_blind_is_latched_although_it_is_seen_again() -> None:
    scene = Scene(BLINDED, CALM[0]).feed("0 deniedx12 0x3")
    assert scene.state("errors") is State.CLEAR
    assert scene.word is Word.ROLLBACK
    assert scene.situation.verdict.since == at(15 + 120)
    assert scene.dismiss().word is Word.HOLD


def test_without_opting_in_unknown_never_rolls_back() -> None:
    assert Scene(trigger("errors", ERRORS, unknown_limit=60), CALM[0]).feed("0 deniedx50").word is Word.HOLD


def test_only_a_critical_trigger_rolls_back_blind() -> None:
    rules = [
        trigger(name, ERRORS, on_unknown=OnUnknown.ROLLBACK, unknown_limit=60, severity=Severity.MAJOR)
        for name in ("a", "b")
    ]
    assert Scene(*rules, CALM[0]).feed("0 deniedx50").word is Word.HOLD


def test_a_shadow_never_rolls_back_blind() -> None:
    rule = trigger("errors", ERRORS, on_unknown=OnUnknown.ROLLBACK, unknown_limit=60, mode=Mode.SHADOW)
    assert Scene(rule, *CALM).feed("0 deniedx50").word is Word.HOLD


def test_time_nobody_was_looking_does_not_count_toward_the_unknown_limit() -> None:
    scene = Scene(BLINDED, CALM[0]).feed("0x4")
    scene.board.gap(scene.now, scene.now + seconds(3600))
    scene.wait(3600)
    assert scene.reason("errors") is Reason.OBSERVER_GAP
    assert scene.word is Word.HOLD
    assert scene.feed("0").word is Word.HOLD


def test_low_volume_counts_as_unknown_for_the_limit() -> None:
    assert Scene(BLINDED, CALM[0], probes=(probe("m"),)).feed("0 lowx9").word is Word.ROLLBACK


def test_a_negative_state_since_of_an_ok_alarm_changes_nothing() -> None:
    assert alarm(Scene(RINGS, FINE), ringing=False, since=-600).state("alarm") is State.CLEAR


def test_a_trip_for_having_been_blind_does_not_hide_the_one_before_it() -> None:
    """It is clear as soon as something is seen; the trip before it is open until the trigger is clear."""
    errors = trigger(
        "errors", "m.rate > 0.05", clear_for=600, on_unknown=OnUnknown.ROLLBACK, unknown_limit=60, stale_after=45
    )
    scene = Scene(*CALM, errors).feed("0.2 _x12 0.2 0")
    tripped, blind = scene.board.evaluate(errors, at(0), scene.now).trips
    assert (blind.cleared is not None, tripped.cleared) == (True, None)
    assert tripped.until == scene.now, "it recovers"
    again = scene.feed("0.2").board.evaluate(errors, at(0), scene.now).trips[-1]
    assert (again.since, again.first) == (scene.now, tripped.since)


def test_a_trip_for_being_blind_stays_the_one_it_was_when_the_cockpit_sleeps_after_it() -> None:
    """It tripped before the sleep, so the decision on it still answers it: no other trip comes of the sleep."""
    dark = trigger("dark", "m.rate > 0.05", on_unknown=OnUnknown.ROLLBACK, unknown_limit=60)
    scene = Scene(*CALM, dark).feed("0 denied denied denied denied denied denied")
    assert scene.word is Word.ROLLBACK
    latch = scene.situation.verdict.latch
    assert latch is not None
    assert scene.say(Decision(scene.now, "dismiss", "ann", "known", "", "backup", "d1", latch.trips)).word is Word.HOLD
    slept = scene.now
    scene.now += seconds(600)
    scene.board.gap(slept, scene.now)
    assert scene.tick().word is Word.HOLD
    assert scene.feed("denied").word is Word.HOLD


@pytest.mark.parametrize(
    ("gaps", "expected"),
    [
        ([], 60),
        ([(0, 10)], 70),
        ([(-10, 10)], 70),
        ([(-20, -10)], 60),
        ([(50, 80)], 90),
        ([(59, 80), (85, 90)], 81),
        ([(60, 80)], 60),
        ([(10, 30), (20, 40), (25, 35)], 90),
        ([(10, 20), (65, 75)], 80),
    ],
)
def test_time_without_watching_puts_off_what_comes_after_so_much_of_it(
    gaps: list[tuple[float, float]], expected: float
) -> None:
    given = [(at(began), at(ended)) for began, ended in gaps]
    assert after_watching(seconds(60), at(0), given) == at(expected)


@pytest.mark.parametrize(("age", "since"), [(45, at(15)), (46, at(61))])
def test_a_trigger_is_clear_on_from_before_while_what_it_rested_on_was_fresh(age: float, since: datetime) -> None:
    scene = Scene(trigger("errors", ERRORS, stale_after=45, gap_tolerance=45), CALM[0], record=Record()).feed("0")
    scene.now += seconds(age)
    scene.board.add("m", reading(scene.now))
    assert scene.tick().of("errors").ok_since == since
