"""Which steps wait for which, and how long all of them take: their critical path. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from graphlib import TopologicalSorter

from cockpit.plan.model import Person, Plan, Step
from probes.frozen import frozen

_NOTHING = timedelta(0)


def predecessors(steps: Sequence[Step]) -> dict[str, tuple[str, ...]]:
    """By step, those of the same list that must be over first. A step that names none follows the one before it."""
    known = {step.id for step in steps}
    found: dict[str, tuple[str, ...]] = {}
    before: tuple[str, ...] = ()
    for step in steps:
        found[step.id] = before if step.after is None else tuple(each for each in step.after if each in known)
        before = (step.id,)
    return found


@frozen
class StepGraph:
    """One list of steps: what waits for what, and who does it. Worked out once for a plan."""

    steps: tuple[Step, ...]
    """All of them, as the plan has them."""
    in_window: tuple[Step, ...]
    """Without those that are prepared before the change window."""
    before: Mapping[str, tuple[str, ...]]
    """Of each step within the window those that must be over first; each step comes after those it waits for."""
    owners: Mapping[str, str]
    """By step: the id of its owner, or the ids of the people who hold one of its roles."""

    @classmethod
    def of(cls, steps: Sequence[Step], people: Sequence[Person] = ()) -> StepGraph:
        """The graph of a list without circles: the plan's loader refuses them."""
        in_window = tuple(step for step in steps if step.in_window)
        before = predecessors(in_window)
        order = TopologicalSorter(before).static_order()
        owners = {
            step.id: step.owner or ", ".join(p.id for p in people if set(p.roles) & set(step.roles)) for step in steps
        }
        return cls(tuple(steps), in_window, {id_: before[id_] for id_ in order}, owners)

    def longest(self, takes: Mapping[str, timedelta]) -> timedelta:
        """From the beginning to the end of the last when each takes so long; one of unknown duration takes nothing."""
        ends: dict[str, timedelta] = {}
        for id_, waits_for in self.before.items():
            ends[id_] = max((ends[each] for each in waits_for), default=_NOTHING) + takes.get(id_, _NOTHING)
        return max(ends.values(), default=_NOTHING)


@frozen
class StepGraphs:
    """The way there and the way back."""

    runbook: StepGraph
    rollback_plan: StepGraph

    @classmethod
    def of(cls, plan: Plan) -> StepGraphs:
        return cls(StepGraph.of(plan.runbook, plan.people), StepGraph.of(plan.rollback_plan, plan.people))


def critical_path(steps: Sequence[Step]) -> timedelta:
    """How long the steps take as planned, those that are prepared before the window left out."""
    return StepGraph.of(steps).longest({step.id: step.duration for step in steps if step.duration is not None})
