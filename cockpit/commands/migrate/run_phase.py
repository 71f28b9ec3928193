"""`cockpit migrate copy`, `verify`, `purge`, `restore` and `run-on-ecs`: a phase in the foreground, supervised."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from textwrap import wrap
from typing import Any, Literal

import click

from cockpit.commands.live_session import clock_in_use, open_watch
from cockpit.commands.migrate.migration_context import (
    FAILED,
    OUTSIDE_WINDOW,
    MigrationContext,
    NotApproved,
    active_run,
    is_prepared,
    migration_command,
)
from cockpit.commands.migrate.migration_text import Meter, check_lines, print_progress
from cockpit.commands.options import FORMAT, Form
from cockpit.console import output
from cockpit.engine.gate_approval import missing
from cockpit.engine.tasks import end
from cockpit.migration import runs, schema
from cockpit.migration.database import Connection, host_and_name
from cockpit.migration.ledger import note
from cockpit.migration.local_workers import LocalWorkers
from cockpit.migration.preflight import Check, describe, preflight
from cockpit.migration.preflight import prepare as prepare_ledger
from cockpit.migration.progress import Follower
from cockpit.migration.purge_question import PurgeQuestion
from cockpit.migration.settings import Settings
from cockpit.migration.states import PhaseName, Wanted
from cockpit.migration.supervisor import Supervisor, Workers, standing
from probes.clients.threads import in_thread

Guards = Callable[[], list[dict[str, Any]]]
_RECORD = click.option(
    "--record", default="", metavar="NAME", help="Where the plan's gates were voted on; default: its newest."
)
_WHO = click.option("--as", "who", default="", metavar="ID", help="Who starts it: one of the plan's people.")
WorkerPhase = Literal["copy", "verify", "restore"]


@dataclass(frozen=True, slots=True)
class PhaseOptions:
    """How a phase is begun."""

    phase: PhaseName
    limit: int | None = None
    """Files; None for all."""
    table: str = ""
    """Only this one; empty for all."""
    max_bytes_per_s: int = 0
    """Of all workers together; 0 for the plan's."""
    outside_window: str = ""
    """Why it may begin outside the plan's off-hours."""
    confirm: str = ""
    """The words a purge asks for."""
    unguarded: bool = False
    record: str = ""
    """Where the plan's gates were voted on; empty for its newest."""
    who: str = ""
    """Who begins it, as the plan knows them."""

    @property
    def guarded(self) -> bool:
        """Whether the plan's guards can hold it. A restore is never held."""
        return self.phase is not PhaseName.RESTORE and not self.unguarded


def phase_command(phase: PhaseName, text: str) -> click.Command:
    """The command that runs one phase with workers on this machine."""

    @click.command(phase, help=text)
    @_RECORD
    @_WHO
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
    @click.option(
        "--confirm", default="", metavar="WORDS", help="The confirmation text of a purge, for use without a terminal."
    )
    @OUTSIDE_WINDOW
    @FORMAT
    async def command(
        context: MigrationContext,
        record: str,
        who: str,
        limit: int | None,
        table: str,
        workers: int,
        max_bytes_per_s: int,
        *,
        unguarded: bool,
        confirm: str,
        outside_window: str,
        form: Form,
    ) -> int:
        options = PhaseOptions(
            phase, limit, table, max_bytes_per_s, outside_window, confirm, unguarded, record=record, who=who
        )
        return await _on_this_machine(context, options, workers or context.migration.limits.workers, form)

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
    async with _begun(context, options) as (connection, run):
        if run is None:
            return FAILED
        local = LocalWorkers(context.migration.database, run, many, context.log_file)
        return await _supervised(context, connection, run, local, form, guarded=options.guarded)


@click.command("run-on-ecs")
@_RECORD
@_WHO
@migration_command
@click.option("--count", type=click.IntRange(0, 10), default=0, help="Tasks; default: the plan's.")
@click.option("--phase", type=click.Choice(["copy", "verify", "restore"]), default="copy", show_default=True)
@OUTSIDE_WINDOW
@FORMAT
async def run_on_ecs(
    context: MigrationContext, record: str, who: str, count: int, phase: WorkerPhase, outside_window: str, form: Form
) -> int:
    """Run the workers as ECS tasks, follow them, drain and stop them."""
    from cockpit.migration.ecs_workers import EcsWorkers

    task = context.migration.ecs
    if task is None:
        raise runs.RunError("the plan has no migration.ecs: cluster, task_definition, subnets")
    options = PhaseOptions(PhaseName(phase), outside_window=outside_window, record=record, who=who)
    async with _begun(context, options) as (connection, run):
        if run is None:
            return FAILED
        async with context.clients() as clients:
            ecs_workers = EcsWorkers(clients, task, run, count or task.count)
            try:
                return await _supervised(context, connection, run, ecs_workers, form, guarded=options.guarded)
            finally:
                await ecs_workers.stop()


