"""The time of day: is this the hour in which it was agreed to work."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, ConfigDict, StringConstraints, model_validator
from pydantic import Field as Setting

from probes.demand import AWS_ALONE
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown
from probes.three_valued import FieldValue, sorted_out

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
TimeOfDay = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$")]
_AHEAD_DAYS = 9
"""A window a week ahead, and the one it may touch."""


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone: write Europe/Berlin, America/New_York or UTC") from None
    return name


class TimeWindowParams(Params):
    model_config = ConfigDict(extra="forbid", frozen=True)

    days: Annotated[list[Day], Setting(min_length=1)]
    """Days on which the window begins; one that ends after midnight belongs to the day it began on."""
    begins: TimeOfDay = Setting(alias="from")
    """22:00, in `timezone`."""
    ends: TimeOfDay = Setting(alias="to")
    """06:00; not later than `from` means the next day, and 24:00 is midnight."""
    timezone: Annotated[str, AfterValidator(_zone)]
    """The time zone of the hours: Europe/Berlin."""

    @model_validator(mode="after")
    def _some_time(self) -> Self:
        if self.begins in (self.ends, "24:00"):
            raise ValueError("from and to are two times of a day; a whole day is from 00:00 to 24:00")
        return self


def _until_end(window: tuple[datetime, datetime], now: datetime) -> float | Unknown:
    left = window[1] - now
    if left > timedelta(days=_AHEAD_DAYS - 1):
        return Unknown(Reason.NO_DATA, "the window does not end: it is open all week")
    return left.total_seconds()


class TimeWindow(Probe[TimeWindowParams]):
    """Whether the cutover's now is inside a weekly window of a time zone, as people agreed on it.

    Reads no clock but the cutover's, and the rules of daylight saving on this machine: a window over the night of a
    change is an hour longer or shorter. Windows that touch are one. Needs no permission.
    """

    name = "time.window"
    params_type = TimeWindowParams
    demands = AWS_ALONE
    subjects = ("deployment window", "change window", "cutover window")
    cannot_see = "holidays"
    late = "not at all: it is arithmetic on the cutover's clock"
    fields = (
        Field("inside", bool, "now is inside the window", example=True),
        Field("ends_in_s", float, "until the window ends; unknown outside of it", 5400.0, "s", low=0),
        Field("begins_in_s", float, "until the next window begins; unknown inside of one", 1800.0, "s", low=0),
        Field("local_time", str, "now, in the window's time zone", "Mon 23:30"),
    )
    interval = timedelta(seconds=30)

    async def read(self, now: datetime) -> Reading:
        asked = self.params
        local = now.astimezone(ZoneInfo(asked.timezone))
        current, following = self._windows_at(now)
        outside = Unknown(Reason.NO_DATA, "now is outside the window")
        within = Unknown(Reason.NO_DATA, "now is inside the window")
        fields: dict[str, FieldValue] = {
            "inside": current is not None,
            "ends_in_s": _until_end(current, now) if current else outside,
            "begins_in_s": (following[0] - now).total_seconds() if following and not current else within,
            "local_time": f"{local:%a %H:%M}",
        }
        values, unknown = sorted_out(fields)
        query = f"{', '.join(asked.days)} {asked.begins} to {asked.ends} {asked.timezone}"
        return self.reading(
            now, values, unknown=unknown, evidence=Evidence(query, lines=(f"{local:%a %Y-%m-%d %H:%M %Z}",))
        )

    def _windows_at(self, now: datetime) -> tuple[tuple[datetime, datetime] | None, tuple[datetime, datetime] | None]:
        """The window now is in, and the next one; as moments, so that daylight saving is in them."""
        today = now.astimezone(ZoneInfo(self.params.timezone)).date()
        joined: list[tuple[datetime, datetime]] = []
        for offset in range(-_AHEAD_DAYS, _AHEAD_DAYS + 1):
            day = today + timedelta(days=offset)
            if DAYS[day.weekday()] not in self.params.days:
                continue
            start, end = self._moment(day, self.params.begins), self._moment(self._last_day(day), self.params.ends)
            if joined and start <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
            elif start < end:
                joined.append((start, end))
        current = next((window for window in joined if window[0] <= now < window[1]), None)
        return current, next((window for window in joined if window[0] > now), None)

    def _last_day(self, day: date) -> date:
        return day if self.params.ends > self.params.begins else day + timedelta(days=1)

    def _moment(self, day: date, at: str) -> datetime:
        if at == "24:00":
            day, at = day + timedelta(days=1), "00:00"
        local = datetime.combine(day, time.fromisoformat(at), ZoneInfo(self.params.timezone))
        return local.astimezone(UTC)
