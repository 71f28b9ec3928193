"""CloudWatch metrics: a value, a ratio and a percentile, each one sample per closed period."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal, Self, TypeVar

from pydantic import Field as Setting
from pydantic import StringConstraints, model_validator

from probes.aws.metric_names import problem
from probes.aws.proven_counts import ProvenCounts
from probes.clients.clients import Clients
from probes.clients.console_links import metrics_url
from probes.clients.metrics import MetricQuery, Series
from probes.demand import AWS_ALONE
from probes.low_volume import ratio, too_few
from probes.periods import Duration, Period, by_end, dimension_pairs, last_closed, trailing
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen, Value

Stat = Annotated[
    str, StringConstraints(pattern=r"^(Sum|Average|Minimum|Maximum|SampleCount|(p|tm)\d{1,2}(\.\d{1,3})?)$")
]
Name = Annotated[str, StringConstraints(min_length=1, max_length=255)]
_ARN = re.compile(r"^arn:[\w-]+:elasticloadbalancing:[\w-]*:\d*:(loadbalancer/)?|^loadbalancer/")
_MINUTE = timedelta(minutes=1)


class MetricParams(Params):
    """Which metric: a namespace and its dimensions, or a load balancer, whose metrics are in AWS/ApplicationELB."""

    namespace: str = ""
    dimensions: dict[str, str] = Setting(default_factory=dict)
    load_balancer: str = ""
    """`app/name/0123456789abcdef`, or the load balancer's ARN."""
    target_group: str = ""
    """`targetgroup/name/0123456789abcdef`, to narrow a load balancer's metrics to one target group."""
    period: Period = _MINUTE
    settle: Duration = _MINUTE
    """How long after its end a period is still filling up; until then it does not count."""
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
        return self

    def query(self, metric: str, stat: str) -> MetricQuery:
        namespace, dimensions = self.where()
        return MetricQuery(namespace, metric, dimensions, stat, int(self.period.total_seconds()))


def _suffix(arn: str) -> str:
    """What CloudWatch calls a load balancer or target group: the end of its ARN.

    >>> _suffix("arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/web/50dc6c495c0c9188")
    'app/web/50dc6c495c0c9188'
    """
    return _ARN.sub("", arn)


@dataclass(frozen=True, slots=True)
class PeriodValues:
    """What one closed period says."""

    end: datetime
    values: Mapping[str, Value]
    unknown: Mapping[str, Unknown]


@dataclass(frozen=True, slots=True)
class Closed:
    """A series cut to closed periods, by period end. `complete`: an absent point is really absent."""

    points: Mapping[datetime, float]
    complete: bool


M = TypeVar("M", bound=MetricParams)


