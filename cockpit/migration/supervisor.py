"""A run's one supervisor: judges the guards, keeps workers going, plans what came since, and ends the run when it is done."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import psycopg

from cockpit.decide.situation import CriterionStatus, Situation
from cockpit.decide.states import State
from cockpit.migration import runs
from cockpit.migration.database import GONE, Connection, connect, words_of
from cockpit.migration.follower import Follower
from cockpit.migration.ledger import Ledger, note
from cockpit.migration.progress import Progress
from cockpit.migration.replacements import Ended, Replacements
from cockpit.migration.row_errors import passes
from cockpit.migration.silence import SILENT_S, Silence
from cockpit.migration.states import ItemState, PhaseName, Wanted
from cockpit.migration.worker_rows import end_worker, note_silence, reporting_workers
from cockpit.plan.model import Criterion

log = logging.getLogger(__name__)
ROUND_S = 1.0
APPLICATION = "cockpit-migration-supervisor"
DIED = "worker died"
SILENT = (
    f"was ended: for {SILENT_S:g} s it did not come to the ledger (is it stopped, is its command a worker's, "
    "does it reach the database)"
)
ENLIST_S = 20.0
ANSWERS_S = 2.0
"""For so long whoever leaves waits for the database: nobody who asked twice waits for a dead one. The lease lapses anyway."""
JUDGED_WITHIN_S = 10.0
FIRST_SIGHT_S = 60.0
"""For so long a guard that was never seen is waited for, not feared."""
GIVE_UP_S = 30 * 60.0
"""Without the database for so long, nobody is waiting any more."""


def standing(situation: Situation) -> list[dict[str, Any]]:
    """How the guards stand: those of the plan, and every enforced trigger that is tripped or about to be."""
    found = [_guard(status, holds=status.state is not State.CLEAR) for status in situation.guards]
    found += [
        _guard(status, holds=True)
        for status in situation.criteria
        if status.enforced and status.state.judging.suspected
        and status.kind == "trigger"
    ]  # fmt: skip
    return found


def unseen(guards: Iterable[Criterion], since: datetime) -> list[dict[str, Any]]:
    """How guards stand that nobody has judged yet: each is unknown, and holds. Without any, the plan's triggers do."""
    named = [(guard.id, guard.title) for guard in guards] or [("triggers", "The plan's rollback triggers")]
    unknown = {"state": str(State.UNKNOWN), "line": "not read yet", "since": since.isoformat(), "holds": True}
    return [{"id": id_, "title": title, **unknown} for id_, title in named]


def _guard(status: CriterionStatus, *, holds: bool) -> dict[str, Any]:
    return {
        "id": status.id,
        "title": status.title,
        "state": str(status.state),
        "line": status.because.line,
        "since": status.since.isoformat(),
        "holds": holds,
    }


def new_name() -> str:
    """A supervisor's name in the ledger: machine and process, and nobody else's.

    >>> new_name() == new_name()
    False
    """
    return f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(2)}"


class Workers(Protocol):
    """Worker processes of a run, local or on ECS."""

    @property
    def names(self) -> Collection[str]:
        """Of those that run, as their ids in the ledger begin."""

    async def keep(self, others: int = 0) -> None:
        """Start those that are missing, where `others` were started by a supervisor before."""

    async def who_ended(self) -> list[Ended]:
        """How workers have ended since it was last asked, in whatever way: each in words, with the last they wrote."""

    async def give_up(self, names: Collection[str], why: str) -> None:
        """End these, which the ledger knows nothing of any more; `who_ended` then has them, with `why`."""

    async def end(self, within_s: float) -> None:
        """Their run has ended: wait until they have, at most so many seconds, and end the others."""


