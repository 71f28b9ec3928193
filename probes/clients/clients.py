"""How probes reach the world: AWS, PostgreSQL and HTTP. Deadlines, pools, error mapping and redaction live here, once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from probes.clients.aws import AwsClient, ClientFactory
from probes.clients.caller import Caller, CallerCheck
from probes.clients.clock_offset import ClockOffset
from probes.clients.metrics import MetricQuery, Series
from probes.clients.quotas import Quotas
from probes.frozen import frozen

if TYPE_CHECKING:
    from probes.clients.http import HttpAnswer, HttpClient
    from probes.clients.metric_batch import MetricBatch
    from probes.clients.sql import SqlClient


@frozen
class AwsOptions:
    """Where AWS is. Empty strings mean the default credential chain and its settings (AWS_PROFILE, AWS_ENDPOINT_URL...)."""

    region: str = ""
    profile: str = ""
    account: str = ""
    """The account the plan names; sent as ExpectedBucketOwner, compared by aws.identity."""


class Clients:
    """Everything a probe may use to look at the world. One per cockpit; close it at the end.

    Every method raises `Unseen` (and nothing else) for what the world does, with the reason, a redacted detail and a hint.
    """

    def __init__(
        self,
        aws: AwsOptions,
        factory: ClientFactory | None = None,
        *,
        named: Collection[str] = (),
        clock_offset: ClockOffset | None = None,
        quotas: Quotas | None = None,
    ) -> None:
        """`named`: link-local and metadata addresses that the plan names and its operator has allowed.

        `clock_offset`: where it is noted what time the others say it is. `quotas`: what the account may ask in a second.
        """
        self.options = aws
        self.named = named
        self.clock_offset = clock_offset or ClockOffset()
        self._aws = AwsClient(aws.region, aws.profile, factory, self.clock_offset, quotas)
        self._metrics: MetricBatch | None = None
        self._sql: SqlClient | None = None
        self._http: HttpClient | None = None
        self._factory, self._quotas = factory, quotas
        self._elsewhere: dict[tuple[str, str], Clients] = {}

    def elsewhere(self, region: str, profile: str) -> Clients:
        """Clients that ask AWS in another region, or by another profile; empty: as these do. Closed with these.

        Another profile is of another account or principal: it is not held to the caller that these are held to.
        """
        region, profile = region or self.options.region, profile or self.options.profile
        if (region, profile) == (self.options.region, self.options.profile):
            return self
        if (region, profile) not in self._elsewhere:
            same = profile == self.options.profile
            options = AwsOptions(region, profile, self.options.account if same else "")
            made = Clients(
                options, self._factory, named=self.named, clock_offset=self.clock_offset, quotas=self._quotas
            )
            if same:
                made._aws.hold_as(self._aws)
            self._elsewhere[region, profile] = made
        return self._elsewhere[region, profile]

    async def aws(self, service: str, operation: str, /, **params: Any) -> dict[str, Any]:
        """Call one AWS operation, e.g. `await clients.aws("ecs", "describe_services", cluster=..., services=[...])`."""
        return await self._aws.call(service, operation, **params)

    def hold(self, accepted: Caller | None, on_change: Callable[[], None]) -> CallerCheck:
        """From now on AWS answers the accepted caller alone; without one, the first that is seen."""
        return self._aws.hold(accepted, on_change)

    async def identify_again(self) -> None:
        """Ask STS who calls now. Raises Unseen."""
        await self._aws.identify_again()

    async def pinned(self) -> Clients:
        """AWS alone, by the credentials in use at this moment, which are never refreshed. Needs no closing. Raises Unseen."""
        pinned = Clients(self.options, clock_offset=self.clock_offset)
        pinned._aws = await self._aws.pinned()
        return pinned

    async def signed(self, service: str, region: str, method: str, url: str) -> dict[str, str]:
        """Headers that sign one request without a body (SigV4) with the credentials in use. Raises Unseen."""
        return await self._aws.signed(service, region, method, url)

    async def metrics(self, queries: Sequence[MetricQuery], start: datetime, end: datetime) -> list[Series]:
        """Series for `queries`, in order. Requests made within the same few milliseconds share one GetMetricData call."""
        if self._metrics is None:
            from probes.clients.metric_batch import MetricBatch

            self._metrics = MetricBatch(self.aws)
        return await self._metrics.fetch(queries, start, end)

    async def sql(
        self, dsn: str, query: str, params: Sequence[Any] | Mapping[str, Any] = (), *, timeout_s: float = 5.0
    ) -> list[dict[str, Any]]:
        """Rows of one read-only statement over the one connection kept open to that database."""
        if self._sql is None:
            from probes.clients.sql import SqlClient

            self._sql = SqlClient(self.named, self.clock_offset)
        return await self._sql.rows(dsn, query, params, timeout_s=timeout_s)

    async def sql_login(self, dsn: str) -> None:
        """Log in to that database once more, and leave at once. Raises Unseen: PoolFull, RoleFull, or why it is not known."""
        if self._sql is None:
            from probes.clients.sql import SqlClient

            self._sql = SqlClient(self.named, self.clock_offset)
        await self._sql.login(dsn)

    def pooled(self, dsn: str) -> bool | None:
        """Whether the connection to that database is through a pooler or a proxy; None before it was asked anything."""
        return None if self._sql is None else self._sql.pooled(dsn)

    async def http(self, method: str, url: str, **options: Any) -> HttpAnswer:
        """One HTTP exchange, TLS verified, redirects not followed unless asked; options as `HttpClient.exchange` has them."""
        if self._http is None:
            from probes.clients.http import HttpClient

            self._http = HttpClient(self.named)
        return await self._http.exchange(method, url, **options)

    async def close(self) -> None:
        """Close every connection at once; never waits for a call that hangs."""
        for part in (self._metrics, self._sql, self._http, self._aws, *self._elsewhere.values()):
            if part is not None:
                await part.close()
