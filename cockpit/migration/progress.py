"""How far the migration is: one frozen view of the ledger. The terminal, the command line and JSON all show this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from cockpit import formatting
from cockpit.migration import runs
from cockpit.migration.ledger import Event
from cockpit.migration.states import WANTED_WORDS, ItemState, PhaseName, Wanted
from probes.frozen import frozen

WAITS, HELD = "WAITING FOR GUARDS", "HELD BY A GUARD"


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
