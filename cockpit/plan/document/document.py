"""The shape of a plan file, field by field: what is accepted, and what editors show. The JSON Schema is made from this."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from cockpit.plan.document.context import Contact, RiskPart, SecretPart, ServicePart, VariablePart
from cockpit.plan.document.field_types import (
    AccountId,
    ConditionText,
    Id,
    Lines,
    Note,
    Parameters,
    Part,
    Period,
    ProbeField,
    ProbeName,
    Region,
    Roles,
    Scalar,
    Share,
    Span,
    Text,
    Within,
)
from cockpit.plan.document.migration_part import MigrationPart
from cockpit.plan.document.record_part import RecordPart
from cockpit.plan.document.synthetic_part import SyntheticPart
from cockpit.plan.document.window_part import WindowPart
from cockpit.plan.ecs_services import ACTIONS
from cockpit.plan.model import Mode, OnUnknown, Phase, Severity
from cockpit.plan.text_kind import SHOWN


class TargetPart(Part):
    """The account and region this plan is for; another account stops the cockpit before the first probe."""

    account: AccountId = Field(
        "", description='AWS account id: 12 digits, in quotes; "[...]" while it is not filled in'
    )
    region: Region = Field("", description="AWS region, such as us-east-1")


class PersonPart(Part):
    """Somebody who signs, votes or is called."""

    id: Id = Field(description="Short name the record uses")
    name: Text = Field(description="The person's name; in [brackets] while it is not filled in")
    roles: Roles = Field(description="Roles this person holds; sign-offs and polls ask for roles")
    ssh_key: Note = Field("", description="Public SSH key the person signs with: ssh-ed25519 AAAA...")
    ref: Note = Field("", description="Where the person is named: file:line")


class DefaultsPart(Part):
    """What probes do unless they say otherwise."""

    interval: Period | None = Field(None, description="How often probes read; without it each kind has its own")
    timeout: Period | None = Field(None, description="Longest a read may take, in real time; default 10s")


class ProbePart(Part):
    """One named probe. It is read once per interval, however many conditions use it."""

    uses: Text = Field(description="A registered probe, such as ecs.service; `cockpit probes` lists them")
    with_: Parameters = Field(
        default_factory=dict, alias="with", description="The probe's parameters; ${name} stands for an entry of vars"
    )
    interval: Period | None = Field(None, description="How often it reads")
    timeout: Period | None = Field(None, description="Longest a read may take, in real time")
    region: Region = Field(
        "", description="AWS region to ask, where it is not the target's: metrics of CloudFront are in us-east-1"
    )
    profile: Note = Field(
        "",
        description="AWS profile to ask with, such as one that assumes a role in another account; its account is not checked",
    )
    title: Note = Field("", description="What to call it on screen")


class SignOffPart(Part):
    """What only a person can say. It is answered in words, with what was seen; never with a tick."""

    ask: Text = Field(description="The question; a good one can only be answered by somebody who looked")
    roles: Roles = Field(description="Who may answer: roles that people of this plan hold")
    valid_for: Period | None = Field(None, description="How long an answer counts; default until the plan changes")
    claimed: bool = Field(True, description="Whether a sign-off without an SSH key is accepted, shown as claimed")


class ItemPart(Part):
    """One checklist line: `expect` for what a probe can see, `sign_off` for what a person must say, or both."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["expect"]}, {"required": ["sign_off"]}]})

    id: Id = Field(description="Unique among items, criteria, gates and steps; the record names it")
    title: Text = Field(description="The line as people know it")
    expect: ConditionText | None = Field(None, description="CEL over probe.field that must be true: database.available")
    sign_off: SignOffPart | None = Field(None, description="What a person must answer")
    blocking: bool = Field(True, description="Whether it stands in the way of GO")
    killer: bool = Field(False, description="Shown first: the items that kill a cutover when they are missed")
    caution: Note = Field("", description="What bites about this line")
    ref: Note = Field("", description="Where the line comes from: file:line")


class SectionPart(Part):
    """A group of checklist lines, done before or after the deployment."""

    section: Text = Field(description="Heading")
    phase: Literal["pre_deploy", "post_deploy"] = Field(Phase.PRE_DEPLOY.value, description="When it has to be done")
    items: list[ItemPart] = Field(min_length=1, description="The lines, in the order people work through them")


class PollPart(Part):
    """Who must say go."""

    roles: Roles = Field(description="Roles that are asked")
    required: int = Field(1, ge=1, le=50, description="How many must say go")
    distinct_people: bool = Field(True, description="Whether one person counts once, whatever roles they hold")
    valid_for: Period | None = Field(None, description="How long a vote counts")
    exclude_initiator: bool = Field(
        False, description="Whether the go of whoever starts what is guarded does not count"
    )


GuardedName = Annotated[
    str,
    SHOWN,
    StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,100}$"),
    WithJsonSchema({"anyOf": [{"enum": ["deploy", "migrate", "purge"]}, {"type": "string"}]}),
]


