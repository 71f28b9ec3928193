"""Words end with their occasion: a decision answers the trips it names, an acknowledgement one occurrence, a vote one act."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from decide.scene import CALM, HERE, START, STEP, Scene, at, gate, probe, reading, seconds, success, trigger

from cockpit.decide.events import (
    DECISION,
    Change,
    Decision,
    GateUsed,
    Occurrence,
    PhaseBegan,
    Proof,
    Record,
    ReleaseSeen,
    StepEnded,
    Vote,
    Waiver,
)
from cockpit.decide.gate import missing_before
from cockpit.decide.states import GateState, State, Word
from cockpit.plan.model import Mode, Phase, ProbeSpec, Severity, Step
from probes.reading import Field

ERRORS = trigger("errors", "m.rate > 0.05", clear_for=30)
BLOCKED = trigger("blocked", "n.running < 1", clear_for=30)


def say(scene: Scene, choice: str, *answers: Occurrence, until: float | None = None) -> Scene:
    """Decide, naming what waits now unless `answers` says otherwise."""
    latch = scene.situation.verdict.latch
    named = answers or (latch.trips if latch else ())
    ends = scene.now + seconds(until) if until is not None else None
    return scene.say(Decision(scene.now, choice, "primary", "so", "", "on_call", "d1", named, ends))


def turns(scene: Scene) -> list[tuple[str, str]]:
    return [(c.before, c.after) for c in scene.record.all(Change) if c.subject == "verdict"]


# -- decisions -------------------------------------------------------------------------------------------------------


def test_the_latch_names_its_trips_and_the_record_keeps_them() -> None:
    scene = Scene(*CALM, ERRORS).feed("0 0.2")
    assert scene.situation.verdict.latch is not None
    assert scene.situation.verdict.latch.trips == (Occurrence(at(30), "errors"),)
    assert scene.record.turns["verdict"][-1].latched == (Occurrence(at(30), "errors"),)


@pytest.mark.parametrize("choice", ["execute", "fix_forward", "dismiss"])
def test_another_trigger_that_trips_after_a_decision_latches_anew(choice: str) -> None:
    scene = say(Scene(*CALM, ERRORS, BLOCKED).feed("0.2"), choice)
    assert scene.situation.verdict.latch is None
    scene.now += STEP
    scene.give("n", running=0)
    latch = scene.situation.verdict.latch
    assert scene.word is Word.ROLLBACK
    assert latch is not None
    assert (latch.triggers, latch.since) == (("blocked",), at(30))
    assert scene.record.turns["verdict"][-1].latched == (Occurrence(at(30), "blocked"),)


def test_the_same_trigger_that_trips_again_after_recovering_latches_anew_starts_its_clock_and_is_told() -> None:
    scene = say(Scene(*CALM, ERRORS).feed("0.2"), "execute").feed("0")
    assert scene.state("errors") is State.RECOVERING
    told = len(turns(scene))
    scene.feed("0.2 0.2")
    latch = scene.situation.verdict.latch
    assert latch is not None
    assert (latch.since, latch.undecided) == (at(45), STEP)
    assert turns(scene)[told:] == [("ROLLBACK", "ROLLBACK")]


def test_what_trips_while_the_reason_is_being_typed_is_not_answered() -> None:
    scene = Scene(*CALM, ERRORS, BLOCKED).feed("0.2")
    shown = scene.situation.verdict.latch
    assert shown is not None
    scene.now += STEP
    scene.give("n", running=0)
    say(scene, "dismiss", *shown.trips)
    assert scene.word is Word.ROLLBACK
    assert scene.situation.verdict.latch is not None
    assert scene.situation.verdict.latch.triggers == ("blocked",)


def test_another_cockpit_names_the_trip_by_its_own_clock_and_swallows_no_later_one() -> None:
    """Its laptop is fast: by its own clock the dismissal is later than the next trip here."""
    scene = Scene(*CALM, ERRORS).feed("0.2")
    say(scene, "dismiss", Occurrence(scene.now + timedelta(seconds=50), "errors"))
    assert scene.word is Word.HOLD
    assert scene.feed("0 0 0 0.2").word is Word.ROLLBACK


def test_another_cockpits_decision_answers_the_trip_that_was_read_here_just_before_it_was_shown() -> None:
    """Readings arrive between two looks of the cockpit: what it learned first counts, not what it showed first."""
    scene = Scene(*CALM, ERRORS, BLOCKED).feed("0")
    scene.now += STEP
    scene.board.add("m", reading(scene.now, {"rate": 0.2}))
    read, scene.now = scene.now, scene.now + seconds(1)
    named = Occurrence(read - seconds(2), "errors")
    learned = Proof(received=scene.now)
    scene.say(Decision(read - seconds(1), "execute", "primary", "so", "", "on_call", "d1", (named,), proof=learned))
    assert scene.state("errors") is State.TRIPPED
    assert scene.situation.verdict.latch is None
    assert scene.feed("0 0 0 0.2").situation.verdict.latch is not None, "the next trip is another"


def test_a_decision_of_an_earlier_version_answers_what_was_known_then() -> None:
    scene = Scene(*CALM, ERRORS).feed("0.2")
    scene.say(Decision(scene.now, "execute", "primary", "so", role="on_call", plan_digest="d1"))
    assert scene.situation.verdict.latch is None
    assert scene.feed("0x9").word is Word.ROLLBACK
    assert scene.feed("0.2").situation.verdict.latch is not None


def test_a_dismissal_until_clear_covers_its_trips_and_none_that_comes_later() -> None:
    scene = say(Scene(*CALM, ERRORS).feed("0.2"), "dismiss")
    assert scene.feed("0.2").word is Word.HOLD
    assert "primary dismissed it" in " ".join(scene.situation.verdict.reasons)
    assert scene.feed("0").state("errors") is State.RECOVERING
    assert scene.feed("0.2").word is Word.ROLLBACK, "a trigger that comes back is not silent"


def test_a_dismissal_for_a_time_covers_what_trips_again_in_it() -> None:
    scene = say(Scene(*CALM, ERRORS).feed("0.2"), "dismiss", until=300)
    assert scene.feed("0.2 0 0.2").word is Word.HOLD
    assert scene.feed("0 0 0").state("errors") is State.CLEAR
    assert scene.feed("0.2").word is Word.ROLLBACK, "it was clear in between"


def test_a_dismissal_with_an_end_ends() -> None:
    scene = say(Scene(*CALM, ERRORS).feed("0.2"), "dismiss", until=60).feed("0.2x3")
    assert scene.word is Word.HOLD
    assert scene.feed("0.2 0.2").word is Word.ROLLBACK
    assert scene.situation.verdict.latch is not None
    assert scene.situation.verdict.latch.since == at(75)
    assert say(scene, "dismiss").word is Word.HOLD


def test_a_dismissal_with_an_end_is_over_for_good_once_it_is_clear() -> None:
    assert say(Scene(*CALM, ERRORS).feed("0.2"), "dismiss", until=120).feed("0x20").word is Word.GO


def test_the_change_says_who_dismissed_it() -> None:
    scene = say(Scene(*CALM, ERRORS).feed("0.2"), "dismiss")
    assert scene.record.turns["verdict"][-1].because.startswith("primary dismissed it")


def test_a_latch_survives_its_trip_and_a_restart() -> None:
    """The record alone: the readings of the trip are gone."""
    scene = Scene(*CALM, ERRORS).feed("0.2")
    again = Scene(*CALM, ERRORS, record=Record(list(scene.record.entries)))
    again.now = scene.now
    assert again.feed("0").word is Word.ROLLBACK
    assert say(again, "dismiss").feed("0x9").word is Word.GO


# -- the end of a rollback -------------------------------------------------------------------------------------------

ECS = ProbeSpec(
    "svc",
    "ecs.service",
    {"cluster": "c", "service": "web"},
    STEP,
    seconds(5),
    HERE,
    fields=(Field("task_definition", str, "revision", "web:41"), Field("stable", bool, "stable", example=True)),
)
BEFORE = ReleaseSeen(START, "c", "web", "arn:aws:ecs:us-east-1:123456789012:task-definition/web:41", "img", "sha256:1")


def with_service(**more: object) -> Scene:
    scene = Scene(
        success("fine", "m.ok"), ERRORS, probes=(probe("m"), ECS), gates=(gate(),),
        record=Record([BEFORE, PhaseBegan(START, Phase.POST_DEPLOY)]), **more,
    )  # fmt: skip
    return service(scene, "web:42")


def service(scene: Scene, revision: str, stable: bool = True) -> Scene:
    scene.board.add("svc", replace(reading(scene.now), values={"task_definition": revision, "stable": stable}))
    return scene.tick()


def test_what_a_service_runs_is_known_for_as_long_as_its_data_counts() -> None:
    scene = with_service()
    limit = scene.plan.probes["svc"].stale_after.total_seconds()
    assert scene.wait(limit).situation.releases[0].runs == "web:42"
    assert scene.wait(1).situation.releases[0].runs == ""


def test_a_rollback_ends_when_the_release_before_runs_is_stable_and_the_triggers_are_clear() -> None:
    scene = say(with_service().feed("0.2"), "execute").feed("0x4")
    assert scene.word is Word.ROLLBACK
    service(scene, "web:42")
    assert "c/web runs web:42; before: web:41" in scene.situation.verdict.reasons
    assert service(scene.feed("0"), "web:41", stable=False).word is Word.ROLLBACK
    assert service(scene.feed("0"), "web:41").word is Word.ROLLED_BACK
    assert scene.situation.verdict.exit_code == 1
    assert scene.feed("0x9").word is Word.ROLLED_BACK
    assert turns(scene) == [("HOLD", "ROLLBACK"), ("ROLLBACK", "ROLLED BACK")]


def test_a_rollback_has_not_ended_while_a_trigger_is_not_clear() -> None:
    scene = say(with_service().feed("0.2"), "execute").feed("0.2")
    assert service(scene, "web:41").word is Word.ROLLBACK
    assert scene.situation.verdict.reasons[1].startswith("errors TRIPPED")


def test_what_was_read_before_the_decision_proves_no_end() -> None:
    scene = service(with_service().feed("0.2 0x5"), "web:41")
    scene.now += seconds(1)
    assert say(scene, "execute").word is Word.ROLLBACK
    assert service(scene.feed("0"), "web:41").word is Word.ROLLED_BACK


def test_without_a_service_that_can_be_compared_people_say_that_it_is_back() -> None:
    few, shadow = success("few", "m.rate < 0.01"), trigger("shadow", "m.running < 9", mode=Mode.SHADOW)
    scene = Scene(*CALM, ERRORS, few, shadow, rollback_plan=(Step("back", "Switch back", HERE, sign_off=None),))
    say(scene.feed("0.2"), "execute").feed("0x5")
    assert scene.word is Word.ROLLBACK
    assert scene.situation.verdict.cause == "", "all that is enforced is fine"
    assert scene.feed("0.02").situation.verdict.cause == "m rate 2.0 % (limit 1.0 %)"
    ended = StepEnded(scene.now, "back", "primary", "done", "switched", "on_call", "d1")
    assert scene.say(ended).word is Word.ROLLED_BACK


def test_where_nothing_shows_that_the_world_is_back_it_is_not() -> None:
    scene = say(Scene(*CALM, ERRORS).feed("0.2"), "execute").feed("0x20")
    assert scene.word is Word.ROLLBACK
    assert "the plan has no rollback step" in " ".join(scene.situation.verdict.reasons)


def test_a_rollback_is_under_way_though_no_trigger_called_for_it() -> None:
    scene = with_service().feed("0x5")
    scene.say(Decision(scene.now, "execute", "primary", "users call", "", "on_call", "d1", ()))
    assert scene.word is Word.ROLLBACK
    assert scene.situation.verdict.latch is None


def test_a_dismissal_that_names_a_decision_withdraws_it() -> None:
    scene = say(Scene(*CALM, ERRORS).feed("0.2"), "execute").feed("0x9")
    decided = scene.record.all(Decision)[-1]
    assert scene.word is Word.ROLLBACK
    say(scene, "dismiss", Occurrence(decided.at, DECISION), *(decided.answers or ()))
    assert scene.feed("0x9").word is Word.GO


def test_fixing_forward_ends_in_a_fresh_proof() -> None:
    proof = success("proof", "m.ok", hold_for=60)
    scene = say(Scene(proof, CALM[1], ERRORS).feed("0x5 0.2"), "fix_forward").feed("0.2 0 0")
    assert scene.state("proof") is State.MET
    assert scene.word is Word.ROLLBACK
    assert scene.feed("0").word is Word.HOLD
    assert scene.state("errors") is State.CLEAR
    assert scene.state("proof") is not State.MET
    assert scene.feed("0x9").word is Word.GO


# -- waivers ---------------------------------------------------------------------------------------------------------


def test_a_waiver_does_not_answer_a_latch_and_says_so() -> None:
    scene = Scene(*CALM, ERRORS).feed("0.2")
    scene.say(Waiver(scene.now, "errors", "primary", "known", scene.now + seconds(300), "on_call", "d1"))
    assert scene.word is Word.ROLLBACK
    assert "a waiver does not answer a rollback" in scene.situation.verdict.reasons[0]
    assert scene.situation.verdict.reasons[0].startswith("errors (waived: ")
    assert scene.feed("0x9").word is Word.ROLLBACK
    assert scene.situation.verdict.reasons[0].startswith("errors (latched; condition cleared)")


def test_waivers_are_counted_under_every_word() -> None:
    scene = with_service().feed("0")
    scene.say(Waiver(scene.now, "fine", "primary", "known", scene.now + seconds(3600), "on_call", "d1"))
    begun, tripped = counted(scene.feed("0x9")), counted(scene.feed("0.2"))
    under_way, ended = counted(say(scene, "execute").feed("0x4")), counted(service(scene, "web:41"))
    assert (begun, tripped) == (("GO", 1), ("ROLLBACK", 1))
    assert (under_way, ended) == (("ROLLBACK", 1), ("ROLLED BACK", 1))


def counted(scene: Scene) -> tuple[str, int]:
    return str(scene.word), scene.situation.verdict.waivers


def test_a_waiver_that_is_prolonged_latches_nothing_that_tripped_under_it() -> None:
    scene = Scene(*CALM, ERRORS).feed("0")
    for _ in range(3):
        scene.say(Waiver(scene.now, "errors", "primary", "known", scene.now + seconds(60), "on_call", "d1"))
        assert scene.feed("0.2x2").word is not Word.ROLLBACK
    assert scene.feed("0.2x3").word is Word.ROLLBACK


# -- majors ----------------------------------------------------------------------------------------------------------

MAJORS = (
    trigger("a", "m.rate > 0.05", severity=Severity.MAJOR, clear_for=60),
    trigger("b", "n.rate > 0.05", severity=Severity.MAJOR, clear_for=60),
)


def test_two_majors_of_which_one_recovers_do_not_roll_back() -> None:
    scene = Scene(*CALM, *MAJORS).feed("0.2 0")
    assert scene.state("a") is State.RECOVERING
    assert scene.feed("0.2", "n").word is Word.HOLD


def test_two_majors_of_which_one_cannot_be_seen_do_not_roll_back() -> None:
    scene = Scene(*CALM, *MAJORS).feed("0.2 denied")
    assert scene.state("a") is State.TRIPPED
    assert scene.feed("0.2", "n").word is Word.HOLD
    assert scene.feed("0.2", "m").word is Word.ROLLBACK


def test_two_majors_stay_latched_when_both_have_recovered() -> None:
    scene = Scene(*CALM, *MAJORS).feed_all("0.2").feed_all("0x20")
    assert scene.word is Word.ROLLBACK
    latch = scene.situation.verdict.latch
    assert latch is not None
    assert latch.triggers == ("a", "b")
    assert say(scene, "dismiss").word is not Word.ROLLBACK


# -- gates -----------------------------------------------------------------------------------------------------------


def voted(scene: Scene) -> Scene:
    return scene.say(
        Vote(scene.now, "go_no_go", "ann", "on_call", "go", plan_digest="d1"),
        Vote(scene.now, "go_no_go", "bob", "backup", "go", plan_digest="d1"),
    )


def used(scene: Scene) -> Scene:
    votes = scene.situation.gates[0].votes
    return scene.say(GateUsed(scene.now, "go_no_go", "deploy", "ann", "on_call", "d1", votes))


def test_a_gate_that_was_used_stays_passed_with_its_votes() -> None:
    scene = voted(Scene(*CALM, gates=(gate(valid_for=60),)).feed("0"))
    votes = scene.situation.gates[0].votes
    used(scene).feed("0x20")
    status = scene.situation.gates[0]
    assert (status.state, status.votes, status.used_at) == (GateState.PASSED, votes, at(15))
    assert (status.used_by, status.ok_since, status.missing, status.lapsed) == ("ann", at(15), (), ())


def test_votes_that_were_used_count_for_nothing_else() -> None:
    scene = used(voted(Scene(*CALM, gates=(gate(),)).feed("0")))
    assert "2 more GO votes" in missing_before(scene.plan, scene.record, "deploy", scene.now, "ann")[0].wants[0]
    scene.now += STEP
    assert missing_before(scene.plan, voted(scene).record, "deploy", scene.now, "ann") == ()


def test_a_cutover_that_is_prepared_anew_finds_its_gate_open() -> None:
    scene = used(voted(Scene(*CALM, gates=(gate(),)).feed("0")))
    assert scene.begin(Phase.PRE_DEPLOY).situation.gates[0].state is GateState.OPEN


def test_a_gate_that_opens_again_says_what_opened_it() -> None:
    scene = voted(Scene(*CALM, gates=(gate(valid_for=60),)).feed("0")).feed("0x5")
    assert "is no longer valid" in scene.record.turns["go_no_go"][-1].because
    scene.say(Vote(scene.now, "go_no_go", "ann", "on_call", "no-go", plan_digest="d1", why="wait"))
    assert "ann (on-call) votes no-go" in "; ".join(scene.situation.gates[0].missing)


def test_two_trips_whose_dismissal_ends_wait_from_that_moment() -> None:
    """It tripped, recovered and tripped again while it was dismissed: both wait since the dismissal ended."""
    scene = say(Scene(*CALM, ERRORS).feed("0.2"), "dismiss", until=150)
    assert scene.feed("0.2 0 0.2 0 0.2 0.2").word is Word.HOLD
    assert scene.feed("0.2x6").word is Word.ROLLBACK
    latch = scene.situation.verdict.latch
    assert latch is not None
    assert (latch.since, latch.triggers) == (at(165), ("errors",))
