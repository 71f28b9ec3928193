"""A plan on one screen: what `cockpit validate` prints when nothing is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cockpit.decide.words import count, duration
from cockpit.plan.model import Phase, Plan


def summarise(plan: Plan) -> str:
    """Name, target, what is watched and judged, who signs, and what the environment must provide."""
    return "\n".join(_lines(plan))


def _lines(plan: Plan) -> Iterator[str]:
    yield f"{Path(plan.path).name} is valid: {plan.title} ({plan.environment})"
    if plan.target.account or plan.target.region:
        yield f"  target      account {plan.target.account or 'any'}, {plan.target.region or 'default region'}"
    yield f"  probes      {len(plan.probes)}: {', '.join(sorted({spec.uses for spec in plan.probes.values()}))}"
    shadow = sum(not c.enforced for c in plan.criteria())
    yield (
        f"  judged by   {count(len(plan.success_criteria), 'success criterion').replace('criterions', 'criteria')}, "
        + (count(len(plan.rollback_triggers), "rollback trigger") + (f", {shadow} only shown" if shadow else ""))
    )
    longest = max((c.hold_for for c in plan.success_criteria), default=plan.verdict_dwell)
    yield f"  earliest GO {duration(longest + plan.verdict_dwell)} after the phase begins"
    for phase in Phase:
        items = [item for section, item in plan.items() if section.phase is phase]
        if items:
            seen = sum(item.expect is not None for item in items)
            signed = sum(item.sign_off is not None for item in items)
            yield f"  {phase:12}{count(len(items), 'line')}: {seen} seen by probes, {signed} signed by people"
    for gate in plan.gates:
        yield f"  gate        {gate.title}: {gate.poll.required} go from {', '.join(gate.poll.roles)} before {gate.before}"
    if plan.runbook or plan.rollback_plan:
        yield f"  steps       {len(plan.runbook)} in the runbook, {len(plan.rollback_plan)} to roll back"
    idle = sorted(set(plan.probes) - _used(plan))
    if idle:
        yield f"  unused      no condition uses {', '.join(idle)}"
    if plan.needs_environment:
        yield f"  needs       {', '.join(plan.needs_environment)} in the environment (not set here)"


def _used(plan: Plan) -> set[str]:
    conditions = [c.condition for c in plan.criteria()] + [item.expect for _, item in plan.items()]
    return {probe for condition in conditions if condition is not None for probe in condition.probes}
