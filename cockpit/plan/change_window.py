"""The change window: when production may be changed, once or every week, as moments of UTC. Pure arithmetic on the calendar.

A time of a time zone means a moment by that zone's rules of daylight saving: a window over the night of a change is an hour
longer or shorter than its clock times say.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from probes.frozen import frozen

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEK = 7
_MINUTE = timedelta(minutes=1)
_MINUTES = range(24 * 60)


@frozen
class Opening:
    """One time for which a window is open."""

    begins: datetime
    ends: datetime

    @property
    def length(self) -> timedelta:
        return self.ends - self.begins

    def distance(self, moment: datetime) -> timedelta:
        """How far a moment is from it; nothing within it."""
        return max(self.begins - moment, moment - self.ends, timedelta(0))


@frozen
class ChangeWindow:
    """Either `once`, or on `days` of every week from `opens` to `closes`, clock times of `time_zone`."""

    time_zone: str
    once: Opening | None = None
    days: tuple[str, ...] = ()
    """Days on which it opens; one that closes after midnight belongs to the day it opened on."""
    opens: time = time()
    closes: time = time()
    """Not later than `opens`: on the next day."""

    @property
    def length(self) -> timedelta:
        """How long it is open, on a night without a change of the clocks."""
        if self.once is not None:
            return self.once.length
        day = datetime(2000, 1, 1)  # noqa: DTZ001 - a difference of clock times
        length = datetime.combine(day, self.closes) - datetime.combine(day, self.opens)
        return length if length > timedelta(0) else length + timedelta(days=1)

    def near(self, moment: datetime) -> Opening:
        """The opening that a moment is in, or else the one that is nearest to it: the one that has just ended, or comes next."""
        if self.once is not None:
            return self.once
        return min(self.openings(moment), key=lambda one: (one.distance(moment), one.begins))

    def next_after(self, moment: datetime) -> Opening:
        """The opening that a moment is in, or else the one that comes next. One that is open once has no other."""
        if self.once is not None:
            return self.once
        return next(one for one in self.openings(moment) if one.ends > moment)

    def openings(self, moment: datetime) -> Iterator[Opening]:
        """The weekly openings of the week before a moment and of the week after it, the oldest first."""
        today = moment.astimezone(ZoneInfo(self.time_zone)).date()
        for offset in range(-_WEEK - 1, _WEEK + 2):
            day = today + timedelta(days=offset)
            if DAYS[day.weekday()] in self.days:
                last = day if self.closes > self.opens else day + timedelta(days=1)
                yield Opening(self._moment(day, self.opens), self._moment(last, self.closes))

    def _moment(self, day: date, at: time) -> datetime:
        """The first moment at which the zone's clocks show the time, or have been put forward over it."""
        local = datetime.combine(day, at, ZoneInfo(self.time_zone))
        if exists(local):
            return local.astimezone(UTC)
        first = local.replace(fold=1).astimezone(UTC)  # by the offset after the change, so before it

        def shown(minutes: int) -> datetime:
            return (first + minutes * _MINUTE).astimezone(local.tzinfo).replace(tzinfo=None)

        return first + bisect_left(_MINUTES, local.replace(tzinfo=None), key=shown) * _MINUTE

    def changes_clocks(self, opening: Opening) -> bool:
        """Whether the zone's clocks change while it is open."""
        zone = ZoneInfo(self.time_zone)
        return opening.begins.astimezone(zone).utcoffset() != opening.ends.astimezone(zone).utcoffset()


def exists(local: datetime) -> bool:
    """Whether a clock shows this time at all that day: in spring an hour is skipped. `local` has its zone."""
    return local.astimezone(UTC).astimezone(local.tzinfo).replace(fold=0) == local.replace(fold=0)


def comes_twice(local: datetime) -> bool:
    """Whether a clock shows this time twice that day: in autumn an hour is repeated. `local` has its zone."""
    offsets = {local.replace(fold=fold).utcoffset() for fold in (0, 1)}
    return len(offsets) > 1 and exists(local)
