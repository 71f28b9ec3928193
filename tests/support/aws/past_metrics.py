"""A CloudWatch with a past: each metric is a function of the minute, and is answered page by page as AWS does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from support.aws.modelled import ModelledAws

PAGE = 100_800
Shown = Callable[[datetime], float | None]
"""The value of the period that begins then."""


class PastMetrics:
    """Metrics by name, or by (name, statistic), over all time. Each page covers the same moments of every series."""

    def __init__(self, shown: Mapping[str | tuple[str, str], Shown], page: int = PAGE) -> None:
        self.aws = ModelledAws()
        self.aws.on["GetMetricData"] = self._answer
        self.shown, self._page = shown, page

    @property
    def calls(self) -> int:
        return sum(name == "GetMetricData" for name, _ in self.aws.asked)

    def _answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        queries = asked["MetricDataQueries"]
        begin = asked["StartTime"] + timedelta(minutes=int(asked.get("NextToken") or 0))
        until = min(begin + timedelta(minutes=self._page // len(queries)), asked["EndTime"])
        results = []
        for query in queries:
            stat = query["MetricStat"]
            name, step = stat["Metric"]["MetricName"], timedelta(seconds=stat["Period"])
            shown = self.shown.get((name, stat["Stat"])) or self.shown[name]
            stamps, values, at = [], [], begin
            while at < until:
                if (value := shown(at)) is not None:
                    stamps.append(at)
                    values.append(float(value))
                at += step
            results.append({"Id": query["Id"], "StatusCode": "Complete", "Timestamps": stamps, "Values": values})
        more = until < asked["EndTime"]
        token = {"NextToken": str(int((until - asked["StartTime"]) / timedelta(minutes=1)))} if more else {}
        return {"MetricDataResults": results} | token
