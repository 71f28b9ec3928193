"""Time in metric periods: durations as a plan writes them, and which periods have closed. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")


def parse_duration(text: Any) -> timedelta:
    """A duration as a plan writes it. Raises ValueError for anything else; a bare number has no unit and is refused.

    >>> parse_duration("1h30m")
    datetime.timedelta(seconds=5400)
    """
    if isinstance(text, timedelta):
        return text
    match = _DURATION.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None or not any(match.groups()):
        raise ValueError(f"{text!r} is not a duration: write 90s, 5m or 1h30m")
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    try:
        return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        raise ValueError("is longer than a person lives") from None


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    WithJsonSchema({"type": "string", "examples": ["90s", "5m", "1h30m"]}),
]
"""A pydantic field holding a duration written as `90s`, `5m` or `1h30m`."""


def _whole_period(value: Any) -> timedelta:
    period = parse_duration(value)
    seconds = period.total_seconds()
    if seconds % 60 or not 60 <= seconds <= 3600 or 3600 % seconds:
        raise ValueError("a metric period is 60s, or a number of minutes that divides an hour")
    return period


Period = Annotated[
    timedelta,
    BeforeValidator(_whole_period),
    WithJsonSchema({"type": "string", "examples": ["60s", "5m"]}),
]
"""A metric period: CloudWatch keeps multiples of 60 s, and only divisors of an hour line up between criteria."""


def floor_to(moment: datetime, step: timedelta) -> datetime:
    """The last boundary of `step` at or before `moment`, counted from the epoch as CloudWatch counts.

    >>> floor_to(datetime(2026, 1, 1, 12, 7, 59, tzinfo=UTC), timedelta(minutes=5)).minute
    5
    """
    seconds = int(step.total_seconds())
    return datetime.fromtimestamp(int(moment.timestamp()) // seconds * seconds, UTC)


def last_closed(now: datetime, period: timedelta, settle: timedelta) -> datetime:
    """The end of the newest period that has closed and settled: `end <= now - settle`."""
    return floor_to(now - settle, period)


def by_end(points: tuple[tuple[datetime, float], ...], period: timedelta, until: datetime) -> dict[datetime, float]:
    """Points (period start, value) keyed by period end, without those of a period that ends after `until`."""
    return {start + period: value for start, value in points if start + period <= until}


def trailing(end: datetime, period: timedelta, count: int) -> list[datetime]:
    """Ends of the `count` periods up to and including the one ending at `end`, oldest first."""
    return [end - period * back for back in range(count - 1, -1, -1)]


def dimension_pairs(dimensions: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Dimensions in one order, so that the same series asked twice is one query."""
    return tuple(sorted(dimensions.items()))
