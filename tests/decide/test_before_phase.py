"""What was there before the phase began is PRE_EXISTING, each field by itself, and one occurrence of it is acknowledged."""

from __future__ import annotations

import pytest
from decide.scene import CALM, START, STEP, Scene, at, probe, reading, seconds, trigger

from cockpit.decide.events import Acknowledgement, PhaseBegan, Record
from cockpit.decide.situation import Badge
from cockpit.decide.states import State, Word
from cockpit.plan.model import Phase
from probes.reading import Bounds, Reading, Reason, Unknown, Value

ERRORS = trigger("errors", "m.rate > 0.05", clear_for=30)


def begun(line: str) -> Scene:
    scene = Scene(*CALM, ERRORS, record=Record([PhaseBegan(START, Phase.PRE_DEPLOY)])).feed(line)
    scene.now += seconds(5)
    return scene.begin(Phase.POST_DEPLOY)


def acknowledge(scene: Scene, since: object) -> Scene:
    entry = Acknowledgement(scene.now, "errors", "primary", "known", "on_call", "d1", since)  # type: ignore[arg-type]
    return scene.say(entry)


def test_a_breach_older_than_the_deployment_is_there_before_for_every_trigger() -> None:
    scene = begun("0 0.2 0.2").feed("0.2x9")
    assert scene.word is Word.HOLD
    assert Badge.PRE_EXISTING in scene.of("errors").badges
    assert "acknowledge it by name" in scene.situation.verdict.reasons[0]
    acknowledge(scene, scene.of("errors").pre_existing)
    assert scene.feed("0.2x9").word is Word.GO


def test_a_breach_that_comes_back_after_the_deployment_began_is_a_new_one() -> None:
    scene = begun("0.2")
    acknowledge(scene.feed("0.2"), scene.of("errors").pre_existing)
    assert scene.feed("0 0.2").word is Word.ROLLBACK


def test_a_breach_that_began_after_the_deployment_rolls_back() -> None:
    assert begun("0 0.2 0").feed("0.2").word is Word.ROLLBACK


EITHER = trigger("errors", "m.rate > 0.05 || n.rate > 0.05")
BOTH = trigger("errors", "!m.ok && n.rate > 0.05")


def both_read(scene: Scene, *polls: tuple[dict[str, Value], dict[str, Value]], since: float | None = None) -> Scene:
    """Polls of m and n at one moment; `since` is when the state of m began."""
    for m, n in polls:
        scene.now += STEP
        scene.board.add("m", reading(scene.now, m, state_since=None if since is None else at(since)))
        scene.board.add("n", reading(scene.now, n))
        scene.tick()
    return scene


BAD: dict[str, Value] = {"rate": 0.2}


def test_what_was_bad_before_does_not_excuse_what_turns_bad_beside_it() -> None:
    """Two probes in one condition: each has its own past."""
    scene = both_read(Scene(*CALM, EITHER), (BAD, {}), (BAD, {})).wait(5).begin(Phase.POST_DEPLOY)
    acknowledge(both_read(scene, (BAD, {})), scene.of("errors").pre_existing)
    assert Badge.PRE_EXISTING in scene.of("errors").badges
    assert scene.word is Word.HOLD
    assert both_read(scene, (BAD, BAD)).word is Word.ROLLBACK


def test_what_was_bad_and_was_seen_good_is_not_from_before_although_its_neighbour_is() -> None:
    scene = both_read(Scene(*CALM, EITHER), (BAD, BAD)).wait(5).begin(Phase.POST_DEPLOY)
    assert both_read(scene, (BAD, BAD), ({}, BAD)).word is Word.HOLD
    assert both_read(scene, (BAD, BAD)).word is Word.ROLLBACK


