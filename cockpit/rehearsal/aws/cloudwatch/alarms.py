"""CloudWatch alarms that evaluate, in the world's time, over the metrics that show."""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from cockpit.rehearsal.aws.cloudwatch.alarm_evaluation import (
    COMPARISONS,
    EXTRA_PERIODS,
    AlarmState,
    Judgement,
    Rule,
    Treatment,
    judge,
)
from cockpit.rehearsal.aws.cloudwatch.metric_queries import answer_queries
from cockpit.rehearsal.aws.cloudwatch.metric_store import MetricStore, at_epoch
from cockpit.rehearsal.aws.wire.protocols import AwsError
from cockpit.rehearsal.aws.wire.wire_times import iso

log = logging.getLogger("cockpit.rehearsal.aws")
MINUTE_S = 60
_HISTORY = 500
_CATCH_UP = timedelta(hours=3)
"""A jump of time longer than the metrics are kept has nothing more to be judged."""
_SETTINGS = (
    "AlarmDescription", "ActionsEnabled", "OKActions", "AlarmActions", "InsufficientDataActions", "MetricName", "Namespace",
    "Statistic", "ExtendedStatistic", "Dimensions", "Period", "Unit", "EvaluationPeriods", "DatapointsToAlarm", "Threshold",
    "ComparisonOperator", "TreatMissingData", "EvaluateLowSampleCountPercentile", "Metrics", "ThresholdMetricId",
)  # fmt: skip


@dataclass(slots=True)
class HistoryItem:
    at: datetime
    kind: str
    """ConfigurationUpdate, StateUpdate or Action."""
    summary: str
    data: Mapping[str, Any]


@dataclass(slots=True)
class Alarm:
    """One metric alarm. `settings` are as PutMetricAlarm gave them."""

    name: str
    arn: str
    settings: dict[str, Any]
    configured: datetime
    state: AlarmState
    reason: str
    reason_data: str
    updated: datetime
    """When the state was last written, by an evaluation or by hand."""
    transitioned: datetime
    history: deque[HistoryItem] = field(default_factory=lambda: deque(maxlen=_HISTORY))

    @property
    def rule(self) -> Rule:
        given = self.settings
        periods = int(given["EvaluationPeriods"])
        missing = cast("Treatment", given.get("TreatMissingData") or "missing")
        needed = int(given.get("DatapointsToAlarm") or periods)
        return Rule(given["ComparisonOperator"], float(given["Threshold"]), periods, needed, missing)

    @property
    def period_s(self) -> int:
        if self.settings.get("Period"):
            return int(self.settings["Period"])
        below = [each.get("MetricStat", {}).get("Period") or each.get("Period") for each in self.settings["Metrics"]]
        return max((int(period) for period in below if period), default=MINUTE_S)

    def described(self) -> dict[str, Any]:
        """In the shape of DescribeAlarms."""
        defaults: dict[str, Any] = {
            "ActionsEnabled": True,
            "OKActions": [],
            "AlarmActions": [],
            "InsufficientDataActions": [],
            "Dimensions": [],
        }
        return (
            defaults
            | self.settings
            | {
                "AlarmName": self.name,
                "AlarmArn": self.arn,
                "AlarmConfigurationUpdatedTimestamp": self.configured,
                "StateValue": self.state,
                "StateReason": self.reason,
                "StateReasonData": self.reason_data,
                "StateUpdatedTimestamp": self.updated,
                "StateTransitionedTimestamp": self.transitioned,
            }
        )


