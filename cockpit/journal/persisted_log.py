"""A Record whose every entry is also written to the journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime, timedelta

from cockpit.decide.events import Entry, LinesMissing, Record
from cockpit.journal.announced import MissingLines
from cockpit.journal.chain import Chain, Follower, merged
from cockpit.journal.codec import from_body, time_text
from cockpit.journal.entry import Actor, Line, Type
from cockpit.journal.heads_of_others import HeadsOfOthers, line_name
from cockpit.journal.provenance import Provenance, cut_off, is_cut, late_in, lines_of, marked_sessions, receipts
from cockpit.journal.validity import COUNTS, TOOK_IN
from cockpit.journal.writer import COCKPIT, Draft
from cockpit.journal.writer_thread import WriterThread


class PersistedRecord(Record):
    """A Record that also keeps every entry appended to it. Give it to a `Watch`; what was there before is not kept twice."""

    __slots__ = (
        "_actor",
        "_cut",
        "_follower",
        "_looked",
        "_provenance",
        "_speed",
        "_unread_of",
        "_writer_thread",
        "set_aside",
    )

    def __init__(
        self,
        writer_thread: WriterThread,
        actor: Callable[[], Actor] = lambda: COCKPIT,
        *,
        rehearsal: bool = False,
        claimed_because: str = "",
    ) -> None:
        """Begins with everything the journal's folder already holds. `actor` returns who is here now. Raises OSError."""
        super().__init__(rehearsal=rehearsal, claimed_because=claimed_because)
        journal = writer_thread.journal
        self._writer_thread = writer_thread
        self._actor = actor
        self.set_aside: dict[str, tuple[int, str]] = {}
        """By other writer, how many of its lines were set aside as not valid, and why the first was."""
        self._follower = Follower(journal.folder)
        chains = self._follower.new()
        own = {journal.session, *(session for chain in chains for session in marked_sessions(chain.lines))}
        self._provenance = Provenance(journal.record, own.__contains__)
        before = lines_of(chains, own - {journal.session})
        self._looked = max((line.entry.ts for line in before), default=None)
        """When this cockpit last saw what the others had written; None before the first time."""
        self._speed = 1.0
        self._provenance.late |= late_in(before)
        self._provenance.received |= receipts(chains, before)
        self._cut = cut_off(chains, before)
        """By other writer: a line that an earlier session had seen, and is not there."""
        self._unread_of = HeadsOfOthers(journal.writer)
        self._take_in(chains, _seen(before))

    @property
    def looked(self) -> datetime | None:
        """When this cockpit last saw what the others had written; None before the first time."""
        return self._looked

    def append(self, entry: Entry) -> None:
        super().append(entry)
        self._writer_thread.submit(Draft.of(entry, self._actor()), held=True)

    def submit_signed(self, entry: Entry, actor: Actor, signature: Mapping[str, str] | None) -> Future[Line]:
        """Keep a person's entry, with their signature (`Journal.signed_text(Draft.of(entry, actor)).signed(key)`).

        It does not count before its line is on the disk: then call `counts`.
        """
        return self._writer_thread.submit(Draft.of(entry, actor, signature))

    def counts(self, entry: Entry, line: Line) -> None:
        """Append an entry that was kept. A note gives a replay the order: decisions may stand between its line and this."""
        super().append(entry)
        self._writer_thread.submit(Draft(Type.NOTE, {"kind": COUNTS, "line": line.hash}), held=True)

    def note(self, kind: str, fields: Mapping[str, str]) -> None:
        """Keep a note that is no entry."""
        self._writer_thread.submit(Draft(Type.NOTE, {"kind": kind, **fields}), held=True)

    def note_missing(self, announced: Sequence[MissingLines] | None, unread: datetime | None = None) -> bool:
        """Note which lines of others are known to be missing now, where that changed: those that a share announces, those that
        were here before, and those that others had read; whether it changed.

        None: the share was not seen, so those it announced last still are. `unread`: since when it cannot be read.
        """
        noted = self.lines_missing
        if announced is None:
            announced = announced_in(noted)
        else:
            self._unread_of.look(self._follower.has)
        self._cut = {writer: head for writer, head in self._cut.items() if not self._follower.has(writer, head)}
        cut = [MissingLines(each, is_cut(each), (line_name(each, head),)) for each, head in sorted(self._cut.items())]
        found: dict[str, MissingLines] = {}
        for each in (*announced, *self._unread_of.missing(), *cut):
            before = found.get(each.writer, each)
            found[each.writer] = replace(before, names=tuple(dict.fromkeys((*before.names, *each.names))))
        now = LinesMissing(
            self._writer_thread.journal.now(),
            tuple(each.text for each in found.values()),
            tuple(found),
            tuple(name for each in found.values() for name in each.names)[:MOST_NAMES],
            unread,
        )
        if now == replace(noted or LinesMissing(now.at), at=now.at):
            return False
        self.append(now)
        return True

    def take_in(self, looked: datetime | None = None, speed: float = 1.0) -> int:
        """Append what other writers added since (after a `Sync`), without keeping it again; how many entries. Raises OSError.

        `looked`: the time, if everything the others have written so far could be seen; `speed`: of the cutover's clock.
        """
        own = self._writer_thread.journal.writer
        added = self._take_in([chain for chain in self._follower.new() if chain.writer != own], {})
        if looked is not None:
            self._looked, self._speed = looked, speed
        return added

    def _take_in(self, chains: Sequence[Chain], seen: Mapping[str, str]) -> int:
        """`seen`: by writer, the hash of its last line that was seen before; what comes after it is new."""
        own = self._writer_thread.journal.writer
        late = [
            text for chain in chains if chain.writer != own for text in self._late(chain, seen.get(chain.writer, ""))
        ]
        self._provenance.late.update(late)
        for chain in chains:
            if chain.writer != own and (odd := chain.unexplained()):
                count, why = self.set_aside.get(chain.writer, (0, odd[0].why))
                self.set_aside[chain.writer] = count + len(odd), why
        for chain in chains:
            self._unread_of.add(chain)
        now = self._writer_thread.journal.now()
        for chain in chains:
            for line in chain.lines if chain.writer != own else ():
                self._provenance.received.setdefault(line.hash, now)
        heads = {chain.writer: chain.lines[-1].hash for chain in chains if chain.lines and chain.writer != own}
        if heads:
            # A replay must know when entries were taken in: being in the folder is not enough.
            self._writer_thread.submit(
                Draft(Type.NOTE, {"kind": TOOK_IN, "heads": heads, "late": late, "at": time_text(now)}), held=True
            )
        before = len(self.entries)
        for writer, line in merged(chains, self._provenance.received):
            if (entry := self._provenance.entry(writer, line)) is not None:
                super().append(entry)
        return len(self.entries) - before

    def _late(self, chain: Chain, seen: str) -> list[str]:
        """Hashes of the new lines that are dated so that they would have been seen, had they been there."""
        if self._looked is None:
            return []
        first = chain.places().get(seen, 0)
        limit = self._looked - ARRIVES_WITHIN * max(1.0, self._speed)
        return [line.hash for line in chain.lines[first:] if dated(line) < limit]


def announced_in(noted: LinesMissing | None) -> list[MissingLines]:
    """What a share had announced as missing, as it was noted."""
    if noted is None:
        return []
    found = []
    for text, writer in zip(noted.of, noted.writers, strict=False):
        names = tuple(name for name in noted.names if name.startswith(f"{writer}/"))
        found += [MissingLines(writer, text, names)] if names else []
    return found


def _seen(lines: Sequence[Line]) -> dict[str, str]:
    """By writer, the newest of their lines that these lines had seen."""
    found: dict[str, str] = {}
    for line in sorted(lines, key=lambda each: each.entry.ts):
        found |= line.entry.seen
    return found


def dated(line: Line) -> datetime:
    """The time of an entry, or of its line if that is earlier: both are what the writer says."""
    try:
        entry = from_body(line.entry.body)
    except ValueError:
        entry = None
    return min(line.entry.ts, entry.at) if entry else line.entry.ts


MOST_NAMES = 900
"""Names of what is missing in one note: a list of an entry has its bounds."""
ARRIVES_WITHIN = timedelta(minutes=15)
"""What arrives longer after the time it is dated does not count: a session could be dated back to when a key was still valid."""
