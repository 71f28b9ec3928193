"""How an alarm turns datapoints into a state: M of N periods, and missing data treated as the alarm says."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from cockpit.rehearsal.aws.cloudwatch.metric_store import at_epoch
from probes.frozen import frozen

AlarmState = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]
Treatment = Literal["missing", "ignore", "breaching", "notBreaching"]
EXTRA_PERIODS = 2
"""CloudWatch looks a little further back than the evaluation periods, so that a late datapoint is not a missing one."""

COMPARISONS: Mapping[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}


@frozen
class Rule:
    """The judging part of an alarm: `needed` of the newest `periods` must breach."""

    comparison: str
    threshold: float
    periods: int
    needed: int
    missing: Treatment = "missing"

    def breaches(self, value: float) -> bool:
        return COMPARISONS[self.comparison][0](value, self.threshold)


@frozen
class Judgement:
    """A state and why, in CloudWatch's words."""

    state: AlarmState
    reason: str
    datapoints: tuple[tuple[int, float], ...] = ()


def judge(rule: Rule, points: Sequence[tuple[int, float | None]]) -> Judgement | None:
    """The state after one evaluation, or None where it stays as it was.

    `points` are (period start, value or None), oldest first, over `rule.periods + EXTRA_PERIODS` periods. Follows
    "Configuring how CloudWatch alarms treat missing data" of the CloudWatch user guide, its two tables included.
    """
    real = [(at, value) for at, value in points if value is not None][-rule.periods :]
    lacking = rule.periods - len(real)
    breaching = sum(rule.breaches(value) for _, value in real)
    if not real:
        return _without_data(rule)
    if lacking and rule.missing == "breaching":
        breaching += lacking
    if breaching >= rule.needed:
        return _crossed("ALARM", rule, real, lacking)
    if lacking and rule.missing in ("missing", "ignore") and breaching == len(real):
        # All that is known breaches: `missing` raises the alarm, `ignore` waits for more.
        return _crossed("ALARM", rule, real, lacking) if rule.missing == "missing" else None
    return _crossed("OK", rule, real, lacking)


def _without_data(rule: Rule) -> Judgement | None:
    if rule.missing == "ignore":
        return None
    count = f"{rule.periods} period{'s' if rule.periods > 1 else ''}"
    if rule.missing == "missing":
        unknown = f"{rule.periods} datapoint{'s were' if rule.periods > 1 else ' was'} unknown."
        return Judgement("INSUFFICIENT_DATA", f"Insufficient Data: {unknown}")
    treated = "Breaching" if rule.missing == "breaching" else "NonBreaching"
    points = f"{rule.periods} missing datapoint{'s were' if rule.periods > 1 else ' was'}"
    reason = f"Threshold Crossed: no datapoints were received for {count} and {points} treated as [{treated}]."
    return Judgement("ALARM" if rule.missing == "breaching" else "OK", reason)


def _crossed(state: AlarmState, rule: Rule, real: Sequence[tuple[int, float]], lacking: int) -> Judgement:
    newest = list(reversed(real))
    shown = ", ".join(f"{value} ({at_epoch(at):%d/%m/%y %H:%M:%S})" for at, value in newest)
    ringing = state == "ALARM"
    counted = [pair for pair in newest if rule.breaches(pair[1]) == ringing]
    words = COMPARISONS[rule.comparison][1]
    verb = "was" if len(counted) == 1 else "were"
    minimum = rule.needed if ringing else rule.periods - rule.needed + 1
    other = "OK" if ringing else "ALARM"
    plural = "s" if minimum > 1 else ""
    treated = ""
    if lacking and rule.missing in ("breaching", "notBreaching"):
        kind = "Breaching" if rule.missing == "breaching" else "NonBreaching"
        treated = f" and {lacking} missing datapoint{'s were' if lacking > 1 else ' was'} treated as [{kind}]"
    reason = (
        f"Threshold Crossed: {len(counted)} out of the last {len(real)} datapoint{'s' if len(real) > 1 else ''} [{shown}] "
        f"{verb} {'' if ringing else 'not '}{words} the threshold ({float(rule.threshold)}){treated} "
        f"(minimum {minimum} datapoint{plural} for {other} -> {state} transition)."
    )
    return Judgement(state, reason, tuple(newest))
