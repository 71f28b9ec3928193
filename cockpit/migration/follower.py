"""Reading how far the migration is from the ledger, again and again, with how fast it went between two looks."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg import sql

from cockpit.migration import runs, schema
from cockpit.migration.database import Connection
from cockpit.migration.ledger import Event
from cockpit.migration.progress import Failure, Progress, TableProgress, Throughput, WorkerLine
from cockpit.migration.sql_files import statement
from cockpit.migration.states import DONE, NOT_OURS, OPEN, ItemState, PhaseName, Wanted
from cockpit.migration.time_left import Pace

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
