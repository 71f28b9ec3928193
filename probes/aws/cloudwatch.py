"""CloudWatch metrics: a value, a ratio and a percentile, each one sample per closed period."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field as Setting
from pydantic import StringConstraints, model_validator

from probes.aws.cloudwatch_periods import MINUTE, Closed, MetricParams, PeriodProbe, PeriodValues
from probes.clients.metrics import MetricQuery
from probes.demand import AWS_ALONE
from probes.low_volume import ratio, too_few
from probes.periods import Duration, dimension_pairs, trailing
from probes.probe import Least, Params
from probes.reading import Field, Unknown, Value, at_most

Stat = Annotated[
    str, StringConstraints(pattern=r"^(Sum|Average|Minimum|Maximum|SampleCount|(p|tm)\d{1,2}(\.\d{1,3})?)$")
]
Name = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class CloudWatchMetricParams(MetricParams):
    class Liveness(Params):
        """The metric whose presence in a period proves that the other one was being watched in that period."""

        metric: Name
        """Name of the metric that has a point while the other one was watched."""
        namespace: str = ""
        """Its namespace, where it is another."""
        dimensions: dict[str, str] = Setting(default_factory=dict)
        """Its dimensions, where they are others."""
        stat: Stat = "Sum"
        """Its statistic; any will do."""

    class ZeroWhen(Params):
        zero_when: CloudWatchMetricParams.Liveness
        """The metric that proves it."""

    metric: Name
    """Name of the metric."""
    stat: Stat
    """The statistic: Sum, Average, Minimum, Maximum, SampleCount, a percentile (p99) or a trimmed mean (tm90)."""
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


class CloudWatchMetric(PeriodProbe[CloudWatchMetricParams]):
    """One statistic of one metric, from cloudwatch GetMetricData (MetricStat); one sample per closed period.

    `data_at` is the end of the period. The unit is the metric's own times `scale`. Needs cloudwatch:GetMetricData
    (on `*`). An empty series is NO_DATA, never 0, unless `absent` names a liveness metric and the metric itself is known
    to exist: by the table of what AWS publishes, by a point, or by cloudwatch ListMetrics.
    """

    name = "cloudwatch.metric"
    params_type = CloudWatchMetricParams
    demands = AWS_ALONE
    subjects = ("metric", "cpu", "memory", "replica lag", "replication lag")
    cannot_see = "why a series is empty: no traffic, a wrong dimension and a metric not enabled look the same"
    late = "the period and `settle`; S3 request metrics 15 minutes; `lateness` is measured and shown"
    fields = (
        Field("value", float, "the statistic of the newest closed period, times scale", 42.0),
        Field("points", int, "periods with a point, of those looked back over up to this one", 15, "count", low=0),
    )

    @classmethod
    def fields_of(cls, params: CloudWatchMetricParams) -> tuple[Field, ...]:
        return at_most(cls.fields, "points", params.lookback)

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


class TrafficParams(MetricParams):
    """Of what counts requests."""

    monitors_per_min: Annotated[float, Setting(ge=0)] = 0
    """Requests a minute that no user makes: uptime monitors, this cockpit's own probes. They count for no evidence."""

    def of_users(self, counted: float, periods: int = 1) -> float:
        """Of what was counted in so many periods, what monitors did not ask for."""
        return max(counted - self.monitors_per_min * periods * (self.period / MINUTE), 0.0)


class CloudWatchRatioParams(TrafficParams):
    part: Annotated[list[Name], Setting(min_length=1, max_length=10)]
    """Names of the metrics whose sums are the part: HTTPCode_Target_5XX_Count and HTTPCode_ELB_5XX_Count."""
    total: Name
    """Name of the metric whose sum is the whole: RequestCount."""
    min_total: Annotated[float, Setting(ge=0)] = 1
    """Below this much in the window the rate is LOW_VOLUME: only what its bounds decide is decided."""
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
    def of(self) -> str:
        """What is counted."""
        return "requests" if self.total == "RequestCount" else self.total

    @property
    def window_periods(self) -> int:
        return 1 if self.window is None else self.window // self.period


