"""A run: one phase, wanted by somebody, with limits and guards. There is one at a time; its row is the only way to steer it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import psycopg
from psycopg import sql

from cockpit.migration import schema
from cockpit.migration.database import Connection
from cockpit.migration.ledger import note
from cockpit.migration.settings import Settings, settings_from
from cockpit.migration.source_tables import enlist
from cockpit.migration.sql_files import statement
from cockpit.migration.states import PhaseName, Wanted, complete
from probes.frozen import frozen

Stop = Literal[Wanted.PAUSE, Wanted.DRAIN, Wanted.ABORT]
"""What no gate is asked for."""
SUPERVISION_S = 30.0
"""One lease of supervision: for so long the run is its supervisor's, and files may begin under its guards."""
ALIVE_S = 10.0
_BEGIN_RUN = statement("begin_run")
_LOAD_RUN = statement("load_run")
_CURRENT_RUN = statement("current_run")
_LATEST_RUN = statement("latest_run")
_WANT = statement("want")
_LIMIT_RUN = statement("limit_run")
_JUDGE_GUARDS = statement("judge_guards")
_END_RUN = statement("end_run")
_TAKE_SUPERVISION = statement("take_supervision")
_RELEASE_SUPERVISION = statement("release_supervision")
_COUNT_FAILED = statement("count_failed")
_RETRY_QUARANTINED = statement("retry_quarantined")
_COUNT_SOAKED = statement("count_soaked")
_OPEN: Mapping[PhaseName, sql.SQL] = complete(
    PhaseName,
    {
        PhaseName.COPY: statement("open_to_copy"),
        PhaseName.VERIFY: statement("open_to_verify"),
        PhaseName.PURGE: statement("open_to_purge"),
        PhaseName.RESTORE: statement("open_to_restore"),
    },
)
_NOTED: Mapping[Wanted, str] = complete(
    Wanted,
    {
        Wanted.RUN: "resumed",
        Wanted.PAUSE: "paused",
        Wanted.DRAIN: "drain asked for",
        Wanted.ABORT: "abort asked for",
    },
)
_ENDINGS: Mapping[Wanted, str] = {Wanted.DRAIN: "drained", Wanted.ABORT: "aborted"}


class RunError(Exception):
    """What was asked for cannot be done; the text says why and what to do."""


class NotApproved(RunError):  # noqa: N818 - what the gates say, not a failure
    """A gate of the plan, a check, or whoever was asked to confirm it does not let it begin; `lines` say what is missing."""

    def __init__(self, *lines: str) -> None:
        super().__init__("; ".join(lines))
        self.lines = lines


Approval = Callable[[PhaseName], Sequence[str]]
"""What a phase still needs before it may begin, from whom, a line each; empty where it may."""


@frozen
class Run:
    id: int
    phase: PhaseName
    wanted: Wanted
    settings: Settings
    started_by: str
    started_at: datetime
    ended_at: datetime | None
    outcome: str
    allowance: int | None
    files_per_s: int
    bytes_per_s: int
    concurrency: int
    guarded: bool
    guards: Sequence[Mapping[str, Any]]
    held_since: datetime | None
    halted: Mapping[str, Any] | None
    workers: int
    """Workers seen within the last ten seconds."""
    left_behind: int
    """Of these, those that were at work before its supervisor took it over."""
    supervisor: str
    """Who had it last: a process, as it names itself."""
    supervised_until: datetime | None
    """When its supervision lapses, by the database's clock."""
    supervised: bool
    """By that clock it has not lapsed."""
    abandoned: bool
    """It was supervised, and nobody has done so for five minutes."""
    resumed: int
    """How often it has been resumed: a halt belongs to one of these."""

    @property
    def goes_on(self) -> bool:
        """It is not on its way to an end that somebody asked for."""
        return self.ended_at is None and self.wanted not in _ENDINGS

    @property
    def ownerless(self) -> bool:
        """Nobody supervises it: whoever looks may take it over, or end it."""
        return self.ended_at is None and not self.supervised


