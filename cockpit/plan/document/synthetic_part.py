"""Traffic in the users' place in a plan file."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from cockpit.plan.document.field_types import (
    Note,
    Part,
    Period,
)
from cockpit.plan.text_kind import SHOWN

_LONGEST_TRAFFIC = timedelta(hours=8)


def _json(text: str) -> None:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("the body is not JSON") from None


def _at_most_a_night(value: timedelta) -> timedelta:
    if value > _LONGEST_TRAFFIC:
        raise ValueError("at most 8h: it must end by itself")
    return value


class SyntheticRequestPart(Part):
    """One request; what it asks for must be safe to ask for many times."""

    path: Annotated[str, SHOWN, StringConstraints(pattern=r"^/[!-~]*$", max_length=2000)] = Field(
        description="Path and query, from /"
    )
    method: Literal["GET", "HEAD", "POST"] = Field(
        "GET", description="POST may change something: cockpit trust says so"
    )
    body: Note = Field("", description="What a POST sends: JSON, as text")

    @model_validator(mode="after")
    def _only_a_post_has_a_body(self) -> Self:
        if self.body and self.method != "POST":
            raise ValueError(f"a {self.method} has no body: write method: POST")
        if self.body:
            _json(self.body)
        return self


class SyntheticPart(Part):
    """Traffic in the users' place, sent by a step with `action: synthetic.traffic`; it stops by itself."""

    url: Annotated[str, SHOWN, StringConstraints(pattern=r"^https?://[^/?#@\s]+(/[^?#\s]*)?$")] = Field(
        description="https://host, with a path in front of all paths where there is one"
    )
    requests: list[SyntheticRequestPart] = Field(min_length=1, max_length=20, description="Sent in turn")
    per_minute: int = Field(30, ge=1, le=600, description="Requests a minute; default 30")
    for_: Annotated[Period, AfterValidator(_at_most_a_night)] = Field(
        alias="for", description="After this it has ended"
    )
