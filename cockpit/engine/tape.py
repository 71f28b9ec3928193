"""A record as a tape: what one cockpit took in, heard and decided, in exactly that order.

The journal of one writer is the order of everything but readings; those carry the moment they were taken in. So a tape is the
writer's chain with the readings laid between: whatever was taken in by the time of a decision lies before it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cockpit.decide.record import Change, Entry, ObserverGap
from cockpit.engine.recording import WATCHING, keys_of
from cockpit.journal.bodies import from_body, moment
from cockpit.journal.chain import Chain, merged
from cockpit.journal.entry import Line, Type
from cockpit.journal.folder import RecordFolder
from cockpit.journal.readings import taken
from cockpit.journal.scribe import TOOK, vouched
from cockpit.plan.load import PlanError, load_plan
from cockpit.plan.model import Plan
from probes.reading import Reading


class NoTape(Exception):  # noqa: N818 - what the record is not
    """The record cannot be played; the message says why."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A session begins, with everything the record held by then."""

    at: datetime
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Looked:
    """A session began to look: what is known as of then is what it saw last."""

    at: datetime


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
    """One decision that changed a word, with everything it changed."""

    at: datetime
    changes: Sequence[Change]


Step = Opened | Looked | Fed | Said | Turned


@dataclass(frozen=True, slots=True)
class Tape:
    plan: Plan
    folder: RecordFolder
    writer: str
    started_at: datetime
    steps: Sequence[Step] = field(repr=False)

    @property
    def ends_at(self) -> datetime:
        return max((step.at for step in self.steps), default=self.started_at)


def tape_of(folder: RecordFolder, writer: str = "") -> Tape:
    """The tape of a writer: by default the one who saw the most turn. Raises NoTape."""
    try:
        chains = {chain.writer: chain for chain in folder.chains()}
        chosen = chains[writer or _main(chains)]
        opens = [line for line in chosen.lines if line.entry.type is Type.OPEN]
        started_at = moment(opens[0].entry.body["started_at"])
        plan = _plan(folder, opens[0])
        readings = list(taken(folder.readings)) if folder.readings.is_file() else []
    except (KeyError, IndexError, ValueError, OSError, sqlite3.Error) as error:
        raise NoTape(f"{folder.path} cannot be played: {error}") from None
    spoken = list(_Reader(chains, chosen, plan, folder.id).steps())
    return Tape(plan, folder, chosen.writer, started_at, _laid_between(spoken, readings, plan))


def _main(chains: dict[str, Chain]) -> str:
    def turned(chain: Chain) -> int:
        return sum(line.entry.body.get("kind") == "change" for line in chain.lines)

    return max(sorted(chains), key=lambda name: turned(chains[name]))


def _plan(folder: RecordFolder, opened: Line) -> Plan:
    """The plan as it was loaded then. What the environment gave is not in the record, and decides nothing."""
    given = {str(name): str(text) for name, text in dict(opened.entry.body.get("vars") or {}).items()}
    try:
        return load_plan(folder.plan, overrides=given, environ={}, require_environment=False)
    except PlanError as error:
        raise ValueError(f"its plan: {error}") from None


class _Reader:
    """Reads one chain in its order, and of the others what it says it took in."""

    def __init__(self, chains: dict[str, Chain], chosen: Chain, plan: Plan, record: str) -> None:
        self._chains, self._chosen, self._record = chains, chosen, record
        self._keys = keys_of(plan)
        self._at: dict[str, int] = dict.fromkeys(chains, 0)
        self._places = {name: {line.hash: n for n, line in enumerate(c.lines, 1)} for name, c in chains.items()}

    def steps(self) -> Iterator[Step]:
        turned: list[Change] = []
        for number, line in enumerate(self._chosen.lines, 1):
            entry = self._entry(line)
            if turned and not (isinstance(entry, Change) and entry.at == turned[0].at):
                yield Turned(turned[0].at, turned)
                turned = []
            if isinstance(entry, Change):
                turned.append(entry)
            elif line.entry.type is Type.OPEN:
                self._at[self._chosen.writer] = number
                self._reach(line.entry.seen)
                yield Opened(line.entry.ts, self._held())
            elif line.entry.body.get("kind") == WATCHING:
                yield Looked(moment(line.entry.body["since"]))
            elif line.entry.body.get("kind") == TOOK:
                yield from (Said(each.at, each) for each in self._took(dict(line.entry.body.get("heads") or {})))
            elif entry is not None:
                yield Said(entry.at, entry)
        if turned:
            yield Turned(turned[0].at, turned)

    def _reach(self, heads: object) -> None:
        for name, head in dict(heads if isinstance(heads, dict) else {}).items():
            if name in self._places:
                self._at[name] = max(self._at[name], self._places[name].get(str(head), 0))

    def _held(self) -> list[Entry]:
        """What a session that opens now finds: everybody's lines so far, in one order."""
        return [entry for line in _lines(self._upto({})) if (entry := self._entry(line)) is not None]

    def _took(self, heads: dict[str, str]) -> list[Entry]:
        """What came in from the others since they were looked at last."""
        before = dict(self._at)
        self._reach(heads)
        new = self._upto(before, but=self._chosen.writer)
        found = (self._entry(line) for line in _lines(new))
        return [entry for entry in found if entry is not None and not isinstance(entry, Change | ObserverGap)]

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


def _laid_between(spoken: Sequence[Step], readings: Sequence[tuple[datetime, str, Reading]], plan: Plan) -> list[Step]:
    """The readings before the first decision, or session, they were there for."""
    steps: list[Step] = []
    ahead = iter((at, probe, reading) for at, probe, reading in readings if probe in plan.probes)
    nxt = next(ahead, None)
    for step in spoken:
        while nxt is not None and nxt[0] <= step.at and not (isinstance(step, Said)):
            steps.append(Fed(*nxt))
            nxt = next(ahead, None)
        steps.append(step)
    while nxt is not None:
        steps.append(Fed(*nxt))
        nxt = next(ahead, None)
    return steps
