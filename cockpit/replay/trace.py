"""A record as a tape: what one cockpit took in, heard and decided, in exactly that order.

The journal of one writer is the order of everything but readings; those carry the moment they were taken in. So a tape is the
writer's chain with the readings laid between: whatever was taken in by the time of a decision lies before it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from cockpit.decide.events import Change, Entry
from cockpit.engine.recording import STOOD, WARM, WATCHING
from cockpit.journal.chain import Chain, merged
from cockpit.journal.codec import from_body, moment
from cockpit.journal.entry import Line, Type
from cockpit.journal.persisted_log import TOOK, is_seen_by_each
from cockpit.journal.readings import Taken, taken
from cockpit.journal.record_folder import NoPlanCopy, PlanUnknown, RecordFolder, given_vars, hidden_vars
from cockpit.journal.statement import keys_of, vouched
from cockpit.plan.model import Plan
from probes.reading import Reading


class NoTape(Exception):  # noqa: N818 - what the record is not
    """The record cannot be played; the message says why."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A session begins, with everything the record held by then, and the plan as it was then."""

    at: datetime
    entries: Sequence[Entry]
    plan: Plan
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Looked:
    """A session began to look, on a new board with all that had been kept. What that showed as of `since` was seen last."""

    at: datetime
    since: datetime
    last_row: int
    """Rows of the readings up to this one were there."""
    kept: Sequence[Taken] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Fed:
    """A reading was taken in."""

    at: datetime
    probe: str
    reading: Reading


@dataclass(frozen=True, slots=True)
class Said:
    """Something was said or done, here or elsewhere; its line may have been written a moment later."""

    at: datetime
    entry: Entry


@dataclass(frozen=True, slots=True)
class Turned:
    """One decision, with everything it changed; now and then one that changed nothing is kept too."""

    at: datetime
    changes: Sequence[Change]
    cut: bool = False
    """The session was killed next: what else changed may not have been kept."""


Step = Opened | Looked | Fed | Said | Turned


@dataclass(frozen=True)
class Tape:
    plan: Plan
    folder: RecordFolder
    writer: str
    started_at: datetime
    steps: Sequence[Step] = field(repr=False)
    given: Mapping[str, str] = field(default_factory=dict)
    """What the plan's vars were given."""
    hidden: Sequence[str] = ()
    """Vars whose value the record hides: it is judged with what the plan itself says of them."""
    anew: str = ""
    """The file of another plan all of it is judged by; empty where it is played as it was."""

    @cached_property
    def when(self) -> Sequence[datetime]:
        """Of each step, when it is there on the tape: never after what follows it, whatever other machines' clocks said."""
        found = [step.at for step in self.steps]
        for n in range(len(found) - 1, 0, -1):
            found[n - 1] = min(found[n - 1], found[n])
        return found

    @cached_property
    def ends_at(self) -> datetime:
        return max((step.at for step in self.steps), default=self.started_at)


def tape_of(folder: RecordFolder, writer: str = "", copy: Path | None = None) -> Tape:
    """The tape of a writer: by default the one who saw the most turn. Raises NoTape.

    `copy` stands in for the record's copy of a plan where that is missing and this is the same.
    """
    try:
        chains = {chain.writer: chain for chain in folder.chains()}
        if writer and writer not in chains:
            raise ValueError(f"nobody wrote it as {writer}, but {', '.join(sorted(chains)) or 'nobody'} did")
        if not any(line.entry.type is Type.OPEN for chain in chains.values() for line in chain.lines):
            raise ValueError("its journal holds no session")
        reader = _Reader(chains, chains[writer or _main(chains)], folder, copy)
        readings = list(taken(folder.readings)) if folder.readings.is_file() else []
        steps = _laid_between(list(reader.steps()), readings, reader.writer)
    except (KeyError, IndexError, ValueError, OSError, sqlite3.Error) as error:
        raise NoTape(f"{folder.path} cannot be played: {error}") from None
    first = next(step for step in steps if isinstance(step, Opened))
    return Tape(first.plan, folder, reader.writer, first.started_at, steps, reader.given, tuple(reader.hidden))


def _main(chains: dict[str, Chain]) -> str:
    def turned(chain: Chain) -> int:
        return sum(line.entry.body.get("kind") == "change" for line in chain.lines)

    return max(sorted(chains), key=lambda name: turned(chains[name]))


_STEPS = (WATCHING, STOOD, TOOK)
"""Kinds of notes that are steps of a tape."""


