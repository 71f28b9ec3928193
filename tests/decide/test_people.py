"""What people do: sign-offs, votes, waivers, acknowledgements. All of it counts only while it is fresh."""

from __future__ import annotations

import pytest
from decide.scene import CALM, HERE, STEP, Scene, ask, at, gate, item, reading, seconds, success, trigger

from cockpit.decide.events import Decision, Entry, Happened, PhaseBegan, Record, SignOff, StepBegan, Vote, Waiver
from cockpit.decide.situation import Badge
from cockpit.decide.states import Check, State, Word
from cockpit.plan.model import Phase, Step
from cockpit.plan.step_action import EcsService, StepAction

SIGNED_ITEM = item("vpn", sign_off=ask("on_call"))
BOTH = item("smoke", "m.ok", sign_off=ask("on_call"))


def sign(scene: Scene, subject: str, role: str = "on_call", digest: str = "d1", *, retracted: bool = False) -> Scene:
    return scene.say(SignOff(scene.now, subject, "primary", role, "seen", digest, retracted=retracted))


# -- sign-offs -------------------------------------------------------------------------------------------------------


def test_a_missing_sign_off_holds_and_says_who_can_give_it() -> None:
    scene = Scene(*CALM, after=(SIGNED_ITEM,)).feed("0x9")
    assert scene.word is Word.HOLD
    assert scene.item("vpn").check is Check.PENDING
    step = scene.situation.path_to_go[0]
    assert (step.subject, step.who, step.eta) == ("vpn", "on_call", None)
    assert sign(scene, "vpn").feed("0x4").word is Word.GO


def test_a_sign_off_goes_stale_when_the_plan_changes() -> None:
    scene = sign(Scene(*CALM, after=(SIGNED_ITEM,)), "vpn", digest="another")
    assert scene.item("vpn").check is Check.STALE
    assert "plan changed" in scene.item("vpn").detail
    assert scene.feed("0x9").word is Word.HOLD


def test_a_sign_off_goes_stale_when_its_time_is_over() -> None:
    scene = sign(Scene(*CALM, after=(item("vpn", sign_off=ask(valid_for=60)),)), "vpn").wait(60)
    assert scene.item("vpn").check is Check.PASS
    assert scene.wait(1).item("vpn").check is Check.STALE


def test_a_sign_off_goes_stale_when_the_evidence_fails_after_it() -> None:
    scene = sign(Scene(*CALM, after=(BOTH,)).feed("up"), "smoke")
    assert scene.item("smoke").check is Check.PASS
    assert scene.feed("down").item("smoke").check is Check.FAIL
    assert scene.feed("up").item("smoke").check is Check.STALE
    assert sign(scene, "smoke").item("smoke").check is Check.PASS


def test_a_sign_off_given_while_the_evidence_failed_does_not_count_for_what_came_after() -> None:
    scene = sign(Scene(*CALM, after=(BOTH,)).feed("down"), "smoke")
    signed = scene.item("smoke").sign_off
    assert signed is not None
    assert signed.given, "with what failed in view"
    assert scene.feed("up").item("smoke").check is Check.STALE


def test_a_sign_off_outlives_a_moment_of_not_knowing() -> None:
    scene = sign(Scene(*CALM, after=(BOTH,)).feed("up"), "smoke").feed("denied up")
    assert scene.item("smoke").check is Check.PASS


def test_a_line_that_failed_between_two_looks_has_not_passed_all_along() -> None:
    scene = Scene(*CALM, after=(item("smoke", "m.ok"),)).feed("upx9")
    assert scene.word is Word.GO
    for after, ok in ((5, False), (10, True)):
        scene.board.add("m", reading(scene.now + seconds(after), {"ok": ok}))
    scene.now += STEP
    assert scene.tick().item("smoke").check is Check.PASS
    assert scene.item("smoke").ok_since == scene.now - seconds(5)


def test_a_line_holds_for_as_long_as_the_plan_lets_its_evidence_be_old() -> None:
    scene = Scene(*CALM, after=(item("smoke", "m.ok", stale_after=seconds(120)),)).feed("up")
    seen_at = scene.now
    for after, check in ((120, Check.PASS), (0.001, Check.UNKNOWN)):
        assert scene.wait(after).item("smoke").check is check
    again = Scene(*CALM, after=(item("smoke", "m.ok", stale_after=seconds(120)),)).feed("up").wait(105).feed("up")
    assert again.item("smoke").ok_since == seen_at


def test_a_line_that_nothing_is_asked_of_says_so() -> None:
    line = Scene(*CALM, after=(item("idle"),)).feed("0").item("idle")
    assert line.check is Check.UNKNOWN
    assert line.detail == "NO_DATA: the plan names neither a condition nor a sign-off for this line"


