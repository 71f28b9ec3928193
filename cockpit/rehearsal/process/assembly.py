"""Everything the rehearsed world consists of, built in order and taken down in reverse."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg

from cockpit.engine.clock import SharedClock
from cockpit.rehearsal.application.app_secrets import ANTHROPIC_KEY, ENCRYPTION_KEY, Vault
from cockpit.rehearsal.application.application import Application, Surroundings
from cockpit.rehearsal.application.connection_pool import ConnectionPool, discard
from cockpit.rehearsal.application.document_storage import APPLICATION_KEY, BUCKET, REGION, DocumentStorage
from cockpit.rehearsal.application.llm_calls import Llm
from cockpit.rehearsal.application.log import Logbook
from cockpit.rehearsal.application.sign_in import Google, SignIn
from cockpit.rehearsal.aws.fixtures.account import Placed, create_account
from cockpit.rehearsal.aws.fixtures.tools import SITE
from cockpit.rehearsal.aws.simulation import SimulatedAws
from cockpit.rehearsal.aws_profile import PROFILES, USUAL
from cockpit.rehearsal.certificates import Authority
from cockpit.rehearsal.database.postgres_server import EmbeddedPostgres
from cockpit.rehearsal.database.seed import Logins, seed_database
from cockpit.rehearsal.database.slot_hog import SlotHog
from cockpit.rehearsal.process.backstory import recall, remember
from cockpit.rehearsal.process.database_folder import DATABASE_FOLDER
from cockpit.rehearsal.process.migration_workers import Movers
from cockpit.rehearsal.process.operator_machine import HOME, OperatorMachine
from cockpit.rehearsal.script.fault_injection import Breakable, Breakage, Outside
from cockpit.rehearsal.script.releases import Releases, operator_client
from cockpit.rehearsal.site.load_balancer import Balancer
from cockpit.rehearsal.site.site import Site
from cockpit.rehearsal.site.telemetry import Telemetry
from cockpit.rehearsal.site.users import Users
from cockpit.rehearsal.site.vendors import Vendors

log = logging.getLogger(__name__)
DESIRED = 2
_AWS_EVERY = timedelta(seconds=5)
_AWS_EVERY_REAL_S = 0.25
_OBSERVE_EVERY = timedelta(seconds=10)
_CLIENTS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
COCKPIT_KEY = "AKIACOCKPIT000000000"
_MOVING = {"soak": "0s", "migration_subnet": "subnet-rehearsed"}
"""A rehearsal has no day to wait before a purge."""
_TASK_ROLE = {"AWS_ACCESS_KEY_ID": APPLICATION_KEY, "AWS_SECRET_ACCESS_KEY": "rehearsed-task-role"}
"""A task runs with the application's role, not with the cockpit's."""


class Assembly:
    """The world's parts. `open` from the main thread, `round` about 20 times a real second, `close` at the end."""

    def __init__(self, folder: Path, clock: SharedClock, *, seed: int, rate: float, profile: str = USUAL) -> None:
        self._folder = folder
        self._clock = clock
        self._seed = seed
        self._rate = rate
        self.operator_machine = OperatorMachine(folder)
        self._postgres = EmbeddedPostgres(folder / DATABASE_FOLDER)
        self._aws = SimulatedAws(clock, profile=PROFILES[profile])
        self._admin: psycopg.AsyncConnection[Any] | None = None
        self._closing = AsyncExitStack()
        self._ticked = self._observed = clock.now() - timedelta(days=1)
        self._connections = 0.0
        self._counting: asyncio.Task[None] | None = None
        self._ends_processes = [self._postgres.kill]

    async def open(self) -> dict[str, Any]:
        """Build everything; what the cockpit needs to look at it (holds passwords)."""
        # PostgreSQL first: it is forked, which is cleanest before the simulated AWS starts its threads.
        self._closing.callback(self._postgres.stop)
        self._postgres.start()
        logins = seed_database(self._postgres, self._clock.now(), self._seed)
        self._closing.callback(self._aws.stop)
        endpoint = self._aws.start()
        self._site = Site(lambda: self._outside.cut)
        self._closing.push_async_callback(self._site.close)
        self._outside = Outside()
        self._authority = Authority(self._clock.now())
        certificate = self._authority.issue((SITE, HOME))
        self.operator_machine.prepare(self._authority)
        placed = create_account(self._aws, endpoint, site_url=self._site.url, certificate=certificate)
        self._telemetry = Telemetry(self._clock, self._aws.metrics, placed.alb_suffix, placed.target_group_suffix)
        self._telemetry.bucket_misses = self._aws.profile.bucket_misses
        self._telemetry.database_connections = lambda: self._connections
        self._build_application(endpoint, logins)
        self._vendors.anthropic_keys.add(placed.secrets[ANTHROPIC_KEY])
        shown = self.operator_machine.keep(certificate)
        page = await self._site.open(self._balancer.asgi, self._google, self._vendors, shown)
        self.users = Users(self._balancer.asgi, page, self._clock, rate=self._rate, seed=self._seed)
        self._closing.push_async_callback(self.users.leave)
        self.users.on_error = lambda error: log.error("a request raised", exc_info=error)
        self._break = self._breakage(endpoint, logins)
        remember(self._telemetry, self._clock.now(), self._rate, self._seed)
        recall(self._aws, placed, self._clock.now())
        self._closing.push_async_callback(self._close_admin)
        self._movers = Movers(
            self._aws.ecs,
            {**os.environ, **self._environment(endpoint, logins), **_TASK_ROLE},
            logins.application,
            self._folder / "migration.log",
        )
        self._closing.callback(self._movers.close)
        self._ends_processes.insert(0, self._movers.close)
        await self.round()
        return self._ready(endpoint, logins, placed)

    def _ready(self, endpoint: str, logins: Logins, placed: Placed) -> dict[str, Any]:
        return {
            "ready": True,
            "endpoint_url": endpoint,
            "dsn": logins.cockpit,
            "application_dsn": logins.application,
            "url": self._site.url,
            "vars": {
                **placed.vars,
                "url": self._site.url,
                "bucket": BUCKET,
                **_MOVING,
                **self.operator_machine.vars(self._site.url, self._site.tls_port, self._clock.now()),
            },
            "environment": self._environment(endpoint, logins),
        }

    def _environment(self, endpoint: str, logins: Logins) -> Mapping[str, str]:
        return {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": COCKPIT_KEY,
            "AWS_SECRET_ACCESS_KEY": "rehearsed-cockpit",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "DATABASE_URL": logins.cockpit,
            "MIGRATION_DATABASE_URL": logins.application,
            "COCKPIT_CLOCK": str(self._clock.path),
            **self.operator_machine.environment(self._site.url),
        }

    @property
    def breakage(self) -> Breakage:
        return self._break

    async def round(self) -> None:
        """Advance what does not advance by itself. Cheap when nothing is due."""
        now, speed = self._clock.now(), max(self._clock.speed, 1e-9)
        if now - self._ticked >= min(_AWS_EVERY, timedelta(seconds=_AWS_EVERY_REAL_S * speed)):
            self._ticked = now
            self._aws.tick(now)
            self._balancer.tasks = self._aws.ecs.running()
            self._movers.round()
        if now - self._observed >= _OBSERVE_EVERY:
            self._observed = now
            self._telemetry.tasks(self._balancer.tasks)
            if self._counting is None or self._counting.done():
                # Beside the round, not in it: a database that does not answer must not stop the world's time.
                self._counting = asyncio.create_task(self._count_connections(), name="connections")
        self._telemetry.publish(now)

    async def deploy(self, kind: str) -> int:
        return await self._releases.deploy(kind)

    def report(self) -> dict[str, Any]:
        """How the world is doing, for the cockpit's notices and for tests."""
        return {
            "now": self._clock.now().isoformat(),
            "requests": self._telemetry.requests,
            "journeys": self.users.journeys,
            "shed": self.users.shed,
            "errors": self.users.absorbed,
            "serving_revision": self._aws.ecs.serving_revision,
            "tasks": [[task.revision, task.state] for task in self._balancer.tasks],
            "connections": self._connections,
            "active": sorted(self._break.active),
        }

    def kill_processes(self) -> None:
        """End every process the world has started, at once: all that is left then is what ends with this one."""
        for end in self._ends_processes:
            end()

    async def close(self) -> None:
        """Take everything down that was built, the newest first."""
        await self._closing.aclose()

    # -- how ---------------------------------------------------------------------------------------------------------

    def _build_application(self, endpoint: str, logins: Logins) -> None:
        clock, site = self._clock, self._site
        logbook = Logbook(clock, self._aws.logs.put, self._stream)
        self._pool = ConnectionPool(logins.application, clock)
        self._storage = DocumentStorage(endpoint, self._telemetry.put_object)
        # What encryption.ts finds when Secrets Manager fails (report L486): why "it works" proves nothing.
        environment: Mapping[str, str] = {ENCRYPTION_KEY: "a-key-left-behind-in-the-environment"}
        self._vault = Vault(endpoint, clock, logbook, environment, self._aws.profile.console_field)
        self._closing.callback(self._storage.close)
        self._closing.callback(self._vault.close)
        self._closing.push_async_callback(self._pool.close)
        self._llm = Llm(clock, self._seed)
        self._google = Google(lambda: site.url)
        self._vendors = Vendors(clock, self._llm, redis_down=lambda: self._application.ailments.redis_down)
        surroundings = Surroundings(clock, self._pool, self._storage, self._vault, self._llm, self._google, logbook)
        sign_in = SignIn(lambda: site.url, self._google, self._vault, logbook)
        self._application = Application(surroundings, sign_in, self._seed)
        self._releases = Releases(self._aws, endpoint)
        self._balancer = Balancer(self._application.asgi, self._releases.of, self._telemetry.answered)

    def _breakage(self, endpoint: str, logins: Logins) -> Breakage:
        self._hog = SlotHog(logins.application)
        self._closing.push_async_callback(self._hog.release)
        operator = operator_client("secretsmanager", endpoint)
        parts = (
            self._aws,
            self._postgres,
            self._application,
            self._pool,
            self._llm,
            self._google,
            self._hog,
            self._outside,
            self.users,
        )
        return Breakage(Breakable(*parts, operator))

    def _stream(self) -> str:
        task = self._balancer.current()
        return f"web/web/{task.arn.rpartition('/')[2] if task else 'none'}"

    async def _close_admin(self) -> None:
        admin, self._admin = self._admin, None
        if admin is not None:
            await discard(admin)

    async def _count_connections(self) -> None:
        """Client connections as RDS counts them, through a slot kept for the superuser: a full server still answers."""
        try:
            if self._admin is None or self._admin.closed:
                self._admin = await psycopg.AsyncConnection.connect(
                    self._postgres.dsn, autocommit=True, connect_timeout=1
                )
            row = await (await self._admin.execute(_CLIENTS)).fetchone()
        except psycopg.Error:
            await self._close_admin()
            self._connections = 0.0
            return
        self._connections = float(row[0]) if row else 0.0
