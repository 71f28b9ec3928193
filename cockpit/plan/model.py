"""The plan as the rest of the product sees it: frozen values, everything resolved. Built by `cockpit.plan.load`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from cockpit.conditions.condition import Condition
from cockpit.migration_scope import EcsTask, Limits, MigrationTable, Storage
from cockpit.plan.change_window import ChangeWindow
from cockpit.plan.position import Position
from cockpit.plan.ssh_public_key import fingerprint_of
from cockpit.plan.step_action import StepAction, Synthetic
from cockpit.plan.surroundings import Risk, Secret, Service, Variable
from probes.frozen import frozen
from probes.reading import Field

VERDICT = "verdict"
"""The verdict's name among the subjects of a record: nothing of a plan has it as its id."""
VERDICT_DWELL = timedelta(seconds=60)
MIN_SAMPLES = 3
"""Real samples a window needs: two points are a line through anything."""
MISSED = 3
"""How many times its own pace a probe may be silent before what it saw no longer counts."""
ERROR_LIMIT = 4
SOAK = timedelta(hours=24)


class Phase(StrEnum):
    """Which decision is being taken. Before deployment the verdict judges whether to deploy; after it, whether to stay."""

    PRE_DEPLOY = "pre_deploy"
    POST_DEPLOY = "post_deploy"


class Kind(StrEnum):
    SUCCESS = "success"
    TRIGGER = "trigger"


class Severity(StrEnum):
    CRITICAL = "critical"
    MAJOR = "major"
    INFO = "info"


class Mode(StrEnum):
    ENFORCE = "enforce"
    SHADOW = "shadow"


class OnUnknown(StrEnum):
    HOLD = "hold"
    ROLLBACK = "rollback"


@frozen
class Ask:
    """A sign-off: the question a person answers in words, and who may answer it."""

    ask: str
    roles: tuple[str, ...]
    valid_for: timedelta | None = None
    claimed: bool = True
    """Whether a sign-off without a key is accepted (shown as claimed)."""


@frozen
class ProbeSpec:
    """One named probe of a plan: `uses` a registered probe, `params` after substitution (may hold secrets: never show them).

    `period`, `settle` and `fields` are copied from the probe at load, so that deciding needs no probe.
    """

    name: str
    uses: str
    params: Mapping[str, Any] = field(repr=False)
    interval: timedelta
    timeout: timedelta
    position: Position
    period: timedelta = timedelta(0)
    settle: timedelta = timedelta(0)
    """For a metric: how long after its end a period is still filling up."""
    title: str = ""
    fields: tuple[Field, ...] = ()
    secret_params: tuple[str, ...] = ()
    """Parameters that hold a value of the environment, by name: "dsn", "headers.Authorization"."""
    region: str = ""
    """AWS region to ask; empty for the session's."""
    profile: str = ""
    """AWS profile to ask with; empty for the session's."""

    @property
    def pace(self) -> timedelta:
        """How far apart its data is: the interval, for a metric at least the period."""
        return max(self.interval, self.period)

    @property
    def lag(self) -> timedelta:
        """The longest that an answer about a moment may take when nothing fails: the timeout, for a metric also until it
        has settled and is asked for."""
        return self.timeout + (self.settle + self.interval if self.period else timedelta(0))

    @property
    def delay(self) -> timedelta:
        """How old the newest data of a metric is at best, and one period more: no window over it begins to fill sooner."""
        return self.settle + self.period if self.period else timedelta(0)

    @property
    def oldest_fresh(self) -> timedelta:
        """How old its newest data comes to be while nothing fails: a metric's, just before its next period is read."""
        return self.pace + (self.settle + self.interval if self.period else timedelta(0))

    @property
    def stale_after(self) -> timedelta:
        """Age of the data at which it no longer counts, and the longest gap between two samples that a proof outlives."""
        return MISSED * self.pace + self.lag


