"""A record as a trace: the readings, entries and decisions of one cockpit, in exactly the order they came.

One writer's journal gives the order of everything but readings; those carry the time they were taken in. A trace is the
writer's chain with the readings merged in: every reading taken in by the time of a decision comes before it.
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
from cockpit.engine.recording import RESTORE_WITHIN
from cockpit.journal.chain import Chain, merged
from cockpit.journal.codec import moment
from cockpit.journal.entry import Line, Type
from cockpit.journal.provenance import Kind, kind_opened, main_chain, own_sessions, receipts, seen_by
from cockpit.journal.readings import Taken, taken
from cockpit.journal.record_folder import NoPlanCopy, PlanUnknown, RecordFolder, given_vars, hidden_vars
from cockpit.journal.validity import COUNTS, TOOK_IN, UNCHANGED, WATCHING
from cockpit.plan.model import Plan
from probes.frozen import frozen
from probes.reading import Reading


class NotReplayable(Exception):  # noqa: N818 - a property of the record
    """The record cannot be replayed; the message says why."""


@frozen
class SessionOpened:
    """A session begins, with everything the record held by then, and the plan as it was then."""

    at: datetime
    entries: Sequence[Entry]
    plan: Plan
    started_at: datetime
    kind: Kind
    """Of its record: a rehearsal, one that allows claims."""


@frozen
class WatchStarted:
    """A session began to watch, on a new board restored from the record; `since` is the time of its first evaluation."""

    at: datetime
    since: datetime
    last_row: int
    """Readings up to this row had been kept."""
    kept: Sequence[Taken] = field(default=(), repr=False)


@frozen
class ReadingTaken:
    """A reading was taken in."""

    at: datetime
    probe: str
    reading: Reading


@frozen
class EntryAdded:
    """An entry was added to the record, here or by another cockpit; its line may have been written slightly later."""

    at: datetime
    entry: Entry


@frozen
class Decided:
    """One decision, with everything it changed; some decisions that changed nothing are kept too."""

    at: datetime
    changes: Sequence[Change]
    cut: bool = False
    """The session was killed next: further changes may not have been kept."""


TracePoint = SessionOpened | WatchStarted | ReadingTaken | EntryAdded | Decided


@dataclass(frozen=True)
class Trace:
    plan: Plan
    folder: RecordFolder
    writer: str
    started_at: datetime
    steps: Sequence[TracePoint] = field(repr=False)
    given: Mapping[str, str] = field(default_factory=dict)
    """Values given for the plan's vars."""
    hidden: Sequence[str] = ()
    """Vars whose value the record hides: the plan's own value is used."""
    other_plan: str = ""
    """File of the other plan it is evaluated by; empty for the recorded plan."""

    @cached_property
    def when(self) -> Sequence[datetime]:
        """Time of each step, never later than the next one's, whatever the clocks of other machines showed."""
        found = [step.at for step in self.steps]
        for n in range(len(found) - 1, 0, -1):
            found[n - 1] = min(found[n - 1], found[n])
        return found

    @cached_property
    def ends_at(self) -> datetime:
        return max((step.at for step in self.steps), default=self.started_at)


def trace_of(folder: RecordFolder, writer: str = "", copy: Path | None = None) -> Trace:
    """The trace of a writer: by default the one with the most changes. Raises NotReplayable.

    `copy` is used where the record's copy of the plan is missing and this is the same file.
    """
    try:
        chains = {chain.writer: chain for chain in folder.chains()}
        if writer and writer not in chains:
            raise ValueError(f"it has no writer {writer}; it has {', '.join(sorted(chains)) or 'none'}")
        if not any(line.entry.type is Type.OPEN for chain in chains.values() for line in chain.lines):
            raise ValueError("its journal holds no session")
        reader = _Reader(chains, chains[writer] if writer else main_chain(list(chains.values())), folder, copy)
        readings = list(taken(folder.readings)) if folder.readings.is_file() else []
        steps = _with_readings(list(reader.steps()), readings, reader.writer)
    except (KeyError, IndexError, ValueError, OSError, sqlite3.Error) as error:
        raise NotReplayable(f"{folder.path} cannot be replayed: {error}") from None
    first = next(step for step in steps if isinstance(step, SessionOpened))
    return Trace(first.plan, folder, reader.writer, first.started_at, steps, reader.given, tuple(reader.hidden))


_STEPS = (WATCHING, UNCHANGED, TOOK_IN, COUNTS)
"""Kinds of notes that are steps of a trace."""


