"""The smallest shapes of a plan file: durations, names, texts, and what every entry has in common."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from probes.periods import Duration

LONGEST = timedelta(days=400)


def _sensible(value: timedelta) -> timedelta:
    if value > LONGEST:
        raise PydanticCustomError("duration", "is longer than 400 days")
    return value


def _positive(value: timedelta) -> timedelta:
    if value < timedelta(seconds=1):
        raise PydanticCustomError("duration", "must be at least 1s")
    return _sensible(value)


_DURATION = WithJsonSchema(
    {"type": "string", "pattern": r"^(\d+(\.\d+)?[smhd])+$|^\$\{", "examples": ["90s", "5m", "1h30m"]}
)
Span = Annotated[Duration, AfterValidator(_sensible), _DURATION]
"""A duration that may be nothing."""
Period = Annotated[Duration, AfterValidator(_positive), _DURATION]
"""A duration of a second or more."""

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,79}$")]
ProbeName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,39}$")]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,119}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
Note = Annotated[str, StringConstraints(max_length=4000)]
Condition = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
Scalar = Annotated[Any, WithJsonSchema({"type": ["string", "number", "boolean"]})]
Account = Annotated[
    str,
    StringConstraints(pattern=r"^(\d{12}|\[.*\])?$"),
    WithJsonSchema({"type": "string", "pattern": r"^(\d{12}|\[.*\])?$|^\$\{"}),
]
Roles = Annotated[list[Id], Field(min_length=1, max_length=20)]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