class Supervisor:
    """`run()` until the run has ended; its outcome. `workers` are kept going, `show` gets the progress once a round."""

    def __init__(
        self,
        dsn: str,
        run: int,
        guards: Callable[[], list[dict[str, Any]]],
        workers: Workers,
        show: Callable[[Progress], None] = lambda _: None,
        name: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._dsn = dsn
        self._run = run
        self._name = name or new_name()
        self.drain_asked_by = ""
        """Who asked here that the run drains; empty while nobody did."""
        self._guards = guards
        self._supervises = asyncio.Event()
        self._workers = workers
        self._replacements = Replacements(clock)
        self._silence = Silence(clock)
        self._clock, self._began = clock, clock()
        self._seen: set[str] = set()
        self._show = show
        self._follower = Follower()
        self._enlisted = 0.0
        self.progress = Progress()

    def judged_by(self, guards: Callable[[], list[dict[str, Any]]]) -> None:
        """How the guards stand is asked here from now on; for as long as anything may take until its first sight."""
        self._guards, self._began = guards, self._clock()

    def drain(self, by: str) -> None:
        """Have the run drained, as soon as the database hears of it."""
        self.drain_asked_by = by

    async def run(self) -> str:
        """Raises RunError when another supervisor has the run. However it ends, another may supervise the run at once.

        The guards are judged, and with that its lease is renewed, on a connection of their own: a round may take minutes (it
        plans what came since, row by row of every table), and the run is no less supervised meanwhile.
        """
        tasks = {
            asyncio.create_task(self._repeated(self._judge, self._left), name="guards"),
            asyncio.create_task(self._rounds(), name="rounds"),
        }
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return next(task.result() for task in done)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            for task in tasks:
                if not task.cancelled():
                    task.exception()  # one at a time is enough to say

    async def _rounds(self) -> str:
        await self._supervises.wait()
        return await self._repeated(self._round)

    async def _repeated(
        self,
        once: Callable[[Connection], Awaitable[str]],
        last: Callable[[Connection], Awaitable[None]] | None = None,
    ) -> str:
        """Again and again until it gives an outcome, on another connection where the database was away; `last` at the end."""
        connection: Connection | None = None
        try:
            while True:
                try:
                    if connection is None:
                        connection = await self._connected()
                    if outcome := await once(connection):
                        return outcome
                except psycopg.Error as error:
                    if not passes(error) and not isinstance(error, GONE):
                        raise
                    log.warning("the database cannot be reached: %s", words_of(error))
                    await _closed(connection)
                    connection = None
                await asyncio.sleep(ROUND_S)
        finally:
            if connection is not None and last is not None:
                await last(connection)
            await _closed(connection)

    async def _left(self, connection: Connection) -> None:
        with contextlib.suppress(psycopg.Error, TimeoutError):
            async with asyncio.timeout(ANSWERS_S):
                await runs.leave(connection, self._run, self._name)

    async def _judge(self, connection: Connection) -> str:
        """Write down how the guards stand now, and who is silent. No answer is waited for long: it would say nothing of now."""
        try:
            async with asyncio.timeout(JUDGED_WITHIN_S):
                if not self._supervises.is_set():
                    await runs.supervise(connection, self._run, self._name)
                    self._supervises.set()
                await runs.judge(connection, self._run, self._sighted(self._guards()), self._name)
                self._silence.looked(self._workers.names, await reporting_workers(connection, self._run))
                if self._silence.looked_long:
                    await note_silence(connection, self._run)
        except TimeoutError:
            raise psycopg.OperationalError(f"no answer within {JUDGED_WITHIN_S:g} s") from None
        return ""

    async def _round(self, connection: Connection) -> str:
        run = await runs.load(connection, self._run)
        if run.supervisor != self._name and run.ended_at is None:
            return ""  # another has it, as whoever judges the guards is about to find
        if self.drain_asked_by and run.ended_at is None and run.wanted not in (Wanted.DRAIN, Wanted.ABORT):
            await runs.want(connection, self._run, Wanted.DRAIN, self.drain_asked_by)
            run = await runs.load(connection, self._run)
        if run.phase is PhaseName.COPY and run.wanted is Wanted.RUN and time.monotonic() - self._enlisted > ENLIST_S:
            self._enlisted = time.monotonic()
            await runs.enlist_all(connection, run.settings)
        self._replacements.resumed(run.resumed)
        ended = await self._workers.who_ended()
        if ended:  # an end that was asked for meanwhile they may have heard of before
            run = await runs.load(connection, self._run)
        if (
            not await self._note_dead(connection, run, ended)
            and run.goes_on
            and run.halted is None
            and self._replacements.due()
        ):
            await self._workers.keep(run.left_behind)
        if silent := self._silence.too_long():
            await self._workers.give_up(silent, SILENT)
        outcome = run.outcome if run.ended_at is not None else await runs.finish_if_done(connection, run)
        self.progress = await self._follower.poll(connection)
        # Whoever looked on may be gone, with the terminal: the run goes on, or drains.
        with contextlib.suppress(OSError):
            self._show(self.progress)
        return outcome

    def _sighted(self, guards: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """With those marked that hold only because nobody has had time to see anything of them yet."""
        self._seen |= {guard["id"] for guard in guards if guard["state"] != State.UNKNOWN}
        early = self._clock() - self._began < FIRST_SIGHT_S
        return [guard | {"first_sight": early and guard["id"] not in self._seen} for guard in guards]

    async def _note_dead(self, connection: Connection, run: runs.Run, ended: Sequence[Ended]) -> bool:
        """Where every screen shows it, with what follows; whether any died. Too many halt the run.

        Those that die at once of the same cause are noted once. One that ends well while its run goes on has died, too: otherwise
        another would be started in its place for ever.
        """
        for each in ended:
            await end_worker(connection, self._run, each.worker)
        died = [each.words for each in ended if not each.well or run.goes_on]
        if not died:
            return False
        idle = run.held_since is not None or run.wanted is not Wanted.RUN or run.halted is not None
        too_many = self._replacements.died(self.progress.done, idle=idle)
        outlook = f"{self._replacements.outlook}: " if run.goes_on else ""
        for words in {words.partition(": ")[2] or words: words for words in died}.values():
            await note(connection, self._run, "", DIED, outlook + words)
        if too_many and run.goes_on:
            hint = "correct what they say, then resume"
            await Ledger(run.settings, run.id, "").halt(connection, "WorkersDie", died[-1], hint, run.resumed)
        return True

    async def _connected(self) -> Connection:
        """A connection, however long it takes (up to GIVE_UP_S). Raises RunError."""
        until, wait = time.monotonic() + GIVE_UP_S, 0.2
        while True:
            try:
                return await connect(self._dsn, name=APPLICATION, primary=True)
            except GONE as error:
                if time.monotonic() > until:
                    raise runs.RunError(
                        f"the database cannot be reached: {words_of(error)}. Nothing is lost: start the phase again"
                    ) from None
            await asyncio.sleep(wait)
            wait = min(5.0, wait * 2)


async def _closed(connection: Connection | None) -> None:
    if connection is not None:
        with contextlib.suppress(*GONE):
            await connection.close()


def as_json(progress: Progress) -> Mapping[str, Any]:
    """The numbers of a moment, flat, for a JSON line."""
    return {
        "run": progress.run,
        "phase": progress.phase,
        "state": progress.word,
        "files": progress.files,
        "done": progress.done,
        "bytes": progress.bytes,
        "done_bytes": progress.done_bytes,
        "files_per_s": round(progress.files_per_s, 1),
        "bytes_per_s": round(progress.bytes_per_s),
        "eta_least_s": None if progress.eta_least_s is None else round(progress.eta_least_s),
        "eta_s": None if progress.eta_s is None else round(progress.eta_s),
        "in_flight": progress.in_flight,
        "workers": len(progress.reporting),
        "silent_workers": [worker.id for worker in progress.silent],
        "uploads": progress.uploads,
        "adopted": progress.adopted,
        "retries": progress.retries,
        "errors": progress.errors,
        "quarantined": progress.count(ItemState.QUARANTINED),
        "diverged": progress.count(ItemState.DIVERGED),
        "gone": progress.count(ItemState.GONE),
        "skipped": progress.count(ItemState.SKIPPED),
        "held_by": [guard["title"] for guard in progress.guards if guard.get("holds")],
        "halted": progress.halted,
        "workers_died": [event.text for event in progress.deaths],
        "purged": progress.purged,
    }
