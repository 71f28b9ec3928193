"""A CloudWatch whose periods fill up in their own time: what shows of each is a function of its age."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from support.aws.modelled import NOW, ModelledAws

from probes.reading import Reading
from probes.registry import find

MINUTE = timedelta(minutes=1)
START = NOW.replace(minute=0, second=0, microsecond=0)
Shown = Callable[[int, float], float | None]
"""What shows of the period of this number, so many seconds after its end."""
ERRORS = "HTTPCode_Target_5XX_Count"
OF_A_BALANCER: Mapping[str, Any] = {
    "load_balancer": "app/x/50dc6c495c0c9188",
    "part": [ERRORS],
    "total": "RequestCount",
    "min_total": 20,
}


class Filling:
    """Metrics of this period, by name, and the probe that reads them: a ratio of a load balancer, if nothing else is given."""

    def __init__(self, shown: Mapping[str, Shown], uses: str = "cloudwatch.ratio", **params: Any) -> None:
        self.aws = ModelledAws()
        self.aws.on["GetMetricData"] = self._answer
        self._shown = shown
        self.now = START
        kind = find(uses)
        given = (dict(OF_A_BALANCER) if uses == "cloudwatch.ratio" else {}) | params
        self.probe = kind(kind.params_type.model_validate(given), self.aws.clients)
        self._period: timedelta = self.probe.period or MINUTE

    def _answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        results = []
        for query in asked["MetricDataQueries"]:
            shown = self._shown[query["MetricStat"]["Metric"]["MetricName"]]
            points = []
            first = math.floor((asked["StartTime"] - START) / self._period)
            for number in range(first, math.ceil((asked["EndTime"] - START) / self._period)):
                begin = START + number * self._period
                age = (self.now - begin - self._period).total_seconds()
                value = shown(number, age) if age >= 0 and asked["StartTime"] <= begin < asked["EndTime"] else None
                if value:
                    points.append((begin, float(value)))
            stamps, values = [at for at, _ in points], [value for _, value in points]
            results.append({"Id": query["Id"], "StatusCode": "Complete", "Timestamps": stamps, "Values": values})
        return {"MetricDataResults": results}

    async def read_at(self, now: datetime) -> Reading:
        self.now = now
        return await self.probe.read(now)

    async def polls(self, count: int, past_s: float) -> list[Reading]:
        """Once a minute, so many seconds past it."""
        return [await self.read_at(START + n * MINUTE + timedelta(seconds=past_s)) for n in range(1, count + 1)]

    async def close(self) -> None:
        await self.aws.clients.close()


def half_then_all(count: float) -> Shown:
    """Half of each count 45 s after its period, the rest at 125 s."""
    return lambda _, age: 0.0 if age < 45 else count // 2 if age < 125 else count


def from_age(count: float, late_s: float) -> Shown:
    """The whole count, so late."""
    return lambda _, age: count if age >= late_s else None


def never(_: int, __: float) -> None:
    """No point at all, as of a count that is zero."""
