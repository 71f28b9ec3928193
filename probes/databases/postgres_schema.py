"""PostgreSQL: the indexes that must be there and usable, and tables that must not be empty."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import Field as Setting
from pydantic import StringConstraints

from probes.databases.postgres import Dsn
from probes.demand import Connects
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen
from probes.three_valued import FieldValue, every, sorted_out

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w{0,62}$")]
"""A table as it is written in the database, capital letters included."""
IndexName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w{0,62}(\.[A-Za-z_]\w{0,62})?$")]
"""`Table.column`, or the name of an index."""

_INDEXES = """\
SELECT t.relname AS table, i.relname AS index, a.attname AS column, x.indisvalid AS valid, x.indisready AS ready,
       x.indpred IS NOT NULL AS partial
  FROM pg_index x
  JOIN pg_class i ON i.oid = x.indexrelid
  JOIN pg_class t ON t.oid = x.indrelid
  LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = x.indkey[0]
 WHERE pg_table_is_visible(t.oid) AND (t.relname::text = ANY(%s) OR i.relname::text = ANY(%s))
 ORDER BY 1, 2"""
_TABLES = """\
SELECT relname AS table FROM pg_class
 WHERE relkind IN ('r', 'p', 'm') AND pg_table_is_visible(oid) AND relname::text = ANY(%s)"""
_NONE = Unknown(Reason.NO_DATA, "there is none")


class PostgresIndexesParams(Params):
    dsn: Dsn
    """Connection string of the database, from the environment: `${env:DATABASE_URL}`."""
    indexes: Annotated[list[IndexName], Setting(min_length=1, max_length=50)]
    """Names of the indexes that must exist, with their schema where it is not on the search path."""


class PostgresIndexes(Probe[PostgresIndexesParams]):
    """Whether each index is there, valid and ready.

    Reads pg_index, of tables on the search path: indisvalid, indisready. `Table.column` is answered by any index that
    begins with that column, a partial one too (the evidence says so); the best of several counts. CREATE INDEX
    CONCURRENTLY that failed leaves an invalid index, which costs every write and serves no read. A table that does not
    exist makes everything unknown: it may be another database. Reads the catalog only.
    """

    name = "postgres.indexes"
    params_type = PostgresIndexesParams
    demands = (Connects("dsn"),)
    subjects = ("index",)
    cannot_see = "whether a query uses the index"
    late = "not at all: PostgreSQL answers as it is when read"
    fields = (
        Field("ok", bool, "every index is there, valid and ready", example=True),
        Field("missing", int, "indexes that do not exist", 0, "count", low=0),
        Field("missing_names", tuple, "those, as the plan names them", ("KnowledgeDocument.s3Key",)),
        Field("invalid", int, "indexes that no query may use", 0, "count", low=0),
        Field("invalid_names", tuple, "those, as the plan names them", ("KnowledgeDocument.s3Key",)),
        Field("not_ready", int, "indexes that are not kept up to date yet", 0, "count", low=0),
    )
    grants = ("PostgreSQL: CONNECT, and USAGE on the schema",)
    interval = timedelta(minutes=5)

    async def read(self, now: datetime) -> Reading:
        asked = self.params.indexes
        tables = sorted({name.partition(".")[0] for name in asked if "." in name})
        names = [name for name in asked if "." not in name]
        evidence = Evidence(_INDEXES)
        try:
            there = {row["table"] for row in await self.clients.sql(self.params.dsn, _TABLES, [tables])}
            rows = await self.clients.sql(self.params.dsn, _INDEXES, [tables, names])
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, evidence)
        if gone := [table for table in tables if table not in there]:
            hint = "another database, another schema, no USAGE on it, or migrations not applied"
            return self.blind(now, Unknown(Reason.NOT_FOUND, f"no table {', '.join(gone)}", hint), evidence)
        best = {name: _best(name, rows) for name in dict.fromkeys(asked)}
        missing = tuple(name for name, row in best.items() if row is None)
        invalid = tuple(name for name, row in best.items() if row is not None and not row["valid"])
        not_ready = sum(row is not None and not row["ready"] for row in best.values())
        fields: dict[str, FieldValue] = {
            "ok": not (missing or invalid or not_ready),
            "missing": len(missing),
            "missing_names": missing or _NONE,
            "invalid": len(invalid),
            "invalid_names": invalid or _NONE,
            "not_ready": not_ready,
        }
        values, unknown = sorted_out(fields)
        lines = tuple(f"{name}: {_words(row)}" for name, row in best.items())
        return self.reading(now, values, unknown=unknown, evidence=Evidence(_INDEXES, lines=lines))


def _best(name: str, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The index that answers for `name`: usable ones first."""
    table, _, column = name.partition(".")
    if column:
        found = [row for row in rows if (row["table"], row["column"]) == (table, column)]
    else:
        found = [row for row in rows if row["index"] == name]
    return max(found, key=lambda row: (row["valid"] and row["ready"], row["ready"], not row["partial"]), default=None)