class GatePart(Part):
    """A poll that must be go before something that is hard to undo."""

    id: Id = Field(description="Unique among items, criteria, gates and steps")
    title: Note = Field("", description="What to call it on screen")
    before: GuardedName = Field(
        description="What it guards: deploy, migrate, purge, or a step of the runbook by its id"
    )
    poll: PollPart = Field(description="Who must say go")


class CriterionPart(Part):
    """What success criteria and rollback triggers share."""

    id: Id = Field(description="Unique among items, criteria, gates and steps; the record names it")
    title: Text = Field(description="The criterion as people know it")
    for_: Span | None = Field(
        None,
        alias="for",
        description="How long it must hold without a break, in the time of the data; metrics count whole periods; default 0s",
    )
    min_samples: int | None = Field(
        None, ge=1, le=10_000, description="Real samples needed; default 3 with `for` or `within`, else 1"
    )
    gap_tolerance: Span | None = Field(
        None,
        description="Longest gap between samples that a proof outlives, beside what an answer takes; default: each probe's limit",
    )
    stale_after: Period | None = Field(
        None,
        description="Age of the data at which it is unknown; default: each probe's limit, 3 x interval (or period) and what an"
        " answer takes",
    )
    initial_delay: Span | None = Field(None, description="Not judged before this long after the phase began")
    until: Period | None = Field(
        None,
        description="Judged only this long after the deployment began, and then until it is next seen to be good; it stays in the"
        " list as PAST",
    )
    error_limit: int | None = Field(
        None, ge=1, le=1000, description="Passing errors in a row before it is unknown; default 4"
    )
    severity: Severity = Field(
        Severity.CRITICAL,
        description="critical trips ROLLBACK alone, two majors together; info is shown and never judges",
        strict=False,
    )
    mode: Mode = Field(Mode.ENFORCE, description="shadow is shown but never judges", strict=False)
    sign_off: SignOffPart | None = Field(None, description="What a person must confirm as well")
    runbook: Note = Field("", description="Link or text: what to do when it fails")
    caution: Note = Field("", description="What bites about it")
    ref: Note = Field("", description="Where it comes from: file:line")


class SuccessPart(CriterionPart):
    """What must be true for the cutover to stand: all of them, for GO."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["success_condition"]}, {"required": ["sign_off"]}]}
    )

    success_condition: ConditionText | None = Field(
        None, description="CEL over probe.field that must be true: service.running == 2. Ratios are 0.05, never 5 %"
    )


class TriggerPart(CriterionPart):
    """What calls for a rollback when it becomes true."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": ["failure_condition"]}, {"required": ["sign_off"]}]}
    )

    failure_condition: ConditionText | None = Field(
        None, description="CEL over probe.field that calls for a rollback when true: errors.rate > 0.05"
    )
    within: Within | None = Field(
        None, description="M of N, in the place of `for`: of this much time that was seen, at_least so much was bad"
    )
    at_least: Share | None = Field(None, description="The share of `within` that must be bad to trip, such as 80%")
    clear_for: Span | None = Field(
        None, description="How long it must be clear to recover; default 2 x for, or within for an M of N"
    )
    clear_condition: ConditionText | None = Field(None, description="What must also be true to recover (hysteresis)")
    on_unknown: OnUnknown = Field(OnUnknown.HOLD, description="hold, or rollback after unknown_limit", strict=False)
    unknown_limit: Period | None = Field(None, description="How long it may be unknown with on_unknown: rollback")


ActionName = Annotated[
    str,
    SHOWN,
    StringConstraints(min_length=1, max_length=200),
    WithJsonSchema({"enum": list(ACTIONS)}),
]


class ActionPart(Part):
    """A built-in guarded action, and the service it changes: no other."""

    uses: ActionName = Field(description="A built-in action, such as ecs.rollback")
    service: Note = Field(
        "",
        description="A probe that watches the ECS service, or cluster/service; needed where the plan watches several",
    )


def _spelled_out(value: Any) -> Any:
    return {"uses": value} if isinstance(value, str) else value


Action = Annotated[ActionPart, BeforeValidator(_spelled_out, json_schema_input_type=ActionName | ActionPart)]


