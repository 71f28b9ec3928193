"""How late a metric is, measured while it is watched: the age at which a period was last seen to change. Pure."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from probes.periods import last_closed, trailing

MOST_PERIODS = 400
"""Of an answer: a metric that is seen to be later still is not followed."""
REMEMBERED = timedelta(hours=1)
"""For how long one late period goes on making the newer ones provisional."""
UNMEASURED = timedelta(minutes=1)
"""How much longer a period is provisional while nothing has been measured yet."""
Points = Mapping[datetime, float]


class Lateness:
    """Of one series: compares what one answer says of a period with what the answer before said of it."""

    def __init__(self, period: timedelta) -> None:
        self._period = period
        self._asked_at: datetime | None = None
        self._ends: frozenset[datetime] = frozenset()
        self._before: Points | None = None
        self._seen: deque[tuple[datetime, timedelta]] = deque()
        """When a period was seen to change, and how old it was at most."""

    @property
    def measured(self) -> timedelta:
        """The age from which a period has not been seen to change; 0 before any has."""
        return max((late for _, late in self._seen), default=timedelta(0))

    def note(self, now: datetime, ends: Sequence[datetime], points: Points | None) -> None:
        """Take in one answer: the points by period end, None where it was cut short."""
        while self._seen and now - self._seen[0][0] > REMEMBERED:
            self._seen.popleft()
        if self._asked_at is not None and points is not None and self._before is not None:
            # What changed between two answers far apart has changed somewhere in between: a period later is enough to say.
            known = min(now, self._asked_at + self._period)
            changed = [end for end in ends if end in self._ends and points.get(end) != self._before.get(end)]
            if changed:
                self._seen.append((now, max(known - end for end in changed)))
        self._asked_at, self._ends = now, frozenset(ends)
        self._before = points if points is not None else self._before


class Latenesses:
    """Of all the series one probe reads together: from which age on a period counts, and what was measured of each.

    `settle` is how long a period fills up at least. Where the plan does not write it (`assumed`), a period is provisional for
    longer until so many answers have come that its lateness would have shown.
    """

    def __init__(self, series: int, period: timedelta, settle: timedelta, *, assumed: bool) -> None:
        self._each = [Lateness(period) for _ in range(series)]
        self._period = period
        self._settle = settle
        self._learning = settle + UNMEASURED + period if assumed else timedelta(0)
        self._first_asked: datetime | None = None

    @property
    def measured(self) -> Sequence[timedelta]:
        """Of each series, in their order."""
        return [each.measured for each in self._each]

    def ends(self, now: datetime, lookback: int) -> list[datetime]:
        """Ends of the closed periods to ask for, rising: `lookback` that count, and younger ones: they show how late it is."""
        young = math.ceil(self.counts_from(now) / self._period)
        return trailing(last_closed(now, self._period, timedelta(0)), self._period, min(lookback + young, MOST_PERIODS))

    def note(self, now: datetime, ends: Sequence[datetime], series: Sequence[Points | None]) -> list[datetime]:
        """Take in the answers for `ends`, None for one that was cut short; those of the ends that count now."""
        self._first_asked = self._first_asked or now
        for lateness, points in zip(self._each, series, strict=True):
            lateness.note(now, ends, points)
        counts_from = self.counts_from(now)
        return [end for end in ends if now - end >= counts_from]

    def counts_from(self, now: datetime) -> timedelta:
        """The age from which a period counts."""
        latest = max(self.measured, default=timedelta(0))
        if latest > self._settle:
            return latest
        measured = self._first_asked is not None and now - self._first_asked >= self._learning
        return self._settle if measured or not self._learning else self._settle + UNMEASURED
