"""`cockpit migrate copy`, `verify`, `purge`, `restore` and `run-on-ecs`: a phase in the foreground, supervised."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Literal

import click
import psycopg

from cockpit.commands.live_session import WrongAccount, open_watch
from cockpit.commands.migrate.confirmation import PhaseOptions, confirmed, look, number_of
from cockpit.commands.migrate.leaving import drain_on_signals, leave
from cockpit.commands.migrate.migration_context import (
    FAILED,
    OUTSIDE_WINDOW,
    MigrationContext,
    is_prepared,
    migration_command,
)
from cockpit.commands.migrate.migration_text import Meter, print_progress
from cockpit.commands.migrate.statement import (
    Stated,
    begins_by,
    goes_on_by,
    keep_begun,
    looked_at,
    opening,
    spend,
    unspent,
)
from cockpit.commands.options import FORMAT, RECORD_OF_GATES, SHARE, Form
from cockpit.console import output
from cockpit.engine.gate_approval import in_lines, missing, missing_to_resume
from cockpit.engine.tasks import end
from cockpit.exit_codes import INTERRUPTED
from cockpit.migration import runs
from cockpit.migration.database import Connection
from cockpit.migration.follower import Follower
from cockpit.migration.ledger import note
from cockpit.migration.local_workers import LocalWorkers
from cockpit.migration.ownerless import make_way, unsupervised
from cockpit.migration.phase_proposal import FROZEN, PhaseProposal, proposal_from
from cockpit.migration.preflight import describe
from cockpit.migration.preflight import prepare as prepare_ledger
from cockpit.migration.settings import Settings
from cockpit.migration.states import PhaseName
from cockpit.migration.supervisor import Supervisor, Workers, new_name, standing, unseen
from probes.reading import Unseen

Guards = Callable[[], list[dict[str, Any]]]
_CONFIRM = click.option(
    "--confirm", default="", metavar="WORDS", help="The words it asks for, and why: for use without a terminal."
)
_PROPOSE = click.option("--propose", is_flag=True, help="Only print what would be begun, as JSON, after every check.")
_WHO = click.option("--as", "who", default="", metavar="ID", help="Who starts it: one of the plan's people.")
_KEY = click.option(
    "--key", default="", metavar="FILE", help="SSH key to sign that with, where the agent does not hold it."
)
WorkerPhase = Literal["copy", "verify", "restore"]


def phase_command(phase: PhaseName, text: str) -> click.Command:
    """The command that runs one phase with workers on this machine."""

    @click.command(phase, help=text)
    @RECORD_OF_GATES
    @SHARE
    @_WHO
    @_KEY
    @migration_command
    @click.option(
        "--limit", type=click.IntRange(1), default=None, metavar="FILES", help="Start at most this many files."
    )
    @click.option("--table", default="", help="Only this table.")
    @click.option(
        "--workers", type=click.IntRange(0, 32), default=0, help="Processes on this machine; default: the plan's."
    )
    @click.option("--max-bytes-per-s", type=click.IntRange(0), default=0, help="Of all workers together.")
    @click.option("--unguarded", is_flag=True, help="Do not evaluate the plan's guards (restore never does).")
    @_CONFIRM
    @_PROPOSE
    @OUTSIDE_WINDOW
    @FORMAT
    async def command(
        context: MigrationContext,
        record: str,
        share: str,
        who: str,
        key: str,
        limit: int | None,
        table: str,
        workers: int,
        max_bytes_per_s: int,
        *,
        unguarded: bool,
        confirm: str,
        propose: bool,
        outside_window: str,
        form: Form,
    ) -> int:
        many = workers or context.migration.limits.workers
        options = PhaseOptions(
            phase,
            limit,
            table,
            max_bytes_per_s,
            outside_window,
            f"{number_of(many, 'process', 'processes')} on {socket.gethostname()}",
            many,
            confirm,
            propose,
            unguarded,
            record=record,
            share=share,
            who=who,
            key=key,
        )
        return await _on_this_machine(context, options, many, form)

    return command


copy = phase_command(PhaseName.COPY, "Upload files and point their rows at them. The bytes stay in the database.")
verify = phase_command(
    PhaseName.VERIFY, "Read files back from S3 independently. Files that fail return to the database."
)
purge = phase_command(
    PhaseName.PURGE,
    "Remove the bytes of verified files from the database: the point of no return. Needs a typed confirmation.",
)
restore = phase_command(PhaseName.RESTORE, "Copy files back to the database, with checksums, at any time.")


async def _on_this_machine(context: MigrationContext, options: PhaseOptions, many: int, form: Form) -> int:
    """The phase with `many` local workers."""
    supervisor = new_name()
    async with _begun(context, options, supervisor) as (connection, run):
        if run is None:
            return 0
        local = LocalWorkers(context.migration.database, run, many, context.log_file)
        return await _supervised(context, connection, run, local, form, supervisor, guarded=options.guarded)


@click.command("run-on-ecs")
@RECORD_OF_GATES
@SHARE
@_WHO
@_KEY
@migration_command
@click.option("--count", type=click.IntRange(0, 64), default=0, help="Tasks; default: the plan's.")
@click.option("--phase", type=click.Choice(["copy", "verify", "restore"]), default="copy", show_default=True)
@_CONFIRM
@_PROPOSE
@OUTSIDE_WINDOW
@FORMAT
async def run_on_ecs(
    context: MigrationContext,
    record: str,
    share: str,
    who: str,
    key: str,
    count: int,
    phase: WorkerPhase,
    *,
    confirm: str,
    propose: bool,
    outside_window: str,
    form: Form,
) -> int:
    """Run the workers as ECS tasks, follow them, drain and stop them."""
    from cockpit.migration.ecs_workers import EcsWorkers

    task = context.migration.ecs
    if task is None:
        raise runs.RunError("the plan has no migration.ecs: cluster, task_definition, subnets")
    many = count or task.count
    options = PhaseOptions(
        PhaseName(phase),
        outside_window=outside_window,
        workers=f"{number_of(many, 'task', 'tasks')} of {task.task_definition} in cluster {task.cluster}",
        many=many,
        confirm=confirm,
        propose=propose,
        record=record,
        share=share,
        who=who,
        key=key,
    )
    supervisor = new_name()
    async with _begun(context, options, supervisor) as (connection, run):
        if run is None:
            return 0
        async with context.clients() as clients:
            ecs_workers = EcsWorkers(clients, task, run, many)
            try:
                return await _supervised(
                    context, connection, run, ecs_workers, form, supervisor, guarded=options.guarded
                )
            finally:
                await ecs_workers.stop()


@asynccontextmanager
async def _begun(
    context: MigrationContext, options: PhaseOptions, supervisor: str
) -> AsyncIterator[tuple[Connection, int | None]]:
    """The run to work on, whoever its workers are; None where one was only to be proposed.

    The plan's gates are asked before the database is, and again where the ledger's run begins or goes on.
    """
    await context.right_account()  # its answer says what time it is, too
    options = await looked_at(context, options)
    if _to_resume(context, options)(options.phase):
        runs.approved(_to_begin(context, options), options.phase)
    begins = replace(context, by=f"{options.who} ({context.by})") if options.who else context
    async with context.connection() as connection:
        active = await unsupervised(connection, _show)
        if active is not None and active.phase is options.phase and active.goes_on:
            yield connection, await _taken_over(begins, connection, active, options, supervisor)
        else:
            yield connection, await _begin(begins, connection, options, supervisor)


def _show(line: str) -> None:
    output(line, err=True)


def _to_begin(context: MigrationContext, options: PhaseOptions) -> runs.Approval:
    """The gates, as a new run must pass them: by votes that none was begun with."""
    return lambda phase: missing(context.plan, phase, context.clock.now(), options.look, options.who)


def _to_resume(context: MigrationContext, options: PhaseOptions) -> runs.Approval:
    """The gates, as a run passes them that goes on."""
    return lambda phase: missing_to_resume(context.plan, phase, context.clock.now(), options.look)


async def _taken_over(
    context: MigrationContext, connection: Connection, active: runs.Run, options: PhaseOptions, supervisor: str
) -> int:
    """The active run of this phase goes on: what it does was confirmed when it began."""
    if options.propose:
        raise runs.RunError(f"run {active.id} ({active.phase}) is active: it goes on as it was begun")
    output(f"resuming run {active.id} of {active.started_by}", err=True)
    await runs.take_over(connection, active, gate=_to_resume(context, options), by=context.by, supervisor=supervisor)
    return active.id


async def _begin(
    context: MigrationContext, connection: Connection, options: PhaseOptions, supervisor: str
) -> int | None:
    """A new run, exactly as it was shown, confirmed and stated in the record; None where it was only to be shown.

    A run of another phase that nobody supervises makes way, once it is confirmed that this one begins.

    Raises NotApproved, and RunError where anything changed since it was shown.
    """
    async with context.clients() as clients:
        session = await clients.pinned()  # what STS says of these credentials holds for what is begun
        frozen = os.environ.get(FROZEN, "")
        proposal = proposal_from(frozen) if frozen else await look(context, connection, options, session)
        statement = await unspent(connection, context, options, proposal)
        proposal = replace(proposal, stated=goes_on_by(statement))
        if options.phase is PhaseName.PURGE:
            soak_s = context.migration.soak.total_seconds()
            if line := await runs.still_soaking(connection, soak_s, options.table):
                _show(line)
        if options.propose:
            output(proposal.as_json())
            return None
        why = await confirmed(proposal, options.confirm)
        if different := proposal.differences(await look(context, connection, options, session)):
            changed = "; ".join(different)
            raise runs.RunError(f"it changed since it was shown, so nothing was begun: {changed}. Look again")
        statement, options = await begins_by(context, options, proposal, why, session, statement)
        await make_way(connection, options.phase, context.by, _show)
        settings = context.settings((await describe(connection, context.migration))[0], options.table)
        if options.phase is PhaseName.COPY or not await is_prepared(connection):
            await prepare_ledger(connection, settings)
    async with connection.transaction():  # a statement is used by a run that begins, and by nothing less
        await spend(connection, context.by, statement)
        if options.outside_window:
            await note(connection, None, context.by, "outside-window", options.outside_window)
        run = await runs.begin(
            connection,
            options.phase,
            _rate_capped(settings, options.max_bytes_per_s),
            gate=_stands(context, options, proposal, statement),
            by=context.by,
            plan_digest=context.plan.digest,
            limit=options.limit,
            guarded=options.guarded,
            supervisor=supervisor,
        )
        await keep_begun(context, options, run, statement)
    return run


def _stands(
    context: MigrationContext, options: PhaseOptions, proposal: PhaseProposal, statement: Stated
) -> runs.Approval:
    """Whether the statement still lets the run begin: it counts, its votes do, and nobody voted against it since."""

    def missing(_: PhaseName) -> Sequence[str]:
        found = opening(context, options, proposal)
        if found.stands and found.statement == statement:
            return ()
        return in_lines(found.missing) or ("the record does not say who begins it, and why",)

    return missing


def _rate_capped(settings: Settings, max_bytes_per_s: int) -> Settings:
    if not max_bytes_per_s:
        return settings
    return replace(settings, limits=replace(settings.limits, bytes_per_s=max_bytes_per_s))


async def _supervised(
    context: MigrationContext,
    connection: Connection,
    run: int,
    workers: Workers,
    form: Form,
    name: str,
    *,
    guarded: bool,
) -> int:
    """Judge the guards and keep workers going until the run has ended. Left before that, it says what can be done."""

    async def supervised() -> str:
        supervising = asyncio.create_task(supervisor.run(), name="rounds and guards")
        try:
            # AWS may take its time: the run is supervised meanwhile.
            async with _guards(context, guarded=guarded) as guards:
                supervisor.judged_by(guards)
                outcome = await supervising
                await workers.end(30)
                print_progress(await Follower().poll(connection), form)
                return outcome
        finally:
            supervising.cancel()
            await asyncio.wait({supervising})
            if not supervising.cancelled():
                supervising.exception()  # where the guards failed, too, that is said

    def before() -> list[dict[str, Any]]:
        return unseen(context.migration.guards, context.clock.now()) if guarded else []

    supervisor = Supervisor(context.migration.database, run, before, workers, Meter(form), name)
    working = asyncio.create_task(supervised(), name="supervisor")
    asked = drain_on_signals(lambda: supervisor.drain(context.by), working)
    try:
        outcome = await working
    except asyncio.CancelledError:
        if not asked():
            raise
        await leave(connection, run, name, supervisor.drain_asked_by)
        return INTERRUPTED
    except (WrongAccount, Unseen, psycopg.Error):
        await leave(connection, run, name, supervisor.drain_asked_by)
        raise
    except runs.RunError:  # another has it: what was asked for here is not written over what was asked for there
        await leave(connection, run, name)
        raise
    return 0 if outcome in ("done", "limit reached", "drained") else FAILED


@asynccontextmanager
async def _guards(context: MigrationContext, *, guarded: bool) -> AsyncIterator[Guards]:
    """How the plan's guards stand, judged from a watch of its own; none if it is not guarded. Raises WrongAccount."""
    if not guarded:
        yield list
        return
    async with open_watch(context.plan, context.live, clock=context.clock) as watch:
        watching = asyncio.create_task(watch.run(), name="watch")
        try:
            yield lambda: standing(watch.current())
        finally:
            await end((watching,))
