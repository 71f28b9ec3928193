"""The shape of what stands around a cutover in a plan file: contacts, risks, the environment, secrets and services."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from cockpit.plan.document.field_types import Id, Note, Part, Text, Variable
from cockpit.plan.surroundings import Level


class ContactPart(Part):
    """A channel or link to reach people; plain text is enough where nobody asks where it comes from."""

    at: Note = Field(description="The channel, number or link; in [brackets] while it is not filled in")
    ref: Note = Field("", description="Where it is named: file:line")


def _spelled_out(value: Any) -> Any:
    if isinstance(value, dict):
        return value
    if not isinstance(value, str):
        raise PydanticCustomError("string_type", "must be text")
    return {"at": value}


Contact = Annotated[ContactPart, BeforeValidator(_spelled_out, json_schema_input_type=Note | ContactPart)]


class RiskPart(Part):
    """Something that may go wrong: what is done against it, and what to do when it happens all the same."""

    id: Id = Field(description="Unique among risks")
    title: Text = Field(description="The risk as people know it")
    level: Level = Field(
        Level.MEDIUM, description="high, medium or low; accepted: known, and left for later", strict=False
    )
    risk: Text = Field(description="What may happen")
    mitigation: Note = Field("", description="What is done so that it does not")
    fallback: Note = Field("", description="What to do when it does")
    impact: Note = Field("", description="What it costs when it does")
    owner: Note = Field("", description="Who accepted it, or watches it; in [brackets] while it is not filled in")
    watch: list[Id] = Field(
        default_factory=list, max_length=50, description="Items, criteria and guards that would show it, by id"
    )
    caution: Note = Field("", description="What bites about its mitigation or fallback")
    ref: Note = Field("", description="Where it comes from: file:line")


class VariablePart(Part):
    """One variable of the application's environment."""

    name: Variable = Field(description="Its name")
    required: bool = Field(default=True, description="Whether the application needs it in production")
    secret: Note = Field(
        "", description="The secret it is taken from, an entry of secrets; empty: it is set in the clear"
    )
    value: Note = Field("", description="What it must be, where that is known; never a secret")
    group: Note = Field("", description="Variables of one group are all set, or none")
    caution: Note = Field("", description="What bites about it")
    ref: Note = Field("", description="Where it is named: file:line")


class SecretPart(Part):
    """One secret in Secrets Manager."""

    name: Text = Field(description="Its name in Secrets Manager")
    keys: list[Text] = Field(default_factory=list, max_length=50, description="Keys it holds, where it is JSON")
    caution: Note = Field("", description="What bites about it")
    ref: Note = Field("", description="Where it is named: file:line")


class ServicePart(Part):
    """Something the cutover rests on: a resource of the account, or somebody else's service."""

    id: Id = Field(description="Unique among services")
    title: Text = Field(description="What it is")
    at: Note = Field(description="Its name, or the address to look at; in [brackets] while it is not filled in")
    probe: Note = Field("", description="The probe of this plan that looks at it")
    caution: Note = Field("", description="What bites about it")
    ref: Note = Field("", description="Where it is named: file:line")
