"""The entries of a plan document, each validated by itself: one broken entry never hides what is wrong with the others."""

from __future__ import annotations

import re
from typing import Any, TypeVar

from pydantic import ValidationError

from cockpit.plan.document import (
    GatePart,
    HeaderPart,
    ItemPart,
    Part,
    PersonPart,
    PlanDocument,
    ProbePart,
    SectionPart,
    StepPart,
    SuccessPart,
    TriggerPart,
)
from cockpit.plan.nodes import Path_, Tree
from cockpit.plan.wording import explain

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
M = TypeVar("M", bound=Part)
Placed = list[tuple[Path_, M]]


class Parts:
    """Everything valid of a document, with its place. Problems are reported to the tree."""

    def __init__(self, value: dict[str, Any], tree: Tree) -> None:
        self.tree = tree
        entries = {key: value.get(key) for key in PlanDocument.model_fields if key not in HeaderPart.model_fields}
        rest = {key: held for key, held in value.items() if key not in entries}
        self.header = self._valid(HeaderPart, rest, ())
        if not entries.get("probes"):
            tree.report((), "'probes' is missing: a plan that looks at nothing decides nothing")
        self.probes = self._mapping(ProbePart, entries.get("probes"), ("probes",))
        self.people = self._list(PersonPart, entries.get("people"), ("people",))
        self.sections = self._list(SectionPart, entries.get("checklist"), ("checklist",), besides="items")
        self.items = {path: self._items(path, entries["checklist"]) for path, _ in self.sections}
        self.gates = self._list(GatePart, entries.get("gates"), ("gates",))
        self.success = self._list(SuccessPart, entries.get("success_criteria"), ("success_criteria",))
        self.triggers = self._list(TriggerPart, entries.get("rollback_triggers"), ("rollback_triggers",))
        self.runbook = self._list(StepPart, entries.get("runbook"), ("runbook",))
        self.rollback_plan = self._list(StepPart, entries.get("rollback_plan"), ("rollback_plan",))

    def _valid(self, model: type[M], value: Any, path: Path_) -> M | None:
        try:
            return model.model_validate(value)
        except ValidationError as error:
            for found in error.errors(include_url=False):
                problem = explain(found, self.tree, PlanDocument if model is HeaderPart else model, path)
                if not any(known.position == problem.position for known in self.tree.problems):
                    self.tree.problems.append(problem)
            return None

    def _list(self, model: type[M], value: Any, path: Path_, besides: str = "") -> Placed[M]:
        if value is None:
            return []
        if not isinstance(value, list):
            self.tree.report(path, "must be a list (- ...)")
            return []
        found: Placed[M] = []
        for index, entry in enumerate(value):
            # A section's items are validated one by one; a stand-in keeps the section itself valid.
            shown = (
                {**entry, besides: [_STAND_IN]} if besides and isinstance(entry, dict) and entry.get(besides) else entry
            )
            part = self._valid(model, shown, (*path, index))
            if part is not None:
                found.append(((*path, index), part))
        return found

    def _items(self, path: Path_, checklist: Any) -> Placed[ItemPart]:
        return self._list(ItemPart, checklist[path[-1]].get("items"), (*path, "items"))

    def _mapping(self, model: type[M], value: Any, path: Path_) -> dict[str, M]:
        if not value:
            return {}
        if not isinstance(value, dict):
            self.tree.report(path, "must be a mapping (name: ...)")
            return {}
        found = {}
        for name, entry in value.items():
            if not _NAME.fullmatch(name):
                self.tree.report(
                    (*path, name), "cannot be a name: letters, digits and _, not starting with a digit", on_key=True
                )
                continue
            part = self._valid(model, entry, (*path, name))
            if part is not None:
                found[name] = part
        return found


_STAND_IN = {"id": "item", "title": "item"}
