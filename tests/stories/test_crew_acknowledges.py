"""The crew of a rehearsal acknowledges what was true before the cutover, once for each time it was."""

from __future__ import annotations

from decide.scene import CALM, START, Scene, trigger

from cockpit.decide.events import PhaseBegan, Record
from cockpit.plan.model import Phase
from cockpit.stories import crew


def test_what_is_acknowledged_is_not_acknowledged_again_while_it_cannot_be_seen() -> None:
    old = trigger("old", "!n.ok", stale_after=600)
    scene = Scene(*CALM, old, record=Record([PhaseBegan(START, Phase.PRE_DEPLOY)])).feed("down", "n")
    scene.wait(5).begin(Phase.POST_DEPLOY).feed("down", "n")
    said = crew.acknowledge(scene.plan, scene.situation)
    assert [each.subject for each in said] == ["old"]
    scene.say(*said)
    for poll in ("down", "denied", "down"):
        assert not crew.acknowledge(scene.plan, scene.feed(poll, "n").situation)
