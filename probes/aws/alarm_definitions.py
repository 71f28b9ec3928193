"""CloudWatch alarms as they are defined: on the metric and threshold the plan gives, with a subscriber and with data."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import Field as Setting
from pydantic import model_validator

from probes.aws.alarm_judgement import MuteRules, datapoints_of, kind_of, period_of, stats_of
from probes.aws.cloudwatch_alarms import MAX_NAMES, describe
from probes.aws.metric_names import problem
from probes.clients.clients import Clients
from probes.clients.console_links import alarm_url
from probes.clients.long_list import LongList
from probes.clients.paging import pages
from probes.demand import AWS_ALONE
from probes.periods import Duration
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen
from probes.redact import one_line

Name = Annotated[str, Setting(min_length=1)]
Comparison = Literal[
    "GreaterThanThreshold",
    "GreaterThanOrEqualToThreshold",
    "LessThanThreshold",
    "LessThanOrEqualToThreshold",
]
Kind = Literal["metric", "metric math", "anomaly detection", "composite", "log"]


class AlarmDefinitionParams(Params):
    names: list[Name] = Setting(default_factory=list, max_length=MAX_NAMES)
    """Alarms to judge; left out, every alarm on the metric."""
    namespace: str = ""
    """The namespace its metric must have; not compared where it is not given."""
    metric: str = ""
    """An alarm on metric math is on each metric below it."""
    dimensions: dict[str, str] = Setting(default_factory=dict)
    """All dimensions of that metric."""
    statistic: str = ""
    """Sum, Average, p95, ..."""
    threshold: float | None = None
    """The threshold it must have, in the metric's unit; not compared where it is not given."""
    comparison: Comparison | None = None
    """How it must compare; not compared where it is not given."""
    period: Duration | None = None
    """The length of period it must have; not compared where it is not given."""
    evaluation_periods: int | None = Setting(None, ge=1)
    """How many periods it must look at; not compared where it is not given."""
    datapoints_to_alarm: int | None = Setting(None, ge=1)
    """Of the evaluation periods, how many must be bad; all of them if the plan says nothing."""
    unit: str = ""
    """Points of this unit alone; an alarm that names a unit sees no others, and one the metric never has sees none."""
    kind: Kind | None = None
    """What the alarm may judge by; if the plan gives a threshold and no kind, it must be a metric or metric math."""
    unlisted: bool = False
    """The metric is right though it is not in the cockpit's table of what AWS publishes."""

    @model_validator(mode="after")
    def _names_or_metric(self) -> Self:
        if bool(self.namespace) != bool(self.metric):
            raise ValueError("namespace and metric go together")
        if not (self.names or self.metric):
            raise ValueError("give names, or namespace and metric")
        if (self.dimensions or self.statistic) and not self.metric:
            raise ValueError("dimensions and statistic are of a metric: give namespace and metric")
        listed = self.metric and not self.unlisted
        if listed and (wrong := problem(self.namespace, self.metric, self.dimensions or None)):
            raise ValueError(wrong)
        return self


