"""What people did and what changed: the entries deciding looks at, as plain values.

What an entry says of itself is a claim. Its `proof` is what the journal could verify; `counted.py` decides by it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from cockpit.plan.model import Phase
from probes.frozen import frozen


@frozen
class Proof:
    """What was verified about an entry. The default proves nothing: it is how an entry comes from a file."""

    own: bool = False
    """Made by this cockpit: now, or in an earlier session on this machine."""
    key: str = ""
    """Fingerprint of the SSH key whose signature over the record, the person and all the entry says was verified."""
    flaw: str = ""
    """Why the line it stands in proves nothing (a signature that does not hold, a time that cannot be); empty if sound."""
    late: str = ""
    """Why it arrived too late to be of the time it bears; empty where it did not."""
    opened: datetime | None = None
    written: datetime | None = None
    """When its session was opened and its line written, by the writer's clock; None for what was made in this process."""
    received: datetime | None = None
    """When this cockpit learned of it, by its own time; None for what it made itself."""
    stated: Entry | None = None
    """As its writer stated it, where it counts as of when it was received, or for less; None where it counts as it is."""

    @property
    def dated(self) -> datetime | None:
        """The time it bears by the writer's clock, where its `at` is when it was received."""
        return None if self.stated is None else self.stated.at


HERE = Proof(own=True)
"""Made in this process, not signed with a person's key."""


@frozen(order=True)
class Occurrence:
    """One time a thing happened: a trip of a trigger, or a decision (`DECISION`), by when it began. Statements name what they
    are about by it, and count for that alone.
    """

    since: datetime
    subject: str
    """Id of the trigger; empty for a rollback whose triggers the record does not name."""


DECISION = "decision"
"""Subject of the occurrence by which a dismissal withdraws an earlier decision."""


@frozen(kw_only=True)
class _Recorded:
    proof: Proof = field(default=HERE, compare=False, repr=False)
    """Never kept in a file: the journal finds it out again from the line."""

    @property
    def key(self) -> str:
        """Fingerprint of the key that signed it; empty where none did."""
        return self.proof.key


@frozen
class SignOff(_Recorded):
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
    evidence: str = ""
    """The because-line that was on screen, and the digest of the readings behind it."""


@frozen
class Vote(_Recorded):
    at: datetime
    gate: str
    by: str
    role: str
    choice: str
    """"go", "no-go" or "hold"."""
    rehearsal: bool = False
    plan_digest: str = ""
    """The plan voted on; a vote on another plan does not count."""
    why: str = ""


@frozen
class Waiver(_Recorded):
    """Suspends one criterion or item until `until`; then it re-arms itself."""

    at: datetime
    subject: str
    by: str
    why: str
    until: datetime
    """Not after `at`: a counter-entry, which takes the waiver back."""
    role: str = ""
    plan_digest: str = ""


@frozen
class Acknowledgement(_Recorded):
    """A named person has seen that this trigger was already true before the cutover, or its deployment, began."""

    at: datetime
    subject: str
    by: str
    why: str
    role: str = ""
    plan_digest: str = ""
    since: datetime | None = None
    """The one occurrence it covers, by when that began; None (as earlier versions wrote it) covers any."""


@frozen
class Decision(_Recorded):
    """What a person decided: about a latched rollback "execute", "dismiss" or "fix_forward"; against the advice "proceed"; to
    begin a migration phase "migrate"; to read AWS under other credentials "accept_caller"; to go on without missing lines of
    others "go_without"."""

    at: datetime
    choice: str
    by: str
    why: str
    advised: str = ""
    """The verdict the cockpit showed when it was made."""
    role: str = ""
    plan_digest: str = ""
    answers: tuple[Occurrence, ...] | None = None
    """The trips it was taken on, of each trigger the newest; of "go_without" the note of what is missing. None, as earlier
    versions wrote it: all that were known."""
    until: datetime | None = None
    """Of a dismissal: when it ends, and it covers what trips again until then. None: the trips it names, and no other."""


@frozen
class StepBegan(_Recorded):
    """A person started a step of the runbook or the rollback plan."""

    at: datetime
    subject: str
    by: str
    role: str = ""
    plan_digest: str = ""


@frozen
class StepEnded(_Recorded):
    """How a step ended, and what was seen."""

    at: datetime
    subject: str
    by: str
    outcome: str
    """"done", "failed" or "skipped"; "open" withdraws an earlier outcome."""
    seen: str = ""
    role: str = ""
    plan_digest: str = ""


MIGRATION, WORKERS = "migration", "migration workers"
"""Subjects of what happened to the migration, and of its workers that come and go."""

FAULT = "fault"
"""Subject of what was broken on purpose in a rehearsal."""
INJECTED, CLEARED = "injected: ", "cleared: "
"""How the text of such an entry begins; the fault's title follows."""


LAST_SAFE_MOMENT = "last safe moment"
"""Subject of the changes of how a rollback fits into the change window; no id of a plan has spaces."""


@frozen
class Happened(_Recorded):
    """Something the cockpit did or saw that no verdict rests on: an action, a phase or a guard of the migration."""

    at: datetime
    subject: str
    """What it is about: "migration", "migration workers", "ecs.rollback", "release", "notice"."""
    text: str
    by: str = ""


@frozen
class StepMeasured(_Recorded):
    """How long one step took in earlier records of plans of this name, as this cockpit found them when it began to watch."""

    at: datetime
    subject: str
    """Id of the step."""
    times: int
    """How often it was done."""
    rehearsed: int
    """How many of those were rehearsals."""
    shortest_s: int
    median_s: int
    longest_s: int


