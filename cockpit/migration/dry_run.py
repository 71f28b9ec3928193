"""The dry run: what there is to move, how long it may take, and every row somebody should look at first. Reads only."""

from __future__ import annotations

from cockpit.migration import schema
from cockpit.migration.database import Connection
from cockpit.migration.object_keys import content_type
from cockpit.migration.settings import Settings, Source
from cockpit.migration.sql_files import statement, table_statement
from probes.frozen import frozen

CAUTIOUS_FILES_PER_S = 300.0
CAUTIOUS_BYTES_PER_S = 40e6
MOST_PROBLEMS = 1_000
_SURVEY_SIZES = table_statement("survey_sizes")
_SURVEY_MOVED = table_statement("survey_moved")
_SURVEY_ROWS = table_statement("survey_rows")
_MEASURE_LAST_COPY = statement("measure_last_copy")
_STEPS = (
    (0, "empty"),
    (10_000, "up to 10 KB"),
    (100_000, "up to 100 KB"),
    (1_000_000, "up to 1 MB"),
    (8_388_608, "up to 8 MB"),
)


@frozen
class Problem:
    tbl: str
    doc_id: str
    what: str


@frozen
class TableSurvey:
    label: str
    files: int
    bytes: int
    largest: int
    moved: int
    """Rows that have a key already."""
    histogram: tuple[tuple[str, int], ...]


@frozen
class Survey:
    files: int
    bytes: int
    tables: tuple[TableSurvey, ...]
    problems: tuple[Problem, ...]
    files_per_s: float
    seconds: float
    why: str
    """Where the rate is from."""


async def survey(connection: Connection, settings: Settings) -> Survey:
    """Count and measure every table of the plan."""
    tables = [await _table(connection, source) for source in settings.sources]
    problems = [problem for source in settings.sources for problem in await _problems(connection, source)]
    files, size = sum(table.files for table in tables), sum(table.bytes for table in tables)
    rate, why = await _rate(connection)
    if settings.limits.files_per_s:
        rate = min(rate, settings.limits.files_per_s)
    seconds = max(files / rate, size / CAUTIOUS_BYTES_PER_S) if files else 0.0
    return Survey(files, size, tuple(tables), tuple(problems[:MOST_PROBLEMS]), rate, seconds, why)


async def _table(connection: Connection, source: Source) -> TableSurvey:
    given = {"bounds": [0, *(bound for bound, _ in _STEPS[1:])]}
    rows = await (await connection.execute(_SURVEY_SIZES(source), given)).fetchall()
    moved = await (await connection.execute(_SURVEY_MOVED(source), {})).fetchone()
    labels = [*(label for _, label in _STEPS), "in parts"]
    histogram = tuple((labels[row[0]], row[1]) for row in rows)
    return TableSurvey(
        source.label,
        sum(row[1] for row in rows),
        int(sum(row[2] for row in rows)),
        max([row[3] for row in rows] or [0]),
        moved[0] if moved else 0,
        histogram,
    )


async def _problems(connection: Connection, source: Source) -> list[Problem]:
    found: list[Problem] = []
    async with connection.transaction(), connection.cursor(name="survey", binary=True) as cursor:
        await cursor.execute(_SURVEY_ROWS(source), {})
        async for doc_id, kind, name, differs, recorded, actual, head in cursor:
            known = content_type(kind or "", name or "", bytes(head))[1]
            if not known:
                found.append(
                    Problem(source.label, doc_id, f"unknown file type '{kind}': stored as application/octet-stream")
                )
            if differs:
                what = f"{source.table.size} says {recorded:,}, the file has {actual:,} bytes; the real size counts"
                found.append(Problem(source.label, doc_id, what))
            if not (name or "").strip():
                found.append(Problem(source.label, doc_id, "has no name: the key ends in 'file'"))
            if len(found) >= MOST_PROBLEMS:
                break
    return found


async def _rate(connection: Connection) -> tuple[float, str]:
    if await schema.is_there(connection):
        measured = await (await connection.execute(_MEASURE_LAST_COPY)).fetchone()
        if measured and measured[0]:
            return float(measured[0]), "measured in the last copy"
    return CAUTIOUS_FILES_PER_S, "a conservative estimate: nothing was measured yet"
