"""What was there before the phase began is PRE_EXISTING, each field by itself, and one occurrence of it is acknowledged."""

from __future__ import annotations

import pytest
from decide.scene import CALM, START, STEP, Scene, at, blind, probe, reading, seconds, trigger

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


@pytest.mark.parametrize(("between", "word"), [(Bounds(0, 0.04), Word.ROLLBACK), (Bounds(0.1, 0.9), Word.HOLD)])
def test_what_was_bad_goes_on_or_is_over_by_what_few_requests_surely_say(between: Bounds, word: Word) -> None:
    scene = both_read(Scene(*CALM, EITHER), (BAD, BAD)).wait(5).begin(Phase.POST_DEPLOY)
    scene.now += STEP
    few = Unknown(Reason.LOW_VOLUME, "14 of 20 requests", bounds=between)
    scene.board.add("m", Reading(scene.now, scene.now, {"ok": True}, {"rate": few}))
    assert both_read(scene.tick(), (BAD, BAD)).word is word


@pytest.mark.parametrize(("rings_since", "word"), [(-0.000001, Word.HOLD), (0, Word.ROLLBACK)])
def test_an_alarm_that_began_to_ring_at_the_very_moment_of_the_deployment_is_of_the_deployment(
    rings_since: float, word: Word
) -> None:
    scene = Scene(*CALM, trigger("alarm", "!m.ok"), record=Record([PhaseBegan(START, Phase.POST_DEPLOY)]))
    assert both_read(scene, ({"ok": False}, {}), since=rings_since).word is word


@pytest.mark.parametrize(("since", "word"), [(-600, Word.HOLD), (20, Word.HOLD), (21, Word.ROLLBACK)])
def test_an_alarm_that_was_read_before_the_deployment_is_a_new_one_if_it_rang_anew_since(
    since: float, word: Word
) -> None:
    """The deployment begins in the 21st second."""
    scene = both_read(Scene(*CALM, trigger("alarm", "!m.ok")), ({"ok": False}, {}), since=-600)
    scene.wait(6).begin(Phase.POST_DEPLOY)
    assert both_read(scene, ({"ok": False}, {}), since=since).word is word


def test_what_comes_late_of_the_time_before_the_phase_says_of_a_breach_that_it_was_there() -> None:
    scene = Scene(*CALM, ERRORS).feed("0.2")
    assert scene.word is Word.ROLLBACK
    scene.board.add("m", reading(scene.now, BAD, data_at=at(-5)))
    assert Badge.PRE_EXISTING in scene.tick().of("errors").badges


def test_what_was_bad_before_may_be_unseen_for_a_while() -> None:
    scene = both_read(Scene(*CALM, EITHER), (BAD, BAD)).wait(5).begin(Phase.POST_DEPLOY)
    assert both_read(scene.feed("denied", "n"), (BAD, BAD)).word is Word.HOLD


@pytest.mark.parametrize("poll", ["throttled", "_", "denied"])
def test_what_was_bad_when_it_was_last_seen_before_the_phase_was_bad_before_it(poll: str) -> None:
    assert begun(f"0 0.2 0.2 {poll}").feed("0.2x9").word is Word.HOLD


def test_what_was_last_seen_too_long_before_the_phase_says_nothing_about_it() -> None:
    assert begun("0 0.2 0.2 stale").feed("0.2").word is Word.ROLLBACK


@pytest.mark.parametrize(("older_by", "word"), [(0, Word.HOLD), (0.000001, Word.ROLLBACK)])
def test_what_is_just_old_enough_to_count_when_the_phase_begins_was_bad_before_it(older_by: float, word: Word) -> None:
    """Nothing could be read since."""
    scene = Scene(*CALM, ERRORS)
    just_before = at(60 - 0.000001)
    scene.board.add("m", reading(just_before - 3 * STEP - seconds(older_by), BAD))
    scene.board.add("m", blind(just_before, Reason.THROTTLED))
    assert scene.wait(60).begin(Phase.POST_DEPLOY).feed("0.2").word is word


def test_what_is_seen_good_at_the_very_moment_of_the_deployment_ends_a_breach_though_it_is_not_judged_yet() -> None:
    later = trigger("errors", "m.rate > 0.05", initial_delay=30)
    scene = Scene(*CALM, later).feed("0.2 0").begin(Phase.POST_DEPLOY)
    assert scene.feed("0.2x2").word is Word.ROLLBACK


def test_what_was_bad_before_is_so_to_the_end_of_a_night_in_which_it_cannot_be_seen_for_half_a_day() -> None:
    """When it was last seen to be bad is forgotten by then."""
    scene = begun("0 0.2 0.2").feed("0.2")
    scene.now = at(13 * 3600)
    assert scene.feed("denied denied 0.2 0.2").word is Word.HOLD


TOGETHER = ["!m.ok && n.rate > 0.05", "m.rate > n.rate", "(!m.ok && n.rate > 0.05) || n.running < 1"]
M: dict[str, Value] = {"ok": False, "rate": 0.4}
N: dict[str, Value] = {"rate": 0.2}


