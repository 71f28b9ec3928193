"""Prometheus and what speaks its API: Mimir, Thanos, VictoriaMetrics, Amazon Managed Prometheus."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Self
from urllib.parse import quote, urlencode

from pydantic import Field as Setting
from pydantic import StringConstraints, model_validator

from probes.aws.secrets_manager import secret_arn
from probes.clients.arns import arn_in
from probes.clients.http import HttpAnswer, place_of
from probes.demand import Sends, SendsKey
from probes.periods import Duration
from probes.probe import Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen
from probes.redact import one_line
from probes.three_valued import FieldValue, sorted_out
from probes.web.http_json import RequestParams, authorized, document_of

MOST_POINTS = 11_000
"""Of one series, as Prometheus limits it."""
_WORKSPACE = re.compile(r"https://aps-workspaces\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/workspaces/(ws-[0-9a-f-]+)")
Query = Annotated[str, StringConstraints(min_length=1, max_length=4000)]


class PrometheusParams(RequestParams):
    url: str
    """Where its API is, without /api/v1: https://prometheus.example.com, or https://aps-workspaces.REGION.amazonaws.com/workspaces/ws-..."""
    query: Query
    """PromQL that gives one number: `sum(rate(http_requests_total{code=~"5.."}[5m]))`."""
    labels: dict[str, str] = Setting(default_factory=dict, max_length=20)
    """Where it gives several: labels and values of the one that is meant."""
    dated_by: Query | None = None
    """A metric whose newest sample dates the value: `up{job="api"}`. Without it a sample 5 minutes old looks like new."""
    window: Duration | None = None
    """Ask for this long up to now, and give lowest, highest and average of it besides."""
    step: Duration = timedelta(seconds=30)
    """Between two points of the window."""
    sigv4: bool = False
    """Sign the request with the AWS credentials in use, as Amazon Managed Prometheus wants it."""

    @model_validator(mode="after")
    def _few_points(self) -> Self:
        if self.step <= timedelta(0):
            raise ValueError("step is longer than 0s")
        if self.window is not None and not 1 <= self.window / self.step <= MOST_POINTS:
            raise ValueError(f"window is 1 to {MOST_POINTS:,} steps long")
        if self.sigv4 and self.secret:
            raise ValueError("sigv4 and secret both authorize: give one")
        return self


