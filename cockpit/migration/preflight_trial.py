"""What a move would meet in the database, found by trying it on a few real rows, in a transaction that is rolled back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence

import psycopg

from cockpit.migration import schema
from cockpit.migration.database import Connection
from cockpit.migration.preflight_check import Check, bad, good
from cockpit.migration.row_errors import server_words
from cockpit.migration.settings import PART_BYTES, Settings, Source
from cockpit.migration.source_tables import lock_row
from cockpit.migration.sql_files import statement, table_statement
from probes.frozen import frozen

_FACTS_OF_SERVER = statement("facts_of_server")
_FACTS_OF_TABLE = statement("facts_of_table")
_SHOW_WHAT_POLICIES_ALLOW = statement("show_what_policies_allow")
_COUNT_WHAT_IS_SHOWN = table_statement("count_what_is_shown")
_COUNT_IDS = table_statement("count_ids")
_PICK_TRIAL_ROWS = table_statement("pick_trial_rows")
_LIST_QUARANTINED = statement("list_quarantined")
_CHECK_AT_ONCE = statement("check_at_once")
_TRY_SWITCH = table_statement("try_switch")
_TRY_PURGE = table_statement("try_purge")
_TRY_RESTORE = table_statement("try_restore")
_LEFT_ALONE = "a trigger returned NULL or changed what was written: let it pass this role"


@frozen
class Failure:
    """Why one row could not be moved there and back."""

    doc_id: str
    step: str
    words: str
    fix: str


async def server_and_rows(connection: Connection, settings: Settings, tried: Iterable[Source]) -> AsyncIterator[Check]:
    """Whether this server is written to at all and, of the tables to be `tried`, what a few rows say to being moved."""
    row = await (await connection.execute(_FACTS_OF_SERVER)).fetchone()
    standby, read_only = row or (False, None)
    if standby:
        yield bad("database", "this server is a standby, which nothing can be written to", "connect to the primary")
        return
    if read_only:
        fix = f"ALTER ROLE or DATABASE {read_only} RESET default_transaction_read_only, or migrate as another role"
        yield bad("database", f"{read_only} is read only by default: somebody meant it not to write", fix)
        return
    for source in tried:
        yield await _trial(connection, settings, source)


async def facts_of_table(connection: Connection, source: Source) -> list[Check]:
    """What the catalog says of a table that files cannot be moved from."""
    table, label = source.table, source.label
    given = {"schema": table.schema, "table": table.name, "id": table.id}
    row = await (await connection.execute(_FACTS_OF_TABLE, given)).fetchone()
    assert row is not None
    hiding, rows, inherited, unique, not_null, primary, unidentified = row
    if hiding:
        shown = await _shown(connection, source)
        found = f"row-level security is active for this role: it is shown {shown} of about {rows:,} rows"
        return [bad(label, found, "migrate as the table's owner (without FORCE), or ALTER ROLE ... BYPASSRLS")]
    checks = []
    if unidentified:
        found = "a publication sends its changes on, but it has no replica identity: PostgreSQL refuses every UPDATE"
        checks.append(bad(label, found, "give it a primary key, or a replica identity by a unique index"))
    if inherited:
        found = "other tables inherit from it: their rows would count as its own, with ids that may be the same"
        checks.append(bad(label, found, "name each of them in migration.tables, with a view or without the parent"))
    if not unique:
        key = f" (its primary key is {', '.join(primary)})" if primary and len(primary) > 1 else ""
        found = f"nothing keeps {table.id} unique{key}: two rows of one id would be one file"
        checks.append(bad(label, found, f'CREATE UNIQUE INDEX CONCURRENTLY ON "{table.name}" ("{table.id}")'))
    if not (unique and not_null):
        counted = await (await connection.execute(_COUNT_IDS(source), {})).fetchone()
        empty, twice = counted or (0, 0)
        if empty:
            checks.append(bad(label, f"{empty:,} rows have no {table.id}", "give them one, or delete them"))
        if twice:
            checks.append(bad(label, f"{twice:,} rows have the {table.id} of another", "give each its own"))
    return checks


async def _shown(connection: Connection, source: Source) -> str:
    """How many rows this role is shown, where they can be counted."""
    try:
        async with connection.transaction(force_rollback=True):
            await connection.execute(_SHOW_WHAT_POLICIES_ALLOW)
            row = await (await connection.execute(_COUNT_WHAT_IS_SHOWN(source), {})).fetchone()
    except psycopg.Error:
        return "only some"
    return f"{row[0]:,}" if row else "none"


async def _trial(connection: Connection, settings: Settings, source: Source) -> Check:
    what = f"{source.label}, tried"
    try:
        known = await _quarantined(connection, source)
        given = {"most": PART_BYTES, "known": known}
        picked = await (await connection.execute(_PICK_TRIAL_ROWS(source), given)).fetchall()
        ids = [row[0] for row in picked]
        async with connection.transaction(force_rollback=True):
            await connection.execute(_CHECK_AT_ONCE)
            failures = [
                found for doc_id in ids if (found := await _there_and_back(connection, settings, source, doc_id))
            ]
    except psycopg.Error as error:
        return bad(what, server_words(error), "see what the database says, then again")
    return _verdict(what, len(ids), failures, len(known))


async def _quarantined(connection: Connection, source: Source) -> list[str]:
    """The ids of what could not be moved before: why is written down, and no run takes it until it is retried."""
    if not await schema.is_there(connection):
        return []
    rows = await (await connection.execute(_LIST_QUARANTINED, {"tbl": source.label})).fetchall()
    return [row[0] for row in rows]


def _verdict(what: str, tried: int, failures: Sequence[Failure], quarantined: int) -> Check:
    if not tried:
        beside = f" beside {quarantined:,} in quarantine" if quarantined else ""
        return Check(what, None, f"no row waits to be moved{beside}")
    if not failures:
        return good(what, f"{tried} rows switched, purged and restored, and rolled back")
    first = failures[0]
    found = f"{len(failures)} of {tried} rows tried cannot be moved; {first.step} {first.doc_id}: {first.words}"
    if len(failures) == tried:
        return bad(what, found, first.fix)
    return Check(what, None, f"{found}; such files are quarantined", first.fix)


async def _there_and_back(connection: Connection, settings: Settings, source: Source, doc_id: str) -> Failure | None:
    """Switch, purge and restore one row; why it cannot be. A row that somebody has locked is passed over."""
    step = "claiming"
    given = {"id": doc_id, "prefix": settings.prefix, "bucket": settings.bucket, "region": settings.region}
    try:
        async with connection.transaction(force_rollback=True):
            if not await lock_row(connection, source, doc_id):
                words = f"its id does not find it again as {source.id_type}"
                return Failure(doc_id, step, words, "give the table an id that reads back as it was written")
            step = "switching"
            row = await (await connection.execute(_TRY_SWITCH(source), given)).fetchone()
            if row is None or not row[0]:
                return Failure(doc_id, step, "the row is left as it is, or changed", _LEFT_ALONE)
            for step, query, more in (
                ("purging", _TRY_PURGE, {}),
                ("restoring", _TRY_RESTORE, {"data": row[1]}),
            ):
                done = await (await connection.execute(query(source), {"id": doc_id, **more})).fetchone()
                if done is None or not done[0]:
                    return Failure(doc_id, step, "the row is left as it is, or changed", _LEFT_ALONE)
    except psycopg.errors.LockNotAvailable:
        return None
    except psycopg.Error as error:
        return Failure(doc_id, step, server_words(error), _fix(error))
    return None


def _fix(error: psycopg.Error) -> str:
    """What to do about an error of one row."""
    match error.sqlstate or "":
        case "23514":
            return f"let {error.diag.constraint_name} allow a row with both its bytes and a key, and with either alone"
        case "23502":
            return f"drop the NOT NULL of {error.diag.column_name}"
        case "22001":
            return "widen the columns of key, bucket and region: a key has up to 1,024 characters"
        case "428C9" | "42601":  # PostgreSQL 13 calls writing to a generated column a matter of syntax
            return "name a column that can be written in migration.tables"
        case _ if error.diag.context:
            return "let the trigger pass this role, or disable it while files are moved"
    return "mend what the database says"
