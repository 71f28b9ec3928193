"""Moments as AWS's protocols write them."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(value: datetime | float | str) -> datetime:
    """An aware UTC datetime from whatever a protocol carried: a datetime, epoch seconds, or ISO 8601 text.

    >>> moment("2024-12-28T22:00:00Z") == moment(1735423200)
    True
    """
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, str) and not value.replace(".", "", 1).isdigit():
        return moment(datetime.fromisoformat(value))
    return datetime.fromtimestamp(float(value), UTC)


def iso(at: datetime) -> str:
    """ISO 8601 with milliseconds, as XML answers carry it.

    >>> iso(datetime(2024, 12, 28, 22, tzinfo=UTC))
    '2024-12-28T22:00:00.000Z'
    """
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
