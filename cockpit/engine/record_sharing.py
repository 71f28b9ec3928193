"""One record shared with other cockpits: what they write is taken in, and what may be missing of it is noted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from cockpit.engine.clock import WatchClock
from cockpit.journal.persisted_log import PersistedRecord
from cockpit.journal.sharing import Sync
from cockpit.journal.validity import SHARED_IN
from probes.clients.threads import in_thread, within

log = logging.getLogger(__name__)
NO_ANSWER_S = 10.0
"""A round with the shared store that takes longer is shown as trouble."""
LAST_PUSH_S = 0.4
"""How long quitting waits for the shared store to take the last entries."""
UNREAD_AFTER = timedelta(seconds=30)
"""A share that cannot be read for longer than this may hold back a no: a few rounds that went wrong are no reason to hold."""
SHARE_S = 1.0
"""Between two synchronisations of a shared record."""


def holds_unread(since: datetime, clock: WatchClock, *, at_once: bool) -> datetime | None:
    """Since when a share is not read, where that holds by now; None where it does not yet.

    `at_once`: it is another one, was never read, or none is named.
    """
    lasts = clock.now() - since >= UNREAD_AFTER * max(1.0, clock.speed)
    return since if at_once or lasts else None


def nothing() -> None:
    """For who does not ask for news."""


class RecordSharing:
    """What one session takes in of others, on this machine and through a share, where there is one."""

    def __init__(
        self,
        record: PersistedRecord,
        clock: WatchClock,
        started_at: datetime,
        sync: Sync | None = None,
        *,
        left: bool = False,
        mark: str = "",
    ) -> None:
        """`left`: whether the record was shared before, and its share is not named now, or is another. `mark`: an object by which
        the share of an earlier session is known again.
        """
        self.sync = sync
        self.on_news: Callable[[], None] = nothing
        """Called when entries of others have arrived."""
        self.is_gone_without: Callable[[], bool] = lambda: False
        """Whether somebody goes on without what the share that was left may hold back."""
        self._record = record
        self._clock = clock
        self._left = left
        self._mark = mark
        noted = record.lines_missing
        looked = (noted and noted.unread) or record.looked
        self._read_at = looked or started_at
        """When the share was last read."""
        self._never_read = looked is None

    @property
    def trouble(self) -> str:
        """Why the share is not as it must be; empty while it is."""
        away = f"the shared record cannot be reached: {self.sync.trouble}" if self.sync and self.sync.trouble else ""
        odd = f"rejected from the share: {self.sync.strange}" if self.sync and self.sync.strange else ""
        return " · ".join(filter(None, (away, odd)))

    async def run(self) -> None:
        """Take in what other cockpits write to the record, and share it where it is shared, until cancelled."""
        while True:
            await asyncio.sleep(SHARE_S)
            try:
                await self.share()
            except OSError as error:
                log.warning("what others wrote to the record cannot be read: %s", error)

    async def share(self) -> None:
        """Take in once what others wrote: others on this machine, and in the shared store, if there is one."""
        reached = self.sync is not None and await self._round()
        if self.take_in(reached=reached):
            self.on_news()

    def take_in(self, *, reached: bool) -> bool:
        """Take in what is here of others, and note what is known to be missing; whether there was anything. Raises OSError.

        `reached`: all that they have written so far could be seen.
        """
        news = self._record.take_in(self._clock.now() if reached else None, self._clock.speed)
        announced = None if self.sync is None or not (self.sync.read or self.sync.missing) else self.sync.missing
        return self._record.note_missing(announced, self._unread()) or news > 0

    def close(self) -> None:
        """The last entries are pushed, where it is shared."""
        if self.sync is not None:
            try:
                within(LAST_PUSH_S, self.sync.once)
            except TimeoutError:
                log.warning(
                    "the last entries are not in the shared record: it does not answer. The next session shares them"
                )

    def _unread(self) -> datetime | None:
        """Since when the share has not been read, once that holds; None while it is read."""
        if self.sync is not None:
            self._left = self.sync.place.left or (self._left and not self.sync.read)
            if self.sync.read and not self._left:
                self._read_at, self._never_read = self._clock.now(), False
                self._note_mark(self.sync.mark(self._mark))
                return None
        elif not self._left:
            return None
        noted = self._record.lines_missing
        if self.sync and self._left and noted and noted.unread == self._read_at and self.is_gone_without():
            self.sync.place.settle_here()
        failed = self.sync is not None and bool(self.sync.trouble)
        return holds_unread(self._read_at, self._clock, at_once=self._left or (self._never_read and failed))

    def _note_mark(self, mark: str) -> None:
        """So that the next session on this machine knows the share again, and another one from it."""
        if mark and mark != self._mark:
            self._mark = mark
            self._record.note(SHARED_IN, {"object": mark})

    async def _round(self) -> bool:
        """Whether a round with the store went well. One that hangs says so, and no other begins until it has ended."""
        assert self.sync is not None
        round_ = asyncio.ensure_future(in_thread(self.sync.once))
        try:
            while not (await asyncio.wait({round_}, timeout=NO_ANSWER_S))[0]:
                self.sync.trouble = f"no answer for {NO_ANSWER_S:g} s"
                self.take_in(reached=False)
                self.on_news()
            return await round_
        finally:
            round_.cancel()
