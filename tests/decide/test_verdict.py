"""The verdict: ROLLBACK, HOLD or GO, first match; slow to GO, fast to ROLLBACK."""

from __future__ import annotations

import pytest
from decide.scene import CALM, STEP, Scene, ask, at, blind, gate, item, probe, reading, seconds, success, trigger

from cockpit.decide.events import Change, Decision, PhaseBegan, PointOfNoReturn, Record, SignOff
from cockpit.decide.settle import settle
from cockpit.decide.states import State, Word
from cockpit.plan.model import Mode, Phase, Severity
from probes.reading import Reason

ERRORS = trigger("errors", "m.rate > 0.05")


def major(id_: str, condition: str, **more: object) -> object:
    return trigger(id_, condition, severity=Severity.MAJOR, **more)


# -- GO --------------------------------------------------------------------------------------------------------------


def test_go_comes_after_everything_has_held_for_verdict_dwell() -> None:
    scene = Scene(*CALM).feed("0x4")
    assert scene.word is Word.HOLD
    assert scene.situation.verdict.reasons == ("everything holds; GO in 15s if it stays so",)
    assert scene.situation.path_to_go[0].eta == at(75)
    assert scene.feed("0").word is Word.GO
    assert scene.situation.verdict.since == at(75)
    assert scene.situation.path_to_go == ()


def test_dwell_starts_over_when_anything_broke() -> None:
    scene = Scene(*CALM).feed("0x4 down up 0x3")
    assert scene.word is Word.HOLD
    assert scene.feed("0").word is Word.GO


def test_go_is_over_at_once_when_anything_breaks() -> None:
    assert Scene(*CALM).feed("0x9 down").word is Word.HOLD


@pytest.mark.parametrize("kept", [CALM[0], CALM[1]])
def test_empty_is_never_go(kept: object) -> None:
    scene = Scene(kept).feed("0x30")  # type: ignore[arg-type]
    assert scene.word is Word.HOLD
    assert "enforces no" in scene.situation.verdict.reasons[0]


@pytest.mark.parametrize("hidden", [{"mode": Mode.SHADOW}, {"severity": Severity.INFO}])
def test_what_is_not_enforced_counts_as_absent(hidden: dict[str, object]) -> None:
    assert Scene(CALM[0], trigger("quiet", "m.running < 1", **hidden)).feed("0x30").word is Word.HOLD
    assert Scene(success("fine", "m.ok", **hidden), CALM[1]).feed("0x30").word is Word.HOLD


@pytest.mark.parametrize("hidden", [{"mode": Mode.SHADOW}, {"severity": Severity.INFO}])
def test_shadow_and_info_are_shown_and_never_move_the_verdict(hidden: dict[str, object]) -> None:
    rules = (*CALM, trigger("errors", "m.rate > 0.05", **hidden), success("never", "m.rate > 0.9", **hidden))
    scene = Scene(*rules).feed("0.2x9")
    assert scene.state("errors") is State.TRIPPED
    assert scene.word is Word.GO


# -- HOLD ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "state"),
    [
        ("0x9 0.2", State.PENDING),
        ("0.2x5 0", State.RECOVERING),
        ("0x9 denied", State.UNKNOWN),
    ],
)
def test_an_enforced_trigger_that_is_not_clear_holds(line: str, state: State) -> None:
    rule = trigger("errors", "m.rate > 0.05", hold_for=60, severity=Severity.MAJOR)
    scene = Scene(rule, *CALM).feed(line)
    assert scene.state("errors") is state
    assert scene.word is Word.HOLD
    assert scene.situation.verdict.exit_code in (1, 3)


def test_one_major_tripped_holds() -> None:
    scene = Scene(*CALM, major("slow", "m.rate > 0.05")).feed("0.2x9")  # type: ignore[arg-type]
    assert scene.state("slow") is State.TRIPPED
    assert scene.word is Word.HOLD


