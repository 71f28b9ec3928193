"""CloudWatch as it was: each series is fetched once and whole, and probes then ask for their windows of it."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from probes.clients.clients import Clients
from probes.clients.metric_batch import MetricBatch
from probes.clients.metrics import MetricQuery, Series
from probes.reading import Reason, Unknown, Unseen

KEPT = ((3600, timedelta(days=455)), (300, timedelta(days=63)), (60, timedelta(days=15)))
"""How long CloudWatch keeps points, by the period that theirs must be a multiple of: documented with GetMetricData."""
POINTS_A_PAGE = 100_800
"""Points that one answer of GetMetricData holds at most, of all its queries together."""
_WAITED_OUT = frozenset({Reason.THROTTLED, Reason.TIMEOUT, Reason.UNREACHABLE})
TRIES = 8
LONGEST_WAIT_S = 30.0
NO_PAST = Unknown(Reason.NO_DATA, "it was not kept what this was", "judge it in the night, or play it: cockpit test")


def kept_for(period_s: int) -> timedelta:
    """For how long points of a period are kept.

    >>> kept_for(60).days, kept_for(300).days, kept_for(3600).days
    (15, 63, 455)
    """
    return next((span for least, span in KEPT if period_s % least == 0), KEPT[-1][1])


@dataclass(slots=True)
class Fetched:
    """What was asked of CloudWatch so far, of all regions together."""

    calls: int = 0
    points: int = 0
    waits: int = 0
    """How often a call was made again, because it was throttled or got no answer."""


class PastClients(Clients):
    """Answers about metrics between two moments; nothing else has a past, and is not asked.

    All series that are first asked for at about the same moment share one GetMetricData call for each 500 of them and page.
    """

    def __init__(
        self,
        live: Clients,
        since: datetime,
        until: datetime,
        now: datetime,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        fetched: Fetched | None = None,
    ) -> None:
        """`now`: by which it is known what is still kept. `live` stays open when this is closed."""
        super().__init__(live.options, named=live.named)
        self.fetched = fetched or Fetched()
        self._live, self._since, self._until, self._now, self._sleep = live, since, until, now, sleep
        self._batches: dict[datetime, MetricBatch] = {}
        self._series: dict[MetricQuery, asyncio.Task[tuple[list[datetime], Series]]] = {}
        self._others: dict[tuple[str, str], PastClients] = {}

    def elsewhere(self, region: str, profile: str) -> Clients:
        other = self._live.elsewhere(region, profile)
        if other is self._live:
            return self
        key = other.options.region, other.options.profile
        if key not in self._others:
            self._others[key] = PastClients(
                other, self._since, self._until, self._now, sleep=self._sleep, fetched=self.fetched
            )
        return self._others[key]

    async def aws(self, service: str, operation: str, /, **params: Any) -> dict[str, Any]:
        """Which metrics there are is asked live; whatever else says how it is now, and is refused."""
        if (service, operation) != ("cloudwatch", "list_metrics"):
            raise Unseen(NO_PAST)
        return await self._patiently(service, operation, **params)

    async def metrics(self, queries: Sequence[MetricQuery], start: datetime, end: datetime) -> list[Series]:
        """Series for `queries`, in order, with the points whose period starts in [start, end). Raises Unseen."""
        whole = await asyncio.gather(*(self._whole(query) for query in queries))
        return [
            Series(series.points[bisect_left(times, start) : bisect_left(times, end)], series.complete)
            for times, series in whole
        ]

    async def close(self) -> None:
        for batch in self._batches.values():
            await batch.close()
        for other in self._others.values():
            await other.close()
        for task in self._series.values():
            task.cancel()
        await super().close()

    def _whole(self, query: MetricQuery) -> asyncio.Task[tuple[list[datetime], Series]]:
        if query not in self._series:
            self._series[query] = asyncio.ensure_future(self._fetch(query))
        return self._series[query]

    async def _fetch(self, query: MetricQuery) -> tuple[list[datetime], Series]:
        since = max(self._since, self._now - kept_for(query.period_s))
        if since not in self._batches:
            self._batches[since] = MetricBatch(self._patiently)
        (series,) = await self._batches[since].fetch([query], since, self._until)
        self.fetched.points += len(series.points)
        return [at for at, _ in series.points], series

    async def _patiently(self, service: str, operation: str, /, **params: Any) -> dict[str, Any]:
        """The answer to one call, made again where it was throttled or lost: nobody waits for it in the night."""
        wait_s = 1.0
        for left in range(TRIES - 1, -1, -1):
            self.fetched.calls += operation == "get_metric_data"
            try:
                return await self._live.aws(service, operation, **params)
            except Unseen as unseen:
                if unseen.unknown.reason not in _WAITED_OUT or not left:
                    raise
            self.fetched.waits += 1
            await self._sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
        raise AssertionError("the last try raises")
