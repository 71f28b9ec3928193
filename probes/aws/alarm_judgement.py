"""What a CloudWatch alarm judges by, and on what its OK rests: not every OK has seen data of the kind people think of."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from probes.aws.metric_names import is_published
from probes.clients.clients import Clients
from probes.clients.long_list import A_HANDFUL, GOES_ON
from probes.clients.paging import first_pages
from probes.reading import Reason, Unknown, Unseen

Ground = Literal["metric math", "anomaly detection", "log", "m of n", "unit", "missing data"]
"""What an OK may rest on that is not plain data against a threshold; a plan accepts each by name."""
BELOW = "(below)"
"""Under this key the alarms below a composite one stand beside what AWS says of it."""
HIDES_SILENCE = ("notBreaching", "ignore")
"""Values of TreatMissingData with which an alarm stays OK while nothing reaches it."""


def kind_of(alarm: Mapping[str, Any]) -> str:
    """What an alarm judges by: "metric", "metric math", "anomaly detection", "composite" or "log"."""
    if "AlarmRule" in alarm:
        return "composite"
    if "QueryResultsToEvaluate" in alarm:
        return "log"
    if alarm.get("ThresholdMetricId"):
        return "anomaly detection"
    return "metric math" if any(entry.get("Expression") for entry in alarm.get("Metrics", ())) else "metric"


def datapoints_of(alarm: Mapping[str, Any]) -> int | None:
    """How many of its evaluation periods must be bad: all of them where it does not say."""
    found = alarm.get("DatapointsToAlarm") or alarm.get("QueryResultsToAlarm") or alarm.get("EvaluationPeriods")
    return int(found) if found else None


def stats_of(alarm: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Each series an alarm looks at, with Namespace, MetricName, Dimensions, Stat and Period; of metric math, those below it."""
    if "MetricName" in alarm:
        return [{**alarm, "Stat": alarm.get("Statistic") or alarm.get("ExtendedStatistic")}]
    below = [entry["MetricStat"] for entry in alarm.get("Metrics", ()) if "MetricStat" in entry]
    return [{**each["Metric"], "Stat": each.get("Stat"), "Period": each.get("Period")} for each in below]


def metric_of(alarm: Mapping[str, Any]) -> Mapping[str, Any]:
    """Namespace, MetricName, Dimensions and Stat, also of a metric-math alarm with a single metric under it."""
    if "MetricName" in alarm:
        return alarm
    below = [entry["MetricStat"] for entry in alarm.get("Metrics", ()) if "MetricStat" in entry]
    if len(below) != 1:
        return {}
    return {**below[0]["Metric"], "Stat": below[0]["Stat"]}


def period_of(alarm: Mapping[str, Any]) -> int | None:
    """Its longest period, in seconds."""
    periods = [alarm.get("Period")] + [
        entry.get("MetricStat", {}).get("Period") or entry.get("Period") for entry in alarm.get("Metrics", ())
    ]
    return max((period for period in periods if period), default=None)


def expression_of(alarm: Mapping[str, Any]) -> str | None:
    """Its metric math, or the rule of a composite alarm."""
    expressions = [entry["Expression"] for entry in alarm.get("Metrics", ()) if entry.get("Expression")]
    return "; ".join(expressions) or alarm.get("AlarmRule")


def cannot_judge(alarm: Mapping[str, Any], accepted: Collection[Ground] = ()) -> Unknown | None:
    """Why an alarm's state is no judgement that the plan accepts. One in ALARM has judged, whatever it rests on."""
    name, state, evaluation = alarm["AlarmName"], alarm["StateValue"], alarm.get("EvaluationState")
    if state == "ALARM":
        return None
    if state != "OK":
        detail = f"{name} is {state}: {alarm.get('StateReason', '')}".rstrip(": ")
        return Unknown(
            Reason.NO_DATA, detail, "no data reaches it: check its metric and dimensions, or wait for traffic"
        )
    if evaluation:
        return Unknown(Reason.PARTIAL, f"{name} is OK, but its evaluation says {evaluation}", "see the alarm's history")
    for ground, text in grounds(alarm):
        if ground not in accepted:
            hint = f'see whether that is what you mean by OK; then add "{ground}" to the probe\'s `accept`'
            return Unknown(Reason.NO_DATA, f"{name} is OK {text}", hint)
    below = alarm.get(BELOW, ())
    if isinstance(below, Unknown):
        return replace(below, detail=f"{name} is OK, but what is below it is not seen: {below.detail}")
    for child in below:
        if (why := cannot_judge(child, accepted)) is not None:
            first, _, rest = why.detail.partition(" is ")
            return replace(why, detail=f"{name} is OK, but {first} below it is {rest}")
    return None


