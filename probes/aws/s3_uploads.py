"""Whether documents reach S3. The application hides a failed upload behind a 201, so three sources are read."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Annotated, Self

from pydantic import Field as Setting
from pydantic import StringConstraints, field_validator, model_validator

from probes.aws.logs_query import Insights, LogGroup
from probes.clients.arns import arn
from probes.clients.clients import Clients
from probes.clients.console_links import log_group_url
from probes.clients.metrics import MetricQuery
from probes.demand import Connects
from probes.frozen import frozen
from probes.low_volume import ratio
from probes.periods import Duration, by_end, floor_to
from probes.probe import Least, Params, Probe
from probes.reading import Bounds, Evidence, Field, Reading, Reason, Unknown, Unseen, Value

UPLOADED = "Document uploaded to S3"
FELL_BACK = "S3 upload failed, falling back to database storage"
"""The two lines of the upload route, of which each upload writes exactly one."""
_LOG_QUERY = f'filter message = "{UPLOADED}" or message = "{FELL_BACK}" | stats count(*) as uploads by message'
LOG_TIMEOUT_S = 8.0
_MINUTE = timedelta(minutes=1)
_NAME = re.compile(r"[A-Za-z_]\w{0,62}")


class S3UploadsParams(Params):
    """Give `log_group`, `dsn` or both: the bucket's own metrics cannot tell an upload from any other request."""

    bucket: str = ""
    """Name of the bucket, whose objects are then counted."""
    filter_id: str = ""
    """Id of the bucket's request-metrics configuration; without one S3 publishes no request metrics."""
    log_group: LogGroup | None = None
    """Name of the application's log group, whose lines about uploads are then counted."""
    dsn: Annotated[str, StringConstraints(min_length=1)] | None = Setting(default=None, repr=False)
    """Connection string of the database, whose rows are then counted: `${env:DATABASE_URL}`."""
    tables: Annotated[list[str], Setting(min_length=1, max_length=10)] = Setting(
        default_factory=lambda: ["KnowledgeDocument", "CustomerDocument"]
    )
    """Tables that hold a row for each upload."""
    created_column: str = "createdAt"
    """Column with the time a row was made."""
    key_column: str = "s3Key"
    """Column with the object's key."""
    window: Duration = timedelta(minutes=10)
    """How far back uploads are counted."""
    settle: Duration = _MINUTE
    """How long after its end a window is still filling up."""
    min_uploads: Annotated[int, Setting(ge=1)] = 10
    """A source with fewer uploads than this gives no rate, only bounds."""
    certain_above: Annotated[float, Setting(ge=0, le=1)] = 0.1
    """With the logs or the rows blind, the rate is reported only from here up: what is hidden can only add to it."""

    @field_validator("tables")
    @classmethod
    def _plain_names(cls, tables: list[str]) -> list[str]:
        return [_plain(table) for table in tables]

    @field_validator("created_column", "key_column")
    @classmethod
    def _plain_name(cls, column: str) -> str:
        return _plain(column)

    @model_validator(mode="after")
    def _somebody_sees(self) -> Self:
        if bool(self.bucket) != bool(self.filter_id):
            raise ValueError("bucket and filter_id go together: request metrics are published per filter")
        if not (self.log_group or self.dsn):
            raise ValueError(
                "give log_group, dsn or both: the bucket's metrics alone cannot tell an upload from any other request"
            )
        if self.window < _MINUTE:
            raise ValueError("window is at least 1m")
        return self


