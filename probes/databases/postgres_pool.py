"""PostgreSQL: how full the connection pool is, and whether a new client still gets in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field as Setting

from probes.clients.clients import Clients
from probes.clients.sql_errors import PoolFull, RoleFull
from probes.databases.postgres import Dsn
from probes.demand import Connects
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen, Value

_POOL = """\
SELECT coalesce(state, '') AS state, coalesce(nullif(application_name, ''), '(no name)') AS application,
       backend_type IS NULL AS hidden, count(*) AS sessions,
       count(*) FILTER (WHERE wait_event_type = 'Lock') AS waiting,
       max(extract(epoch FROM clock_timestamp() - query_start)) FILTER (WHERE state = 'active')::float8 AS longest_s
  FROM pg_stat_activity
 WHERE (backend_type = 'client backend' OR backend_type IS NULL) AND pid <> pg_backend_pid()
 GROUP BY 1, 2, 3"""
_SETTINGS = """\
SELECT name, setting::int AS setting FROM pg_settings
 WHERE name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections',
                'rds.rds_superuser_reserved_connections')"""

_LIMITS = """\
SELECT 'database' AS kind, d.datname AS name, d.datconnlimit AS most, count(a.pid) AS held, count(a.pid) AS others
  FROM pg_database d LEFT JOIN pg_stat_activity a ON a.datid = d.oid AND a.backend_type = 'client backend'
 WHERE d.datname = current_database() AND d.datconnlimit >= 0
 GROUP BY 2, 3
 UNION ALL
SELECT 'role', r.rolname, r.rolconnlimit, count(*),
       count(*) FILTER (WHERE a.datname = current_database() AND a.application_name <> 'cockpit')
  FROM pg_roles r JOIN pg_stat_activity a ON a.usesysid = r.oid AND a.backend_type = 'client backend'
 WHERE r.rolconnlimit >= 0 AND NOT r.rolsuper
 GROUP BY 2, 3"""
LOGIN_EVERY = timedelta(minutes=1)
"""How often a new login is tried while nothing is wrong."""
NEARLY_FULL = 0.8
"""From this utilization on it is tried at each reading."""

_THROUGH = (
    "asked through a pooler or a proxy: clients that wait there are not counted (rds.proxy counts those of RDS Proxy)",
)


class PostgresPoolParams(Params):
    dsn: Dsn
    """Connection string of the database, from the environment: `${env:DATABASE_URL}`."""
    roles: list[str] = Setting(default_factory=list)
    """Roles by which the application logs in: one of them at its own CONNECTION LIMIT exhausts the pool too."""


class PostgresPool(Probe[PostgresPoolParams]):
    """The server's connection slots, from pg_stat_activity (client backends, without our own) and pg_settings.

    `usable` is max_connections less the slots reserved for superusers (superuser_reserved_connections,
    reserved_connections, rds.rds_superuser_reserved_connections). `exhausted` when the application gets no further
    connection: the used slots and our own fill what is usable; the database is at its CONNECTION LIMIT, or one of
    `roles`, or the role of the connection string where the application uses it too; or a new login is refused for want of a
    slot (SQLSTATE 53300). Logins that never finish hold slots that no view shows, so a new one is tried once a minute, and at
    each reading while it is refused or the pool is 80 % full; it is left at once. Where the server refuses the first
    connection nothing else can be seen. Needs a role in pg_monitor; without it other sessions are hidden and the fields say
    so. `through_pooler` says that PgBouncer, RDS Proxy or another stands in between: the slots are still the server's, and no
    new login is tried, because it would only reach the pooler.
    """

    name = "postgres.pool"
    params_type = PostgresPoolParams
    demands = (Connects("dsn"),)
    subjects = ("postgres", "database", "connection")
    cannot_see = "who waits in a pooler, or in an application's own pool: Prisma's P2024 is in the logs only"
    late = "not at all; slots held by unfinished logins by a minute, until a new login is tried"
    fields = (
        Field("used", int, "client connections, without the cockpit's own", 41, "count", low=0),
        Field("max_connections", int, "the server's setting", 112, "count", low=1),
        Field("reserved", int, "slots reserved for superusers", 5, "count", low=0),
        Field("usable", int, "slots ordinary roles can have", 107, "count", low=0),
        Field("utilization", float, "used divided by usable", 0.38, "ratio", low=0, high=1),
        Field("active", int, "sessions running a query", 6, "count", low=0),
        Field("idle", int, "sessions doing nothing", 34, "count", low=0),
        Field("idle_in_transaction", int, "sessions holding a transaction open and doing nothing", 1, "count", low=0),
        Field("waiting", int, "sessions waiting for a lock", 0, "count", low=0),
        Field("by_application", str, "connections by application_name, most first", "prisma 40, psql 1"),
        Field("longest_query_s", float, "age of the longest running query; 0 when none runs", 0.8, "s", low=0),
        Field("exhausted", bool, "the application gets no further connection from the server", example=False),
        Field(
            "through_pooler", bool, "the server is seen through a pooler or a proxy, whose queue is not", example=False
        ),
    )
    grants = ("PostgreSQL: GRANT pg_monitor TO the cockpit's role",)
    interval = timedelta(seconds=15)

    def __init__(self, params: PostgresPoolParams, clients: Clients) -> None:
        super().__init__(params, clients)
        self._tried_at: datetime | None = None
        self._refused: Unseen | None = None
        """Why the newest login that was tried did not succeed."""

    async def read(self, now: datetime) -> Reading:
        try:
            settings = await self.clients.sql(self.params.dsn, _SETTINGS)
            sessions = await self.clients.sql(self.params.dsn, _POOL)
            limits = await self.clients.sql(self.params.dsn, _LIMITS)
        except Unseen as unseen:
            return self._shut_out(now, unseen)
        slots = {row["name"]: int(row["setting"]) for row in settings}
        values, unknown = _pool_of(slots, sessions)
        lines = [f"{row['application']} {row['state'] or '?'}: {row['sessions']}" for row in _by_size(sessions)[:8]]
        values["through_pooler"] = through = self.clients.pooled(self.params.dsn)
        unknown.pop("through_pooler", None)
        if "exhausted" in values:
            reached = [row for row in limits if row["held"] >= row["most"]]
            full = bool(values["exhausted"]) or any(self._is_of_application(row) for row in reached)
            lines = [*map(_limit_line, reached), *lines]
            exhausted: bool | Unknown = full
            if not through:
                await self._try_login(now, float(values["utilization"] or 0), full)  # type: ignore[arg-type]
                lines = [*self._login_line(), *lines]
                exhausted = full or self._by_new_login(reached)
            if isinstance(exhausted, Unknown):
                del values["exhausted"]
                unknown["exhausted"] = exhausted
            else:
                values["exhausted"] = exhausted
        evidence = Evidence(_POOL, lines=(*(_THROUGH if through else ()), *lines))
        return self.reading(now, values, unknown=unknown, evidence=evidence)

    def _shut_out(self, now: datetime, unseen: Unseen) -> Reading:
        """Where not even one connection is to be had: no slot is left, or why nothing is known."""
        of_application = isinstance(unseen, RoleFull) and unseen.role in self.params.roles
        if not (isinstance(unseen, PoolFull) or of_application):
            return self.blind(now, unseen.unknown, Evidence(_POOL))
        detail, hint = unseen.unknown.detail, unseen.unknown.hint
        why = Unknown(Reason.UNREACHABLE, f"no connection slot left for the probe: {detail}", hint)
        unknown = {field.name: why for field in self.fields if field.name != "exhausted"}
        return self.reading(now, {"exhausted": True}, unknown=unknown, evidence=Evidence(_POOL, lines=(detail,)))

    def _is_of_application(self, reached: Mapping[str, Any]) -> bool:
        """Whether a limit that is reached shuts the application out: its database's, or that of a role it uses."""
        return reached["kind"] == "database" or reached["name"] in self.params.roles

    async def _try_login(self, now: datetime, utilization: float, full: bool) -> None:
        """Log in anew, now and then; not where it is known to be full already."""
        waited = self._tried_at is None or now - self._tried_at >= LOGIN_EVERY
        if full or not (waited or self._refused is not None or utilization >= NEARLY_FULL):
            return
        self._tried_at, self._refused = now, None
        try:
            await self.clients.sql_login(self.params.dsn)
        except Unseen as unseen:
            self._refused = unseen

    def _login_line(self) -> tuple[str, ...]:
        if self._tried_at is None:
            return ()
        became = "accepted" if self._refused is None else self._refused.unknown.detail
        return (f"new login at {self._tried_at:%H:%M:%S}: {became}",)

    def _by_new_login(self, reached: Sequence[Mapping[str, Any]]) -> bool | Unknown:
        refused = self._refused
        if refused is None:
            return False
        if isinstance(refused, PoolFull):
            return True
        if isinstance(refused, RoleFull):
            # A role that only cockpits use is at its limit because of them.
            used = any(row["name"] == refused.role and row["others"] > 0 for row in reached)
            return used or refused.role in self.params.roles
        return refused.unknown


