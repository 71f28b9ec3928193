"""Which statements count. The one place that says so; everything decided rests on what passes here.

A statement counts if its person is in the plan and holds the role that is asked for, if it is signed with the key the plan
names for them, if it was made on this plan, in its session and not in the future, and if it is no copy of another. A deployment
and the use of a gate count if that gate was open then, by the votes that count and that nothing was begun with before. What the
cockpit notes by itself (phases, the point of no return, the release to go back to, changes) counts only from this cockpit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from itertools import takewhile
from typing import TypeVar, get_args

from cockpit import formatting
from cockpit.decide.events import (
    Acknowledgement,
    Change,
    Decision,
    Entry,
    GateUsed,
    Happened,
    LinesMissing,
    NotCounted,
    ObserverGap,
    PhaseBegan,
    PointOfNoReturn,
    Record,
    ReleaseSeen,
    SignOff,
    Statement,
    StepBegan,
    StepEnded,
    StepMeasured,
    Vote,
    Waiver,
)
from cockpit.decide.gate_votes import tally
from cockpit.decide.shortened import renews, shortened, shortens
from cockpit.decide.time_doubt import as_stated, holds_back, time_doubt
from cockpit.decide.withheld import GO_WITHOUT, NOTHING, Withheld, may_be_withdrawn, withheld
from cockpit.plan.model import Ask, Gate, Person, Phase, Plan

LONGEST_WAIVER = timedelta(hours=12)
CHOICES = ("go", "no-go", "hold")
"""Of a vote."""
DECISIONS = ("execute", "dismiss", "fix_forward", "proceed", "migrate", "accept_caller", GO_WITHOUT)
"""Choices of a decision."""
_ON_ONE_PLAN = (SignOff, Vote, Waiver, Acknowledgement)
"""Given on a plan as it reads, so another plan needs another one. A step done or a phase begun stays a fact."""
NOWHERE = -1
"""The place of no entry: before that of any."""
E = TypeVar("E", bound=Entry)


@dataclass(slots=True)
class Counted:
    """The entries of a record that count at one moment. Made by `counted`."""

    left_out: list[NotCounted] = field(default_factory=list)
    by_kind: dict[type, list[Entry]] = field(default_factory=lambda: {kind: [] for kind in _KINDS})
    newest: dict[tuple[type, str], Entry] = field(default_factory=dict)
    turns: Mapping[str, Sequence[Change]] = field(default_factory=dict)
    """This cockpit's own changes by subject, oldest first."""
    places: Mapping[int, int] = field(default_factory=dict)
    """As of the Record."""
    spends: list[GateUsed] = field(default_factory=list)
    """Uses of gates that count for nothing but this: the votes they rested on are used. Only their time cannot be."""
    withheld: Withheld = NOTHING
    """What others may have stated and is not known here."""
    ends: list[Waiver | Decision] = field(default_factory=list)
    """Waivers and dismissals that count for nothing but this: an earlier one ends sooner. Only their time cannot be."""

    def take(self, entry: Entry, why: str, seen: set[Entry], only: str = "") -> bool:
        """Whether the entry counts. `seen` are those that do so far: one that says just the same, time included, is a copy.

        `only`: why an entry counts for nothing but what it takes away, which is that; empty where it counts.
        """
        original = as_stated(entry)
        if not why and original in seen:
            why = "it is a copy of an earlier one"
        if why or only:
            self.left_out.append(NotCounted(entry, why or only))
        if why:
            return False
        seen.add(original)
        if only and isinstance(entry, GateUsed):
            self.spends.append(entry)
        elif only and isinstance(entry, Waiver | Decision):
            self.ends.append(entry)
        elif (subject := getattr(entry, "subject", None)) is not None:
            self.newest[type(entry), subject] = entry
        return True

    def shorten(self, waiver: Waiver, entry: Waiver) -> Waiver:
        """A waiver that counts, as it lasts beside one that ends it sooner."""
        changed = shortened(waiver, entry) if renews(entry, waiver) else waiver
        if changed is not waiver and self.newest[Waiver, waiver.subject] is waiver:
            self.newest[Waiver, waiver.subject] = changed
        return changed

    def all(self, kind: type[E]) -> list[E]:
        """Every entry of one kind, oldest first."""
        return self.by_kind[kind]  # type: ignore[return-value]

    def latest(self, kind: type[E], subject: str) -> E | None:
        """The newest entry of one kind about one subject."""
        found = self.newest.get((kind, subject))
        return found if isinstance(found, kind) else None

    def place(self, entry: Entry | None) -> int:
        """Its place in the order in which this cockpit came to know of entries; NOWHERE for none."""
        return NOWHERE if entry is None else self.places[id(entry)]

    def phase(self) -> PhaseBegan | None:
        """The phase the cutover is in, or None before any began."""
        began = self.all(PhaseBegan)
        return began[-1] if began else None

    @property
    def loses(self) -> str:
        """What a rollback would lose: past the point of no return, whatever the verdict is; empty before, and once it is undone.

        Of each purge the newest entry says it. One that nobody has seen undone stays passed.
        """
        standing = [each for each in self._purges() if not each.undone]
        return (standing[-1].loses or "data") if standing else ""

    @property
    def undone(self) -> datetime | None:
        """When the point of no return was undone; None where it was not passed, or is passed now."""
        newest = self._purges()
        return max(each.at for each in newest) if newest and not self.loses else None

    def _purges(self) -> list[PointOfNoReturn]:
        return list({each.purge: each for each in self.all(PointOfNoReturn)}.values())

    def deployment_began(self) -> datetime | None:
        """When the deployment phase that the cutover is in was first begun: stating it again does not begin it anew."""
        began = self.all(PhaseBegan)
        run = takewhile(lambda each: each.phase is Phase.POST_DEPLOY, reversed(began))
        return min((each.at for each in run), default=None)

    def refused(self, subject: str) -> tuple[SignOff, str] | None:
        """The newest sign-off of one subject that does not count, and why."""
        for each in reversed(self.left_out):
            if isinstance(each.entry, SignOff) and each.entry.subject == subject:
                return each.entry, each.why
        return None