def _plain(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a table or column name")
    return name


@frozen
class Seen:
    """What one source shows for the window: attempts to upload, and how many of them failed."""

    attempts: int
    failures: int

    def rate(self, needed: int) -> float | Unknown:
        """How many of the attempts failed; LOW_VOLUME below `needed` attempts."""
        hint = "upload a few documents, widen the window, or lower min_uploads"
        return ratio(min(self.failures, self.attempts), self.attempts, needed, "uploads", hint)


@frozen
class BucketTraffic:
    """What the bucket counts for the window, whoever asked."""

    puts: int
    errors: int


class S3Uploads(Probe[S3UploadsParams]):
    """Uploads in `window` (ending `settle` ago) and how many failed, from the application's log, its rows, or both.

    * the log: "Document uploaded to S3" and "S3 upload failed, falling back to database storage".
    * the rows: new documents with and without an s3Key. Nobody but users makes rows and log lines.

    `failure_rate` is the worst of those who saw at least `min_uploads`. The route answers 201 even when S3 fails, so
    if the log or the rows cannot be seen, a low rate is PARTIAL (unknown); a rate of `certain_above` or more is reported,
    even if the other source is unknown, and a limit below what they prove is exceeded. A source that cannot be read makes
    its own fields unknown and is named in the evidence.

    The bucket's request metrics (AWS/S3 PutRequests, 4xxErrors, 5xxErrors) are shown beside it and never count toward it:
    PutRequests holds what the migration and s3.roundtrip write, and the errors are those of every request, a GET of a
    missing key, a create-only write of a key that is there and a bucket without a policy included. They come up to 15
    minutes late. Needs cloudwatch:GetMetricData, logs:StartQuery, logs:GetQueryResults, logs:StopQuery and SELECT on the
    tables.
    """

    name = "s3.uploads"
    params_type = S3UploadsParams
    demands = (Connects("dsn"),)
    subjects = ("upload",)
    cannot_see = "whether what was stored can be read again"
    late = "`settle` and a log query: seconds, throttled up to 3 intervals; S3's request metrics 15 minutes"
    fields = (
        Field("uploads", int, "uploads tried in the window, by the source with the most", 48, "count", low=0),
        Field("failures", int, "uploads that failed, by the source with the most", 1, "count", low=0),
        Field("failure_rate", float, "the worst rate of those who saw enough", 0.02, "ratio", low=0, high=1),
        Field("rate_per_min", float, "uploads tried per minute", 4.8, low=0),
        Field("log_failure_rate", float, "by the application's log", 0.02, "ratio", low=0, high=1),
        Field("row_failure_rate", float, "new rows without an s3Key", 0.02, "ratio", low=0, high=1),
        Field("bucket_puts", int, "writes to the bucket, by anybody", 52, "count", low=0),
        Field("bucket_errors", int, "4xx and 5xx of every request to the bucket: a hint, no rate", 3, "count", low=0),
        Field("new_rows", int, "documents created in the window", 48, "count", low=0),
        Field("new_rows_without_key", int, "of those, the ones whose bytes went to the database", 1, "count", low=0),
        Field("sources", int, "of the log and the rows, those that answered", 2, "count", low=0, high=2),
    )
    iam = ("cloudwatch:GetMetricData", "logs:StartQuery", "logs:GetQueryResults", "logs:StopQuery")
    iam_sometimes = MappingProxyType({"logs:StopQuery": "a query is given up, or still runs at the end"})
    grants = ("PostgreSQL: SELECT on the document tables",)
    interval = _MINUTE
    period = _MINUTE

    @classmethod
    def least(cls, params: S3UploadsParams) -> Least | None:
        rates = ("failure_rate", "log_failure_rate", "row_failure_rate")
        return Least(rates, params.min_uploads, "uploads", params.window, "uploads")

    @classmethod
    def never_known(cls, params: S3UploadsParams) -> Mapping[str, str]:
        sources = {"log_failure_rate": params.log_group, "row_failure_rate": params.dsn}
        rows = ("new_rows", "new_rows_without_key") if not params.dsn else ()
        never = {name: "the plan names no source of it" for name, source in sources.items() if not source}
        return never | dict.fromkeys(rows, "the plan gives no dsn")

    def __init__(self, params: S3UploadsParams, clients: Clients) -> None:
        super().__init__(params, clients)
        groups = (params.log_group,) if params.log_group else ()
        self._insights = Insights(clients, groups, _LOG_QUERY, LOG_TIMEOUT_S)

    def resources(self) -> Mapping[str, tuple[str, ...]]:
        group = f"log-group:{self.params.log_group or '*'}:*"
        return {"logs:StartQuery": (arn(self.clients.options, "logs", group),)}

    async def close(self) -> None:
        await self._insights.close()

    async def read(self, now: datetime) -> Reading:
        settled = floor_to(now - self.params.settle, _MINUTE)
        start, end = newest = settled - self.params.window, settled
        asked = self._insights.window(*newest)
        log, (rows, bucket) = await asyncio.gather(self._from_log(*asked), self._from_others(*newest))
        if asked != newest and isinstance(log, Seen):
            # The log answered late, about an older window: what is compared with it must be about that one too.
            start, end = asked
            rows, bucket = await self._from_others(*asked)
        sources = {"log": log, "row": rows}
        values, unknown = self._values(sources)
        if isinstance(bucket, Unknown):
            unknown |= {"bucket_puts": bucket, "bucket_errors": bucket}
        else:
            values |= {"bucket_puts": bucket.puts, "bucket_errors": bucket.errors}
        evidence = self._evidence(start, end, sources, bucket)
        return self.reading(now, values, unknown=unknown, data_at=end, evidence=evidence)

    # -- the sources -------------------------------------------------------------------------------------------------

    async def _from_log(self, start: datetime, end: datetime) -> Seen | Unknown:
        group = self.params.log_group
        if group is None:
            return _not_asked("log_group")
        try:
            answer = await self._insights.ask(start, end)
            if why := answer.blind([group]):
                return why
            counts = {row.get("message", ""): int(float(row.get("uploads", "0"))) for row in answer.rows}
        except Unseen as unseen:
            return unseen.unknown
        except ValueError:
            return Unknown(Reason.ERROR, "the log query's counts are not numbers", "run the query in Logs Insights")
        failed = counts.get(FELL_BACK, 0)
        return Seen(counts.get(UPLOADED, 0) + failed, failed)

    async def _from_others(self, start: datetime, end: datetime) -> tuple[Seen | Unknown, BucketTraffic | Unknown]:
        return await asyncio.gather(self._from_rows(start, end), self._from_metrics(start, end))

    async def _from_rows(self, start: datetime, end: datetime) -> Seen | Unknown:
        if self.params.dsn is None:
            return _not_asked("dsn")
        query = _rows_query(self.params)
        try:
            rows = await self.clients.sql(self.params.dsn, query, [start, end] * len(self.params.tables))
        except Unseen as unseen:
            return unseen.unknown
        return Seen(sum(int(row["new"]) for row in rows), sum(int(row["without_key"]) for row in rows))

    async def _from_metrics(self, start: datetime, end: datetime) -> BucketTraffic | Unknown:
        if not self.params.bucket:
            return _not_asked("bucket and filter_id")
        dimensions = (("BucketName", self.params.bucket), ("FilterId", self.params.filter_id))
        queries = [MetricQuery("AWS/S3", name, dimensions, "Sum") for name in ("PutRequests", "4xxErrors", "5xxErrors")]
        try:
            answers = await self.clients.metrics(queries, start, end)
        except Unseen as unseen:
            return unseen.unknown
        if not all(answer.complete for answer in answers):
            return Unknown(Reason.PARTIAL, "CloudWatch gave only part of the bucket's metrics", "it is asked again")
        puts, *errors = (by_end(answer.points, _MINUTE, end) for answer in answers)
        if not puts:
            detail = f"no PutRequests of {self.params.bucket} with filter {self.params.filter_id} in the window"
            return Unknown(Reason.NO_DATA, detail, "no uploads, request metrics not enabled, or another filter id")
        return BucketTraffic(round(sum(puts.values())), round(sum(sum(series.values()) for series in errors)))

    # -- what they say together --------------------------------------------------------------------------------------

    def _values(self, sources: Mapping[str, Seen | Unknown]) -> tuple[dict[str, Value | None], dict[str, Unknown]]:
        seen = {name: source for name, source in sources.items() if isinstance(source, Seen)}
        values: dict[str, Value | None] = {"sources": len(seen)}
        unknown: dict[str, Unknown] = {}
        for name, source in sources.items():
            rate = source if isinstance(source, Unknown) else source.rate(self.params.min_uploads)
            if isinstance(rate, Unknown):
                unknown[f"{name}_failure_rate"] = rate
            else:
                values[f"{name}_failure_rate"] = rate
        if isinstance(rows := sources["row"], Seen):
            values |= {"new_rows": rows.attempts, "new_rows_without_key": rows.failures}
        else:
            unknown |= {"new_rows": rows, "new_rows_without_key": rows}
        rate = self._worst(sources, seen)
        if isinstance(rate, Unknown):
            unknown["failure_rate"] = rate
        else:
            values["failure_rate"] = rate
        if seen:
            most = max(source.attempts for source in seen.values())
            values |= {"uploads": most, "failures": max(source.failures for source in seen.values())}
            values["rate_per_min"] = most / (self.params.window / _MINUTE)
        else:
            unknown |= dict.fromkeys(("uploads", "failures", "rate_per_min"), _first_blind(sources))
        return values, unknown

    def _worst(self, sources: Mapping[str, Seen | Unknown], seen: Mapping[str, Seen]) -> float | Unknown:
        """The worst rate, unless a source that might show worse is unknown."""
        rates = {name: source.rate(self.params.min_uploads) for name, source in seen.items()}
        known = [rate for rate in rates.values() if not isinstance(rate, Unknown)]
        worst = max(known, default=None)
        if worst is not None and worst >= self.params.certain_above:
            return worst
        if not seen:
            return _first_blind(sources)
        few = [rate for rate in rates.values() if isinstance(rate, Unknown)]
        at_least = max(_at_least(rates[name]) if name in rates else 0.0 for name in ("log", "row"))
        if blind := self._blind(sources):
            reasons = "; ".join(f"{name}: {why.detail}" for name, why in blind.items())
            hint = (
                "the application answers 201 even when S3 fails: without the log and the rows a low rate proves nothing"
            )
            return Unknown(Reason.PARTIAL, reasons, hint, Bounds(at_least, 1.0))
        if worst is not None and at_least <= worst:
            return worst
        most = max([worst or 0.0, *(rate.bounds.high if rate.bounds else 1.0 for rate in few)])
        return replace(max(few, key=_at_least), bounds=Bounds(at_least, most))

    def _blind(self, sources: Mapping[str, Seen | Unknown]) -> dict[str, Unknown]:
        """Of the log and the rows: those that were to be asked and did not answer."""
        asked = {"log": self.params.log_group is not None, "row": self.params.dsn is not None}
        return {name: source for name, source in sources.items() if asked[name] and isinstance(source, Unknown)}

    def _evidence(
        self, start: datetime, end: datetime, sources: Mapping[str, Seen | Unknown], bucket: BucketTraffic | Unknown
    ) -> Evidence:
        asked = [f"{start:%H:%M} to {end:%H:%M} UTC"]
        if self.params.log_group:
            asked.append(f"logs insights {self.params.log_group}: {_LOG_QUERY}")
        if self.params.dsn:
            asked.append(f"sql: {_rows_query(self.params)}")
        if self.params.bucket:
            place = f"{{BucketName={self.params.bucket},FilterId={self.params.filter_id}}}"
            asked.append(f"cloudwatch get-metric-data AWS/S3 PutRequests, 4xxErrors, 5xxErrors Sum 60s {place}")
        region = self.clients.options.region
        url = log_group_url(region, self.params.log_group) if self.params.log_group else ""
        lines = (*(f"{name}: {_source_text(source)}" for name, source in sources.items()), _bucket_text(bucket))
        return Evidence("; ".join(asked), console_url=url, lines=lines)


def _at_least(rate: float | Unknown) -> float:
    """What a rate cannot be below, known or not."""
    if not isinstance(rate, Unknown):
        return rate
    return rate.bounds.low if rate.bounds else 0.0


def _rows_query(params: S3UploadsParams) -> str:
    """One SELECT over all tables; names were checked to be plain, and are quoted because Prisma's are CamelCase."""
    created, key = f'"{params.created_column}"', f'"{params.key_column}"'
    # Prisma stores UTC without a zone; the session's zone is UTC, so the comparison is the right one either way.
    return " UNION ALL ".join(
        f"SELECT '{table}' AS name, count(*) AS new, count(*) FILTER (WHERE {key} IS NULL) AS without_key"
        f' FROM "{table}" WHERE {created} >= %s AND {created} < %s'
        for table in params.tables
    )


def _not_asked(setting: str) -> Unknown:
    return Unknown(Reason.NO_DATA, f"the plan does not give {setting}", f"set {setting} to read this source")


def _first_blind(sources: Mapping[str, Seen | Unknown]) -> Unknown:
    """Why no source answered: a failure says more than a source that is not configured."""
    blind = [source for source in sources.values() if isinstance(source, Unknown)]
    return next((why for why in blind if not why.detail.startswith("the plan does not give")), blind[0])


def _bucket_text(bucket: BucketTraffic | Unknown) -> str:
    if isinstance(bucket, Unknown):
        return f"bucket: not seen: {bucket.reason} {bucket.detail}"
    return f"bucket: {bucket.puts} writes by anybody, {bucket.errors} errors of any request (counts toward nothing)"


def _source_text(source: Seen | Unknown) -> str:
    if isinstance(source, Unknown):
        return f"blind: {source.reason} {source.detail}"
    return f"{source.attempts} uploads, {source.failures} failed"
