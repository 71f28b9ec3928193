"""How far the migration is: one frozen view, read from the ledger. The terminal, the command line and JSON all show this."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from psycopg import sql

from cockpit import formatting
from cockpit.migration import runs, schema
from cockpit.migration.database import Connection
from cockpit.migration.ledger import Event
from cockpit.migration.sql_files import statement
from cockpit.migration.states import DONE, NOT_OURS, OPEN, WANTED_WORDS, ItemState, PhaseName, Wanted
from cockpit.migration.time_left import Pace
from probes.frozen import frozen

WAITS, HELD = "WAITING FOR GUARDS", "HELD BY A GUARD"
WINDOW_S = 10.0
KEPT = 120
MEASURED_KEPT = 600
"""Of the throughput: ten minutes, looked at once a second."""
UNSEEN_S = 5.0
"""Not looked at for so long, what happened in between is a gap."""
_ONE_MOMENT = statement("one_moment")
_SHOW_MOMENT = statement("show_moment")
_SHOW_RUN_CLOCK = statement("show_run_clock")
_SHOW_TALLY = statement("show_tally")
_SHOW_WORKERS = statement("show_workers")
_SUM_WORKERS = statement("sum_workers")
_SHOW_FAILURES = statement("show_failures")
_SHOW_EVENTS = statement("show_events")
_SHOW_DEATHS = statement("show_deaths")
_SHOW_PURGED = statement("show_purged")


@frozen
class TableProgress:
    """One table: files and bytes in all and done in this phase, and how many files are in each state."""

    label: str
    files: int
    done: int
    bytes: int
    done_bytes: int
    states: Mapping[ItemState, int]
    left: int = 0
    """Files that the phase still has to do: of what cannot be done, none."""
    left_bytes: int = 0


@frozen
class WorkerLine:
    id: str
    host: str
    state: str
    in_flight: int
    concurrency: int
    why: str
    files: int
    bytes: int
    retries: int
    errors: int
    p95_ms: float
    rss_bytes: int
    seen_s: float
    """Seconds since its last heartbeat."""
    seen_at: datetime | None = None
    """When that was, by the database's clock."""

    @property
    def quiet(self) -> bool:
        """It has missed some heartbeats: nothing is known of what it does."""
        return self.seen_s > runs.ALIVE_S


@frozen
class Failure:
    """A file that is quarantined, or failed before: why, and how often."""

    tbl: str
    doc_id: str
    state: ItemState
    failures: int
    why: str
    key: str


@frozen
class Throughput:
    """How fast it went at one moment: averages of the ten seconds before; None where nobody looked."""

    at: datetime
    files_per_s: float | None
    bytes_per_s: float | None