def test_a_sign_off_in_another_role_does_not_count() -> None:
    assert sign(Scene(*CALM, after=(SIGNED_ITEM,)), "vpn", role="db_owner").item("vpn").check is Check.STALE


def test_a_sign_off_can_be_taken_back() -> None:
    scene = sign(Scene(*CALM, after=(SIGNED_ITEM,)), "vpn")
    assert sign(scene, "vpn", retracted=True).item("vpn").check is Check.PENDING


@pytest.mark.parametrize("ahead", [-30, 0, 30])
def test_what_is_signed_after_another_was_taken_back_says_why_it_does_not_count_whatever_the_clocks_say(
    ahead: float,
) -> None:
    scene = sign(Scene(*CALM, after=(SIGNED_ITEM,)).wait(60), "vpn")
    scene.say(SignOff(scene.now + seconds(ahead), "vpn", "primary", "on_call", "seen", "d1", retracted=True))
    assert scene.item("vpn").check is Check.PENDING
    assert sign(scene, "vpn", digest="another").item("vpn").check is Check.STALE


def test_what_takes_nothing_back_and_does_not_count_is_no_sign_off() -> None:
    scene = sign(Scene(*CALM, after=(SIGNED_ITEM,)), "vpn", digest="another", retracted=True)
    signed = scene.item("vpn").sign_off
    assert signed is not None
    assert (scene.item("vpn").check, signed.by) == (Check.PENDING, "")


def test_evidence_that_fails_or_cannot_be_seen_outweighs_any_signature() -> None:
    scene = sign(Scene(*CALM, after=(BOTH,)), "smoke")
    assert scene.item("smoke").check is Check.UNKNOWN
    assert scene.feed("down").item("smoke").check is Check.FAIL


def test_a_criterion_with_a_condition_and_a_sign_off_needs_both() -> None:
    scene = Scene(success("login", "m.ok", sign_off=ask()), CALM[1]).feed("0x9")
    assert scene.state("login") is State.MET
    assert not scene.of("login").ok
    assert scene.word is Word.HOLD
    assert sign(scene, "login").feed("0x4").word is Word.GO


def test_a_sign_off_of_a_criterion_goes_stale_when_its_condition_fails_after_it() -> None:
    scene = sign(Scene(success("login", "m.ok", sign_off=ask()), CALM[1]).feed("up"), "login").feed("down up")
    assert scene.state("login") is State.MET
    assert not scene.of("login").ok
    assert sign(scene, "login").of("login").ok


def test_a_criterion_of_a_sign_off_alone_is_met_by_it_and_not_met_when_it_goes_stale() -> None:
    scene = Scene(success("team", "", sign_off=ask(valid_for=600)), *CALM).feed("0")
    assert scene.state("team") is State.NOT_MET
    assert sign(scene, "team").state("team") is State.MET
    assert scene.feed("0x4").word is Word.GO
    assert scene.feed("0x40").state("team") is State.NOT_MET
    assert scene.word is Word.HOLD


def test_a_non_blocking_item_is_shown_and_does_not_hold() -> None:
    scene = Scene(*CALM, after=(item("lifecycle", "!m.ok", blocking=False),)).feed("0x9")
    assert scene.item("lifecycle").check is Check.FAIL
    assert scene.word is Word.GO


def test_killer_items_come_first() -> None:
    scene = Scene(*CALM, items=(item("a", "m.ok"), item("b", "m.ok", killer=True)))
    assert [i.id for i in scene.situation.sections[0].items] == ["b", "a"]


# -- waivers ---------------------------------------------------------------------------------------------------------


def waive(scene: Scene, subject: str, duration: float = 300) -> Scene:
    return scene.say(Waiver(scene.now, subject, "primary", "known", scene.now + seconds(duration), "on_call", "d1"))


def test_a_waiver_suspends_a_criterion_by_name_and_is_counted_in_the_word() -> None:
    scene = waive(Scene(success("slow", "m.rate > 0.5"), *CALM).feed("0"), "slow").feed("0x4")
    assert scene.word is Word.GO
    assert scene.situation.verdict.label == "GO (1 waiver)"
    assert Badge.WAIVED in scene.of("slow").badges


def test_a_waiver_re_arms_itself() -> None:
    scene = waive(Scene(success("slow", "m.rate > 0.5"), *CALM).feed("0"), "slow", 120).feed("0x7")
    assert scene.word is Word.GO
    assert scene.feed("0").word is Word.HOLD
    assert Badge.WAIVED not in scene.of("slow").badges