def read(scene: Scene, name: str) -> Scene:
    scene.board.add(name, reading(scene.now, M if name == "m" else N))
    return scene.tick()


@pytest.mark.parametrize("rule", TOGETHER)
@pytest.mark.parametrize("delay", [0, 10])
@pytest.mark.parametrize(("first", "second"), ["mn", "nm"])
def test_what_two_probes_saw_together_was_bad_before_whichever_of_them_answers_first(
    rule: str, delay: float, first: str, second: str
) -> None:
    errors = trigger("errors", rule, initial_delay=delay)
    scene = both_read(Scene(*CALM, errors), (M, N)).wait(5).begin(Phase.POST_DEPLOY)
    for name in (first, second, first, second):
        read(scene.wait(10), name)
    assert Badge.PRE_EXISTING in scene.of("errors").badges
    assert scene.word is Word.HOLD


@pytest.mark.parametrize("rule", TOGETHER)
@pytest.mark.parametrize("probe", ["m", "n"])
@pytest.mark.parametrize("polls", ["denied", "_x9 denied"])
def test_what_two_probes_saw_together_was_bad_before_though_one_of_them_cannot_be_seen_for_a_while(
    rule: str, probe: str, polls: str
) -> None:
    scene = both_read(Scene(*CALM, trigger("errors", rule)), (M, N)).wait(5).begin(Phase.POST_DEPLOY)
    read(scene.feed(polls, probe), "n" if probe == "m" else "m")
    assert both_read(scene, (M, N)).word is Word.HOLD


@pytest.mark.parametrize("rule", TOGETHER)
def test_what_one_of_two_probes_saw_good_while_the_other_was_not_seen_is_over(rule: str) -> None:
    scene = both_read(Scene(*CALM, trigger("errors", rule)), (M, N)).wait(5).begin(Phase.POST_DEPLOY)
    scene.feed("denied", "n").give("m", rate=0.1)
    assert both_read(scene, (M, N)).word is Word.ROLLBACK


def test_an_old_alarm_is_no_excuse_for_a_condition_that_was_not_true() -> None:
    rings: dict[str, Value] = {"ok": False}
    scene = both_read(Scene(*CALM, BOTH), (rings, {}), since=-600).wait(5).begin(Phase.POST_DEPLOY)
    assert both_read(scene, (rings, {}), since=-600).state("errors") is State.CLEAR
    assert both_read(scene, (rings, BAD), since=-600).word is Word.ROLLBACK


def test_an_old_alarm_is_no_excuse_for_a_neighbour_that_was_bad_was_seen_good_and_is_bad_again() -> None:
    """It was first read in the phase: what it says it was before does not keep the other's breach from ending."""
    either = trigger("errors", "!m.ok || n.rate > 0.05")
    scene = Scene(*CALM, either).give("n", rate=0.2).wait(5).begin(Phase.POST_DEPLOY)
    rings: dict[str, Value] = {"ok": False}
    assert both_read(scene, (rings, BAD), (rings, {}), since=-600).word is Word.HOLD
    assert both_read(scene, (rings, BAD), since=-600).word is Word.ROLLBACK


def test_an_old_state_is_no_excuse_where_the_condition_was_not_true_beside_what_was_read_before() -> None:
    """The queue has been long since yesterday, and was first read in the phase; the limit fell in it."""
    scene = Scene(*CALM, trigger("queue", "m.rate > n.rate")).give("n", rate=0.6).wait(5).begin(Phase.POST_DEPLOY)
    assert both_read(scene, ({"rate": 0.4}, {"rate": 0.1}), since=-600).word is Word.ROLLBACK


def test_what_was_bad_by_itself_goes_on_while_it_is_bad_together_with_another() -> None:
    """Its neighbour is no breach without it."""
    scene = Scene(*CALM, trigger("errors", "m.rate > 0.5 || (m.rate > 0.05 && n.rate > 0.05)"))
    both_read(scene, ({"rate": 0.6}, {})).wait(5).begin(Phase.POST_DEPLOY)
    assert both_read(scene, (BAD, BAD), (BAD, BAD)).word is Word.HOLD
    assert both_read(scene, (BAD, {}), (BAD, BAD)).word is Word.ROLLBACK


def test_what_was_bad_together_goes_on_beside_an_old_alarm_that_would_be_bad_with_half_of_it() -> None:
    rule = trigger("errors", "(a.rate > 0.05 && b.rate > 0.05) || (a.rate > 0.05 && !c.ok)")
    scene = Scene(*CALM, rule, probes=tuple(probe(name) for name in "abcmn"))
    scene.give("a", rate=0.2).give("b", rate=0.2).wait(5).begin(Phase.POST_DEPLOY)
    for _ in range(2):
        scene.now += STEP
        scene.board.add("c", reading(scene.now, {"ok": False}, state_since=at(-600)))
        scene.give("a", rate=0.2).give("b", rate=0.2)
    assert scene.word is Word.HOLD


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
