"""What people did and what changed: the entries deciding looks at, as plain values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from cockpit.plan.model import Phase


@dataclass(frozen=True, slots=True)
class SignOff:
    """A typed observation about one item, criterion or step."""

    at: datetime
    subject: str
    by: str
    role: str
    answer: str
    plan_digest: str
    rehearsal: bool = False
    """True when the rehearsal's crew signed: always shown."""
    retracted: bool = False
    """A counter-entry: takes back the earlier sign-off of the same subject."""
    key: str = ""
    """Fingerprint of the SSH key it was signed with; empty where it is only claimed."""
    evidence: str = ""
    """The because-line that was on screen, and the digest of the readings behind it."""


@dataclass(frozen=True, slots=True)
class Vote:
    at: datetime
    gate: str
    by: str
    role: str
    choice: str
    """"go", "no-go" or "hold"."""
    rehearsal: bool = False
    plan_digest: str = ""
    """The plan voted on; a vote on another plan does not count. Empty where it was not kept."""
    key: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Waiver:
    """Suspends one criterion or item until `until`; then it re-arms itself."""

    at: datetime
    subject: str
    by: str
    why: str
    until: datetime
    """Not after `at`: a counter-entry, which takes the waiver back."""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A named person has seen that this trigger was already true before the cutover began."""

    at: datetime
    subject: str
    by: str
    why: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided about a latched rollback: "execute", "dismiss"; or "fix_forward", "proceed"."""

    at: datetime
    choice: str
    by: str
    why: str
    advised: str = ""
    """The verdict the cockpit showed when it was made."""


@dataclass(frozen=True, slots=True)
class StepBegan:
    """A person started a step of the runbook or the rollback plan."""

    at: datetime
    subject: str
    by: str


@dataclass(frozen=True, slots=True)
class StepEnded:
    """How a step ended, and what was seen."""

    at: datetime
    subject: str
    by: str
    outcome: str
    """"done", "failed" or "skipped"; "open" withdraws an earlier outcome."""
    seen: str = ""


@dataclass(frozen=True, slots=True)
class Happened:
    """Something the cockpit did or saw that no verdict rests on: an action, a phase or a guard of the migration."""

    at: datetime
    subject: str
    """What it is about: "migration", "ecs.rollback", "release", "notice"."""
    text: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class ReleaseSeen:
    """What a service ran before its deployment: where a rollback goes back to."""

    at: datetime
    cluster: str
    service: str
    task_definition: str
    """ARN with its revision."""
    images: str
    """As the task definition names them, separated by spaces."""
    digests: str
    """What its tasks really ran, sorted, separated by spaces."""


@dataclass(frozen=True, slots=True)
class PhaseBegan:
    """The cutover entered a phase; criteria count only what is seen from here on."""

    at: datetime
    phase: Phase
    by: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class PointOfNoReturn:
    """From here on a rollback loses data; `loses` names it."""

    at: datetime
    loses: str


@dataclass(frozen=True, slots=True)
class Change:
    """The verdict, a criterion or an item changed its word. `subject` is "verdict" for the verdict."""

    at: datetime
    subject: str
    before: str
    after: str
    because: str = ""


@dataclass(frozen=True, slots=True)
class ObserverGap:
    """The cockpit was not watching between these times (machine asleep, network down)."""

    at: datetime
    since: datetime


Entry = (
    SignOff
    | Vote
    | Waiver
    | Acknowledgement
    | Decision
    | StepBegan
    | StepEnded
    | Happened
    | ReleaseSeen
    | PhaseBegan
    | PointOfNoReturn
    | Change
    | ObserverGap
)
E = TypeVar("E", bound=Entry)


@dataclass(slots=True)
class Record:
    """Every entry so far, in order. Append-only; deciding only reads it."""

    entries: list[Entry] = field(default_factory=list)
    _latest: dict[tuple[type, str], Entry] = field(default_factory=dict, repr=False)
    _by_kind: dict[type, list[Entry]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for entry in self.entries:
            self._index(entry)

    def append(self, entry: Entry) -> None:
        self.entries.append(entry)
        self._index(entry)

    def _index(self, entry: Entry) -> None:
        self._by_kind.setdefault(type(entry), []).append(entry)
        key = getattr(entry, "subject", None)
        if key is not None:
            self._latest[type(entry), key] = entry

    def extend(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self.append(entry)

    def all(self, kind: type[E]) -> list[E]:
        """Every entry of one kind, oldest first."""
        return [entry for entry in self._by_kind.get(kind, ()) if isinstance(entry, kind)]

    def latest(self, kind: type[E], subject: str) -> E | None:
        """The newest entry of one kind about one subject."""
        found = self._latest.get((kind, subject))
        return found if isinstance(found, kind) else None

    def phase(self) -> PhaseBegan | None:
        """The phase the cutover is in, or None before any began."""
        began = self.all(PhaseBegan)
        return began[-1] if began else None
