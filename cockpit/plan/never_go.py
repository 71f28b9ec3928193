"""Why a plan can never be GO, whatever is seen: said before the night, by the rules that would decide in it."""

from __future__ import annotations

from collections.abc import Iterator

from cockpit.conditions.condition import Condition
from cockpit.plan.freshness import all_never_fresh
from cockpit.plan.lint.logic import possible
from cockpit.plan.model import Criterion, Item, Kind, Plan
from probes.reading import Field

NOUNS = {Kind.SUCCESS: "success criterion", Kind.TRIGGER: "rollback trigger"}


def never_go(plan: Plan) -> Iterator[str]:
    """Each reason, in one line."""
    for kind, noun in NOUNS.items():
        if not any(one.decides for one in plan.criteria() if one.kind is kind):
            yield f"the plan enforces no {noun}"
    needed: list[Criterion | Item] = [*(one for one in plan.success_criteria if one.enforced), *_blocking(plan)]
    judging: list[Criterion | Item] = [*needed, *(one for one in plan.rollback_triggers if one.enforced)]
    if not any(_condition(one) for one in judging):
        yield "nothing that decides is seen by a probe"
    for one in needed:
        condition = _condition(one)
        if condition is not None and not possible(condition.source, lambda path: _field(plan, path)):
            yield f"{one.id} can never hold: no values of its fields make {condition.source} true"
    ids = {one.id for one in judging}
    yield from (why for id_, why in all_never_fresh(plan) if id_ in ids)


def _blocking(plan: Plan) -> Iterator[Item]:
    yield from (item for _, item in plan.items() if item.blocking)


def _condition(one: Criterion | Item) -> Condition | None:
    return one.expect if isinstance(one, Item) else one.condition


def _field(plan: Plan, path: str) -> Field | None:
    probe, _, name = path.partition(".")
    spec = plan.probes.get(probe)
    return next((field for field in spec.fields if field.name == name), None) if spec else None
