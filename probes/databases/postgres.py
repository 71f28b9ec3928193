"""PostgreSQL: what one query says."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import StringConstraints, field_validator

from probes.clients.select_only import check_select, positional
from probes.demand import Connects
from probes.periods import Duration
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen, Value
from probes.redact import one_line, redact

Dsn = Annotated[str, StringConstraints(min_length=1)]
"""postgresql://user:password@host/database; `connection_limit` and other settings of an application are ignored."""

TEXT_CHARACTERS = 1000
"""As much of a text as a condition or a screen can use."""


class PostgresQueryParams(Params):
    dsn: Dsn
    """Connection string of the database, from the environment: `${env:DATABASE_URL}`."""
    query: Annotated[str, StringConstraints(min_length=1, max_length=10_000, strip_whitespace=True)]
    """One SELECT (or WITH ... SELECT) giving one row. `%(now)s` is the cutover's time, `%(since)s` `window` ago."""
    window: Duration = timedelta(minutes=10)
    """How long before now `%(since)s` in the query is."""

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
    subjects = ("sql query", "database query")
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
