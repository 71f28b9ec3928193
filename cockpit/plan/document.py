"""The shape of a plan file, field by field: what is accepted, and what editors show. The JSON Schema is made from this."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from cockpit.plan.model import Mode, OnUnknown, Phase, Severity
from probes.periods import Duration

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,79}$")]
ProbeName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,39}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
Condition = Annotated[str, StringConstraints(min_length=1, max_length=4000)]


class Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, strict=True, arbitrary_types_allowed=False
    )


class TargetPart(Part):
    """The account and region this plan is for; another account stops the cockpit before the first probe."""

    account: Annotated[str, StringConstraints(pattern=r"^\d{12}$")] = Field(
        "", description="AWS account id, 12 digits, in quotes"
    )
    region: str = Field("", description="AWS region, such as us-east-1")


class PersonPart(Part):
    id: Id = Field(description="Short name the record uses")
    name: Text = Field(description="The person's name; in [brackets] while it is not filled in")
    roles: list[Id] = Field(min_length=1, description="Roles this person holds")
    ssh_key: str = Field("", description="Public SSH key the person signs with")


class DefaultsPart(Part):
    interval: Duration | None = Field(None, description="How often probes read, unless they say otherwise")
    timeout: Duration | None = Field(None, description="Longest a read may take, in real time")


class ProbePart(Part):
    """One named probe. It is read once per interval, however many conditions use it."""

    uses: Text = Field(description="A registered probe, such as ecs.service; `cockpit probes` lists them")
    with_: dict[str, Any] = Field(default_factory=dict, alias="with", description="The probe's parameters")
    interval: Duration | None = Field(None, description="How often it reads")
    timeout: Duration | None = Field(None, description="Longest a read may take, in real time")
    title: str = Field("", description="What to call it on screen")


class SignOffPart(Part):
    ask: Text = Field(description="The question; it is answered in words, with what was seen")
    roles: list[Id] = Field(min_length=1, description="Who may answer")
    valid_for: Duration | None = Field(None, description="How long an answer counts")
    claimed: bool = Field(True, description="Whether a sign-off without an SSH key is accepted, shown as claimed")


class ItemPart(Part):
    """One checklist line: `expect` for what a probe can see, `sign_off` for what a person must say, or both."""

    id: Id = Field(description="Unique in the plan")
    title: Text = Field(description="The line as people know it")
    expect: Condition | None = Field(None, description="CEL over probe.field that must be true")
    sign_off: SignOffPart | None = Field(None, description="What a person must answer")
    blocking: bool = Field(True, description="Whether it stands in the way of GO")
    killer: bool = Field(False, description="Shown first: the items that kill a cutover when they are missed")
    caution: str = Field("", description="What bites about this line")
    ref: str = Field("", description="Where the line comes from: file:line")


class SectionPart(Part):
    section: Text = Field(description="Heading")
    phase: Literal["pre_deploy", "post_deploy"] = Field(Phase.PRE_DEPLOY.value, description="When it has to be done")
    items: list[ItemPart] = Field(min_length=1)


class PollPart(Part):
    roles: list[Id] = Field(min_length=1, description="Roles that are asked")
    required: int = Field(1, ge=1, le=50, description="How many must say go")
    distinct_people: bool = Field(True, description="Whether one person counts once, whatever roles they hold")
    valid_for: Duration | None = Field(None, description="How long a vote counts")


class GatePart(Part):
    id: Id
    title: str = Field("", description="What to call it on screen")
    before: Literal["deploy", "migrate", "purge"] = Field(description="What it guards")
    poll: PollPart


class CriterionPart(Part):
    """What success criteria and rollback triggers share."""

    id: Id = Field(description="Unique in the plan")
    title: Text = Field(description="The criterion as people know it")
    for_: Duration | None = Field(None, alias="for", description="How long it must hold, in the time of the data")
    min_samples: int | None = Field(
        None, ge=1, le=10_000, description="Real samples needed; default 3 with `for`, else 1"
    )
    gap_tolerance: Duration | None = Field(
        None, description="Longest gap between samples that still counts; default 2 x interval"
    )
    stale_after: Duration | None = Field(None, description="Age of the data at which it is unknown")
    initial_delay: Duration | None = Field(None, description="Not judged before this long after the phase began")
    error_limit: int | None = Field(
        None, ge=1, le=1000, description="Passing errors in a row before it is unknown; default 4"
    )
    severity: Severity = Field(
        Severity.CRITICAL, description="critical trips ROLLBACK alone, two majors together; info never", strict=False
    )
    mode: Mode = Field(Mode.ENFORCE, description="shadow is shown but never judges", strict=False)
    sign_off: SignOffPart | None = Field(None, description="What a person must confirm as well")
    runbook: str = Field("", description="Link or text: what to do when it fails")
    caution: str = Field("", description="What bites about it")
    ref: str = Field("", description="Where it comes from: file:line")


class SuccessPart(CriterionPart):
    success_condition: Condition | None = Field(None, description="CEL over probe.field that must be true")


class TriggerPart(CriterionPart):
    failure_condition: Condition | None = Field(
        None, description="CEL over probe.field that calls for a rollback when true"
    )
    clear_for: Duration | None = Field(None, description="How long it must be clear to recover; default 2 x for")
    clear_condition: Condition | None = Field(None, description="What must also be true to recover (hysteresis)")
    on_unknown: OnUnknown = Field(OnUnknown.HOLD, description="hold, or rollback after unknown_limit", strict=False)
    unknown_limit: Duration | None = Field(None, description="How long it may be unknown with on_unknown: rollback")


class StepPart(Part):
    """One step of the runbook or the rollback plan, in order."""

    id: Id
    title: Text
    command: str = Field("", description="What to copy and run")
    expect: str = Field("", description="What to see when it worked")
    duration: Duration | None = Field(None, description="How long it should take")
    sign_off: SignOffPart | None = None
    action: str = Field("", description="A built-in guarded action, such as ecs.rollback")
    caution: str = ""
    ref: str = ""


class HeaderPart(Part):
    """What is said once about a plan."""

    plan: Literal["v1"] = Field(description="Version of this format")
    name: Id = Field(description="Short name, used in records")
    title: str = Field("", description="What to call it on screen")
    environment: Text = Field("staging", description="production shows a red frame and PROD on every screen")
    source: str = Field("", description="The document this plan was made from")
    target: TargetPart = Field(default_factory=TargetPart)
    vars: dict[ProbeName, Any] = Field(
        default_factory=dict, description="Values used as ${name}; ${env:NAME} reads the environment"
    )
    contacts: dict[str, str] = Field(default_factory=dict, description="Channels and links to reach people")
    defaults: DefaultsPart = Field(default_factory=DefaultsPart)
    verdict_dwell: Duration | None = Field(None, description="How long everything must hold before GO; default 60s")
    migration: dict[str, Any] = Field(default_factory=dict, description="The file migration")


class PlanDocument(HeaderPart):
    """A cutover: what is watched, what must hold, what calls for a rollback, who signs, and the steps."""

    probes: dict[ProbeName, ProbePart] = Field(min_length=1, description="What is read; conditions use these names")
    people: list[PersonPart] = Field(default_factory=list)
    checklist: list[SectionPart] = Field(default_factory=list)
    gates: list[GatePart] = Field(default_factory=list)
    success_criteria: list[SuccessPart] = Field(default_factory=list)
    rollback_triggers: list[TriggerPart] = Field(default_factory=list)
    runbook: list[StepPart] = Field(default_factory=list)
    rollback_plan: list[StepPart] = Field(default_factory=list)
