"""A plan as lint looks at it: the compiled values, each with its path in the file, and every text a person wrote."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import cached_property

from cockpit.conditions.condition import Condition
from cockpit.plan.model import Ask, Criterion, Gate, Item, Kind, Plan, ProbeSpec, Step
from cockpit.plan.source.yaml_tree import Path_, Place, Tree
from probes.frozen import frozen
from probes.reading import Field


@frozen
class Text:
    """One text of the plan: where it is, what it is ("command", "title", "ask"...), and its words with vars filled in."""

    path: Path_
    kind: str
    content: str


@frozen
class Judged:
    """A condition, and whose it is."""

    path: Path_
    condition: Condition
    owner: Criterion | Item

    @property
    def kind(self) -> str:
        return "item" if isinstance(self.owner, Item) else str(self.owner.kind)


class Subject:
    """Everything rules look at. Values that came from the environment are never part of a message."""

    def __init__(self, plan: Plan, tree: Tree, done_before: Collection[str] | None = None) -> None:
        """`done_before`: ids of the steps that were done in an earlier record or rehearsal; None where nobody has looked."""
        self.plan = plan
        self.tree = tree
        self.done_before = done_before

    # -- what there is, with its path --------------------------------------------------------------------------------

    def criteria(self) -> Iterator[tuple[Path_, Criterion]]:
        for index, one in enumerate(self.plan.success_criteria):
            yield ("success_criteria", index), one
        for index, one in enumerate(self.plan.rollback_triggers):
            yield ("rollback_triggers", index), one

    def items(self) -> Iterator[tuple[Path_, Item]]:
        for at, section in enumerate(self.plan.checklist):
            for index, item in enumerate(section.items):
                yield ("checklist", at, "items", index), item

    def gates(self) -> Iterator[tuple[Path_, Gate]]:
        yield from ((("gates", index), gate) for index, gate in enumerate(self.plan.gates))

    def runbook(self) -> Iterator[tuple[Path_, Step]]:
        yield from ((("runbook", index), step) for index, step in enumerate(self.plan.runbook))

    def rollback_plan(self) -> Iterator[tuple[Path_, Step]]:
        yield from ((("rollback_plan", index), step) for index, step in enumerate(self.plan.rollback_plan))

    def steps(self) -> Iterator[tuple[Path_, Step]]:
        yield from self.runbook()
        yield from self.rollback_plan()

    def asks(self) -> Iterator[tuple[Path_, Ask]]:
        """Every sign-off, wherever it is asked for."""
        for path, one in self._entries():
            if one.sign_off is not None:
                yield (*path, "sign_off"), one.sign_off

    def _entries(self) -> Iterator[tuple[Path_, Item | Criterion | Step]]:
        yield from self.items()
        yield from self.criteria()
        yield from self.steps()

    @cached_property
    def judged(self) -> tuple[Judged, ...]:
        """Every condition that judges."""
        found = [Judged((*path, "expect"), item.expect, item) for path, item in self.items() if item.expect]
        for path, one in self.criteria():
            key = "success_condition" if one.kind is Kind.SUCCESS else "failure_condition"
            if one.condition:
                found.append(Judged((*path, key), one.condition, one))
        return tuple(found)

    def field(self, path: str) -> Field | None:
        """The declared field of `probe.field`."""
        probe, _, name = path.partition(".")
        spec = self.plan.probes.get(probe)
        return next((f for f in spec.fields if f.name == name), None) if spec else None

    def probes(self, *uses: str) -> list[ProbeSpec]:
        """The plan's probes of these kinds; `s3.` means all that begin so."""
        return [
            spec
            for spec in self.plan.probes.values()
            if any(spec.uses == kind or (kind.endswith(".") and spec.uses.startswith(kind)) for kind in uses)
        ]

    # -- texts -------------------------------------------------------------------------------------------------------

    @cached_property
    def texts(self) -> tuple[Text, ...]:
        """Every text in the order of the file, with vars filled in where only people read it; probes' as written."""
        return tuple(sorted(self._texts(), key=lambda text: self.tree.place(text.path).start))

    def texts_of(self, *kinds: str, within: str = "") -> Iterator[Text]:
        """The texts of these kinds (all if none is named), of one top-level key if it is named."""
        yield from (
            text for text in self.texts if (not kinds or text.kind in kinds) and (not within or text.path[0] == within)
        )

    def _texts(self) -> Iterator[Text]:
        for path, one in self._entries():
            for key in ("title", "caution", "command", "expect", "action", "runbook"):
                held = getattr(one, key, "")
                if isinstance(held, str) and held:
                    yield Text((*path, key), "seen" if key == "expect" else key, held)
        yield from (Text((*path, "ask"), "ask", ask.ask) for path, ask in self.asks())
        for key in ("vars", "probes", "contacts", "migration"):
            yield from _written(self.tree.value.get(key), (key,), key)

    def find(self, pattern: str, text: Text) -> Place | None:
        """Where a text matches: the very words if they are written there, the whole value if a var brought them."""
        found = re.search(pattern, text.content, re.IGNORECASE)
        if found is None:
            return None
        raw = self.tree.value_at(text.path)
        again = re.search(pattern, raw, re.IGNORECASE) if isinstance(raw, str) else None
        if isinstance(raw, str) and again is not None:
            return self.tree.within(text.path, raw, again.start(), max(1, again.end() - again.start()))
        return self.tree.place(text.path)

    def first(self, pattern: str, *kinds: str, within: str = "") -> tuple[Text, Place] | None:
        """The first text of these kinds that matches, and where."""
        for text in self.texts_of(*kinds, within=within):
            if (place := self.find(pattern, text)) is not None:
                return text, place
        return None

    def mentions(self, pattern: str, *kinds: str, within: str = "") -> bool:
        return self.first(pattern, *kinds, within=within) is not None

    def piece(self, judged: Judged, offset: int, length: int) -> Place:
        """The place of a piece of a condition."""
        return self.tree.within_condition(judged.path, offset, length)


def _written(value: object, path: Path_, kind: str) -> Iterator[Text]:
    if isinstance(value, dict):
        for key, held in value.items():
            yield from _written(held, (*path, key), kind)
    elif isinstance(value, list):
        for index, held in enumerate(value):
            yield from _written(held, (*path, index), kind)
    elif isinstance(value, str | int | float):
        yield Text(path, kind, str(value))
