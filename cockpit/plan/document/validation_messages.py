"""What pydantic found, in words a person can act on, at the place in the file it is about."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from cockpit.plan.document.window_part import MOMENT
from cockpit.plan.source.yaml_tree import Path_, Tree
from probes.suggestion import closest, suggestion

_TYPES = {
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "dict_type": "must be a mapping (key: value)",
    "list_type": "must be a list (- ...)",
    "tuple_type": "must be a list (- ...)",
    "model_type": "must be a mapping (key: value)",
    "model_attributes_type": "must be a mapping (key: value)",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
}
_REFERENCE = re.compile(r"\$\{(\w+)\}")
_FORMS = {
    r"^[A-Za-z][A-Za-z0-9_.-]{0,79}$": "a letter, then letters of English, digits, _ . and -, 80 in all",
    r"^[A-Za-z_][A-Za-z0-9_]{0,39}$": "a letter, then letters of English, digits and _ (conditions name it), 40 in all",
    r"^(\d{12}|\[.*\])?$": 'the 12 digits of an account, "123456789012", or [brackets] while it is not known',
    r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$": '"09:00-17:30"',
    MOMENT: 'the date and time in quotes, "2026-11-30T22:00", or with days "22:00"; in time_zone',
}
"""Of the patterns of the plan's own keys: what they ask for, in words."""
_TRIGGERS_ALONE = "is of rollback triggers alone: a success criterion holds without a break, for: 10m"
_INSTEAD = {
    ("success", "within"): f"within {_TRIGGERS_ALONE}",
    ("success", "at_least"): f"at_least {_TRIGGERS_ALONE}",
    ("success", "failure_condition"): "a success criterion says what must be true: write success_condition",
    ("trigger", "success_condition"): "a rollback trigger says what is wrong when true: write failure_condition",
}


def found(error: ValidationError) -> list[Mapping[str, Any]]:
    """The errors without the values they are about: those may be secrets."""
    return [dict(one) for one in error.errors(include_url=False, include_input=False)]


def explain(
    errors: Sequence[Mapping[str, Any]], tree: Tree, model: type[BaseModel], below: Path_, noun: str = ""
) -> None:
    """Report the errors of one `model` that stands at `below`."""
    for error in errors:
        loc = tuple(error["loc"])
        path = real_path(tree, below, loc)
        if error["type"] == "extra_forbidden":
            owner = model_at(model, loc[:-1])
            instead = _INSTEAD.get((noun, str(loc[-1])))
            hint = suggestion(str(loc[-1]), known_keys(owner), "there is") if owner else ""
            message_ = instead or _misplaced(str(loc[-1]), owner) or f"there is no '{loc[-1]}' here{hint}"
            tree.report(path, message_, on_key=True)
        elif error["type"] == "missing":
            tree.report(path, f"'{loc[-1]}' is missing", on_key=True)
        else:
            tree.report(path, message_at(error, tree, path))


def _misplaced(key: str, owner: type[BaseModel] | None) -> str:
    """Of a key beside `with` that is nothing like those that stand there."""
    known = known_keys(owner) if owner else ()
    if "with" not in known or closest(key, known):
        return ""
    return f"there is no '{key}' here: a parameter of what `uses` names stands under with: {{{key}: ...}}"


def by_path(
    errors: Sequence[Mapping[str, Any]], tree: Tree, below: Path_
) -> Iterator[tuple[Path_, list[Mapping[str, Any]]]]:
    """Errors of one value together: each branch of a union complains for itself, and the one that got furthest is meant."""
    groups: dict[Path_, list[Mapping[str, Any]]] = {}
    for error in errors:
        loc = tuple(error["loc"])
        path = real_path(tree, below, loc)
        missing = error["type"] == "missing"
        groups.setdefault((*path, loc[-1]) if missing and loc else path, []).append(error)
    for path, group in groups.items():
        if not any(len(other) > len(path) > len(below) and other[: len(path)] == path for other in groups):
            yield path, group


def message_at(error: Mapping[str, Any], tree: Tree, path: Path_) -> str:
    """The message at a place of the file; of a value that is a var, about what the plan gives it."""
    value = tree.value_at(path)
    named = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    given = tree.value_at(("vars", named[1])) if named else None
    if named and error["type"] == "string_type" and isinstance(given, bool | int | float):
        return f'must be text: put the value of the var in quotes, {named[1]}: "{str(given).lower()}"'
    return message(error, value)


def message(error: Mapping[str, Any], value: Any = None) -> str:
    """The message alone; never with a value that pydantic was given, unless it is one of the file's own numbers."""
    kind, context = str(error["type"]), error.get("ctx") or {}
    if kind == "string_type" and isinstance(value, bool | int | float):
        return f'must be text: put it in quotes, "{str(value).lower()}"'
    if kind in _TYPES:
        return _TYPES[kind]
    if kind in ("literal_error", "enum"):
        return f"must be {context.get('expected', 'one of the known words')}"
    if kind == "string_pattern_mismatch":
        form = _FORMS.get(str(context.get("pattern")))
        return f"does not have the right form{f': {form}' if form else ''}"
    if kind in ("string_too_long", "too_long"):
        return f"is too long: {context.get('max_length')} at most"
    text = str(error["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return text.replace("Input should", "must")


def real_path(tree: Tree, below: Path_, loc: Sequence[str | int]) -> Path_:
    """The path of the file that pydantic's location means: it also names branches of unions, which are nowhere."""
    path = below
    for part in loc:
        if (*path, part) in tree.places:
            path = (*path, part)
    return path


def model_at(model: Any, loc: Sequence[str | int]) -> type[BaseModel] | None:
    """The model that describes the mapping at `loc` inside `model`."""
    for part in (each for each in loc if not isinstance(each, int)):  # an entry of a list: `_inside` went in already
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
        inside = _inside(argument)
        if isinstance(inside, type) and issubclass(inside, BaseModel):
            return inside
    return annotation


def known_keys(model: type[BaseModel]) -> list[str]:
    """The keys a mapping may have, as they are written."""
    return [info.alias or name for name, info in model.model_fields.items()]
