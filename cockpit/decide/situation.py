"""A frozen snapshot of everything shown. Every front end renders a Situation and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta
from enum import StrEnum

from cockpit import formatting
from cockpit.decide.act import NextAction
from cockpit.decide.because import Explanation
from cockpit.decide.events import Decision, NotCounted, Occurrence
from cockpit.decide.states import Check, GateState, State, StepState, Visibility, Word
from cockpit.decide.timing import Schedule, WayBack
from cockpit.decide.withheld import NOTHING, Withheld
from cockpit.exit_codes import COULD_NOT_JUDGE
from cockpit.plan.model import Kind, Phase, Severity
from cockpit.plan.position import Position
from cockpit.plan.step_action import StepAction
from probes.frozen import frozen
from probes.reading import Reason, Unknown, Value


class Badge(StrEnum):
    WAIVED = "WAIVED"
    PRE_EXISTING = "PRE-EXISTING"
    SHADOW = "SHADOW"
    BLIND = "BLIND"
    FLAPPED = "FLAPPED"
    """Tripped, or came close, earlier in this cutover; kept visible after recovery."""
    PAST = "PAST"
    """The time in which it is judged is over, and it was seen to be good at the end of it."""


@frozen
class CriterionStatus:
    id: str
    title: str
    kind: Kind
    severity: Severity
    enforced: bool
    state: State
    since: datetime
    because: Explanation
    position: Position
    unknown: Unknown | None = None
    badges: tuple[Badge, ...] = ()
    trips_in: timedelta | None = None
    """For a PENDING trigger: when it trips if nothing changes."""
    met_in: timedelta | None = None
    """For a PROVING criterion: when it is met if nothing changes."""
    ok_since: datetime | None = None
    """Since when it has not stood in the way of GO; None while it does."""
    pre_existing: datetime | None = None
    """Of a breach from before the cutover, or its deployment: the occurrence that an acknowledgement names."""
    acknowledged: bool = False
    """Whether somebody has acknowledged that occurrence, whatever can be seen of it now."""
    runbook: str = ""
    ref: str = ""
    caution: str = ""
    sign_off: SignOffStatus | None = None

    @property
    def ok(self) -> bool:
        return self.ok_since is not None


@frozen
class SignOffStatus:
    """The sign-off of an item or criterion: what is asked, and the one that counts now (or why the last one does not)."""

    ask: str
    roles: tuple[str, ...]
    by: str = ""
    role: str = ""
    answer: str = ""
    at: datetime | None = None
    rehearsal: bool = False
    key: str = ""
    """Fingerprint of the key it was signed with; empty: claimed."""
    evidence: str = ""
    """What was on screen when it was signed."""
    stale: str = ""
    """Why the given sign-off no longer counts; empty while it does."""

    @property
    def given(self) -> bool:
        return self.at is not None and not self.stale


@frozen
class ItemStatus:
    id: str
    title: str
    check: Check
    blocking: bool
    killer: bool
    because: Explanation
    position: Position
    since: datetime
    automatic: bool
    unknown: Unknown | None = None
    sign_off: SignOffStatus | None = None
    detail: str = ""
    caution: str = ""
    ref: str = ""
    ok_since: datetime | None = None


@frozen
class SectionStatus:
    title: str
    phase: Phase
    items: tuple[ItemStatus, ...]

    @property
    def done(self) -> int:
        return sum(item.check.meaning.done for item in self.items)


@frozen
class GateStatus:
    """A poll by role: passed when enough people of its roles voted go and nobody voted no-go or hold."""

    id: str
    title: str
    before: str
    passed: bool
    votes: tuple[str, ...]
    """Ready to show: "primary (on_call): go 12:31"."""
    missing: tuple[str, ...]
    """What is missing, from whom."""
    not_counted: tuple[str, ...] = ()
    """Votes that do not count, each with the reason; ready to show."""
    lapsed: tuple[str, ...] = ()
    """Votes whose time has passed; ready to show."""
    ok_since: datetime | None = None
    used_at: datetime | None = None
    """When what it guards was begun with these votes; None where that has not been."""
    used_by: str = ""
    voted: tuple[str, ...] = ()
    """Ids of the people whose vote stands."""

    @property
    def because(self) -> str:
        """Why it is passed or open."""
        if self.used_at is not None:
            return f"used by {self.used_by} at {formatting.clock(self.used_at)}: {'; '.join(self.votes)}"
        return "; ".join(self.votes if self.passed else (*self.lapsed, *self.missing))

    @property
    def state(self) -> GateState:
        return GateState.PASSED if self.passed else GateState.OPEN


@frozen
class StepStatus:
    """One step of the runbook or the rollback plan: what to do, and how it went."""

    id: str
    title: str
    progress: StepState
    command: str
    expect: str
    duration: timedelta | None
    """As planned."""
    action: StepAction | None
    caution: str
    ref: str
    position: Position
    sign_off: SignOffStatus | None = None
    began: datetime | None = None
    ended: datetime | None = None
    by: str = ""
    seen: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing is left to do: ended, and signed where the plan asks for it."""
        ended = self.progress.meaning.done
        return ended and (self.sign_off is None or self.sign_off.given)


