"""What lies between go and rollback, and what says the same twice: searched for over the conditions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import permutations

from cockpit.plan.lint.bands import KIN
from cockpit.plan.model import Criterion, Plan
from cockpit.stories.proof.proven import Finding
from cockpit.stories.value_search import Demand, Values, ValueSearch
from cockpit.stories.values_for import demand_of
from probes.reading import Value

_SAME: Mapping[str, tuple[Set[str], ...]] = KIN | {
    "ecs.deployment": ({"succeeded", "failed", "rolled_back", "status"},),
    "codedeploy.deployment": ({"succeeded", "failed", "is_rollback", "status"},),
    "rds.cluster": ({"available", "writer_available", "status"},),
}
"""Fields of one probe that are about the same, though no threshold lies between them."""


def prove_bands(plan: Plan, healthy: Values, search: ValueSearch) -> Iterator[Finding]:
    """For each trigger: values in which neither it nor the criterion about the same speaks; and whether it is true while
    every criterion holds."""
    good = [one for one in plan.success_criteria if one.enforced and one.condition is not None]
    for bad in (one for one in plan.rollback_triggers if one.decides):
        near = [one for one in good if _about_the_same(plan, one, bad)]
        for one in near:
            limbo = _changed(healthy, _values(plan, search, healthy, [(one, False), (bad, False)]))
            if limbo:
                text = f"between {one.id} and {bad.id} lies what is neither ({worded(limbo)}): it stays HOLD"
                yield Finding(bad.id, text, bad.position)
            both = _values(plan, search, healthy, [(one, True), (bad, True)], others_of=(one, bad))
            if both is not None and _one_path(one, bad):
                text = f"{one.id} and {bad.id} are both true at {worded(_changed(healthy, both) or both)}"
                yield Finding(bad.id, text, bad.position)
        if not near:
            alone = _values(plan, search, healthy, [*((one, True) for one in good), (bad, True)])
            if alone is not None:
                changed = worded(_changed(healthy, alone))
                text = f"{bad.id} trips while every success criterion holds ({changed}): none is about the same"
                yield Finding(bad.id, text, bad.position)


def redundant(plan: Plan, search: ValueSearch) -> Iterator[Finding]:
    """Criteria that hold wherever another does, and for no longer."""
    good = [one for one in plan.success_criteria if one.enforced and one.condition is not None]
    for one, other in permutations(good, 2):
        if not set(_paths(one)) & set(_paths(other)) or one.needs > other.needs:
            continue
        found = search.find([_demand(plan, one, wanted=False), _demand(plan, other, wanted=True)])
        if found.values is None and found.decided:
            yield Finding(one.id, f"{one.id} holds wherever {other.id} does: it proves nothing more", one.position)


def _demand(plan: Plan, one: Criterion, *, wanted: bool) -> Demand:
    demand = demand_of(plan, one.id, wanted=wanted)
    assert demand is not None, one.id
    return demand


def _values(
    plan: Plan,
    search: ValueSearch,
    healthy: Values,
    wanted: Sequence[tuple[Criterion, bool]],
    others_of: tuple[Criterion, Criterion] | None = None,
) -> dict[str, Value] | None:
    """Values under which they come out so. `others_of`: what only one of these two reads stays healthy."""
    fixed: dict[str, Value] = {}
    if others_of is not None:
        fixed = {path: healthy[path] for path in set(_paths(others_of[0])) ^ set(_paths(others_of[1]))}
    demands = [_demand(plan, one, wanted=truth) for one, truth in wanted]
    return search.find(demands, healthy, near=True, fixed=fixed).values


def _changed(healthy: Values, values: Values | None) -> dict[str, Value]:
    """What differs from the healthy values; nothing where that is a number below zero that never is."""
    changed = {path: value for path, value in (values or {}).items() if value != healthy.get(path)}
    return (
        {} if any(_below_zero(value) and not _below_zero(healthy[path]) for path, value in changed.items()) else changed
    )


def _below_zero(value: Value) -> bool:
    return isinstance(value, int | float) and value < 0


def _paths(one: Criterion) -> tuple[str, ...]:
    return tuple(f"{probe}.{name}" for probe, name in one.condition.paths) if one.condition else ()


def _one_path(one: Criterion, other: Criterion) -> bool:
    return bool(set(_paths(one)) & set(_paths(other)))


def _about_the_same(plan: Plan, good: Criterion, bad: Criterion) -> bool:
    """They read one field, or fields of one probe that measure the same."""
    if _one_path(good, bad):
        return True
    for left in _paths(good):
        for right in _paths(bad):
            (probe, _, name), (other, _, second) = left.partition("."), right.partition(".")
            if probe == other and any({name, second} <= group for group in _SAME.get(plan.probes[probe].uses, ())):
                return True
    return False


def worded(values: Values) -> str:
    """Values in one line: "errors.rate 0.0505, errors.part 1"."""
    shown = []
    for path, value in values.items():
        text = (
            f"{value:g}"
            if isinstance(value, float)
            else ("true" if value else "false")
            if isinstance(value, bool)
            else value
        )
        shown.append(f"{path} {text}")
    return ", ".join(map(str, shown))
