"""The operations of CloudWatch about alarms."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from cockpit.rehearsal.aws.cloudwatch.alarms import Alarm, AlarmBook
from cockpit.rehearsal.aws.wire.protocols import AwsError
from cockpit.rehearsal.aws.wire.routing import Call
from cockpit.rehearsal.aws.wire.wire_times import iso, moment

_STATES = ("OK", "ALARM", "INSUFFICIENT_DATA")
_PAGE = 100


class AlarmAnswers:
    """PutMetricAlarm, DescribeAlarms, DescribeAlarmsForMetric, SetAlarmState, alarm actions on and off, history,
    DeleteAlarms, ListAlarmMuteRules (nobody mutes anything here)."""

    def __init__(self, alarms: AlarmBook) -> None:
        self._alarms = alarms

    def answers(self) -> Mapping[tuple[str, str], Callable[[Call], Mapping[str, Any]]]:
        return {
            ("monitoring", "PutMetricAlarm"): self.put_metric_alarm,
            ("monitoring", "DescribeAlarms"): self.describe_alarms,
            ("monitoring", "DescribeAlarmsForMetric"): self.describe_alarms_for_metric,
            ("monitoring", "SetAlarmState"): self.set_alarm_state,
            ("monitoring", "EnableAlarmActions"): lambda call: self._switch(call, enabled=True),
            ("monitoring", "DisableAlarmActions"): lambda call: self._switch(call, enabled=False),
            ("monitoring", "DescribeAlarmHistory"): self.describe_alarm_history,
            ("monitoring", "DeleteAlarms"): self.delete_alarms,
            ("monitoring", "ListAlarmMuteRules"): lambda _: {"AlarmMuteRuleSummaries": []},
        }

    def put_metric_alarm(self, call: Call) -> Mapping[str, Any]:
        self._alarms.put(call.params["AlarmName"], call.params)
        return {}

    def describe_alarms(self, call: Call) -> Mapping[str, Any]:
        asked = call.params
        types = asked.get("AlarmTypes") or ["MetricAlarm"]
        found = [alarm for alarm in self._alarms.all() if _wanted(alarm, asked)] if "MetricAlarm" in types else []
        skip, most = int(asked.get("NextToken") or 0), int(asked.get("MaxRecords") or _PAGE)
        page = [alarm.described() for alarm in found[skip : skip + most]]
        token = str(skip + most) if len(found) > skip + most else None
        return {"MetricAlarms": page, "CompositeAlarms": [], "NextToken": token}

    def describe_alarms_for_metric(self, call: Call) -> Mapping[str, Any]:
        asked = call.params
        place = (asked["Namespace"], asked["MetricName"])
        wanted = _pairs(asked)
        found = [
            alarm.described()
            for alarm in self._alarms.all()
            if (alarm.settings.get("Namespace"), alarm.settings.get("MetricName")) == place
            and _pairs(alarm.settings) == wanted
        ]
        return {"MetricAlarms": found}

    def set_alarm_state(self, call: Call) -> Mapping[str, Any]:
        asked = call.params
        if asked["StateValue"] not in _STATES:
            raise AwsError("ValidationError", f"StateValue must be one of {', '.join(_STATES)}.")
        self._alarms.set_state(
            asked["AlarmName"], asked["StateValue"], asked["StateReason"], asked.get("StateReasonData") or ""
        )
        return {}

    def describe_alarm_history(self, call: Call) -> Mapping[str, Any]:
        asked = call.params
        alarms = [self._alarms.find(asked["AlarmName"])] if asked.get("AlarmName") else self._alarms.all()
        since = moment(asked["StartDate"]) if asked.get("StartDate") else None
        until = moment(asked["EndDate"]) if asked.get("EndDate") else None
        items: list[dict[str, Any]] = [
            {
                "AlarmName": alarm.name,
                "AlarmType": "MetricAlarm",
                "Timestamp": item.at,
                "HistoryItemType": item.kind,
                "HistorySummary": item.summary,
                "HistoryData": json.dumps(item.data, default=iso),
            }
            for alarm in alarms
            for item in alarm.history
            if asked.get("HistoryItemType") in (None, item.kind)
            and (since is None or item.at >= since)
            and (until is None or item.at <= until)
        ]
        items.sort(key=lambda item: item["Timestamp"], reverse=asked.get("ScanBy") != "TimestampAscending")
        skip, most = int(asked.get("NextToken") or 0), int(asked.get("MaxRecords") or _PAGE)
        token = str(skip + most) if len(items) > skip + most else None
        return {"AlarmHistoryItems": items[skip : skip + most], "NextToken": token}

    def delete_alarms(self, call: Call) -> Mapping[str, Any]:
        self._alarms.delete(call.params["AlarmNames"])
        return {}

    def _switch(self, call: Call, *, enabled: bool) -> Mapping[str, Any]:
        self._alarms.enable_actions(call.params["AlarmNames"], enabled=enabled)
        return {}


def _wanted(alarm: Alarm, asked: Mapping[str, Any]) -> bool:
    names, prefix = asked.get("AlarmNames"), asked.get("AlarmNamePrefix") or ""
    if names and alarm.name not in names:
        return False
    acts = asked.get("ActionPrefix") or ""
    does = [
        arn for kind in ("AlarmActions", "OKActions", "InsufficientDataActions") for arn in alarm.settings.get(kind, ())
    ]
    return (
        alarm.name.startswith(prefix)
        and asked.get("StateValue") in (None, alarm.state)
        and (not acts or any(arn.startswith(acts) for arn in does))
    )


def _pairs(given: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(each["Name"], each["Value"]) for each in given.get("Dimensions") or ()}