def counted(plan: Plan, record: Record, now: datetime) -> Counted:
    """What counts of a record at `now`."""
    rules = Rules(plan, record, now)
    made = Counted(
        turns=record.turns,
        places=record.places,
        withheld=withheld(record, lambda decision: not rules.objection(decision)),
    )
    seen: set[Entry] = set()
    opened = _Openings(plan, record, now)
    for kind in _KINDS:
        entries = record.all(kind)
        if kind not in _UNCHECKED:
            entries = []
            for each in record.all(kind):
                why, only = rules.objection(each) or opened.objection(each, timed=True), ""
                takes_away = _takes_away(each, entries) if why else ""
                if takes_away and not (rules.unsound(each) or opened.objection(each, timed=False)):
                    why, only = "", f"{why}; {takes_away} all the same"
                if not why and made.withheld.lines and may_be_withdrawn(each):
                    why = f"it may have been taken back: {made.withheld.lines[0]}"
                if made.take(each, why, seen, only):
                    opened.counts(each)
                    entries += [] if only else [each]
                    if only and isinstance(each, Waiver):
                        entries = [made.shorten(w, each) if isinstance(w, Waiver) else w for w in entries]
        made.by_kind[kind] = entries
    made.newest.update({key: entry for key, entry in record.newest.items() if key[0] in _UNCHECKED})
    return made


def unruled(record: Record) -> Counted:
    """Everything sound of a record, where there is no plan to say what counts."""
    made = Counted(turns=record.turns, places=record.places)
    seen: set[Entry] = set()
    for kind in _KINDS:
        made.by_kind[kind] = [each for each in record.all(kind) if made.take(each, _flaw(each), seen)]
    return made


def _takes_away(entry: Entry, before: Sequence[Entry]) -> str:
    """What an entry whose time cannot be ends that let something go on, `before` it; empty where it ends nothing."""
    if isinstance(entry, GateUsed):
        return "the votes it rests on are used"
    if shortens(entry, before):
        return "what was given before ends by then"
    return ""