async def begin(
    connection: Connection,
    phase: PhaseName,
    settings: Settings,
    *,
    gate: Approval,
    by: str = "",
    plan_digest: str = "",
    limit: int | None = None,
    guarded: bool = True,
    supervisor: str = "",
) -> int:
    """A new run, wanted at once, for one lease its supervisor's. Raises NotApproved, and RunError while another is active."""
    approved(gate, phase)
    limits = settings.limits
    await schema.upgrade(connection)
    given = {
        "phase": phase,
        "settings": settings.as_json(),
        "by": by,
        "plan_digest": plan_digest,
        "allowance": limit,
        "files_per_s": limits.files_per_s,
        "bytes_per_s": limits.bytes_per_s,
        "concurrency": limits.concurrency,
        "guarded": guarded,
        "supervisor": supervisor,
        "lease": SUPERVISION_S,
    }
    try:
        async with connection.transaction():  # within another, that one can still be asked who was first
            cursor = await connection.execute(_BEGIN_RUN, given)
            row = await cursor.fetchone()
    except psycopg.errors.UniqueViolation:
        active = await current(connection)
        what = f"{active.phase} (run {active.id}, begun by {active.started_by or 'somebody'})" if active else "a run"
        raise RunError(f"{what} is active: follow it with `cockpit migrate status`, or drain it first") from None
    assert row is not None
    await note(connection, row[0], by, "began", phase)
    return int(row[0])


async def take_over(connection: Connection, run: Run, *, gate: Approval, by: str = "", supervisor: str) -> None:
    """Go on with a run whose supervisor has gone. Raises NotApproved, and RunError where another has it."""
    approved(gate, run.phase)
    await schema.upgrade(connection)
    await supervise(connection, run.id, supervisor)
    if run.wanted is not Wanted.RUN:
        await go_on(connection, run, gate=gate, by=by)


async def supervise(connection: Connection, run: int, supervisor: str) -> None:
    """Be the run's one supervisor for another lease. Raises RunError where another is, or the run has ended."""
    given = {"run": run, "supervisor": supervisor, "lease": SUPERVISION_S}
    if not (await connection.execute(_TAKE_SUPERVISION, given)).rowcount:
        found = await load(connection, run)
        if found.ended_at is not None:
            raise RunError(f"run {run} has ended: {found.outcome}")
        raise RunError(f"run {run} is supervised by {found.supervisor}: follow it with `cockpit migrate status`")


async def leave(connection: Connection, run: int, supervisor: str) -> None:
    """Supervise it no longer: another may at once."""
    await connection.execute(_RELEASE_SUPERVISION, {"run": run, "supervisor": supervisor})


def approved(gate: Approval, phase: PhaseName) -> None:
    """Raises NotApproved unless the gate lets the phase begin."""
    if missing := gate(phase):
        raise NotApproved("not approved:", *missing)


async def load(connection: Connection, run: int) -> Run:
    """Raises RunError when there is no such run."""
    found = await _select(connection, _LOAD_RUN, run=run)
    if found is None:
        raise RunError(f"there is no run {run} in this database")
    return found


async def current(connection: Connection) -> Run | None:
    """The active run, or None."""
    return await _select(connection, _CURRENT_RUN)


async def latest(connection: Connection) -> Run | None:
    """The newest run, active or not."""
    return await _select(connection, _LATEST_RUN)


async def _select(connection: Connection, query: sql.SQL, **given: int) -> Run | None:
    cursor = await connection.execute(query, {"alive": ALIVE_S, **given})
    row = await cursor.fetchone()
    if row is None:
        return None
    values = [*row]
    values[1:4] = PhaseName(row[1]), Wanted(row[2]), settings_from(row[3])
    return Run(*values)


async def go_on(connection: Connection, run: Run, *, gate: Approval, by: str = "") -> None:
    """Resume a run; the cause of a halt counts as fixed. Raises NotApproved where its gate was voted against, and RunError."""
    approved(gate, run.phase)
    await _want(connection, run.id, Wanted.RUN, by)


async def want(connection: Connection, run: int, wanted: Stop, by: str = "") -> None:
    """Pause, drain or abort. Raises RunError."""
    await _want(connection, run, wanted, by)


async def _want(connection: Connection, run: int, wanted: Wanted, by: str) -> None:
    cursor = await connection.execute(_WANT, {"wanted": wanted, "resumed": wanted is Wanted.RUN, "run": run})
    if not cursor.rowcount:
        found = await load(connection, run)
        why = "is being aborted, which is not taken back" if found.ended_at is None else f"has ended: {found.outcome}"
        raise RunError(f"run {run} {why}")
    await note(connection, run, by, wanted, _NOTED[wanted])