class CloudWatchRatio(PeriodProbe[CloudWatchRatioParams]):
    """Part of a total, from sums of cloudwatch GetMetricData; one sample per closed period over the trailing window.

    CloudWatch has no point where a count was zero. A part that is absent is 0 only where the total (or another part)
    has a point in that very period; a period with neither is not judged, and a window with such a period gives no
    sample. An ALB does not count requests it rejects for want of a target in RequestCount, so failures count as
    requests themselves: the total is never taken below the part. A part that nobody has ever seen is no zero: names are
    checked against what AWS publishes at load, and against cloudwatch ListMetrics for metrics of your own. Below
    `min_total` the rate is LOW_VOLUME with bounds at 99.9 % confidence, which hold where requests fail independently of
    each other. An ALB counts its own health checks nowhere; monitors and probes from outside are requests like any
    other, and no metric tells them from users': `monitors_per_min` says how many they are. Needs
    cloudwatch:GetMetricData (on `*`).
    """

    name = "cloudwatch.ratio"
    params_type = CloudWatchRatioParams
    demands = AWS_ALONE
    subjects = ("error rate", "error ratio", "failure rate", "success rate", "5xx error", "4xx error", "5xx", "4xx")
    cannot_see = "failures that the application answers with a 2xx"
    late = "the period and `settle`: a minute is judged about 3 minutes after it began"
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
            yield self._values(end, part, max(self.params.of_users(whole, self.params.window_periods), part))

    @classmethod
    def least(cls, params: CloudWatchRatioParams) -> Least | None:
        needed = max(params.min_total, 1.0) + params.monitors_per_min * params.window_periods * (params.period / MINUTE)
        return Least(("rate",), needed, params.of, params.window_periods * params.period, "total")

    def _values(self, end: datetime, part: float, total: float) -> PeriodValues:
        values: dict[str, Value] = {"part": part, "total": total}
        of = self.params.of
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


class CloudWatchPercentileParams(TrafficParams):
    metric: Name
    """Name of the metric: TargetResponseTime."""
    p: Annotated[float, Setting(gt=0, lt=100)]
    """The percentile: 95, 99, 99.9."""
    scale: float = 1.0
    """Multiplies the value: 1000 turns seconds into milliseconds."""
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


class CloudWatchPercentile(PeriodProbe[CloudWatchPercentileParams]):
    """A percentile of one metric and the number of samples behind it, from cloudwatch GetMetricData (pNN, SampleCount).

    One sample per closed period; `data_at` is its end; the unit is the metric's own times `scale` (TargetResponseTime
    is in seconds). Below `min_samples` the value is LOW_VOLUME; what `monitors_per_min` says is taken off the samples,
    but the percentile is still one of all requests. Needs cloudwatch:GetMetricData (on `*`).
    """

    name = "cloudwatch.percentile"
    params_type = CloudWatchPercentileParams
    demands = AWS_ALONE
    subjects = ("percentile",)
    cannot_see = "time spent in front of what is measured, and what an application does after it answered"
    late = "the period and `settle`: a minute is judged about 3 minutes after it began"
    fields = (
        Field("value", float, "the percentile of the newest closed period, times scale", 0.42),
        Field("samples", int, "samples in that period, without the monitors'", 812, "count", low=0),
    )

    @classmethod
    def least(cls, params: CloudWatchPercentileParams) -> Least | None:
        needed = params.needed + params.monitors_per_min * (params.period / MINUTE)
        return Least(("value",), needed, f"samples of {params.metric}", params.period, "samples")

    def by_period(self, ends: Sequence[datetime], series: Sequence[Closed]) -> Iterable[PeriodValues]:
        values, counts = series
        for end in ends:
            if end not in counts.points:
                continue
            samples, value = int(self.params.of_users(counts.points[end])), values.points.get(end)
            known: dict[str, Value] = {"samples": samples}
            if samples < self.params.needed:
                of = f"samples for a p{self.params.p:g}"
                hint = "wait for traffic, take a longer period, or set min_samples"
                yield PeriodValues(end, known, {"value": too_few(samples, self.params.needed, of, hint)})
            elif value is not None:
                yield PeriodValues(end, known | {"value": value * self.params.scale}, {})
