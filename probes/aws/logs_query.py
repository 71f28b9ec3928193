"""CloudWatch Logs Insights: one query over a window that has settled."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Field as Setting
from pydantic import StringConstraints, field_validator

from probes.clients.arns import arn
from probes.clients.clients import Clients
from probes.clients.console_links import log_group_url
from probes.clients.paging import needed
from probes.demand import AWS_ALONE
from probes.frozen import frozen
from probes.low_volume import too_few
from probes.periods import Duration, floor_to
from probes.probe import Least, LogGroupName, Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen, Value
from probes.redact import one_line

LogGroup = Annotated[LogGroupName, StringConstraints(min_length=1, max_length=512)]
SAMPLE_LINES = 3
GLANCE_CHARACTERS = 1000
"""Cut before redacting, which takes time on long text; more than is shown, so that no secret is cut in two."""
FIRST_POLL_S = 0.1
LONGEST_POLL_S = 1.0
STOPPED_WITHIN_S = 1.0
"""So long is waited, on closing, for queries being stopped."""
MOST_ROWS = 100
KEPT_FOR_READINGS = 3
"""So many intervals later its answer still counts: data is stale after that."""


@frozen
class InsightsAnswer:
    """A finished query. `scanned` is how many events were looked at, `skipped` about how many were not, because a field index
    knows that they do not hold what is asked for: they are no match, and no silence either.
    """

    rows: tuple[Mapping[str, str], ...]
    scanned: int
    matched: int
    skipped: int = 0

    def blind(self, groups: Sequence[str]) -> Unknown | None:
        """Why nothing can be said of what was asked for; None where something can."""
        return None if self.scanned or self.skipped else nothing_logged(groups)


_ENDED = MappingProxyType(
    {
        "Timeout": (Reason.TIMEOUT, "it ran for too long: shorten the window, or name fewer log groups"),
        "Cancelled": (Reason.ERROR, "somebody of this account stopped it: it is started again"),
    }
)


class _EndedWithout(Unseen):
    """The query has ended and there is no answer to it."""


@dataclass(slots=True)
class _Running:
    """A query that AWS works on."""

    query_id: str
    window: tuple[datetime, datetime]
    readings: int = 0
    """How many have polled it."""


class Insights:
    """One Logs Insights query, run over one window after another.

    A query that is not finished in time, or cannot be polled, still runs: it is kept, and polled at the next reading. One
    that AWS says has ended, or that `KEPT_FOR_READINGS` more did not see the end of, is given up. What is given up is
    stopped, because running ones are counted.
    """

    def __init__(self, clients: Clients, groups: Sequence[str], query: str, timeout_s: float) -> None:
        """`timeout_s`: real seconds that one `ask` may take."""
        self._clients = clients
        self._groups = groups
        self._query = query
        self._timeout_s = timeout_s
        self._running: _Running | None = None
        self._stopping: set[asyncio.Task[None]] = set()

    def window(self, start: datetime, end: datetime) -> tuple[datetime, datetime]:
        """What to ask about next: the window of the query that was kept, else this one."""
        return self._running.window if self._running else (start, end)

    async def ask(self, start: datetime, end: datetime) -> InsightsAnswer:
        """Rows as {column: text}. Raises Unseen; TIMEOUT when it does not complete.

        The quota is the whole account's: a call that is throttled is made again until then, and no query is lost with it.
        """
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        if self._running and self._running.window != (start, end):
            self._give_up()
        if self._running is None:
            self._running = await self._started(start, end, deadline)
        running = self._running
        running.readings += 1
        try:
            async with asyncio.timeout_at(deadline):
                answer = await self._completed(running.query_id, deadline)
            self._running = None
        except TimeoutError:
            detail = f"the log query did not complete within {self._timeout_s:g} s"
            raise Unseen(Unknown(Reason.TIMEOUT, detail, "shorten the window, or name fewer log groups")) from None
        except _EndedWithout as ended:
            self._give_up()
            raise Unseen(ended.unknown) from None
        except Unseen as unseen:
            if not unseen.unknown.transient:
                self._give_up()
            raise
        finally:
            if running.readings > KEPT_FOR_READINGS:
                self._give_up()
        return answer

    async def close(self) -> None:
        """Stop what still runs, wait a moment for the queries being stopped, and no longer."""
        self._give_up()
        if self._stopping:
            await asyncio.wait(self._stopping, timeout=STOPPED_WITHIN_S)
        for task in self._stopping:
            task.cancel()

    async def _started(self, start: datetime, end: datetime, deadline: float) -> _Running:
        started = await self._patiently(
            deadline,
            "start_query",
            logGroupNames=list(self._groups),
            startTime=int(start.timestamp()),
            endTime=int(end.timestamp()),
            queryString=self._query,
            limit=MOST_ROWS,
        )
        return _Running(needed(started, "queryId", "the log query"), (start, end))

    async def _patiently(self, deadline: float, operation: str, **params: Any) -> dict[str, Any]:
        """The answer to one call, asked for again while it is throttled. Raises Unseen."""
        pause_s = FIRST_POLL_S
        while True:
            try:
                return await self._clients.aws("logs", operation, **params)
            except Unseen as unseen:
                if unseen.unknown.reason is not Reason.THROTTLED or _is_too_late(pause_s, deadline):
                    raise
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # others of the account are turned away with us
            pause_s = min(2 * pause_s, LONGEST_POLL_S)

    async def _completed(self, query_id: str, deadline: float) -> InsightsAnswer:
        """Raises Unseen where the query could not be polled, _EndedWithout where AWS says that there will be no answer."""
        pause_s = FIRST_POLL_S
        while True:
            answer = await self._patiently(deadline, "get_query_results", queryId=query_id)
            status = answer.get("status", "")
            if status == "Complete":
                return _parsed(answer)
            if status not in ("Scheduled", "Running"):
                reason, hint = _ENDED.get(status, (Reason.ERROR, "run it in Logs Insights to see why"))
                raise _EndedWithout(Unknown(reason, f"the log query ended as {status or 'nothing'}", hint))
            if _is_too_late(pause_s, deadline):
                raise TimeoutError
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_POLL_S)

    def _give_up(self) -> None:
        running, self._running = self._running, None
        if running is None:
            return

        async def stop() -> None:
            try:
                await self._clients.aws("logs", "stop_query", queryId=running.query_id)
            except Unseen:
                return  # it ends by itself

        task = asyncio.create_task(stop(), name="stop-log-query")
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)


def _is_too_late(pause_s: float, deadline: float) -> bool:
    """Whether a call after the pause could not be answered in time."""
    return asyncio.get_running_loop().time() + pause_s >= deadline


def _parsed(answer: Mapping[str, Any]) -> InsightsAnswer:
    rows = tuple({str(cell.get("field")): cell.get("value", "") for cell in row} for row in answer.get("results") or ())
    statistics = answer.get("statistics") or {}
    if statistics.get("recordsScanned") and statistics.get("recordsMatched") is None:
        detail = "Insights does not say how many events the query matched"
        raise _EndedWithout(Unknown(Reason.NO_DATA, detail, "it is asked again"))
    scanned, matched, skipped = (
        int(statistics.get(name, 0)) for name in ("recordsScanned", "recordsMatched", "estimatedRecordsSkipped")
    )
    return InsightsAnswer(rows, scanned, matched, skipped)


class LogsQueryParams(Params):
    log_group: LogGroup | Annotated[list[LogGroup], Setting(min_length=1, max_length=50)]
    """Name or ARN of the log group, or a list of them."""
    query: Annotated[str, StringConstraints(min_length=1, max_length=10_000, strip_whitespace=True)]
    """Logs Insights. A count needs no `stats`: `filter message = "x"` counts what it matches, and shows sample lines.
    With `stats`, name the column `value`: `stats pct(durationMs, 95) as value`."""
    kind: Literal["count", "number"] = "count"
    """count: events that match; number: the number that the query computes."""
    window: Duration = timedelta(minutes=5)
    """How long each query looks at."""
    settle: Duration = timedelta(minutes=1)
    """Log events arrive late: the window ends this long before now."""
    min_matched: Annotated[int, Setting(ge=0)] = 0
    """With fewer matching events the value says nothing: LOW_VOLUME."""
    unit: Literal["", "count", "ratio", "bytes", "s", "ms", "per_s"] = ""
    """What the value is measured in, as it is shown: with `ms`, 22737 is 22.7 s."""
    timeout: Duration = timedelta(seconds=8)
    """How long a query may run before it is cancelled."""

    @field_validator("window")
    @classmethod
    def _some_time(cls, window: timedelta) -> timedelta:
        if window < timedelta(seconds=1):
            raise ValueError("a window of at least 1s")
        return window

    @property
    def groups(self) -> tuple[str, ...]:
        return (self.log_group,) if isinstance(self.log_group, str) else tuple(self.log_group)


class LogsQuery(Probe[LogsQueryParams]):
    """A count or a number from the logs, from logs StartQuery and GetQueryResults over `window`, ending `settle` ago.

    `kind: count`: the column `value` of the first row, or, without one, how many events matched; 0 is reported only if
    events were scanned. `kind: number`: the column `value` of the first row. `data_at` is the end of the window.
    A log tells health checks from users only where it holds the path or the user agent: filter by it
    ("ELB-HealthChecker/2.0", "cutover-cockpit", "cutover-cockpit-synthetic"). Nothing scanned makes everything NO_DATA:
    a wrong group and a silent application look the same. Events that a field index lets the query
    skip are no match and no silence. A query not finished within `timeout` is kept and polled at the next reading, whose
    `data_at` is then the end of that query's window. Needs logs:StartQuery, logs:GetQueryResults, logs:StopQuery.
    """

    name = "logs.query"
    params_type = LogsQueryParams
    demands = AWS_ALONE
    subjects = ("error log", "log error", "log line", "logged")
    cannot_see = "what is logged elsewhere, or arrives later than `settle`"
    late = "`settle` (1 min) and the query's own seconds; up to 3 intervals more where AWS is slow or throttles"
    fields = (
        Field("value", float, "the count, or the column `value`", 3.0),
        Field("matched", int, "events the query matched", 3, "count", low=0),
        Field("scanned", int, "events in the window", 5210, "count", low=0),
    )

    @classmethod
    def fields_of(cls, params: LogsQueryParams) -> tuple[Field, ...]:
        return tuple(replace(each, unit=params.unit) if each.name == "value" else each for each in cls.fields)

    iam = ("logs:StartQuery", "logs:GetQueryResults", "logs:StopQuery")
    iam_sometimes = MappingProxyType({"logs:StopQuery": "a query is given up, or still runs at the end"})
    interval = timedelta(seconds=60)
    period = timedelta(seconds=60)

    @classmethod
    def least(cls, params: LogsQueryParams) -> Least | None:
        if not params.min_matched:
            return None
        return Least(("value",), params.min_matched, "matching events", params.window, "matched")

    def __init__(self, params: LogsQueryParams, clients: Clients) -> None:
        super().__init__(params, clients)
        self._insights = Insights(clients, params.groups, params.query, params.timeout.total_seconds())

    def resources(self) -> Mapping[str, tuple[str, ...]]:
        options = self.clients.options
        return {"logs:StartQuery": tuple(arn(options, "logs", f"log-group:{group}:*") for group in self.params.groups)}

    async def close(self) -> None:
        await self._insights.close()

    async def read(self, now: datetime) -> Reading:
        asked = self.params
        settled = floor_to(now - asked.settle, timedelta(seconds=1))
        start, end = self._insights.window(settled - asked.window, settled)
        evidence = self._evidence(end)
        try:
            answer = await self._insights.ask(start, end)
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, evidence)
        if why := answer.blind(asked.groups):
            return self.blind(now, why, evidence)
        values: dict[str, Value | None] = {"matched": answer.matched, "scanned": answer.scanned}
        value = self._value(answer)
        unknown = {"value": value} if isinstance(value, Unknown) else {}
        if not isinstance(value, Unknown):
            values["value"] = value
        return self.reading(
            now, values, unknown=unknown, data_at=end, evidence=self._evidence(end, sample_lines(answer))
        )

    def _value(self, answer: InsightsAnswer) -> float | Unknown:
        if answer.matched < self.params.min_matched:
            return too_few(
                answer.matched, self.params.min_matched, "matching events", "wait for traffic, or widen the window"
            )
        text = answer.rows[0].get("value") if answer.rows else None
        if text is None and self.params.kind == "count":
            return float(answer.matched)
        if text is None:
            detail = f"{answer.scanned} events scanned, and no column `value` came back"
            return Unknown(Reason.NO_DATA, detail, "nothing matched yet, or the query lacks `as value`")
        return number_of(text)

    def _evidence(self, end: datetime, lines: tuple[str, ...] = ()) -> Evidence:
        window = f"{end - self.params.window:%H:%M:%S} to {end:%H:%M:%S} UTC"
        query = f"logs insights {', '.join(self.params.groups)} ({window}): {self.params.query}"
        return Evidence(
            query, console_url=log_group_url(self.clients.options.region, self.params.groups[0]), lines=lines
        )


def nothing_logged(groups: Sequence[str]) -> Unknown:
    """Silence is not health."""
    detail = f"nothing logged in the window in {', '.join(groups)}"
    return Unknown(Reason.NO_DATA, detail, "a wrong log group, or the application logs nothing: check that it runs")


def number_of(text: str) -> float | Unknown:
    """A number as Insights writes it."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if math.isfinite(number):
        return number
    return Unknown(
        Reason.ERROR,
        f"the column `value` holds {one_line(text[:GLANCE_CHARACTERS], 60)!r}, not a number",
        "correct the query",
    )


def sample_lines(answer: InsightsAnswer) -> tuple[str, ...]:
    """The first few rows as a person would read them; Insights' internal pointer is left out."""

    def shown(row: Mapping[str, str]) -> str:
        if "@message" in row:
            return f"{row.get('@timestamp', '')} {row['@message']}".strip()
        return "  ".join(f"{name}={value}" for name, value in row.items() if name != "@ptr")

    return tuple(one_line(shown(row)[:GLANCE_CHARACTERS]) for row in answer.rows[:SAMPLE_LINES])
