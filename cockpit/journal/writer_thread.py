"""Keeping entries without waiting for the disk: a dedicated thread writes what is submitted, in order, many with one fsync."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from cockpit.journal.entry import Line
from cockpit.journal.reading_segments import Segment
from cockpit.journal.readings import ReadingStore
from cockpit.journal.validity import TOOK_IN
from cockpit.journal.writer import Draft, Journal

log = logging.getLogger(__name__)
FLUSH_S = 2.0
"""How long an entry waits for the readings it rests on to be on the disk."""
MOST = 200
"""Entries written with one wait for the disk."""
RETRY_S = 1.0
"""Between two tries while the disk is full."""
_Job = tuple[Draft, "Future[Line]", bool]


class WriterThread:
    """Takes drafts from any thread, at once. What is not written when the process dies was never acknowledged."""

    def __init__(self, journal: Journal, readings: ReadingStore | None = None) -> None:
        """`readings` are what the entries rest on: on the disk, and under the journal's signature, before each batch."""
        self.journal = journal
        self._readings = readings
        self.trouble = ""
        """Why entries are not being kept, in one line; empty while they are. Show it: a record with holes must say so."""
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._held: list[_Job] = []
        """What waits for room on the disk."""
        self._waits = True
        """Whether there will be another try: after the last one whatever has found no room is refused."""
        self._refused = 0
        """How many entries that were to wait for room."""
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def submit(self, draft: Draft, *, held: bool = False) -> Future[Line]:
        """Keep an entry soon. The future gives its line once it is on the disk, or raises what `Journal.extend` does.

        `held`: where the disk is full it waits for room instead of being refused.
        In an event loop: `await asyncio.wrap_future(writer_thread.submit(draft))`.
        """
        done: Future[Line] = Future()
        with self._lock:
            if self._closed:
                done.set_exception(OSError("the journal is closed"))
            else:
                self._jobs.put((draft, done, held))
        return done

    def close(self, body: Mapping[str, Any] | None = None) -> str:
        """Write what is left and `close`; the last head. Waits for the disk: call it in a thread.

        Raises OSError where what waited for room did not find it by now: the chain then has no `close`.
        """
        with self._lock:
            if not self._closed:
                self._jobs.put(None)
            self._closed = True
        self._thread.join()
        if self._refused:
            self.journal.leave()
            raise OSError(f"{self._refused} of the last entries were not kept: {self.trouble}")
        return self.journal.close(body)

    def _run(self) -> None:
        going = True
        while going:
            new, going = self._batch()
            batch, self._held = [*self._held, *new], []
            if batch:
                segment = None if all(_rests_on_nothing(draft) for draft, _, _ in batch) else self._segment()
                self._keep(batch, segment)
        last, self._held, self._waits = self._held, [], False
        self._keep(last, self._segment())

    def _segment(self) -> Segment | None:
        """The readings kept so far that no entry speaks for yet."""
        if self._readings is None:
            return None
        self._readings.flush(FLUSH_S)
        return self._readings.segment()

    def _batch(self) -> tuple[list[_Job], bool]:
        batch: list[_Job] = []
        try:
            job = self._jobs.get(timeout=RETRY_S if self._held else None)
        except queue.Empty:
            return [], True
        while job is not None:
            # From here on nobody can cancel it any more; what was cancelled before is not kept.
            if job[1].set_running_or_notify_cancel():
                batch.append(job)
            if len(batch) == MOST or self._jobs.empty():
                return batch, True
            job = self._jobs.get()
        return batch, False

    def _keep(self, batch: list[_Job], segment: Segment | None = None) -> None:
        drafts = [draft for draft, _, _ in batch]
        if segment is not None:
            drafts.insert(0, segment.draft())
        if not drafts:
            return
        try:
            lines = self.journal.extend(drafts)
        except ValueError as error:
            if len(drafts) > 1:  # one of them cannot be kept; the others can
                self._keep([], segment)
                for each in batch:
                    self._keep([each])
                return
            log.warning("an entry cannot be kept: %s", error)
            for _, done, _ in batch:
                done.set_exception(error)
        except Exception as error:
            log.exception("the journal cannot be written")
            self.trouble = f"the journal is not being written: {error}"
            self._hold_or_refuse(batch, error)
        else:
            self.trouble = ""
            if segment is not None and self._readings is not None:
                self._readings.covered(segment)
            for (_, done, _), line in zip(batch, lines[len(lines) - len(batch) :], strict=True):
                done.set_result(line)

    def _hold_or_refuse(self, batch: list[_Job], error: Exception) -> None:
        for job in batch:
            _, done, held = job
            if held and self._waits and not self.journal.closed:
                self._held.append(job)
            else:
                self._refused += held
                done.set_exception(error)


def _rests_on_nothing(draft: Draft) -> bool:
    """Whether an entry only acknowledges other journals: two cockpits would acknowledge each other without end."""
    return draft.body.get("kind") == TOOK_IN
