"""CloudWatch alarms: whether they exist, whether they notify somebody, and their state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import Field as Setting

from probes.aws.alarm_judgement import (
    BELOW,
    HIDES_SILENCE,
    Ground,
    MuteRules,
    cannot_judge,
    datapoints_of,
    expression_of,
    grounds,
    kind_of,
    metric_of,
    period_of,
)
from probes.clients.clients import Clients
from probes.clients.console_links import alarm_url
from probes.clients.paging import pages
from probes.demand import AWS_ALONE
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen, Value

MAX_NAMES = 100
"""DescribeAlarms' own limit on names in one call."""
_ONE_NAME_ONLY = Unknown(
    Reason.NO_DATA,
    "this field speaks of one alarm, and the probe names several",
    "name one alarm in a probe of its own",
)


class CloudWatchAlarmsParams(Params):
    names: Annotated[list[Annotated[str, Setting(min_length=1)]], Setting(min_length=1, max_length=MAX_NAMES)]
    """Names of the alarms."""
    accept: list[Ground] = Setting(default_factory=list)
    """On what else an OK may rest than on plain data against a threshold; an OK that rests on what is not listed is unknown."""


class CloudWatchAlarms(Probe[CloudWatchAlarmsParams]):
    """The state of named alarms, from cloudwatch DescribeAlarms (metric, composite and log alarms).

    ALARM is true and OK is false; INSUFFICIENT_DATA, a failed evaluation, a composite alarm that is OK over a child that
    cannot judge, and an alarm that does not exist are neither,
    so `all_ok` is then unknown (false if another is in ALARM) and `in_alarm` is unknown rather than 0. So is an OK that rests
    on metric math, a learnt band, a log query, M of N datapoints, one unit alone or no datapoint at all, until the plan's
    `accept` names that. An alarm that is switched off, muted (ListAlarmMuteRules) or suppressed does nothing: `with_actions`.
    The fields about one alarm (`state`, `threshold`, ...) are known only when one name is given. The reading's `state_since`
    is when the newest alarm in ALARM entered it. Needs cloudwatch:DescribeAlarms, cloudwatch:ListAlarmMuteRules.
    """

    name = "cloudwatch.alarms"
    params_type = CloudWatchAlarmsParams
    demands = AWS_ALONE
    subjects = ("alarm",)
    cannot_see = "whether anyone receives the notification, and whether an alarm that is OK has had data"
    late = "an alarm's period times its datapoints, and the lateness of its metric"
    fields = (
        Field("all_ok", bool, "every named alarm is OK, and could judge by what the plan accepts", example=True),
        Field("in_alarm", int, "alarms in ALARM", 0, "count", low=0),
        Field(
            "insufficient",
            int,
            "alarms that cannot judge, or whose OK rests on what is not accepted",
            0,
            "count",
            low=0,
        ),
        Field("missing", int, "named alarms that do not exist", 0, "count", low=0),
        Field("exist_count", int, "named alarms that exist", 4, "count", low=0),
        Field("actions_enabled", bool, "actions are switched on for every named alarm", example=True),
        Field("with_actions", bool, "every named alarm does something when it goes to ALARM", example=True),
        Field("names_in_alarm", str, "names of those in ALARM, with commas; empty when there is none", "error-rate"),
        Field("state", str, "OK or ALARM (one name only)", "OK"),
        Field("threshold", float, "the threshold, in the metric's unit (one name only)", 5.0),
        Field("metric", str, "namespace and metric, or the expression (one name only)", "AWS/RDS DatabaseConnections"),
        Field("statistic", str, "Sum, Average, p95, ... (one name only)", "Average"),
        Field(
            "dimensions_text", str, "dimensions as name=value, with commas (one name only)", "DBInstanceIdentifier=db"
        ),
        Field("evaluation_periods", int, "periods looked at (one name only)", 5, "count", low=1),
        Field("datapoints_to_alarm", int, "of those, how many must be bad (one name only)", 5, "count", low=1),
        Field("kind", str, "metric, metric math, anomaly detection, composite or log (one name only)", "metric"),
        Field("window_s", float, "period times evaluation periods (one name only)", 300.0, "s", low=0),
        Field(
            "treat_missing",
            str,
            "TreatMissingData: missing, breaching, notBreaching, ignore (one name only)",
            "missing",
        ),
    )
    iam = ("cloudwatch:DescribeAlarms", "cloudwatch:ListAlarmMuteRules")
    interval = timedelta(seconds=60)

    def __init__(self, params: CloudWatchAlarmsParams, clients: Clients) -> None:
        super().__init__(params, clients)
        self._rules = MuteRules(clients)

    async def read(self, now: datetime) -> Reading:
        evidence = Evidence(self._query(), console_url=self._url())
        try:
            found = await describe(self.clients, self.params.names)
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, evidence)
        alarms = {alarm["AlarmName"]: {**alarm, BELOW: await self._below(alarm)} for alarm in found}
        values, unknown = _together(alarms, self.params.names, self.params.accept)
        muted = await self._mute_rules(alarms, values, unknown)
        only = alarms.get(self.params.names[0]) if len(self.params.names) == 1 else None
        single, why = _alone(only, self.params.names, self.params.accept)
        lines = tuple(_line(name, alarms.get(name), muted=name in muted) for name in self.params.names)
        return self.reading(
            now,
            values | single,
            unknown=unknown | why,
            evidence=Evidence(self._query(), console_url=self._url(), lines=lines),
            state_since=_since(alarms.values()),
        )

    async def _mute_rules(
        self, alarms: Mapping[str, Mapping[str, Any]], values: dict[str, Value | None], unknown: dict[str, Unknown]
    ) -> frozenset[str]:
        """Those a mute rule silences; `with_actions` of what would act otherwise follows from it."""
        if not values.get("with_actions"):
            return frozenset()
        try:
            muted = await self._rules.muted(tuple(alarms))
        except Unseen as unseen:
            del values["with_actions"]
            unknown["with_actions"] = unseen.unknown
            return frozenset()
        values["with_actions"] = not muted
        return muted

    async def _below(self, alarm: Mapping[str, Any]) -> tuple[dict[str, Any], ...] | Unknown:
        """Alarms below a composite one that is OK, or why they cannot be seen: that hides no other alarm's state."""
        if "AlarmRule" not in alarm or alarm["StateValue"] != "OK":
            return ()
        try:
            below = {each["AlarmName"]: each for each in await children(self.clients, alarm)}
            # Of children DescribeAlarms gives name and state alone, and on what their OK rests is in their settings.
            names = list(below)
            for first in range(0, len(names), MAX_NAMES):
                full = await describe(self.clients, names[first : first + MAX_NAMES])
                below |= {each["AlarmName"]: each for each in full}
            return tuple(below.values())
        except Unseen as unseen:
            return unseen.unknown

    def _query(self) -> str:
        return f"cloudwatch describe-alarms --alarm-names {' '.join(self.params.names)}"

    def _url(self) -> str:
        return alarm_url(self.clients.options.region, self.params.names[0] if len(self.params.names) == 1 else "")