def _limit_line(reached: Mapping[str, Any]) -> str:
    return f"{reached['kind']} {reached['name']} is at its CONNECTION LIMIT: {reached['held']} of {reached['most']}"


def _pool_of(
    slots: Mapping[str, int], sessions: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, Value | None], dict[str, Unknown]]:
    reserved = sum(count for name, count in slots.items() if name != "max_connections")
    usable = slots["max_connections"] - reserved
    known: dict[str, Value | None] = {
        "max_connections": slots["max_connections"],
        "reserved": reserved,
        "usable": usable,
    }
    if any(row["hidden"] for row in sessions):
        hint = "GRANT pg_monitor TO the cockpit's role"
        hidden = Unknown(Reason.ACCESS_DENIED, "other roles' sessions are hidden from this role", hint)
        rest = [f.name for f in PostgresPool.fields if f.name not in known]
        return known, dict.fromkeys(rest, hidden)

    def in_state(*states: str) -> int:
        return sum(row["sessions"] for row in sessions if row["state"] in states)

    used = sum(row["sessions"] for row in sessions)
    # Superusers may sit in the reserved slots, so more can be used than is usable: the pool is then simply full.
    return known | {
        "used": used,
        "utilization": min(1.0, used / usable) if usable > 0 else 1.0,
        "active": in_state("active", "fastpath function call"),
        "idle": in_state("idle"),
        "idle_in_transaction": in_state("idle in transaction", "idle in transaction (aborted)"),
        "waiting": sum(row["waiting"] for row in sessions),
        "by_application": _by_application(sessions),
        "longest_query_s": max((row["longest_s"] for row in sessions if row["longest_s"] is not None), default=0.0),
        "exhausted": used + 1 >= usable,
    }, {}


def _by_application(sessions: Sequence[Mapping[str, Any]]) -> str:
    counts: dict[str, int] = {}
    for row in sessions:
        counts[row["application"]] = counts.get(row["application"], 0) + row["sessions"]
    largest = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{application} {count}" for application, count in largest)


def _by_size(sessions: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(sessions, key=lambda row: -row["sessions"])