async def limit(
    connection: Connection,
    run: int,
    *,
    concurrency: int | None = None,
    files_per_s: int | None = None,
    bytes_per_s: int | None = None,
) -> None:
    """Change what a run may take; None leaves it."""
    await connection.execute(
        _LIMIT_RUN,
        {"concurrency": concurrency, "files_per_s": files_per_s, "bytes_per_s": bytes_per_s, "run": run},
    )


async def judge(connection: Connection, run: int, guards: Sequence[Mapping[str, Any]], supervisor: str) -> bool:
    """Write down how the guards stand, which renews supervision and the right to begin files; whether any holds the run.

    One that has ended is left as it is. Raises RunError where the run is another supervisor's.
    """
    holding = [guard for guard in guards if guard["holds"]]
    given = {
        "run": run,
        "supervisor": supervisor,
        "lease": SUPERVISION_S,
        "guards": json.dumps(list(guards)),
        "held": bool(holding),
    }
    row = await (await connection.execute(_JUDGE_GUARDS, given)).fetchone()
    if row is None:
        found = await load(connection, run)
        if found.ended_at is not None:
            return False
        raise RunError(f"run {run} was taken over by {found.supervisor}: follow it with `cockpit migrate status`")
    was_held = bool(row[0])
    if was_held != bool(holding):
        why = "; ".join(f"{guard['title']}: {guard['line']}" for guard in holding)
        await note(connection, run, "guards", "holding" if holding else "clear", why or "the run goes on")
    return bool(holding)


async def enlist_all(connection: Connection, settings: Settings) -> int:
    """Plan every file of every table; how many were new."""
    return sum([await enlist(connection, source) for source in settings.sources])


async def finish_if_done(connection: Connection, run: Run) -> str:
    """End the run when nothing is left for it, or when it was asked to end and nobody works any more; its outcome, or empty."""
    if run.wanted in _ENDINGS:
        outcome = "" if run.workers else _ENDINGS[run.wanted]
    else:
        outcome = await _outcome(connection, run)
    if outcome:
        cursor = await connection.execute(_END_RUN, {"outcome": outcome, "run": run.id})
        if cursor.rowcount:
            await note(connection, run.id, "", "ended", f"{run.phase}: {outcome}")
    return outcome


async def _outcome(connection: Connection, run: Run) -> str:
    limited = run.allowance == 0
    given = {"soak": run.settings.soak_s, "leased": limited}
    still_open = await (await connection.execute(_OPEN[run.phase], given)).fetchone()
    if still_open:
        return ""
    if limited:
        return "limit reached"
    if run.phase is PhaseName.COPY and await enlist_all(connection, run.settings):
        return ""
    row = await (await connection.execute(_COUNT_FAILED)).fetchone()
    assert row is not None
    failed = f", with {row[0]} quarantined" if row[0] else ""
    return "done" + failed + (f", {row[1]} to copy again" if row[1] else "")


async def still_soaking(connection: Connection, soak_s: float, tbl: str = "") -> str:
    """How many verified files may be purged now, and when the others may; "" where all may. Raises RunError where none may."""
    row = await (await connection.execute(_COUNT_SOAKED, {"soak": soak_s, "tbl": tbl})).fetchone()
    assert row is not None
    soaked, files, first, last = row
    if soaked == files:
        return ""
    soak = f"a file soaks for {soak_s / 3600:g} h in S3 before its bytes may leave the database (migration.soak)"
    if not soaked:
        raise RunError(f"no file may be purged before {first:%Y-%m-%d %H:%M %Z}, all {files:,} at {last:%H:%M}: {soak}")
    return f"{soaked:,} of {files:,} verified files may be purged now, the last at {last:%Y-%m-%d %H:%M %Z}: {soak}"


async def retry(connection: Connection, tbl: str = "", doc_id: str = "") -> int:
    """Quarantined files are tried again, one or all: restored or verified where that failed, else copied to a new key."""
    await schema.upgrade(connection)
    cursor = await connection.execute(_RETRY_QUARANTINED, {"tbl": tbl, "id": doc_id})
    return cursor.rowcount
