"""Metrics that fill up late: the newest period is provisional until it is older than what was measured to be late."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from support.aws.modelled import NOW, ModelledAws

from probes.aws.cloudwatch import CloudWatchRatio, CloudWatchRatioParams
from probes.aws.lateness import REMEMBERED, Lateness
from probes.reading import Reading, Reason

MINUTE = timedelta(minutes=1)
START = NOW.replace(second=0, microsecond=0)
Shown = Callable[[int, float], float | None]
"""What shows of the minute of this number, so many seconds after its end."""


class Filling:
    """A load balancer whose minutes fill up; the probe reads it once a minute, some seconds past it."""

    def __init__(self, total: Shown, errors: Shown, **params: Any) -> None:
        self.aws = ModelledAws()
        self.aws.on["GetMetricData"] = self._answer
        self._shown = {"RequestCount": total, "HTTPCode_Target_5XX_Count": errors}
        self._now = START
        given = {
            "load_balancer": "app/x/50dc6c495c0c9188",
            "part": ["HTTPCode_Target_5XX_Count"],
            "total": "RequestCount",
            "min_total": 20,
        } | params
        self.probe = CloudWatchRatio(CloudWatchRatioParams.model_validate(given), self.aws.clients)

    def _answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        results = []
        for query in asked["MetricDataQueries"]:
            shown = self._shown[query["MetricStat"]["Metric"]["MetricName"]]
            points = []
            for number in range(-30, 90):
                begin = START + number * MINUTE
                age = (self._now - begin - MINUTE).total_seconds()
                value = shown(number, age) if age >= 0 and asked["StartTime"] <= begin < asked["EndTime"] else None
                if value:
                    points.append((begin, float(value)))
            stamps, values = [at for at, _ in points], [value for _, value in points]
            results.append({"Id": query["Id"], "StatusCode": "Complete", "Timestamps": stamps, "Values": values})
        return {"MetricDataResults": results}

    async def polls(self, count: int, past_s: float) -> list[Reading]:
        readings = []
        for number in range(1, count + 1):
            self._now = START + number * MINUTE + timedelta(seconds=past_s)
            readings.append(await self.probe.read(self._now))
        return readings


@pytest.fixture
async def made() -> AsyncIterator[list[Filling]]:
    worlds: list[Filling] = []
    yield worlds
    for world in worlds:
        await world.aws.clients.close()


def half_then_all(count: float) -> Shown:
    return lambda _, age: 0.0 if age < 45 else count // 2 if age < 125 else count


PAST_S = [0.0, 4.0, 20.0, 44.0, 59.0]


@pytest.mark.parametrize("past_s", PAST_S)
async def test_thirty_requests_a_minute_that_come_in_two_halves_do_not_flicker(
    made: list[Filling], past_s: float
) -> None:
    world = Filling(half_then_all(30), lambda *_: None)
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
    world = Filling(half_then_all(100), lambda _, age: 3.0 if age >= 45 else None)
    made.append(world)
    readings = (await world.polls(20, past_s))[3:]
    assert {reading.values["rate"] for reading in readings} == {0.03}


@pytest.mark.parametrize("past_s", PAST_S)
async def test_an_outage_whose_errors_come_late_never_looks_recovered(made: list[Filling], past_s: float) -> None:
    # From minute 5 on 40 of 100 requests fail; their count comes 150 s after the minute.
    world = Filling(lambda _, age: 100.0, lambda number, age: 40.0 if number >= 5 and age >= 150 else None)
    made.append(world)
    readings = await world.polls(25, past_s)
    began = next(n for n, reading in enumerate(readings) if _last_bad(reading) is not None)
    assert {reading.values["rate"] for reading in readings[began:]} == {0.4}


def _last_bad(reading: Reading) -> datetime | None:
    return reading.data_at if reading.values.get("rate") == 0.4 else None


async def test_the_evidence_says_how_late_and_what_is_provisional(made: list[Filling]) -> None:
    world = Filling(half_then_all(30), lambda *_: None)
    made.append(world)
    lines = (await world.polls(4, 4.0))[-1].evidence.lines
    assert "(provisional)" in lines[0]
    assert not any("(provisional)" in line for line in lines[1:5])
    assert lines[-1] == "values come up to 184 s after the end of their period"


async def test_where_everything_is_provisional_it_is_unknown_for_lateness(made: list[Filling]) -> None:
    world = Filling(lambda number, age: 30.0 + age, lambda *_: None, lookback=2)  # every answer says something else
    made.append(world)
    await world.polls(3, 30.0)
    (*_, reading) = await world.polls(4, 0.0)
    why = reading.unknown["rate"]
    assert (why.reason, reading.values) == (Reason.STALE, {})
    assert "late" in why.hint
    assert "210 s after the end of their period" in why.detail


def test_lateness_is_forgotten_after_a_while() -> None:
    lateness, end = Lateness(MINUTE), START
    lateness.note(START + 2 * MINUTE, [end], [{end: 1.0}])
    lateness.note(START + 3 * MINUTE, [end], [{end: 2.0}])
    assert lateness.measured == 3 * MINUTE
    lateness.note(START + 4 * MINUTE + REMEMBERED, [end], [{end: 2.0}])
    assert lateness.measured == timedelta(0)


def test_an_answer_cut_short_is_no_change() -> None:
    lateness, end = Lateness(MINUTE), START
    lateness.note(START + 2 * MINUTE, [end], [{end: 1.0}])
    lateness.note(START + 3 * MINUTE, [end], [None])
    lateness.note(START + 4 * MINUTE, [end], [{end: 1.0}])
    assert lateness.measured == timedelta(0)


def test_a_long_silence_of_ones_own_is_no_lateness_of_the_metric() -> None:
    lateness, end = Lateness(MINUTE), START
    lateness.note(START + 2 * MINUTE, [end], [{end: 1.0}])
    lateness.note(START + 30 * MINUTE, [end], [{end: 2.0}])
    assert lateness.measured == 3 * MINUTE