class StepPart(Part):
    """One step of the runbook or the rollback plan, in order."""

    id: Id = Field(description="Unique among items, criteria, gates and steps")
    title: Text = Field(description="What is done")
    command: Lines = Field(
        "", description="What to copy and run; ${name} stands for an entry of vars, $${NAME} for ${NAME} itself"
    )
    expect: Note = Field("", description="What to see when it worked, in words")
    expected: Period | None = Field(None, description="How long it should take")
    duration: Period | None = Field(None, description="The earlier name of expected")
    after: list[Id] | None = Field(
        None, max_length=50, description="Steps of the same list that must be over first; default the one before it"
    )
    roles: list[Id] = Field(default_factory=list, max_length=20, description="Roles whose people do it")
    owner: Id | None = Field(None, description="The person who does it, by id")
    gate: Id | None = Field(
        None, description="The gate it waits for, by id; or what that guards: deploy, migrate, purge"
    )
    progress: list[ProbeField] = Field(
        default_factory=list,
        max_length=10,
        description="Fields that go from 0 to 1 as it proceeds, as probe.field; of several their mean. They give its end",
    )
    in_window: bool = Field(True, description="false: prepared before the change window, and no part of that night")
    sign_off: SignOffPart | None = Field(None, description="What a person must answer when it is done")
    action: Action | None = Field(
        None,
        description="A built-in guarded action: ecs.rollback, {uses: ecs.rollback, service: ...} or synthetic.traffic",
    )
    caution: Note = Field("", description="What bites about this step")
    ref: Note = Field("", description="Where the step comes from: file:line")

    @model_validator(mode="after")
    def _one_name(self) -> Self:
        if self.expected is not None and self.duration is not None:
            raise ValueError("expected and duration are one thing: write expected")
        return self


PartPlace = Annotated[
    Any, SHOWN, WithJsonSchema({"type": ["string", "object"], "examples": ["parts/web-service.yaml"]})
]


class IncludePart(Part):
    """A part put in under a name: its probes are NAME_probe in conditions, its lines NAME.id."""

    part: Id = Field(description="One of `parts`")
    as_: Text = Field(alias="as", description="Short name, such as api: it stands before every id of the part")
    with_: Parameters = Field(
        default_factory=dict, alias="with", description="What the part's inputs are; ${name} stands for a var"
    )


class HeaderPart(Part):
    """The keys of a plan that stand outside its lists."""

    plan: Literal["v1"] = Field(description="Version of this format")
    name: Id = Field(description="Short name, used in records")
    title: Note = Field("", description="What to call it on screen")
    environment: Text = Field("staging", description="production shows a red frame and PROD on every screen")
    source: Note = Field("", description="The document this plan was made from")
    target: TargetPart = Field(default_factory=TargetPart, description="The account and region it is for")
    vars: dict[str, Scalar] = Field(
        default_factory=dict,
        description="Values used as ${name}; ${env:NAME} and ${env:NAME:-default} read the environment, never shown",
    )
    parts: dict[Id, PartPlace] = Field(
        default_factory=dict,
        description="Fragments by name: a file in the plan's folder, or the part itself (part: v1, inputs, probes, ...)",
    )
    include: list[IncludePart] = Field(
        default_factory=list,
        max_length=50,
        description="Parts to put in, in order: {part: NAME, as: api, with: {input: value}}",
    )
    contacts: dict[str, Contact] = Field(
        default_factory=dict, description="Channels and links to reach people: text, or {at: text, ref: file:line}"
    )
    defaults: DefaultsPart = Field(default_factory=DefaultsPart, description="What probes do unless they say otherwise")
    verdict_dwell: Span | None = Field(None, description="How long everything must hold before GO; default 60s")
    window: WindowPart | None = Field(None, description="The change window: when production may be changed")
    rollback_reserve: Span | None = Field(
        None, description="Kept free at the window's end, on top of the rollback's steps; default 0s"
    )
    migration: MigrationPart | None = Field(None, description="The file migration")
    synthetic: SyntheticPart | None = Field(None, description="Traffic in the users' place, for a quiet night")
    record: RecordPart = Field(default_factory=RecordPart, description="What proves when the record was written")


class PlanDocument(HeaderPart):
    """A cutover: what is watched, what must hold, what calls for a rollback, who signs, and the steps."""

    probes: dict[ProbeName, ProbePart] = Field(min_length=1, description="What is read; conditions use these names")
    people: list[PersonPart] = Field(default_factory=list, description="Who signs, votes and is called")
    checklist: list[SectionPart] = Field(default_factory=list, description="What must be done, by section")
    gates: list[GatePart] = Field(default_factory=list, description="Polls that must be go before what is hard to undo")
    success_criteria: list[SuccessPart] = Field(default_factory=list, description="What must be true for GO")
    rollback_triggers: list[TriggerPart] = Field(default_factory=list, description="What calls for a rollback")
    runbook: list[StepPart] = Field(default_factory=list, description="The steps of the deployment, in order")
    rollback_plan: list[StepPart] = Field(default_factory=list, description="The steps back, in order")
    risks: list[RiskPart] = Field(default_factory=list, description="What may go wrong, and what then")
    environment_variables: list[VariablePart] = Field(
        default_factory=list,
        description="The application's environment: what is required, and what comes from a secret",
    )
    secrets: list[SecretPart] = Field(default_factory=list, description="The secrets that must exist")
    services: list[ServicePart] = Field(default_factory=list, description="Resources and services the cutover rests on")
