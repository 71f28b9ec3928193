"""A board and its copy go separate ways; what a board has come to changes when something of it does, and only then."""

from __future__ import annotations

import pytest
from decide.scene import CALM, START, STEP, Scene, ask, at, plan, probe, reading, seconds, success, trigger

from cockpit.decide.board import Board
from cockpit.decide.decide import decide, words_of
from cockpit.decide.events import PhaseBegan, Record
from cockpit.decide.next_action import worded
from cockpit.decide.states import State, Word
from cockpit.plan.model import OnUnknown, Phase

ERRORS = trigger("errors", "m.rate > 0.05", hold_for=30, clear_for=30)


def test_a_copy_decides_alike_and_what_happens_to_one_is_nothing_to_the_other() -> None:
    scene = Scene(*CALM, ERRORS).feed("0x3 0.2")
    scene.board.add("m", reading(scene.now, {"rate": 0.3}))  # a second answer about the same time
    twin = scene.board.copy()
    assert twin.readings.histories["m"].polls_kept == scene.board.readings.histories["m"].polls_kept
    before = decide(scene.plan, scene.board, scene.record, scene.now)
    assert decide(scene.plan, twin, scene.record, scene.now) == before
    later = scene.now + 2 * STEP
    for board, rate in ((twin, 0.2), (scene.board, 0.0)):
        for when in (scene.now, later - STEP, later):
            board.add("m", reading(when, {"rate": rate}))
    states = [decide(scene.plan, board, scene.record, later).criterion("errors").state for board in (twin, scene.board)]
    assert states == [State.TRIPPED, State.CLEAR]
    newest = [board.readings.latest("m") for board in (twin, scene.board)]
    assert [each.values["rate"] for each in newest if each is not None] == [0.2, 0.0]
    third = twin.copy()
    twin.gap(later, later + STEP)
    assert third.readings.gaps == []
    assert (twin.copy().readings.gaps, twin.started_at) == ([(later, later + STEP)], third.started_at)


def test_what_a_copy_takes_in_is_nothing_to_the_readings_it_was_made_of() -> None:
    scene = Scene(*CALM, ERRORS).feed("0x3 0.2")
    scene.board.add("m", reading(scene.now, {"rate": 0.3}))
    before = held(scene.board)
    twin = scene.board.copy()
    for when in (scene.now - seconds(1), scene.now, scene.now + STEP):
        twin.add("m", reading(scene.now + STEP, {"rate": 0.5}, data_at=when))
    assert held(scene.board) == before != held(twin)


def held(board: Board) -> tuple[object, ...]:
    history = board.readings.histories["m"]
    answers = {at: list(given) for at, given in history.answers.items()}
    return list(history.times), list(history.samples), list(history.polls), answers


def test_what_one_of_them_comes_to_know_of_the_time_before_is_nothing_to_the_other() -> None:
    ringing = trigger("alarm", "!m.ok")
    scene = Scene(ringing)
    scene.tick()
    twin = scene.board.copy()
    older, newer = reading(at(-15), {"ok": False}), reading(at(15), {"ok": False})
    for board, known in ((twin, [older, newer]), (scene.board, [newer])):
        for each in known:
            board.add("m", each)
    states = [decide(scene.plan, board, scene.record, at(15)).criterion("alarm") for board in (twin, scene.board)]
    assert [each.pre_existing is not None for each in states] == [True, False]


def test_a_copy_knows_what_rang_before_the_phase_began() -> None:
    scene = Scene(trigger("alarm", "!m.ok"))
    twin = scene.board.copy()
    twin.add("m", reading(at(15), {"ok": False}, state_since=at(-600)))
    assert decide(scene.plan, twin, scene.record, at(15)).criterion("alarm").pre_existing == at(-600)


def filled() -> Scene:
    return Scene(ERRORS, success("fine", "m.ok", stale_after=None), probes=(probe("m"),)).feed("0x3")


def come_to(scene: Scene) -> object:
    scene.tick()
    return scene.board.outcomes(scene.now)


def test_what_a_board_has_come_to_is_the_same_while_nothing_turns() -> None:
    scene = filled()
    before = come_to(scene)
    assert come_to(scene.feed("0.01")) == before
    for line in ("0.2", "down", "denied"):
        assert come_to(filled().feed(line)) != before
    assert come_to(filled().feed("denied")) != come_to(filled().feed("timeout")), "not seen for another reason"
    suspected = filled().feed("0.2x2")
    before = come_to(suspected)
    assert come_to(suspected.feed("0.2")) != before, "the polls say the same, and it has tripped"


