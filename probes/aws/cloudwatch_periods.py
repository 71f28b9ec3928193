"""What every probe of a CloudWatch metric does: ask for closed periods, and make one sample of each that is final."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Annotated, ClassVar, Self, TypeVar

from pydantic import Field as Setting
from pydantic import model_validator

from probes.aws.lateness import Latenesses
from probes.aws.metric_names import known_lateness, problem, published_every
from probes.aws.proven_counts import ProvenCounts
from probes.clients.clients import Clients
from probes.clients.console_links import metrics_url
from probes.clients.metrics import MetricQuery, Series
from probes.frozen import frozen
from probes.periods import Duration, Period, by_end, dimension_pairs
from probes.probe import Params, Probe
from probes.reading import Evidence, Reading, Reason, Unknown, Unseen, Value

_ARN = re.compile(r"^arn:[\w-]+:elasticloadbalancing:[\w-]*:\d*:(loadbalancer/)?|^loadbalancer/")
MINUTE = timedelta(minutes=1)
SETTLE = 2 * MINUTE
"""What AWS's own metrics usually need. Where one is seen to need more, the newest periods are provisional for longer."""


class MetricParams(Params):
    """Which metric: a namespace and its dimensions, or a load balancer, whose metrics are in AWS/ApplicationELB."""

    namespace: str = ""
    """The metric's namespace: AWS/ApplicationELB, or your own; with `load_balancer` it need not be given."""
    dimensions: dict[str, str] = Setting(default_factory=dict)
    """The metric's dimensions, all of them: another set is another series."""
    load_balancer: str = ""
    """`app/name/0123456789abcdef`, or the load balancer's ARN."""
    target_group: str = ""
    """`targetgroup/name/0123456789abcdef`, to narrow a load balancer's metrics to one target group."""
    period: Period = MINUTE
    """Length of a period: 60s, or minutes that divide an hour."""
    settle: Duration | None = None
    """How long after its end a period is still filling up; until then it does not count. Default 2m, for S3's request
    metrics 15m. Whatever it is, a period that is seen to change later counts later."""
    lookback: Annotated[int, Setting(ge=1, le=120)] = 15
    """How many closed periods an answer reports, so that points that arrive late still count."""
    unlisted: bool = False
    """Take names that the cockpit's table of AWS metrics does not have; they are unknown until they have a point."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if bool(self.namespace) == bool(self.load_balancer):
            raise ValueError("give either namespace and dimensions, or load_balancer")
        if self.load_balancer and not re.fullmatch(r"app/[\w-]+/[0-9a-f]+", _suffix(self.load_balancer)):
            raise ValueError(
                "load_balancer is app/<name>/<id>, as in the end of its ARN (the name alone is no dimension)"
            )
        return self

    def where(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        """Namespace and dimensions."""
        if not self.load_balancer:
            return self.namespace, dimension_pairs(self.dimensions)
        target = {"TargetGroup": _suffix(self.target_group)} if self.target_group else {}
        return "AWS/ApplicationELB", dimension_pairs(
            self.dimensions | {"LoadBalancer": _suffix(self.load_balancer)} | target
        )

    def named(self) -> tuple[MetricQuery, ...]:
        """What is asked for, by name."""
        return ()

    @model_validator(mode="after")
    def _published(self) -> Self:
        """A name that is never published would be silent for ever, and silence of a count reads as zero."""
        if self.unlisted:
            return self
        asked = dict.fromkeys((q.namespace, q.metric, tuple(name for name, _ in q.dimensions)) for q in self.named())
        if found := [why for each in asked if (why := problem(*each)) is not None]:
            raise ValueError("; ".join(found))
        for namespace, metric, _ in asked:
            if (why := self._never_seen(namespace, metric)) is not None:
                raise ValueError(why)
        return self

    def _never_seen(self, namespace: str, metric: str) -> str | None:
        """Why no period of it is ever seen whole, with the numbers; None where AWS publishes it often and soon enough."""
        every, late = published_every(namespace, metric), known_lateness(namespace, metric)
        if every > self.period:
            return f"{namespace} {metric} has one point every {_span(every)}, and period is {_span(self.period)}"
        reach = self.settles + self.period * self.lookback
        if late is not None and reach < late + self.period:
            return (
                f"{namespace} {metric} comes up to {_span(late)} late, and settle {_span(self.settles)} with lookback "
                f"{self.lookback} of {_span(self.period)} reaches back {_span(reach)}: leave settle out"
            )
        return None

    @property
    def settles(self) -> timedelta:
        """`settle`, or what the metrics asked for usually need."""
        if self.settle is not None:
            return self.settle
        known = [known_lateness(query.namespace, query.metric) or SETTLE for query in self.named()]
        return max(known, default=SETTLE)

    def query(self, metric: str, stat: str) -> MetricQuery:
        namespace, dimensions = self.where()
        return MetricQuery(namespace, metric, dimensions, stat, int(self.period.total_seconds()))


def _suffix(arn: str) -> str:
    """What CloudWatch calls a load balancer or target group: the end of its ARN.

    >>> _suffix("arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/web/50dc6c495c0c9188")
    'app/web/50dc6c495c0c9188'
    """
    return _ARN.sub("", arn)


@frozen
class PeriodValues:
    """What one closed period says."""

    end: datetime
    values: Mapping[str, Value]
    unknown: Mapping[str, Unknown]


@frozen
class Closed:
    """A series cut to closed periods, by period end. `complete`: an absent point is really absent."""

    points: Mapping[datetime, float]
    complete: bool


M = TypeVar("M", bound=MetricParams)


class PeriodProbe(Probe[M]):
    """Asks for some queries over the closed periods and turns each period into one sample."""

    iam: ClassVar[tuple[str, ...]] = ("cloudwatch:GetMetricData", "cloudwatch:ListMetrics")
    iam_sometimes = MappingProxyType({"cloudwatch:ListMetrics": "a count of your own has no point yet"})
    interval: ClassVar[timedelta] = MINUTE
    period: ClassVar[timedelta] = MINUTE

    def __init__(self, params: M, clients: Clients) -> None:
        super().__init__(params, clients)
        self.period = params.period  # type: ignore[misc]  # the plan's period, where it is not the usual minute
        self._proven = ProvenCounts(clients)
        queries, assumed = len(params.named()), params.settle is None
        self._lateness = Latenesses(queries, params.period, params.settles, assumed=assumed)

    def queries(self) -> tuple[MetricQuery, ...]:
        return self.params.named()

    def by_period(self, ends: Sequence[datetime], series: Sequence[Closed]) -> Iterable[PeriodValues]:
        """Samples of the periods ending at `ends` (rising); a period that cannot be judged gives none."""
        raise NotImplementedError

    def extra_periods(self) -> int:
        """How many older periods the oldest sample needs."""
        return 0

    async def read(self, now: datetime) -> Reading:
        period = self.params.period
        # Periods that do not count yet are asked for too: what is seen of them measures how late the metric is.
        ends = self._lateness.ends(now, self.params.lookback)
        until = ends[-1]
        start = ends[0] - period * (1 + self.extra_periods())
        evidence = self._evidence(self.queries())
        try:
            answers = await self.clients.metrics(self.queries(), start, until)
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, evidence)
        closed = [Closed(by_end(answer.points, period, until), answer.complete) for answer in answers]
        seen = {query: bool(each.points) for query, each in zip(self.queries(), closed, strict=True)}
        if (unproven := await self._proven.missing(self.counts(), seen)) is not None:
            return self.blind(now, unproven, evidence)
        final = self._lateness.note(now, ends, [each.points if each.complete else None for each in closed])
        counts_from = self._lateness.counts_from(now)
        settled = [end for end in ends if now - end >= self.params.settles]
        evidence = self._evidence(self.queries(), _lines(self.queries(), settled, closed, len(final), self._late()))
        readings = [self._as_reading(now, sample, evidence, counts_from) for sample in self.by_period(final, closed)]
        if not readings:
            return self.blind(now, self._nothing(answers, closed, ends[len(final) :], counts_from), evidence)
        *earlier, newest = readings
        return replace(newest, earlier=tuple(replace(each, evidence=Evidence()) for each in earlier))

    def _as_reading(self, now: datetime, sample: PeriodValues, evidence: Evidence, counts_from: timedelta) -> Reading:
        reading = self.reading(now, sample.values, unknown=sample.unknown, data_at=sample.end, evidence=evidence)
        return replace(reading, lateness=counts_from)

    def counts(self) -> tuple[MetricQuery, ...]:
        """Of `queries()`: those whose absent point may come to mean zero."""
        return ()

    def _nothing(
        self,
        answers: Sequence[Series],
        closed: Sequence[Closed],
        provisional: Sequence[datetime],
        counts_from: timedelta,
    ) -> Unknown:
        """Why there is no sample at all: the answer was cut short, it is too new to count, or there is nothing to see."""
        names = self._names()
        if not all(answer.complete for answer in answers):
            return Unknown(Reason.PARTIAL, f"CloudWatch gave only part of {names}", "it is asked again")
        if any(end in each.points for end in provisional for each in closed):
            detail = f"{names}: a period counts once it is {_seconds(counts_from)} old, and only newer ones have points"
            return Unknown(Reason.NO_DATA, detail, "wait: the metric is late by that much")
        minutes = self.params.lookback * self.params.period.total_seconds() / 60
        detail = f"{names}: no complete period in the last {minutes:g} min"
        reach = _span(self.params.lookback * self.params.period + self.params.settles)
        late = f"a metric that is later than {reach} looks so too: raise `lookback`"
        return Unknown(Reason.NO_DATA, detail, f"{self.hint_when_empty()}; {late}")

    def _names(self) -> str:
        return ", ".join(dict.fromkeys(query.metric for query in self.queries()))

    def _late(self) -> tuple[str, ...]:
        """What was measured of each metric."""
        measured: dict[str, timedelta] = {}
        for query, late in zip(self.queries(), self._lateness.measured, strict=True):
            measured[query.metric] = max(late, measured.get(query.metric, timedelta(0)))
        return tuple(
            f"{metric} comes up to {_seconds(late)} after the end of its period"
            for metric, late in measured.items()
            if late
        )

    def hint_when_empty(self) -> str:
        return "no traffic yet, a wrong dimension, or a metric that is not enabled: all three look the same"

    def _evidence(self, queries: Sequence[MetricQuery], lines: tuple[str, ...] = ()) -> Evidence:
        url = metrics_url(self.clients.options.region, queries)
        return Evidence("; ".join(_as_typed(query) for query in queries), console_url=url, lines=lines)


def _as_typed(query: MetricQuery) -> str:
    dimensions = ",".join(f"{name}={value}" for name, value in query.dimensions)
    return (
        f"cloudwatch get-metric-data {query.namespace} {query.metric} {query.stat} {query.period_s}s {{{dimensions}}}"
    )


def _lines(
    queries: Sequence[MetricQuery],
    ends: Sequence[datetime],
    series: Sequence[Closed],
    final: int,
    late: tuple[str, ...],
) -> tuple[str, ...]:
    """The newest five periods as they came, newest first; the first `final` of all count, the newer ones not yet."""

    def shown(number: int) -> str:
        end = ends[number]
        points = [f"{q.metric} {q.stat} {_number(s.points.get(end))}" for q, s in zip(queries, series, strict=True)]
        return f"until {end:%H:%M}  " + "  ".join(points) + ("" if number < final else "  (provisional)")

    newest = tuple(shown(number) for number in reversed(range(len(ends))[-5:]))
    return (*newest, *late)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():.0f} s"


def _span(span: timedelta) -> str:
    """
    >>> _span(timedelta(minutes=5))
    '5m'
    """
    seconds = round(span.total_seconds())
    return f"{seconds // 60}m" if seconds % 60 == 0 else f"{seconds}s"
