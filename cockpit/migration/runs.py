"""A run: one phase, wanted by somebody, with limits and guards. There is one at a time; its row is the only way to steer it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from cockpit.migration import schema
from cockpit.migration.database import Connection
from cockpit.migration.ledger import note
from cockpit.migration.settings import Settings, settings_from
from cockpit.migration.source_tables import enlist
from cockpit.migration.states import OPEN, RETRIED_AS, ItemState, PhaseName, Wanted, complete, literals

GUARD_LEASE_S = 30.0
ALIVE_S = 10.0
_SOAKED = " AND switched_at < clock_timestamp() - make_interval(secs => %(soak)s)"
_OPEN = {
    phase: f"(state IN ({literals(states)}){_SOAKED if phase is PhaseName.PURGE else ''})"
    for phase, states in OPEN.items()
}


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
_KEEP_KEY = [phase for phase, state in RETRIED_AS.items() if state is not ItemState.PLANNED]
_retried = " ".join(f"WHEN '{phase}' THEN '{state}'" for phase, state in RETRIED_AS.items())


class RunError(Exception):
    """What was asked for cannot be done; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
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
    abandoned: bool
    """Guarded, and nobody has judged its guards for five minutes."""


async def begin(
    connection: Connection,
    phase: PhaseName,
    settings: Settings,
    *,
    by: str = "",
    plan_digest: str = "",
    limit: int | None = None,
    guarded: bool = True,
) -> int:
    """A new run, wanted at once. Raises RunError while another is active."""
    limits = settings.limits
    await schema.upgrade(connection)
    try:
        row = await (
            await connection.execute(
                """INSERT INTO cutover.run (phase, settings, started_by, plan_digest, allowance, files_per_s, bytes_per_s,
                       concurrency, guarded, guard_until)
                   VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, NULL) RETURNING id""",
                (
                    phase,
                    settings.as_json(),
                    by,
                    plan_digest,
                    limit,
                    limits.files_per_s,
                    limits.bytes_per_s,
                    limits.concurrency,
                    guarded,
                ),
            )
        ).fetchone()
    except psycopg.errors.UniqueViolation:
        active = await current(connection)
        what = f"{active.phase} (run {active.id}, begun by {active.started_by or 'somebody'})" if active else "a run"
        raise RunError(f"{what} is active: follow it with `cockpit migrate status`, or drain it first") from None
    assert row is not None
    await note(connection, row[0], by, "began", phase)
    return int(row[0])


async def load(connection: Connection, run: int) -> Run:
    """Raises RunError when there is no such run."""
    found = await _select(connection, "r.id = %s", (run,))
    if found is None:
        raise RunError(f"there is no run {run} in this database")
    return found


async def current(connection: Connection) -> Run | None:
    """The active run, or None."""
    return await _select(connection, "r.ended_at IS NULL", ())


async def latest(connection: Connection) -> Run | None:
    """The newest run, active or not."""
    return await _select(connection, "r.id = (SELECT max(id) FROM cutover.run)", ())


async def _select(connection: Connection, where: str, given: tuple[Any, ...]) -> Run | None:
    cursor = await connection.execute(
        f"""SELECT r.id, r.phase, r.wanted, r.settings, r.started_by, r.started_at, r.ended_at, r.outcome,
            r.allowance, r.files_per_s, r.bytes_per_s, r.concurrency, r.guarded, r.guards, r.held_since, r.halted,
            (SELECT count(*) FROM cutover.worker w WHERE w.run_id = r.id AND w.state <> 'ended'
                AND w.seen_at > clock_timestamp() - interval '{ALIVE_S:g} seconds'),
            r.guarded AND coalesce(r.guard_until, r.started_at) < clock_timestamp() - interval '5 minutes'
            FROM cutover.run r WHERE {where}""",
        given,
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    values = [*row]
    values[1:4] = PhaseName(row[1]), Wanted(row[2]), settings_from(row[3])
    return Run(*values)


async def want(connection: Connection, run: int, wanted: Wanted, by: str = "") -> None:
    """Run, pause, drain or abort. What halted a run is taken as mended when it is resumed."""
    cursor = await connection.execute(
        """UPDATE cutover.run SET wanted = %(w)s, halted = CASE WHEN %(w)s = 'run' THEN NULL ELSE halted END
           WHERE id = %(id)s AND ended_at IS NULL AND (wanted NOT IN ('abort') OR %(w)s = 'abort')""",
        {"w": wanted, "id": run},
    )
    if not cursor.rowcount:
        raise RunError(f"run {run} is not active any more")
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
        """UPDATE cutover.run SET concurrency = coalesce(%s, concurrency), files_per_s = coalesce(%s, files_per_s),
           bytes_per_s = coalesce(%s, bytes_per_s) WHERE id = %s AND ended_at IS NULL""",
        (concurrency, files_per_s, bytes_per_s, run),
    )


