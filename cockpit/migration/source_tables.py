"""The application's tables as SQL: their names, quoted, and the listing of what is to be moved."""

from __future__ import annotations

from functools import cache

from psycopg import sql

from cockpit.migration.database import Connection
from cockpit.migration.object_keys import CLEAN_KIND, CLEAN_NAME
from cockpit.migration.settings import Source


async def enlist(connection: Connection, source: Source) -> int:
    """Plan every file that is in the database and has no key; repeatable, picks up what came since. How many were new.

    What was gone, skipped or restored is planned again; so is a file that was switched more than five minutes ago and whose row
    has lost its key since: the application took it back.
    """
    query = sql.SQL(f"""
        INSERT INTO cutover.item AS i (tbl, doc_id, kind, name, size, remark)
        SELECT %(tbl)s, {{id}}::text, {CLEAN_KIND}, {CLEAN_NAME}, octet_length({{data}}),
            CASE WHEN {{size}} IS DISTINCT FROM octet_length({{data}})
                THEN '{{sizename}} says ' || coalesce({{size}}::text, 'nothing')
                || ', the file has ' || octet_length({{data}}) || ' bytes' END
        FROM {{table}} WHERE {{data}} IS NOT NULL AND {{key}} IS NULL
            AND NOT EXISTS (SELECT FROM cutover.item k WHERE k.tbl = %(tbl)s AND k.doc_id = {{id}}::text
                AND k.state IN ('planned', 'uploading', 'quarantined', 'diverged'))
        ON CONFLICT (tbl, doc_id) DO UPDATE SET state = 'planned', key = NULL, size = excluded.size, kind = excluded.kind,
            name = excluded.name, remark = excluded.remark, upload_id = NULL, sha256 = NULL, failures = 0, attempt = 0,
            not_before = '-infinity', lease_until = NULL, owner = NULL
        WHERE i.state IN ('restored', 'gone', 'skipped')
            OR (i.state IN ('switched', 'verified', 'purged') AND i.switched_at < statement_timestamp() - interval '5 minutes')
    """).format(**names(source), sizename=sql.SQL(source.table.size.replace("'", "").replace("%", "%%")))
    async with connection.transaction():
        await connection.execute("SET LOCAL statement_timeout = '30min'")
        cursor = await connection.execute(query, {"tbl": source.label})
    if cursor.rowcount > 1000:
        await connection.execute("ANALYZE cutover.item")
    return cursor.rowcount


@cache
def names(source: Source) -> dict[str, sql.Composable]:
    """A table's names as SQL: quoted, never pasted."""
    table = source.table
    columns = {
        "id": table.id,
        "data": table.data,
        "name": table.filename,
        "kind": table.file_type,
        "size": table.size,
        "key": table.key,
        "bucket": table.bucket,
        "region": table.region,
    }
    return {
        **{word: sql.Identifier(column) for word, column in columns.items()},
        "table": sql.Identifier(table.schema, table.name),
        "type": sql.SQL(source.id_type),
    }
