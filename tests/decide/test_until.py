"""`until`: a criterion that is judged for a time after the deployment began, and then stands as it was seen to be."""

from __future__ import annotations

from decide.scene import CALM, Scene, at, reading, seconds, success, trigger

from cockpit.decide.situation import Badge
from cockpit.decide.states import State, Word
from cockpit.plan.model import Criterion, OnUnknown, Phase

CANARY = trigger("canary", "n.rate > 0.05", until=60)
PROOF = success("proof", "n.ok", hold_for=30, until=60)


def scene(*criteria: Criterion) -> Scene:
    """A scene whose other criteria read `m`, and are as they should be to the end."""
    return Scene(*criteria, *CALM, dwell=0)


def is_past(there: Scene, id_: str) -> bool:
    return Badge.PAST in there.of(id_).badges


def test_what_is_good_at_its_end_is_past_and_nothing_later_counts() -> None:
    there = scene(CANARY, PROOF).feed_all("0x4")
    assert is_past(there, "canary")
    assert is_past(there, "proof")
    assert there.word is Word.GO
    there.feed("0.5x4 downx4", probe="n").feed("0")
    assert (there.state("canary"), there.state("proof"), there.word) == (State.CLEAR, State.MET, Word.GO)
    assert there.of("canary").because.line == "judged until 22:01:00, CLEAR then"


def test_what_was_past_stays_so_when_its_probe_is_blind_and_the_cockpit_sleeps() -> None:
    there = scene(CANARY, PROOF).feed_all("0x4").feed("denied", probe="n")
    assert there.state("canary") is State.CLEAR
    there.board.gap(there.now, there.now + seconds(3600))
    assert there.wait(3600).state("proof") is State.MET
    assert there.feed("0").state("canary") is State.CLEAR


def test_what_nobody_saw_at_its_end_is_no_proof() -> None:
    there = scene(CANARY, PROOF).feed_all("0x3").feed("0x20")
    assert (there.state("canary"), there.state("proof"), there.word) == (State.UNKNOWN, State.UNKNOWN, Word.HOLD)
    assert not is_past(there, "canary")
    assert not is_past(scene(CANARY).feed("0x20"), "canary"), "nor what nobody ever saw"


def test_it_is_judged_until_it_is_next_seen_to_be_good() -> None:
    there = scene(CANARY, PROOF).feed_all("0x3").feed("0x10").feed_all("0")
    assert is_past(there, "canary")
    assert there.state("proof") is State.PROVING
    assert is_past(there.feed_all("0x2"), "proof")


def test_a_breach_at_its_end_runs_on_to_a_trip_and_the_trip_to_a_decision() -> None:
    there = scene(trigger("canary", "n.rate > 0.05", hold_for=60, until=60)).feed_all("0x2 0.5x6")
    assert there.state("canary") is State.TRIPPED
    assert there.feed_all("0x9").word is Word.ROLLBACK
    assert is_past(there, "canary")
    assert there.dismiss().word is Word.GO


def test_before_the_deployment_it_has_no_effect_and_its_time_begins_with_it() -> None:
    there = scene(CANARY).begin(Phase.PRE_DEPLOY).feed_all("0x8")
    assert not is_past(there, "canary")
    assert there.feed_all("0.5").state("canary") is State.TRIPPED
    there.feed_all("0").begin(Phase.POST_DEPLOY)
    assert not is_past(there.feed_all("0x3"), "canary")
    assert is_past(there.feed_all("0"), "canary")


def test_a_good_sample_that_comes_late_counts_for_its_own_time() -> None:
    """Past is of the data's time: the order in which samples arrive changes nothing."""
    there, late = scene(CANARY).feed_all("0x3 _x2"), scene(CANARY).feed_all("0x3 _x2")
    for each, order in ((there, (60, 75)), (late, (75, 60))):
        for second in order:
            each.board.add("n", reading(at(second), {"rate": 0.5 if second == 75 else 0.0}))
        each.tick()
    assert there.state("canary") is late.state("canary") is State.CLEAR
    assert is_past(late, "canary")


def test_what_comes_late_of_the_time_before_an_end_that_is_known_does_not_put_it_off() -> None:
    """As the period of a metric does: it is past the end too, and older than what ended it."""
    there = Scene(success("either", "m.rate < 0.1 || n.rate < 0.1", hold_for=50, until=45), *CALM)
    for second in range(0, 76, 15):
        there.board.add("n", reading(at(second + 1), {"rate": 0.0}, data_at=at(second)))
    there.now = at(76)
    known = there.tick().of("either").ok_since
    assert (there.state("either"), known) == (State.MET, at(76))
    there.board.add("m", reading(at(90), {"rate": 0.0}, data_at=at(52)))
    there.now = at(91)
    assert (there.tick().state("either"), there.of("either").ok_since) == (State.MET, known)
    assert is_past(there, "either")


def test_what_is_learned_at_once_of_its_end_and_of_the_time_after_it_is_past_by_its_end() -> None:
    """As a metric brings several periods with one answer."""
    there = scene(success("proof", "n.ok", until=60)).feed("down", "n")
    good = reading(at(76), data_at=at(60))
    there.now = at(76)
    there.board.add("n", reading(at(76), {"ok": False}, data_at=at(75), earlier=(good,)))
    assert (there.tick().state("proof"), there.of("proof").ok_since) == (State.MET, at(76))
    assert is_past(there, "proof")


def test_what_is_past_does_not_trip_for_not_being_seen() -> None:
    dark = trigger("dark", "n.rate > 0.05", until=60, on_unknown=OnUnknown.ROLLBACK, unknown_limit=60)
    there = scene(dark).feed_all("0x4").feed("denied", probe="n").feed("0x20")
    assert is_past(there, "dark")
    assert there.word is Word.GO
