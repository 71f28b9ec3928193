"""Where faults are done for real: each id of the catalogue happens to the world, and can be undone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from cockpit.rehearsal.application.app_secrets import ANTHROPIC_KEY, ENCRYPTION_KEY
from cockpit.rehearsal.application.application import Application
from cockpit.rehearsal.application.connection_pool import ConnectionPool
from cockpit.rehearsal.application.llm_calls import Llm
from cockpit.rehearsal.application.sign_in import Google
from cockpit.rehearsal.aws.simulation import AwsFault, SimulatedAws
from cockpit.rehearsal.database.postgres_server import EmbeddedPostgres
from cockpit.rehearsal.database.slot_hog import SlotHog
from cockpit.rehearsal.script.fault_catalogue import CATALOGUE, known
from cockpit.rehearsal.site.users import Users
from probes.clients.threads import in_thread
from probes.frozen import frozen

ERROR_RATE = 0.12
DELAY_S = 4.0
BACKLOG = "transparent-trust-batch-backlog"
CRASH_AFTER_S = 45.0

Switch = Callable[[bool], Awaitable[None] | None]

_AWS: Mapping[str, tuple[AwsFault, ...]] = {
    "s3.denied": (AwsFault("s3", "PutObject", "deny", caller="app"),),
    "s3.slow_down": (AwsFault("s3", "PutObject", "slow_down", caller="app"),),
    "cloudwatch.throttled": (AwsFault("monitoring", "*", "throttle", caller="cockpit"),),
    "cloudwatch.denied": (AwsFault("monitoring", "*", "deny", caller="cockpit"),),
    "ecs.throttled": (AwsFault("ecs", "*", "throttle", caller="cockpit"),),
    "credentials.expired": (AwsFault("*", "*", "expired", caller="cockpit"),),
    "network.slow": (AwsFault("*", "*", "latency", latency_s=0.15, caller="cockpit"),),
    "network.drop": (AwsFault("*", "*", "drop", caller="cockpit"),),
}
"""Faults that are nothing but answers of AWS."""


@dataclass(slots=True)
class Outside:
    """The way into the site from outside: when cut, connections are taken and nothing is ever answered."""

    cut: bool = False


@frozen
class Breakable:
    """Everything that faults reach into."""

    aws: SimulatedAws
    postgres: EmbeddedPostgres
    application: Application
    pool: ConnectionPool
    llm: Llm
    google: Google
    hog: SlotHog
    outside: Outside
    users: Users
    secrets: Any
    """A boto3 Secrets Manager client of the operator's."""


class Breakage:
    """Breaks and repairs. `active` is what is broken now."""

    def __init__(self, world: Breakable) -> None:
        self._world = world
        self.active: set[str] = set()
        self._switches: Mapping[str, Switch] = {
            "app.errors": self._app_errors,
            "app.slow": self._app_slow,
            "app.crash": self._app_crash,
            "app.leak": self._app_leak,
            "db.connections": self._db_connections,
            "db.down": self._db_down,
            "network.drop": self._network_drop,
            "llm.down": self._llm_down,
            "llm.slow": self._llm_slow,
            "oauth.broken": self._oauth_broken,
            "oauth.secret": self._oauth_secret,
            "secrets.missing": self._secrets_missing,
            "redis.down": self._redis_down,
            "alarm.old": self._alarm_old,
            "users.asleep": self._users_asleep,
        }
        undone = CATALOGUE.keys() - self._switches.keys() - _AWS.keys()
        assert not undone, f"faults without an effect: {sorted(undone)}"

    async def set(self, fault: str, *, on: bool) -> None:
        """Break or repair. Doing so twice changes nothing. Raises UnknownFault."""
        if (known(fault) in self.active) == on:
            return
        for number, rule in enumerate(_AWS.get(fault, ())):
            if on:
                self._world.aws.faults.set(f"{fault}#{number}", rule)
            else:
                self._world.aws.faults.clear(f"{fault}#{number}")
        switch = self._switches.get(fault)
        if switch is not None:
            done = switch(on)
            if done is not None:
                await done
        (self.active.add if on else self.active.discard)(fault)

    def _app_errors(self, on: bool) -> None:
        self._world.application.ailments.error_rate = ERROR_RATE if on else 0.0

    def _app_slow(self, on: bool) -> None:
        self._world.application.ailments.delay_s = DELAY_S if on else 0.0

    def _app_crash(self, on: bool) -> None:
        """The revision that serves now begins to fail; revisions deployed later do not."""
        ecs = self._world.aws.ecs
        if on:
            self._crashing = ecs.serving_revision
        behaviour = ecs.behaviour[self._crashing]
        behaviour.crash_after_s, behaviour.exit_code = (CRASH_AFTER_S, 1) if on else (None, 0)

    async def _app_leak(self, on: bool) -> None:
        if on:
            self._world.pool.leaking = True
        else:
            await self._world.pool.plug()

    async def _db_connections(self, on: bool) -> None:
        await (self._world.hog.seize() if on else self._world.hog.release())

    def _db_down(self, on: bool) -> None:
        """Stops and starts from the main thread, as the server must be (it dies with the thread that started it)."""
        if on:
            self._world.postgres.stop()
        else:
            self._world.postgres.start()

    def _network_drop(self, on: bool) -> None:
        self._world.outside.cut = on

    def _llm_down(self, on: bool) -> None:
        self._world.llm.down = on

    def _llm_slow(self, on: bool) -> None:
        self._world.llm.slow = on

    def _oauth_broken(self, on: bool) -> None:
        self._world.google.callback_registered = not on

    def _oauth_secret(self, on: bool) -> None:
        self._world.google.accepts_client_secret = not on

    async def _secrets_missing(self, on: bool) -> None:
        for name in (ANTHROPIC_KEY, ENCRYPTION_KEY):
            operation = self._world.secrets.delete_secret if on else self._world.secrets.restore_secret
            await in_thread(operation, SecretId=name)

    def _redis_down(self, on: bool) -> None:
        self._world.application.ailments.redis_down = on

    def _users_asleep(self, on: bool) -> None:
        self._world.users.asleep = on

    def _alarm_old(self, on: bool) -> None:
        """An alarm that counts missing data as bad, on a metric nobody sends."""
        since = self._world.aws.clock.now() - timedelta(hours=2)
        settings = {
            "Namespace": "Batch",
            "MetricName": "Backlog",
            "Statistic": "Maximum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 1000.0,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "breaching" if on else "notBreaching",
            "ActionsEnabled": True,
        }
        book = self._world.aws.alarms
        book.put(BACKLOG, settings)
        if on:
            book.set_state(BACKLOG, "ALARM", "Threshold Crossed: no datapoints were received", at=since)

    _crashing: int = 0
