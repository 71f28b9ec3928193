"""What every command of the migration works on: the plan's migration, its database, its bucket."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import field, replace
from functools import wraps
from typing import Any, Concatenate, ParamSpec

import click
import psycopg

from cockpit.commands.live_session import WrongAccount, clients_of, clock_in_use, identify
from cockpit.commands.options import PLAN, PROFILE, REGION, TEXTS, VARIABLES, LiveOptions
from cockpit.commands.plan_loading import load
from cockpit.console import output
from cockpit.engine.clock import WatchClock
from cockpit.engine.trusted_plans import TrustedPlans
from cockpit.exit_codes import BAD_PLAN, COULD_NOT_JUDGE, INTERRUPTED
from cockpit.log_file import log_folder, log_to_file
from cockpit.migration import runs, schema
from cockpit.migration.database import Connection, connect, words_of
from cockpit.migration.ownerless import settle
from cockpit.migration.plan_settings import settings_of
from cockpit.migration.settings import Settings
from cockpit.migration.store_errors import StoreError
from cockpit.plan.model import Migration, Plan
from probes.clients.clients import Clients
from probes.clients.threads import run_loop
from probes.frozen import frozen
from probes.reading import Unseen

FAILED = 1
OUTSIDE_WINDOW = click.option(
    "--outside-window",
    default="",
    metavar="REASON",
    help="Start outside the plan's off-hours; the value is the reason.",
)


@frozen
class MigrationContext:
    """The migration of one plan."""

    plan: Plan
    migration: Migration
    live: LiveOptions
    by: str
    """Who gives the orders: user@host."""
    clock: WatchClock = field(default_factory=clock_in_use)

    @property
    def log_file(self) -> str:
        return str(log_folder() / "migration.log")

    @asynccontextmanager
    async def connection(self, *, read_only: bool = False) -> AsyncIterator[Connection]:
        """A connection to the database that holds the files. Raises Unseen and psycopg.Error."""
        connection = await connect(self.migration.database, name="cockpit-migrate", read_only=read_only)
        try:
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def clients(self) -> AsyncIterator[Clients]:
        """Clients of the plan's account."""
        clients = clients_of(self.plan, self.live, self.clock)
        try:
            yield clients
        finally:
            await clients.close()

    async def right_account(self) -> None:
        """Raises WrongAccount. What it learns of the time puts the clock right."""
        async with self.clients() as clients:
            await identify(self.plan, clients)
        self.clock.correct()

    def settings(self, types: Mapping[str, str], table: str = "") -> Settings:
        """What workers need to know; of one table if one is named. Raises RunError for one the plan does not have."""
        settings = settings_of(self.migration, types, self.plan.target.account)
        if not table:
            return settings
        chosen = tuple(source for source in settings.sources if source.label == table)
        if not chosen:
            known = ", ".join(source.label for source in settings.sources)
            raise runs.RunError(f"--table {table}: the plan has {known}")
        return replace(settings, sources=chosen)


async def is_prepared(connection: Connection) -> bool:
    """Whether the ledger is there."""
    return await schema.is_there(connection)


async def active_run(connection: Connection) -> runs.Run | None:
    """The run that has not ended; one that nobody supervises and that has come to its end is ended here."""
    return await settle(connection)


P = ParamSpec("P")


def migration_command(
    command: Callable[Concatenate[MigrationContext, P], Coroutine[Any, Any, int]],
) -> Callable[..., int]:
    """Give a command PLAN, `--profile`, `--region` and `--var`; it takes them as one `MigrationContext`.

    Neither database nor bucket is reached for a plan that nobody has allowed to: exit 1.
    It may raise RunError, WrongAccount, StoreError, Unseen and psycopg.Error: each is worded, and exits as not judged.
    """

    @PLAN
    @PROFILE
    @REGION
    @VARIABLES
    @wraps(command, assigned=TEXTS)
    def parsed(
        plan: str, profile: str, region: str, variables: tuple[str, ...], *args: P.args, **kwargs: P.kwargs
    ) -> int:
        log_to_file()
        if profile:
            os.environ["AWS_PROFILE"] = profile  # for the store's client, which reads no other
        loaded = load(plan, variables)
        migration = loaded.migration
        if migration is None:
            output(f"{loaded.path} has no `migration:` section: nothing can be moved", err=True)
            return BAD_PLAN
        if not migration.database:
            output(f"{loaded.path}: migration.database is empty: set the variable it reads", err=True)
            return BAD_PLAN
        if why := TrustedPlans().migration_held_back(loaded, variables):
            output(why, err=True)
            return FAILED
        live = LiveOptions(profile, region, variables=variables)
        context = MigrationContext(loaded, migration, live, f"{getpass.getuser()}@{socket.gethostname()}")
        return _finished(command(context, *args, **kwargs))

    return parsed


def _finished(work: Coroutine[Any, Any, int]) -> int:
    try:
        return run_loop(work)
    except runs.NotApproved as missing:
        output(*missing.lines, err=True)
        return FAILED
    except (runs.RunError, WrongAccount, StoreError) as error:
        output(str(error), err=True)
    except Unseen as unseen:
        output(f"{unseen.unknown.detail}. {unseen.unknown.hint}", err=True)
    except psycopg.Error as error:
        output(f"the database refused: {words_of(error)}", err=True)
    except KeyboardInterrupt:
        return INTERRUPTED
    return COULD_NOT_JUDGE
