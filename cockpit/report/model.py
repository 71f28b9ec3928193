"""The content of a report as one frozen value: every format is a rendering of an Account.

As JSON (`cockpit report RECORD --format json`) the names are the ones below, times are ISO 8601 in UTC, durations are seconds,
what is not known is null or empty. `form` says which edition of this structure it is; names are added, never renamed.

    form          "cutover-cockpit/account/1"
    record        the record's id                    rehearsal   whether this was a drill
    claimed_because  why statements without a key counted in production; empty where they did not
    not_counted   statements in the record that did not count, and why
    began, ended  first and last moment kept         closed      whether every session was closed in order
    plan          what was planned                   people      who took part
    sessions      which cockpit watched, from when to when
    verdict       the last word; empty where none was kept
    because       why it stands as the record ends
    judged        false where no probe returned a value
    spans         the verdict over time              phases      what was being decided
    criteria      success criteria, triggers and guards, with their changes, their sign-offs and their main value over time
    items         the checklist, the same way        gates       each with its votes and whether it passed
    waivers, acknowledgements, decisions             exceptions and decisions, with reasons
    runbook, rollback_plan                           steps as planned and as done, and what to expect next time
    night         the change window and the last safe moment to go back; null where the plan has no window
    happened      actions and phases of the migration, and the point of no return
    gaps          when the cockpit was not watching  open        what was left open: one sentence each
    summary       the cutover in five sentences: what, outcome, impact, decisions, left open
    next_actions  what each person would have had to do next when the record ended
    proof         what `cockpit journal verify` says of the record, with the heads of its chains
    readings      how many there are, and the digest of them
"""

from __future__ import annotations

from datetime import datetime, timedelta

from cockpit.report.proof import Readings, Verification
from probes.frozen import frozen

FORM = "cutover-cockpit/account/1"
NO_RETURN, UNDONE = "point of no return", "undone"
"""Subject of an event, and how its text begins where the point of no return is not passed any more."""


@frozen
class Planned:
    """The plan as the record has it. Where its copy cannot be loaded only `name` and `digest` are known."""

    name: str = ""
    title: str = ""
    environment: str = ""
    digest: str = ""
    """SHA-256 of the file, as the journal names it."""
    source: str = ""
    digests: tuple[str, ...] = ()
    """Every plan the cutover ran by, oldest first."""
    problem: str = ""
    """Why the copy could not be loaded; empty where it was."""
    hidden_vars: tuple[str, ...] = ()
    """Vars given when it ran whose values the record hides: conditions are shown with what the plan itself says of them."""


@frozen
class Participant:
    id: str
    name: str
    roles: tuple[str, ...]
    entries: int
    """Entries under this name."""
    keys: tuple[str, ...]
    """Fingerprints of the keys that signed some of them; empty: nothing is cryptographically signed."""
    aws: tuple[str, ...] = ()
    """The AWS identities in use meanwhile."""


@frozen
class Session:
    """One cockpit, from its opening to its last entry."""

    writer: str
    by: str
    began: datetime
    ended: datetime
    closed: bool
    """Whether it was closed in order; else it was cut short, or goes on."""


@frozen
class Span:
    """One word of the verdict. An empty word: the cockpit was not watching."""

    word: str
    since: datetime
    until: datetime
    because: str = ""

    @property
    def lasted(self) -> timedelta:
        return self.until - self.since


@frozen
class PhaseSpan:
    phase: str
    since: datetime
    by: str
    why: str


@frozen
class StateChange:
    """One change of a state."""

    at: datetime
    before: str
    after: str
    because: str


@frozen
class Signature:
    """A sign-off as it was given."""

    at: datetime
    by: str
    role: str
    answer: str
    evidence: str
    key: str
    """Fingerprint of the key that signed it, where the signature holds; empty: not cryptographically signed."""
    rehearsal: bool
    retracted: bool
    stale: str = ""
    """Why it no longer counted at the end; empty where it did, or where a later one took its place."""


@frozen
class Asked:
    """What was asked of whom, and everything that was answered."""

    ask: str
    roles: tuple[str, ...]
    given: tuple[Signature, ...]
    counts: bool
    """Whether the last one counted at the end."""


@frozen
class Point:
    """The values of a stretch of time; all None where it was unknown."""

    at: datetime
    low: float | None
    high: float | None
    last: float | None


@frozen
class Measure:
    """The main value of a criterion over time, coarse enough to draw."""

    path: str
    """`probe.field`"""
    meaning: str
    unit: str
    """As the probe declares it; "bool" where it is yes (1) or no (0)."""
    operator: str
    threshold: float | None
    points: tuple[Point, ...]
    step: timedelta
    """Points further apart than this are not joined: there was no reading in between."""