@frozen
class Progress:
    """Everything shown of the migration. Without a ledger, `prepared` is False and the rest is empty."""

    prepared: bool = False
    at: datetime | None = None
    """The moment all of it is of, by the database's clock."""
    phase: PhaseName = PhaseName.COPY
    run: int = 0
    wanted: Wanted = Wanted.RUN
    active: bool = False
    outcome: str = ""
    started_by: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    held_since: datetime | None = None
    halted: Mapping[str, Any] | None = None
    guards: Sequence[Mapping[str, Any]] = ()
    watched: bool = True
    """Whether somebody supervises it and judges the guards: without, nothing new is begun."""
    ownerless: bool = False
    """Nobody supervises the active run: whoever looks may end it, or go on with it."""
    concurrency_most: int = 0
    files_per_s_most: int = 0
    bytes_per_s_most: int = 0
    tables: tuple[TableProgress, ...] = ()
    files_per_s: float = 0.0
    bytes_per_s: float = 0.0
    run_files_per_s: float = 0.0
    eta_s: float | None = None
    """Seconds until the phase is done, at most; None where nothing can be said, or nothing moves."""
    eta_least_s: float | None = None
    uploads: int = 0
    adopted: int = 0
    retries: int = 0
    errors: int = 0
    throttled: int = 0
    workers: tuple[WorkerLine, ...] = ()
    """Those that have not ended, as far as the ledger knows."""
    lease_s: float = 0.0
    """So long after a worker's last heartbeat others take its files."""
    failures: tuple[Failure, ...] = ()
    events: tuple[Event, ...] = ()
    deaths: tuple[Event, ...] = ()
    """How workers of this run died, with their last words, oldest first."""
    throughput: tuple[Throughput, ...] = ()
    """The throughput of this run as it was measured from here, oldest first."""
    purge_began: datetime | None = None
    """When the ledger's first purge began, by the database's clock; None before one did. It tells this ledger from others."""
    purged: int = 0
    """Files in S3 alone now."""

    @property
    def files(self) -> int:
        return sum(table.files for table in self.tables)

    @property
    def done(self) -> int:
        return sum(table.done for table in self.tables)

    @property
    def bytes(self) -> int:
        return sum(table.bytes for table in self.tables)

    @property
    def done_bytes(self) -> int:
        return sum(table.done_bytes for table in self.tables)

    @property
    def in_flight(self) -> int:
        """Of a run that has ended nothing is, though its workers' last words are of a second ago."""
        return sum(worker.in_flight for worker in self.reporting) if self.active else 0

    @property
    def reporting(self) -> tuple[WorkerLine, ...]:
        """The workers that came to the ledger of late."""
        return tuple(worker for worker in self.workers if not worker.quiet)

    @property
    def silent(self) -> tuple[WorkerLine, ...]:
        """The workers of the active run that did not: stopped, cut off, or killed where nobody saw it. The longest first."""
        quiet = [worker for worker in self.workers if worker.quiet] if self.active else []
        return tuple(sorted(quiet, key=lambda worker: -worker.seen_s))

    def silence(self, worker: WorkerLine) -> str:
        """`SILENT since 03:12:07 UTC (1m15s): its files are taken over once their leases lapse, at 03:13:07`."""
        since = f"since {worker.seen_at:%H:%M:%S} UTC " if worker.seen_at is not None else ""
        for_so_long = formatting.duration(timedelta(seconds=round(worker.seen_s)))
        if worker.seen_s > self.lease_s or worker.seen_at is None:
            return f"SILENT {since}({for_so_long}): its leases have lapsed, others take its files"
        at = worker.seen_at + timedelta(seconds=self.lease_s)
        return f"SILENT {since}({for_so_long}): its files are taken over once their leases lapse, at {at:%H:%M:%S}"

    @property
    def alarm(self) -> str:
        """What whoever looks at another screen must see of the active run; empty where there is nothing."""
        if not self.active:
            return ""
        if self.halted:
            return f"MIGRATION HALTED: {self.halted['code']} {self.halted['detail']}"
        if not self.silent:
            return ""
        first = self.silent[0]
        for_so_long = formatting.duration(timedelta(seconds=round(first.seen_s)))
        return f"MIGRATION: {formatting.count(len(self.silent), 'worker')} silent, {first.id} for {for_so_long}"

    def count(self, *states: ItemState) -> int:
        """Files in these states, of all tables."""
        return sum(table.states.get(state, 0) for table in self.tables for state in states)

    @property
    def waits_for_guards(self) -> bool:
        """Nothing is known to be wrong: what holds the run has no first reading yet."""
        holding = [guard for guard in self.guards if guard.get("holds")]
        return bool(holding) and all(guard.get("first_sight") for guard in holding)

    @property
    def held_by(self) -> str:
        """The guards that hold the active run, or that it waits for, by their titles; empty where none does."""
        return ", ".join(str(guard["title"]) for guard in self.guards if guard.get("holds")) if self.active else ""

    @property
    def stands(self) -> str:
        """Its word with what it names: `HELD BY A GUARD: Pool below 80 %`."""
        named = self.held_by if self.word in (WAITS, HELD) else ""
        return f"{self.word}: {named}" if named else self.word

    @property
    def word(self) -> str:
        """The state of the migration in one word or two."""
        if not self.prepared:
            return "NOT PREPARED"
        if not self.run:
            return "READY"
        if not self.active:
            return self.outcome.upper().split(",")[0] or "ENDED"
        if self.halted:
            return "HALTED"
        if self.wanted is not Wanted.RUN:
            return WANTED_WORDS[self.wanted]
        if not self.watched:
            return "NO SUPERVISOR" if self.ownerless else WAITS  # the supervisor has just begun
        if self.held_since:
            return WAITS if self.waits_for_guards else HELD
        return WANTED_WORDS[self.wanted]


