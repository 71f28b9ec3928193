"""How late a metric is, measured while it is watched: the age at which a period was last seen to change. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

REMEMBERED = timedelta(hours=1)
"""For how long one late period goes on making the newer ones provisional."""
Points = Mapping[datetime, float]


class Lateness:
    """Compares what one answer says of a period with what the answer before said of it."""

    def __init__(self, period: timedelta) -> None:
        self._period = period
        self._asked_at: datetime | None = None
        self._ends: frozenset[datetime] = frozenset()
        self._before: Sequence[Points | None] = ()
        self._seen: deque[tuple[datetime, timedelta]] = deque()
        """When a period was seen to change, and how old it was at most."""

    @property
    def measured(self) -> timedelta:
        """The age from which a period has not been seen to change; 0 before any has."""
        return max((late for _, late in self._seen), default=timedelta(0))

    def note(self, now: datetime, ends: Sequence[datetime], series: Sequence[Points | None]) -> None:
        """Take in one answer: the points of each series by period end, None for a series that was cut short."""
        while self._seen and now - self._seen[0][0] > REMEMBERED:
            self._seen.popleft()
        if self._asked_at is not None:
            # What changed between two answers far apart has changed somewhere in between: a period later is enough to say.
            known = min(now, self._asked_at + self._period)
            changed = [end for end in ends if end in self._ends and self._differs(end, series)]
            if changed:
                self._seen.append((now, max(known - end for end in changed)))
        self._asked_at, self._ends = now, frozenset(ends)
        self._before = [
            points if points is not None else before for points, before in zip(series, self._older(series), strict=True)
        ]

    def _older(self, series: Sequence[Points | None]) -> Sequence[Points | None]:
        return self._before or [None] * len(series)

    def _differs(self, end: datetime, series: Sequence[Points | None]) -> bool:
        pairs = zip(series, self._before, strict=True)
        return any(now is not None and before is not None and now.get(end) != before.get(end) for now, before in pairs)