class AlarmDefinition(Probe[AlarmDefinitionParams]):
    """Whether alarms are what the plan says: metric, dimensions, threshold and period, somebody to notify, and data to evaluate.

    Reads cloudwatch DescribeAlarms (those named; else all of the account, five pages a reading: Namespace, MetricName,
    Dimensions, Metrics[].MetricStat, Threshold, Period, EvaluationPeriods, DatapointsToAlarm, Unit, ActionsEnabled,
    AlarmActions), sns ListSubscriptionsByTopic (SubscriptionArn; PendingConfirmation is nobody), cloudwatch ListAlarmMuteRules
    (those ACTIVE now) and cloudwatch ListMetrics, which knows what had data in two weeks. Dimensions under which nothing has,
    and a metric AWS never publishes, are `dead`: such an alarm never rings. The metric of the plan is checked at load against
    what AWS publishes. Actions other than
    SNS topics are not followed, nor whether a subscriber reads what is sent. What state an alarm is in now:
    cloudwatch.alarms reads that.
    """

    name = "alarms.definition"
    params_type = AlarmDefinitionParams
    demands = AWS_ALONE
    subjects = ("alarm",)
    cannot_see = "actions other than SNS topics, and whether a subscriber reads what is sent"
    late = "seconds; a new metric is listed within 15 minutes, a dead one for two weeks more (ListMetrics)"
    fields = (
        Field("matching", int, "alarms defined as the plan says", 1, "count", low=0),
        Field("matching_names", tuple, "their names", ("transparent-trust-error-rate",)),
        Field("differing", int, "alarms named, or on the metric, that are defined otherwise", 0, "count", low=0),
        Field("differences", tuple, "in what they differ", ("error-rate: threshold 10 instead of 5",)),
        Field("missing", int, "named alarms that do not exist", 0, "count", low=0),
        Field("actions_enabled", bool, "actions are switched on for every matching alarm", example=True),
        Field(
            "notifies",
            bool,
            "every matching alarm notifies a topic with a confirmed subscriber, and is neither switched off nor muted",
            example=True,
        ),
        Field("muted", bool, "a matching alarm is muted now, or its actions are suppressed", example=False),
        Field("confirmed_subscribers", int, "the fewest confirmed subscribers of a matching alarm", 1, "count", low=0),
        Field("pending_subscribers", int, "subscriptions of their topics nobody has confirmed", 0, "count", low=0),
        Field("dead", bool, "a matching alarm looks at dimensions without data in two weeks", example=False),
        Field("without_data", tuple, "their metrics without data in two weeks", ("HTTPCode_ELB_5XX_Count",)),
    )
    iam = (
        "cloudwatch:DescribeAlarms",
        "cloudwatch:ListAlarmMuteRules",
        "cloudwatch:ListMetrics",
        "sns:ListSubscriptionsByTopic",
    )
    interval = timedelta(minutes=5)

    def __init__(self, params: AlarmDefinitionParams, clients: Clients) -> None:
        super().__init__(params, clients)
        self._rules = MuteRules(clients)
        self._account = LongList(
            clients, "cloudwatch", "describe_alarms", "MetricAlarms", MaxRecords=MAX_NAMES, AlarmTypes=["MetricAlarm"]
        )
        """Every alarm that may be on the metric, where the plan names none."""

    async def read(self, now: datetime) -> Reading:
        params = self.params
        query = "cloudwatch describe-alarms" + (f" --alarm-names {' '.join(params.names)}" if params.names else "")
        evidence = Evidence(query, console_url=alarm_url(self.clients.options.region))
        try:
            found, as_of = await self._asked_about(now)
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, evidence)
        judged = {str(a["AlarmName"]): differences(a, params) for a in found if params.names or _on_metric(a, params)}
        matching = [alarm for alarm in found if judged.get(str(alarm["AlarmName"])) == ()]
        different = tuple(one_line(f"{name}: {text}") for name, texts in judged.items() for text in texts)
        names = tuple(str(alarm["AlarmName"]) for alarm in matching)
        absent = [name for name in params.names if name not in judged]
        values: dict[str, Any] = {
            "matching": len(matching),
            "matching_names": names,
            "differing": sum(bool(texts) for texts in judged.values()),
            "differences": different,
        }
        unknown: dict[str, Unknown] = {}
        if params.names:
            values["missing"] = len(absent)
        else:
            unknown["missing"] = Unknown(Reason.NO_DATA, "the plan names no alarm")
        if not different:
            unknown["differences"] = Unknown(Reason.NO_DATA, "none differs")
        parts = await self._of_matching(matching)
        for known, blind in parts:
            values |= known
            unknown |= blind
        lines = (
            *(f"{alarm['AlarmName']}: as planned{_by(alarm)}" for alarm in matching),
            *different,
            *(f"{name}: does not exist" for name in absent),
        )
        evidence = Evidence(query, console_url=evidence.console_url, lines=lines[:8])
        reading = self.reading(now, values, unknown=unknown, data_at=as_of, evidence=evidence)
        return replace(reading, lateness=now - as_of)

    async def _asked_about(self, now: datetime) -> tuple[Sequence[Mapping[str, Any]], datetime]:
        """The alarms named, or all of the account, and as of when they are known. Raises Unseen, until all have been listed."""
        if self.params.names:
            return await describe(self.clients, self.params.names), now
        await self._account.read_on_by("AlarmName", now)
        if not self._account.whole:
            raise Unseen(self._account.partial)
        return [each for each in self._account.entries.values() if each.get("AlarmName")], self._account.as_of or now

    async def _of_matching(
        self, alarms: Sequence[Mapping[str, Any]]
    ) -> list[tuple[dict[str, Any], dict[str, Unknown]]]:
        if not alarms:
            none = Unknown(
                Reason.NOT_FOUND, "no alarm is defined as the plan says", "see the differences, or create it"
            )
            fields = ("matching_names", "actions_enabled", *_NOTIFICATION_FIELDS, *_METRIC_FIELDS)
            return [({}, dict.fromkeys(fields, none))]
        on = {"actions_enabled": all(alarm.get("ActionsEnabled") is True for alarm in alarms)}
        return [(on, {}), *await asyncio.gather(self._values(alarms), self._fed(alarms))]

    async def _values(self, alarms: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], dict[str, Unknown]]:
        """Who is notified: an alarm without a topic notifies nobody we can know of."""
        topics = [[str(a) for a in alarm.get("AlarmActions") or () if ":sns:" in str(a)] for alarm in alarms]
        distinct = list(dict.fromkeys(topic for each in topics for topic in each))
        try:
            answers = await asyncio.gather(*(self._subscribers(topic) for topic in distinct))
        except Unseen as unseen:
            return {}, dict.fromkeys(_NOTIFICATION_FIELDS, unseen.unknown)
        by_topic = dict(zip(distinct, answers, strict=True))
        confirmed = [len(set().union(*(by_topic[topic][0] for topic in each))) for each in topics]
        values = {
            "notifies": all(confirmed) and all(alarm.get("ActionsEnabled") is True for alarm in alarms),
            "confirmed_subscribers": min(confirmed),
            "pending_subscribers": sum(pending for _, pending in by_topic.values()),
        }
        try:
            suppressed = any(alarm.get("ActionsSuppressedBy") for alarm in alarms)
            muted = suppressed or bool(await self._rules.muted([str(alarm["AlarmName"]) for alarm in alarms]))
        except Unseen as unseen:
            hidden = ("muted", "notifies") if values["notifies"] else ("muted",)
            return {name: value for name, value in values.items() if name not in hidden}, dict.fromkeys(
                hidden, unseen.unknown
            )
        return values | {"muted": muted, "notifies": values["notifies"] and not muted}, {}

    async def _subscribers(self, topic: str) -> tuple[set[str], int]:
        """Confirmed subscriptions of a topic, and how many wait to be confirmed."""
        found = await pages(self.clients, "sns", "list_subscriptions_by_topic", TopicArn=topic)
        arns = [str(each.get("SubscriptionArn", "")) for page in found for each in page.get("Subscriptions") or ()]
        return {arn for arn in arns if arn.startswith("arn:")}, arns.count("PendingConfirmation")

    async def _fed(self, alarms: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], dict[str, Unknown]]:
        """Whether anything has reported under the alarms' dimensions; a count of errors may not have, and still can.

        A metric that AWS does not publish never can, whatever else reports there.
        """
        looked = {
            (str(stat.get("Namespace")), str(stat.get("MetricName")), _dimensions(stat))
            for alarm in alarms
            for stat in stats_of(alarm)
        }
        if not looked:
            none = Unknown(
                Reason.NO_DATA, "the alarm looks at no metric of its own", "check what its rule or query names"
            )
            return {}, dict.fromkeys(_METRIC_FIELDS, none)
        # Without dimensions the whole namespace would be listed, which says nothing: the metric itself is looked for.
        places = {(space, dims, "" if dims else metric) for space, metric, dims in looked}
        ordered = sorted(places)
        try:
            known = dict(zip(ordered, await asyncio.gather(*(self._metrics(*each) for each in ordered)), strict=True))
        except Unseen as unseen:
            return {}, dict.fromkeys(_METRIC_FIELDS, unseen.unknown)
        silent = [each for each in looked if each[1] not in known[each[0], each[2], "" if each[2] else each[1]]]
        never = any(problem(space, metric, dict(dims)) for space, metric, dims in silent)
        unknown = {} if silent else {"without_data": Unknown(Reason.NO_DATA, "every metric had data in two weeks")}
        without_data = tuple(sorted({metric for _, metric, _ in silent}))
        return {"dead": never or not all(known.values()), "without_data": without_data}, unknown

    async def _metrics(self, namespace: str, dimensions: tuple[tuple[str, str], ...], metric: str) -> set[str]:
        """Metrics known under exactly these dimensions; ListMetrics finds those with more of them too."""
        asked: dict[str, Any] = {"Namespace": namespace}
        asked |= {"Dimensions": [{"Name": n, "Value": v} for n, v in dimensions]} if dimensions else {}
        asked |= {"MetricName": metric} if metric else {}
        found = await pages(self.clients, "cloudwatch", "list_metrics", **asked)
        listed = [each for page in found for each in page.get("Metrics") or ()]
        return {str(each.get("MetricName")) for each in listed if _dimensions(each) == dimensions}


