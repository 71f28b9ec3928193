"""The statement a migration phase begins by: in the cutover's record, before anything is begun, and good for one run.

A terminal has stated it, with the key of its person, before it starts the phase. Whoever types the command states it here.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from cockpit.commands.live_session import share_of
from cockpit.commands.migrate.confirmation import PhaseOptions
from cockpit.commands.migrate.migration_context import MigrationContext
from cockpit.decide.events import Decision, Happened
from cockpit.decide.gate import GATE_OF_PHASE
from cockpit.engine import gate_approval
from cockpit.engine.operator_desk import Desk
from cockpit.engine.poller import LiveSource
from cockpit.engine.ports import Refused
from cockpit.engine.record_location import shared_folder
from cockpit.engine.recording import CannotRecord, record_in, recording
from cockpit.engine.watch import Watch
from cockpit.migration import runs
from cockpit.migration.database import Connection
from cockpit.migration.ledger import note_decision
from cockpit.migration.phase_proposal import PhaseProposal
from probes.clients.clients import Clients

Stated = Decision | Happened
GOOD_FOR = timedelta(hours=1)
"""After that, what was stated and not begun is stated again."""


async def with_shared_record(context: MigrationContext, options: PhaseOptions) -> PhaseOptions:
    """Where the record is shared, what others stated until now is taken in first. Raises RunError where that cannot be known."""
    try:
        store = share_of(context.plan, context.live, options.share)
        if store is None:
            return options
        return replace(
            options, record=str(await shared_folder(context.plan, context.clock.now(), options.record, store))
        )
    except (OSError, ValueError) as error:
        raise runs.RunError(str(error)) from None


def stated(context: MigrationContext, options: PhaseOptions, proposal: PhaseProposal) -> Stated | None:
    """What the record holds about beginning just this, by whoever begins it; None where it was not stated. Raises RunError."""
    now = context.clock.now()
    try:
        found = gate_approval.decided(context.plan, options.phase, proposal.line, now, options.record)
    except OSError as error:
        raise runs.RunError(str(error)) from None
    return found if found and found.by in ("", options.who) and now - found.at < GOOD_FOR else None


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
        folder = gate_approval.folder_of(plan, clock.now(), options.record)
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
            watch = Watch(plan, LiveSource(plan, session, clock, {}), clock, kept.record, kept.started_at)
            kept.account = {"account": proposal.account, "arn": proposal.principal}
            await Desk(watch, kept, options.who).migrate(why, proposal.line, GATE_OF_PHASE.get(options.phase, ""))
    except Refused as refused:
        raise runs.NotApproved(str(refused)) from None
    except (CannotRecord, OSError) as error:
        raise runs.RunError(str(error)) from None
    made = gate_approval.decided(plan, options.phase, proposal.line, clock.now(), str(kept.folder.path))
    if made is None:
        raise runs.NotApproved("what was stated does not count: see the record in the cockpit")
    return made


async def spend(connection: Connection, context: MigrationContext, statement: Stated, why: str, line: str) -> bool:
    """Note in the ledger that a run is begun by this statement; False where one was before."""
    tag = f"{statement.at.isoformat()} {statement.by}".rstrip()
    return await note_decision(connection, context.by, tag, f"{why} ({line})")
