"""Many criteria, few calls: metric queries asked at about the same moment share one GetMetricData call."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from probes.periods import floor_to
from probes.reading import Reason, Unknown, Unseen

if TYPE_CHECKING:  # `probes.clients.clients` builds on this module
    from probes.clients.metrics import MetricQuery, Series

MAX_QUERIES = 500
"""GetMetricData's own limit on MetricDataQueries in one call."""
MAX_PAGES = 50
"""A NextToken that never ends is a defect of the other side; 50 pages are five million points."""


class AwsCall(Protocol):
    """`Clients.aws`: one AWS operation; raises Unseen."""

    def __call__(self, service: str, operation: str, /, **params: Any) -> Awaitable[dict[str, Any]]: ...


@dataclass(slots=True, eq=False)
class _Request:
    """One caller, waiting."""

    queries: tuple[MetricQuery, ...]
    start: datetime
    end: datetime
    answer: asyncio.Future[list[Series]]


@dataclass(slots=True)
class _Gathered:
    """What came back for one query, page after page."""

    points: dict[datetime, float] = field(default_factory=dict)
    status: str = ""
    messages: list[str] = field(default_factory=list)


class MetricBatch:
    """Collects requests for a moment and asks CloudWatch for all of them at once.

    The call covers the union of the windows asked for; each caller gets only its own slice. Equal queries are asked
    once. A failure reaches every caller that waits for it; a caller that gives up does not disturb the others.
    """

    def __init__(self, aws_call: AwsCall, *, gather_s: float = 0.03) -> None:
        self._aws_call = aws_call
        self._gather_s = gather_s
        self._waiting: list[_Request] = []
        self._calls: set[asyncio.Task[None]] = set()
        self._closed = False

    async def fetch(self, queries: Sequence[MetricQuery], start: datetime, end: datetime) -> list[Series]:
        """Series for `queries`, in order, with the points whose period starts in [start, end).

        `Series.complete` is False where CloudWatch says there is more than it gave. Raises Unseen for everything else:
        the call failed, a query was forbidden, or CloudWatch had an internal error on it.
        """
        if self._closed:
            raise _closing()
        if not queries:
            return []
        answer: asyncio.Future[list[Series]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Request(tuple(queries), start, end, answer))
        if len(self._waiting) == 1:
            task = asyncio.create_task(self._gather_then_ask(), name="metric-batch")
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)
        return await answer

    async def close(self) -> None:
        """End at once; pending requests fail with that reason."""
        self._closed = True
        for task in list(self._calls):
            task.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        _fail(self._waiting, _closing())
        self._waiting = []

    async def _gather_then_ask(self) -> None:
        await asyncio.sleep(self._gather_s)
        requests, self._waiting = self._waiting, []
        try:
            await self._answer([r for r in requests if not r.answer.done()])
        except asyncio.CancelledError:
            _fail(requests, _closing())
            raise

    async def _answer(self, requests: list[_Request]) -> None:
        """Ask for all together and give each its part; one malformed query must not blind the others."""
        if not requests:
            return
        try:
            gathered = await self._ask(requests)
        except Unseen as unseen:
            if len(requests) > 1 and _is_malformed(unseen.unknown):
                await asyncio.gather(*(self._answer([request]) for request in requests))
            else:
                _fail(requests, unseen)
            return
        except Exception as defect:  # noqa: BLE001 - every caller that waits must get it, whatever it is
            for request in requests:
                if not request.answer.done():
                    request.answer.set_exception(defect)
            return
        for request in requests:
            _give(request, gathered)

    async def _ask(self, requests: list[_Request]) -> dict[MetricQuery, _Gathered]:
        queries = list(dict.fromkeys(query for request in requests for query in request.queries))
        # A window that starts inside a period would shift the boundaries, so it starts where all periods line up.
        step = timedelta(seconds=math.lcm(*(query.period_s for query in queries)))
        start = floor_to(min(request.start for request in requests), step)
        end = max(request.end for request in requests)
        chunks = [queries[at : at + MAX_QUERIES] for at in range(0, len(queries), MAX_QUERIES)]
        answers = await asyncio.gather(*(self._ask_chunk(chunk, start, end) for chunk in chunks))
        return {query: gathered for answer in answers for query, gathered in answer.items()}

    async def _ask_chunk(
        self, queries: list[MetricQuery], start: datetime, end: datetime
    ) -> dict[MetricQuery, _Gathered]:
        by_id = {f"q{number}": query for number, query in enumerate(queries)}
        gathered = {query: _Gathered() for query in queries}
        asked: dict[str, Any] = {
            "MetricDataQueries": [_as_query(query_id, query) for query_id, query in by_id.items()],
            "StartTime": start,
            "EndTime": end,
            "ScanBy": "TimestampAscending",
        }
        for _ in range(MAX_PAGES):
            page = await self._aws_call("cloudwatch", "get_metric_data", **asked)
            for result in page.get("MetricDataResults", ()):
                if (query := by_id.get(result.get("Id", ""))) is not None:
                    _add(gathered[query], result)
            general = [_message(entry) for entry in page.get("Messages", ())]
            for one in gathered.values() if general else ():
                one.messages.extend(general)
            token = page.get("NextToken")
            if not token:
                return gathered
            asked["NextToken"] = token
        endless = f"GetMetricData did not end after {MAX_PAGES} pages"
        raise Unseen(Unknown(Reason.PARTIAL, endless, "ask for a shorter window"))


