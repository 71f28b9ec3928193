-- What must be so before a file moves; all of it reads only.

-- name: columns_of
-- Reads the catalog only.
SELECT a.attname, format_type(a.atttypid, NULL), NOT a.attnotnull
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = %(table)s AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p')

-- name: may_write
-- Reads the catalog only.
SELECT has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'UPDATE') FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %(schema)s AND c.relname = %(table)s

-- name: may_make_ledger
-- Reads the catalog only.
SELECT has_database_privilege(current_database(), 'CREATE') OR to_regclass('cutover.run') IS NOT NULL

-- name: survey_sizes
-- Reads only, and takes no lock.
SELECT width_bucket(octet_length({data}) - 1, %(bounds)s::int[]), count(*), sum(octet_length({data})), max(octet_length({data}))
FROM {table} WHERE {data} IS NOT NULL AND {key} IS NULL GROUP BY 1 ORDER BY 1

-- name: survey_moved
-- Reads only, and takes no lock.
SELECT count(*) FROM {table} WHERE {key} IS NOT NULL

-- name: survey_rows
-- Reads only, through a cursor, so that a table of any length takes little memory; it takes no lock.
SELECT {id}::text, {kind}::text, {name}::text, {size} IS DISTINCT FROM octet_length({data}), coalesce({size}, 0),
    octet_length({data}), substring({data} FROM 1 FOR 16)
FROM {table} WHERE {data} IS NOT NULL AND {key} IS NULL
