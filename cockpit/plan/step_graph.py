"""Which steps wait for which, and how long all of them take: their critical path. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from graphlib import TopologicalSorter

from cockpit.plan.model import Step

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


def in_order(before: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The steps so that each comes after those it waits for. The plan's loader refuses circles."""
    return tuple(TopologicalSorter(before).static_order())


def ends_after(before: Mapping[str, tuple[str, ...]], takes: Mapping[str, timedelta]) -> dict[str, timedelta]:
    """By step, how long after the beginning it ends when each takes so long; one of unknown duration takes nothing."""
    ends: dict[str, timedelta] = {}
    for id_ in in_order(before):
        ends[id_] = max((ends[each] for each in before[id_]), default=_NOTHING) + takes.get(id_, _NOTHING)
    return ends


def critical_path(steps: Sequence[Step]) -> timedelta:
    """How long the steps take as planned, those that are prepared before the window left out."""
    listed = [step for step in steps if step.in_window]
    takes = {step.id: step.duration for step in listed if step.duration is not None}
    return max(ends_after(predecessors(listed), takes).values(), default=_NOTHING)