@dataclass(slots=True)
class Follower:
    """Reads the ledger again and again; rates come from the readings before."""

    _seen: deque[tuple[float, int, int]] = field(default_factory=lambda: deque(maxlen=KEPT))
    _throughput: deque[Throughput] = field(default_factory=lambda: deque(maxlen=MEASURED_KEPT))
    _pace: Pace = field(default_factory=Pace)
    _run: int = 0

    async def poll(self, connection: Connection) -> Progress:
        """The migration at one moment; a few small queries, whatever the number of files."""
        async with connection.transaction():
            await connection.execute(_ONE_MOMENT)
            row = await (await connection.execute(_SHOW_MOMENT)).fetchone()
            assert row is not None
            return await self._poll(connection, row[0])

    async def _poll(self, connection: Connection, at: datetime) -> Progress:
        if not await schema.is_there(connection):
            return Progress(at=at)
        run = await runs.latest(connection)
        phase = run.phase if run else PhaseName.COPY
        tables = await _tables(connection, phase)
        workers = await _workers(connection, run.id) if run else ()
        sums = await _sums(connection, run.id) if run else (0, 0, 0, 0, 0, 0, 0)
        # Of the ledger's own counts, as the bar is: what workers report of themselves is up to a second older.
        moved = sum(table.done for table in tables), sum(table.done_bytes for table in tables)
        files_per_s, bytes_per_s = self._rate(run, moved, at)
        of_run, eta = await self._of_run(connection, run, sums, tables, moved) if run else ({}, None)
        purge_began, purged = await _purged(connection)
        return Progress(
            prepared=True,
            at=at,
            phase=phase,
            tables=tables,
            files_per_s=files_per_s,
            bytes_per_s=bytes_per_s,
            eta_s=eta[1] if eta else None,
            eta_least_s=eta[0] if eta else None,
            uploads=sums[2],
            adopted=sums[3],
            retries=sums[4],
            errors=sums[5],
            throttled=sums[6],
            workers=workers,
            failures=await _failures(connection),
            events=await _listed(connection, _SHOW_EVENTS),
            throughput=tuple(self._throughput),
            purge_began=purge_began,
            purged=purged,
            **of_run,
        )

    async def _of_run(
        self,
        connection: Connection,
        run: runs.Run,
        sums: tuple[int, ...],
        tables: tuple[TableProgress, ...],
        moved: tuple[int, int],
    ) -> tuple[dict[str, Any], tuple[float, float] | None]:
        """What the run's row says, and how long it still takes."""
        row = await (await connection.execute(_SHOW_RUN_CLOCK, {"run": run.id})).fetchone()
        watched, seconds = (bool(row[0]), float(row[1])) if row else (False, 0.0)
        moving = run.goes_on and run.wanted is Wanted.RUN and not (run.held_since or run.halted) and watched
        self._pace.seen(time.monotonic(), *moved, moving=moving)
        left = sum(table.left for table in tables), sum(table.left_bytes for table in tables)
        eta = self._pace.left(left, (seconds, sums[0], sums[1])) if moving else None
        deaths = await _listed(connection, _SHOW_DEATHS, run=run.id)
        return _row_of_run(run, watched=watched, files=sums[0], seconds=seconds) | {"deaths": deaths}, eta

    def _rate(self, run: runs.Run | None, moved: tuple[int, int], at: datetime) -> tuple[float, float]:
        """Files and bytes a second of the ten seconds before; kept while the run goes on."""
        now, number = time.monotonic(), run.id if run else 0
        if number != self._run:
            self._run = number
            self._seen.clear()
            self._throughput.clear()
            self._pace.clear()
        active = run is not None and run.ended_at is None
        if active and self._seen and now - self._seen[-1][0] > UNSEEN_S:
            self._seen.clear()
            self._throughput.append(Throughput(at, None, None))
        self._seen.append((now, *moved))
        while len(self._seen) > 2 and now - self._seen[0][0] > WINDOW_S:
            self._seen.popleft()
        since, had, held = self._seen[0]
        passed = now - since
        if passed < 0.3:
            return 0.0, 0.0
        rate, speed = max(0.0, (moved[0] - had) / passed), max(0.0, (moved[1] - held) / passed)
        if active:
            self._throughput.append(Throughput(at, rate, speed))
        return rate, speed


