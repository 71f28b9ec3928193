"""A Record whose every entry is also written to the journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import assert_never

from cockpit.decide.events import (
    Acknowledgement,
    Change,
    Decision,
    Happened,
    ObserverGap,
    PhaseBegan,
    PointOfNoReturn,
    Record,
    ReleaseSeen,
    SignOff,
    StepBegan,
    StepEnded,
    Vote,
    Waiver,
)
from cockpit.decide.events import Entry as Kept
from cockpit.journal.chain import Follower, merged
from cockpit.journal.codec import from_body
from cockpit.journal.entry import Actor, Line, Type
from cockpit.journal.statement import vouched
from cockpit.journal.writer import COCKPIT, Draft
from cockpit.journal.writer_thread import TOOK_IN, WriterThread


class PersistedRecord(Record):
    """A Record that also keeps every entry appended to it. Give it to a `Watch`; what was there before is not kept twice."""

    __slots__ = ("_actor", "_follower", "_keys", "_writer_thread")

    def __init__(
        self,
        writer_thread: WriterThread,
        actor: Callable[[], Actor] = lambda: COCKPIT,
        keys: Mapping[str, str] | None = None,
    ) -> None:
        """Begins with everything the journal's folder already holds. `actor` returns who is at this cockpit now. Raises OSError.

        `keys`: see `key_of`.
        """
        super().__init__()
        self._keys = keys or {}
        self._writer_thread = writer_thread
        self._actor = actor
        self._follower = Follower(writer_thread.journal.folder)
        self.take_in(own=True)

    def append(self, entry: Kept) -> None:
        super().append(entry)
        self._writer_thread.submit(Draft.of(entry, self._actor()), held=True)

    def submit_signed(self, entry: Kept, actor: Actor, signature: Mapping[str, str] | None) -> Future[Line]:
        """Keep a person's entry, with their signature (`Journal.statement(Draft.of(entry, actor)).signed(key)`).

        It does not count before its line is on the disk: then call `counts`.
        """
        return self._writer_thread.submit(Draft.of(entry, actor, signature))

    def counts(self, entry: Kept, line: Line) -> None:
        """Append an entry that was kept. A note tells a replay when: decisions may stand between its line and this."""
        super().append(entry)
        self._writer_thread.submit(Draft(Type.NOTE, {"kind": COUNTS, "line": line.hash}), held=True)

    def take_in(self, *, own: bool = False) -> int:
        """Append what other writers added since (after a `Sync`), without keeping it again; how many entries. Raises OSError."""
        added = 0
        new = self._follower.new()
        others = {chain.writer: chain.lines[-1].hash for chain in new if chain.lines}
        others.pop(self._writer_thread.journal.writer, None)
        if others:
            # A replay must know when entries were taken in: being in the folder is not enough.
            self._writer_thread.submit(Draft(Type.NOTE, {"kind": TOOK_IN, "heads": others}), held=True)
        for writer, line in merged(new):
            if writer == self._writer_thread.journal.writer and not own:
                continue
            try:
                entry = from_body(line.entry.body)
            except ValueError:
                continue
            if entry is None or (not own and is_seen_by_each(entry)):
                continue
            super().append(vouched(entry, line, self._writer_thread.journal.record, self._keys))
            added += 1
        return added


COUNTS = "counts"
"""Kind of the note from which on a person's entry, by the hash of its line, was decided by."""


def is_seen_by_each(entry: Kept) -> bool:
    """Whether each cockpit that is open sees this for itself, so that what others kept of it is not taken in."""
    match entry:
        case Change() | ObserverGap():
            return True
        case SignOff() | Vote() | Waiver() | Acknowledgement() | Decision() | StepBegan() | StepEnded():
            return False
        case PhaseBegan() | PointOfNoReturn() | ReleaseSeen() | Happened():
            return False
        case _:
            assert_never(entry)