class PrometheusQuery(Probe[PrometheusParams]):
    """One number of a PromQL query, now or over a window.

    Reads GET /api/v1/query, with `window` /api/v1/query_range. The query gives one element, or `labels` name one of
    several: else the value is REFUSED, for which one is meant is not guessed. No element is NO_DATA, never 0, and neither
    is NaN. With `dated_by` a second query (`min(timestamp(...))`) dates the data. Authorized by headers, by a secret, or
    by SigV4 (aps:QueryMetrics).
    """

    name = "prometheus.query"
    params_type = PrometheusParams
    demands = (SendsKey("url", when=lambda params: bool(params.secret)), Sends("url", ("url", "headers")))
    subjects = ("prometheus", "promql")
    cannot_see = "samples that were never scraped: a dead target's series is just not there"
    late = "the scrape interval, and up to 5 minutes where dated_by does not date it"
    fields = (
        Field("value", float, "the number; of a window the newest", 0.02),
        Field("elements", int, "elements the query gave", 1, "count", low=0),
        Field("age_s", float, "how old the newest sample of dated_by is", 12.0, "s", low=0),
        Field("lowest", float, "of the window", 0.01),
        Field("highest", float, "of the window", 0.05),
        Field("average", float, "of the window's points", 0.02),
        Field("points", int, "points of the window", 20, "count", low=0),
    )
    iam = ("aps:QueryMetrics", "secretsmanager:GetSecretValue")

    def resources(self) -> Mapping[str, tuple[str, ...]]:
        asked = self.params
        named = _WORKSPACE.match(asked.url)
        options = self.clients.options
        workspace = arn_in(named[1], options.account, "aps", f"workspace/{named[2]}") if named else "*"
        secret = (secret_arn(self.clients, asked.secret),) if asked.secret else ()
        return {self.iam[0]: (workspace,) if asked.sigv4 else (), self.iam[1]: secret}

    async def read(self, now: datetime) -> Reading:
        asked = self.params
        evidence = Evidence(one_line(f"GET {place_of(self._url)}/api/v1/query: {asked.query}", 400))
        try:
            held, dated = await asyncio.gather(self._asked(asked.query, now), self._dated(now))
            fields = self._values(held)
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, evidence)
        if isinstance(dated, datetime):
            fields["age_s"] = max((now - dated).total_seconds(), 0.0)
        else:
            fields["age_s"] = dated
            if asked.dated_by is not None:  # of when the value is cannot be said, so it is none
                fields |= dict.fromkeys(("value", "lowest", "highest", "average"), dated)
        values, unknown = sorted_out(fields)
        data_at = dated if isinstance(dated, datetime) else now
        lines = tuple(one_line(f"{_labels(each)} {_newest(each)}", 200) for each in held[:6])
        return self.reading(
            now, values, unknown=unknown, data_at=data_at, evidence=Evidence(evidence.query, lines=lines)
        )

    @property
    def _url(self) -> str:
        return self.params.url.rstrip("/")

    async def _dated(self, now: datetime) -> datetime | Unknown:
        """The time of the newest sample."""
        if self.params.dated_by is None:
            return Unknown(Reason.NO_DATA, "the plan does not say what dates it", "name a metric as dated_by")
        found = await self._ask("query", {"query": f"min(timestamp({self.params.dated_by}))", "time": _text(now)})
        points = _points(found[0]) if found else []
        if not points:
            return Unknown(Reason.NO_DATA, "dated_by has no sample", "is its target scraped?")
        return datetime.fromtimestamp(points[-1][1], UTC)

    async def _asked(self, query: str, now: datetime) -> Sequence[Mapping[str, Any]]:
        window = self.params.window
        if window is None:
            return await self._ask("query", {"query": query, "time": _text(now)})
        step = str(self.params.step.total_seconds())
        asked = {"query": query, "start": _text(now - window), "end": _text(now), "step": step}
        return await self._ask("query_range", asked)

    async def _ask(self, what: str, asked: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
        """The elements of an answer. Raises Unseen."""
        url = f"{self._url}/api/v1/{what}?{urlencode(asked, quote_via=quote)}"
        headers = await authorized(self.clients, self.params)
        if self.params.sigv4:
            named = _WORKSPACE.match(url)
            region = named[1] if named else self.clients.options.region
            headers |= await self.clients.signed("aps", region, "GET", url)
        answer: HttpAnswer = await self.clients.http(
            "GET", url, headers=headers, timeout_s=self.params.timeout.total_seconds(), most_bytes=8 * 1024 * 1024
        )
        if answer.status in (400, 422):
            raise Unseen(Unknown(Reason.REFUSED, one_line(_error(answer), 300), "correct the query in the plan"))
        document = document_of(answer)
        if isinstance(document, Unknown):
            raise Unseen(document)
        data = document.get("data") if isinstance(document, dict) else None
        found = data.get("result") if isinstance(data, dict) else None
        if not isinstance(data, dict) or not isinstance(found, list):
            detail = f"{place_of(url)} answers with something else than Prometheus' JSON"
            raise Unseen(Unknown(Reason.ERROR, detail, "check url: it ends before /api/v1"))
        if data.get("resultType") == "scalar":
            return [{"metric": {}, "value": found}]
        return [each for each in found if isinstance(each, dict)]

    def _values(self, held: Sequence[Mapping[str, Any]]) -> dict[str, FieldValue]:
        wanted = self.params.labels.items()
        meant = [each for each in held if wanted <= (each.get("metric") or {}).items()]
        points = _points(meant[0]) if len(meant) == 1 else []
        if len(meant) > 1:
            hint = "aggregate the query (sum, max), or name one by `labels`"
            why = Unknown(
                Reason.REFUSED, f"the query gives {len(meant)} elements, and which is meant is not said", hint
            )
        else:
            why = Unknown(Reason.NO_DATA, "the query gives no number", "no series matches, or nothing was counted yet")
        numbers = [value for _, value in points if math.isfinite(value)]
        newest: FieldValue = points[-1][1] if points and math.isfinite(points[-1][1]) else why
        alone = Unknown(Reason.NO_DATA, "the plan asks for no window", "give window")
        over: FieldValue = None if self.params.window is None else why
        fields: dict[str, FieldValue] = {"value": newest, "elements": len(held)}
        for name, number in (("lowest", min), ("highest", max), ("average", _average)):
            fields[name] = alone if over is None else number(numbers) if numbers else why
        fields["points"] = alone if over is None else len(numbers)
        return fields


def _average(numbers: Sequence[float]) -> float:
    return math.fsum(numbers) / len(numbers)


def _points(element: Mapping[str, Any]) -> list[tuple[float, float]]:
    """Time and value of each, oldest first. Raises Unseen where they are none."""
    raw = element.get("values") or ([element["value"]] if "value" in element else [])
    try:
        return [(float(when), float(value)) for when, value in raw]
    except (TypeError, ValueError):
        raise Unseen(
            Unknown(Reason.ERROR, "the query gives no numbers", "histograms need histogram_quantile")
        ) from None


def _newest(element: Mapping[str, Any]) -> str:
    points = _points(element)
    return f"{points[-1][1]:g}" if points else "no point"


def _labels(element: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f'{name}="{value}"' for name, value in sorted((element.get("metric") or {}).items())) + "}"


def _error(answer: HttpAnswer) -> str:
    """What Prometheus says is wrong with a query."""
    document = document_of(answer, answer.status)
    error = document.get("error") if isinstance(document, dict) else None
    return f"{place_of(answer.url)} answered {answer.status}: {error or 'no reason given'}"


def _text(moment: datetime) -> str:
    return f"{moment.timestamp():.3f}"