@frozen
class Criterion:
    """A success criterion or rollback trigger. For a trigger `condition` is the failure; for a success it is what must hold.

    A criterion may have a condition, a sign-off, or both (both must then be satisfied).
    """

    id: str
    title: str
    kind: Kind
    condition: Condition | None
    position: Position
    sign_off: Ask | None = None
    hold_for: timedelta = timedelta(0)
    clear_for: timedelta = timedelta(0)
    clear_condition: Condition | None = None
    within: timedelta | None = None
    """For a trigger: it trips when `at_least` of the last `within` that was seen was true, whatever lay in between."""
    at_least: float = 1.0
    min_samples: int = 1
    gap_tolerance: timedelta | None = None
    """Longest gap between samples, beside the `lag` of a probe; None: each probe's own limit."""
    stale_after: timedelta | None = None
    """Age at which data no longer counts; None: each probe's own limit."""
    initial_delay: timedelta = timedelta(0)
    until: timedelta | None = None
    """How long after the deployment began it is judged at least; None: to the end of the night."""
    error_limit: int = ERROR_LIMIT
    on_unknown: OnUnknown = OnUnknown.HOLD
    unknown_limit: timedelta | None = None
    severity: Severity = Severity.CRITICAL
    mode: Mode = Mode.ENFORCE
    runbook: str = ""
    ref: str = ""
    caution: str = ""

    @property
    def needs(self) -> timedelta:
        """How long its condition must be true: without a break, or of an M of N in all."""
        return self.hold_for if self.within is None else self.at_least * self.within

    @property
    def enforced(self) -> bool:
        """Whether it can move the verdict: shadow and info are shown but never do."""
        return self.mode is Mode.ENFORCE and self.severity is not Severity.INFO

    @property
    def decides(self) -> bool:
        """Whether the verdict can rest on it: a trigger without a condition could never trip, so it is none."""
        return self.enforced and (self.condition is not None or self.kind is Kind.SUCCESS)


@frozen
class Item:
    """One checklist line. PASS when `expect` is true now and `sign_off`, where there is one, is given and fresh."""

    id: str
    title: str
    position: Position
    expect: Condition | None = None
    sign_off: Ask | None = None
    blocking: bool = True
    killer: bool = False
    caution: str = ""
    ref: str = ""
    stale_after: timedelta | None = None
    """Age at which data no longer counts; None: each probe's own limit."""


@frozen
class Section:
    title: str
    phase: Phase
    items: tuple[Item, ...]


@frozen
class Poll:
    """Who must say go: at least `required` votes from `roles`, all by distinct people where asked."""

    roles: tuple[str, ...]
    required: int
    distinct_people: bool = True
    valid_for: timedelta | None = None
    exclude_initiator: bool = False
    """Whether the go of whoever starts what is guarded does not count."""


@frozen
class Gate:
    id: str
    title: str
    before: str
    """What it guards: "deploy", "migrate", "purge", or a step of the runbook by its id."""
    poll: Poll
    position: Position


@frozen
class Step:
    """One step of the runbook or the rollback plan."""

    id: str
    title: str
    position: Position
    command: str = ""
    expect: str = ""
    """What to see when it worked, in words."""
    duration: timedelta | None = None
    """How long it should take: `expected` in the plan."""
    sign_off: Ask | None = None
    action: StepAction | None = None
    caution: str = ""
    ref: str = ""
    after: tuple[str, ...] | None = None
    """Steps of the same list that must be over first; None: the one before it."""
    roles: tuple[str, ...] = ()
    owner: str = ""
    """Id of the person who does it."""
    gate: str = ""
    """Id of the gate it waits for."""
    progress: tuple[str, ...] = ()
    """Fields, as `probe.field`, whose mean goes from 0 to 1 as it proceeds."""
    in_window: bool = True
    """False: it is prepared before the change window."""


@frozen
class Person:
    id: str
    name: str
    roles: tuple[str, ...]
    ssh_key: str = ""
    ref: str = ""

    @property
    def fingerprint(self) -> str:
        """Of the key they sign with, as `ssh-keygen -l` shows it; empty where the plan names none.

        A key that cannot be read has one that no signature has: nobody signs for that person.
        """
        return fingerprint_of(self.ssh_key)


@frozen
class Target:
    account: str = ""
    region: str = ""


