"""Healthy values of a plan, found from its own conditions: every success condition and `expect` holds, and no trigger does. Pure.

Where no values do that, the plan contradicts itself: each contradiction is named with both places.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cockpit.conditions.condition import Condition
from cockpit.plan.model import Criterion, Plan
from cockpit.plan.position import Position
from cockpit.stories.value_search import Demand, Values, ValueSearch, grouped
from probes.frozen import frozen
from probes.reading import Value


@frozen
class Contradiction:
    """Demands that cannot all be met at once, as few as will do; one alone can never be met."""

    demands: tuple[Demand, ...]

    @property
    def places(self) -> tuple[Position, ...]:
        return tuple(demand.position for demand in self.demands)

    @property
    def text(self) -> str:
        """The sentence, without the place of its first demand."""
        first, *others = self.demands
        if not others:
            return f"{first} has no values: whatever its fields are, it never comes out so"
        return f"{first} contradicts " + "; ".join(f"{other.position}: {other}" for other in others)

    def __str__(self) -> str:
        return f"{self.places[0]}: {self.text}"


@frozen
class Healthy:
    """Values of every field of every probe. Where the plan contradicts itself they meet all but what is named."""

    values: Values
    contradictions: tuple[Contradiction, ...] = ()
    undecided: tuple[Demand, ...] = ()
    """Demands for which no values were found, though there may be some."""


def demands_of(plan: Plan) -> list[Demand]:
    """What a healthy world meets: first what decides, then what is only shown; guards and clear_conditions last."""
    wanted: list[tuple[int, Demand]] = []
    for one in plan.success_criteria:
        wanted += [(0 if one.enforced else 1, each) for each in _of(one, one.condition, "criterion", wanted=True)]
    for one in plan.rollback_triggers:
        wanted += [(0 if one.enforced else 1, each) for each in _of(one, one.condition, "trigger", wanted=False)]
        wanted += [(2, each) for each in _of(one, one.clear_condition, "clear_condition of", wanted=True)]
    for item in (item for section in plan.checklist for item in section.items):
        if item.expect is not None:
            held = Demand(item.id, item.expect, wanted=True, position=item.position, noun="line")
            wanted.append((0 if item.blocking else 1, held))
    for guard in plan.guards():
        wanted += [(3, each) for each in _of(guard, guard.condition, "guard", wanted=False)]
    return [demand for _, demand in sorted(wanted, key=lambda each: each[0])]


def _of(one: Criterion, condition: Condition | None, noun: str, *, wanted: bool) -> Iterator[Demand]:
    if condition is not None:
        yield Demand(one.id, condition, wanted, one.position, noun)


def healthy(plan: Plan, pinned: Values | None = None) -> Healthy:
    """The healthy values of a plan; `pinned` are given and everything else is found."""
    search = ValueSearch(plan, pinned)
    values: dict[str, Value] = {path: field.example for path, field in search.fields.items()} | search.pinned
    for path, field in search.fields.items():
        if field.type is float and isinstance(values[path], int):
            values[path] = float(values[path])  # type: ignore[arg-type]
    contradictions: list[Contradiction] = []
    undecided: list[Demand] = []
    for group in grouped(demands_of(plan)):
        found = search.find(group, search.pinned)
        if found.values is None:
            found_values, against, open_ = _as_many_as_fit(search, group)
            values |= found_values
            contradictions += against
            undecided += open_
        else:
            values |= found.values
    return Healthy(values, tuple(contradictions), tuple(undecided))


def _as_many_as_fit(search: ValueSearch, group: Sequence[Demand]) -> tuple[Values, list[Contradiction], list[Demand]]:
    """Values for as many demands as fit together, in their order; what does not fit, and what it contradicts."""
    kept: list[Demand] = []
    values: Values = {}
    against: list[Contradiction] = []
    undecided: list[Demand] = []
    for demand in sorted(group, key=group.index):
        found = search.find([*kept, demand])
        if found.values is not None:
            kept.append(demand)
            values = found.values
        elif demand.noun == "guard":
            continue  # what pauses the copying may well be as it must be for GO
        elif not found.decided:
            undecided.append(demand)
        else:
            against.append(Contradiction((demand, *_core(search, demand, kept))))
    return values, against, undecided


def _core(search: ValueSearch, demand: Demand, kept: Sequence[Demand]) -> list[Demand]:
    """As few of `kept` as cannot hold together with `demand`."""
    if search.find([demand]).values is None:
        return []
    for one in kept:
        if search.find([demand, one]).values is None:
            return [one]
    needed = list(kept)
    for one in kept:
        fewer = [each for each in needed if each is not one]
        if search.find([demand, *fewer]).values is None:
            needed = fewer
    return needed