def grounds(alarm: Mapping[str, Any]) -> Iterator[tuple[Ground, str]]:
    """What an alarm's OK would rest on beside plain data, each with words that follow "is OK"."""
    kind, periods, needed = kind_of(alarm), _periods(alarm), datapoints_of(alarm)
    rule = (expression_of(alarm) or "see the console")[:80]
    if kind == "metric math":
        yield "metric math", f"by metric math, which may fill in what is missing: {rule}"
    if kind == "anomaly detection":
        yield "anomaly detection", f"by anomaly detection, against a band learnt from the past: {rule}"
    if kind == "log":
        yield "log", "by a log query, to which no log is like a log without such lines"
    if periods and needed and needed < periods:
        yield "m of n", f"by M of N: {needed} of {periods} datapoints are enough to ring, the others may be missing"
    if unit := alarm.get("Unit"):
        yield "unit", f"by points in {unit} alone: with a metric of another unit it never rings"
    if _silent(alarm):
        yield "missing data", f"without a datapoint: it treats missing data as {alarm.get('TreatMissingData')}"


def _periods(alarm: Mapping[str, Any]) -> int | None:
    return alarm.get("EvaluationPeriods") or alarm.get("QueryResultsToEvaluate")


_COUNTS = ("Sum", "SampleCount")


def _published(stat: Mapping[str, Any]) -> bool:
    dimensions = [str(each.get("Name", "")) for each in stat.get("Dimensions") or ()]
    return is_published(str(stat.get("Namespace")), str(stat.get("MetricName")), dimensions)


def _silent(alarm: Mapping[str, Any]) -> bool:
    """Its last judgement had no datapoint, on a metric whose silence is not known to mean zero."""
    if alarm.get("TreatMissingData") not in HIDES_SILENCE:
        return False
    stats = stats_of(alarm)
    if stats and all(stat.get("Stat") in _COUNTS and _published(stat) for stat in stats):
        return False
    try:
        data = json.loads(alarm.get("StateReasonData") or "{}")
    except (ValueError, RecursionError):
        data = {}
    recent = data.get("recentDatapoints") if isinstance(data, dict) else None
    if isinstance(recent, list):
        return not any(point is not None for point in recent)
    return "no datapoints were received" in str(alarm.get("StateReason", ""))


class MuteRules:
    """Which alarms a mute rule silences now: one call where no rule is active, as nearly always.

    While one is, a handful of alarms is asked about in a reading, those asked longest ago first.
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._muted: dict[str, bool] = {}
        """As each alarm was found, the newest last."""

    async def muted(self, names: Sequence[str]) -> frozenset[str]:
        """Those known to be muted. Raises Unseen, also where none is and some have not been asked about yet."""
        if not names or not await self._active():
            self._muted.clear()
            return frozenset()
        known = [name for name in self._muted if name in names]
        asked = [*(name for name in names if name not in known), *known][:A_HANDFUL]
        answers = await asyncio.gather(*(self._active(AlarmName=name) for name in asked))
        kept = {name: self._muted[name] for name in known if name not in asked}
        self._muted = kept | dict(zip(asked, answers, strict=True))
        muted = frozenset(name for name, is_muted in self._muted.items() if is_muted)
        if not muted and len(self._muted) < len(names):
            detail = (
                f"a mute rule is active, and {len(self._muted)} of {len(names)} alarms have been asked about so far"
            )
            raise Unseen(Unknown(Reason.PARTIAL, detail, GOES_ON))
        return muted

    async def _active(self, **of: Any) -> bool:
        asked = {"request_key": "NextToken", "response_key": "NextToken", "Statuses": ["ACTIVE"], **of}
        found, missing = await first_pages(
            self._clients, "cloudwatch", "list_alarm_mute_rules", most=A_HANDFUL, **asked
        )
        active = any(page.get("AlarmMuteRuleSummaries") for page in found)
        if missing is not None and not active:
            raise Unseen(missing)
        return active
