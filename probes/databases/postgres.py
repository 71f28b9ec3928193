"""PostgreSQL: how full the connection pool is, and what one query says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import StringConstraints, field_validator

from probes.clients.select_only import check_select, positional
from probes.clients.sql_errors import PoolFull
from probes.demand import Connects
from probes.periods import Duration
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen, Value
from probes.redact import one_line, redact

Dsn = Annotated[str, StringConstraints(min_length=1)]
"""postgresql://user:password@host/database; `connection_limit` and other settings of an application are ignored."""

TEXT_CHARACTERS = 1000
"""As much of a text as a condition or a screen can use."""

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


_THROUGH = (
    "asked through a pooler or a proxy: clients that wait there are not counted (rds.proxy counts those of RDS Proxy)",
)


class PostgresPoolParams(Params):
    dsn: Dsn
    """Connection string of the database, from the environment: `${env:DATABASE_URL}`."""


class PostgresPool(Probe[PostgresPoolParams]):
    """The server's connection slots, from pg_stat_activity (client backends, without our own) and pg_settings.

    `usable` is max_connections less the slots reserved for superusers (superuser_reserved_connections,
    reserved_connections, rds.rds_superuser_reserved_connections). `exhausted` when an ordinary role gets no further
    connection: the used slots and our own fill what is usable, or the server refuses us with SQLSTATE 53300, in which
    case nothing else can be seen. Needs a role in pg_monitor; without it other sessions are hidden and the fields say
    so. `through_pooler` says that PgBouncer, RDS Proxy or another stands in between: the slots are still the server's.
    """

    name = "postgres.pool"
    params_type = PostgresPoolParams
    demands = (Connects("dsn"),)
    cannot_see = "who waits in a pooler, or in an application's own pool: Prisma's P2024 is in the logs only"
    late = "not at all: PostgreSQL answers as it is when read"
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
        Field("exhausted", bool, "an ordinary role gets no further connection from the server", example=False),
        Field(
            "through_pooler", bool, "the server is seen through a pooler or a proxy, whose queue is not", example=False
        ),
    )
    grants = ("PostgreSQL: GRANT pg_monitor TO the cockpit's role",)
    interval = timedelta(seconds=15)

    async def read(self, now: datetime) -> Reading:
        try:
            settings = await self.clients.sql(self.params.dsn, _SETTINGS)
            sessions = await self.clients.sql(self.params.dsn, _POOL)
        except PoolFull as full:
            why = Unknown(
                Reason.UNREACHABLE, f"no connection slot left for the probe: {full.unknown.detail}", full.unknown.hint
            )
            unknown = {field.name: why for field in self.fields if field.name != "exhausted"}
            evidence = Evidence(_POOL, lines=(full.unknown.detail,))
            return self.reading(now, {"exhausted": True}, unknown=unknown, evidence=evidence)
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, Evidence(_POOL))
        slots = {row["name"]: int(row["setting"]) for row in settings}
        values, unknown = _pool_of(slots, sessions)
        lines = tuple(
            f"{row['application']} {row['state'] or '?'}: {row['sessions']}" for row in _by_size(sessions)[:8]
        )
        values["through_pooler"] = through = self.clients.pooled(self.params.dsn)
        unknown.pop("through_pooler", None)
        return self.reading(
            now, values, unknown=unknown, evidence=Evidence(_POOL, lines=(*(_THROUGH if through else ()), *lines))
        )


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


class PostgresQueryParams(Params):
    dsn: Dsn
    """Connection string of the database, from the environment: `${env:DATABASE_URL}`."""
    query: Annotated[str, StringConstraints(min_length=1, max_length=10_000, strip_whitespace=True)]
    """One SELECT (or WITH ... SELECT) giving one row. `%(now)s` is the cutover's time, `%(since)s` `window` ago."""
    window: Duration = timedelta(minutes=10)
    """How long before now `window_start` in the query is."""

    @field_validator("query")
    @classmethod
    def _only_reads(cls, query: str) -> str:
        return check_select(query)


class PostgresQuery(Probe[PostgresQueryParams]):
    """What one read-only SELECT says, from the first row it returns.

    Columns: `value` (a number; a lone column of another name is taken for it), `rows` (else the number of rows
    returned), `text`, `age_s` (seconds or an interval), or `at` (a timestamp, from which `age_s` is counted to now;
    one without a zone is UTC, as Prisma writes them). A field whose column is not there or NULL is NO_DATA; so is
    everything when no row comes back: select `count(*)` to get 0. Needs SELECT on what is read.
    """

    name = "postgres.query"
    params_type = PostgresQueryParams
    demands = (Connects("dsn"),)
    cannot_see = "other databases, and whether a replica lags"
    late = "not at all on a primary; on a replica by its lag, which is not known here"
    fields = (
        Field("value", float, "the column `value` of the first row", 12.0),
        Field("rows", int, "the column `rows`, or how many rows came back", 1, "count", low=0),
        Field("text", str, "the column `text` of the first row", "20261123_add_s3_storage_fields"),
        Field("age_s", float, "the column `age_s`, or now less the column `at`", 42.0, "s"),
    )
    grants = ("PostgreSQL: SELECT on the tables the query reads",)

    async def read(self, now: datetime) -> Reading:
        query, names = positional(self.params.query)
        times = {"now": now, "since": now - self.params.window}
        evidence = Evidence(self.params.query)
        try:
            rows = await self.clients.sql(self.params.dsn, query, [times[name] for name in names])
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, evidence)
        if not rows:
            empty = Unknown(Reason.NO_DATA, "the query returned no row", "select count(*) if zero is a possible answer")
            return self.blind(now, empty, evidence)
        row = rows[0]
        shown = one_line(", ".join(f"{name}={value}" for name, value in row.items())[:TEXT_CHARACTERS])
        absent = Unknown(
            Reason.NO_DATA, f"the query gives {', '.join(row)}", "name the column as the field, and not NULL"
        )
        return self.reading(
            now, _fields_of(row, len(rows), now), missing=absent, evidence=Evidence(self.params.query, lines=(shown,))
        )


def _fields_of(row: Mapping[str, Any], count: int, now: datetime) -> dict[str, Value | None]:
    lone = next(iter(row.values())) if len(row) == 1 and not row.keys() & {"rows", "text", "age_s", "at"} else None
    text = row.get("text", lone if isinstance(lone, str) else None)
    rows = _number(row.get("rows"))
    return {
        "value": _number(row.get("value", lone)),
        "rows": count if rows is None else int(rows),
        "text": None if text is None else redact(str(text)[:TEXT_CHARACTERS]),
        "age_s": _number(row["age_s"]) if "age_s" in row else _age(row.get("at"), now),
    }


def _number(value: Any) -> float | None:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if value is None or isinstance(value, str | bytes | datetime):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _age(at: Any, now: datetime) -> float | None:
    if not isinstance(at, datetime):
        return None
    return (now - (at if at.tzinfo else at.replace(tzinfo=UTC))).total_seconds()