def test_a_waived_trigger_does_not_roll_back_and_does_when_the_waiver_ends_with_it_still_tripped() -> None:
    scene = waive(Scene(trigger("errors", "m.rate > 0.05"), CALM[0]), "errors", 120).feed("0.2x7")
    assert scene.state("errors") is State.TRIPPED
    assert scene.word is Word.GO
    assert scene.feed("0.2").word is Word.ROLLBACK
    assert scene.situation.verdict.since == at(120)


@pytest.mark.parametrize(("lasts", "word"), [(120, Word.GO), (45, Word.GO), (44, Word.ROLLBACK)])
def test_what_came_and_went_under_a_waiver_is_its_givers_affair(lasts: float, word: Word) -> None:
    """It was bad for 30 seconds, until 45 seconds after the waiver began."""
    scene = waive(Scene(trigger("errors", "m.rate > 0.05", clear_for=30), CALM[0]), "errors", lasts).feed("0.2 0.2 0x9")
    assert scene.word is word


def test_a_shorter_waiver_takes_the_place_of_a_longer_one_and_what_trips_after_its_end_calls() -> None:
    scene = waive(Scene(*CALM, trigger("errors", "m.rate > 0.05")).feed("0"), "errors", 3600).feed("0")
    assert waive(scene, "errors", 30).feed("0x2 0.2").word is Word.ROLLBACK


def test_a_waiver_from_a_fast_clock_hides_no_trip_before_it_begins() -> None:
    scene = Scene(trigger("errors", "m.rate > 0.05"), CALM[0]).feed("0.2")
    scene.say(Waiver(scene.now + seconds(60), "errors", "primary", "known", scene.now + seconds(600), "on_call", "d1"))
    assert scene.word is Word.ROLLBACK


def test_a_waiver_of_a_criterion_suspends_its_sign_off_too() -> None:
    scene = waive(Scene(success("login", "m.ok", sign_off=ask()), *CALM).feed("0"), "login").feed("0x4")
    assert scene.word is Word.GO


def test_a_waived_item_counts_as_done() -> None:
    scene = waive(Scene(*CALM, after=(SIGNED_ITEM,)).feed("0"), "vpn").feed("0x4")
    assert (scene.item("vpn").check, scene.item("vpn").ok_since) == (Check.WAIVED, at(15))
    assert scene.situation.sections[0].done == 1
    assert scene.situation.verdict.label == "GO (1 waiver)"


def test_waiving_everything_that_is_enforced_is_still_said() -> None:
    scene = Scene(*CALM).feed("0")
    waive(scene, "fine")
    waive(scene, "quiet")
    assert scene.feed("0x4").situation.verdict.label == "GO (2 waivers)"


# -- gates -----------------------------------------------------------------------------------------------------------


def at_the_gate(**more: object) -> Scene:
    scene = Scene(*CALM, gates=(gate(**more),))  # type: ignore[arg-type]
    return scene.begin(Phase.PRE_DEPLOY).feed("0")


def vote(scene: Scene, by: str, role: str, choice: str = "go", digest: str = "d1") -> Scene:
    return scene.say(Vote(scene.now, "go_no_go", by, role, choice, plan_digest=digest))


def test_a_gate_needs_as_many_as_it_says() -> None:
    scene = vote(at_the_gate(), "ann", "on_call")
    assert not scene.situation.gates[0].passed
    assert scene.situation.gates[0].missing == ("needs 1 more GO vote (backup)",)
    assert vote(scene, "bob", "backup").situation.gates[0].passed
    assert scene.feed("0x4").word is Word.GO


def test_two_people_means_two_people() -> None:
    scene = vote(vote(at_the_gate(), "ann", "on_call"), "ann", "backup")
    assert not scene.situation.gates[0].passed
    assert vote(vote(at_the_gate(distinct=False), "ann", "on_call"), "ann", "backup").situation.gates[0].passed


def test_the_same_person_twice_in_one_role_is_one_vote() -> None:
    scene = vote(vote(at_the_gate(distinct=False), "ann", "on_call"), "ann", "on_call")
    assert not scene.situation.gates[0].passed


@pytest.mark.parametrize("against", ["no-go", "hold"])
def test_one_no_go_blocks(against: str) -> None:
    scene = vote(vote(vote(at_the_gate(), "ann", "on_call"), "bob", "backup"), "cid", "backup", against)
    assert not scene.situation.gates[0].passed
    assert f"cid (backup) votes {against}" in scene.situation.gates[0].missing
    assert vote(scene, "cid", "backup").situation.gates[0].passed


def test_votes_expire() -> None:
    scene = vote(vote(at_the_gate(valid_for=60), "ann", "on_call"), "bob", "backup").wait(60)
    assert scene.situation.gates[0].passed
    assert not scene.wait(1).situation.gates[0].passed


