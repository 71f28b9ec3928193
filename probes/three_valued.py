"""Three-valued logic over several values of which some are unknown. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from probes.reading import Unknown, Value

FieldValue = Value | Unknown | None


def every(*parts: bool | Unknown) -> bool | Unknown:
    """Whether all hold: one that does not decides it; else one that could not be seen leaves it open."""
    if any(part is False for part in parts):
        return False
    return next((part for part in parts if isinstance(part, Unknown)), True)


def sorted_out(fields: Mapping[str, FieldValue]) -> tuple[dict[str, Value | None], dict[str, Unknown]]:
    """Fields apart: those with a value, and those that are unknown."""
    values = {name: one for name, one in fields.items() if not isinstance(one, Unknown)}
    return values, {name: one for name, one in fields.items() if isinstance(one, Unknown)}