class Rules:
    """The rules of one plan at one moment."""

    def __init__(self, plan: Plan, record: Record, now: datetime) -> None:
        """Of the record only what kind it is: a rehearsal, one that allows claims."""
        self.plan = plan
        self.rehearsal = record.rehearsal
        self._needs_keys = plan.production and not record.claimed_because
        self.now = now

    @cached_property
    def _people(self) -> dict[str, Person]:
        return {person.id: person for person in self.plan.people}

    @cached_property
    def _asks(self) -> dict[str, Ask]:
        return self.plan.asks()

    @cached_property
    def _polls(self) -> dict[str, tuple[str, ...]]:
        return {gate.id: gate.poll.roles for gate in self.plan.gates}

    @cached_property
    def _deciding(self) -> tuple[str, ...]:
        return deciding_roles(self.plan)

    def objection(self, entry: Entry) -> str:
        """Why an entry does not count; empty if it does. That it is a copy of another, `counted` finds."""
        return self.unsound(entry) or self.doubt(entry)

    def doubt(self, entry: Entry) -> str:
        """Why its time cannot be, where it must be; empty where it can."""
        return "" if holds_back(entry) else time_doubt(entry, self.now)

    def unsound(self, entry: Entry) -> str:
        """Why an entry does not count whatever its time; empty where it may."""
        if entry.proof.flaw:
            return entry.proof.flaw
        if not isinstance(entry, Statement) or (isinstance(entry, PhaseBegan | StepEnded) and not entry.by):
            own = "another cockpit noted it by itself: only statements of people count from there"
            return "" if entry.proof.own else own
        return self._of_person(entry, self._people.get(entry.by))

    def _of_person(self, entry: Statement, person: Person | None) -> str:
        if person is None:
            return f"the plan has no person {entry.by[:60]}"
        if entry.role not in person.roles:
            return f"{person.id} does not hold the role {entry.role[:60] or 'it does not name'}"
        wanted = self.roles_for(entry)
        if wanted is not None and entry.role not in wanted:
            return f"it takes {' or '.join(wanted)}, not {entry.role}" if wanted else "the plan does not ask for it"
        checks = (
            self._unsigned(entry, person),
            self._of_another_plan(entry),
            _odd(as_stated(entry)),
        )
        return next((why for why in checks if why), "")

    def roles_for(self, entry: Statement) -> tuple[str, ...] | None:
        """Which roles a statement takes; None: any role of its person."""
        match entry:
            case SignOff():
                ask = self._asks.get(entry.subject)
                given = ask.roles if ask else ()
                return (*given, *self._deciding) if entry.retracted else given
            case Vote():
                return self._polls.get(entry.gate, ())
            case Waiver() | Acknowledgement() | Decision() | PhaseBegan():
                return self._deciding
            case StepBegan() | StepEnded() | GateUsed():
                return None

    def _unsigned(self, entry: Statement, person: Person) -> str:
        if isinstance(entry, SignOff | Vote) and entry.rehearsal and not self.rehearsal:
            return "it was rehearsed, and this is no rehearsal"
        if self.rehearsal and entry.proof.own and not entry.proof.key:
            return ""
        if person.fingerprint and entry.proof.key != person.fingerprint:
            how = f"signed with {entry.proof.key}" if entry.proof.key else "not cryptographically signed"
            return f"{how}; the plan names {person.fingerprint} for {person.id}"
        if self._needs_keys and not entry.proof.key:
            return f"not cryptographically signed: this is production, and the plan names no ssh_key for {person.id}"
        ask = self._asks.get(entry.subject) if isinstance(entry, SignOff) else None
        if ask is not None and not ask.claimed and not entry.proof.key:
            return "not cryptographically signed, and the plan asks for it"
        return ""

    def _of_another_plan(self, entry: Statement) -> str:
        if not entry.plan_digest:
            return "it does not name the plan it was made on"
        if isinstance(entry, _ON_ONE_PLAN) and entry.plan_digest != self.plan.digest:
            return "the plan changed since it was made"
        return ""


