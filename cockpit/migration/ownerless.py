"""A run without a supervisor: whoever looks next ends it, waits for its workers, or makes way for another phase."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import psycopg

from cockpit.migration import runs, schema
from cockpit.migration.database import Connection
from cockpit.migration.ledger import note
from cockpit.migration.runs import Run, RunError
from cockpit.migration.states import PhaseName, Wanted

LOOK_S = 0.5
SILENT_LOOKS = 6
"""A supervisor that lives is heard within fewer."""
_NO_RIGHT = (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)
Show = Callable[[str], None]


async def settle(connection: Connection) -> Run | None:
    """The active run, or None: one that nobody supervises and that has come to its end is ended now, by whoever looks."""
    if not await schema.is_there(connection):
        return None
    run = await runs.current(connection)
    if run is not None and run.ownerless and await runs.finish_if_done(connection, run):
        return None
    return run


async def settled_by_reader(connection: Connection) -> None:
    """The same for who may only be allowed to read: then nothing changes."""
    try:
        await settle(connection)
    except _NO_RIGHT:
        return


async def unsupervised(connection: Connection, show: Show = lambda _: None) -> Run | None:
    """The active run, which nobody supervises, or None. Nothing is changed but a run ended that has come to its end.

    Waits for one lease of a supervisor that may be gone. Raises RunError where somebody supervises it.
    """
    run = await settle(connection)
    if run is not None and not await _let_go(connection, run, show):
        raise RunError(advice(run))
    return await settle(connection)


async def make_way(connection: Connection, phase: PhaseName, by: str = "", show: Show = lambda _: None) -> None:
    """Have the active run end, so that one of `phase` may begin: it is drained, and waited for until its workers have gone.

    Raises RunError where somebody supervises it, and where it is of this phase: that one is to be gone on with.
    """
    shown: set[int] = set()
    while (run := await unsupervised(connection, show)) is not None:
        if run.goes_on:
            if run.phase is phase:
                raise RunError(advice(run))
            await note(connection, run.id, by, "drain asked for", f"nobody supervises it, and {phase} is to begin")
            await runs.want(connection, run.id, Wanted.DRAIN, by)
            continue  # without workers it has ended by now
        if run.id not in shown:
            shown.add(run.id)
            show(f"run {run.id} ({run.phase}) has no supervisor: it ends once its {run.workers} workers have")
        await asyncio.sleep(LOOK_S)


async def _let_go(connection: Connection, run: Run, show: Show) -> bool:
    """Wait for one lease at most: whether nobody supervises the run then, or its supervisor renewed it."""
    until, looks = run.supervised_until, 0
    while not run.ownerless and run.ended_at is None:
        if run.supervised_until != until:
            return False
        looks += 1
        if looks == SILENT_LOOKS:
            show(f"run {run.id}: its supervisor {run.supervisor} is silent; the run is free when its lease lapses")
        await asyncio.sleep(LOOK_S)
        run = await runs.load(connection, run.id)
    return True


def advice(run: Run) -> str:
    """What can be done about an active run, in commands that work.

    A run that somebody supervises can be followed, drained and aborted; one that nobody does can be gone on with, too.
    """
    begun = f"run {run.id} ({run.phase}, begun by {run.started_by or 'somebody'})"
    if run.wanted in (Wanted.DRAIN, Wanted.ABORT):
        return f"{begun} is ending ({run.wanted}): `cockpit migrate status PLAN` says when it has"
    if not run.ownerless:
        return (
            f"{begun} is supervised by {run.supervisor}: follow it with `cockpit migrate status PLAN`, "
            "or end it with `cockpit migrate drain PLAN`"
        )
    return (
        f"{begun} has no supervisor: `cockpit migrate {run.phase} PLAN` goes on with it, "
        "`cockpit migrate drain PLAN` ends it"
    )
