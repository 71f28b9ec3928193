"""The newest minute of some CloudWatch metrics that is final: for probes that read a metric beside what they describe."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from probes.aws.cloudwatch_periods import MINUTE
from probes.clients.clients import Clients
from probes.clients.metrics import MetricQuery
from probes.periods import last_closed

_LOOKED_BACK = 10 * MINUTE


async def newest_minute(
    clients: Clients, queries: Sequence[MetricQuery], now: datetime, settle: timedelta
) -> tuple[list[float | None], datetime]:
    """A value for each query, all of the newest minute in which the first has one, and up to when was looked. Raises Unseen.

    Minutes that ended less than `settle` ago are still filling up and do not count; a metric without a point then has None.
    """
    until = last_closed(now, MINUTE, settle)
    points = [dict(each.points) for each in await clients.metrics(queries, until - _LOOKED_BACK, until)]
    newest = max(points[0], default=None)
    return [each.get(newest) if newest is not None else None for each in points], until
