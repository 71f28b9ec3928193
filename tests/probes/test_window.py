"""A weekly window, at the moment it is given: never at this machine's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from probes.clients.clients import AwsOptions, Clients
from probes.local.time_window import DAYS, TimeWindow, TimeWindowParams
from probes.reading import Reading, Reason

NIGHTS = {"days": ["mon", "tue", "wed", "thu"], "from": "22:00", "to": "06:00", "timezone": "America/New_York"}
NEW_YORK = ZoneInfo("America/New_York")
HOUR = 3600.0


async def read(now: datetime, **params: Any) -> Reading:
    given = TimeWindowParams.model_validate(NIGHTS | params)
    return await TimeWindow(given, Clients(AwsOptions())).read(now)


def at(text: str) -> datetime:
    """A moment in New York, as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).astimezone(UTC)


async def test_inside_before_midnight() -> None:
    reading = await read(at("2026-11-23T23:30"))  # a Monday
    assert reading.values == {"inside": True, "ends_in_s": 6.5 * HOUR, "local_time": "Mon 23:30"}
    assert reading.unknown["begins_in_s"].reason is Reason.NO_DATA
    assert reading.evidence.query == "mon, tue, wed, thu 22:00 to 06:00 America/New_York"


async def test_after_midnight_it_is_still_the_evening_before() -> None:
    assert (await read(at("2026-11-27T05:59"))).values["ends_in_s"] == 60.0  # Friday, of Thursday's window
    assert (await read(at("2026-11-23T05:59"))).values["inside"] is False  # Monday, of Sunday's


async def test_outside_it_says_when_it_begins() -> None:
    reading = await read(at("2026-11-27T12:00"))  # Friday noon: next on Monday
    assert reading.values == {"inside": False, "begins_in_s": 82 * HOUR, "local_time": "Fri 12:00"}
    assert reading.unknown["ends_in_s"].reason is Reason.NO_DATA


@pytest.mark.parametrize(("time", "inside"), [("21:59:59", False), ("22:00:00", True), ("06:00:00", False)])
async def test_the_edges(time: str, inside: bool) -> None:
    assert (await read(at(f"2026-11-24T{time}"))).values["inside"] is inside


async def test_a_window_within_one_day() -> None:
    day = {"days": ["sun"], "from": "02:00", "to": "05:30", "timezone": "UTC"}
    reading = await read(datetime(2026, 11, 22, 4, tzinfo=UTC), **day)
    assert (reading.values["inside"], reading.values["ends_in_s"]) == (True, 1.5 * HOUR)
    later = await read(datetime(2026, 11, 22, 5, 30, tzinfo=UTC), **day)
    assert later.values["begins_in_s"] == (7 * 24 - 3.5) * HOUR


async def test_windows_that_touch_are_one() -> None:
    weekend = {"days": ["sat", "sun"], "from": "00:00", "to": "24:00", "timezone": "UTC"}
    reading = await read(datetime(2026, 11, 21, 12, tzinfo=UTC), **weekend)
    assert reading.values["ends_in_s"] == 36 * HOUR


async def test_a_window_that_never_ends_has_no_end() -> None:
    always = {"days": list(DAYS), "from": "00:00", "to": "24:00"}
    reading = await read(at("2026-11-23T12:00"), **always)
    assert reading.values["inside"] is True
    assert "all week" in reading.unknown["ends_in_s"].detail


@pytest.mark.parametrize(("night", "hours"), [("2026-03-07", 7.0), ("2026-10-31", 9.0), ("2026-11-21", 8.0)])
async def test_a_night_of_daylight_saving_is_longer_or_shorter(night: str, hours: float) -> None:
    reading = await read(at(f"{night}T22:00"), days=["sat"])
    assert reading.values["ends_in_s"] == hours * HOUR


@pytest.mark.parametrize(
    "wrong",
    [
        {"days": []},
        {"days": ["monday"]},
        {"from": "25:00"},
        {"from": "24:00"},
        {"from": "06:00"},
        {"to": "6:00"},
        {"to": 360},
        {"timezone": "Mars/Olympus"},
        {"timezone": "../etc/passwd"},
        {"timezone": ""},
    ],
)
def test_parameters_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TimeWindowParams.model_validate(NIGHTS | wrong)


def test_nothing_is_assumed() -> None:
    for name in NIGHTS:
        with pytest.raises(ValidationError):
            TimeWindowParams.model_validate({key: value for key, value in NIGHTS.items() if key != name})