def _as_query(query_id: str, query: MetricQuery) -> dict[str, Any]:
    dimensions = [{"Name": name, "Value": value} for name, value in query.dimensions]
    metric = {"Namespace": query.namespace, "MetricName": query.metric, "Dimensions": dimensions}
    statistic = {"Metric": metric, "Period": query.period_s, "Stat": query.stat}
    return {"Id": query_id, "MetricStat": statistic, "ReturnData": True}


def _add(gathered: _Gathered, result: Mapping[str, Any]) -> None:
    for stamp, value in zip(result.get("Timestamps", ()), result.get("Values", ()), strict=False):
        if math.isfinite(value):
            gathered.points[stamp.astimezone(UTC)] = float(value)
    # The last page's status is the one that counts: PartialData there means more than we were given.
    gathered.status = result.get("StatusCode", "Complete")
    gathered.messages.extend(_message(entry) for entry in result.get("Messages", ()))


def _message(entry: Mapping[str, Any]) -> str:
    return f"{entry.get('Code', '')}: {entry.get('Value', '')}".strip(": ")


def _give(request: _Request, gathered: Mapping[MetricQuery, _Gathered]) -> None:
    if request.answer.done():
        return
    try:
        request.answer.set_result([_series(query, gathered[query], request) for query in request.queries])
    except Unseen as unseen:
        request.answer.set_exception(unseen)


def _series(query: MetricQuery, gathered: _Gathered, request: _Request) -> Series:
    from probes.clients.metrics import Series

    messages = "; ".join(gathered.messages)
    where = f"{query.namespace} {query.metric}"
    if gathered.status == "Forbidden":
        hint = "allow cloudwatch:GetMetricData, and for another account's metrics share them with this one"
        raise Unseen(Unknown(Reason.ACCESS_DENIED, f"{where}: forbidden {messages}".strip(), hint))
    if gathered.status == "InternalError":
        detail = f"{where}: CloudWatch internal error {messages}".strip()
        raise Unseen(Unknown(Reason.ERROR, detail, "CloudWatch asked for a retry; it is retried"))
    if not gathered.status:
        detail = f"{where}: CloudWatch answered without this series {messages}".strip()
        raise Unseen(Unknown(Reason.PARTIAL, detail, "it is asked again"))
    points = tuple(sorted((at, value) for at, value in gathered.points.items() if request.start <= at < request.end))
    return Series(points, complete=gathered.status == "Complete" and not gathered.messages)


def _fail(requests: Sequence[_Request], unseen: Unseen) -> None:
    for request in requests:
        if not request.answer.done():
            request.answer.set_exception(Unseen(unseen.unknown))


def _is_malformed(unknown: Unknown) -> bool:
    """Whether CloudWatch refused the whole call for something one of its queries says."""
    detail = unknown.detail.lower()
    words = ("validation", "invalidparameter", "missingrequired")
    return unknown.reason is Reason.ERROR and any(word in detail for word in words)


def _closing() -> Unseen:
    return Unseen(Unknown(Reason.ERROR, "the connection to CloudWatch is being closed", "shutting down"))
