"""Several answers about one moment are one sample, whichever of them arrives first."""

from __future__ import annotations

from itertools import permutations

import pytest
from decide.scene import GOOD, at, blind, probe, reading

from cockpit.decide.readings import Readings
from probes.reading import Bounds, Reading, Reason, Unknown


def held(*answers: Reading) -> Readings:
    readings = Readings({"m": probe("m")})
    for each in answers:
        readings.add("m", each)
    return readings


def test_of_answers_of_one_instant_the_same_counts_whichever_arrives_first() -> None:
    seen = {name: GOOD[name] for name in GOOD if name != "rate"}
    answers = [Reading(at(15), at(15), seen, {"rate": Unknown(Reason.TIMEOUT, detail)}) for detail in "abc"]
    found = [held(*order) for order in permutations(answers)]
    samples = [each.histories["m"].samples for each in found]
    assert all(each == samples[0] for each in samples)
    newest = [each.latest("m") for each in found]
    assert {each.unknown["rate"].detail for each in newest if each is not None} == {"c"}


def test_since_when_a_state_is_so_is_what_the_newest_answer_says_that_saw_anything() -> None:
    ringing = reading(at(15), {"ok": False}, state_since=at(-600))
    again = reading(at(20), {"ok": False, "rate": 0.1}, data_at=at(15), state_since=at(-300))
    (sample,) = held(ringing, again, blind(at(15), Reason.TIMEOUT)).histories["m"].samples
    assert sample.state_since == at(-300)
    nothing = Reading(at(25), at(15), {}, blind(at(25), Reason.TIMEOUT).unknown)
    (sample,) = held(ringing, again, nothing).histories["m"].samples
    assert (sample.state_since, sample.values["rate"]) == (at(-300), 0.1)
    assert sample.unknown == {}, "what one answer saw is known, whatever another could not see"


def test_of_a_call_that_tells_of_several_moments_each_is_a_sample_of_its_own() -> None:
    earlier = tuple(reading(at(200), data_at=at(second)) for second in (60, 120))
    samples = held(reading(at(200), data_at=at(180), earlier=earlier)).histories["m"].samples
    assert [(each.data_at, each.earlier) for each in samples] == [(at(60), ()), (at(120), ()), (at(180), ())]


@pytest.mark.parametrize(("moment", "found"), [(14, None), (15, 15), (30, 15), (44, 15), (45, 45), (59, 45), (60, 60)])
def test_the_last_sample_with_a_field_is_the_newest_in_which_it_is_known_or_lies_between_bounds(
    moment: float, found: float | None
) -> None:
    seen = {name: GOOD[name] for name in GOOD if name != "rate"}
    low = Unknown(Reason.LOW_VOLUME, "8 of 20 requests", "", Bounds(0.1, 0.9))
    history = held(
        reading(at(15)),
        Reading(at(30), at(30), seen, {"rate": Unknown(Reason.TIMEOUT)}),
        Reading(at(45), at(45), seen, {"rate": low}),
        reading(at(60)),
    ).histories["m"]
    last = history.last_with("rate", at(moment))
    assert (last.data_at if last is not None else None) == (None if found is None else at(found))
