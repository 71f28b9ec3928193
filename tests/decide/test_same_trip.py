"""A trip stays the one it was, whatever is learned later of what it rests on: no answered one calls for a decision again."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from decide.scene import Scene, at, probe, reading, seconds, success, trigger
from hypothesis import given, settings
from hypothesis import strategies as st

from cockpit.decide.board import Board
from cockpit.decide.events import Decision, Occurrence, Proof
from cockpit.decide.situation import Latch
from cockpit.decide.states import State, Word
from cockpit.plan.model import Criterion, OnUnknown
from probes.reading import Reading, Reason, Unknown

METRIC = probe("m", interval=60, period=60, settle=60)
FINE = success("fine", "n.ok")


def watched(*rules: Criterion) -> Scene:
    return Scene(FINE, *rules, probes=(METRIC, probe("n")))


def answered(scene: Scene, *periods: tuple[float, float | None], late: float = 60, running: int = 2) -> Scene:
    """A minute later the store says this of the rate, by period end; where it is None, too few requests came to tell."""
    scene.now += seconds(60)
    *earlier, newest = [_answer(scene, period, rate, late, running) for period, rate in periods]
    scene.board.add("m", replace(newest, earlier=tuple(earlier)))
    return scene.tick()


def _answer(scene: Scene, period: float, rate: float | None, late: float, running: int) -> Reading:
    whole = reading(scene.now, {"rate": rate or 0.0, "running": running}, data_at=at(period), lateness=seconds(late))
    if rate is not None:
        return whole
    known = {name: value for name, value in whole.values.items() if name != "rate"}
    return replace(whole, values=known, unknown={"rate": Unknown(Reason.LOW_VOLUME, "3 of 20 requests")})


def latch(scene: Scene) -> Latch:
    assert scene.situation.verdict.latch is not None
    return scene.situation.verdict.latch


def dismissed(scene: Scene, lasts: float | None = None) -> Scene:
    until = scene.now + seconds(lasts) if lasts is not None else None
    return scene.say(Decision(scene.now, "dismiss", "ann", "known", "", "backup", "d1", latch(scene).trips, until))


# -- what was seen is corrected --------------------------------------------------------------------------------------

ERRORS = trigger("errors", "m.rate > 0.05", stale_after=None)
RULES = (
    ERRORS,
    trigger("run", "m.rate > 0.05", hold_for=120, stale_after=None, gap_tolerance=None),
    trigger("many", "m.rate > 0.05", within=180, at_least=0.5, stale_after=None, gap_tolerance=None),
    success("few", "m.rate <= 0.05", hold_for=120, stale_after=None, gap_tolerance=None),
)


def test_a_bad_value_that_is_corrected_to_another_bad_one_is_the_trip_that_was_answered() -> None:
    scene = dismissed(answered(answered(watched(ERRORS), (0, 0.0)), (60, 0.2)))
    assert answered(scene, (60, 0.3)).word is Word.HOLD
    assert scene.state("errors") is State.TRIPPED


def test_a_correction_of_what_the_condition_does_not_read_moves_no_trip() -> None:
    scene = answered(watched(ERRORS), (60, 0.2))
    tripped = scene.now
    assert latch(answered(scene, (60, 0.2), running=3)).trips == (Occurrence(tripped, "errors"),)


def test_what_was_corrected_to_good_and_back_is_known_to_be_bad_since_then() -> None:
    scene = dismissed(answered(answered(watched(ERRORS), (0, 0.0)), (60, 0.2)))
    assert answered(scene, (60, 0.0)).state("errors") is State.CLEAR
    assert answered(scene, (60, 0.2)).word is Word.ROLLBACK
    assert latch(scene).since == scene.now


@settings(max_examples=30)
@given(st.lists(st.sampled_from([0.0, 0.2, 0.3, None]), min_size=2, max_size=9), st.randoms(use_true_random=False))
def test_since_when_it_is_known_depends_on_the_answers_and_not_on_when_anybody_looked(
    rates: list[float | None], shuffle: random.Random
) -> None:
    """However often one period is answered, and in whatever order the answers arrive."""
    scene = watched(*RULES)
    for rate in rates:
        answered(scene, (0, 0.2), (60, rate))
    polls = list(scene.board.readings.histories["m"].polls)
    shuffle.shuffle(polls)
    at_last = Board(scene.plan, at(0))
    for poll in polls:
        at_last.add("m", poll)
    for rule in RULES:
        assert at_last.evaluate(rule, at(0), scene.now) == scene.board.evaluate(rule, at(0), scene.now)


def test_what_two_probes_say_together_is_known_since_both_said_so_at_one_moment() -> None:
    """One value of each was not enough; the first answer of either with the last of the other would have been."""
    busy = trigger("busy", "m.running + n.running > 3")
    made = Scene(FINE, busy, probes=(METRIC, replace(METRIC, name="n")))
    for name, when, running in [("m", 60, 1), ("n", 61, 1), ("m", 62, 3), ("n", 63, 3)]:
        made.board.add(name, reading(at(when), {"running": running}, data_at=at(0)))
    (trip,) = made.board.evaluate(busy, at(0), at(64)).trips
    assert trip.since == at(62)


LOOKBACK = 4
CORRECTED = st.tuples(st.integers(0, 3), st.integers(0, 3))
"""How far a rate moves, on its side of the limit, and what is counted beside it, by answer."""


@settings(max_examples=20)
@given(st.lists(st.booleans(), min_size=4, max_size=12), st.lists(CORRECTED, min_size=12, max_size=12))
def test_corrections_with_which_all_comes_out_as_before_move_nothing(
    bad: list[bool], by: list[tuple[int, int]]
) -> None:
    """Not a state, nor since when, nor what calls for a rollback and what was decided on it."""
    plain, corrected = watched(*RULES), watched(*RULES)
    for minute, (moved, running) in enumerate(by[: len(bad)]):
        rates = [(60 * n, 0.2 if bad[n] else 0.01) for n in range(max(0, minute - LOOKBACK), minute + 1)]
        answered(plain, *rates)
        answered(corrected, *((end, rate * (1 + moved)) for end, rate in rates), running=running)
        one, other = (
            (scene.word, scene.situation.verdict.latch, [(c.state, c.ok_since) for c in scene.situation.criteria])
            for scene in (plain, corrected)
        )
        assert one == other
        if moved == 0 and plain.situation.verdict.latch is not None:
            dismissed(plain), dismissed(corrected)


# -- not being seen --------------------------------------------------------------------------------------------------

DARK = trigger("dark", "m.rate > 0.05", on_unknown=OnUnknown.ROLLBACK, unknown_limit=120, stale_after=None)
LATER = 600.0
"""A lateness with which the trip would have come long after what follows."""


SEEN_BEFORE = pytest.mark.parametrize("seen", [(), (60, 0.0)])
"""Whether there was a period in which it was seen, which the store answers with each time."""
Seen = tuple[float, float] | tuple[()]


def unseen(scene: Scene, seen: Seen, late: float = 60, minutes: int = 1) -> Scene:
    for _ in range(minutes):
        newest = (scene.now - at(0)).total_seconds(), None
        answered(scene, *((seen, newest) if seen else (newest,)), late=late)
    return scene


def begun(seen: Seen) -> Scene:
    return answered(watched(DARK), seen) if seen else watched(DARK)


def dark(scene: Scene, seen: Seen) -> Scene:
    """Not seen until it trips."""
    while scene.word is not Word.ROLLBACK:
        unseen(scene, seen)
    return scene


@SEEN_BEFORE
@pytest.mark.parametrize("late", [90.0, 150.0, LATER])
def test_a_lateness_measured_later_moves_no_trip_for_not_being_seen(late: float, seen: Seen) -> None:
    scene = dark(begun(seen), seen)
    first = latch(scene)
    assert latch(unseen(scene, seen, late, minutes=12)).trips == first.trips
    assert latch(scene).since == first.since


@SEEN_BEFORE
def test_nor_one_that_was_answered(seen: Seen) -> None:
    scene = dismissed(dark(begun(seen), seen))
    assert [unseen(scene, seen, LATER).word for _ in range(20)] == [Word.HOLD] * 20


@SEEN_BEFORE
def test_one_that_lasts_longer_than_its_dismissal_calls_again_when_that_ends(seen: Seen) -> None:
    scene = dismissed(dark(begun(seen), seen), lasts=600)
    ends = scene.now + seconds(600)
    assert unseen(scene, seen, 150, minutes=9).word is Word.HOLD
    assert unseen(scene, seen, 150, minutes=2).word is Word.ROLLBACK
    assert latch(scene).trips == (Occurrence(ends, "dark"),)


@settings(max_examples=20)
@given(st.sampled_from([(), (60, 0.0)]), st.lists(st.sampled_from([60.0, 90.0, 150.0, 400.0]), min_size=5, max_size=15))
def test_an_answered_trip_for_not_being_seen_never_calls_again_however_late_its_data_is(
    seen: Seen, lateness: list[float]
) -> None:
    scene = begun(seen)
    called: set[Occurrence] = set()
    for late in lateness:
        now = unseen(scene, seen, late).situation.verdict.latch
        if now is not None:
            called.update(now.trips)
            if late == 90:
                dismissed(scene)
    assert len(called) <= 1
    assert called or scene.word is Word.HOLD


def test_a_lateness_measured_once_it_is_seen_again_moves_no_trip_that_was_answered() -> None:
    scene = dismissed(dark(begun((60, 0.0)), (60, 0.0)))
    now = (scene.now - at(0)).total_seconds()
    assert answered(scene, (60, 0.0), (now, 0.0), late=90).word is Word.HOLD
    assert scene.state("dark") is not State.TRIPPED


def test_what_is_not_seen_again_after_it_was_seen_is_another_trip() -> None:
    scene = dismissed(dark(begun((60, 0.0)), (60, 0.0)))
    now = (scene.now - at(0)).total_seconds()
    assert dark(answered(scene, (now, 0.0)), (now, 0.0)).word is Word.ROLLBACK


def test_what_was_seen_to_be_bad_is_another_trip_than_not_being_seen_after_it() -> None:
    scene = dismissed(answered(watched(DARK), (60, 0.2)))
    assert scene.word is Word.HOLD
    assert dark(scene, (60, 0.2)).word is Word.ROLLBACK


def test_a_decision_of_another_cockpit_answers_the_trip_that_comes_here_a_little_later() -> None:
    """Its metric was measured to be less late: there it tripped earlier."""
    scene = unseen(begun(()), (), minutes=4)
    assert scene.word is Word.HOLD
    elsewhere = Proof(received=scene.now)
    named = (Occurrence(scene.now - seconds(30), "dark"),)
    scene.say(Decision(scene.now, "dismiss", "ann", "known", "", "backup", "d1", named, proof=elsewhere))
    assert [unseen(scene, (), LATER).word for _ in range(20)] == [Word.HOLD] * 20
