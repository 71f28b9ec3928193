"""The latch at its edges: equal moments, several decisions at once, and records of earlier versions."""

from __future__ import annotations

from dataclasses import replace

from decide.scene import CALM, START, STEP, Scene, at, reading, seconds, trigger
from decide.test_occasions import say

from cockpit.decide.events import Change, Decision, Occurrence, PhaseBegan, Proof, Record
from cockpit.decide.situation import Latch
from cockpit.decide.states import Word
from cockpit.plan.model import Criterion, Mode, OnUnknown, Phase, Severity

ERRORS = trigger("errors", "m.rate > 0.05", clear_for=30)
BLOCKED = trigger("blocked", "n.running < 1", clear_for=30)


DARK = trigger("dark", "n.rate > 0.05", on_unknown=OnUnknown.ROLLBACK, unknown_limit=60)


def latch(scene: Scene) -> Latch:
    found = scene.situation.verdict.latch
    assert found is not None
    return found


def unnamed(scene: Scene) -> Decision:
    """As earlier versions wrote it: it answers what was known."""
    return Decision(scene.now, "dismiss", "primary", "known", "", "on_call", "d1")


# -- equal moments ---------------------------------------------------------------------------------------------------


def tripped_unshown() -> Scene:
    """Read at the scene's time, and not decided on yet."""
    scene = Scene(*CALM, ERRORS).feed("0")
    scene.now += STEP
    scene.board.add("m", reading(scene.now, {"rate": 0.2}))
    return scene


def test_a_decision_learned_of_in_the_moment_of_the_trip_it_names_answers_it() -> None:
    scene = tripped_unshown()
    assert say(scene, "dismiss", Occurrence(scene.now, "errors")).word is Word.HOLD


def test_a_dismissal_ends_at_its_time_and_not_after_it() -> None:
    scene = say(Scene(*CALM, ERRORS).feed("0.2"), "dismiss", until=15)
    assert scene.feed("0.2").word is Word.ROLLBACK


def test_what_is_clear_at_the_time_its_dismissal_ends_is_over() -> None:
    scene = say(Scene(*CALM, trigger("errors", "m.rate > 0.05")).feed("0.2"), "dismiss", until=15)
    assert scene.feed("0 0").word is Word.HOLD


# -- several at once -------------------------------------------------------------------------------------------------


def test_one_decision_answers_the_trips_of_two_triggers_each_by_its_own_time() -> None:
    scene = Scene(*CALM, ERRORS, BLOCKED).feed("0.2")
    scene.now += STEP
    scene.give("n", running=0)
    assert len(latch(scene).trips) == 2
    assert say(scene, "dismiss").word is Word.HOLD


def test_to_go_on_against_the_advice_answers_nothing() -> None:
    scene = Scene(*CALM, ERRORS).feed("0.2")
    assert scene.say(replace(unnamed(scene), choice="proceed")).word is Word.ROLLBACK


def test_a_later_decision_about_another_trigger_takes_nothing_back() -> None:
    scene = say(Scene(*CALM, ERRORS, BLOCKED).feed("0.2"), "dismiss")
    scene.now += STEP
    scene.give("n", running=0)
    say(scene, "dismiss")
    assert scene.word is Word.HOLD
    assert len(scene.record.all(Decision)) == 2


def test_a_trip_that_was_over_before_it_was_shown_stays_answered_when_there_is_another() -> None:
    """The store had both of its minutes when it was asked."""
    scene = Scene(*CALM, trigger("errors", "m.rate > 0.05")).feed("0")
    scene.now += 2 * STEP
    early = reading(scene.now, {"rate": 0.2}, data_at=scene.now - STEP)
    scene.board.add("m", replace(reading(scene.now), earlier=(early,)))
    scene.tick().say(unnamed(scene))
    assert scene.word is Word.HOLD
    assert latch(scene.feed("0.2")).since == scene.now


def by_an_impossible_clock(scene: Scene, *trips: Occurrence) -> Scene:
    """The same trips dismissed for half a minute, by a clock that is two hours ahead: it ends what was given before."""
    ahead = scene.now + seconds(7200)
    learned = Proof(own=True, received=scene.now)
    until = ahead + seconds(30)
    return scene.say(Decision(ahead, "dismiss", "ann", "so", "", "on_call", "d1", trips, until, proof=learned))


def test_a_dismissal_that_ends_another_sooner_ends_none_of_another_trigger_and_none_that_is_given_after_it() -> None:
    scene = say(Scene(*CALM, ERRORS, BLOCKED).feed_all("0").feed("0.2"), "dismiss", until=600)
    errors = scene.record.all(Decision)[-1].answers or ()
    scene.give("n", running=0)
    blocked = latch(scene).trips
    say(scene, "dismiss", until=600)
    by_an_impossible_clock(scene, *blocked)
    scene.wait(15).give(rate=0.2)
    assert scene.word is Word.HOLD
    scene.wait(15).give(rate=0.2)
    assert latch(scene).triggers == ("blocked",)
    by_an_impossible_clock(scene, *errors)
    say(scene, "dismiss", *errors, *latch(scene).trips, until=600)
    scene.wait(30).give(rate=0.2)
    assert scene.situation.verdict.latch is None


