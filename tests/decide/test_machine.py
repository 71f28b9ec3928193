"""Everything a state carries after each sample: what it measures, since when it is fine, and its trips."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from decide.scene import START, at, seconds, success, trigger

from cockpit.decide.limits import ZERO, Limits
from cockpit.decide.state_machine import MachineState, Sample, Trip, next_state, standing
from cockpit.decide.states import State
from cockpit.plan.model import Criterion

LIVE = Limits({}, {}, period=ZERO, longest=ZERO)
FOR_30 = trigger("t", "m.rate > 0.05", hold_for=30, clear_for=30, min_samples=2)
AT_ONCE = trigger("t", "m.rate > 0.05", hold_for=0, clear_for=0, min_samples=1)
PROOF = success("s", "m.ok", hold_for=30, min_samples=2)


def sample(second: float, *, truth: bool, **more: object) -> Sample:
    """Known a second later; it carries a window for 30 seconds and counts for 45."""
    moment = at(second)
    made = Sample(moment, moment, moment + seconds(1), truth, moment + seconds(30), moment + seconds(45))
    return replace(made, **more)  # type: ignore[arg-type]


def bad(second: float, **more: object) -> Sample:
    return sample(second, truth=True, **more)


def good(second: float, **more: object) -> Sample:
    return sample(second, truth=False, **more)


def after(criterion: Criterion, *samples: Sample) -> MachineState:
    reached = None
    for each in samples:
        reached = next_state(criterion, LIVE, reached, each, START)
    assert reached is not None
    return reached


def run(reached: MachineState) -> tuple[State, timedelta, int]:
    return reached.state, reached.have, reached.samples


TRIPPED = (bad(0), bad(15), bad(30))
CLEARED = (*TRIPPED, good(45), good(60), good(75))


# -- clear -----------------------------------------------------------------------------------------------------------


def test_it_is_fine_since_it_was_first_seen_so_while_what_was_seen_counts() -> None:
    assert after(FOR_30, good(0), good(15)).ok_since == at(1)
    assert after(FOR_30, good(0), good(45)).ok_since == at(1)
    assert after(FOR_30, good(0), good(46)).ok_since == at(47)


def test_it_is_fine_since_it_was_seen_to_be_after_a_suspicion_and_each_is_counted() -> None:
    once = after(FOR_30, bad(0), bad(15), good(30))
    assert (*run(once), once.ok_since, once.near_misses) == (State.CLEAR, ZERO, 0, at(31), 1)
    assert after(FOR_30, bad(0), good(15), bad(30), good(45)).near_misses == 2


def test_older_data_that_comes_late_makes_nothing_fine_for_less_long() -> None:
    """A slow store tells of a time before the first live poll: what was known since then still was."""
    late, proof = {"observed_at": at(45)}, success("s", "m.ok", hold_for=0, min_samples=1)
    assert after(FOR_30, good(0, **late), good(15), good(30)).ok_since == at(16)
    assert after(proof, bad(0, **late), bad(15), bad(30)).ok_since == at(16)


# -- breaches --------------------------------------------------------------------------------------------------------


def test_a_breach_measures_itself_and_says_when_it_was_last_seen() -> None:
    first, second = after(FOR_30, good(-15), bad(0)), after(FOR_30, bad(0), bad(15))
    assert run(first) == (State.PENDING, ZERO, 1)
    assert (first.ok_since, first.failed_at, first.trips) == (None, at(1), ())
    assert run(second) == (State.PENDING, seconds(15), 2)
    assert second.failed_at == at(16)


def test_a_trip_is_since_it_was_known_and_goes_on_at_its_full_window() -> None:
    tripped, on = after(FOR_30, *TRIPPED), after(FOR_30, *TRIPPED, bad(45))
    assert run(tripped) == (State.TRIPPED, seconds(30), 3)
    assert (tripped.ok_since, tripped.failed_at, tripped.trips) == (None, at(31), (Trip(at(31)),))
    assert run(on) == (State.TRIPPED, seconds(30), 4)
    assert on.trips == tripped.trips


def test_what_was_there_before_has_no_trip_and_is_forgotten_when_it_is_clear() -> None:
    old = tuple(replace(each, pre_existing=at(-600)) for each in TRIPPED)
    assert (after(FOR_30, *old).pre_existing, after(FOR_30, *old).trips) == (at(-600), ())
    clear = after(FOR_30, *old, good(45), good(60), good(75))
    assert (clear.state, clear.pre_existing, clear.trips) == (State.CLEAR, None, ())


def test_a_new_sample_needs_new_data_of_each_reading_that_decides_it() -> None:
    """The slow one of two probes was read at 20 and not since; the fast one at 15, 30 and 45."""
    two = bad(20, data_at=at(15)), bad(30, data_at=at(20))
    assert after(FOR_30, *two).samples == after(FOR_30, *two, bad(45, data_at=at(20))).samples == 1
    assert after(FOR_30, *two, bad(45, data_at=at(40))).samples == 2


def test_what_turned_it_is_not_counted_again_when_the_other_reading_that_decides_it_comes() -> None:
    turned = good(45, data_at=at(20))
    assert after(FOR_30, *TRIPPED, turned, good(46, data_at=at(45))).samples == 1
    assert after(FOR_30, *TRIPPED, turned, good(60, data_at=at(46))).samples == 2


# -- recovering ------------------------------------------------------------------------------------------------------


def test_recovering_measures_itself_and_its_trip_ends_when_it_begins() -> None:
    first, second = after(FOR_30, *TRIPPED, good(45)), after(FOR_30, *TRIPPED, good(45), good(60))
    assert run(first) == (State.RECOVERING, ZERO, 1)
    assert (first.ok_since, first.trips) == (None, (Trip(at(31), until=at(46)),))
    assert run(second) == (State.RECOVERING, seconds(15), 2)
    assert second.trips == first.trips


def test_clear_again_it_starts_from_nothing_and_its_trip_is_over() -> None:
    clear = after(FOR_30, *CLEARED)
    assert run(clear) == (State.CLEAR, ZERO, 0)
    assert (clear.ok_since, clear.trips) == (at(76), (Trip(at(31), until=at(46), cleared=at(76)),))


def test_a_gap_begins_the_recovery_again() -> None:
    assert after(FOR_30, *TRIPPED, good(45), good(75)).state is State.CLEAR
    assert run(after(FOR_30, *TRIPPED, good(45), good(76))) == (State.RECOVERING, ZERO, 1)


def test_what_does_not_clear_is_tripped_at_its_full_window_and_its_trip_goes_on() -> None:
    halfway = after(FOR_30, *TRIPPED, good(45), good(60, recovers=False))
    assert run(halfway) == (State.TRIPPED, seconds(30), 2)
    assert halfway.trips == (Trip(at(31)),)


def test_a_second_trip_leaves_the_first_as_it_was() -> None:
    again = after(FOR_30, *CLEARED, bad(90), bad(105), bad(120), good(135))
    first = Trip(at(31), until=at(46), cleared=at(76))
    assert again.trips == (first, Trip(at(121), until=at(136)))
    assert after(FOR_30, *CLEARED, bad(90), bad(105), bad(120), good(135), good(150), good(165)).trips == (
        first,
        Trip(at(121), until=at(136), cleared=at(166)),
    )


def test_one_that_is_clear_at_once_has_a_trip_that_ends_with_it() -> None:
    assert after(AT_ONCE, bad(0), good(15)).trips == (Trip(at(1), until=at(16), cleared=at(16)),)


def test_one_that_trips_while_it_recovers_is_of_the_same_breach() -> None:
    again = after(FOR_30, *TRIPPED, good(45), bad(60))
    assert run(again) == (State.TRIPPED, seconds(30), 2)
    assert again.trips == (Trip(at(31), until=at(46)), Trip(at(61), after=at(31)))


# -- proofs ----------------------------------------------------------------------------------------------------------


def test_a_proof_measures_itself_and_is_met_since_it_was_known() -> None:
    proof = [sample(second, truth=True) for second in (0, 15, 30, 45)]
    assert run(after(PROOF, *proof[:2])) == (State.PROVING, seconds(15), 2)
    assert run(after(PROOF, *proof[:3])) == (State.MET, seconds(30), 3)
    assert after(PROOF, *proof[:3]).ok_since == after(PROOF, *proof).ok_since == at(31)
    broken = after(PROOF, *proof, good(60))
    assert run(broken) == (State.NOT_MET, ZERO, 0)
    assert (broken.ok_since, broken.failed_at) == (None, at(61))


def test_a_proof_after_a_gap_is_met_since_it_was_proven_again() -> None:
    again = after(PROOF, *(sample(second, truth=True) for second in (0, 15, 30, 75, 90, 105)))
    assert (*run(again), again.ok_since) == (State.MET, seconds(30), 3, at(106))


def test_at_now_a_run_is_broken_once_nothing_carries_it_on() -> None:
    met = after(PROOF, *(sample(second, truth=True) for second in (0, 15, 30)))
    assert standing(met, at(60)) == met
    broken = standing(met, at(60) + timedelta(microseconds=1))
    assert run(broken) == (State.PROVING, ZERO, 0)
    assert (broken.ok_since, broken.broken) == (None, True)
    recovering = standing(after(FOR_30, *TRIPPED, good(45), good(60)), at(91))
    assert (*run(recovering), recovering.broken) == (State.RECOVERING, ZERO, 0, True)
    assert not standing(after(FOR_30, *TRIPPED), at(999)).broken