async def judge(connection: Connection, run: int, guards: Sequence[Mapping[str, Any]]) -> bool:
    """Write down how the guards stand, which renews the right to begin files; whether any holds the run."""
    holding = [guard for guard in guards if guard["holds"]]
    row = await (
        await connection.execute(
            """WITH was AS (SELECT held_since FROM cutover.run WHERE id = %(id)s)
               UPDATE cutover.run r SET guard_until = clock_timestamp() + make_interval(secs => %(lease)s), guards = %(guards)s,
                   held_since = CASE WHEN %(held)s THEN coalesce(r.held_since, clock_timestamp()) END
               FROM was WHERE r.id = %(id)s RETURNING was.held_since IS NOT NULL""",
            {"id": run, "lease": GUARD_LEASE_S, "guards": json.dumps(list(guards)), "held": bool(holding)},
        )
    ).fetchone()
    was_held = bool(row and row[0])
    if was_held != bool(holding):
        why = "; ".join(f"{guard['title']}: {guard['line']}" for guard in holding)
        await note(connection, run, "guards", "held" if holding else "free", why or "nothing holds it any more")
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
        await connection.execute(
            "UPDATE cutover.run SET ended_at = clock_timestamp(), outcome = %s WHERE id = %s AND ended_at IS NULL",
            (outcome, run.id),
        )
        await note(connection, run.id, "", "ended", f"{run.phase}: {outcome}")
    return outcome


async def _outcome(connection: Connection, run: Run) -> str:
    given = {"soak": run.settings.soak_s}
    is_open = _OPEN[run.phase]
    if run.allowance == 0:
        busy = f"SELECT 1 FROM cutover.item WHERE {is_open} AND lease_until > clock_timestamp() LIMIT 1"
        return "" if await (await connection.execute(busy, given)).fetchone() else "limit reached"
    left = f"SELECT 1 FROM cutover.item WHERE {is_open} LIMIT 1"
    if await (await connection.execute(left, given)).fetchone():
        return ""
    if run.phase is PhaseName.COPY and await enlist_all(connection, run.settings):
        return ""
    row = await (
        await connection.execute(
            "SELECT count(*) FILTER (WHERE state = 'quarantined'), count(*) FILTER (WHERE state = 'diverged') FROM cutover.item "
            "WHERE state IN ('quarantined', 'diverged')"
        )
    ).fetchone()
    assert row is not None
    failed = f", with {row[0]} quarantined" if row[0] else ""
    return "done" + failed + (f", {row[1]} to copy again" if row[1] else "")


async def retry(connection: Connection, tbl: str = "", doc_id: str = "") -> int:
    """Quarantined files are tried again, one or all: restored or verified where that failed, else copied to a new key."""
    await schema.upgrade(connection)
    cursor = await connection.execute(
        f"""UPDATE cutover.item SET failures = 0, attempt = 0, not_before = '-infinity', lease_until = NULL, owner = NULL,
               state = CASE failed_in {_retried} ELSE '{ItemState.PLANNED}' END,
               key = CASE WHEN failed_in IN ({literals(_KEEP_KEY)}) THEN key END,
               failed_in = NULL, upload_id = NULL
           WHERE state = 'quarantined' AND (%(tbl)s = '' OR (tbl = %(tbl)s AND doc_id = %(id)s))""",
        {"tbl": tbl, "id": doc_id},
    )
    return cursor.rowcount