@frozen
class CriterionAccount:
    id: str
    title: str
    kind: str
    """"success", "trigger" or "guard"; empty where the plan is not known."""
    severity: str
    enforced: bool
    condition: str
    holds_for: timedelta
    state: str
    """The last one kept; UNKNOWN where there was never another."""
    since: datetime | None
    because: str
    turns: tuple[StateChange, ...]
    waived: str = ""
    """By whom and why, if a waiver was active at the end."""
    sign_off: Asked | None = None
    measure: Measure | None = None
    ref: str = ""


@frozen
class ItemAccount:
    id: str
    title: str
    section: str
    phase: str
    blocking: bool
    killer: bool
    state: str
    since: datetime | None
    because: str
    turns: tuple[StateChange, ...]
    waived: str = ""
    sign_off: Asked | None = None
    ref: str = ""


@frozen
class VoteAccount:
    at: datetime
    by: str
    role: str
    choice: str
    why: str
    key: str
    rehearsal: bool


@frozen
class GateAccount:
    id: str
    title: str
    before: str
    passed: bool
    """At the end: it was used, or was passed by the votes that still counted then."""
    first_passed: datetime | None
    missing: tuple[str, ...]
    votes: tuple[VoteAccount, ...]
    uses: tuple[GateUseAccount, ...] = ()


@frozen
class GateUseAccount:
    """What a gate guards was begun, with the votes it was passed by then."""

    at: datetime
    act: str
    by: str
    votes: tuple[str, ...]
    key: str


@frozen
class WaiverAccount:
    subject: str
    title: str
    at: datetime
    until: datetime
    by: str
    why: str
    key: str
    taken_back: datetime | None = None


@frozen
class DecisionAccount:
    """What a person decided (or, of a trigger, acknowledged), and what the cockpit advised then."""

    at: datetime
    choice: str
    by: str
    why: str
    advised: str
    key: str
    subject: str = ""
    """For an acknowledgement: what was true before the cutover began."""
    about: str = ""
    """The trips it answers, and until when; of an acknowledgement, since when it was true."""


@frozen
class StepAccount:
    id: str
    title: str
    progress: str
    planned: timedelta | None
    took: timedelta | None
    began: datetime | None
    ended: datetime | None
    by: str
    seen: str
    sign_off: Asked | None = None
    planned_start: datetime | None = None
    planned_end: datetime | None = None
    """From the window's begin, by the durations of the plan."""
    late: timedelta | None = None
    """Its end against the planned one, negative: early. None where it was not begun, or the plan has no time for it."""
    expect_next: timedelta | None = None
    """What to expect of it next time; None where what the plan says was right, or it was not done."""


@frozen
class NightAccount:
    """The change window the cutover was in, and until when a rollback fitted into it."""

    begins: datetime
    ends: datetime
    time_zone: str
    last_safe_moment: datetime | None
    """None where no step of the rollback plan has a duration."""
    rollback_takes: timedelta | None
    reserve: timedelta
    fit: str
    """How a rollback fitted at the end of the record; empty where there is no rollback plan."""
    turns: tuple[StateChange, ...] = ()
    """Every change of that."""


@frozen
class Event:
    at: datetime
    subject: str
    text: str
    by: str = ""


@frozen
class Sentence:
    """One sentence of the summary, and what it is about."""

    about: str
    text: str


@frozen
class Gap:
    since: datetime
    until: datetime


@frozen
class NotCountedAccount:
    """A statement in the record that did not count."""

    at: datetime
    kind: str
    """As the journal names it: "vote", "waiver"."""
    subject: str
    by: str
    role: str
    why: str


@frozen
class Account:
    record: str
    rehearsal: bool
    began: datetime | None
    ended: datetime | None
    closed: bool
    plan: Planned
    verdict: str
    judged: bool
    spans: tuple[Span, ...]
    phases: tuple[PhaseSpan, ...]
    people: tuple[Participant, ...]
    sessions: tuple[Session, ...]
    criteria: tuple[CriterionAccount, ...]
    items: tuple[ItemAccount, ...]
    gates: tuple[GateAccount, ...]
    waivers: tuple[WaiverAccount, ...]
    acknowledgements: tuple[DecisionAccount, ...]
    decisions: tuple[DecisionAccount, ...]
    runbook: tuple[StepAccount, ...]
    rollback_plan: tuple[StepAccount, ...]
    happened: tuple[Event, ...]
    gaps: tuple[Gap, ...]
    open: tuple[str, ...]
    proof: Verification
    readings: Readings
    claimed_because: str = ""
    not_counted: tuple[NotCountedAccount, ...] = ()
    night: NightAccount | None = None
    because: str = ""
    """Why the verdict stands as the record ends; why it came to be where that is not known."""
    undecided: bool = False
    """Whether a trip that called for a rollback was still waiting for a decision at the end."""
    next_actions: tuple[str, ...] = ()
    summary: tuple[Sentence, ...] = ()
    form: str = FORM

    @property
    def lasted(self) -> timedelta:
        return self.ended - self.began if self.began and self.ended else timedelta(0)
