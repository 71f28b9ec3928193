"""What each person does next: the most urgent thing that they may do, or what they wait for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from decide.scene import CALM, HERE, Scene, ask, at, gate, item, reading, success, trigger
from decide.test_occasions import say as decided
from decide.test_occasions import service, used, voted, with_service

from cockpit.decide.act import Act
from cockpit.decide.events import Decision, PhaseBegan, SignOff, StepBegan, StepEnded, Vote, Waiver
from cockpit.decide.next_action import also, next_actions, next_for
from cockpit.decide.situation import ServiceRelease
from cockpit.decide.states import Word
from cockpit.plan.model import Gate, Migration, Mode, Person, Phase, Poll, Step
from cockpit.plan.step_action import EcsService, StepAction
from probes.reading import Evidence

TRIPS = trigger("errors", "m.rate > 0.05", hold_for=30)
SIGNED = (item("vpn", sign_off=ask("on_call")), item("upload", sign_off=ask("on_call"), killer=True))


def acts(scene: Scene) -> dict[str, Act]:
    return {each.by: each.act for each in scene.situation.next_actions}


def prepared(*criteria: object, **more: object) -> Scene:
    """Before the deployment."""
    scene = Scene(*criteria, **more)  # type: ignore[arg-type]
    return scene.say(PhaseBegan(scene.now, Phase.PRE_DEPLOY, "primary", "", "on_call", "d1"))


def test_everybody_of_the_plan_has_exactly_one() -> None:
    scene = Scene(*CALM, after=SIGNED).feed("0")
    assert [each.by for each in scene.situation.next_actions] == [person.id for person in scene.plan.people]


def test_the_lines_to_sign_are_counted_and_the_critical_one_is_named() -> None:
    scene = Scene(*CALM, after=SIGNED).feed("0")
    mine = next_for(scene.situation, "primary")
    assert (mine.act, mine.subject) == (Act.SIGN, "upload")
    assert mine.what == "sign your 2 open lines (1 critical: upload)"
    scene.say(SignOff(scene.now, "upload", "primary", "on_call", "seen", "d1"))
    assert next_for(scene.situation, "primary").what == "sign your 1 open line: vpn"


def test_who_has_nothing_to_do_waits_for_somebody_by_name() -> None:
    scene = Scene(*CALM, after=SIGNED).feed("0")
    assert next_for(scene.situation, "eve").what == "wait: primary (on-call) has 2 lines to sign"
    mine = next_for(scene.situation, "primary")
    assert also(scene.situation, mine) == ("ann (on-call) has 2 lines to sign",)


def test_where_nobody_can_act_and_nobody_has_anything_to_do_it_waits_as_they_do() -> None:
    scene = Scene(*CALM).feed("0x9")
    assert scene.word is Word.GO
    waits = next_for(scene.situation, "primary")
    assert (waits.act, next_for(scene.situation, None)) == (Act.WAIT, replace(waits, by="", role=""))
    nobody = replace(scene.situation, next_actions=())
    assert next_for(nobody, None).what == next_for(nobody, "primary").what == "nothing"


def test_where_only_the_world_is_missing_until_a_rollback_has_ended_nobody_has_anything_to_do() -> None:
    scene = decided(with_service().feed("0 0.2"), "execute").feed("0x4")
    assert scene.word is Word.ROLLBACK
    assert {each.what for each in scene.situation.next_actions} == {"nothing to do"}


def test_after_a_rollback_the_gate_that_was_used_wants_votes_again() -> None:
    scene = used(voted(with_service().feed("0")))
    assert Act.VOTE not in acts(scene).values()
    service(decided(scene.feed("0.2"), "execute").feed("0x4"), "web:41")
    assert scene.word is Word.ROLLED_BACK
    assert [by for by, act in acts(scene).items() if act is Act.VOTE] == ["primary", "ann", "bob", "cid"]


def test_while_it_is_rolled_back_votes_are_wanted_for_the_deployment_alone() -> None:
    copying = Gate("copy", "Copy?", "migrate", Poll(("on_call", "backup"), 1), HERE)
    scene = with_service()
    scene.plan = replace(scene.plan, gates=(*scene.plan.gates, copying))
    scene = used(voted(scene.feed("0")))
    service(decided(scene.feed("0.2"), "execute").feed("0x4"), "web:41")
    assert scene.word is Word.ROLLED_BACK
    assert {each.subject for each in scene.situation.next_actions if each.act is Act.VOTE} == {"go_no_go"}
    scene.say(Vote(scene.now, "go_no_go", "ann", "on_call", "go", plan_digest="d1"))
    assert acts(scene)["ann"] is Act.WAIT
    assert acts(voted(scene))["primary"] is Act.BEGIN


def test_steps_of_a_rollback_that_nobody_recorded_are_said_and_how_many() -> None:
    for count, said in ((1, "record how 1 rollback step went, or skip it with a reason"),
                        (2, "record how 2 rollback steps went, or skip them with a reason")):  # fmt: skip
        scene = with_service(rollback_plan=tuple(Step(f"back.{number}", "Back", HERE) for number in range(count)))
        service(decided(scene.feed("0 0.2"), "execute").feed("0x4"), "web:41")
        assert scene.word is Word.ROLLED_BACK
        mine = next_for(scene.situation, "primary")
        assert (mine.act, mine.what, mine.subject) == (Act.DECIDE, said, "back.0")


def test_a_step_that_the_cockpit_does_is_followed_and_one_that_people_do_is_finished() -> None:
    for action, said in ((StepAction("ecs.rollback", EcsService("cluster", "web")), "follow rollback step 1: Back to its end"),
                         (None, "finish rollback step 1: Back")):  # fmt: skip
        scene = with_service(rollback_plan=(Step("back", "Back", HERE, action=action),))
        decided(scene.feed("0 0.2"), "execute")
        scene.say(StepBegan(scene.now, "back", "primary", "on_call", "d1")).tick()
        assert next_for(scene.situation, "primary").what == said


def test_a_rollback_step_that_is_done_is_signed_by_who_may_and_the_others_wait_for_them() -> None:
    scene = with_service(rollback_plan=(Step("back", "Back", HERE, sign_off=ask("db_owner")),))
    decided(scene.feed("0 0.2"), "execute")
    scene.say(StepEnded(scene.now, "back", "primary", "done", "", "on_call", "d1"))
    mine = next_for(scene.situation, "primary")
    assert (mine.act, mine.what, mine.role) == (Act.DECIDE, "sign rollback step 1: Back", "db_owner")
    assert (mine.subject, mine.for_others) == ("back", "primary (DB owner) has to sign rollback step 1")
    assert next_for(scene.situation, "bob").what == f"wait: {mine.for_others}"


def test_what_only_waits_for_a_signature_is_nothing_to_find_out_about() -> None:
    """Whoever may not give it waits for those who may."""
    scene = Scene(*CALM, success("team", "", sign_off=ask("on_call"))).feed("0x9")
    assert acts(scene)["primary"] is Act.SIGN
    assert next_for(scene.situation, "eve").what == "wait: primary (on-call) has 1 line to sign"
    both = Scene(*CALM, success("team", "m.rate < 0.1", sign_off=ask("on_call"))).feed("0.2x9")
    assert next_for(both.situation, "eve").what == "find out why it fails: team"


def test_what_is_waived_asks_nobody_to_sign() -> None:
    scene = Scene(*CALM, success("team", "m.ok", sign_off=ask("on_call")), after=SIGNED[:1]).feed("0")
    assert next_for(scene.situation, "primary").what == "sign your 2 open lines: vpn"
    for subject, left in (
        ("vpn", "sign your 1 open line: team"),
        ("team", "wait until 22:01:15: everything must keep holding"),
    ):
        scene.say(Waiver(scene.now, subject, "primary", "known", at(3600), "on_call", "d1"))
        assert next_for(scene.situation, "primary").what == left


def test_a_latched_rollback_is_decided_by_those_who_may_and_comes_before_all_else() -> None:
    scene = Scene(CALM[0], TRIPS, after=SIGNED, gates=(gate(),)).feed("0 0.2x5")
    assert scene.word is Word.ROLLBACK
    mine = next_for(scene.situation, "primary")
    assert (mine.act, mine.what) == (Act.DECIDE, "decide: roll back or fix forward")
    assert acts(scene)["eve"] is Act.WAIT
    assert "primary (on-call) has to decide" in next_for(scene.situation, "eve").what


def test_whoever_holds_several_roles_acts_in_the_first_that_the_plan_asks_for() -> None:
    roles = tuple(f"role_{number}" for number in range(12))
    everything = Person("max", "Max", roles[::-1])
    asked = replace(gate(), poll=Poll(roles, 1))
    scene = Scene(CALM[0], TRIPS, gates=(asked,), people=(everything,)).feed("0 0.2x5")
    assert next_for(scene.situation, "max").role == "role_0"


def test_a_breach_that_will_trip_comes_before_signatures_with_its_countdown() -> None:
    scene = Scene(CALM[0], TRIPS, after=SIGNED).feed("0 0.2x2")
    mine = next_for(scene.situation, "primary")
    assert (mine.act, mine.subject) == (Act.WATCH, "errors")
    assert mine.what == "look at errors: trips in 15s"
    late, first, second = (
        trigger(id_, "m.rate > 0.05", hold_for=hold) for id_, hold in (("z", 60), ("b", 45), ("a", 45))
    )
    scene = Scene(CALM[0], late, first, second).feed("0 0.2x2")
    assert next_for(scene.situation, "eve").what == "look at b: trips in 30s"


def test_votes_are_wanted_once_all_else_is_there_and_then_it_begins() -> None:
    scene = prepared(*CALM, items=(item("vpn", sign_off=ask("on_call")),), gates=(gate(),)).feed("0x9")
    assert acts(scene)["primary"] is Act.SIGN
    assert acts(scene)["bob"] is Act.WAIT
    scene.say(SignOff(scene.now, "vpn", "primary", "on_call", "seen", "d1"))
    assert acts(scene) == {
        "primary": Act.VOTE, "ann": Act.VOTE, "bob": Act.VOTE, "cid": Act.VOTE, "eve": Act.WAIT,
    }  # fmt: skip
    scene.say(Vote(scene.now, "go_no_go", "primary", "on_call", "go", plan_digest="d1"))
    assert acts(scene)["primary"] is Act.WAIT
    scene.say(Vote(scene.now, "go_no_go", "bob", "backup", "go", plan_digest="d1"))
    assert scene.feed("0x9").word is Word.GO
    mine = next_for(scene.situation, "primary")
    assert (mine.act, mine.what) == (Act.BEGIN, "begin the deployment (it does not deploy: run it yourself)")


def test_after_the_deployment_votes_are_wanted_before_the_step_that_comes_next() -> None:
    steps = tuple(Step(title.lower(), title, HERE) for title in ("Look", "Switch", "Close"))
    before = Gate("switching", "Switch?", "switch", Poll(("on_call",), 1), HERE)
    scene = Scene(*CALM, gates=(before,), runbook=steps).feed("0")
    asked = []
    for step in steps:
        asked.append(acts(scene)["primary"] is Act.VOTE)
        scene.say(StepEnded(scene.now, step.id, "primary", "done", "", "on_call", "d1"))
    assert [*asked, acts(scene)["primary"] is Act.VOTE] == [False, True, False, False]


@pytest.mark.parametrize(
    ("titles", "over", "run"),
    [
        (("Freeze", "Switch", "Look"), 0, "run step 1"),
        (("Freeze", "Switch", "Look"), 1, "run step 2"),
        (("Freeze", "Deploy", "Look"), 0, "run step 2"),
        (("Freeze", "Deploy", "Look"), 3, "run it yourself"),
    ],
)
def test_the_step_that_deploys_is_the_one_called_so_else_the_first_that_is_not_over(
    titles: tuple[str, ...], over: int, run: str
) -> None:
    runbook = tuple(Step(f"s{number}", title, HERE) for number, title in enumerate(titles))
    scene = prepared(*CALM, gates=(gate(),), runbook=runbook).feed("0")
    scene.say(
        *(StepEnded(scene.now, step.id, "bob", "done", "", "backup", "d1") for step in runbook[:over]),
        Vote(scene.now, "go_no_go", "ann", "on_call", "go", plan_digest="d1"),
        Vote(scene.now, "go_no_go", "bob", "backup", "go", plan_digest="d1"),
    )
    assert next_for(scene.feed("0x9").situation, "primary").what == f"begin the deployment (it does not deploy: {run})"


def test_what_cannot_be_seen_is_to_be_made_visible() -> None:
    scene = Scene(*CALM).feed("0 denied")
    mine = next_for(scene.situation, "primary")
    assert mine.act is Act.PROBES
    assert mine.what.startswith("make it visible: ")


def test_what_fails_is_to_be_looked_into() -> None:
    scene = Scene(success("fine", "m.ok"), CALM[1]).feed("up down")
    assert next_for(scene.situation, "primary").what == "find out why it fails: fine"


@pytest.mark.parametrize(
    ("done_in", "moves_files", "act"),
    [("migration", True, Act.MIGRATE), ("migration", False, Act.CHECK), ("", True, Act.CHECK)],
)
def test_what_fails_and_has_a_probe_that_knows_what_to_do_is_done_where_it_can_be(
    done_in: str, moves_files: bool, act: Act
) -> None:
    files = item("files", "m.ok", blocking=True)
    scene = Scene(CALM[1], success("others", "n.ok"), after=(files,))
    if moves_files:
        scene.plan = replace(scene.plan, migration=Migration("", "bucket", "us-east-1", ()))
    scene.feed_all("up").wait(15)
    evidence = Evidence(hint="begin the verify of 5 copied files", done_in=done_in)
    scene.board.add("n", reading(scene.now, evidence=Evidence(hint="is of a probe that is fine")))
    scene.board.add("m", reading(scene.now, {"ok": False}, evidence=evidence))
    mine = next_for(scene.tick().situation, "primary")
    assert (mine.act, mine.what, mine.subject) == (act, "begin the verify of 5 copied files: files", "files")


def test_a_decision_that_is_carried_out_leaves_nothing_to_decide() -> None:
    scene = Scene(CALM[0], TRIPS).feed("0 0.2x5")
    latch = scene.situation.verdict.latch
    assert latch is not None
    scene.say(Decision(scene.now, "execute", "primary", "errors", Word.ROLLBACK, "on_call", "d1", latch.trips))
    assert all(each.act is not Act.DECIDE or each.subject for each in scene.situation.next_actions)


def test_fixing_forward_begins_with_what_tripped_and_names_its_cause_until_it_is_clear() -> None:
    scene = Scene(success("some", "m.rate < 0.01"), TRIPS).feed("0 0.2x5")
    latch = scene.situation.verdict.latch
    assert latch is not None
    cause = scene.situation.verdict.cause
    scene.say(Decision(scene.now, "fix_forward", "primary", "patch", Word.ROLLBACK, "on_call", "d1", latch.trips))
    mine = next_for(scene.situation, "primary")
    assert (mine.what, mine.subject) == ("fix what tripped: errors", "errors")
    assert scene.situation.verdict.cause == cause != ""
    scene.feed("0x4")
    assert "fix what tripped" not in next_for(scene.situation, "primary").what


def test_the_cause_is_what_is_enforced_and_fails() -> None:
    shadow = trigger("shadow", "m.running < 9", mode=Mode.SHADOW)
    assert Scene(*CALM, shadow).feed("0").situation.verdict.cause == ""
    scene = Scene(*CALM, shadow, success("some", "m.rate < 0.01")).feed("0.02")
    assert "2.0 %" in scene.situation.verdict.cause


def test_after_a_rollback_what_it_left_unrecorded_comes_before_a_step_of_the_runbook() -> None:
    back = (Step("back", "Revert", HERE), Step("restore", "Restore the database", HERE))
    scene = Scene(*CALM, runbook=(Step("look", "Verify", HERE),), rollback_plan=back).feed("0")
    scene.say(StepBegan(scene.now, "look", "primary", "on_call", "d1"))
    scene.say(StepBegan(scene.now, "back", "primary", "on_call", "d1"))
    scene.say(StepEnded(scene.now, "back", "primary", "done", role="on_call", plan_digest="d1"))
    ended = replace(scene.situation, verdict=replace(scene.situation.verdict, word=Word.ROLLED_BACK))
    mine = next(each for each in next_actions(scene.plan, ended) if each.by == "primary")
    assert mine.what == "record how 1 rollback step went, or skip it with a reason"
    assert (mine.act, mine.subject) == (Act.DECIDE, "restore"), "nothing asks to restore a database again"


def test_somebody_unknown_is_asked_who_they_are_and_what_waits() -> None:
    scene = Scene(*CALM, after=SIGNED).feed("0")
    mine = next_for(scene.situation, "")
    assert (mine.act, mine.what) == (Act.IDENTIFY, "identify yourself: primary (on-call) has 2 lines to sign")
    assert next_for(scene.situation, None).what == "primary (on-call) has 2 lines to sign"


def test_a_plan_without_people_has_one_for_whoever_is_there() -> None:
    scene = Scene(*CALM, people=()).feed("0x20")
    assert scene.word is Word.GO
    assert [each.what for each in scene.situation.next_actions] == ["nothing to do: everything holds"]
    assert next_for(scene.situation, None).what == "nothing to do: everything holds"


@pytest.mark.parametrize(
    ("phase", "done", "next_step"),
    [
        (Phase.PRE_DEPLOY, (), "do step 1: Create the bucket"),
        (Phase.PRE_DEPLOY, ("bucket",), "wait until 22:01:15: everything must keep holding"),
        (Phase.POST_DEPLOY, (), "do step 2: Deploy to ECS, or record that it is done"),
        (Phase.POST_DEPLOY, ("run",), "do step 3: Verify, or record that it is done"),
    ],
)
def test_once_the_deployment_began_no_step_before_it_comes_next(
    phase: Phase, done: tuple[str, ...], next_step: str
) -> None:
    steps = (
        Step("bucket", "Create the bucket", HERE),
        Step("run", "Deploy to ECS", HERE),
        Step("look", "Verify", HERE),
    )
    scene = Scene(*CALM, items=(item("vpn", "m.ok"),), runbook=steps)
    scene.say(PhaseBegan(scene.now, phase, "primary", "", "on_call", "d1")).feed("up")
    scene.say(*(StepBegan(scene.now, each, "primary", "on_call", "d1") for each in done))
    scene.say(*(StepEnded(scene.now, each, "primary", "done", role="on_call", plan_digest="d1") for each in done))
    assert next_for(scene.situation, "eve").what == next_step


def test_where_no_step_is_called_so_all_of_them_are_for_after_the_deployment() -> None:
    scene = Scene(*CALM, runbook=(Step("look", "Look", HERE), Step("close", "Close", HERE))).feed("up")
    assert next_for(scene.situation, "eve").what == "do step 1: Look, or record that it is done"


def test_nobody_is_asked_to_deploy_what_is_out_only_to_record_it() -> None:
    steps = (Step("run", "Deploy to ECS", HERE), Step("look", "Verify", HERE))
    scene = Scene(*CALM, items=(item("vpn", "m.ok"),), runbook=steps)
    scene.say(PhaseBegan(scene.now, Phase.POST_DEPLOY, "primary", "", "on_call", "d1")).feed("up")
    out = ServiceRelease("c", "web", "web:2", before="web:1")
    other = ServiceRelease("c", "api", "api:9", before="api:8")
    for releases, what in (
        ((replace(out, runs="web:1"),), "do step 1: Deploy to ECS, or record that it is done"),
        ((out,), "record that step 1 is done: web:2 runs"),
        ((out, other), "record that step 1 is done: web:2, api:9 run"),
    ):
        now = replace(scene.situation, releases=releases)
        assert next_for(replace(now, next_actions=next_actions(scene.plan, now)), "eve").what == what
