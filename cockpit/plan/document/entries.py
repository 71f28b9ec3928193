"""The entries of a plan document, each validated by itself: one broken entry never hides what is wrong with the others.

Of a broken entry the sound rest is kept, so that its conditions and roles are judged too; the plan is refused all the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, TypeVar

from pydantic import ValidationError

from cockpit.plan.document.context import RiskPart, SecretPart, ServicePart, VariablePart
from cockpit.plan.document.document import (
    GatePart,
    HeaderPart,
    ItemPart,
    PersonPart,
    PlanDocument,
    ProbePart,
    SectionPart,
    StepPart,
    SuccessPart,
    TriggerPart,
)
from cockpit.plan.document.field_types import Part
from cockpit.plan.document.validation_messages import explain, found
from cockpit.plan.source.yaml_tree import Path_, Tree

MAX_ENTRIES = 500
STAND_IN = "missing"
"""Takes the place of an id or title that is missing, while the rest of the entry is looked at."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
_CEL_WORDS = (
    "true false null in as break const continue else for function if import let loop package namespace return var void "
    "while has size int uint double bool string bytes list map type timestamp duration all exists exists_one filter"
)
_RESERVED = frozenset(_CEL_WORDS.split())
"""Words of CEL, and its types and functions: as a probe's name they would be read as those."""
_STAND_IN_ITEM = {"id": STAND_IN, "title": STAND_IN}
_ENTRIES = tuple(key for key in PlanDocument.model_fields if key not in HeaderPart.model_fields)
"""Keys of a document that hold entries."""
M = TypeVar("M", bound=Part)
Placed = list[tuple[Path_, M]]


class Parts:
    """Everything usable of a document, with its place. Problems are reported to the tree."""

    def __init__(self, value: dict[str, Any], tree: Tree) -> None:
        self.tree = tree
        self.header = self._valid(HeaderPart, {key: held for key, held in value.items() if key not in _ENTRIES}, ())
        self._entries = {key: value.get(key) for key in _ENTRIES}
        self.probes = self._probes(self._entries.pop("probes"))
        self.people = self._list_of(PersonPart, "people")
        checklist = self._entries["checklist"]
        self.sections = self._list_of(SectionPart, "checklist")
        self.items = {path: self._items(path, checklist) for path, _ in self.sections}
        self.gates = self._list_of(GatePart, "gates")
        self.success = self._list_of(SuccessPart, "success_criteria", "success")
        self.triggers = self._list_of(TriggerPart, "rollback_triggers", "trigger")
        self.runbook = self._list_of(StepPart, "runbook")
        self.rollback_plan = self._list_of(StepPart, "rollback_plan")
        self.risks = self._list_of(RiskPart, "risks")
        self.variables = self._list_of(VariablePart, "environment_variables")
        self.secrets = self._list_of(SecretPart, "secrets")
        self.services = self._list_of(ServicePart, "services")
        if self._entries:
            raise TypeError(f"entries of a plan that nobody validates: {', '.join(self._entries)}")

    def _valid(self, model: type[M], value: Any, path: Path_, noun: str = "") -> M | None:
        try:
            return model.model_validate(value)
        except ValidationError as error:
            errors = found(error)
        explain(errors, self.tree, PlanDocument if model is HeaderPart else model, path, noun)
        return _salvaged(model, value, errors)

    def _list_of(self, model: type[M], key: str, noun: str = "") -> Placed[M]:
        """The entries of one key of the document."""
        return self._list(model, self._entries.pop(key), (key,), noun)

    def _list(self, model: type[M], value: Any, path: Path_, noun: str = "") -> Placed[M]:
        if value is None:
            return []
        if not isinstance(value, list):
            self.tree.report(path, "must be a list (- ...)")
            return []
        if len(value) > MAX_ENTRIES:
            self.tree.report((*path, MAX_ENTRIES), f"has more than {MAX_ENTRIES} entries: that is not a plan")
        kept: Placed[M] = []
        for index, entry in enumerate(value[:MAX_ENTRIES]):
            shown = entry
            if model is SectionPart and isinstance(entry, dict) and entry.get("items"):
                # A section's items are validated one by one; a stand-in keeps the section itself valid.
                shown = {**entry, "items": [_STAND_IN_ITEM]}
            part = self._valid(model, shown, (*path, index), noun)
            if part is not None:
                kept.append(((*path, index), part))
        return kept

    def _items(self, path: Path_, checklist: Any) -> Placed[ItemPart]:
        return self._list(ItemPart, checklist[path[-1]].get("items"), (*path, "items"))

    def _probes(self, value: Any) -> dict[str, ProbePart]:
        path: Path_ = ("probes",)
        if not value or not isinstance(value, dict):
            problem = (
                "must be a mapping (name: ...)" if value else "is missing: a plan that looks at nothing decides nothing"
            )
            self.tree.report(path if value else (), problem if value else f"'probes' {problem}", on_key=bool(value))
            return {}
        if len(value) > MAX_ENTRIES:
            self.tree.report(path, f"has more than {MAX_ENTRIES} entries: that is not a plan", on_key=True)
        kept = {}
        for name in list(value)[:MAX_ENTRIES]:
            here = (*path, name)
            if not _NAME.fullmatch(name):
                problem = "cannot be a name: letters, digits and _, not starting with a digit"
                self.tree.report(here, problem, on_key=True)
            elif name in _RESERVED:
                self.tree.report(
                    here, f"'{name}' is a word of the condition language: choose another name", on_key=True
                )
            elif (part := self._valid(ProbePart, value[name], here)) is not None:
                kept[name] = part
        return kept


def _salvaged(model: type[M], value: Any, errors: Sequence[Mapping[str, Any]]) -> M | None:
    """The entry without what is wrong with it; None where nothing usable is left."""
    if not isinstance(value, dict):
        return None
    sound = deepcopy(value)
    for _ in range(3):  # what is dropped may turn out to be missing
        for error in errors:
            _make_valid(sound, tuple(error["loc"]), missing=error["type"] == "missing")
        try:
            return model.model_validate(sound)
        except ValidationError as error:
            errors = found(error)
    return None


def _make_valid(owner: dict[str, Any], loc: Sequence[str | int], *, missing: bool) -> None:
    """Put a stand-in where something is missing; else take out the innermost keyed value on the way to `loc`."""
    for part in loc[:-1]:
        inner = owner.get(str(part))
        if not isinstance(inner, dict):
            owner.pop(str(part), None)
            return
        owner = inner
    if missing:
        owner[str(loc[-1])] = {
            "plan": "v1",
            "roles": [STAND_IN],
            "before": "deploy",
            "poll": {"roles": [STAND_IN]},
        }.get(str(loc[-1]), STAND_IN)
    elif loc:
        owner.pop(str(loc[-1]), None)
