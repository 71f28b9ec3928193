"""What the phases share: the settings, the store, the ledger, the throttle, and the numbers shown to the operator."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol, TypeVar
from weakref import WeakSet

import psycopg

from cockpit.migration.database import Connection
from cockpit.migration.ledger import Claim, Ledger
from cockpit.migration.object_store import Store
from cockpit.migration.rate_limiter import Pace, Throttle
from cockpit.migration.row_errors import About, about, apart, server_words, too_much
from cockpit.migration.settings import Settings, Source
from cockpit.migration.source_tables import lock_row
from cockpit.migration.states import PhaseName
from cockpit.migration.store_errors import Busy, Halting, StoreError
from cockpit.migration_scope import MIB

log = logging.getLogger(__name__)
MOST_TRIES = 7
AGAIN_S = 2.0
"""Until a file is taken again that S3 did not answer for."""
CREDENTIALS_S = 60.0
"""For so long others are looked for where S3 refuses the credentials: a provider may be late."""
RENEWED_AGAIN_S = 2.0
NOT_RENEWED = (
    "they are variables of the environment the phase was started in: `cockpit migrate drain PLAN`, "
    "then start it again with others"
)
KEPT = "the database left the row as it is, without an error: a trigger returned NULL for it, or a rule took its place"
BATCH = 128
BATCH_BYTES = 12 * MIB
ENOUGH = 64
"""After so many batches that were done, one that was halved is doubled."""
T = TypeVar("T")
R = TypeVar("R")


class LeaseLost(Exception):  # noqa: N818
    """Our leases may have ended: nothing may be begun or switched until they are renewed."""


class Claiming(Protocol):
    """Claims files of a phase; `alone`: one that workers have ended with."""

    async def __call__(self, *, alone: bool) -> list[Claim]: ...


@dataclass(slots=True)
class Counters:
    files: int = 0
    bytes: int = 0
    uploads: int = 0
    adopted: int = 0
    retries: int = 0
    errors: int = 0
    throttled: int = 0


@dataclass(slots=True)
class Work:
    """One worker's tools."""

    settings: Settings
    run: int
    owner: str
    store: Store
    ledger: Ledger
    throttle: Throttle
    pace: Pace = field(default_factory=Pace)
    counters: Counters = field(default_factory=Counters)
    large: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))
    """Files in parts at a time: each holds a few parts in memory."""
    roomy: WeakSet[Connection] = field(default_factory=WeakSet)
    """Connections whose server process keeps the memory of large values."""
    renewed: float = field(default_factory=time.monotonic)
    resumed: int = 0
    """How often the run has been resumed, as last heard."""
    limited: bool = False
    """Whether the run may begin so many files and no more."""
    stopping: bool = False
    halvings: int = 0
    """How often a batch was halved because it took too long."""
    _enough: int = 0
    _busy_lanes: int = 0
    _alone: bool = False
    held: set[Claim] = field(default_factory=set)
    """What the lanes are working on now: these leases are renewed, and no others."""
    chance: random.Random = field(default_factory=random.Random)

    @property
    def lanes(self) -> int:
        return max(1, self.settings.limits.connections - 1)

    def safe(self) -> bool:
        """Whether our leases surely hold: past two thirds of one without renewal, nothing is begun."""
        return time.monotonic() - self.renewed < self.settings.lease_s * 2 / 3

    def be_safe(self) -> None:
        if not self.safe():
            raise LeaseLost

    @asynccontextmanager
    async def taking(self, claim: Claiming) -> AsyncIterator[list[Claim]]:
        """Claim, and have the leases renewed until the files are done or given up.

        First those are asked for that nothing is known against. Where there are none now and no other lane has any in hand, one
        that workers have ended with is taken, and the other lanes take nothing until it is done: so the deaths that are the
        last to be counted are those of workers that had this file and no other.
        """
        if self._alone:
            yield []
            return
        self._busy_lanes += 1
        try:
            claims = await claim(alone=False)
            if not claims and self._busy_lanes == 1:
                self._alone = True
                claims = await claim(alone=True)
            self.held.update(claims)
            try:
                yield claims
            finally:
                self.held.difference_update(claims)
        finally:
            self._busy_lanes -= 1
            self._alone = self._alone and self._busy_lanes > 0

    def batch(self) -> tuple[int, int]:
        """How many files, and how many bytes, a lane takes at a time."""
        share = self.settings.limits.memory_bytes // (self.lanes * 4)
        many = min(self.throttle.limit, self.throttle.most) * 5 // (4 * self.lanes)
        files, size = min(BATCH, max(8, many)), max(MIB, min(BATCH_BYTES, share))
        return max(1, files >> self.halvings), max(1, size >> self.halvings)

    def was_too_much(self) -> bool:
        """A batch of half as many files from now on; False where it was of one already."""
        more = self.batch()[0] > 1
        self.halvings += more
        return more

    def was_enough(self) -> None:
        """A batch was done: the next may be larger again, in a while."""
        self._enough += 1
        if self._enough >= ENOUGH:
            self.halvings, self._enough = max(0, self.halvings - 1), 0

    async def apart(
        self, items: Sequence[T], change: Callable[[Sequence[T]], Awaitable[Collection[R]]]
    ) -> tuple[list[R], list[tuple[T, psycopg.Error]]]:
        """As of `row_errors.apart`; where it took too long for so many, the next batches are smaller, too."""

        async def watched(these: Sequence[T]) -> Collection[R]:
            try:
                return await change(these)
            except psycopg.Error as error:
                if too_much(error):
                    self.was_too_much()
                raise

        return await apart(items, watched)

    async def insist(self, request: Callable[[], Awaitable[T]], *, tries: int = MOST_TRIES) -> T:
        """Send a request until S3 answers, ever more slowly; where credentials are refused, with others, for a while.

        Raises the last Busy, or what else it says, or LeaseLost.
        """
        busy, refused_at = 0, None
        while True:
            self.be_safe()
            known = self.store.generation
            await self.throttle.take()
            began, took = time.monotonic(), None
            try:
                answer = await request()
                took = time.monotonic() - began
            except Busy as error:
                self.counters.retries += 1
                self.counters.throttled += error.code in ("SlowDown", "503")
                self.throttle.objected()
                busy += 1
                if busy == tries:
                    raise
                pause = min(5.0, 0.1 * 2 ** (busy - 1))
            except Halting as error:
                self.be_safe()  # what was asked before our leases lapsed says nothing of now
                if not (error.of_credentials or (error.of_credentials_perhaps and refused_at is None)):
                    raise
                refused_at = began if refused_at is None else refused_at
                if began - refused_at > CREDENTIALS_S:
                    raise
                self.counters.retries += 1
                pause = RENEWED_AGAIN_S if known else 0.0
            else:
                return answer
            finally:
                self.throttle.give(took)
            if refused_at is not None:
                with suppress(StoreError):  # whoever gives them out may be late, too
                    await self.store.renew(known)
            await asyncio.sleep(pause * self.chance.uniform(0.5, 1.5))

    async def halt(self, connection: Connection, halting: Halting, resumed: int) -> None:
        hint = NOT_RENEWED if halting.of_credentials and self.store.of_environment else halting.hint
        await self.ledger.halt(connection, halting.code, halting.detail, hint, resumed)

    async def trouble(self, connection: Connection, claim: Claim, phase: PhaseName, error: BaseException) -> None:
        """A claim that was made to look at a file, or to change its row, came to nothing: whose fault it is decides what follows.

        Raises what is about the server, or about every row of the database.
        """
        match error:
            case LeaseLost():
                return
            case Halting():
                await self.halt(connection, error, claim.resumed)
                await self.put_back(connection, claim, phase, str(error))
            case Busy():
                await self.put_back(connection, claim, phase, str(error), after_s=AGAIN_S)
            case StoreError():
                await self.fail(connection, claim, phase, str(error))
            case psycopg.Error() if about(error) is About.MOMENT:
                await self.put_back(connection, claim, phase, server_words(error), after_s=AGAIN_S)
            case psycopg.Error() if about(error) is About.ROW:
                await self.fail(connection, claim, phase, server_words(error))
            case _:
                raise error

    async def put_back(
        self, connection: Connection, claim: Claim, phase: PhaseName, why: str, *, after_s: float = 0.0
    ) -> None:
        """It is no fault of the file: it is taken again."""
        if phase is PhaseName.COPY:
            await self.ledger.replan(connection, [claim], after_s=after_s, why=why)
        else:
            await self.ledger.release(connection, [claim], after_s=after_s)

    async def fail(self, connection: Connection, claim: Claim, phase: PhaseName, why: str) -> None:
        """A failure of the file's own: it is tried again, later and later, and then quarantined."""
        self.counters.errors += 1
        await self.ledger.fail(connection, claim, phase, why)

    async def insist_on_row(
        self,
        connection: Connection,
        source: Source,
        claim: Claim,
        phase: PhaseName,
        change: Callable[[], Awaitable[bool]],
    ) -> bool:
        """Change one row that was skipped, under its lock; whether it was. One that stays as it is fails."""
        try:
            async with connection.transaction():
                found = await lock_row(connection, source, claim.doc_id)
                changed = found and await change()
        except psycopg.errors.LockNotAvailable:
            await self.put_back(connection, claim, phase, "the row was locked by somebody else", after_s=AGAIN_S)
            return False
        except psycopg.Error as error:
            await self.trouble(connection, claim, phase, error)
            return False
        if found and not changed:
            await self.fail(connection, claim, phase, KEPT)
        elif not found:
            await self.put_back(connection, claim, phase, "the row is not there any more")
        return changed


class PhaseWork(Protocol):
    """One phase's work for one lane."""

    async def batch(self, connection: Connection) -> int:
        """Take some files and bring them on; how many were taken (0: there are none now)."""
        ...
