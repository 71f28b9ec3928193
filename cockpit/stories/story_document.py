"""What a story file may hold: its models, and the source of its JSON Schema."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from cockpit.decide.states import Word
from cockpit.plan.document.field_types import Id, Note, Period, Scalar, Span, Text
from probes.reading import Reason
from probes.suggestion import suggestion


def _one_of(known: tuple[str, ...]) -> Callable[[str], str]:
    """Checks that a text is one of these words, with a hint at the nearest where it is not."""

    def check(text: str) -> str:
        if text not in known:
            raise PydanticCustomError(
                "word", "is none of the known words{hint}", {"hint": suggestion(text, known, "there is")}
            )
        return text

    return check


REASONS, VERDICTS = tuple(map(str, Reason)), tuple(map(str, Word))
PathText = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*\.[A-Za-z_][A-Za-z0-9_]*$", examples=["queue.age_s"])]
TargetText = Annotated[
    str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$", examples=["queue", "errors.rate"])
]
ReasonWord = Annotated[str, AfterValidator(_one_of(REASONS)), WithJsonSchema({"enum": list(REASONS)})]
VerdictWord = Annotated[str, AfterValidator(_one_of(VERDICTS)), WithJsonSchema({"enum": list(VERDICTS)})]
DEEDS = ("set", "trip", "fail", "blind", "late", "flap", "mend")
FLAPS_EVERY = timedelta(minutes=1)
_TAKES = {
    "reason": ("blind", "flap"),
    "for": ("blind", "late", "flap"),
    "by": ("late",),
    "every": ("flap",),
    "to": ("flap",),
}


class StoryModel(BaseModel):
    """A mapping of a story file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class DeedPart(StoryModel):
    """One line of the timeline: at this time after the story begins, exactly one thing happens to what probes read."""

    at: Span
    set: dict[PathText, Scalar | list[str]] | None = None
    """Fields get these values."""
    trip: Id | None = None
    """The condition of this rollback trigger comes true, by the values nearest to the ones before."""
    fail: Id | None = None
    """The condition of this success criterion or checklist line comes false."""
    blind: TargetText | None = None
    """A probe, or one of its fields, cannot be read."""
    late: TargetText | None = None
    """What this probe reads is older than usual, `by` so much."""
    flap: TargetText | None = None
    """A field changes to `to` and back, half of `every` each; a probe cannot be read and can be read again."""
    restore: TargetText | None = Field(None, alias="mend")
    """A probe or field is healthy again, and seen in time."""
    reason: ReasonWord | None = None
    for_: Period | None = Field(None, alias="for")
    by: Period | None = None
    every: Period = FLAPS_EVERY
    to: Scalar | list[str] | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> DeedPart:
        written = {
            (info.alias or name) for name, info in type(self).model_fields.items() if name in self.model_fields_set
        }
        deeds = [deed for deed in DEEDS if deed in written]
        if len(deeds) != 1:
            raise PydanticCustomError("deed", "exactly one thing happens in a line: " + ", ".join(DEEDS))
        for key, takers in _TAKES.items():
            if key in written and deeds[0] not in takers:
                raise PydanticCustomError("deed", f"'{key}' goes with {' or '.join(takers)}, not with {deeds[0]}")
        if self.late is not None and self.by is None:
            raise PydanticCustomError("deed", "late needs by: {late: errors, by: 6m}")
        if self.flap is not None and ("." in self.flap) != ("to" in written):
            raise PydanticCustomError(
                "deed", "a field flaps to a value: {flap: queue.age_s, to: 940.0}; a probe has none"
            )
        return self


class ExpectationPart(StoryModel):
    """One thing the story is to come to: at a time, by a time, or never."""

    at: Span | None = None
    by: Period | None = None
    never: VerdictWord | None = None
    verdict: VerdictWord | None = None
    because: Id | None = None
    """What the verdict rests on: a trigger that is latched, or what stands in the way of GO."""
    subject: Id | None = None
    state: Text | None = None
    """The state of `subject`, a criterion or a checklist line: PENDING, TRIPPED, PASS ..."""

    @model_validator(mode="after")
    def _complete(self) -> ExpectationPart:
        when = [key for key in ("at", "by", "never") if getattr(self, key) is not None]
        if len(when) != 1:
            raise PydanticCustomError("when", "exactly one of at, by and never")
        others = (self.verdict, self.subject, self.because)
        if self.never is not None and any(others):
            raise PydanticCustomError("when", "never takes the verdict itself: {never: GO}")
        if (self.subject is None) != (self.state is None):
            raise PydanticCustomError("what", "subject and state go together")
        if self.never is None and not any(others):
            raise PydanticCustomError("what", "has no verdict, and no subject with its state")
        if self.because is not None and self.verdict is None:
            raise PydanticCustomError("what", "because is the reason of a verdict: write that too")
        return self


class StoryPart(StoryModel):
    """A world written as readings: what probes read and when, and what the plan is to make of it."""

    story: Literal["v1"]
    plan: Text
    """The plan's file, from this one's folder."""
    title: Text
    about: Note = ""
    vars: dict[Id, Scalar] = Field(default_factory=dict)
    """Values for the plan's vars."""
    phase: Literal["pre_deploy", "post_deploy"] = "post_deploy"
    begin: Period | None = None
    """The story starts before its deployment, and begins it then."""
    people: Literal["play", "silent"] = "play"
    healthy: dict[PathText, Scalar | list[str]] = Field(default_factory=dict)
    """Fields that have these values where nothing happens; everything else is found from the plan."""
    timeline: list[DeedPart] = Field(default_factory=list)
    expect: list[ExpectationPart] = Field(min_length=1)
    lasts: Period | None = None
    """How long it goes on; else to a minute after the last time it names."""
