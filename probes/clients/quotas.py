"""What AWS lets an account ask in a second, and a bucket of tokens for each: the cockpit waits before it is turned away.

DescribeAlarms (9), GetMetricData (50) and LookupEvents (2) are AWS's published defaults; those of Insights, ECS and
ListMetrics are chosen, on the low side. Others of the account take from the same quota, so a call may be throttled all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from probes.frozen import frozen
from probes.reading import Reason, Unknown, Unseen

LONGEST_WAIT_S = 8.0
"""A call that would have to wait for longer is not made: its probe must answer in time."""


@frozen
class Quota:
    """Calls a second in the long run, and how many at once after a rest."""

    per_second: float
    at_once: float


_ECS_READ = Quota(20, 50)
QUOTAS: Mapping[tuple[str, str], Quota] = MappingProxyType(
    {
        ("logs", "start_query"): Quota(10, 10),
        ("logs", "get_query_results"): Quota(10, 10),
        ("logs", "describe_log_groups"): Quota(10, 10),
        ("cloudwatch", "get_metric_data"): Quota(50, 50),
        ("cloudwatch", "describe_alarms"): Quota(9, 9),
        ("cloudwatch", "list_metrics"): Quota(25, 25),
        ("cloudtrail", "lookup_events"): Quota(2, 2),
        ("ecs", "describe_tasks"): _ECS_READ,
        ("ecs", "describe_services"): _ECS_READ,
        ("ecs", "list_tasks"): _ECS_READ,
        ("ecs", "list_service_deployments"): _ECS_READ,
        ("ecs", "describe_service_deployments"): _ECS_READ,
    }
)
"""By boto3's service and method; an operation that is not named is not held back."""


@dataclass(slots=True)
class _Bucket:
    quota: Quota
    tokens: float
    filled_at: float

    def take(self, now: float, speed: float) -> float:
        """Take a token, or one that is still to come; how many seconds until it is there."""
        filled = self.tokens + (now - self.filled_at) * self.quota.per_second * speed
        self.tokens, self.filled_at = min(self.quota.at_once, filled) - 1.0, now
        return max(0.0, -self.tokens / self.quota.per_second / speed)


class Quotas:
    """The buckets of one account, shared by everything that calls it. Calls wait in the order they come."""

    def __init__(self, speed: Callable[[], float] = lambda: 1.0) -> None:
        """`speed`: seconds of AWS's time in a second of ours; a rehearsal's AWS may live faster."""
        self._speed = speed
        self._buckets: dict[tuple[str, str], _Bucket] = {}

    async def wait(self, service: str, operation: str) -> None:
        """Return when the call may be made. Raises Unseen (THROTTLED) where that would take too long."""
        seconds = self.due(service, operation, asyncio.get_running_loop().time())
        if seconds:
            await asyncio.sleep(seconds)

    def due(self, service: str, operation: str, now: float) -> float:
        """Take a place in the line at `now`; how many seconds until its turn. Raises Unseen."""
        quota = QUOTAS.get((service, operation))
        if quota is None:
            return 0.0
        bucket = self._buckets.setdefault((service, operation), _Bucket(quota, quota.at_once, now))
        seconds = bucket.take(now, max(self._speed(), 1.0))
        if seconds <= LONGEST_WAIT_S:
            return seconds
        bucket.tokens += 1.0
        detail = f"{service} {operation}: the cockpit's own calls use up the account's {quota.per_second:g} a second"
        raise Unseen(Unknown(Reason.THROTTLED, detail, "give the probes that call it longer intervals"))
