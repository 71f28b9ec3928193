"""`cockpit migrate ...`: the file migration from the command line. What destroys asks for a typed word."""

from __future__ import annotations

import asyncio
import getpass
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import click
import psycopg

from cockpit.commands.log_file import log_to_file
from cockpit.commands.migrate_text import Meter, as_line, checks_text, progress_text, survey_text
from cockpit.commands.options import LiveOptions
from cockpit.commands.plan_loading import load
from cockpit.commands.session import WrongAccount, clock_in_use, identify, open_watch
from cockpit.engine.gate_approval import missing
from cockpit.exit_codes import BAD_PLAN, COULD_NOT_JUDGE, INTERRUPTED
from cockpit.migration import runs, schema
from cockpit.migration.database import Connection, connect, words_of
from cockpit.migration.launch import LocalWorkers
from cockpit.migration.ledger import note
from cockpit.migration.preflight import describe, preflight, prepare
from cockpit.migration.progress import Follower
from cockpit.migration.settings import Settings, settings_of
from cockpit.migration.store import Store, StoreError
from cockpit.migration.supervise import Supervisor, standing
from cockpit.migration.survey import survey
from cockpit.migration.sweep import sweep, unknown_keys
from cockpit.plan.model import Migration, Plan
from probes.clients.clients import AwsOptions, Clients
from probes.reading import Unseen

FAILED = 1


def main(action: str, plan: str, profile: str, region: str, variables: Sequence[str], **given: Any) -> int:
    log_to_file()
    if profile:
        os.environ["AWS_PROFILE"] = profile
    loaded = load(plan, variables)
    migration = loaded.migration
    if migration is None:
        click.echo(f"{loaded.path} has no `migration:` section: nothing can be moved", err=True)
        return BAD_PLAN
    if not migration.database:
        click.echo(f"{loaded.path}: migration.database is empty: set the variable it reads", err=True)
        return BAD_PLAN
    orders = Orders(loaded, migration, profile, region)
    command: Callable[..., Coroutine[Any, Any, int]] = getattr(orders, action.replace("-", "_"))
    try:
        return asyncio.run(command(**given))
    except (runs.RunError, WrongAccount, StoreError) as error:
        click.echo(str(error), err=True)
    except Unseen as unseen:
        click.echo(f"{unseen.unknown.detail}. {unseen.unknown.hint}", err=True)
    except psycopg.Error as error:
        click.echo(f"the database refused: {words_of(error)}", err=True)
    except KeyboardInterrupt:
        return INTERRUPTED
    return COULD_NOT_JUDGE


