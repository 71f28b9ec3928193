"""A part of a plan that is judged as the whole would judge it: what a question is about, and one of each kind that decides."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import timedelta

from cockpit.plan.model import Criterion, Item, Plan, Section

ZERO = timedelta(0)


def cheapest(criteria: Sequence[Criterion], plan: Plan, used: Collection[str]) -> Criterion | None:
    """Of those that decide, the one that has fewest readings to be taken beside those of the probes in use: it stands in where
    a plan must enforce one of a kind."""

    def readings_an_hour(one: Criterion) -> float:
        names = one.condition.probes if one.condition else ()
        return sum(timedelta(hours=1) / plan.probes[name].interval for name in names if name not in used)

    deciding = [one for one in criteria if one.decides and one.condition is not None]
    return min(deciding, key=readings_an_hour, default=None)


def plan_slice(
    plan: Plan,
    success: Sequence[Criterion] = (),
    triggers: Sequence[Criterion] = (),
    items: Sequence[Item] = (),
) -> Plan:
    """The plan with these alone, without people, gates and steps; only the probes they read.

    What is taken in for want of a criterion or trigger has no window, so that it holds nothing up. What it can and cannot do is
    asked of the time in which it is judged.
    """
    success, triggers = list(success), list(triggers)
    used = _read_by(success, triggers, items)
    if not any(one.decides for one in success) and (more := cheapest(plan.success_criteria, plan, used)) is not None:
        success.append(at_once(more))
        used = _read_by(success, triggers, items)
    if not any(one.decides for one in triggers) and (more := cheapest(plan.rollback_triggers, plan, used)) is not None:
        triggers.append(more)
    used = _read_by(success, triggers, items)
    section = (
        Section("lines", plan.checklist[0].phase, tuple(without_signing(item) for item in items)) if items else None
    )
    return replace(
        plan,
        people=(),
        probes={name: spec for name, spec in plan.probes.items() if name in used},
        checklist=(section,) if section is not None else (),
        gates=(),
        success_criteria=tuple(replace(one, sign_off=None, until=None) for one in success),
        rollback_triggers=tuple(replace(one, sign_off=None, until=None) for one in triggers),
        runbook=(),
        rollback_plan=(),
        migration=None,
    )


def _read_by(success: Sequence[Criterion], triggers: Sequence[Criterion], items: Sequence[Item]) -> set[str]:
    """The probes that these read."""
    conditions = [one.condition for one in (*success, *triggers)] + [item.expect for item in items]
    conditions += [one.clear_condition for one in triggers]
    return {probe for condition in conditions if condition is not None for probe in condition.probes}


def at_once(one: Criterion) -> Criterion:
    """The criterion without its window: it holds as soon as it is seen to hold."""
    return replace(one, hold_for=ZERO, within=None, min_samples=1, initial_delay=ZERO)


def without_signing(item: Item) -> Item:
    return replace(item, sign_off=None)