def test_when_a_no_go_expires_the_gate_dwells_anew() -> None:
    scene = vote(at_the_gate(valid_for=150), "cid", "backup", "no-go").feed("0x9")
    vote(vote(scene, "ann", "on_call"), "bob", "backup").feed("0")
    assert not scene.situation.gates[0].passed
    assert scene.feed("0").situation.gates[0].passed
    assert scene.feed("0x3").word is Word.HOLD
    assert scene.feed("0").word is Word.GO


def test_an_outsiders_vote_does_not_count() -> None:
    assert not vote(vote(at_the_gate(), "ann", "on_call"), "eve", "intern").situation.gates[0].passed


def test_a_vote_on_another_plan_does_not_count() -> None:
    scene = vote(vote(at_the_gate(), "ann", "on_call", digest="d1"), "bob", "backup", digest="d0")
    assert not scene.situation.gates[0].passed
    assert vote(scene, "bob", "backup", digest="d1").situation.gates[0].passed


def test_a_gate_holds_before_the_deployment_and_not_after() -> None:
    scene = at_the_gate().feed("0x9")
    assert scene.word is Word.HOLD
    assert scene.begin(Phase.POST_DEPLOY).feed("0x9").word is Word.GO


def test_what_was_signed_before_anything_was_decided_passes_since_then() -> None:
    record = Record([SignOff(at(-60), "vpn", "primary", "on_call", "seen", "d1")])
    assert Scene(*CALM, items=(SIGNED_ITEM,), record=record).item("vpn").ok_since == at(-60)


# -- the record ------------------------------------------------------------------------------------------------------


def test_a_record_made_from_entries_knows_them_all() -> None:
    entries: list[Entry] = [
        SignOff(at(0), "vpn", "primary", "on_call", "seen", "d1"),
        PhaseBegan(at(0), Phase.PRE_DEPLOY),
    ]
    record = Record(list(entries))
    assert record.newest[SignOff, "vpn"] is entries[0]
    assert record.all(PhaseBegan) == [entries[1]]
    assert record.all(SignOff) == [entries[0]]


def test_a_trigger_of_a_signature_alone_is_no_trigger() -> None:
    """It could never trip, so a plan with only such triggers is empty, and empty is never GO."""
    scene = Scene(CALM[0], trigger("signed", "", sign_off=ask()))
    assert sign(scene, "signed").feed("0x9").word is Word.HOLD


def test_a_hold_says_of_an_unsigned_item_who_signs_it_or_why_its_signature_is_stale() -> None:
    vpn, upload = item("vpn", sign_off=ask("on_call", "backup")), item("upload", sign_off=ask("on_call", valid_for=60))
    unsigned = Scene(*CALM, items=(vpn,)).begin(Phase.PRE_DEPLOY).feed("0")
    assert "vpn: needs sign-off: on-call or backup" in unsigned.situation.verdict.reasons[0]
    stale = Scene(*CALM, items=(upload,)).begin(Phase.PRE_DEPLOY).feed("0")
    stale.say(SignOff(stale.now, "upload", "primary", "on_call", "seen", "d1")).feed("0x5")
    assert f"upload: sign-off stale: {stale.item('upload').detail}" in stale.situation.verdict.reasons[0]


def test_a_step_that_is_under_way_shows_what_its_action_says_since_it_began() -> None:
    action = StepAction("ecs.rollback", EcsService("shop", "web"))
    scene = Scene(*CALM, rollback_plan=(Step("back", "Back", HERE, action=action),))

    def shown(*happened: float) -> str:
        again = Scene(*CALM, rollback_plan=scene.plan.rollback_plan)
        again.now = at(60)
        again.say(StepBegan(at(30), "back", "ann", "backup", "d1"))
        return (
            again.say(*(Happened(at(when), str(action), f"at {when:g}") for when in happened))
            .situation.rollback_plan[0]
            .seen
        )

    assert [shown(), shown(29), shown(30), shown(31, 40)] == ["", "", "at 30", "at 40"]


def test_a_decision_that_keeps_something_from_latching_is_said_the_newest_first() -> None:
    scene = Scene(*CALM, trigger("a", "m.rate > 0.05"), trigger("b", "m.rate > 0.5")).feed("0.2")
    for why, rate in (("first", "0.6"), ("second", "0.6")):
        latch = scene.situation.verdict.latch
        assert latch is not None
        scene.say(Decision(scene.now, "dismiss", "ann", why, "", "backup", "d1", latch.trips))
        scene.feed(rate)
    assert scene.word is Word.HOLD
    assert scene.situation.verdict.decided.endswith("second")
    assert sum("dismissed it" in line for line in scene.situation.verdict.reasons) == 2