class AlarmBook:
    """All alarms, by name. Each is judged once a minute of the world's time, as soon as the newest period shows."""

    def __init__(self, now: Callable[[], datetime], metrics: MetricStore, account: str, region: str) -> None:
        self._now = now
        self._metrics = metrics
        self._prefix = f"arn:aws:cloudwatch:{region}:{account}:alarm:"
        self._alarms: dict[str, Alarm] = {}
        self._judged: int | None = None
        self._lock = threading.RLock()

    def put(self, name: str, settings: Mapping[str, Any]) -> None:
        """Create an alarm or replace its settings; a new one is INSUFFICIENT_DATA until judged. Raises AwsError."""
        kept = {key: settings[key] for key in _SETTINGS if settings.get(key) is not None}
        _check(kept)
        now = self._now()
        with self._lock:
            known = self._alarms.get(name)
            if known is not None:
                known.settings, known.configured = kept, now
                self._note(known, now, "ConfigurationUpdate", f'Alarm "{name}" updated', {"updatedAlarm": _plain(kept)})
                return
            reason = "Unchecked: Initial alarm creation"
            alarm = Alarm(name, self._prefix + name, kept, now, "INSUFFICIENT_DATA", reason, "", now, now)
            self._alarms[name] = alarm
            self._note(alarm, now, "ConfigurationUpdate", f'Alarm "{name}" created', {"createdAlarm": _plain(kept)})

    def delete(self, names: Iterable[str]) -> None:
        with self._lock:
            for name in names:
                self._alarms.pop(name, None)

    def all(self) -> list[Alarm]:
        with self._lock:
            return [self._alarms[name] for name in sorted(self._alarms)]

    def find(self, name: str) -> Alarm:
        """Raises AwsError ResourceNotFound."""
        with self._lock:
            if name not in self._alarms:
                raise AwsError("ResourceNotFound", f"Could not find alarm(s): {name}", 404)
            return self._alarms[name]

    def enable_actions(self, names: Iterable[str], *, enabled: bool) -> None:
        with self._lock:
            for name in names:
                if name in self._alarms:
                    self._alarms[name].settings["ActionsEnabled"] = enabled

    def set_state(
        self, name: str, state: AlarmState, reason: str, reason_data: str = "", at: datetime | None = None
    ) -> None:
        """What SetAlarmState does; the next evaluation may take it back. `at` is the world's now unless given."""
        with self._lock:
            self._turn(self.find(name), Judgement(state, reason), at or self._now(), reason_data)

    def settle(self, name: str, since: datetime) -> None:
        """Make an alarm one that has been there, and OK, since then."""
        with self._lock:
            alarm = self.find(name)
            alarm.configured = since
            alarm.history.clear()
            reason = "Threshold Crossed: no datapoint was greater than the threshold."
            self._turn(alarm, Judgement("OK", reason), since, "")
            alarm.transitioned = since

    def evaluate(self, now: datetime) -> None:
        """Judge all alarms for every minute that has gone by since the last call. Cheap when none has."""
        # A judgement falls due when another minute shows; that is `publication_delay` past the minute's end.
        delay = self._metrics.publication_delay
        due = int((now - delay).timestamp()) // MINUTE_S * MINUTE_S
        with self._lock:
            if self._judged is None:
                self._judged = due - MINUTE_S
            first = max(self._judged + MINUTE_S, due - int(_CATCH_UP.total_seconds()))
            for until in range(first, due + 1, MINUTE_S):
                for alarm in self._alarms.values():
                    if until % min(alarm.period_s, MINUTE_S) == 0:
                        self._judge(alarm, until, at_epoch(until) + delay)
            self._judged = max(self._judged, due)

    # -- how ---------------------------------------------------------------------------------------------------------

    def _judge(self, alarm: Alarm, until: int, at: datetime) -> None:
        if alarm.configured > at:
            return
        rule, period = alarm.rule, alarm.period_s
        last = until // period * period
        starts = [last - period * back for back in range(rule.periods + EXTRA_PERIODS, 0, -1)]
        try:
            if self._ignores_few(alarm, starts[-rule.periods], last):
                return
            series = self._series(alarm, starts[0], last)
        except AwsError as error:
            # As with the real one: an expression that cannot be evaluated leaves the alarm as it is.
            log.warning("alarm %s cannot be evaluated: %s", alarm.name, error)
            return
        judgement = judge(rule, [(start, series.get(start)) for start in starts])
        if judgement is not None and judgement.state != alarm.state:
            self._turn(alarm, judgement, max(at, alarm.updated), "")
        elif judgement is not None and judgement.state == "ALARM":
            alarm.reason = judgement.reason

    def _series(self, alarm: Alarm, start: int, end: int) -> Mapping[int, float]:
        given = alarm.settings
        queries = given.get("Metrics") or [_as_query(alarm)]
        found = answer_queries(self._metrics, queries, at_epoch(start), at_epoch(end))
        shown = [query["Id"] for query in queries if query.get("ReturnData") is not False]
        return found[shown[-1]]

    def _ignores_few(self, alarm: Alarm, start: int, end: int) -> bool:
        """Whether a percentile alarm stays as it is because there are too few samples for its percentile."""
        given = alarm.settings
        percentile = str(given.get("ExtendedStatistic", ""))
        if given.get("EvaluateLowSampleCountPercentile") != "ignore" or not percentile.startswith("p"):
            return False
        share = float(percentile[1:])
        needed = 10 / (1 - share / 100) if share >= 50 else 10 / (share / 100)
        query = _as_query(alarm, "SampleCount")
        counted = answer_queries(self._metrics, [query], at_epoch(start), at_epoch(end))[query["Id"]]
        return bool(counted) and max(counted.values()) < needed

    def _turn(self, alarm: Alarm, judgement: Judgement, at: datetime, reason_data: str) -> None:
        before = {"stateValue": alarm.state, "stateReason": alarm.reason}
        if judgement.state != alarm.state:
            alarm.transitioned = at
        summary = f"Alarm updated from {alarm.state} to {judgement.state}"
        changed = judgement.state != alarm.state
        alarm.state, alarm.reason, alarm.updated = judgement.state, judgement.reason, at
        alarm.reason_data = reason_data or _reason_data(alarm, judgement, at)
        data = {"oldState": before, "newState": {"stateValue": alarm.state, "stateReason": alarm.reason}}
        self._note(alarm, at, "StateUpdate", summary, data)
        if changed and alarm.settings.get("ActionsEnabled", True):
            actions = {"ALARM": "AlarmActions", "OK": "OKActions"}.get(alarm.state, "InsufficientDataActions")
            for arn in alarm.settings.get(actions, ()):
                done = f"Successfully executed action {arn}"
                self._note(alarm, at, "Action", done, {"actionState": "Succeeded", "notificationResource": arn})

    @staticmethod
    def _note(alarm: Alarm, at: datetime, kind: str, summary: str, data: Mapping[str, Any]) -> None:
        alarm.history.append(HistoryItem(at, kind, summary, data))


