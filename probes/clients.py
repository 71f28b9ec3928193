"""How probes reach the world: AWS, PostgreSQL and HTTP. Deadlines, pools, error mapping and redaction live here, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class AwsOptions:
    """Where AWS is. Empty strings mean the default credential chain and its settings (AWS_PROFILE, AWS_ENDPOINT_URL...)."""

    region: str = ""
    profile: str = ""
    account: str = ""
    """The account the plan names; sent as ExpectedBucketOwner, compared by aws.identity."""


@dataclass(frozen=True, slots=True)
class MetricQuery:
    """One series of one metric. `stat` is Sum, Average, Maximum, Minimum, SampleCount or a percentile like p95."""

    namespace: str
    metric: str
    dimensions: tuple[tuple[str, str], ...]
    stat: str
    period_s: int = 60


@dataclass(frozen=True, slots=True)
class Series:
    """A metric's answer: (period start, value) in rising order; `complete` is False for StatusCode PartialData."""

    points: tuple[tuple[datetime, float], ...]
    complete: bool = True


class Clients:
    """Everything a probe may use to look at the world. One per cockpit; close it at the end.

    Every method raises `Unseen` (and nothing else) for what the world does, with the reason, a redacted detail and a hint.
    """

    def __init__(self, aws: AwsOptions) -> None:
        self.options = aws

    async def aws(self, service: str, operation: str, /, **params: Any) -> dict[str, Any]:
        """Call one AWS operation, e.g. `await clients.aws("ecs", "describe_services", cluster=..., services=[...])`."""
        raise NotImplementedError

    async def metrics(self, queries: Sequence[MetricQuery], start: datetime, end: datetime) -> list[Series]:
        """Series for `queries`, in order. Requests made within the same few milliseconds share one GetMetricData call."""
        raise NotImplementedError

    async def sql(self, dsn: str, query: str, params: Sequence[Any] = (), *, timeout_s: float = 5.0) -> list[dict[str, Any]]:
        """Rows of one read-only statement over the one connection kept open to that database."""
        raise NotImplementedError

    async def http(self, method: str, url: str, *, headers: Mapping[str, str] | None = None, timeout_s: float = 5.0) -> Any:
        """One HTTP exchange, TLS verified, redirects not followed unless asked."""
        raise NotImplementedError

    async def close(self) -> None:
        """Close every connection at once; never waits for a call that hangs."""
