"""The shape of `window:` in a plan file: the change window, once or every week."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from cockpit.plan.document.field_types import Part
from cockpit.plan.text_kind import SHOWN

_CLOCK = r"([01]\d|2[0-3]):[0-5]\d"
MOMENT = rf"^(\d{{4}}-\d\d-\d\d[T ])?{_CLOCK}(:[0-5]\d)?(Z|[+-]{_CLOCK})?$"


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise PydanticCustomError(
            "time_zone", "is no time zone: write one such as Europe/Berlin, America/New_York or UTC"
        ) from None
    return name


def _on_the_calendar(text: str) -> str:
    try:
        (datetime if len(text) > _LONGEST_CLOCK else time).fromisoformat(text)
        date.fromisoformat(text[:10]) if len(text) > _LONGEST_CLOCK else None
    except ValueError:
        raise PydanticCustomError("moment", "there is no such day or time") from None
    return text


_LONGEST_CLOCK = len("22:00:00+00:00")
When = Annotated[str, SHOWN, StringConstraints(pattern=MOMENT), AfterValidator(_on_the_calendar)]
"""2026-11-30T22:00 on one day; 22:00 every week."""
TimeZone = Annotated[str, SHOWN, StringConstraints(min_length=1, max_length=100), AfterValidator(_zone)]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class WindowPart(Part):
    """When production may be changed: from a date and time to another, or with `days` every week."""

    from_: When = Field(alias="from", description='"2026-11-30T22:00", or with days "22:00"; in time_zone')
    to: When = Field(description='"2026-12-01T04:00", or with days "04:00": not later than `from` is the next day')
    time_zone: TimeZone = Field(description="Whose clock that is, such as America/New_York")
    days: list[Day] = Field(
        default_factory=list, max_length=7, description="Every week, on the days it opens: [sat, sun]; default once"
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        dated = [len(text) > _LONGEST_CLOCK for text in (self.from_, self.to)]
        if self.days and (any(dated) or any(len(text) > len("22:00") for text in (self.from_, self.to))):
            raise PydanticCustomError("window", "with days, from and to are times of a day: 22:00 and 04:00")
        if not self.days and not all(dated):
            raise PydanticCustomError(
                "window", "from and to need their dates, as 2026-11-30T22:00; or days: [...] for every week"
            )
        if self.days and self.from_ == self.to:
            raise PydanticCustomError("window", "from and to are the same time: it would never be open")
        return self