@asynccontextmanager
async def _begun(context: MigrationContext, options: PhaseOptions) -> AsyncIterator[tuple[Connection, int | None]]:
    """The run to work on, whoever its workers are; None if it may not begin.

    The plan's gates are asked here, where every run begins or is resumed, before the database is.
    """
    if open_ := missing(context.plan, options.phase, clock_in_use().now(), options.record, options.who):
        raise NotApproved("\n".join(["not approved:", *open_]))
    begins = replace(context, by=f"{options.who} ({context.by})") if options.who else context
    async with context.connection() as connection:
        yield connection, await _checked(begins, connection, options)


async def _checked(context: MigrationContext, connection: Connection, options: PhaseOptions) -> int | None:
    """The active run of this phase, or a new one after every check; None if it may not begin."""
    await context.right_account()
    active = await active_run(connection)
    if active is not None and active.phase is options.phase:
        output(f"resuming run {active.id} of {active.started_by}", err=True)
        await schema.upgrade(connection)
        if active.wanted is not Wanted.RUN:
            await runs.want(connection, active.id, Wanted.RUN, context.by)
        return active.id
    checks = [check async for check in preflight(connection, context.plan, context.migration, clock_in_use().now())]
    if refused(checks, options.outside_window):
        output(*check_lines([check for check in checks if check.ok is False]), err=True)
        return None
    settings = context.settings((await describe(connection, context.migration))[0], options.table)
    if options.phase is PhaseName.COPY or not await is_prepared(connection):
        await prepare_ledger(connection, settings)
    if options.phase is PhaseName.PURGE and not await _purge_confirmed(context, connection, options.confirm):
        return None
    if options.outside_window:
        await note(connection, None, context.by, "outside-window", options.outside_window)
    return await runs.begin(
        connection,
        options.phase,
        _rate_capped(settings, options.max_bytes_per_s),
        by=context.by,
        plan_digest=context.plan.digest,
        limit=options.limit,
        guarded=options.guarded,
    )


def refused(checks: Iterable[Check], outside_window: str) -> bool:
    """Whether a check forbids to begin. `outside_window`, the reason given, overrides the off-hours alone."""
    return any(check.ok is False and not (check.what == "off-hours" and outside_window) for check in checks)


async def _purge_confirmed(context: MigrationContext, connection: Connection, confirm: str) -> bool:
    """A purge cannot be undone by the application's rollback, so it needs a typed confirmation."""
    question = PurgeQuestion.of(await Follower().poll(connection), host_and_name(context.migration.database))
    output(*wrap(question.consequences, 100), f"Type  {question.words}  to confirm:", err=True)
    typed = confirm or (await in_thread(input) if sys.stdin.isatty() else "")
    if typed.strip() != question.words:
        output("nothing was purged", err=True)
        return False
    return True


def _rate_capped(settings: Settings, max_bytes_per_s: int) -> Settings:
    if not max_bytes_per_s:
        return settings
    return replace(settings, limits=replace(settings.limits, bytes_per_s=max_bytes_per_s))


async def _supervised(
    context: MigrationContext, connection: Connection, run: int, workers: Workers, form: Form, *, guarded: bool
) -> int:
    """Judge the guards and keep workers going until the run has ended."""
    async with _guards(context, guarded=guarded) as guards:
        supervisor = Supervisor(context.migration.database, run, guards, workers, Meter(form))
        working = asyncio.create_task(supervisor.run(), name="supervisor")
        _drain_on_signals(lambda: _drain(context, run), working)
        outcome = await working
        await workers.ended(30)
        progress = await Follower().poll(connection)
        print_progress(progress, form)
    return 0 if outcome in ("done", "limit reached", "drained") else FAILED


@asynccontextmanager
async def _guards(context: MigrationContext, *, guarded: bool) -> AsyncIterator[Guards]:
    """How the plan's guards stand, judged from a watch of its own; none if it is not guarded. Raises WrongAccount."""
    if not guarded:
        yield list
        return
    async with open_watch(context.plan, context.live, clock=clock_in_use()) as watch:
        watching = asyncio.create_task(watch.run(), name="watch")
        try:
            yield lambda: standing(watch.situation)
        finally:
            await end((watching,))


async def _drain(context: MigrationContext, run: int) -> None:
    async with context.connection() as connection:
        await runs.want(connection, run, Wanted.DRAIN, context.by)


def _drain_on_signals(drain: Callable[[], Coroutine[Any, Any, None]], working: asyncio.Task[str]) -> None:
    """The first ctrl-c drains: files in flight finish, nothing is lost. The second leaves at once; workers end by themselves."""
    loop = asyncio.get_running_loop()
    asked: list[asyncio.Future[None]] = []

    def ask() -> None:
        if asked:
            working.cancel()
            return
        output("", "draining: files in flight finish; ctrl-c again to stop at once", err=True)
        asked.append(asyncio.ensure_future(drain()))

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, ask)
