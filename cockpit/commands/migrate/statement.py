"""The statement a migration phase begins by: in the cutover's record, before anything is begun, and good for one run.

A terminal has stated it, with the key of its person, before it starts the phase. Whoever types the command states it here.
The ledger keeps, with the run, which statement it was begun by: one that was refused or died before that begins the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from cockpit import formatting
from cockpit.commands.live_session import share_of
from cockpit.commands.migrate.confirmation import PhaseOptions
from cockpit.commands.migrate.migration_context import MigrationContext, is_prepared
from cockpit.console import output
from cockpit.decide.events import MIGRATION, Decision, Happened
from cockpit.decide.gate import GATE_OF_PHASE, Opening, begun_by, tag_of
from cockpit.engine import gate_approval
from cockpit.engine.operator_desk import Desk
from cockpit.engine.poller import LiveSource
from cockpit.engine.ports import Refused
from cockpit.engine.record_look import RecordLook, look_at_record
from cockpit.engine.recorded import record_in
from cockpit.engine.recording import CannotRecord, Recording, recording
from cockpit.engine.watch import Watch
from cockpit.journal.entry import Actor
from cockpit.migration import runs
from cockpit.migration.database import Connection
from cockpit.migration.ledger import is_decided, note_decision
from cockpit.migration.phase_proposal import PhaseProposal
from probes.clients.clients import Clients

Stated = Decision | Happened


async def looked_at(context: MigrationContext, options: PhaseOptions) -> PhaseOptions:
    """With the record it goes by. Raises RunError where there is none of that name."""
    return replace(options, look=await look_at(context, options.record, options.share))


async def look_at(context: MigrationContext, record: str, share: str) -> RecordLook:
    """The record a command goes by, with what others stated until now. Raises RunError where there is none of that name."""
    try:
        store = share_of(context.plan, context.live, share)
        look = await look_at_record(context.plan, context.clock, record, store)
    except (OSError, ValueError) as error:
        raise runs.RunError(str(error)) from None
    if look.trouble:
        output(f"the shared record cannot be read: {look.trouble}", err=True)
    return look


def opening(context: MigrationContext, options: PhaseOptions, proposal: PhaseProposal) -> Opening:
    """What the record holds about beginning just this, by whoever begins it. Raises RunError."""
    now = context.clock.now()
    try:
        return gate_approval.opening(context.plan, options.phase, proposal.lines, now, options.look, options.who)
    except OSError as error:
        raise runs.RunError(str(error)) from None


async def unspent(
    connection: Connection, context: MigrationContext, options: PhaseOptions, proposal: PhaseProposal
) -> Stated | None:
    """What was stated to begin just this, by which no run was begun; None where it may be stated now.

    Raises NotApproved where the gates let it begin neither way.
    """
    found = opening(context, options, proposal)
    if (made := found.statement) is not None and found.stands:
        spent = await is_prepared(connection) and await is_decided(connection, tag_of(made))
        if not spent:
            return made
    if found.whole:
        now = context.clock.now()
        missing = gate_approval.missing(context.plan, options.phase, now, options.look, options.who)
    else:
        missing = gate_approval.in_lines(found.missing)
    if missing:
        raise runs.NotApproved("not approved:", *missing)
    return None


async def begins_by(
    context: MigrationContext,
    options: PhaseOptions,
    proposal: PhaseProposal,
    why: str,
    session: Clients,
    made: Stated | None,
) -> tuple[Stated, PhaseOptions]:
    """What it begins by, stated now unless it was `made` before, and the record as it is after that: minutes may have passed."""
    made = made or await state(context, options, proposal, why, session)
    return made, await looked_at(context, options)


async def state(
    context: MigrationContext, options: PhaseOptions, proposal: PhaseProposal, why: str, session: Clients
) -> Stated:
    """State that the phase is begun as it was shown, by `--as`, signed where the plan has a key for them, and use its gates.

    Raises NotApproved where the plan does not let them, and RunError where nothing can be kept.
    """
    plan, clock = context.plan, context.clock
    if plan.people and not options.who:
        raise runs.NotApproved("name yourself with --as: the record keeps who begins it")
    try:
        async with _recording(context, options) as kept:
            watch = Watch(plan, LiveSource(plan, session, clock, {}), clock, kept.record, kept.started_at)
            kept.account = {"account": proposal.account, "arn": proposal.principal}
            await Desk(watch, kept, options.who).migrate(why, proposal.line, GATE_OF_PHASE.get(options.phase, ""))
    except Refused as refused:
        raise runs.NotApproved(str(refused)) from None
    except (CannotRecord, OSError) as error:
        raise runs.RunError(str(error)) from None
    made = opening(context, replace(options, look=replace(options.look, folder=kept.folder)), proposal)
    if made.statement is None or not made.stands:
        raise runs.NotApproved("what was stated does not count: see the record in the cockpit")
    return made.statement


@asynccontextmanager
async def _recording(context: MigrationContext, options: PhaseOptions) -> AsyncIterator[Recording]:
    """The record that the phase is stated in, to add to it. Raises CannotRecord, OSError."""
    plan, clock = context.plan, context.clock
    folder = options.look.folder
    before = record_in(folder) if folder else None
    async with recording(
        plan,
        clock,
        who=options.who,
        name=str(folder.path) if folder else "",
        store=share_of(plan, context.live, options.share),
        key_file=Path(options.key) if options.key else None,
        variables=context.live.values(),
        rehearsal=before is not None and before.rehearsal,
        claimed_because=before.claimed_because if before else "",
    ) as kept:
        yield kept


async def keep_begun(context: MigrationContext, options: PhaseOptions, run: int, statement: Stated) -> None:
    """Keep in the record that a run begins by this statement, before the ledger's transaction ends: a database that is put back
    to before, or the same one by another name, knows nothing of it. Raises RunError; then the run must not begin.
    """
    try:
        async with _recording(context, options) as kept:
            noted = Happened(context.clock.now(), MIGRATION, begun_by(run, statement))
            await asyncio.wrap_future(kept.record.submit_signed(noted, Actor(options.who or "cockpit"), None))
    except (CannotRecord, OSError) as error:
        raise runs.RunError(f"that it begins cannot be kept in the record, so it did not: {error}") from None


async def spend(connection: Connection, by: str, statement: Stated) -> None:
    """Note in the ledger that a run is begun by this statement, in one transaction with that. Raises RunError where one was."""
    words = statement.why if isinstance(statement, Decision) else statement.text.removeprefix("decided: ")
    if not await note_decision(connection, by, tag_of(statement), words):
        raise runs.RunError("a run was begun by this statement in the meantime: see `cockpit migrate status`")


def goes_on_by(statement: Stated | None) -> str:
    """What is shown of a statement that a phase goes on by; empty where it is stated first."""
    if statement is None:
        return ""
    return f"at {formatting.clock(statement.at)} by {statement.by or 'this cockpit'}, and not begun: it begins by that"
