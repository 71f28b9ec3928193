"""CloudWatch alarms that really evaluate: M of N closed periods, missing data treated as the alarm says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cockpit.rehearsal.cloud.metric_math import evaluate
from cockpit.rehearsal.cloud.metrics import PUBLISHED_AFTER_S, MetricStore
from cockpit.rehearsal.cloud.protocols import AwsError

OK, ALARM, NO_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": lambda value, limit: value > limit,
    "GreaterThanOrEqualToThreshold": lambda value, limit: value >= limit,
    "LessThanThreshold": lambda value, limit: value < limit,
    "LessThanOrEqualToThreshold": lambda value, limit: value <= limit,
}
EVERY_S = 10.0


class Alarms:
    """Alarms by name, in the API's own shape."""

    def __init__(self, metrics: MetricStore, now: Callable[[], float], account: str, region: str) -> None:
        self._metrics = metrics
        self._now = now
        self._place = f"arn:aws:cloudwatch:{region}:{account}:alarm:"
        self._alarms: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()
        self._evaluated = 0.0

    def tick(self, now: float) -> None:
        """Evaluate every alarm, at most every ten seconds of the world."""
        if now - self._evaluated < EVERY_S:
            return
        self._evaluated = now
        with self._lock:
            for alarm in self._alarms.values():
                state, reason = self._judge(alarm, now)
                if state != alarm["StateValue"]:
                    self._move(alarm, state, reason, now)

    # -- operations --------------------------------------------------------------------------------------------------

    def put_metric_alarm(self, params: Mapping[str, Any]) -> dict[str, Any]:
        now = self._moment()
        name = str(params["AlarmName"])
        with self._lock:
            held = self._alarms.get(name, {})
            state = {
                "StateValue": held.get("StateValue", NO_DATA),
                "StateReason": held.get("StateReason", "Unchecked: Initial alarm creation"),
                "StateUpdatedTimestamp": held.get("StateUpdatedTimestamp", now),
                "StateTransitionedTimestamp": held.get("StateTransitionedTimestamp", now),
            }
            defaults = {"ActionsEnabled": True, "AlarmActions": [], "OKActions": [], "InsufficientDataActions": []}
            self._alarms[name] = (
                defaults
                | dict(params)
                | state
                | {
                    "AlarmArn": self._place + name,
                    "AlarmConfigurationUpdatedTimestamp": now,
                    "TreatMissingData": params.get("TreatMissingData", "missing"),
                }
            )
        return {}

    def describe_alarms(self, params: Mapping[str, Any]) -> dict[str, Any]:
        wanted, prefix, state = params.get("AlarmNames"), params.get("AlarmNamePrefix", ""), params.get("StateValue")
        with self._lock:
            found = [
                dict(alarm)
                for name, alarm in sorted(self._alarms.items())
                if (not wanted or name in wanted) and name.startswith(prefix) and state in (None, alarm["StateValue"])
            ]
        return {"MetricAlarms": found, "CompositeAlarms": []}

    def set_alarm_state(self, params: Mapping[str, Any]) -> dict[str, Any]:
        with self._lock:
            alarm = self._alarms.get(str(params["AlarmName"]))
            if alarm is None:
                raise AwsError("ResourceNotFound", f"Alarm {params['AlarmName']} not found", 404)
            self._move(alarm, str(params["StateValue"]), str(params["StateReason"]), self._now())
        return {}

    def enable(self, params: Mapping[str, Any], enabled: bool) -> dict[str, Any]:
        with self._lock:
            for name in params.get("AlarmNames", []):
                if name in self._alarms:
                    self._alarms[name]["ActionsEnabled"] = enabled
        return {}

    def delete_alarms(self, params: Mapping[str, Any]) -> dict[str, Any]:
        with self._lock:
            for name in params.get("AlarmNames", []):
                self._alarms.pop(name, None)
        return {}

    # -- how ---------------------------------------------------------------------------------------------------------

    def _moment(self) -> datetime:
        return datetime.fromtimestamp(self._now(), UTC)

    @staticmethod
    def _move(alarm: dict[str, Any], state: str, reason: str, now: float) -> None:
        at = datetime.fromtimestamp(now, UTC)
        alarm |= {
            "StateValue": state,
            "StateReason": reason,
            "StateUpdatedTimestamp": at,
            "StateTransitionedTimestamp": at,
        }

    def _judge(self, alarm: Mapping[str, Any], now: float) -> tuple[str, str]:
        period = _period(alarm)
        count, needed = (
            int(alarm["EvaluationPeriods"]),
            int(alarm.get("DatapointsToAlarm") or alarm["EvaluationPeriods"]),
        )
        last = int((now - PUBLISHED_AFTER_S) // period) * period - period
        starts = [last - period * index for index in range(count)]
        points = self._points(alarm, starts[-1], last + period)
        breaches = _COMPARISONS.get(str(alarm["ComparisonOperator"]), _COMPARISONS["GreaterThanThreshold"])
        limit = float(alarm["Threshold"])
        judged = [self._breaching(points.get(at), breaches, limit, alarm) for at in starts]
        known = [verdict for verdict in judged if verdict is not None]
        shown = ", ".join(f"{points[at]:g}" for at in starts if at in points)
        if not known:
            return (
                (str(alarm["StateValue"]), "") if alarm["TreatMissingData"] == "ignore" else (NO_DATA, "No datapoints")
            )
        crossed = f"{sum(known)} out of the last {count} datapoints [{shown}] crossed the threshold ({limit:g})"
        return (ALARM if sum(known) >= needed else OK), f"Threshold Crossed: {crossed}"

    @staticmethod
    def _breaching(
        value: float | None, breaches: Callable[[float, float], bool], limit: float, alarm: Mapping[str, Any]
    ) -> bool | None:
        if value is None:
            return {"breaching": True, "notBreaching": False}.get(str(alarm["TreatMissingData"]))
        return breaches(value, limit)

    def _points(self, alarm: Mapping[str, Any], start: float, end: float) -> dict[int, float]:
        if alarm.get("Metrics"):
            return self._math(alarm["Metrics"], start, end)
        stat = alarm.get("ExtendedStatistic") or alarm["Statistic"]
        dimensions = [(d["Name"], d["Value"]) for d in alarm.get("Dimensions") or []]
        found = self._metrics.statistics(
            alarm["Namespace"], alarm["MetricName"], dimensions, stat, int(alarm["Period"]), start, end
        )
        return dict(found)

    def _math(self, queries: Sequence[Mapping[str, Any]], start: float, end: float) -> dict[int, float]:
        series: dict[str, dict[int, float]] = {}
        for query in (q for q in queries if "MetricStat" in q):
            stat, metric = query["MetricStat"], query["MetricStat"]["Metric"]
            dimensions = [(d["Name"], d["Value"]) for d in metric.get("Dimensions") or []]
            series[query["Id"]] = dict(
                self._metrics.statistics(
                    metric["Namespace"], metric["MetricName"], dimensions, stat["Stat"], int(stat["Period"]), start, end
                )
            )
        answer: dict[int, float] = {}
        for query in (q for q in queries if "Expression" in q):
            series[query["Id"]] = evaluate(str(query["Expression"]), series)
            if query.get("ReturnData", True):
                answer = series[query["Id"]]
        return answer


def _period(alarm: Mapping[str, Any]) -> int:
    if alarm.get("Period"):
        return int(alarm["Period"])
    return int(next(q["MetricStat"]["Period"] for q in alarm["Metrics"] if "MetricStat" in q))