_KINDS = {"MetricAlarms": "MetricAlarm", "CompositeAlarms": "CompositeAlarm", "LogAlarms": "LogAlarm"}
_NO_STATE = "without a state"
MOST_LEVELS = 5
"""Of composite alarms over composite alarms."""


async def describe(clients: Clients, names: Sequence[str]) -> list[dict[str, Any]]:
    """Those named, at most `MAX_NAMES`, as DescribeAlarms gives them, of every kind. Raises Unseen."""
    found = await _by_kind(clients, AlarmTypes=list(_KINDS.values()), AlarmNames=list(names))
    return [alarm for alarms in found.values() for alarm in alarms if alarm["AlarmName"] in names]


async def children(clients: Clients, alarm: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """Every alarm below a composite one, down to `MOST_LEVELS`; of each its name and state. Raises Unseen.

    ChildrenOfAlarmName goes with MaxRecords and NextToken alone: with AlarmTypes beside it CloudWatch refuses the call.
    """
    found: dict[str, dict[str, Any]] = {}
    level = [str(alarm["AlarmName"])]
    for _ in range(MOST_LEVELS):
        answers = [await _by_kind(clients, ChildrenOfAlarmName=name) for name in level]
        level = [
            each["AlarmName"]
            for kinds in answers
            for each in kinds["CompositeAlarms"]
            if each["AlarmName"] not in found
        ]
        found |= {each["AlarmName"]: each for kinds in answers for kind in kinds.values() for each in kind}
        if not level:
            break
    return tuple(found.values())


async def _by_kind(clients: Clients, **wanted: Any) -> dict[str, list[dict[str, Any]]]:
    found = await pages(clients, "cloudwatch", "describe_alarms", MaxRecords=MAX_NAMES, **wanted)
    # One without a name is none that was asked for; one without a state has not judged.
    named = {kind: [a for page in found for a in page.get(kind) or () if a.get("AlarmName")] for kind in _KINDS}
    return {kind: [{"StateValue": _NO_STATE, **alarm} for alarm in alarms] for kind, alarms in named.items()}


def _together(
    alarms: Mapping[str, Mapping[str, Any]], names: Sequence[str], accepted: Sequence[Ground]
) -> tuple[dict[str, Value | None], dict[str, Unknown]]:
    """What is true of all of them; an alarm that cannot judge, or is not there, leaves the question open."""
    absent = [name for name in names if name not in alarms]
    ringing = sorted(name for name, alarm in alarms.items() if alarm["StateValue"] == "ALARM")
    blind = {name: why for name, alarm in alarms.items() if (why := cannot_judge(alarm, accepted)) is not None}
    values: dict[str, Value | None] = {
        "insufficient": len(blind),
        "missing": len(absent),
        "exist_count": len(alarms),
        "names_in_alarm": ", ".join(ringing),
    }
    unknown: dict[str, Unknown] = {}
    open_question = _not_there(absent) if absent else next(iter(blind.values()), None)
    if ringing or open_question is None:
        values |= {"all_ok": not ringing, "in_alarm": len(ringing)}
    else:
        unknown |= {"all_ok": open_question, "in_alarm": open_question, "names_in_alarm": open_question}
    if absent:
        unknown |= {"actions_enabled": _not_there(absent), "with_actions": _not_there(absent)}
    else:
        values["actions_enabled"] = all(bool(alarm.get("ActionsEnabled")) for alarm in alarms.values())
        # Switched off, and while its suppressor is in ALARM, an alarm does nothing, whatever its actions are.
        values["with_actions"] = all(
            bool(alarm.get("AlarmActions"))
            and bool(alarm.get("ActionsEnabled"))
            and not alarm.get("ActionsSuppressedBy")
            for alarm in alarms.values()
        )
    return values, unknown


def _alone(
    alarm: Mapping[str, Any] | None, names: Sequence[str], accepted: Sequence[Ground]
) -> tuple[dict[str, Value | None], dict[str, Unknown]]:
    """The fields that exist for a single alarm only."""
    fields = (
        "state",
        "threshold",
        "metric",
        "statistic",
        "dimensions_text",
        "evaluation_periods",
        "datapoints_to_alarm",
        "kind",
        "window_s",
        "treat_missing",
    )
    if alarm is None:
        why = _ONE_NAME_ONLY if len(names) > 1 else _not_there(names)
        return {}, dict.fromkeys(fields, why)
    metric, period = metric_of(alarm), period_of(alarm)
    periods = alarm.get("EvaluationPeriods") or alarm.get("QueryResultsToEvaluate")
    values: dict[str, Value | None] = {
        "state": alarm["StateValue"],
        "threshold": alarm.get("Threshold"),
        "metric": f"{metric.get('Namespace', '?')} {metric['MetricName']}"
        if "MetricName" in metric
        else expression_of(alarm),
        "statistic": alarm.get("Statistic") or alarm.get("ExtendedStatistic") or metric.get("Stat"),
        "dimensions_text": ",".join(
            f"{d.get('Name', '?')}={d.get('Value', '?')}" for d in metric.get("Dimensions", ())
        ),
        "evaluation_periods": periods,
        "datapoints_to_alarm": datapoints_of(alarm),
        "kind": kind_of(alarm),
        "window_s": float(period * periods) if period and periods else None,
        "treat_missing": alarm.get("TreatMissingData") or "missing",
    }
    blind = cannot_judge(alarm, accepted)
    return values, {"state": blind} if blind else {}


def _not_there(names: Sequence[str]) -> Unknown:
    detail = f"no such alarm: {', '.join(names)}"
    return Unknown(Reason.NOT_FOUND, detail, "create it, or correct the name, the account or the region")


def _since(alarms: Iterable[Mapping[str, Any]]) -> datetime | None:
    """When the newest alarm in ALARM entered it: an old one must not make a new one look old."""
    began = [
        alarm.get("StateTransitionedTimestamp") or alarm.get("StateUpdatedTimestamp")
        for alarm in alarms
        if alarm["StateValue"] == "ALARM"
    ]
    return max((moment for moment in began if moment is not None), default=None)


def _line(name: str, alarm: Mapping[str, Any] | None, *, muted: bool) -> str:
    if alarm is None:
        return f"{name}: does not exist"
    notes = [text for _, text in grounds(alarm)]
    if (treat := alarm.get("TreatMissingData")) in HIDES_SILENCE:
        notes.append(f"treats missing data as {treat}: OK may mean no data")
    if (kind := kind_of(alarm)) == "composite":
        notes.append(f"{kind}: {expression_of(alarm) or 'see it in the console'}"[:120])
    if muted:
        notes.append("a mute rule is active: it notifies nobody now")
    if suppressor := alarm.get("ActionsSuppressedBy"):
        notes.append(f"actions are suppressed ({suppressor}): it notifies nobody now")
    if not alarm.get("ActionsEnabled"):
        notes.append("actions are switched off")
    elif not alarm.get("AlarmActions"):
        notes.append("notifies nobody")
    reason = " ".join(str(alarm.get("StateReason", "")).split())[:120]
    return "; ".join([f"{name}: {alarm['StateValue']} {reason}".rstrip(), *notes])
