"""What is kept when a guarded thing is begun, and by which votes it goes on."""

from __future__ import annotations

from dataclasses import replace

from decide.scene import CALM, HERE, START, STEP, Scene, gate, seconds

from cockpit.decide.events import GateUsed, Record, Vote
from cockpit.decide.gate import Missing, missing_to_go_on, used, worded
from cockpit.plan.model import Gate, Phase, Poll

COPY = Gate(
    "copy", "Copy?", "migrate", Poll(("on_call", "backup"), 1, distinct_people=True, valid_for=seconds(60)), HERE
)
OTHER = Gate("copy_too", "Copy, too?", "migrate", Poll(("backup",), 1, distinct_people=True), HERE)
WANTED = (
    Missing("Copy?", ("needs 1 more GO vote (on-call or backup)",)),
    Missing("Copy, too?", ("needs 1 more GO vote (backup)",)),
)


def asked(*votes: tuple[str, str, str]) -> Scene:
    """Person, gate and choice of each vote; the gate of the deployment stands before those of the migration."""
    scene = Scene(*CALM, gates=(gate(), COPY, OTHER)).feed("0")
    return voted(scene, *votes)


def voted(scene: Scene, *votes: tuple[str, str, str]) -> Scene:
    return scene.say(
        *(Vote(scene.now, to, by, "backup", choice, plan_digest="d1", why="so") for by, to, choice in votes)
    )


def begun(scene: Scene) -> list[GateUsed]:
    return used(scene.plan, scene.record, "migrate", scene.now, scene.plan.people[0], "on_call")


def wanted(scene: Scene) -> tuple[Missing, ...]:
    return missing_to_go_on(scene.plan, scene.record, "migrate", scene.now)


def test_what_is_kept_is_each_gate_before_it_that_is_passed_with_its_votes() -> None:
    scene = asked(("bob", "copy", "go"), ("bob", "go_no_go", "go"), ("cid", "go_no_go", "go"))
    assert scene.situation.gates[0].passed
    (use,) = begun(scene)
    votes = scene.situation.gates[1].votes
    assert votes
    assert use == GateUsed(scene.now, "copy", "migrate", "primary", "on_call", "d1", votes)
    assert [each.gate for each in begun(voted(scene, ("cid", "copy_too", "go")))] == ["copy", "copy_too"]


def test_a_gate_that_leaves_the_initiator_out_is_used_by_the_votes_of_others_alone() -> None:
    left_out = replace(COPY, poll=replace(COPY.poll, exclude_initiator=True))
    scene = Scene(*CALM, gates=(left_out,)).feed("0")
    voted(scene, ("ann", "copy", "go"))
    ann = next(person for person in scene.plan.people if person.id == "ann")
    assert used(scene.plan, scene.record, "migrate", scene.now, ann, "backup") == []
    voted(scene, ("bob", "copy", "go"))
    (use,) = used(scene.plan, scene.record, "migrate", scene.now, ann, "backup")
    assert [vote.partition(" ")[0] for vote in use.votes] == ["bob"]


def test_what_an_earlier_record_began_goes_on_though_this_one_holds_none_of_its_votes() -> None:
    """On a plan as it read then: this cockpit asked its gates."""
    use = GateUsed(START, "copy", "migrate", "ann", "on_call", "d0")
    scene = Scene(*CALM, gates=(COPY,), record=Record([use])).feed("0")
    assert wanted(scene) == ()


def test_what_was_not_begun_wants_its_votes() -> None:
    assert wanted(asked()) == WANTED
    assert wanted(asked(("bob", "copy", "go"))) == WANTED[1:]


def test_what_was_begun_goes_on_though_its_votes_are_over_until_somebody_votes_against_it() -> None:
    scene = asked(("bob", "copy", "go"), ("bob", "copy_too", "go"))
    scene.say(*begun(scene))
    assert wanted(scene) == ()
    scene.feed("0x8")
    assert wanted(scene) == ()
    voted(scene, ("cid", "copy_too", "hold"))
    assert wanted(scene) == (Missing("Copy, too?", ("cid (backup) votes hold",)),)
    scene.now += STEP
    assert wanted(voted(scene, ("cid", "copy_too", "go"))) == ()


def test_a_gate_that_was_used_stays_as_it_was_until_the_deployment_is_prepared_again() -> None:
    scene = Scene(*CALM, gates=(gate(),)).feed("0").begin(Phase.PRE_DEPLOY)
    voted(scene, ("bob", "go_no_go", "go"), ("cid", "go_no_go", "go"))
    primary = scene.plan.people[0]
    scene.say(*used(scene.plan, scene.record, "deploy", scene.now, primary, "on_call"))
    began, votes = scene.now, scene.situation.gates[0].votes
    assert len(votes) == 2
    for line, phase in (("0", None), ("0", Phase.POST_DEPLOY), ("0", None)):
        scene.feed(line)
        if phase is not None:
            scene.begin(phase)
        status = scene.situation.gates[0]
        assert (status.passed, status.votes, status.used_at, status.used_by) == (True, votes, began, "primary")
    again = scene.feed("0").begin(Phase.PRE_DEPLOY).situation.gates[0]
    assert (again.passed, again.votes, again.used_at) == (False, (), None)


def test_a_vote_given_anew_that_is_no_longer_valid_leaves_a_used_gate_as_it_was() -> None:
    scene = asked(("bob", "copy", "go"))
    scene.say(*begun(scene))
    as_it_was = scene.situation.gates[1]
    assert as_it_was.used_at == scene.now
    voted(scene, ("cid", "copy", "go"))
    assert scene.situation.gates[1].used_at is None, "voted on anew"
    assert scene.wait(61).situation.gates[1] == as_it_was


def test_a_person_who_votes_in_two_roles_is_one_and_hides_nobody_who_votes_after_them() -> None:
    scene = Scene(*CALM, gates=(gate(),)).feed("0")
    for by, role in (("ann", "on_call"), ("ann", "backup"), ("bob", "backup")):
        assert not scene.situation.gates[0].passed
        scene.say(Vote(scene.now, "go_no_go", by, role, "go", plan_digest="d1"))
    assert scene.situation.gates[0].passed


def test_a_vote_of_a_rehearsal_is_shown_as_one() -> None:
    scene = Scene(*CALM, gates=(gate(),), record=Record(rehearsal=True)).feed("0")
    scene.say(Vote(scene.now, "go_no_go", "ann", "on_call", "go", rehearsal=True, plan_digest="d1"))
    assert scene.situation.gates[0].votes == ("ann (on-call): go 22:00:15 (rehearsal)",)


def test_each_gate_that_wants_votes_is_a_line_and_an_unknown_initiator_is_asked_for_once() -> None:
    unknown = Missing("Purge?", (), initiator_unknown=True)
    both = Missing("Copy?", ("needs 1 more GO vote (backup)", "ann (on-call) votes no-go"), initiator_unknown=True)
    assert worded((both, unknown), "say who you are") == [
        "Copy?: needs 1 more GO vote (backup); ann (on-call) votes no-go",
        "say who you are",
    ]
    assert worded(iter(WANTED), "say who you are") == [
        "Copy?: needs 1 more GO vote (on-call or backup)",
        "Copy, too?: needs 1 more GO vote (backup)",
    ]