class _PeriodProbe(Probe[M]):
    """Asks for some queries over the closed periods and turns each period into one sample."""

    iam: ClassVar[tuple[str, ...]] = ("cloudwatch:GetMetricData", "cloudwatch:ListMetrics")
    iam_sometimes = MappingProxyType({"cloudwatch:ListMetrics": "a count of your own has no point yet"})
    interval: ClassVar[timedelta] = _MINUTE
    period: ClassVar[timedelta] = _MINUTE

    def __init__(self, params: M, clients: Clients) -> None:
        super().__init__(params, clients)
        self.period = params.period  # type: ignore[misc]  # the plan's period, where it is not the usual minute
        self._proven = ProvenCounts(clients)

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
        until = last_closed(now, period, self.params.settle)
        ends = trailing(until, period, self.params.lookback)
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
        evidence = self._evidence(self.queries(), _lines(self.queries(), ends, closed))
        readings = [self._as_reading(now, sample, evidence) for sample in self.by_period(ends, closed)]
        if not readings:
            return self.blind(now, self._nothing(answers), evidence)
        *earlier, newest = readings
        without = tuple(Reading(r.observed_at, r.data_at, r.values, r.unknown) for r in earlier)
        return Reading(newest.observed_at, newest.data_at, newest.values, newest.unknown, evidence, earlier=without)

    def _as_reading(self, now: datetime, sample: PeriodValues, evidence: Evidence) -> Reading:
        return self.reading(now, sample.values, unknown=sample.unknown, data_at=sample.end, evidence=evidence)

    def counts(self) -> tuple[MetricQuery, ...]:
        """Of `queries()`: those whose absent point may come to mean zero."""
        return ()

    def _nothing(self, answers: Sequence[Series]) -> Unknown:
        """Why there is no sample at all: the answer was cut short, or there is nothing to see."""
        names = ", ".join(dict.fromkeys(query.metric for query in self.queries()))
        if not all(answer.complete for answer in answers):
            return Unknown(Reason.PARTIAL, f"CloudWatch gave only part of {names}", "it is asked again")
        minutes = self.params.lookback * self.params.period.total_seconds() / 60
        detail = f"{names}: no complete period in the last {minutes:g} min"
        return Unknown(Reason.NO_DATA, detail, self.hint_when_empty())

    def hint_when_empty(self) -> str:
        return "no traffic yet, a wrong dimension, or a metric that is not enabled: all three look the same"

    def _evidence(self, queries: Sequence[MetricQuery], lines: tuple[str, ...] = ()) -> Evidence:
        url = metrics_url(self.clients.options.region, queries)
        return Evidence("; ".join(_as_typed(query) for query in queries), console_url=url, lines=lines)


class CloudWatchMetricParams(MetricParams):
    class Liveness(Params):
        """The metric whose presence in a period proves that the other one was being watched in that period."""

        metric: Name
        namespace: str = ""
        dimensions: dict[str, str] = Setting(default_factory=dict)
        stat: Stat = "Sum"

    class ZeroWhen(Params):
        zero_when: CloudWatchMetricParams.Liveness

    metric: Name
    stat: Stat
    scale: float = 1.0
    """Multiplies the value: 1000 turns seconds into milliseconds."""
    absent: Literal["unknown"] | ZeroWhen = "unknown"
    """What a closed period without a point means. Zero only where the liveness metric has a point in that period."""

    def named(self) -> tuple[MetricQuery, ...]:
        asked = self.query(self.metric, self.stat)
        if self.absent == "unknown":
            return (asked,)
        alive = self.absent.zero_when
        namespace = alive.namespace or asked.namespace
        dimensions = dimension_pairs(alive.dimensions) or asked.dimensions
        return asked, MetricQuery(namespace, alive.metric, dimensions, alive.stat, asked.period_s)


class CloudWatchMetric(_PeriodProbe[CloudWatchMetricParams]):
    """One statistic of one metric, from cloudwatch GetMetricData (MetricStat); one sample per closed period.

    `data_at` is the end of the period. The unit is the metric's own times `scale`. Needs cloudwatch:GetMetricData
    (on `*`). Cannot see why a series is empty: no traffic, a wrong dimension and a metric that is not enabled look the
    same; it then says NO_DATA, never 0, unless `absent` names a liveness metric and the metric itself is known to exist: by
    the table of what AWS publishes, by a point, or by cloudwatch ListMetrics.
    """

    name = "cloudwatch.metric"
    params_type = CloudWatchMetricParams
    demands = AWS_ALONE
    fields = (
        Field("value", float, "the statistic of the newest closed period, times scale", 42.0),
        Field("points", int, "periods with a point, of those looked back over up to this one", 15, "count", low=0),
    )

    def counts(self) -> tuple[MetricQuery, ...]:
        return () if self.params.absent == "unknown" else self.queries()[:1]

    def extra_periods(self) -> int:
        return self.params.lookback - 1

    def by_period(self, ends: Sequence[datetime], series: Sequence[Closed]) -> Iterable[PeriodValues]:
        asked, alive = series[0], series[-1]
        for end in ends:
            value = asked.points.get(end)
            if value is None and len(series) == 2 and asked.complete and end in alive.points:
                value = 0.0
            if value is not None:
                points = sum(e in asked.points for e in trailing(end, self.params.period, self.params.lookback))
                yield PeriodValues(end, {"value": value * self.params.scale, "points": points}, {})