def test_what_a_board_has_come_to_changes_where_something_no_longer_counts_and_nowhere_else() -> None:
    scene = filled()
    board, now = scene.board, scene.now
    written, own = ERRORS.stale_after, scene.plan.probes["m"].stale_after
    lapses = []
    while (moment := board.next_lapse(now)) is not None:
        lapses.append(moment - scene.now)
        assert board.next_lapse(moment) == moment, "what lapses after this very moment has not lapsed yet"
        assert board.outcomes(moment) == board.outcomes(now)
        now = moment + STEP / 15
        assert board.outcomes(now) != board.outcomes(moment)
    assert board.outcomes(now) == board.outcomes(now + 9999 * STEP)
    assert written != own
    assert {written, own} < set(lapses), "and before them where a window no longer goes on"
    alone = Scene(ERRORS, probes=(probe("m"),)).feed("0x3")
    stale = alone.now + own
    assert alone.board.outcomes(stale) != alone.board.outcomes(stale + STEP / 15), (
        "the probe's own, of which nothing asks"
    )
    unread = Board(scene.plan, at(0))
    decide(unread.plan, unread, scene.record, at(0))
    assert unread.outcomes(at(1)) == unread.outcomes(at(9999)), "what was never read has nothing to lapse"


def test_what_waits_for_a_signature_alone_lapses_by_no_reading() -> None:
    alone = Scene(success("team", "", sign_off=ask()), probes=(probe("m"),))
    assert [alone.board.next_lapse(at(moment)) for moment in (0, 1)] == [at(0), None], "it is judged from then on"
    alone.board.gap(at(0), at(600))
    assert alone.wait(600).state("team") is State.NOT_MET, "nor by a sleep"


@pytest.mark.parametrize(("rate", "state"), [(0.0, State.PENDING), (0.3, State.TRIPPED)])
def test_what_is_kept_after_older_samples_were_forgotten_goes_on_from_the_last_of_them(
    rate: float, state: State
) -> None:
    scenes = [Scene(ERRORS, probes=(probe("m"),)).feed("0 0.2x3") for _ in range(2)]
    scenes[0].board._evaluators["errors"].forget_before(scenes[0].now - STEP)
    for scene in scenes:
        assert scene.state("errors") is State.TRIPPED
        corrected = reading(scene.now + STEP / 15, {"rate": rate}, data_at=scene.now - STEP)
        scene.board.add("m", corrected)
        scene.now = corrected.observed_at
        assert scene.tick().state("errors") is state


def test_what_is_not_seen_trips_at_a_moment_that_a_sleep_before_it_puts_off() -> None:
    dark = trigger("dark", "m.rate > 0.05", on_unknown=OnUnknown.ROLLBACK, unknown_limit=120)
    scene = Scene(*CALM, dark, probes=(probe("m"),)).feed("0")
    seen_at, slept_until = scene.now, scene.now + 8 * STEP
    moments = [scene.board.next_lapse(seen_at + seconds(119))]
    scene.now = slept_until
    scene.board.gap(seen_at + STEP, slept_until)
    scene.tick()
    moments.append(scene.board.next_lapse(slept_until))
    assert moments == [seen_at + seconds(120), seen_at + seconds(120) + 7 * STEP]
    trips = []
    for late in (0, 1):
        scene.now = seen_at + seconds(120 + late) + 7 * STEP
        trips.append(scene.tick().word)
    assert trips == [Word.HOLD, Word.ROLLBACK]


def test_the_words_of_a_situation_and_what_there_is_to_do() -> None:
    scene = Scene(*CALM, trigger("now", "m.rate > 0.05")).feed("0.2")
    words = words_of(scene.situation)
    assert words["verdict"] == ("ROLLBACK", scene.situation.verdict.reasons[0])
    assert words["now"] == ("TRIPPED", scene.of("now").because.line)
    told = worded(scene.situation)
    assert told
    for line, action in zip(told, scene.situation.next_actions, strict=False):
        assert line.endswith(action.what)
        assert line.startswith(f"{action.by} (") or not action.by


def test_a_copy_of_a_record_is_of_its_kind_holds_the_same_and_goes_its_own_way() -> None:
    first, second = PhaseBegan(at(0), Phase.PRE_DEPLOY), PhaseBegan(at(1), Phase.POST_DEPLOY)
    record = Record([first], rehearsal=True, claimed_because="the keys are in the safe")
    twin = record.copy()
    twin.append(second)
    assert (twin.rehearsal, twin.claimed_because) == (True, "the keys are in the safe")
    assert (twin.all(PhaseBegan), record.all(PhaseBegan)) == ([first, second], [first])


def test_what_a_trigger_has_forgotten_is_not_judged_again() -> None:
    """Its state goes on from the newest sample it forgot: a late answer about that one has nothing left to correct."""
    at_once = trigger("errors", "m.rate > 0.05")
    board = Board(plan(at_once, *CALM), START)
    board.evaluate(at_once, START, START)
    for moment in (15, 30, 45, 13 * 3600):
        board.add("m", reading(at(moment)))
    before = board.evaluate(at_once, START, at(13 * 3600))
    for moment in (15, 30):
        board.add("m", reading(at(13 * 3600 - 15), {"rate": 0.2}, data_at=at(moment)))
        assert board.evaluate(at_once, START, at(13 * 3600)) == before