class _Reader:
    """Reads one chain in its order, and of the others what it says it took in."""

    def __init__(self, chains: dict[str, Chain], chosen: Chain, folder: RecordFolder, copy: Path | None) -> None:
        self._chains, self._chosen, self._folder, self._copy = chains, chosen, folder, copy
        self._record = folder.id
        self.writer = chosen.writer
        self._keys: dict[str, str] = {}
        self._plans: dict[tuple[str, frozenset[tuple[str, str]]], Plan] = {}
        self._looking = False
        self._opened: Mapping[str, Any] = {}
        self.given: Mapping[str, str] = {}
        self.hidden: dict[str, None] = {}
        self._at: dict[str, int] = dict.fromkeys(chains, 0)
        self._places = {name: {line.hash: n for n, line in enumerate(c.lines, 1)} for name, c in chains.items()}

    def steps(self) -> Iterator[Step]:
        turned: list[Change] = []
        closed = False
        for number, line in enumerate(self._chosen.lines, 1):
            entry = self._entry(line)
            if isinstance(entry, Change) and (not turned or entry.at == turned[0].at):
                turned.append(entry)
                continue
            opens = line.entry.type is Type.OPEN
            closed = closed or line.entry.type is Type.CLOSE
            if entry is None and not opens and line.entry.body.get("kind") not in _STEPS:
                continue  # told by another thread, it may even stand between the changes of one decision
            if turned:
                yield Turned(turned[0].at, turned, cut=opens and not closed)
            closed = closed and not opens
            turned = [entry] if isinstance(entry, Change) else []
            if not turned:
                yield from self._of(line, entry, number)
        if turned:
            yield Turned(turned[0].at, turned, cut=not closed)

    def _of(self, line: Line, entry: Entry | None, number: int) -> Iterator[Step]:
        body = line.entry.body
        if line.entry.type is Type.OPEN:
            self._at[self.writer] = number
            self._looking, self._opened = False, body
            self.given = self.given or given_vars(body)
            self.hidden |= dict.fromkeys(hidden_vars(body))
            self._reach(line.entry.seen)
            yield self._open(line)
        elif body.get("kind") == WATCHING:
            self._looking = True
            yield Looked(line.entry.ts, moment(body["since"]), int(body.get("readings", -1)))
        elif body.get("kind") == STOOD:
            yield Turned(moment(body["at"]), ())
        elif body.get("kind") == TOOK and not self._looking:
            self._reach(body.get("heads"))  # came in while it opened
            yield self._open(line)
        elif body.get("kind") == TOOK:
            yield from (Said(each.at, each) for each in self._took(body.get("heads")))
        elif entry is not None:
            yield Said(entry.at, entry)

    def _open(self, line: Line) -> Opened:
        plan = self._plan()
        self._keys = keys_of(plan)
        return Opened(line.entry.ts, self._held(), plan, moment(self._opened["started_at"]))

    def _plan(self) -> Plan:
        """The plan of the session that opens: the same object where nothing about it changed. Raises ValueError."""
        which = str(self._opened.get("plan_digest", "")), frozenset(given_vars(self._opened).items())
        if which not in self._plans:
            try:
                self._plans[which] = self._folder.load_plan(self._opened, self._copy)
            except NoPlanCopy:
                told = "the plan it was made with is not in it; if you have that file, name it with --plan"
                raise ValueError(told) from None
            except PlanUnknown as problem:
                raise ValueError(f"its plan: {problem}") from None
        return self._plans[which]

    def _reach(self, heads: object) -> None:
        for name, head in dict(heads if isinstance(heads, Mapping) else {}).items():
            if name in self._places:
                self._at[name] = max(self._at[name], self._places[name].get(str(head), 0))

    def _held(self) -> list[Entry]:
        """What a session that opens now finds: everybody's lines so far, in one order."""
        return [entry for line in _lines(self._upto({})) if (entry := self._entry(line)) is not None]

    def _took(self, heads: object) -> list[Entry]:
        """What came in from the others since they were looked at last."""
        before = dict(self._at)
        self._reach(heads)
        new = self._upto(before, but=self.writer)
        found = (self._entry(line) for line in _lines(new))
        return [entry for entry in found if entry is not None and not is_seen_by_each(entry)]

    def _upto(self, since: dict[str, int], but: str = "") -> list[Chain]:
        return [
            Chain(name, chain.lines[since.get(name, 0) : self._at[name]])
            for name, chain in self._chains.items()
            if name != but
        ]

    def _entry(self, line: Line) -> Entry | None:
        try:
            entry = from_body(line.entry.body)
        except ValueError:
            return None
        return None if entry is None else vouched(entry, line, self._record, self._keys)


def _lines(chains: list[Chain]) -> list[Line]:
    return [line for _, line in merged(chains)]


def _laid_between(spoken: Sequence[Step], kept: Sequence[Taken], writer: str) -> list[Step]:
    """The writer's readings before the first decision they were there for; and what a session found when it began to look."""
    own = [each for each in kept if each.writer in ("", writer)]
    steps: list[Step] = []
    at = 0
    told = [_with_kept(step, kept) if isinstance(step, Looked) else step for step in spoken]
    for n, step in enumerate(told):
        if isinstance(step, Looked):
            while at < len(own) and own[at].row <= step.last_row:
                at += 1
        elif isinstance(step, Opened):
            end = next((later.last_row for later in told[n:] if isinstance(later, Looked)), 0)
            while steps and at < len(own) and own[at].row <= end:
                steps.append(_fed(own[at]))
                at += 1
        elif isinstance(step, Turned):
            while at < len(own) and own[at].at <= step.at:
                steps.append(_fed(own[at]))
                at += 1
        steps.append(step)
    return [*steps, *map(_fed, own[at:])]


def _fed(each: Taken) -> Fed:
    return Fed(each.at, each.probe, each.reading)


def _with_kept(step: Looked, kept: Sequence[Taken]) -> Looked:
    """With the readings that were there. An older record does not say which: those taken in before."""
    last = step.last_row
    if last < 0:
        last = max((each.row for each in kept if each.at <= step.at), default=0)
    since = step.at - WARM
    found = [each for each in kept if each.row <= last and each.reading.observed_at >= since]
    return Looked(step.at, step.since, last, found)