def test_reasons_come_in_the_order_of_urgency() -> None:
    rules = (
        major("tripped", "m.rate > 0.1"),
        trigger("pending", "m.rate > 0.1", hold_for=600),
        success("proving", "m.ok", hold_for=600),
        success("unmet", "m.rate < 0.1"),
    )
    scene = Scene(*rules, after=(item("vpn", sign_off=ask()),)).feed("0.2 0.2")  # type: ignore[arg-type]
    assert [step.subject for step in scene.situation.path_to_go] == ["tripped", "pending", "unmet", "vpn", "proving"]


def test_path_to_go_has_an_eta_where_one_exists() -> None:
    rules = (
        trigger("errors", "m.rate > 0.05", hold_for=60, severity=Severity.MAJOR),
        success("proof", "m.ok", hold_for=600),
    )
    scene = Scene(*rules).feed("0.2x5 0")
    etas = {step.subject: step.eta for step in scene.situation.path_to_go}
    assert scene.state("errors") is State.RECOVERING
    assert etas == {"errors": scene.now + seconds(120), "proof": scene.now + seconds(600 - 75)}


# -- ROLLBACK --------------------------------------------------------------------------------------------------------


def test_a_critical_trigger_rolls_back() -> None:
    scene = Scene(*CALM, ERRORS).feed("0 0.2")
    assert scene.word is Word.ROLLBACK
    assert scene.situation.verdict.exit_code == 2
    assert scene.situation.verdict.reasons[0].startswith("errors")
    assert "m rate 20.0 %" in scene.situation.verdict.reasons[0]


def test_it_is_latched_even_if_the_metric_recovers_and_a_clock_counts_the_time_undecided() -> None:
    scene = Scene(*CALM, ERRORS).feed("0.2 0x39")
    assert scene.state("errors") is State.CLEAR
    assert scene.word is Word.ROLLBACK
    latch = scene.situation.verdict.latch
    assert latch is not None
    assert (latch.since, latch.undecided, latch.triggers) == (at(15), seconds(585), ("errors",))


def test_a_person_may_dismiss_it_and_then_it_may_become_go() -> None:
    scene = Scene(*CALM, ERRORS).feed("0.2 0x9").dismiss()
    assert scene.word is not Word.ROLLBACK
    assert scene.feed("0x4").word is Word.GO


def test_a_dismissed_trigger_that_stays_tripped_holds() -> None:
    assert Scene(*CALM, ERRORS).feed("0.2 0.2").dismiss().feed("0.2x9").word is Word.HOLD


def test_a_trigger_that_trips_anew_after_a_dismissal_latches_anew() -> None:
    scene = Scene(*CALM, ERRORS).feed("0.2").dismiss().feed("0 0.2")
    assert scene.word is Word.ROLLBACK
    assert scene.situation.verdict.since == at(45)


def test_a_dismissal_does_not_cover_a_trip_whose_reading_had_not_arrived_yet() -> None:
    """Asked at 20 s, dismissed for another reason at 30 s, answered at 33 s: nobody could have meant this trip."""
    scene = Scene(*CALM, ERRORS, trigger("gone", "n.running < 1")).feed("0.2").wait(15).dismiss()
    scene.now = at(33)
    scene.board.add("n", reading(at(20), {"running": 0}))
    assert scene.tick().word is Word.ROLLBACK
    assert scene.situation.verdict.latch is not None
    assert scene.situation.verdict.latch.triggers == ("gone",)


def test_execute_stops_the_clock_and_keeps_the_word() -> None:
    scene = Scene(*CALM, ERRORS).feed("0.2")
    scene.say(Decision(scene.now, "execute", "primary", "users see errors", role="on_call", plan_digest="d1")).feed(
        "0x9"
    )
    assert scene.word is Word.ROLLBACK
    assert scene.situation.verdict.latch is None
    assert "primary decided to roll back" in scene.situation.verdict.reasons[0]


def test_an_executed_rollback_ends_with_the_next_phase() -> None:
    scene = Scene(*CALM, ERRORS).feed("0.2")
    scene.say(Decision(scene.now, "execute", "primary", "go back", role="on_call", plan_digest="d1")).feed("0")
    assert scene.begin(Phase.POST_DEPLOY).feed("0x9").word is Word.GO