class _Openings:
    """Whether the gates before a deployment, and a gate that was used, were open when that was stated.

    Give it the uses of gates first, in their order.
    """

    def __init__(self, plan: Plan, record: Record, now: datetime) -> None:
        self._plan = plan
        self._record = record
        self._now = now
        self._uses: dict[str, list[int]] = {}
        """By gate: where in the record it was used."""
        self._votes: dict[tuple[str, bool], list[Vote]] = {}
        """By digest of a plan, and whether their time must be one that can be: the votes on it that count."""

    def objection(self, entry: Entry, *, timed: bool) -> str:
        """Why it was not open; empty where it was. Not `timed`: to whoever knew of votes whose time cannot be, as well."""
        if isinstance(entry, GateUsed):
            gates = [gate for gate in self._plan.gates if (gate.id, gate.before) == (entry.gate, entry.act)]
            return self._shut(entry, gates, timed=timed)
        if isinstance(entry, PhaseBegan) and entry.phase is Phase.POST_DEPLOY and entry.by:
            return self._shut(entry, [gate for gate in self._plan.gates if gate.before == "deploy"], timed=timed)
        return ""

    def counts(self, entry: Entry) -> None:
        """It counts: a use of a gate has spent its votes."""
        if isinstance(entry, GateUsed):
            self._uses.setdefault(entry.gate, []).append(self._record.places[id(entry)])

    def _shut(self, entry: GateUsed | PhaseBegan, gates: Sequence[Gate], *, timed: bool) -> str:
        """Why one of the gates was not open to whoever stated this; empty where all were."""
        if entry.proof.own and entry.plan_digest != self._plan.digest:
            return ""  # this cockpit asked the gates of the plan it had then
        place = self._record.places[id(entry)]
        for gate in gates:
            spent = max((use for use in self._uses.get(gate.id, ()) if use < place), default=NOWHERE)
            votes = [v for v in self._on(entry.plan_digest, timed) if spent < self._record.places[id(v)] < place]
            if missing := tally(gate, votes, entry.at, entry.by).missing:
                return f"{gate.title} was not passed then: {'; '.join(missing)}"
        return ""

    def _on(self, digest: str, timed: bool) -> list[Vote]:
        """The votes on a plan that count, each once."""
        if (digest, timed) not in self._votes:
            rules = Rules(replace(self._plan, digest=digest), self._record, self._now)
            why_not = rules.objection if timed else rules.unsound
            found = {as_stated(vote): vote for vote in reversed(self._record.all(Vote)) if not why_not(vote)}
            self._votes[digest, timed] = sorted(found.values(), key=lambda vote: self._record.places[id(vote)])
        return self._votes[digest, timed]


def _flaw(entry: Entry) -> str:
    return entry.proof.flaw or ("" if holds_back(entry) else entry.proof.late)


def _odd(entry: Statement) -> str:
    """What no cockpit would have let a person state."""
    if isinstance(entry, Waiver) and entry.until - entry.at > LONGEST_WAIVER:
        return f"a waiver lasts {formatting.duration(LONGEST_WAIVER)} at most, and this one longer"
    if isinstance(entry, Vote) and entry.choice not in CHOICES:
        return f"a vote is {', '.join(CHOICES)}"
    if isinstance(entry, Decision) and entry.choice not in DECISIONS:
        return f"a decision is {', '.join(DECISIONS)}"
    if isinstance(entry, Decision) and entry.until is not None and entry.until - entry.at > LONGEST_WAIVER:
        return f"a dismissal lasts {formatting.duration(LONGEST_WAIVER)} at most, and this one longer"
    return ""


def deciding_roles(plan: Plan) -> tuple[str, ...]:
    """Roles that waive, acknowledge, decide and begin phases: those of the plan's gates; all roles where it has no gate."""
    asked = [role for gate in plan.gates for role in gate.poll.roles]
    return tuple(dict.fromkeys(asked or [role for each in plan.people for role in each.roles]))


_UNCHECKED = (Change, ObserverGap, StepMeasured, LinesMissing, Happened)
"""A Record takes in this cockpit's own changes, gaps and measures alone; nothing rests on what merely happened."""
_KINDS: tuple[type[Entry], ...] = (*get_args(Statement), ReleaseSeen, PointOfNoReturn, *_UNCHECKED)

if missing := set(get_args(Entry)) - set(_KINDS):
    raise TypeError(f"cockpit.decide.counted says nothing about {missing}")
