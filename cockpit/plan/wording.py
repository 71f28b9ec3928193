"""What pydantic found, in words a person can act on."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel

from cockpit.plan.nodes import Path_, Tree
from cockpit.plan.problems import Problem

_TYPES = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "dict_type": "must be a mapping (key: value)",
    "list_type": "must be a list (- ...)",
    "model_type": "must be a mapping (key: value)",
    "model_attributes_type": "must be a mapping (key: value)",
}


def explain(found: Mapping[str, Any], tree: Tree, model: type[BaseModel], below: Path_ = ()) -> Problem:
    """One pydantic error of `model`, placed; `below` is where the model stands in the document."""
    inner = tuple(part for part in found["loc"] if part != "[key]")
    path = (*below, *inner)
    kind = str(found["type"])
    if kind == "extra_forbidden":
        owner = model_at(model, inner[:-1])
        known = sorted(known_keys(owner)) if owner else []
        near = get_close_matches(str(inner[-1]), known, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else (f"; there is {', '.join(known)}" if known else "")
        return tree.problem(path, f"there is no '{inner[-1]}' here{hint}", on_key=True)
    if kind == "missing":
        return tree.problem(path[:-1], f"'{inner[-1]}' is missing", on_key=bool(path[:-1]))
    if "[key]" in found["loc"]:
        return tree.problem(
            path, f"'{inner[-1]}' cannot be a name: letters, digits and _, not starting with a digit", on_key=True
        )
    return tree.problem(path, message(found))


def message(found: Mapping[str, Any]) -> str:
    """The message alone, never with the value: it may come from the environment."""
    kind, context = str(found["type"]), found.get("ctx") or {}
    if kind in _TYPES:
        return _TYPES[kind]
    if kind in ("literal_error", "enum"):
        return f"must be {context.get('expected', 'one of the known words')}"
    if kind == "string_pattern_mismatch":
        return f"does not have the right form ({context.get('pattern')})"
    return str(found["msg"]).removeprefix("Value error, ")


def model_at(model: Any, path: Path_) -> type[BaseModel] | None:
    """The model that describes the mapping at `path` inside `model`."""
    for part in path:
        if isinstance(model, type) and issubclass(model, BaseModel):
            info = next((f for n, f in model.model_fields.items() if part in (n, f.alias)), None)
            if info is None:
                return None
            model = info.annotation
        model = _inside(model)
    return model if isinstance(model, type) and issubclass(model, BaseModel) else None


def _inside(annotation: Any) -> Any:
    """The model inside list[...], dict[..., ...] or an optional; itself otherwise."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        found = _inside(argument)
        if isinstance(found, type) and issubclass(found, BaseModel):
            return found
    return annotation


def known_keys(model: type[BaseModel]) -> list[str]:
    """The keys a mapping may have, as they are written."""
    return [info.alias or name for name, info in model.model_fields.items()]