def _words(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return "missing"
    state = "valid" if row["valid"] else "invalid"
    return f"{row['index']} {state}" + ("" if row["ready"] else ", not ready") + (", partial" if row["partial"] else "")


class PostgresRowsParams(Params):
    dsn: Dsn
    """Connection string of the database, from the environment: `${env:DATABASE_URL}`."""
    floors: Annotated[dict[Name, Annotated[int, Setting(ge=0)]], Setting(min_length=1, max_length=20)]
    """Table -> the fewest rows it may have: {SkillCategory: 8, DefaultPrompt: 5}."""


class PostgresRows(Probe[PostgresRowsParams]):
    """How many rows tables have, against the fewest they may have: is the seed there, was nothing lost.

    Reads `SELECT count(*)` of each table, all within 5 s; large tables are better asked with postgres.query. A table that
    cannot be counted leaves open what hangs on all of them: one seen below its floor still counts. Needs SELECT on the
    tables.
    """

    name = "postgres.rows"
    params_type = PostgresRowsParams
    demands = (Connects("dsn"),)
    subjects = ("row", "seed")
    cannot_see = "what is in the rows, and rows that row-level security hides"
    late = "not at all on a primary; on a replica by its lag, which is not known here"
    fields = (
        Field("enough", bool, "every table has at least its floor", example=True),
        Field("below", int, "tables with fewer rows than their floor", 0, "count", low=0),
        Field("below_names", tuple, "those tables", ("SkillCategory",)),
        Field("rows", int, "rows of all the tables", 412, "count", low=0),
    )
    grants = ("PostgreSQL: SELECT on the tables",)
    interval = timedelta(seconds=60)

    async def read(self, now: datetime) -> Reading:
        floors = self.params.floors
        counts = dict(zip(floors, await asyncio.gather(*map(self._count, floors)), strict=True))
        seen = {table: count for table, count in counts.items() if isinstance(count, int)}
        blind = next((count for count in counts.values() if isinstance(count, Unknown)), None)
        below = tuple(table for table, count in seen.items() if count < floors[table])
        fields: dict[str, FieldValue] = {
            "enough": every(not below, *([blind] if blind else [])),
            "below": blind or len(below),
            "below_names": below or blind or _NONE,
            "rows": blind or sum(seen.values()),
        }
        values, unknown = sorted_out(fields)
        lines = tuple(f"{table}: {_counted(count)}, floor {floors[table]}" for table, count in counts.items())
        return self.reading(
            now, values, unknown=unknown, evidence=Evidence("; ".join(map(_count_of, floors)), lines=lines)
        )

    async def _count(self, table: str) -> int | Unknown:
        try:
            rows = await self.clients.sql(self.params.dsn, _count_of(table))
        except Unseen as unseen:
            return unseen.unknown
        return int(rows[0]["rows"])


def _count_of(table: str) -> str:
    """Quoted, because Prisma's tables are CamelCase; the name was checked to be plain."""
    return f'SELECT count(*) AS rows FROM "{table}"'


def _counted(count: int | Unknown) -> str:
    return str(count) if isinstance(count, int) else f"not counted: {count.detail}"