def test_two_majors_tripped_at_the_same_time_roll_back() -> None:
    rules = (*CALM, major("a", "m.rate > 0.05"), major("b", "n.rate > 0.05"))
    scene = Scene(*rules).feed("0.2").feed("0.2", "n")  # type: ignore[arg-type]
    assert scene.word is Word.ROLLBACK
    assert scene.situation.verdict.latch is not None
    assert scene.situation.verdict.latch.triggers == ("a", "b")
    assert scene.situation.verdict.since == at(30)


def test_two_majors_one_after_the_other_do_not() -> None:
    rules = (*CALM, major("a", "m.rate > 0.05"), major("b", "n.rate > 0.05"))
    assert Scene(*rules).feed("0.2 0").feed("0.2", "n").word is Word.HOLD  # type: ignore[arg-type]


def test_a_major_that_joins_a_dismissed_one_latches_anew() -> None:
    rules = (*CALM, major("a", "m.rate > 0.05"), major("b", "n.rate > 0.05"), major("c", "n.running < 1"))
    scene = Scene(*rules).feed("0.2").feed("0.2", "n").dismiss()  # type: ignore[arg-type]
    assert scene.word is Word.HOLD
    scene.now += STEP
    assert scene.give("n", rate=0.2, running=0).word is Word.ROLLBACK
    assert scene.situation.verdict.since == at(45)


def test_the_same_major_twice_is_one() -> None:
    rules = (*CALM, major("a", "m.rate > 0.05"))
    assert Scene(*rules).feed("0.2 0 0.2 0 0.2").word is Word.HOLD  # type: ignore[arg-type]


def test_past_the_point_of_no_return_the_word_is_fix_forward_and_says_what_would_be_lost() -> None:
    scene = Scene(*CALM, ERRORS).feed("0x9").say(PointOfNoReturn(at(135), "the purged documents")).feed("0.2")
    assert scene.word is Word.FIX_FORWARD
    assert scene.situation.verdict.loses == "the purged documents"
    assert scene.situation.verdict.exit_code == 2
    scene.say(Decision(scene.now, "fix_forward", "primary", "patch it", role="on_call", plan_digest="d1"))
    assert scene.situation.verdict.latch is None
    assert "primary decided to fix forward" in " ".join(scene.situation.verdict.reasons)


def test_once_nothing_is_in_s3_alone_a_rollback_loses_nothing_and_is_called_for_again() -> None:
    passed = PointOfNoReturn(at(135), "the purged documents", "purge 1")
    scene = Scene(*CALM, ERRORS).feed("0x9").say(passed).feed("0.2")
    assert scene.word is Word.FIX_FORWARD
    scene.say(PointOfNoReturn(scene.now, "", "purge 1", undone=True))
    assert (scene.word, scene.situation.verdict.loses) == (Word.ROLLBACK, "")
    assert scene.situation.verdict.undone == scene.now
    scene.say(PointOfNoReturn(scene.now, "two documents", "purge 1"))
    assert (scene.word, scene.situation.verdict.loses) == (Word.FIX_FORWARD, "two documents")


@pytest.mark.parametrize("undone", ["purge 2", ""])
def test_what_one_purge_took_no_other_brings_back(undone: str) -> None:
    scene = Scene(*CALM, ERRORS).feed("0x9").say(PointOfNoReturn(at(135), "documents", "purge 1")).feed("0.2")
    scene.say(PointOfNoReturn(scene.now, "", undone, undone=True))
    assert (scene.word, scene.situation.verdict.loses) == (Word.FIX_FORWARD, "documents")


def test_past_the_point_of_no_return_nothing_else_changes() -> None:
    assert Scene(*CALM, ERRORS).feed("0x9").say(PointOfNoReturn(at(135), "documents")).word is Word.GO


# -- phases ----------------------------------------------------------------------------------------------------------


def before_deployment(*criteria: object, **more: object) -> Scene:
    return Scene(*criteria, record=Record([PhaseBegan(at(0), Phase.PRE_DEPLOY)]), **more)  # type: ignore[arg-type]