def majors() -> tuple[Criterion, ...]:
    return (
        trigger("a", "m.rate > 0.05", severity=Severity.MAJOR, clear_for=60),
        trigger("b", "m.ok && m.rate > 0.04", severity=Severity.MAJOR, clear_for=60),
    )


def test_one_major_is_no_second_one_with_a_shadow_or_with_a_critical_trigger_that_was_answered() -> None:
    major = trigger("major", "n.rate > 0.05", severity=Severity.MAJOR)
    shadow = trigger("shadow", "n.rate > 0.05", severity=Severity.MAJOR, mode=Mode.SHADOW)
    scene = say(Scene(*CALM, ERRORS, major, shadow).feed("0.2"), "dismiss")
    assert scene.feed_all("0.2").word is Word.HOLD


def test_a_dismissal_for_a_time_covers_a_major_that_tripped_again_before_it_was_clear() -> None:
    """Elsewhere the first trips were dismissed; the second ones were not known there."""
    scene = Scene(*CALM, *majors()).feed("0.2")
    first = latch(scene).trips
    say(scene, "execute").feed("0 0.2")
    assert latch(scene).since == at(45)
    assert say(scene, "dismiss", *first, until=600).situation.verdict.latch is None


def test_two_majors_whose_dismissal_is_over_wait_from_its_end() -> None:
    scene = say(Scene(*CALM, *majors()).feed("0.2"), "dismiss", until=20).feed("0.2 0.2")
    assert latch(scene).since == at(15 + 20)


def test_of_two_majors_whose_dismissal_is_over_the_one_that_lasts_waits_again_alone() -> None:
    first, second = majors()
    second = replace(second, condition=trigger("b", "n.rate > 0.05").condition, clear_for=seconds(0), min_samples=1)
    scene = Scene(*CALM, first, second).feed_all("0.2")
    say(scene, "dismiss", until=40)
    scene.feed("0.2").give("n")
    assert scene.feed("0.2").word is Word.HOLD
    assert latch(scene.feed("0.2")).triggers == ("a",)


def test_a_trip_for_not_being_seen_has_its_own_moment_beside_a_trip_of_another_trigger() -> None:
    scene = Scene(*CALM, ERRORS, DARK).feed_all("0").feed("0 0.2 0 0 0")
    assert latch(scene).trips == (Occurrence(at(45), "errors"), Occurrence(at(75), "dark"))


def test_a_trip_for_not_being_seen_has_its_own_moment_beside_what_was_seen_to_trip_and_shown() -> None:
    shown = Change(at(90), "verdict", "HOLD", "ROLLBACK", latched=(Occurrence(at(90), "dark"),))
    scene = Scene(*CALM, DARK, record=Record([PhaseBegan(START, Phase.POST_DEPLOY), shown]))
    scene.board.add("n", reading(at(15)))
    scene.now = at(90)
    assert latch(scene.give("n", rate=0.2)).since == at(75)


# -- records of earlier versions -------------------------------------------------------------------------------------


def earlier(*changes: Change) -> Scene:
    """A record without the names of trips, and data that show none any more."""
    return Scene(*CALM, ERRORS, BLOCKED, record=Record([PhaseBegan(START, Phase.POST_DEPLOY), *changes])).feed("0")


def test_what_an_earlier_version_latched_are_the_triggers_that_tripped_with_it() -> None:
    scene = earlier(
        Change(at(2), "blocked", "PENDING", "TRIPPED"),
        Change(at(4), "blocked", "TRIPPED", "CLEAR"),
        Change(at(5), "verdict", "HOLD", "ROLLBACK"),
        Change(at(5), "errors", "PENDING", "TRIPPED"),
        Change(at(5), "fine", "MET", "NOT MET"),
        Change(at(6), "verdict", "ROLLBACK", "FIX FORWARD"),
    )
    assert scene.word is Word.ROLLBACK
    assert latch(scene).trips == (Occurrence(at(5), "errors"),)


def test_where_none_tripped_with_it_its_rollback_has_no_trigger_and_waits_all_the_same() -> None:
    scene = earlier(Change(at(5), "verdict", "HOLD", "ROLLBACK"))
    assert scene.word is Word.ROLLBACK
    assert latch(scene).trips == (Occurrence(at(5), ""),)
    scene.now += seconds(1)
    assert scene.say(unnamed(scene)).word is Word.HOLD


def test_a_rollback_that_the_record_alone_shows_does_not_wait_again_after_its_dismissal() -> None:
    scene = earlier(Change(at(5), "verdict", "HOLD", "ROLLBACK", latched=(Occurrence(at(5), "errors"),)))
    assert say(scene, "dismiss", until=20).word is Word.HOLD
    assert scene.situation.verdict.decided == "", "it keeps nothing from latching"
    assert scene.feed("0 0").situation.verdict.latch is None
