"""M of N: how much of the last `within` that was seen was bad, whatever lay in between.

Time nobody saw is neither good nor bad: the window reaches further back instead, but never over more than twice its length.
So a sample that turns from good into unknown can only raise the share, and one that turns bad too.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from probes.frozen import frozen

REACH = 2
"""How many times its length a window reaches back over time that was not seen."""
ZERO = timedelta(0)


@frozen
class Seen:
    """Time seen and the bad part of it, and how many bad samples: since the start, or since the trigger last recovered."""

    time: timedelta = ZERO
    bad: timedelta = ZERO
    samples: int = 0
    recoveries: int = 0
    """Windows do not reach back past a recovery: what was before it has been answered."""

    def plus(self, time: timedelta, *, bad: bool, new: bool) -> Seen:
        """With one more sample, which stands for the time before it."""
        return replace(self, time=self.time + time, bad=self.bad + time * bad, samples=self.samples + (bad and new))

    @property
    def anything_bad(self) -> bool:
        return self.samples > 0 or self.bad > ZERO

    def recovered(self) -> Seen:
        return Seen(recoveries=self.recoveries + 1)


NOTHING = Seen()


class Total(Protocol):
    """All that was seen up to a data time."""

    @property
    def data_at(self) -> datetime: ...

    @property
    def seen(self) -> Seen: ...


def inside(totals: Sequence[Total], until: Seen, data_at: datetime, within: timedelta, older: Seen = NOTHING) -> Seen:
    """What the window holds that ends with `until`.

    `totals` are those of the samples before it, oldest first, and `older` is that of all before those. It takes a number of
    steps that grows with the logarithm of theirs.
    """
    begins = until.time - within
    first = bisect_left(totals, until.recoveries, key=lambda total: total.seen.recoveries)
    too_old = bisect_right(totals, data_at - REACH * within, key=lambda total: total.data_at)
    outside = bisect_right(totals, begins, first, key=lambda total: total.seen.time)
    start = older if older.recoveries == until.recoveries else NOTHING
    if max(too_old, outside) > first:
        start = totals[max(too_old, outside) - 1].seen
    if outside > first and outside >= too_old:
        # The window begins within the time that one sample stands for.
        following = totals[outside].seen if outside < len(totals) else until
        start = start.plus(begins - start.time, bad=following.bad > start.bad, new=False)
    return Seen(until.time - start.time, until.bad - start.bad, until.samples - start.samples)