def test_before_deployment_success_criteria_are_not_asked() -> None:
    scene = before_deployment(success("never", "m.rate > 0.9"), CALM[1]).feed("0x9")
    assert scene.word is Word.GO
    assert scene.begin(Phase.POST_DEPLOY).feed("0x9").word is Word.HOLD


def test_before_deployment_a_tripped_trigger_holds_because_there_is_nothing_to_roll_back() -> None:
    assert before_deployment(*CALM, ERRORS).feed("0.2x9").word is Word.HOLD


def test_items_of_the_later_phase_wait_for_it() -> None:
    scene = before_deployment(*CALM, after=(item("smoke", "!m.ok"),)).feed("0x9")
    assert scene.word is Word.GO
    assert scene.begin(Phase.POST_DEPLOY).feed("0x9").word is Word.HOLD


def test_items_of_the_earlier_phase_are_never_forgotten() -> None:
    assert Scene(*CALM, items=(item("infra", "!m.ok"),)).feed("0x9").word is Word.HOLD


def test_a_trigger_with_no_traffic_yet_does_not_block_the_deployment() -> None:
    scene = before_deployment(CALM[0], trigger("errors", "n.rate > 0.05"), items=(item("infra", "m.ok"),))
    for _ in range(9):
        scene.now += STEP
        scene.board.add("n", blind(scene.now, Reason.LOW_VOLUME))
        scene.give()
    assert scene.state("errors") is State.UNKNOWN
    assert scene.word is Word.GO
    assert scene.begin(Phase.POST_DEPLOY).word is Word.HOLD


def test_a_suspicion_is_not_excused_by_traffic_that_stopped() -> None:
    scene = before_deployment(CALM[0], trigger("errors", "n.rate > 0.05", hold_for=60), items=(item("infra", "m.ok"),))
    scene.feed("0.2", "n")
    for _ in range(20):
        scene.now += STEP
        scene.board.add("n", blind(scene.now, Reason.LOW_VOLUME))
        scene.give()
    assert scene.word is Word.HOLD


def test_signatures_and_excuses_alone_are_no_go_and_it_says_so() -> None:
    scene = before_deployment(success("team", "", sign_off=ask()), trigger("errors", "n.rate > 0.05"))
    scene.say(SignOff(scene.now, "team", "primary", "on_call", "seen", "d1"))
    scene.board.add("n", blind(scene.now, Reason.LOW_VOLUME))
    assert scene.tick().situation.verdict.reasons == ("nothing that is judged can be seen",)
    assert [step.what for step in scene.situation.path_to_go] == ["something must be seen"]


def test_what_has_no_traffic_excuses_nothing_that_cannot_be_read_beside_it() -> None:
    both = trigger("both", "n.rate > 0.05 && m.rate > 0.05")
    for reason, word in ((None, Word.GO), (Reason.TIMEOUT, Word.HOLD), (Reason.ACCESS_DENIED, Word.HOLD)):
        scene = before_deployment(CALM[0], both, items=(item("infra", "k.ok"),), probes=tuple(map(probe, "mnk")))
        for _ in range(9):
            scene.now += STEP
            scene.board.add("n", blind(scene.now, Reason.LOW_VOLUME))
            scene.board.add("m", blind(scene.now, reason or Reason.LOW_VOLUME))
            scene.give("k")
        assert scene.word is word
        assert scene.reason("both") is (reason or Reason.LOW_VOLUME)


@pytest.mark.parametrize("line", ["lowx20", "nonex20", "_x20", "deniedx20"])
def test_before_deployment_too_nothing_seen_is_never_go(line: str) -> None:
    scene = before_deployment(*CALM, gates=(gate(required=0),)).feed(line)
    assert scene.word is Word.HOLD


def test_each_phase_begins_its_own_proof() -> None:
    scene = Scene(success("proof", "m.ok", hold_for=60), CALM[1]).feed("0x9").wait(1)
    scene.begin(Phase.POST_DEPLOY).feed("0x4")
    assert scene.state("proof") is State.PROVING