@frozen
class Migration:
    """The files that move from PostgreSQL to S3. `database` is a connection string that may write: never show it."""

    database: str = field(repr=False)
    bucket: str
    region: str
    tables: tuple[MigrationTable, ...]
    prefix: str = "documents/"
    guards: tuple[Criterion, ...] = ()
    """Conditions that pause copying while they are true or unknown, judged as triggers are."""
    limits: Limits = field(default_factory=Limits)
    soak: timedelta = SOAK
    """How long files must have lived in S3 before their bytes may leave the database."""
    verify_share: float = 1.0
    """Share of the small files that are read back whole; files in parts always are."""
    window: tuple[str, str] = ("", "")
    """Off-hours as HH:MM, in `timezone`; empty: at any time."""
    timezone: str = "UTC"
    ecs: EcsTask | None = None
    storage: Storage = field(default_factory=Storage)


@frozen
class Witness:
    """Who outside proves when the record was written: a timestamp authority, or a transparency log."""

    url: str
    pem: str
    """Its root certificate, or its public key."""


@frozen
class Plan:
    """A whole cutover. `digest` is the SHA-256 of the file's bytes, hex; sign-offs are bound to it."""

    name: str
    title: str
    environment: str
    path: str
    digest: str
    source: str = ""
    target: Target = Target()
    people: tuple[Person, ...] = ()
    contacts: Mapping[str, str] = field(default_factory=dict)
    contact_refs: Mapping[str, str] = field(default_factory=dict)
    """Where a contact is named, for those that say so."""
    probes: Mapping[str, ProbeSpec] = field(default_factory=dict)
    checklist: tuple[Section, ...] = ()
    gates: tuple[Gate, ...] = ()
    success_criteria: tuple[Criterion, ...] = ()
    rollback_triggers: tuple[Criterion, ...] = ()
    runbook: tuple[Step, ...] = ()
    rollback_plan: tuple[Step, ...] = ()
    migration: Migration | None = None
    synthetic: Synthetic | None = None
    risks: tuple[Risk, ...] = ()
    environment_variables: tuple[Variable, ...] = ()
    secrets: tuple[Secret, ...] = ()
    services: tuple[Service, ...] = ()
    timestamps: Witness | None = None
    transparency_log: Witness | None = None
    verdict_dwell: timedelta = VERDICT_DWELL
    window: ChangeWindow | None = None
    rollback_reserve: timedelta = timedelta(0)
    """Kept free at the window's end, on top of what a rollback takes."""
    needs_environment: tuple[str, ...] = ()
    """Environment variables the plan reads that are not set (only when loaded without requiring them)."""
    reads_environment: tuple[str, ...] = ()
    """Every environment variable the plan or one of its probes reads, set or not."""
    secret_vars: tuple[str, ...] = ()
    """Entries of `vars:` that read the environment: what replaces one may be as secret, and is not kept in a record."""

    @property
    def production(self) -> bool:
        return self.environment.lower() in ("production", "prod")

    def criteria(self) -> Iterator[Criterion]:
        """Success criteria, then rollback triggers, in the plan's order."""
        yield from self.success_criteria
        yield from self.rollback_triggers

    def guards(self) -> tuple[Criterion, ...]:
        """What pauses the migration, where there is one."""
        return self.migration.guards if self.migration else ()

    def conditions(self) -> Iterator[Condition]:
        """Every condition that is evaluated: of criteria, of checklist lines, of guards."""
        for one in (*self.criteria(), *self.guards()):
            yield from (condition for condition in (one.condition, one.clear_condition) if condition is not None)
        yield from (item.expect for _, item in self.items() if item.expect is not None)

    def asks(self) -> dict[str, Ask]:
        """What is asked about items, criteria and steps, by their id; those without a sign-off are absent."""
        asked = {item.id: item.sign_off for _, item in self.items()}
        asked |= {each.id: each.sign_off for each in self.criteria()}
        asked |= {step.id: step.sign_off for step in (*self.runbook, *self.rollback_plan)}
        return {subject: ask for subject, ask in asked.items() if ask is not None}

    def items(self) -> Iterator[tuple[Section, Item]]:
        for section in self.checklist:
            for item in section.items:
                yield section, item
