"""Keeping entries without waiting for the disk: a thread of its own writes what it is told, in order, many with one fsync."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from cockpit.decide.record import Change, ObserverGap, Record
from cockpit.decide.record import Entry as Kept
from cockpit.journal.bodies import from_body
from cockpit.journal.chain import Follower, merged
from cockpit.journal.entry import Actor, Line, Type
from cockpit.journal.personal import vouched
from cockpit.journal.writer import COCKPIT, Draft, Journal

log = logging.getLogger(__name__)
MOST = 200
"""Entries written with one wait for the disk."""
_Job = tuple[Draft, "Future[Line]"] | None


class Scribe:
    """Takes drafts from any thread, at once. What is not written when the process dies was never acknowledged."""

    def __init__(self, journal: Journal, first: Callable[[], None] = lambda: None) -> None:
        """`first` puts on the disk what the entries rest on; called in the scribe's thread before each writing. Never raises."""
        self.journal = journal
        self._first = first
        self.trouble = ""
        """Why entries are not being kept, in one line; empty while they are. Show it: a record with holes must say so."""
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._door = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def tell(self, draft: Draft) -> Future[Line]:
        """Keep an entry soon. The future gives its line once it is on the disk, or raises what `Journal.extend` does.

        In an event loop: `await asyncio.wrap_future(scribe.tell(draft))`.
        """
        done: Future[Line] = Future()
        with self._door:
            if self._closed:
                done.set_exception(OSError("the journal is closed"))
            else:
                self._jobs.put((draft, done))
        return done

    def close(self, body: Mapping[str, Any] | None = None) -> str:
        """Write what is left and `close`; the last head. Waits for the disk: call it in a thread. Raises OSError."""
        with self._door:
            if not self._closed:
                self._jobs.put(None)
            self._closed = True
        self._thread.join()
        return self.journal.close(body)

    def _run(self) -> None:
        going = True
        while going:
            batch, going = self._batch()
            if batch:
                self._first()
                self._keep(batch)

    def _batch(self) -> tuple[list[tuple[Draft, Future[Line]]], bool]:
        batch: list[tuple[Draft, Future[Line]]] = []
        job = self._jobs.get()
        while job is not None:
            batch.append(job)
            if len(batch) == MOST or self._jobs.empty():
                return batch, True
            job = self._jobs.get()
        return batch, False

    def _keep(self, batch: list[tuple[Draft, Future[Line]]]) -> None:
        try:
            lines = self.journal.extend([draft for draft, _ in batch])
        except ValueError as error:
            if len(batch) > 1:
                for each in batch:  # one of them cannot be kept; the others can
                    self._keep([each])
                return
            log.warning("an entry cannot be kept: %s", error)
            batch[0][1].set_exception(error)
        except Exception as error:
            log.exception("the journal cannot be written")
            self.trouble = f"the journal is not being written: {error}"
            for _, done in batch:
                done.set_exception(error)
        else:
            for (_, done), line in zip(batch, lines, strict=True):
                done.set_result(line)


class KeptRecord(Record):
    """A Record that also keeps every entry appended to it. Give it to a `Watch`; what was there before is not kept twice."""

    __slots__ = ("_actor", "_follower", "_keys", "_scribe")

    def __init__(
        self, scribe: Scribe, actor: Callable[[], Actor] = lambda: COCKPIT, keys: Mapping[str, str] | None = None
    ) -> None:
        """Begins with everything the journal's folder already holds. `actor` tells who is at this cockpit now. Raises OSError.

        `keys`: see `key_of`.
        """
        super().__init__()
        self._keys = keys or {}
        self._scribe = scribe
        self._actor = actor
        self._follower = Follower(scribe.journal.folder)
        self.take_in(own=True)

    def append(self, entry: Kept) -> None:
        super().append(entry)
        self._scribe.tell(Draft.of(entry, self._actor()))

    def keep_signed(self, entry: Kept, actor: Actor, signature: Mapping[str, str] | None) -> Future[Line]:
        """Append what a person said, with their signature (`Journal.statement(Draft.of(entry, actor)).signed(key)`)."""
        super().append(entry)
        return self._scribe.tell(Draft.of(entry, actor, signature))

    def take_in(self, *, own: bool = False) -> int:
        """Append what other writers added since (after a `Sync`), without keeping it again; how many entries. Raises OSError."""
        added = 0
        new = self._follower.new()
        others = {chain.writer: chain.lines[-1].hash for chain in new if chain.lines}
        others.pop(self._scribe.journal.writer, None)
        if others:
            # A replay must know what was known when: what lies in the folder is not yet what was looked at.
            self._scribe.tell(Draft(Type.NOTE, {"kind": TOOK, "heads": others}))
        for writer, line in merged(new):
            if writer == self._scribe.journal.writer and not own:
                continue
            try:
                entry = from_body(line.entry.body)
            except ValueError:
                continue
            if entry is None or (not own and isinstance(entry, _SEEN_HERE)):
                continue
            super().append(vouched(entry, line, self._scribe.journal.record, self._keys))
            added += 1
        return added


TOOK = "took_in"
_SEEN_HERE = (Change, ObserverGap)
"""What each cockpit sees for itself, once it is open."""