def _as_query(alarm: Alarm, stat: str = "") -> dict[str, Any]:
    """A plain alarm as the one metric query it is."""
    given = alarm.settings
    metric = {key: given[key] for key in ("Namespace", "MetricName")} | {"Dimensions": given.get("Dimensions", [])}
    statistic = stat or given.get("ExtendedStatistic") or given["Statistic"]
    return {"Id": "m1", "MetricStat": {"Metric": metric, "Period": given["Period"], "Stat": statistic}}


def _check(given: Mapping[str, Any]) -> None:
    if given.get("ComparisonOperator") not in COMPARISONS:
        raise AwsError("ValidationError", f"ComparisonOperator {given.get('ComparisonOperator')} is not rehearsed.")
    if "Threshold" not in given or "EvaluationPeriods" not in given:
        raise AwsError("ValidationError", "Threshold and EvaluationPeriods are required.")
    if int(given.get("DatapointsToAlarm") or 1) > int(given["EvaluationPeriods"]):
        raise AwsError("ValidationError", "DatapointsToAlarm must not be greater than EvaluationPeriods.")
    plain = {"MetricName", "Namespace", "Period"} <= given.keys() and ("Statistic" in given) != (
        "ExtendedStatistic" in given
    )
    if not plain and not given.get("Metrics"):
        raise AwsError(
            "ValidationError", "Either MetricName, Namespace, Period and one statistic, or Metrics, is required."
        )


def _reason_data(alarm: Alarm, judgement: Judgement, at: datetime) -> str:
    if not judgement.datapoints:
        return ""
    return json.dumps(
        {
            "version": "1.0",
            "queryDate": iso(at),
            "startDate": iso(at_epoch(judgement.datapoints[-1][0])),
            "statistic": alarm.settings.get("ExtendedStatistic") or alarm.settings.get("Statistic"),
            "period": alarm.period_s,
            "recentDatapoints": [value for _, value in reversed(judgement.datapoints)],
            "threshold": alarm.rule.threshold,
        }
    )


def _plain(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key[0].lower() + key[1:]: value for key, value in settings.items()}
