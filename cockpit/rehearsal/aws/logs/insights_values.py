"""Values of CloudWatch Logs Insights: records, moments, and how they compare, count and read as text."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Record = Mapping[str, Any]
"""One event's fields, `@timestamp` in epoch milliseconds; a field it lacks reads as None."""


class Moment(float):
    """Epoch milliseconds that results show as a date and time."""


def truth(value: Any) -> bool:
    return value is True or (value is not False and number_of(value) not in (None, 0.0))


def number_of(value: Any) -> float | None:
    """A number, or a string that is one."""
    if isinstance(value, bool) or value is None:
        return float(value) if isinstance(value, bool) else None
    if isinstance(value, int | float):
        return float(value)
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def equal(left: Any, right: Any) -> bool:
    if left is None or right is None:
        return False
    x, y = number_of(left), number_of(right)
    return x == y if x is not None and y is not None else text_of(left) == text_of(right)


def text_of(value: Any) -> str:
    """As Insights writes a value into its results."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, Moment):
        return time_text(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(round(value, 6))
    return str(value)


def time_text(milliseconds: float) -> str:
    """`2024-12-28 22:00:00.000`."""
    at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return at.strftime("%Y-%m-%d %H:%M:%S.") + f"{int(milliseconds) % 1000:03d}"