class _Reader:
    """Reads one chain in order, and from the others what it says it took in."""

    def __init__(self, chains: dict[str, Chain], chosen: Chain, folder: RecordFolder, copy: Path | None) -> None:
        self._chains, self._chosen, self._folder, self._copy = chains, chosen, folder, copy
        own = own_sessions(chosen.lines)
        self._provenance = seen_by([chosen], folder.id, own)
        self._provenance.received |= receipts(chains.values(), chosen.lines)
        self.writer = chosen.writer
        self._plans: dict[tuple[str, frozenset[tuple[str, str]]], Plan] = {}
        self._by_hash = {line.hash: line for line in chosen.lines}
        counted = [line.entry.body for line in chosen.lines if line.entry.body.get("kind") == COUNTS]
        self._counted_later = {str(body.get("line")) for body in counted} & set(self._by_hash)
        self._watching = False
        self._opened: Mapping[str, Any] = {}
        self.given: Mapping[str, str] = {}
        self.hidden: dict[str, None] = {}
        self._at: dict[str, int] = dict.fromkeys(chains, 0)
        self._places = {name: chain.places() for name, chain in chains.items()}

    def steps(self) -> Iterator[TracePoint]:
        changes: list[Change] = []
        closed = False
        for number, line in enumerate(self._chosen.lines, 1):
            entry = self._provenance.entry(self.writer, line)
            if isinstance(entry, Change) and (not changes or entry.at == changes[0].at):
                changes.append(entry)
                continue
            if line.hash in self._counted_later:
                continue  # a note says from when on
            opens = line.entry.type is Type.OPEN
            closed = closed or line.entry.type is Type.CLOSE
            if entry is None and not opens and line.entry.body.get("kind") not in _STEPS:
                continue  # submitted by another thread, it may even stand between the changes of one decision
            if changes:
                yield Decided(changes[0].at, changes, cut=opens and not closed)
            closed = closed and not opens
            changes = [entry] if isinstance(entry, Change) else []
            if not changes:
                yield from self._of(line, entry, number)
        if changes:
            yield Decided(changes[0].at, changes, cut=not closed)

    def _of(self, line: Line, entry: Entry | None, number: int) -> Iterator[TracePoint]:
        body = line.entry.body
        if line.entry.type is Type.OPEN:
            self._at[self.writer] = number
            self._watching, self._opened = False, body
            self.given = self.given or given_vars(body)
            self.hidden |= dict.fromkeys(hidden_vars(body))
            self._reach(line.entry.seen)
            yield self._open(line)
        elif body.get("kind") == WATCHING:
            self._watching = True
            yield WatchStarted(line.entry.ts, moment(body["since"]), int(body.get("readings", -1)))
        elif body.get("kind") == UNCHANGED:
            yield Decided(moment(body["at"]), ())
        elif body.get("kind") == TOOK_IN and not self._watching:
            self._reach(body.get("heads"))  # arrived while it opened
            yield self._open(line)
        elif body.get("kind") == TOOK_IN:
            yield from (EntryAdded(each.at, each) for each in self._merged_entries(body.get("heads")))
        elif body.get("kind") == COUNTS:
            kept = self._by_hash.get(str(body.get("line")))
            counted = None if kept is None else self._provenance.entry(self.writer, kept)
            if counted is not None:
                yield EntryAdded(counted.at, counted)
        elif entry is not None:
            yield EntryAdded(entry.at, entry)

    def _open(self, line: Line) -> SessionOpened:
        return SessionOpened(
            line.entry.ts,
            self._entries_so_far(),
            self._plan(),
            moment(self._opened["started_at"]),
            kind_opened(self._opened),
        )

    def _plan(self) -> Plan:
        """The plan of the session that opens: the same object where nothing about it changed. Raises ValueError."""
        which = str(self._opened.get("plan_digest", "")), frozenset(given_vars(self._opened).items())
        if which not in self._plans:
            try:
                self._plans[which] = self._folder.load_plan(self._opened, self._copy)
            except NoPlanCopy:
                why = "it holds no copy of the plan it was made with; if you have that file, pass it with --plan"
                raise ValueError(why) from None
            except PlanUnknown as problem:
                raise ValueError(f"its plan: {problem}") from None
        return self._plans[which]

    def _reach(self, heads: object) -> None:
        for name, head in dict(heads if isinstance(heads, Mapping) else {}).items():
            if name in self._places:
                self._at[name] = max(self._at[name], self._places[name].get(str(head), 0))

    def _entries_so_far(self) -> list[Entry]:
        """The record as a session that opens now reads it: all lines so far, in one order."""
        return self._entries(self._upto({}))

    def _merged_entries(self, heads: object) -> list[Entry]:
        """Entries of the other writers since they were last read."""
        before = dict(self._at)
        self._reach(heads)
        return self._entries(self._upto(before, but=self.writer))

    def _entries(self, chains: list[Chain]) -> list[Entry]:
        found = (self._provenance.entry(writer, line) for writer, line in merged(chains, self._provenance.received))
        return [entry for entry in found if entry is not None]

    def _upto(self, since: dict[str, int], but: str = "") -> list[Chain]:
        return [
            Chain(name, chain.lines[since.get(name, 0) : self._at[name]])
            for name, chain in self._chains.items()
            if name != but
        ]


def _with_readings(steps_of_chain: Sequence[TracePoint], kept: Sequence[Taken], writer: str) -> list[TracePoint]:
    """The steps, each reading before the first decision it was available to, with what each session restored."""
    own = [each for each in kept if each.writer in ("", writer)]
    steps: list[TracePoint] = []
    at = 0
    restored = [_with_restored(step, kept) if isinstance(step, WatchStarted) else step for step in steps_of_chain]
    for n, step in enumerate(restored):
        if isinstance(step, WatchStarted):
            while at < len(own) and own[at].row <= step.last_row:
                at += 1
        elif isinstance(step, SessionOpened):
            end = next((later.last_row for later in restored[n:] if isinstance(later, WatchStarted)), 0)
            while steps and at < len(own) and own[at].row <= end:
                steps.append(_reading_taken(own[at]))
                at += 1
        elif isinstance(step, Decided):
            while at < len(own) and own[at].at <= step.at:
                steps.append(_reading_taken(own[at]))
                at += 1
        steps.append(step)
    return [*steps, *map(_reading_taken, own[at:])]


def _reading_taken(each: Taken) -> ReadingTaken:
    return ReadingTaken(each.at, each.probe, each.reading)


def _with_restored(step: WatchStarted, kept: Sequence[Taken]) -> WatchStarted:
    """With the readings it restored. An older record does not name them: those taken in earlier."""
    last = step.last_row
    if last < 0:
        last = max((each.row for each in kept if each.at <= step.at), default=0)
    since = step.at - RESTORE_WITHIN
    found = [each for each in kept if each.row <= last and each.reading.observed_at >= since]
    return WatchStarted(step.at, step.since, last, found)