@frozen
class ReleaseSeen(_Recorded):
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


@frozen
class PhaseBegan(_Recorded):
    """The cutover entered a phase; criteria count only what is seen from here on."""

    at: datetime
    phase: Phase
    by: str = ""
    """Who began it; empty for the cockpit itself, at its start."""
    why: str = ""
    role: str = ""
    plan_digest: str = ""


@frozen
class GateUsed(_Recorded):
    """A person began what a gate guards. The votes it rested on are spent by it, and stay as they were."""

    at: datetime
    gate: str
    act: str
    """What was begun: "deploy", "migrate" or "purge"."""
    by: str
    role: str = ""
    plan_digest: str = ""
    votes: tuple[str, ...] = ()
    """Ready to show: "primary (on_call): go 12:31"."""


@frozen
class PointOfNoReturn(_Recorded):
    """From here on a rollback loses data; `loses` names it. `undone`: from here on it loses nothing of that purge any more."""

    at: datetime
    loses: str
    purge: str = ""
    """Which purge it was, in the ledger's words: only what the same ledger says of the same purge undoes it."""
    undone: bool = False


@frozen
class Change(_Recorded):
    """The verdict, a criterion or an item changed its word. `subject` is "verdict" for the verdict."""

    at: datetime
    subject: str
    before: str
    after: str
    because: str = ""
    latched: tuple[Occurrence, ...] | None = None
    """Of the verdict: the trips that now wait for a decision. None for all else, and as earlier versions wrote it."""


@frozen
class ObserverGap(_Recorded):
    """The cockpit was not watching between these times (machine asleep, network down)."""

    at: datetime
    since: datetime


@frozen
class LinesMissing(_Recorded):
    """From here on lines of other cockpits are known to be missing here, or the share is not read: something may have been
    taken back in them.
    """

    at: datetime
    of: tuple[str, ...] = ()
    """A sentence for each of those cockpits; none where no lines are missing any more."""
    writers: tuple[str, ...] = ()
    """Which cockpits those are, in the order of `of`."""
    names: tuple[str, ...] = ()
    """What is missing of them, by name: `writer/object` of the share, `writer@line` of what others had read."""
    unread: datetime | None = None
    """Since when the share is not read, be it away or not named; None while it is, and where there is none."""

    def names_of(self, writer: str) -> frozenset[str]:
        """What is missing of one cockpit, by name."""
        return frozenset(name for name in self.names if name.startswith((f"{writer}/", f"{writer}@")))


Entry = (
    SignOff
    | Vote
    | Waiver
    | Acknowledgement
    | Decision
    | StepBegan
    | StepEnded
    | Happened
    | StepMeasured
    | ReleaseSeen
    | PhaseBegan
    | GateUsed
    | PointOfNoReturn
    | Change
    | ObserverGap
    | LinesMissing
)
E = TypeVar("E", bound=Entry)
Statement = SignOff | Vote | Waiver | Acknowledgement | Decision | StepBegan | StepEnded | GateUsed | PhaseBegan
"""What a person states, by name. (The cockpit itself, without a name, may begin a phase and end a step.)"""


@frozen
class NotCounted:
    """An entry that does not count, and why."""

    entry: Entry
    why: str


@dataclass(slots=True)
class Record:
    """Every entry so far, in order, whether it counts or not. Append-only; deciding reads it through `counted`."""

    entries: list[Entry] = field(default_factory=list)
    rehearsal: bool = False
    """Whether this cockpit rehearses: only then do entries of the rehearsal's crew count, and keys are not asked for."""
    claimed_because: str = ""
    """Why people of a production plan may state things without a key; empty: what they state does not count."""
    newest: dict[tuple[type, str], Entry] = field(default_factory=dict, repr=False)
    """By kind and subject."""
    turns: dict[str, list[Change]] = field(default_factory=dict, repr=False)
    """Changes by subject, oldest first."""
    places: dict[int, int] = field(default_factory=dict, repr=False)
    """By the entry's `id`: its place in the order in which this cockpit came to know of them."""
    _by_kind: dict[type, list[Entry]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        given, self.entries = self.entries, []
        self.extend(given)

    def copy(self) -> Record:
        """A record of the same kind that holds the same."""
        return Record(list(self.entries), self.rehearsal, self.claimed_because)

    def append(self, entry: Entry) -> None:
        if isinstance(entry, Change | ObserverGap | StepMeasured | LinesMissing) and not entry.proof.own:
            return  # every cockpit sees for itself what changes, when it was not watching, and what its own records hold
        self.places[id(entry)] = len(self.entries)
        self.entries.append(entry)
        if isinstance(entry, Change):
            self.turns.setdefault(entry.subject, []).append(entry)
        self._by_kind.setdefault(type(entry), []).append(entry)
        if (subject := getattr(entry, "subject", None)) is not None:
            self.newest[type(entry), subject] = entry

    @property
    def lines_missing(self) -> LinesMissing | None:
        """The newest note of which lines of others are missing; None where there never was one."""
        noted = self.all(LinesMissing)
        return noted[-1] if noted else None

    @property
    def missing(self) -> tuple[str, ...]:
        """Lines of others that are known to be missing now, in sentences."""
        return self.lines_missing.of if self.lines_missing else ()

    def extend(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self.append(entry)

    def all(self, kind: type[E]) -> list[E]:
        """Every entry of one kind, oldest first, whether it counts or not."""
        return self._by_kind.get(kind, [])  # type: ignore[return-value]