_NOTIFICATION_FIELDS = ("notifies", "muted", "confirmed_subscribers", "pending_subscribers")
_METRIC_FIELDS = ("dead", "without_data")


def differences(alarm: Mapping[str, Any], wanted: AlarmDefinitionParams) -> tuple[str, ...]:
    """In what an alarm is not what the plan says; empty where it is."""
    different: list[str] = []
    on = [stat for stat in stats_of(alarm) if _is_metric(stat, wanted)]
    if wanted.metric and not on:
        different.append(f"not on {wanted.namespace} {wanted.metric}")
    if wanted.dimensions and on and not any(dict(_dimensions(stat)) == wanted.dimensions for stat in on):
        has = ", ".join(f"{n}={v}" for n, v in _dimensions(on[0])) or "none"
        different.append(f"dimensions {has}")
    if wanted.statistic and on and not any(stat.get("Stat") == wanted.statistic for stat in on):
        different.append(f"statistic {on[0].get('Stat')} instead of {wanted.statistic}")
    period = None if wanted.period is None else int(wanted.period.total_seconds())
    compared = (
        ("threshold", alarm.get("Threshold"), wanted.threshold),
        ("comparison", alarm.get("ComparisonOperator"), wanted.comparison),
        ("period", period_of(alarm), period),
        ("evaluation periods", alarm.get("EvaluationPeriods"), wanted.evaluation_periods),
    )
    kind, meant_kind = kind_of(alarm), wanted.kind
    if meant_kind is not None and kind != meant_kind:
        different.append(f"judges by {kind} instead of {meant_kind}")
    elif meant_kind is None and wanted.threshold is not None and kind not in ("metric", "metric math"):
        different.append(f"judges by {kind} instead of a threshold")
    needed, periods = datapoints_of(alarm), alarm.get("EvaluationPeriods")
    meant = wanted.datapoints_to_alarm or (periods if wanted.evaluation_periods else None)
    if meant is not None and needed is not None and needed != meant:
        different.append(f"{needed} of {periods} datapoints to alarm instead of {meant}")
    if alarm.get("Unit") and alarm["Unit"] != wanted.unit:
        different.append(f"counts only points in {alarm['Unit']}")
    different += [
        f"{what} {_plain(has)} instead of {_plain(meant)}" for what, has, meant in compared if meant not in (None, has)
    ]
    return tuple(different)


def _by(alarm: Mapping[str, Any]) -> str:
    return "" if (kind := kind_of(alarm)) == "metric" else f" (judges by {kind})"


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _on_metric(alarm: Mapping[str, Any], wanted: AlarmDefinitionParams) -> bool:
    return any(_is_metric(stat, wanted) for stat in stats_of(alarm))


def _is_metric(stat: Mapping[str, Any], wanted: AlarmDefinitionParams) -> bool:
    return (stat.get("Namespace"), stat.get("MetricName")) == (wanted.namespace, wanted.metric)


def _dimensions(stat: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((str(d.get("Name", "?")), str(d.get("Value", "?"))) for d in stat.get("Dimensions") or ()))
