"""Metrics that come late, from the first answer to the verdict: nothing false, nothing that flickers, nothing stale for good."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from engine.late_nights import Night, errors_of, plan_with
from support.aws.filling import ERRORS, MINUTE, START, Filling, Shown, from_age, half_then_all, never

PAST_S = [4.0, pytest.param(31.0, marks=pytest.mark.long)]


@pytest.fixture
async def nights() -> AsyncIterator[list[Night]]:
    made: list[Night] = []
    yield made
    for night in made:
        await night.world.close()


@pytest.mark.parametrize("past_s", PAST_S)
async def test_thirty_requests_a_minute_in_two_halves_are_go_in_time_and_stay_go(
    nights: list[Night], past_s: float
) -> None:
    night = errors_of({"RequestCount": half_then_all(30), ERRORS: never}, past_s, "0.05", {"for": "5m"})
    nights.append(night)
    await night.live(12)
    assert night.states(0) == ["MET"]  # the periods of before were there to be seen
    assert night.states(1) == ["CLEAR"]
    go = night.words.index("GO")
    assert go <= 4
    assert set(night.words[go:]) == {"GO"}


@pytest.mark.parametrize("past_s", PAST_S)
@pytest.mark.parametrize("hold", [{}, {"for": "5m"}])
async def test_three_percent_under_a_limit_of_five_never_stir_a_trigger(
    nights: list[Night], past_s: float, hold: dict[str, str]
) -> None:
    # The failures show whole while half of the requests is still missing: then 3 of 50 look like 6 %.
    night = errors_of({"RequestCount": half_then_all(100), ERRORS: from_age(3, 45)}, past_s, "0.05", hold)
    nights.append(night)
    await night.live(8)
    assert night.states(1) == ["CLEAR"]
    assert "ROLLBACK" not in night.words


def outage(late_s: float, begins: int = 5) -> dict[str, Shown]:
    """From that minute on 40 of 100 requests fail, and their count comes so late."""
    return {
        "RequestCount": from_age(100, 30),
        ERRORS: lambda number, age: 40.0 if number >= begins and age >= late_s else None,
    }


@pytest.mark.parametrize("past_s", PAST_S)
@pytest.mark.parametrize("hold", [{}, {"for": "2m"}])
async def test_an_outage_whose_errors_come_late_never_looks_recovered(
    nights: list[Night], past_s: float, hold: dict[str, str]
) -> None:
    night = errors_of(outage(150.0), past_s, "0.05", hold)
    nights.append(night)
    await night.live(14)
    began = [word for word in night.states(1) if word != "PENDING"]
    assert began == ["CLEAR", "TRIPPED"]
    # A cockpit opened anew in the middle of it knows nothing yet of how late the errors are.
    again = Night(Filling(outage(150.0)), night.plan, past_s, record=night.record, now=night.now)
    nights.append(again)
    await again.live(5)
    assert set(again.states(1)) <= {"PENDING", "TRIPPED"}
    assert set(again.words) == {"ROLLBACK"}


DEPTH: Mapping[str, Any] = {"namespace": "Orders", "metric": "Depth", "stat": "Average"}
LATE: Mapping[str, tuple[Mapping[str, Any], float]] = {
    "settle of 240 s": ({"settle": "240s"}, 100.0),
    "settle of 10 m": ({"settle": "10m"}, 100.0),
    "5-minute periods": ({"period": "5m"}, 130.0),
    "12 minutes late": ({}, 720.0),
    "12 minutes late, looked back over 5": ({"lookback": 5, "settle": "9m"}, 720.0),
    "settle and period": ({"period": "5m", "settle": "10m"}, 100.0),
}


@pytest.mark.parametrize("kind", LATE)
async def test_nothing_late_is_stale_for_good_or_flickers(nights: list[Night], kind: str) -> None:
    params, late_s = LATE[kind]
    given = {**DEPTH, **params}
    plan = plan_with("cloudwatch.metric", given, "m.value < 10.0", "m.value >= 10.0", {"for": "10m"})
    night = Night(Filling({"Depth": from_age(3.0, late_s)}, "cloudwatch.metric", **given), plan, 31.0)
    nights.append(night)
    await night.live(20)
    known = next(n for n, state in enumerate(night.seen) if str(state[0].state) == "MET")
    assert known <= 16, (kind, night.states(0))
    for which, word in ((0, "MET"), (1, "CLEAR")):
        assert {str(each[which].state) for each in night.seen[known:]} == {word}, (kind, set(night.whys(which)))
    assert night.words[-1] == "GO"


async def test_a_limit_of_ones_own_is_kept_and_its_hint_names_lateness(nights: list[Night]) -> None:
    limit = {"for": "10m", "stale_after": "6m"}
    plan = plan_with("cloudwatch.metric", DEPTH, "m.value < 10.0", "m.value >= 10.0", limit)
    night = Night(Filling({"Depth": from_age(3.0, 720.0)}, "cloudwatch.metric", **DEPTH), plan, 31.0)
    nights.append(night)
    await night.live(5)
    assert night.states(1)[-1] == "UNKNOWN"
    assert "late" in list(night.whys(1))[-1]


async def test_a_late_metric_is_not_blind_where_blindness_calls_for_a_rollback(nights: list[Night]) -> None:
    # The phase begins while it is watched: nothing can be seen of it for 13 minutes, and nothing is wrong.
    blind = {"on_unknown": "rollback", "unknown_limit": "5m"}
    plan = plan_with("cloudwatch.metric", DEPTH, "m.value < 10.0", "m.value >= 10.0", of_trigger=blind)
    night = Night(Filling({"Depth": from_age(3.0, 720.0)}, "cloudwatch.metric", **DEPTH), plan, 31.0)
    night.began = START + 3 * MINUTE
    nights.append(night)
    await night.live(22)
    assert "ROLLBACK" not in night.words
    assert night.states(1)[-1] == "CLEAR"


async def test_what_stops_coming_is_stale_however_late_it_was(nights: list[Night]) -> None:
    plan = plan_with("cloudwatch.metric", DEPTH, "m.value < 10.0", "m.value >= 10.0", {"for": "5m"})
    shown = {"Depth": lambda number, age: 3.0 if number < 5 and age >= 720 else None}
    night = Night(Filling(shown, "cloudwatch.metric", **DEPTH), plan, 31.0)
    nights.append(night)
    await night.live(30)
    assert night.states(0)[-1] == "UNKNOWN"
    assert night.words[-1] == "HOLD"
