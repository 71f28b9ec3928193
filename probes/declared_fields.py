"""Fields that a plan declares for what has no probe of its own: a name, a type, a unit; and a value made to be of that type."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import Field as Setting
from pydantic import StringConstraints, model_validator

from probes.probe import Params, Probe
from probes.reading import Field, Reason, Unknown, Value
from probes.redact import one_line

FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
"""As conditions write it: small letters, digits and underscores."""
MOST_FIELDS = 40
MOST_CHARACTERS = 400
"""Of a text; more is cut."""
_EXAMPLES: Mapping[str, Value] = MappingProxyType(
    {"bool": True, "int": 12, "float": 0.5, "str": "ready", "time": datetime(2026, 1, 1, tzinfo=UTC), "list": ("one",)}
)
_TYPES: Mapping[str, type] = MappingProxyType(
    {"bool": bool, "int": int, "float": float, "str": str, "time": datetime, "list": tuple}
)
_NEVER = frozenset({"true", "false", "null", "in", "as", "has", "all", "exists"})
"""What the language of conditions takes for its own."""


class DeclaredField(Params):
    """What the value must be: anything else is UNKNOWN, never a default."""

    type: Literal["bool", "int", "float", "str", "time", "list"]
    """bool, int, float, str, time (ISO 8601 with its zone, or seconds since 1970) or list (of texts)."""
    unit: Literal["", "ratio", "s", "ms", "bytes", "count", "per_s", "days"] = ""
    """How it is shown: ratio (0.05 is 5 %), s, ms, bytes, count, per_s or days. Of an int or a float."""
    meaning: Annotated[str, StringConstraints(max_length=200)] = ""
    """What it is, for people."""
    scale: float = 1.0
    """Multiplies a number: 0.01 turns percent into a ratio, 0.001 milliseconds into seconds."""
    low: float | None = None
    """The least it can ever be: lint finds conditions that can never hold."""
    high: float | None = None
    """The most it can ever be."""

    @model_validator(mode="after")
    def _of_numbers(self) -> Self:
        if self.type not in ("int", "float") and (
            self.unit or self.scale != 1 or self.low is not None or self.high is not None
        ):
            raise ValueError(f"unit, scale, low and high are of an int or a float, not of a {self.type}")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError("low is above high")
        return self

    def field(self, name: str, origin: str) -> Field:
        """As conditions know it; `origin` is where it comes from, in a few words."""
        example = _EXAMPLES[self.type]
        if isinstance(example, (int, float)) and not isinstance(example, bool):
            example = max(example, self.low) if self.low is not None else example
            example = min(example, self.high) if self.high is not None else example
        return Field(name, _TYPES[self.type], self.meaning or origin, example, self.unit, self.low, self.high)

    def value(self, held: Any) -> Value | Unknown:
        """The value as it was declared, or why it cannot be that. Nothing is guessed: a text "12" is no number."""
        if self.scale != 1 and isinstance(held, int | float) and not isinstance(held, bool):
            held = _scaled(held, self.scale)
        made = _MAKERS[self.type](held)
        if made is None:
            shown = one_line(repr(held)[:MOST_CHARACTERS], 80)
            return Unknown(
                Reason.ERROR, f"{shown} is not {_WORDS[self.type]}", "correct the field's type, or its source"
            )
        low, high = self.low, self.high
        if isinstance(made, int | float) and ((low is not None and made < low) or (high is not None and made > high)):
            detail = f"{made:g} is outside what the plan declares ({low}..{high})"
            return Unknown(Reason.ERROR, detail, "correct low and high of the field, or its source")
        return made


def may_declare_fields(kind: type[Probe[Any]]) -> bool:
    """Whether a plan may give this kind of probe fields of its own."""
    return kind.fields_of.__func__ is not Probe.fields_of.__func__  # type: ignore[attr-defined]


def no_field_twice(declared: Mapping[str, object], own: tuple[Field, ...]) -> None:
    """Raises ValueError for a name that the probe itself has, or that conditions cannot write."""
    if taken := sorted(set(declared) & {field.name for field in own}):
        raise ValueError(f"the probe itself has the field {taken[0]}: choose another name")
    if never := sorted(set(declared) & _NEVER):
        raise ValueError(f"{never[0]} is a word of conditions: choose another name")


def _scaled(number: float, scale: float) -> float:
    """As a person would: 41.5 by 0.01 is 0.415."""
    if not math.isfinite(number):
        return number
    made = Decimal(repr(number)) * Decimal(repr(scale))
    return int(made) if made == made.to_integral_value() and abs(made) < 2**53 else float(made)


def _bool(held: Any) -> Value | None:
    return held if isinstance(held, bool) else None


def _int(held: Any) -> Value | None:
    if isinstance(held, float) and math.isfinite(held) and held == int(held):
        return int(held)
    return held if isinstance(held, int) and not isinstance(held, bool) else None


def _float(held: Any) -> Value | None:
    if not isinstance(held, int | float) or isinstance(held, bool):
        return None
    try:
        return float(held) if math.isfinite(held) else None
    except OverflowError:
        return None


def _str(held: Any) -> Value | None:
    return one_line(held[: 4 * MOST_CHARACTERS], MOST_CHARACTERS) if isinstance(held, str) else None


def _time(held: Any) -> Value | None:
    try:
        if isinstance(held, str):
            moment = datetime.fromisoformat(held)
            return moment.astimezone(UTC) if moment.tzinfo else None
        if isinstance(held, int | float) and not isinstance(held, bool):
            return datetime.fromtimestamp(held, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def _list(held: Any) -> Value | None:
    """Texts; an empty list is NO_DATA wherever it is read, as of every probe."""
    if not isinstance(held, list) or not all(isinstance(each, str) for each in held):
        return None
    return tuple(one_line(each[: 4 * MOST_CHARACTERS], MOST_CHARACTERS) for each in held[:100])


_MAKERS = MappingProxyType({"bool": _bool, "int": _int, "float": _float, "str": _str, "time": _time, "list": _list})
_WORDS = MappingProxyType(
    {
        "bool": "true or false",
        "int": "a whole number",
        "float": "a number",
        "str": "a text",
        "time": "a time with its zone",
        "list": "a list of texts",
    }
)
Declared = Annotated[dict[FieldName, DeclaredField], Setting(max_length=MOST_FIELDS)]