# -- the word, and its number ----------------------------------------------------------------------------------------


def test_exit_codes_follow_the_nagios_convention() -> None:
    assert Scene(*CALM).feed("0x9").situation.verdict.exit_code == 0
    assert Scene(*CALM).feed("0").situation.verdict.exit_code == 1
    assert Scene(*CALM, ERRORS).feed("0.2").situation.verdict.exit_code == 2
    assert Scene(*CALM).situation.verdict.exit_code == 3
    assert Scene(*CALM).feed("expiredx9").situation.verdict.exit_code == 3


def test_one_probe_that_sees_something_makes_it_a_judgement() -> None:
    assert Scene(success("fine", "n.ok"), CALM[1]).feed("0").situation.verdict.exit_code == 1


def test_every_change_of_the_word_is_told_once() -> None:
    scene = Scene(*CALM, ERRORS).feed("0x9 down up 0x9 0.2")
    told = [(c.before, c.after) for c in scene.record.all(Change) if c.subject == "verdict"]
    assert told == [("HOLD", "GO"), ("GO", "HOLD"), ("HOLD", "GO"), ("GO", "ROLLBACK")]


def test_what_changed_with_what_was_recorded_is_told_with_it() -> None:
    """A trip that was asked for before a dismissal, and answered after it: it calls once it was shown."""
    scene = Scene(*CALM, ERRORS, trigger("gone", "n.running < 1")).feed("0.2").wait(15).dismiss()
    scene.now = at(33)
    scene.board.add("n", reading(at(20), {"running": 0}))
    recorded = len(scene.record.all(Change))
    _, told = settle(scene.plan, scene.board, scene.record, scene.situation, scene.now)
    assert [each.subject for each in told] == ["gone", "verdict"]
    assert list(told) == scene.record.all(Change)[recorded:]


def test_changes_of_criteria_items_and_gates_are_told_too() -> None:
    scene = Scene(*CALM, ERRORS, items=(item("infra", "m.ok"),)).feed("0 down")
    told = [f"{c.subject} {c.after}" for c in scene.record.all(Change)]
    assert told == ["fine MET", "quiet CLEAR", "errors CLEAR", "infra PASS", "fine NOT MET", "infra FAIL"]


def test_a_verdict_is_the_same_however_often_it_is_asked_for() -> None:
    scene = Scene(*CALM, ERRORS, probes=(probe("m"),)).feed("0x9 0.2")
    assert scene.tick().situation == scene.tick().situation


# -- what comes next -------------------------------------------------------------------------------------------------


def two(severity: Severity) -> Scene:
    """One that trips at once and one that takes 30 s, both tripped and dismissed for ten minutes; then the second is clear."""
    slow = trigger("slow", "m.running < 1", severity=severity, hold_for=30, clear_for=0, min_samples=1)
    scene = Scene(success("fine", "n.ok"), trigger("quick", "m.rate > 0.05", severity=severity), slow)
    for running in (0, 0, 0, 2):
        scene.now += STEP
        scene.board.add("n", reading(scene.now))
        scene.give(rate=0.2, running=running)
        if (latch := scene.situation.verdict.latch) is not None and running == 0:
            until = scene.now + seconds(600)
            scene.say(Decision(scene.now, "dismiss", "ann", "known", "", "backup", "d1", latch.trips, until))
    assert (scene.word, scene.state("quick"), scene.state("slow")) == (Word.HOLD, State.TRIPPED, State.CLEAR)
    return scene


@pytest.mark.parametrize("severity", [Severity.CRITICAL, Severity.MAJOR])
def test_a_dismissal_hides_no_rollback_that_comes_of_a_trigger_breaching_anew(severity: Severity) -> None:
    scene = two(severity)
    seen = []
    for _ in range(3):
        scene.now += STEP
        scene.board.add("n", reading(scene.now))
        scene.give(rate=0.2, running=0)
        seen.append((scene.word, scene.situation.verdict.turns_in))
    assert seen == [(Word.HOLD, seconds(30)), (Word.HOLD, seconds(15)), (Word.ROLLBACK, None)]
