"""Where a load balancer sends requests: the target groups that serve, by the listeners' rules and their weights. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

Rule = Mapping[str, Any]
Weights = dict[str, int]
"""Target group's ARN -> its weight in the action that forwards to it; 0 gets no request."""
_ASKED_FOR = ("http-header", "query-string")
"""Conditions that only a request meets which says so itself: test traffic, and no user's."""


def weights_of(actions: Iterable[Mapping[str, Any]] | None) -> Weights:
    """What a rule's actions forward to; empty for a redirect or a fixed response.

    >>> weights_of([{"Type": "forward", "TargetGroupArn": "blue"}])
    {'blue': 1}
    """
    weights: Weights = {}
    for action in actions or ():
        if action.get("Type") != "forward":
            continue
        groups = (action.get("ForwardConfig") or {}).get("TargetGroups") or [action]
        for group in groups:
            if group.get("TargetGroupArn"):
                weights[str(group["TargetGroupArn"])] = int(group.get("Weight", 1))
    return weights


def reached(rules: Iterable[Rule], host: str = "") -> Iterator[Rule]:
    """Of one listener's rules those that requests for `host` may meet, in the order they are tried; without one, any host's.

    A rule that takes every such request is the last. Rules for requests with a header or query of their own are left out.
    """
    for rule in sorted(rules, key=_priority):
        conditions = [c for c in rule.get("Conditions") or () if not _matches_all(c, host)]
        if any(c.get("Field") in _ASKED_FOR for c in conditions) or any(_excludes(c, host) for c in conditions):
            continue
        yield rule
        if not conditions:
            return


def with_group(rules: Iterable[Rule], group: str) -> Iterator[Rule]:
    """The rules that name a target group, with whatever weight; those for test traffic are left out."""
    for rule in rules:
        asked_for = any(c.get("Field") in _ASKED_FOR for c in rule.get("Conditions") or ())
        if not asked_for and group in weights_of(rule.get("Actions")):
            yield rule


def shares(rules: Iterable[Rule]) -> dict[str, float]:
    """Target groups that are sent requests -> the greatest share that one of the rules gives them, in percent."""
    found: dict[str, float] = {}
    for rule in rules:
        weights = weights_of(rule.get("Actions"))
        whole = sum(weights.values())
        for group, weight in weights.items():
            if weight > 0:
                found[group] = max(found.get(group, 0.0), 100 * weight / whole)
    return found


def group_name(arn: str) -> str:
    """
    >>> group_name("arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web-green/0123456789abcdef")
    'web-green'
    """
    parts = arn.split("/")
    return parts[1] if len(parts) > 2 else arn


def _priority(rule: Rule) -> tuple[bool, int]:
    """Lowest number first, the default rule last."""
    number = str(rule.get("Priority", "default"))
    return not number.isdigit(), int(number) if number.isdigit() else 0


def _matches_all(condition: Mapping[str, Any], host: str) -> bool:
    """Whether every request for the host meets a condition."""
    match condition.get("Field"):
        case "host-header":
            return bool(host) and _any_matches(_values(condition, "HostHeaderConfig"), host)
        case "path-pattern":
            return any(pattern in ("*", "/*") for pattern in _values(condition, "PathPatternConfig"))
        case _:
            return False


def _excludes(condition: Mapping[str, Any], host: str) -> bool:
    """Whether no request for the host meets a condition."""
    if condition.get("Field") != "host-header" or not host or _regular(condition):
        return False
    return not _any_matches(_values(condition, "HostHeaderConfig"), host)


def _values(condition: Mapping[str, Any], config: str) -> Sequence[str]:
    return (condition.get(config) or {}).get("Values") or condition.get("Values") or ()


def _regular(condition: Mapping[str, Any]) -> bool:
    """Whether it has regular expressions: the load balancer's own kind, which is not judged here."""
    return bool((condition.get("HostHeaderConfig") or {}).get("RegexValues") or condition.get("RegexValues"))


def _any_matches(patterns: Iterable[str], host: str) -> bool:
    """A star stands for any characters, a question mark for one; upper and lower case are the same."""
    return any(fnmatchcase(host.lower(), pattern.lower().replace("[", "[[]")) for pattern in patterns)