class CloudWatchRatioParams(MetricParams):
    part: Annotated[list[Name], Setting(min_length=1, max_length=10)]
    total: Name
    min_total: Annotated[float, Setting(ge=0)] = 1
    """Below this much in the window the rate is LOW_VOLUME: only what its bounds decide is decided."""
    monitors_per_min: Annotated[float, Setting(ge=0)] = 0
    """Requests a minute that no user makes: uptime monitors, this cockpit's own probes. They are taken off the total."""
    window: Duration | None = None
    """Summed over this long; the default is one period."""

    @model_validator(mode="after")
    def _whole_periods(self) -> Self:
        if self.window is not None and (self.window < self.period or self.window % self.period):
            raise ValueError("window is a whole number of periods")
        return self

    def named(self) -> tuple[MetricQuery, ...]:
        return tuple(self.query(metric, "Sum") for metric in (self.total, *self.part))

    @property
    def window_periods(self) -> int:
        return 1 if self.window is None else self.window // self.period


class CloudWatchRatio(_PeriodProbe[CloudWatchRatioParams]):
    """Part of a total, from sums of cloudwatch GetMetricData; one sample per closed period over the trailing window.

    CloudWatch has no point where a count was zero. A part that is absent is 0 only where the total (or another part)
    has a point in that very period; a period with neither is not judged, and a window with such a period gives no
    sample. An ALB does not count requests it rejects for want of a target in RequestCount, so failures count as
    requests themselves: the total is never taken below the part. A part that nobody has ever seen is no zero: names are
    checked against what AWS publishes at load, and against cloudwatch ListMetrics for metrics of your own. Below
    `min_total` the rate is LOW_VOLUME with bounds at 99.9 % confidence, which hold where requests fail independently of
    each other. An ALB counts its own health checks nowhere; monitors and probes from outside are requests like any
    other, and no metric tells them from users': `monitors_per_min` says how many they are. Needs
    cloudwatch:GetMetricData (on `*`). Cannot see failures that the application answers with a 2xx.
    """

    name = "cloudwatch.ratio"
    params_type = CloudWatchRatioParams
    demands = AWS_ALONE
    fields = (
        Field("rate", float, "part divided by total over the window", 0.012, "ratio", low=0, high=1),
        Field("part", float, "sum of the parts over the window", 3.0, "count", low=0),
        Field("total", float, "sum of the total over the window, without the monitors'", 250.0, "count", low=0),
    )

    def counts(self) -> tuple[MetricQuery, ...]:
        return self.queries()[1:]

    def extra_periods(self) -> int:
        return self.params.window_periods - 1

    def hint_when_empty(self) -> str:
        return f"without {self.params.total} nothing is known: no traffic, or a wrong load balancer or dimension"

    def by_period(self, ends: Sequence[datetime], series: Sequence[Closed]) -> Iterable[PeriodValues]:
        total, *parts = series
        for end in ends:
            window = trailing(end, self.params.period, self.params.window_periods)
            counted = [_counted(each, total, parts) for each in window]
            if None in counted:
                continue
            part = math.fsum(pair[0] for pair in counted if pair)
            whole = math.fsum(pair[1] for pair in counted if pair)
            yield self._values(end, part, self._of_users(part, whole))

    def _of_users(self, part: float, total: float) -> float:
        """The total without what monitors asked for, and never below the part."""
        minutes = self.params.window_periods * (self.params.period / _MINUTE)
        return max(total - self.params.monitors_per_min * minutes, part)

    def _values(self, end: datetime, part: float, total: float) -> PeriodValues:
        values: dict[str, Value] = {"part": part, "total": total}
        of = "requests" if self.params.total == "RequestCount" else self.params.total
        hint = "wait for traffic, widen the window, or lower min_total"
        rate = ratio(part, total, self.params.min_total, of, hint)
        if isinstance(rate, Unknown):
            return PeriodValues(end, values, {"rate": rate})
        return PeriodValues(end, values | {"rate": rate}, {})


