"""What is asked of CloudWatch metrics, and what is answered."""

from __future__ import annotations

from datetime import datetime

from probes.frozen import frozen


@frozen
class MetricQuery:
    """One series of one metric. `stat` is Sum, Average, Maximum, Minimum, SampleCount or a percentile like p95."""

    namespace: str
    metric: str
    dimensions: tuple[tuple[str, str], ...]
    stat: str
    period_s: int = 60


@frozen
class Series:
    """A metric's answer: (period start, value) in rising order; `complete` is False for StatusCode PartialData."""

    points: tuple[tuple[datetime, float], ...]
    complete: bool = True
