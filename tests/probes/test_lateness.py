"""Metrics that fill up late: the newest period is provisional until it is older than what was measured to be late."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from support.aws.filling import ERRORS, MINUTE, START, Filling, Shown, from_age, half_then_all, never
from support.aws.modelled import DENIED

from probes.aws.lateness import REMEMBERED, Lateness, Latenesses
from probes.reading import Reading, Reason


@pytest.fixture
async def made() -> AsyncIterator[list[Filling]]:
    worlds: list[Filling] = []
    yield worlds
    for world in worlds:
        await world.close()


AGE, SQS = "ApproximateAgeOfOldestMessage", "sqs.queue"
PAST_S = [0.0, 4.0, 20.0, 44.0, 59.0]


@pytest.mark.parametrize("past_s", PAST_S)
async def test_thirty_requests_a_minute_that_come_in_two_halves_do_not_flicker(
    made: list[Filling], past_s: float
) -> None:
    world = Filling({"RequestCount": half_then_all(30), ERRORS: never})
    made.append(world)
    readings = await world.polls(20, past_s)
    # The first answers measure how late it is; from then on every period counts whole, and no minute is left out.
    settled = readings[3:]
    assert {reading.values.get("rate") for reading in settled} == {0.0}
    assert {reading.values["total"] for reading in settled} == {30.0}
    assert {b.data_at - a.data_at for a, b in pairwise(settled)} == {MINUTE}


@pytest.mark.parametrize("past_s", PAST_S)
async def test_three_percent_are_never_more_than_five(made: list[Filling], past_s: float) -> None:
    # 100 requests, 3 of them failed: the failures show whole while half of the requests is still missing.
    world = Filling({"RequestCount": half_then_all(100), ERRORS: from_age(3.0, 45)})
    made.append(world)
    readings = (await world.polls(20, past_s))[3:]
    assert {reading.values["rate"] for reading in readings} == {0.03}


@pytest.mark.parametrize("past_s", PAST_S)
async def test_an_outage_whose_errors_come_late_never_looks_recovered(made: list[Filling], past_s: float) -> None:
    # From minute 5 on 40 of 100 requests fail; their count comes 150 s after the minute.
    late: Shown = lambda number, age: 40.0 if number >= 5 and age >= 150 else None  # noqa: E731
    world = Filling({"RequestCount": from_age(100.0, 0), ERRORS: late})
    made.append(world)
    readings = await world.polls(25, past_s)
    began = next(n for n, reading in enumerate(readings) if _last_bad(reading) is not None)
    assert {reading.values["rate"] for reading in readings[began:]} == {0.4}


def _last_bad(reading: Reading) -> datetime | None:
    return reading.data_at if reading.values.get("rate") == 0.4 else None


async def test_the_evidence_says_how_late_and_what_is_provisional(made: list[Filling]) -> None:
    world = Filling({"RequestCount": half_then_all(30), ERRORS: never})
    made.append(world)
    lines = (await world.polls(4, 4.0))[-1].evidence.lines
    assert "(provisional)" in lines[0]
    assert not any("(provisional)" in line for line in lines[1:5])
    assert lines[-1] == "RequestCount comes up to 184 s after the end of its period"


async def test_where_only_provisional_periods_have_points_it_is_unknown_for_lateness(made: list[Filling]) -> None:
    began: Shown = lambda number, age: 30.0 if number >= 2 and age >= 170 else None  # noqa: E731
    world = Filling({"RequestCount": began, ERRORS: never}, settle="3m")
    made.append(world)
    (*_, reading) = await world.polls(5, 55.0)  # the first minute with traffic has come, and is not 3 minutes old
    why = reading.unknown["rate"]
    assert (why.reason, reading.values) == (Reason.NO_DATA, {})
    assert "late" in why.hint
    assert "counts once it is 180 s old" in why.detail


async def test_what_is_later_than_it_is_looked_back_over_says_so(made: list[Filling]) -> None:
    world = Filling({"RequestCount": from_age(30.0, 720), ERRORS: never}, lookback=5)
    made.append(world)
    (reading,) = await world.polls(1, 30.0)
    assert reading.unknown["rate"].reason is Reason.NO_DATA
    assert "later than 7m" in reading.unknown["rate"].hint


async def test_the_newest_minute_beside_a_description_counts_by_the_same_rule(made: list[Filling]) -> None:
    # A sum that is seen to grow 150 s after its minute: no half of it is ever shown.
    growing: Shown = lambda _, age: 40.0 if age < 150 else 100.0  # noqa: E731
    world = Filling(
        {"NumberOfMessagesSent": growing, "NumberOfMessagesDeleted": never, AGE: from_age(4.0, 0)}, SQS, queue="jobs"
    )
    made.append(world)
    world.aws.on["GetQueueUrl"] = world.aws.on["GetQueueAttributes"] = DENIED
    readings = await world.polls(12, 44.0)
    assert [reading.values.get("sent_per_min") for reading in readings[3:]] == [100] * 9


def test_lateness_is_forgotten_after_a_while() -> None:
    lateness, end = Lateness(MINUTE), START
    lateness.note(START + 2 * MINUTE, [end], {end: 1.0})
    lateness.note(START + 3 * MINUTE, [end], {end: 2.0})
    assert lateness.measured == 3 * MINUTE
    lateness.note(START + 4 * MINUTE + REMEMBERED, [end], {end: 2.0})
    assert lateness.measured == timedelta(0)


def test_an_answer_cut_short_is_no_change() -> None:
    lateness, end = Lateness(MINUTE), START
    lateness.note(START + 2 * MINUTE, [end], {end: 1.0})
    lateness.note(START + 3 * MINUTE, [end], None)
    lateness.note(START + 4 * MINUTE, [end], {end: 1.0})
    assert lateness.measured == timedelta(0)


def test_a_long_silence_of_ones_own_is_no_lateness_of_the_metric() -> None:
    lateness, end = Lateness(MINUTE), START
    lateness.note(START + 2 * MINUTE, [end], {end: 1.0})
    lateness.note(START + 30 * MINUTE, [end], {end: 2.0})
    assert lateness.measured == 3 * MINUTE


def test_until_it_is_measured_a_period_is_provisional_for_a_minute_more() -> None:
    late = Latenesses(2, MINUTE, 2 * MINUTE, assumed=True)
    assert late.counts_from(START) == 3 * MINUTE
    end = START - MINUTE
    for minute in range(5):
        late.note(START + minute * MINUTE, [end], [{end: 1.0}, None])
    assert late.counts_from(START + 3 * MINUTE) == 3 * MINUTE
    assert late.counts_from(START + 4 * MINUTE) == 2 * MINUTE


def test_a_settle_that_is_written_counts_at_once_and_what_is_measured_counts_above_it() -> None:
    late = Latenesses(2, MINUTE, 2 * MINUTE, assumed=False)
    assert late.counts_from(START) == 2 * MINUTE
    end = START - 2 * MINUTE
    late.note(START, [end], [{end: 1.0}, {}])
    late.note(START + MINUTE, [end], [{end: 1.0}, {end: 4.0}])
    assert (late.measured, late.counts_from(START + MINUTE)) == ([timedelta(0), 3 * MINUTE], 3 * MINUTE)