def test_what_was_bad_and_is_surely_good_by_its_bounds_was_seen_good() -> None:
    """Too few requests for a rate, but enough to know that it is low: the breach from before is over."""
    scene = both_read(Scene(*CALM, EITHER), (BAD, BAD)).wait(5).begin(Phase.POST_DEPLOY)
    few = Unknown(Reason.LOW_VOLUME, "14 of 20 requests", bounds=Bounds(0, 0.04))
    scene.now += STEP
    scene.board.add("m", Reading(scene.now, scene.now, {"ok": True}, {"rate": few}))
    assert both_read(scene.tick(), (BAD, BAD)).word is Word.ROLLBACK


@pytest.mark.parametrize(("rings_since", "word"), [(-0.000001, Word.HOLD), (0, Word.ROLLBACK)])
def test_an_alarm_that_began_to_ring_at_the_very_moment_of_the_deployment_is_of_the_deployment(
    rings_since: float, word: Word
) -> None:
    scene = Scene(*CALM, trigger("alarm", "!m.ok"), record=Record([PhaseBegan(START, Phase.POST_DEPLOY)]))
    assert both_read(scene, ({"ok": False}, {}), since=rings_since).word is word


def test_what_was_bad_before_may_be_unseen_for_a_while() -> None:
    scene = both_read(Scene(*CALM, EITHER), (BAD, BAD)).wait(5).begin(Phase.POST_DEPLOY)
    assert both_read(scene.feed("denied", "n"), (BAD, BAD)).word is Word.HOLD


@pytest.mark.parametrize("poll", ["throttled", "_", "denied"])
def test_what_was_bad_when_it_was_last_seen_before_the_phase_was_bad_before_it(poll: str) -> None:
    assert begun(f"0 0.2 0.2 {poll}").feed("0.2x9").word is Word.HOLD


def test_what_was_last_seen_too_long_before_the_phase_says_nothing_about_it() -> None:
    assert begun("0 0.2 0.2 stale").feed("0.2").word is Word.ROLLBACK


def test_an_old_alarm_is_no_excuse_for_a_condition_that_was_not_true() -> None:
    rings: dict[str, Value] = {"ok": False}
    scene = both_read(Scene(*CALM, BOTH), (rings, {}), since=-600).wait(5).begin(Phase.POST_DEPLOY)
    assert both_read(scene, (rings, {}), since=-600).state("errors") is State.CLEAR
    assert both_read(scene, (rings, BAD), since=-600).word is Word.ROLLBACK


def test_an_acknowledgement_covers_one_occurrence() -> None:
    """The alarm that was known rang again before the deployment: that is another one."""
    alarm = trigger("alarm", "!m.ok")
    scene = Scene(*CALM, alarm)
    for since in (at(-600), at(-60)):
        scene.now += STEP
        scene.board.add("m", reading(scene.now, {"ok": False}, state_since=since))
        scene.tick()
        if since == at(-600):
            scene.say(Acknowledgement(scene.now, "alarm", "primary", "known", "on_call", "d1", since))
            assert scene.of("alarm").ok
    assert not scene.of("alarm").ok
    assert scene.of("alarm").pre_existing == at(-60)


@pytest.mark.parametrize(("good", "tripped"), [("", False), ("a", True), ("b", True), ("c", True), ("d", True)])
def test_of_two_ways_to_breach_one_that_comes_back_is_a_breach_although_the_other_was_there_all_along(
    good: str, tripped: bool
) -> None:
    pairs = trigger("pairs", "(!a.ok && !b.ok) || (!c.ok && !d.ok)")
    probes = tuple(probe(name) for name in "abcdmn")
    scene = Scene(*CALM, pairs, probes=probes, record=Record([PhaseBegan(START, Phase.PRE_DEPLOY)]))
    for better in ("", "", good, ""):
        scene.now += STEP
        for name in "abcd":
            scene.board.add(name, reading(scene.now, {"ok": name == better}))
        scene.tick()
        if scene.now == at(30):
            scene.begin(Phase.POST_DEPLOY)
    assert (scene.word is Word.ROLLBACK) is tripped
