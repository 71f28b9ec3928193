"""GO has held for the dwell: all that must hold, and that anything is seen at all."""

from __future__ import annotations

import pytest
from decide.scene import CALM, STEP, Scene, ask, at, blind, item, reading, trigger, words

from cockpit.decide.act import Act
from cockpit.decide.counted import counted
from cockpit.decide.criterion import seen_since, sight_of
from cockpit.decide.events import Acknowledgement, PhaseBegan, Record, SignOff
from cockpit.decide.states import State, Word
from cockpit.plan.model import Phase
from probes.reading import Reason

SIGNED = item("vpn", sign_off=ask())


@pytest.mark.parametrize("polls", ["upx5 denied upx5", "up down up down up denied down up down up down"])
@pytest.mark.parametrize("items", [(), (SIGNED,)])
def test_before_the_deployment_it_begins_when_anything_is_seen_good_or_bad(
    items: tuple[object, ...], polls: str
) -> None:
    """There is no traffic yet, and all that is seen is what must hold after the deployment."""
    before = Record([PhaseBegan(at(0), Phase.PRE_DEPLOY)])
    scene = Scene(CALM[0], trigger("errors", "n.rate > 0.05"), items=items, record=before)
    scene.say(*(SignOff(scene.now, "vpn", "primary", "on_call", "seen", "d1") for _ in items))
    goes = []
    for poll in words(polls):
        scene.board.add("n", blind(scene.now + STEP, Reason.LOW_VOLUME))
        goes.append(scene.feed(poll).word is Word.GO)
    assert goes == [False] * 4 + [True] + [False] * 5 + [True]


@pytest.mark.parametrize("hold_for", [0, 3600])
def test_it_begins_again_when_what_was_acknowledged_is_seen_again(hold_for: float) -> None:
    """An alarm from before the deployment that rings on, TRIPPED or still breaching, and cannot be read for three polls."""
    old = trigger("old", "!n.ok", hold_for=hold_for, stale_after=600)
    scene = Scene(*CALM, old, record=Record([PhaseBegan(at(0), Phase.PRE_DEPLOY)]))
    goes = []
    for number, poll in enumerate(words("down downx10 deniedx3 downx6")):
        if number == 1:
            scene.wait(5).begin(Phase.POST_DEPLOY)
        scene.board.add("m", reading(scene.now + STEP))
        scene.feed(poll, "n")
        if number == 2:
            about = Acknowledgement(scene.now, "old", "primary", "known", "on_call", "d1", scene.of("old").pre_existing)
            scene.say(about)
        if number == 13:  # it is acknowledged: what is left is to see it again
            assert {each.act for each in scene.situation.next_actions} == {Act.PROBES}
        goes.append(scene.word is Word.GO)
    assert goes == [False] * 6 + [True] * 5 + [False] * 7 + [True] * 2


@pytest.mark.parametrize("then", ["down", "up"])
def test_what_could_not_be_seen_is_seen_again_also_where_it_is_over_by_then(then: str) -> None:
    old = trigger("old", "!n.ok", stale_after=600)
    scene = Scene(*CALM, old, record=Record([PhaseBegan(at(0), Phase.PRE_DEPLOY)])).feed("down", "n")
    scene.wait(5).begin(Phase.POST_DEPLOY).feed(f"down denied {then}", "n")
    seen = scene.now
    scene.wait(15)
    assert [turn.after for turn in scene.record.turns[sight_of("old")]] == [State.UNKNOWN, "SEEN"]
    assert seen_since(counted(scene.plan, scene.record, scene.now), "old", scene.now) == seen
