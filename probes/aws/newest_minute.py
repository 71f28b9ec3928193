"""The newest minute of some CloudWatch metrics that is final: for probes that read a metric beside what they describe."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from probes.aws.cloudwatch_periods import MINUTE, SETTLE
from probes.aws.lateness import Latenesses
from probes.clients.clients import Clients
from probes.clients.metrics import MetricQuery
from probes.periods import by_end

_LOOKED_BACK = 10


class NewestMinute:
    """Asks for metrics again and again, and measures how late they are: by the rule of every probe of a metric.

    Minutes younger than `settle` are still filling up and do not count, nor do those that are seen to change later. Where the
    plan writes no `settle` (None), it is what AWS's metrics usually need.
    """

    def __init__(self, clients: Clients, settle: timedelta | None) -> None:
        self._clients = clients
        self._settle = settle
        self._asked: tuple[MetricQuery, ...] = ()
        self._lateness = self._unmeasured()

    async def read(self, queries: Sequence[MetricQuery], now: datetime) -> tuple[list[float | None], datetime]:
        """A value for each query, all of the newest minute in which the first has one, and up to when was looked. Raises Unseen.

        A metric without a point then has None. What other metrics were asked for before says nothing of these.
        """
        if tuple(queries) != self._asked:
            self._asked = tuple(queries)
            self._lateness = self._unmeasured()
        ends = self._lateness.ends(now, _LOOKED_BACK)
        answers = await self._clients.metrics(queries, ends[0] - MINUTE, ends[-1])
        series = [by_end(each.points, MINUTE, ends[-1]) for each in answers]
        complete = [points if each.complete else None for points, each in zip(series, answers, strict=True)]
        final = self._lateness.note(now, ends, complete)
        newest = max((end for end in final if end in series[0]), default=None)
        until = final[-1] if final else ends[0] - MINUTE
        return [each.get(newest) if newest is not None else None for each in series], until

    def _unmeasured(self) -> Latenesses:
        settle = SETTLE if self._settle is None else self._settle
        return Latenesses(len(self._asked), MINUTE, settle, assumed=self._settle is None)
