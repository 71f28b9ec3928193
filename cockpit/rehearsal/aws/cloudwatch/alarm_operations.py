"""The operations of CloudWatch about alarms."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from cockpit.rehearsal.aws.cloudwatch.alarms import AlarmBook
from cockpit.rehearsal.aws.cloudwatch.composite_alarms import CompositeAlarm, CompositeAlarms
from cockpit.rehearsal.aws.wire.protocols import AwsError
from cockpit.rehearsal.aws.wire.routing import Call
from cockpit.rehearsal.aws.wire.wire_times import iso, moment

_STATES = ("OK", "ALARM", "INSUFFICIENT_DATA")
_PAGE = 100
_OF_RELATED = ("AlarmName", "AlarmArn", "StateValue", "StateUpdatedTimestamp")
"""All that DescribeAlarms says of an alarm's children and parents."""
_RELATED = frozenset({"ChildrenOfAlarmName", "ParentsOfAlarmName"})
_BESIDE_RELATED = frozenset({"MaxRecords", "NextToken"})
"""All that either goes together with."""


class AlarmAnswers:
    """PutMetricAlarm, PutCompositeAlarm, DescribeAlarms, DescribeAlarmsForMetric, SetAlarmState, alarm actions on and off,
    history, DeleteAlarms, ListAlarmMuteRules (nobody mutes anything here)."""

    def __init__(self, alarms: AlarmBook, composite: CompositeAlarms) -> None:
        self._alarms = alarms
        self._composite = composite

    def answers(self) -> Mapping[tuple[str, str], Callable[[Call], Mapping[str, Any]]]:
        return {
            ("monitoring", "PutMetricAlarm"): self.put_metric_alarm,
            ("monitoring", "PutCompositeAlarm"): self.put_composite_alarm,
            ("monitoring", "DescribeAlarms"): self.describe_alarms,
            ("monitoring", "DescribeAlarmsForMetric"): self.describe_alarms_for_metric,
            ("monitoring", "SetAlarmState"): self.set_alarm_state,
            ("monitoring", "EnableAlarmActions"): lambda call: self._switch(call, enabled=True),
            ("monitoring", "DisableAlarmActions"): lambda call: self._switch(call, enabled=False),
            ("monitoring", "DescribeAlarmHistory"): self.describe_alarm_history,
            ("monitoring", "DeleteAlarms"): self.delete_alarms,
            ("monitoring", "ListAlarmMuteRules"): lambda _: {"AlarmMuteRuleSummaries": []},
        }

    def put_composite_alarm(self, call: Call) -> Mapping[str, Any]:
        self._composite.put(call.params["AlarmName"], call.params)
        return {}

    def put_metric_alarm(self, call: Call) -> Mapping[str, Any]:
        self._alarms.put(call.params["AlarmName"], call.params)
        return {}

    def describe_alarms(self, call: Call) -> Mapping[str, Any]:
        asked = call.params
        given = {name for name, value in asked.items() if value is not None}
        if (by := given & _RELATED) and (given - by - _BESIDE_RELATED or len(by) > 1):
            raise AwsError("ValidationError", f"{min(by)} takes no other parameter but MaxRecords and NextToken.")
        types = ["MetricAlarm", "CompositeAlarm"] if by else asked.get("AlarmTypes") or ["MetricAlarm"]
        found: list[dict[str, Any]] = []
        if "MetricAlarm" in types:
            found += [alarm.described() for alarm in self._alarms.all()]
        if "CompositeAlarm" in types:
            found += [self._composite.described(alarm) for alarm in self._composite.all()]
        related = self._related(asked)
        found = [each for each in found if _wanted(each, asked) and (related is None or each["AlarmName"] in related)]
        skip, most = int(asked.get("NextToken") or 0), int(asked.get("MaxRecords") or _PAGE)
        page = found[skip : skip + most]
        if related is not None:
            page = [{key: each[key] for key in _OF_RELATED if key in each} for each in page]
        token = str(skip + most) if len(found) > skip + most else None
        return {
            "MetricAlarms": [each for each in page if not self._over(each)],
            "CompositeAlarms": [each for each in page if self._over(each)],
            "NextToken": token,
        }

    def _over(self, described: Mapping[str, Any]) -> CompositeAlarm | None:
        return next((each for each in self._composite.all() if each.name == described["AlarmName"]), None)

    def _related(self, asked: Mapping[str, Any]) -> set[str] | None:
        """Names of the alarms right below or above the one asked for; None where none is asked for."""
        if below := asked.get("ChildrenOfAlarmName"):
            return {name for each in self._composite.all() if each.name == below for name in each.names}
        if above := asked.get("ParentsOfAlarmName"):
            return {each.name for each in self._composite.all() if above in each.names}
        return None

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
        for name in call.params["AlarmNames"]:
            self._composite.delete(name)
        return {}

    def _switch(self, call: Call, *, enabled: bool) -> Mapping[str, Any]:
        self._alarms.enable_actions(call.params["AlarmNames"], enabled=enabled)
        return {}


def _wanted(described: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    names, prefix = asked.get("AlarmNames"), asked.get("AlarmNamePrefix") or ""
    if names and described["AlarmName"] not in names:
        return False
    acts = asked.get("ActionPrefix") or ""
    does = [arn for kind in ("AlarmActions", "OKActions", "InsufficientDataActions") for arn in described.get(kind, ())]
    return (
        described["AlarmName"].startswith(prefix)
        and asked.get("StateValue") in (None, described["StateValue"])
        and (not acts or any(arn.startswith(acts) for arn in does))
    )


def _pairs(given: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(each["Name"], each["Value"]) for each in given.get("Dimensions") or ()}