class Orders:
    """The commands. Each gives its exit code."""

    def __init__(self, plan: Plan, migration: Migration, profile: str, region: str) -> None:
        self.plan_, self.migration, self.profile, self.region = plan, migration, profile, region
        self.by = f"{getpass.getuser()}@{socket.gethostname()}"

    async def plan(self, form: str) -> int:
        """The dry run: nothing is written, not even the ledger."""
        async with AsyncExitStack() as closing:
            connection = await self._connection(closing, read_only=True)
            types, checks = await describe(connection, self.migration)
            if any(check.ok is False for check in checks):
                click.echo(checks_text(checks))
                return FAILED
            found = await survey(connection, self._settings(types))
            click.echo(survey_text(found, self.migration, form))
        return 0

    async def prepare(self, outside_window: str) -> int:
        """Preflight and ledger."""
        async with AsyncExitStack() as closing:
            connection = await self._connection(closing)
            await self._right_account()
            checks = [check async for check in preflight(connection, self.plan_, self.migration, clock_in_use().now())]
            click.echo(checks_text(checks))
            if _refused(checks, outside_window):
                click.echo("nothing was written", err=True)
                return FAILED
            new = await prepare(connection, self._settings((await describe(connection, self.migration))[0]))
            click.echo(f"the ledger is ready: {new:,} files planned")
        return 0

    async def run(self, phase: str, limit: int | None, table: str, workers: int, max_bytes_per_s: int,
                  outside_window: str, confirm: str, unguarded: bool, form: str,
                  record: str = "", who: str = "") -> int:  # fmt: skip
        """A phase in the foreground: supervised, with workers on this machine."""
        async with AsyncExitStack() as closing:
            if open_ := missing(self.plan_, phase, clock_in_use().now(), record, who):
                click.echo("\n".join(["not approved:", *open_]), err=True)
                return FAILED
            self.by = f"{who} ({self.by})" if who else self.by
            connection = await self._connection(closing)
            run = await self._begun(
                connection, phase, limit, table, max_bytes_per_s, outside_window, confirm, unguarded
            )
            if run is None:
                return FAILED
            keep = LocalWorkers(self.migration.database, run, workers or self.migration.limits.workers, self.log_file)
            return await self._supervised(
                connection, run, keep, closing, form, guarded=phase != "restore" and not unguarded
            )

    async def _begun(
        self,
        connection: Connection,
        phase: str,
        limit: int | None,
        table: str,
        max_bytes_per_s: int,
        outside_window: str,
        confirm: str,
        unguarded: bool,
    ) -> int | None:
        """The run to work on: the active one of this phase, or a new one after every check."""
        await self._right_account()
        active = await self._active(connection)
        if active is not None and active.phase == phase:
            click.echo(f"going on with run {active.id} of {active.started_by}", err=True)
            if active.wanted != "run":
                await runs.want(connection, active.id, "run", self.by)
            return active.id
        checks = [check async for check in preflight(connection, self.plan_, self.migration, clock_in_use().now())]
        if _refused(checks, outside_window):
            click.echo(checks_text([check for check in checks if check.ok is False]), err=True)
            return None
        settings = self._settings((await describe(connection, self.migration))[0], table)
        if phase == "copy" or not await _prepared(connection):
            await prepare(connection, settings)
        if phase == "purge" and not await self._purge_confirmed(connection, confirm):
            return None
        if outside_window:
            await note(connection, None, self.by, "outside-window", outside_window)
        settings = _rate_capped(settings, max_bytes_per_s)
        return await runs.begin(
            connection,
            phase,
            settings,
            by=self.by,
            plan_digest=self.plan_.digest,
            limit=limit,
            guarded=phase != "restore" and not unguarded,
        )

    async def _supervised(
        self, connection: Connection, run: int, keep: LocalWorkers, closing: AsyncExitStack, form: str, *, guarded: bool
    ) -> int:
        guards: Callable[[], list[dict[str, Any]]] = list
        if guarded:
            watch = await closing.enter_async_context(
                open_watch(self.plan_, LiveOptions(self.profile, self.region), clock=clock_in_use())
            )
            closing.push_async_callback(_ended, asyncio.create_task(watch.run(), name="watch"))
            guards = lambda: standing(watch.situation)  # noqa: E731
        supervisor = Supervisor(self.migration.database, run, guards, keep.keep, Meter(form))
        working = asyncio.create_task(supervisor.run(), name="supervisor")
        _drain_on_signals(lambda: self._drain(run), working)
        outcome = await working
        await keep.ended(30)
        progress = await Follower().poll(connection)
        click.echo(progress_text(progress) if form == "text" else as_line(progress))
        return 0 if outcome in ("done", "limit reached", "drained") else FAILED

    async def _drain(self, run: int) -> None:
        async with AsyncExitStack() as closing:
            await runs.want(await self._connection(closing), run, "drain", self.by)

    async def _purge_confirmed(self, connection: Connection, confirm: str) -> bool:
        """A purge cannot be undone by the application's rollback: somebody types what they mean."""
        progress = await Follower().poll(connection)
        files = progress.count("verified")
        if not files:
            raise runs.RunError("no file is verified yet: there is nothing that may be purged")
        words = f"purge {connection.info.dbname}"
        click.echo(
            f"The bytes of {files:,} verified files leave the database {connection.info.dbname}. From then on a rollback of the\n"
            "application loses them: fix forward. Emptying gives no disk space back by itself: VACUUM lets it be used again,\n"
            f"RDS never shrinks its storage. `cockpit migrate restore` brings files back. To go on, type: {words}",
            err=True,
        )
        typed = confirm or (await asyncio.to_thread(input) if sys.stdin.isatty() else "")
        if typed.strip() != words:
            click.echo("nothing was purged", err=True)
            return False
        return True

    # -- steering ----------------------------------------------------------------------------------------------------

    async def status(self, form: str, follow: bool) -> int:
        async with AsyncExitStack() as closing:
            connection = await self._connection(closing, read_only=True)
            follower = Follower()
            progress = await follower.poll(connection)
            await asyncio.sleep(1)
            progress = await follower.poll(connection)
            click.echo(progress_text(progress) if form == "text" else as_line(progress))
            meter = Meter(form)
            while follow and progress.active:
                await asyncio.sleep(1)
                progress = await follower.poll(connection)
                meter(progress)
        return 0

    async def want(self, wanted: str) -> int:
        async with AsyncExitStack() as closing:
            connection = await self._connection(closing)
            active = await self._active(connection)
            if active is None:
                raise runs.RunError("no run is active")
            await runs.want(connection, active.id, wanted, self.by)
            click.echo(f"run {active.id} ({active.phase}): {wanted}")
        return 0

    async def limit(self, concurrency: int | None, max_files_per_s: int | None, max_bytes_per_s: int | None) -> int:
        async with AsyncExitStack() as closing:
            connection = await self._connection(closing)
            active = await self._active(connection)
            if active is None:
                raise runs.RunError("no run is active")
            await runs.limit(
                connection, active.id, concurrency=concurrency, files_per_s=max_files_per_s, bytes_per_s=max_bytes_per_s
            )
        return 0

    async def retry(self, table: str, document: str) -> int:
        async with AsyncExitStack() as closing:
            connection = await self._connection(closing)
            click.echo(f"{await runs.retry(connection, table, document):,} files are tried again by the next run")
        return 0

    async def sweep(self, audit_only: bool) -> int:
        """Delete what copying left behind; report what nobody knows."""
        async with AsyncExitStack() as closing:
            connection = await self._connection(closing)
            await self._right_account()
            settings = self._settings((await describe(connection, self.migration))[0])
            store = Store(settings)
            store.open()
            closing.callback(store.close)
            if audit_only:
                unknown = await unknown_keys(connection, settings, store)
            else:
                swept = await sweep(connection, settings, store)
                unknown = swept.unknown
                click.echo(
                    f"{swept.deleted:,} left-over objects deleted, {swept.aborted:,} unfinished uploads aborted, "
                    f"{swept.waiting:,} must wait until no delayed request can reach them"
                )
            click.echo(f"{len(unknown):,} keys under {settings.prefix} that neither ledger nor rows know")
            for key in unknown[:50]:
                click.echo(f"  {key!r}")
        return FAILED if unknown else 0

    async def forget(self, confirm: str) -> int:
        """Drop the ledger, once every file is purged."""
        async with AsyncExitStack() as closing:
            connection = await self._connection(closing)
            progress = await Follower().poll(connection)
            left = progress.files - progress.count("purged", "restored")
            if (progress.active or left) and confirm != "forget anyway":
                raise runs.RunError(
                    f"{left:,} files are not purged yet: without the ledger they can neither be purged nor restored. "
                    "Insist with --confirm 'forget anyway'"
                )
            await connection.execute(schema.DROP)
            click.echo("the ledger is gone; rows and objects are as they were")
        return 0

    async def run_on_ecs(self, count: int, phase: str, outside_window: str, form: str) -> int:
        """Workers as ECS tasks; this process judges the guards and follows them."""
        from cockpit.migration.fleet import Fleet

        if self.migration.ecs is None:
            raise runs.RunError("the plan has no migration.ecs: cluster, task_definition, subnets")
        async with AsyncExitStack() as closing:
            connection = await self._connection(closing)
            run = await self._begun(connection, phase, None, "", 0, outside_window, "", unguarded=False)
            if run is None:
                return FAILED
            clients = Clients(
                AwsOptions(self.region or self.plan_.target.region, self.profile, self.plan_.target.account)
            )
            closing.push_async_callback(clients.close)
            fleet = Fleet(clients, self.migration.ecs, run, count or self.migration.ecs.count)
            closing.push_async_callback(fleet.stop)
            return await self._supervised(connection, run, fleet, closing, form, guarded=phase != "restore")  # type: ignore[arg-type]

    # -- what they share ---------------------------------------------------------------------------------------------

    @property
    def log_file(self) -> str:
        from platformdirs import user_log_path

        return str(Path(user_log_path("cockpit", appauthor=False, ensure_exists=True)) / "migration.log")

    def _settings(self, types: Any, table: str = "") -> Settings:
        from dataclasses import replace

        settings = settings_of(self.migration, types, self.plan_.target.account)
        if not table:
            return settings
        chosen = tuple(source for source in settings.sources if source.label == table)
        if not chosen:
            known = ", ".join(source.label for source in settings.sources)
            raise runs.RunError(f"--table {table}: the plan has {known}")
        return replace(settings, sources=chosen)

    async def _connection(self, closing: AsyncExitStack, *, read_only: bool = False) -> Connection:
        connection = await connect(self.migration.database, name="cockpit-migrate", read_only=read_only)
        closing.push_async_callback(connection.close)
        return connection

    async def _active(self, connection: Connection) -> runs.Run | None:
        return await runs.current(connection) if await _prepared(connection) else None

    async def _right_account(self) -> None:
        clients = Clients(AwsOptions(self.region or self.plan_.target.region, self.profile, self.plan_.target.account))
        try:
            await identify(self.plan_, clients)
        finally:
            await clients.close()


def _refused(checks: Sequence[Any], outside_window: str) -> bool:
    return any(check.ok is False and not (check.what == "off-hours" and outside_window) for check in checks)


async def _prepared(connection: Connection) -> bool:
    row = await (await connection.execute(schema.EXISTS)).fetchone()
    return bool(row and row[0])


def _rate_capped(settings: Settings, max_bytes_per_s: int) -> Settings:
    from dataclasses import replace

    if not max_bytes_per_s:
        return settings
    return replace(settings, limits=replace(settings.limits, bytes_per_s=max_bytes_per_s))


def _drain_on_signals(drain: Callable[[], Coroutine[Any, Any, None]], working: asyncio.Task[str]) -> None:
    """The first ctrl-c drains: what is in flight ends, nothing is lost. The second leaves at once; workers end by themselves."""
    loop = asyncio.get_running_loop()
    asked: list[asyncio.Future[None]] = []

    def ask() -> None:
        if asked:
            working.cancel()
            return
        click.echo("\ndraining: what is in flight ends; again to leave at once", err=True)
        asked.append(asyncio.ensure_future(drain()))

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, ask)


async def _ended(task: asyncio.Task[None]) -> None:
    from cockpit.engine.tasks import end

    await end((task,))
