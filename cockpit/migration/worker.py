"""A worker: a plain process that takes files until there are none. It is given only the database. Any number, on any machine."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

import psycopg

from cockpit.migration import runs
from cockpit.migration.database import GONE, Connection, connect, words_of
from cockpit.migration.ledger import Ledger
from cockpit.migration.object_store import Store
from cockpit.migration.phases.copy import Copy
from cockpit.migration.phases.purge import Purge
from cockpit.migration.phases.restore import Restore
from cockpit.migration.phases.verify import Verify
from cockpit.migration.rate_limiter import Throttle
from cockpit.migration.row_errors import About, about, passes, server_words, too_much
from cockpit.migration.sql_files import statement
from cockpit.migration.states import PhaseName, Wanted, WorkerState, complete
from cockpit.migration.store_errors import Halting, StoreError
from cockpit.migration.worker_context import LeaseLost, PhaseWork, Work
from cockpit.migration.worker_names import worker_id

log = logging.getLogger(__name__)
BEAT_S = 1.0
_REPORT_WORKER = statement("report_worker")
ANSWERED_WITHIN_S = 10.0
"""For so long a heartbeat waits for the database: it must be over, and another try too, before the leases are."""
IDLE_S = 0.25
GIVE_UP_S = 300.0
"""Without the database for so long, a worker ends: its leases have lapsed long since."""
_PHASES: Mapping[PhaseName, Callable[[Work], PhaseWork]] = complete(
    PhaseName,
    {
        PhaseName.COPY: Copy,
        PhaseName.VERIFY: Verify,
        PhaseName.PURGE: Purge,
        PhaseName.RESTORE: Restore,
    },
)


class Abandoned(Exception):  # noqa: N818
    """The database has been away for too long."""


@dataclass(slots=True)
class Trouble:
    """What has kept coming from the database, in whatever words, since nothing else did."""

    give_up_s: float
    clock: Callable[[], float] = time.monotonic
    _since: float | None = None

    def over(self) -> None:
        self._since = None

    def met(self, words: str) -> None:
        """Raises Abandoned, with these last words, where it has gone on for too long."""
        now = self.clock()
        self._since = now if self._since is None else self._since
        if now - self._since > self.give_up_s:
            raise Abandoned(words)


class Worker:
    """`run()` until its run has ended, it is asked to stop, or the database does not come back."""

    def __init__(self, dsn: str, run: int) -> None:
        self._dsn = dsn
        self._run = run
        self.id = worker_id(os.environ)
        self._stop = asyncio.Event()
        self._aborted = False
        self._work: Work | None = None
        self._phase = ""
        self._began: datetime | None = None
        self._renewed_at = 0.0

    def stop(self) -> None:
        """Finish what is in flight, take nothing new, and end."""
        self._stop.set()
        if self._work is not None:
            self._work.stopping = True

    async def run(self) -> None:
        control = await self._connected()
        try:
            run = await runs.load(control, self._run)
        except BaseException:
            await _dropped(control)
            raise
        store = Store(run.settings)
        await store.begin()
        gc.collect()
        gc.freeze()  # modules and clients stay: looking through them for garbage took a sixth of a worker's time
        ledger = Ledger(run.settings, run.id, self.id)
        throttle = Throttle(most=min(run.concurrency, run.settings.limits.concurrency))
        work = self._work = Work(run.settings, run.id, self.id, store, ledger, throttle, resumed=run.resumed)
        work.limited = run.allowance is not None
        self._phase, self._began = run.phase, run.started_at
        phase = _PHASES[run.phase](work)
        lanes = [asyncio.create_task(self._lane(phase), name=f"lane {n}") for n in range(work.lanes)]
        beating = asyncio.create_task(self._beats(control, work), name="heartbeat")
        stopped = asyncio.create_task(self._stop.wait(), name="stop")
        try:
            done, _ = await asyncio.wait({*lanes, beating, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if stopped in done and not self._aborted:
                done, _ = await asyncio.wait({*lanes}, timeout=25)
            for task in done - {stopped}:
                task.result()
        finally:
            for task in (*lanes, beating, stopped):
                task.cancel()
            await asyncio.gather(*lanes, beating, stopped, return_exceptions=True)
            await self._leave(work)
            store.close()

    async def _lane(self, phase: PhaseWork) -> None:
        connection: Connection | None = None
        trouble = Trouble(GIVE_UP_S)
        try:
            while not self._stop.is_set():
                resumed = self._work.resumed if self._work else 0
                try:
                    if connection is None or connection.closed:
                        connection = await self._connected()
                    taken = await phase.batch(connection)
                    trouble.over()
                    if taken and self._work is not None:
                        self._work.was_enough()
                except LeaseLost:
                    taken = 0
                except psycopg.Error as error:
                    taken = 0
                    log.warning("%s: %s", self._phase, server_words(error))
                    trouble.met(server_words(error))
                    if about(error) is About.SERVER:
                        await _dropped(connection)
                        connection = None
                    elif not passes(error) and not (too_much(error) and self._work and self._work.was_too_much()):
                        await self._halted(connection, type(error).__name__, server_words(error), resumed)
                if not taken:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(IDLE_S):
                            await self._stop.wait()
        finally:
            await _dropped(connection)

    async def _halted(self, connection: Connection | None, code: str, detail: str, resumed: int) -> None:
        if connection is not None and self._work is not None:
            with contextlib.suppress(*GONE):
                halting = Halting(code, detail, "fix it in the database, then resume")
                await self._work.halt(connection, halting, resumed)

    # -- heartbeat ---------------------------------------------------------------------------------------------------

    async def _beats(self, control: Connection, work: Work) -> None:
        """Once a second: say how it goes, hear what is wanted; every quarter of a lease, renew it."""
        try:
            while True:
                try:
                    if control.closed:
                        control = await self._connected()
                    async with asyncio.timeout(ANSWERED_WITHIN_S):
                        resumed = await self._beat(control, work)
                    if resumed:  # somebody may have logged in
                        with contextlib.suppress(StoreError):
                            await work.store.renew(work.store.generation)
                except TimeoutError:
                    log.warning("no heartbeat: no answer within %g s", ANSWERED_WITHIN_S)
                    await _dropped(control)
                except psycopg.Error as error:
                    if not passes(error) and not isinstance(error, GONE):
                        raise
                    log.warning("no heartbeat: %s", words_of(error))
                    await _dropped(control)
                await asyncio.sleep(min(BEAT_S, work.settings.lease_s / 8))
        finally:
            await _dropped(control)

    async def _beat(self, control: Connection, work: Work) -> bool:
        """Whether the run was resumed since the last. Raises RunError where another ledger has the run's number now."""
        began = time.monotonic()
        run = await runs.load(control, self._run)
        if run.started_at != self._began:
            raise runs.RunError(f"run {self._run} is another one: the ledger was made again since this worker began")
        if began - self._renewed_at >= work.settings.lease_s / 4:
            await work.ledger.renew(control, work.held)
            self._renewed_at = work.renewed = began
        await self._report_state(control, work, WorkerState.DRAINING if work.stopping else WorkerState.WORKING)
        resumed, work.resumed = run.resumed != work.resumed, run.resumed
        self._obey(run, work)
        return resumed

    def _obey(self, run: runs.Run, work: Work) -> None:
        share = max(1, run.workers)
        work.throttle.most = max(1, run.concurrency)
        work.pace.files_per_s = run.files_per_s / share
        work.pace.bytes_per_s = run.bytes_per_s / share
        if run.wanted is Wanted.ABORT:
            self._aborted = True
        if run.ended_at is not None or run.abandoned or run.wanted in (Wanted.DRAIN, Wanted.ABORT):
            self.stop()

    async def _report_state(self, connection: Connection, work: Work, state: WorkerState) -> None:
        throttle = work.throttle
        await connection.execute(
            _REPORT_WORKER,
            {
                **asdict(work.counters),
                "id": self.id,
                "run": self._run,
                "host": socket.gethostname()[:60],
                "pid": os.getpid(),
                "state": state,
                "phase": self._phase,
                "in_flight": throttle.in_flight,
                "concurrency": min(throttle.limit, throttle.most),
                "why": throttle.why,
                "p95_ms": throttle.p95_s * 1000,
                "rss_bytes": _resident_bytes(),
            },
        )

    async def _leave(self, work: Work) -> None:
        """Leave nothing leased, if the database still hears us."""
        try:
            async with asyncio.timeout(3):
                connection = await connect(self._dsn)
                try:
                    await work.ledger.let_go(connection)
                    await self._report_state(connection, work, WorkerState.ENDED)
                finally:
                    await _dropped(connection)
        except (*GONE, TimeoutError):
            log.warning("could not report the end: the leases will expire")

    async def _connected(self) -> Connection:
        """A connection, however long it takes (up to GIVE_UP_S). Raises Abandoned."""
        until, wait = time.monotonic() + GIVE_UP_S, 0.2
        while True:
            try:
                return await connect(self._dsn, primary=True)
            except psycopg.OperationalError as error:
                if time.monotonic() > until:
                    raise Abandoned(words_of(error)) from None
                log.warning("the database cannot be reached: %s", words_of(error))
            await asyncio.sleep(wait)
            wait = min(5.0, wait * 2)


async def _dropped(connection: Connection | None) -> None:
    if connection is not None:
        with contextlib.suppress(*GONE):
            await connection.close()


def _resident_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        with open("/proc/self/statm", encoding="ascii") as held:  # noqa: PTH123 - read every second, as cheaply as can be
            return int(held.read().split()[1]) * resource.getpagesize()
    except OSError:
        return peak if sys.platform == "darwin" else peak * 1024


async def main(dsn: str, run: int) -> int:
    """A worker process: SIGTERM and SIGINT drain it."""
    worker = Worker(dsn, run)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.stop)
    try:
        await worker.run()
    except runs.RunError as error:
        log.error("%s", error)
        return 1
    except (Abandoned, psycopg.Error) as error:
        log.error("the database: %s", words_of(error))
        return 1
    return 0