def _counted(end: datetime, total: Closed, parts: Sequence[Closed]) -> tuple[float, float] | None:
    """(part, total) of one period, or None where it cannot be judged."""
    if end not in total.points and not (total.complete and any(end in part.points for part in parts)):
        return None
    if any(end not in part.points and not part.complete for part in parts):
        return None
    failed = math.fsum(part.points.get(end, 0.0) for part in parts)
    return failed, max(total.points.get(end, 0.0), failed)


class CloudWatchPercentileParams(MetricParams):
    metric: Name
    p: Annotated[float, Setting(gt=0, lt=100)]
    """The percentile: 95, 99, 99.9."""
    scale: float = 1.0
    min_samples: Annotated[int | None, Setting(ge=1)] = None
    """Below this many samples in the period the percentile says nothing. Default 10/(1-p), as CloudWatch's own."""

    def named(self) -> tuple[MetricQuery, ...]:
        return tuple(self.query(self.metric, stat) for stat in (f"p{self.p:g}", "SampleCount"))

    @property
    def needed(self) -> int:
        """Samples needed.

        >>> CloudWatchPercentileParams(namespace="n", metric="m", p=99.9).needed
        10000
        """
        if self.min_samples is not None:
            return self.min_samples
        return math.ceil(Decimal(1000) / (100 - Decimal(str(self.p))))


class CloudWatchPercentile(_PeriodProbe[CloudWatchPercentileParams]):
    """A percentile of one metric and the number of samples behind it, from cloudwatch GetMetricData (pNN, SampleCount).

    One sample per closed period; `data_at` is its end; the unit is the metric's own times `scale` (TargetResponseTime
    is in seconds). Below `min_samples` the value is LOW_VOLUME. Needs cloudwatch:GetMetricData (on `*`). Cannot see
    time spent in front of what is measured, nor what an application does after it answered.
    """

    name = "cloudwatch.percentile"
    params_type = CloudWatchPercentileParams
    demands = AWS_ALONE
    fields = (
        Field("value", float, "the percentile of the newest closed period, times scale", 0.42),
        Field("samples", int, "samples in that period", 812, "count", low=0),
    )

    def by_period(self, ends: Sequence[datetime], series: Sequence[Closed]) -> Iterable[PeriodValues]:
        values, counts = series
        for end in ends:
            if end not in counts.points:
                continue
            samples, value = int(counts.points[end]), values.points.get(end)
            known: dict[str, Value] = {"samples": samples}
            if samples < self.params.needed:
                of = f"samples for a p{self.params.p:g}"
                hint = "wait for traffic, take a longer period, or set min_samples"
                yield PeriodValues(end, known, {"value": too_few(samples, self.params.needed, of, hint)})
            elif value is not None:
                yield PeriodValues(end, known | {"value": value * self.params.scale}, {})


def _as_typed(query: MetricQuery) -> str:
    dimensions = ",".join(f"{name}={value}" for name, value in query.dimensions)
    return (
        f"cloudwatch get-metric-data {query.namespace} {query.metric} {query.stat} {query.period_s}s {{{dimensions}}}"
    )


def _lines(queries: Sequence[MetricQuery], ends: Sequence[datetime], series: Sequence[Closed]) -> tuple[str, ...]:
    """The newest five periods as they came, newest first."""

    def shown(end: datetime) -> str:
        points = [f"{q.metric} {q.stat} {_number(s.points.get(end))}" for q, s in zip(queries, series, strict=True)]
        return f"until {end:%H:%M}  " + "  ".join(points)

    return tuple(shown(end) for end in reversed(ends[-5:]))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"