def _row_of_run(run: runs.Run, *, watched: bool, files: int, seconds: float) -> dict[str, Any]:
    return {
        "run": run.id,
        "wanted": run.wanted,
        "active": run.ended_at is None,
        "outcome": run.outcome,
        "started_by": run.started_by,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "held_since": run.held_since,
        "halted": run.halted,
        "guards": tuple(run.guards),
        "watched": watched,
        "ownerless": run.ownerless,
        "concurrency_most": run.concurrency,
        "files_per_s_most": run.files_per_s,
        "bytes_per_s_most": run.bytes_per_s,
        "run_files_per_s": files / seconds if seconds > 1 else 0.0,
        "lease_s": run.settings.lease_s,
    }


async def _tables(connection: Connection, phase: PhaseName) -> tuple[TableProgress, ...]:
    rows = await (await connection.execute(_SHOW_TALLY)).fetchall()
    found: dict[str, dict[ItemState, tuple[int, int]]] = {}
    for tbl, state, files, size in rows:
        found.setdefault(tbl, {})[ItemState(state)] = (files, size)
    tables = []
    for label in sorted(found, key=lambda one: (-sum(n for n, _ in found[one].values()), one)):
        states = found[label]
        ours = {state: held for state, held in states.items() if state not in NOT_OURS}
        done = [ours.get(state, (0, 0)) for state in DONE[phase]]
        left = [ours.get(state, (0, 0)) for state in OPEN[phase]]
        tables.append(
            TableProgress(
                label,
                sum(n for n, _ in ours.values()),
                sum(n for n, _ in done),
                sum(size for _, size in ours.values()),
                sum(size for _, size in done),
                {state: n for state, (n, _) in states.items() if n},
                sum(n for n, _ in left),
                sum(size for _, size in left),
            )
        )
    return tuple(tables)


async def _workers(connection: Connection, run: int) -> tuple[WorkerLine, ...]:
    rows = await (await connection.execute(_SHOW_WORKERS, {"run": run})).fetchall()
    return tuple(WorkerLine(*row) for row in rows)


async def _sums(connection: Connection, run: int) -> tuple[int, ...]:
    row = await (await connection.execute(_SUM_WORKERS, {"run": run})).fetchone()
    return tuple(row) if row else (0,) * 7


async def _failures(connection: Connection) -> tuple[Failure, ...]:
    rows = await (await connection.execute(_SHOW_FAILURES)).fetchall()
    return tuple(Failure(tbl, doc_id, ItemState(state), *rest) for tbl, doc_id, state, *rest in rows)


async def _listed(connection: Connection, query: sql.SQL, **given: int) -> tuple[Event, ...]:
    """Lines of the history, oldest first."""
    rows = await (await connection.execute(query, given)).fetchall()
    return tuple(Event(*row) for row in reversed(rows))


async def _purged(connection: Connection) -> tuple[datetime | None, int]:
    """When the first purge began, and how many files are in S3 alone now: purged, or not to be had back."""
    row = await (await connection.execute(_SHOW_PURGED, {"restore": PhaseName.RESTORE})).fetchone()
    return (row[0], int(row[1])) if row else (None, 0)