@frozen
class ServiceRelease:
    """What one service runs, and what it ran before its deployment."""

    cluster: str
    service: str
    runs: str
    """Revision of its task definition, `web:42`; empty where that cannot be seen now."""
    digests: tuple[str, ...] = ()
    """Of the images that its tasks run."""
    since: datetime | None = None
    """When its newest deployment began; None where no probe sees that."""
    before: str = ""
    """The revision noted before the deployment, to which a rollback goes back; empty where none was noted."""
    before_digests: tuple[str, ...] = ()
    noted_at: datetime | None = None

    @property
    def differs(self) -> bool:
        """Whether a rollback would change what runs, as far as is seen."""
        return bool(self.runs and self.before) and self.runs != self.before


@frozen
class ProbeStatus:
    """What one probe can and cannot see now."""

    name: str
    uses: str
    title: str
    interval: timedelta
    age: timedelta | None
    """Since the newest reading was made; None before the first."""
    data_age: timedelta | None
    latency_s: float | None
    known: Mapping[str, Value]
    unknown: Mapping[str, Unknown]
    visibility: Visibility
    readings: int
    query: str = ""
    console_url: str = ""
    lines: tuple[str, ...] = ()

    @property
    def stale(self) -> bool:
        return self.visibility is Visibility.STALE

    @property
    def blind(self) -> bool:
        return self.visibility in (Visibility.STALE, Visibility.BLIND, Visibility.WAITING)


@frozen
class RootCause:
    """One cause seen by many: credentials expired, DNS down. Shown once, with the count."""

    reason: Reason
    detail: str
    hint: str
    probes: tuple[str, ...]
    subjects: tuple[str, ...]
    """Ids of the criteria and items it blinds."""


@frozen
class PathStep:
    """One thing missing for GO: what, and when it can be there (None: no estimate, a person or the world must act)."""

    what: str
    subject: str = ""
    eta: datetime | None = None
    who: str = ""


@frozen
class Sight:
    """How much of what decides can be seen now. "All green" and "all blind" must never look alike."""

    enforced: int
    visible: int
    oldest: timedelta | None
    """Age of the oldest data an enforced criterion rests on."""

    @property
    def share(self) -> float:
        return self.visible / self.enforced if self.enforced else 0.0


@frozen
class Latch:
    """A ROLLBACK that stays until a named person decides. `undecided` is how long it has waited."""

    since: datetime
    undecided: timedelta
    triggers: tuple[str, ...]
    trips: tuple[Occurrence, ...] = ()
    """What a decision names to answer it: of each trigger the newest trip; those before it go with it."""


@frozen
class Verdict:
    word: Word
    since: datetime
    phase: Phase
    reasons: tuple[str, ...]
    """The reasons for the word, most important first, each a because-line: there is one at least."""
    waivers: int = 0
    latch: Latch | None = None
    loses: str = ""
    """Past the point of no return: what a rollback would lose."""
    undone: datetime | None = None
    """When the point of no return was undone; None where it was not passed, or is passed now."""
    under_way: Decision | None = None
    """The decision that is being carried out, and has not come to its end."""
    decided: str = ""
    """The newest decision that the word rests on, in words; empty where it rests on none."""
    cause: str = ""
    """What is behind the first reason in as few words as there are: for the line that has the word."""
    turns_in: timedelta | None = None
    """When the word becomes `turns_to` if nothing changes; None where no trigger is on its way."""
    turns_to: Word | None = None
    judged: bool = True
    """False when nothing at all could be seen: the exit code is then 3."""

    @property
    def label(self) -> str:
        if self.word is Word.GO and self.waivers:
            return f"GO ({self.waivers} waiver{'s' if self.waivers > 1 else ''})"
        return str(self.word)

    @property
    def exit_code(self) -> int:
        return self.word.exit_code if self.judged or self.word is not Word.HOLD else COULD_NOT_JUDGE


@frozen
class Situation:
    now: datetime
    started_at: datetime
    plan_name: str
    plan_digest: str
    verdict: Verdict
    criteria: tuple[CriterionStatus, ...]
    sections: tuple[SectionStatus, ...]
    gates: tuple[GateStatus, ...]
    probes: tuple[ProbeStatus, ...]
    root_causes: tuple[RootCause, ...]
    path_to_go: tuple[PathStep, ...]
    sight: Sight
    guards: tuple[CriterionStatus, ...] = ()
    """What pauses the file migration while it is true or unknown; never part of the verdict."""
    runbook: tuple[StepStatus, ...] = ()
    rollback_plan: tuple[StepStatus, ...] = ()
    schedule: Schedule | None = None
    """When its steps begin and end, and until when a rollback fits into the change window; None for a plan without steps."""
    next_actions: tuple[NextAction, ...] = ()
    """One for each person of the plan, in its order; one for whoever is there where the plan names nobody."""
    releases: tuple[ServiceRelease, ...] = ()
    """One for each service that a probe watches."""
    not_counted: tuple[NotCounted, ...] = ()
    """Statements in the record that do not count, and why; oldest first."""
    withheld: Withheld = NOTHING
    """What others may have stated and is not known here."""
    _by_id: Mapping[str, CriterionStatus] = field(default_factory=dict, repr=False, compare=False)

    @property
    def back(self) -> WayBack | None:
        """Until when a rollback fits; None without a change window."""
        return self.schedule.back if self.schedule else None

    def criterion(self, id_: str) -> CriterionStatus:
        """The status of one criterion. Raises KeyError."""
        return self._by_id[id_]
