"""Form-encoded parameters (`Targets.member.1.Id=...`) as nested values, after botocore's shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cockpit.rehearsal.aws.wire.wire_times import moment


def read_form(form: Mapping[str, str], shape: Any) -> dict[str, Any]:
    """The input of a query-protocol operation; what the shape does not name is left out."""
    return (_structure(form, shape, "") or {}) if shape is not None else {}


def _structure(form: Mapping[str, str], shape: Any, prefix: str) -> dict[str, Any] | None:
    found = {}
    for name, member in shape.members.items():
        value = _value(form, member, f"{prefix}{_named(member, name)}")
        if value is not None:
            found[name] = value
    return found or None


def _value(form: Mapping[str, str], shape: Any, at: str) -> Any:
    if shape.type_name == "structure":
        return _structure(form, shape, f"{at}.")
    if shape.type_name == "list":
        return _list(form, shape, at)
    if shape.type_name == "map":
        return _map(form, shape, at)
    if at not in form:
        return None
    return _scalar(form[at], shape.type_name)


def _list(form: Mapping[str, str], shape: Any, at: str) -> list[Any] | None:
    flat = shape.serialization.get("flattened", False)
    place = at if flat else f"{at}.{_named(shape.member, 'member')}"
    items: list[Any] = []
    while (item := _value(form, shape.member, f"{place}.{len(items) + 1}")) is not None:
        items.append(item)
    return items or None


def _map(form: Mapping[str, str], shape: Any, at: str) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    while (key := form.get(f"{at}.entry.{len(found) + 1}.key")) is not None:
        found[key] = _value(form, shape.value, f"{at}.entry.{len(found) + 1}.value")
    return found or None


def _named(shape: Any, default: str) -> str:
    return str(shape.serialization.get("name", default))


def _scalar(text: str, type_name: str) -> Any:
    if type_name in ("integer", "long"):
        return int(text)
    if type_name in ("float", "double"):
        return float(text)
    if type_name == "boolean":
        return text.lower() == "true"
    if type_name == "timestamp":
        return moment(text)
    return text
