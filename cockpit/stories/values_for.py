"""Values that make one condition of a plan come out so: the nearest to those there are. Pure."""

from __future__ import annotations

from cockpit.plan.model import Plan
from cockpit.stories.value_search import Demand, Found, Values, ValueSearch


def tripping(plan: Plan, trigger: str, search: ValueSearch, values: Values) -> Found:
    """Under which the condition of a trigger (or guard) is true; for a criterion or line, holds."""
    return coming_out(plan, trigger, search, values, wanted=True)


def failing(plan: Plan, subject: str, search: ValueSearch, values: Values) -> Found:
    """Under which the condition of a success criterion or checklist line is false."""
    return coming_out(plan, subject, search, values, wanted=False)


def coming_out(plan: Plan, subject: str, search: ValueSearch, values: Values, *, wanted: bool) -> Found:
    """The values that change, by path; none where it comes out so already, None where it never does."""
    demand = demand_of(plan, subject, wanted=wanted)
    if demand is None:
        return Found(None)
    found = _one_change(demand, search, values) or search.find([demand], values, near=True)
    if found.values is None:
        return found
    return Found({path: value for path, value in found.values.items() if value != values.get(path)}, found.decided)


def _one_change(demand: Demand, search: ValueSearch, values: Values) -> Found | None:
    """By one field alone, where that is enough; None where it is not."""
    for path in demand.paths:
        others = {other: values[other] for other in demand.paths if other != path}
        found = search.find([demand], values, near=True, fixed=others)
        if found.values is not None:
            return found
    return None


def demand_of(plan: Plan, subject: str, *, wanted: bool) -> Demand | None:
    """The condition of a criterion, guard or line as a demand; None where it has none."""
    for one in (*plan.criteria(), *plan.guards()):
        if one.id == subject and one.condition is not None:
            return Demand(subject, one.condition, wanted, one.position, str(one.kind))
    for item in (item for section in plan.checklist for item in section.items):
        if item.id == subject and item.expect is not None:
            return Demand(subject, item.expect, wanted, item.position, "line")
    return None
