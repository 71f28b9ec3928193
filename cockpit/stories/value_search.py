"""Values of fields under which conditions come out as wanted, found by search; or that there are none. Pure.

Fields that share no condition are searched apart. Within a group one field after the other gets a value, and a choice is left
as soon as one condition comes out the wrong way whatever the rest will be: CEL decides `a && b` by either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cockpit.conditions.condition import Condition
from cockpit.plan.model import Plan
from cockpit.plan.position import Position
from cockpit.stories.candidates import Literals, candidates, is_whole, literals_of
from probes.frozen import frozen
from probes.reading import Field, Value

MOST_TRIES = 30_000
"""More evaluations than these are not made for one group of fields: then it is undecided."""
Values = Mapping[str, Value]
"""By path: `probe.field`."""


@dataclass(frozen=True, slots=True, eq=False)
class Demand:
    """A condition and how it is to come out. `subject` is the id of what it belongs to."""

    subject: str
    condition: Condition
    wanted: bool
    position: Position
    noun: str = ""

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(f"{probe}.{name}" for probe, name in self.condition.paths)

    def __str__(self) -> str:
        return f"{self.noun} {self.subject} ({'' if self.wanted else 'not '}{self.condition.source})".strip()


@frozen
class Found:
    """What a search came to. `values` is None where there are none, or (`decided` is false) none was found."""

    values: dict[str, Value] | None
    decided: bool = True


class ValueSearch:
    """Searches for values of the fields of one plan."""

    def __init__(self, plan: Plan, pinned: Values | None = None) -> None:
        """`pinned`: values that are given, and not searched for."""
        self.plan = plan
        self.fields: dict[str, Field] = {
            f"{probe}.{field.name}": field for probe, spec in plan.probes.items() for field in spec.fields
        }
        self.pinned = dict(pinned or {})
        self.literals: dict[str, Literals] = literals_of(plan.conditions(), self.pinned)

    def find(
        self, demands: Sequence[Demand], first: Values | None = None, *, near: bool = False, fixed: Values | None = None
    ) -> Found:
        """Values for every field the demands read, those of `first` wherever they serve; `near` as for `candidates`.

        `fixed`: fields that have a value for this once.
        """
        values: dict[str, Value] = {}
        decided = True
        for group in grouped(demands):
            found = self._group(group, first or {}, fixed or {}, near=near)
            if found.values is None:
                return found
            values |= found.values
            decided = decided and found.decided
        return Found(values, decided)

    def _group(self, demands: Sequence[Demand], first: Values, fixed: Values, *, near: bool) -> Found:
        paths = list(dict.fromkeys(path for demand in demands for path in demand.paths))
        choices = [(fixed[path],) if path in fixed else self._choices(path, first, near=near) for path in paths]
        touching = [[demand for demand in demands if path in demand.paths] for path in paths]
        search = _Backtracking(paths, choices, touching)
        values = search.run()
        whole = is_whole(self.fields, self.literals, paths)
        return Found(values, decided=values is not None or (whole and search.left > 0))

    def _choices(self, path: str, first: Values, *, near: bool) -> Sequence[Value]:
        if path in self.pinned:
            return (self.pinned[path],)
        preferred = (first[path],) if path in first else ()
        return candidates(self.fields[path], self.literals.get(path, Literals()), preferred, near=near)


class _Backtracking:
    def __init__(
        self, paths: Sequence[str], choices: Sequence[Sequence[Value]], touching: Sequence[Sequence[Demand]]
    ) -> None:
        self.paths, self.choices, self.touching = paths, choices, touching
        self.left = MOST_TRIES
        self.values: dict[str, Value] = {}
        self._context: dict[str, dict[str, Value]] = {}

    def run(self) -> dict[str, Value] | None:
        return dict(self.values) if self._from(0) else None

    def _from(self, index: int) -> bool:
        if index == len(self.paths):
            return True
        path = self.paths[index]
        probe, _, name = path.partition(".")
        held = self._context.setdefault(probe, {})
        last = index == len(self.paths) - 1
        for value in self.choices[index]:
            if self.left <= 0:
                break
            self.values[path] = held[name] = value
            if self._fits(index, last=last) and self._from(index + 1):
                return True
        self.values.pop(path, None)
        held.pop(name, None)
        return False

    def _fits(self, index: int, *, last: bool) -> bool:
        for demand in self.touching[index]:
            self.left -= 1
            truth = demand.condition.evaluate(self._context).truth
            if truth is (not demand.wanted) or (truth is None and self._complete(demand, last=last)):
                return False
        return True

    def _complete(self, demand: Demand, *, last: bool) -> bool:
        """Whether every field it reads has a value: then unknown is not as wanted."""
        return last or all(path in self.values for path in demand.paths)


def grouped(demands: Iterable[Demand]) -> list[list[Demand]]:
    """Demands that share a field, directly or by others, together."""
    groups: list[tuple[set[str], list[Demand]]] = []
    for demand in demands:
        paths, together = set(demand.paths), [demand]
        apart: list[tuple[set[str], list[Demand]]] = []
        for held, members in groups:
            if held & paths:
                paths |= held
                together = members + together
            else:
                apart.append((held, members))
        groups = [*apart, (paths, together)]
    return [members for _, members in groups]
