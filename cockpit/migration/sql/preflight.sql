-- What must be so before a file moves; what is tried is rolled back.

-- name: backend
-- Reads nothing of the database.
SELECT pg_backend_pid(), pg_is_in_recovery()

-- name: free_connections
-- Reads only; of the server's, the role's and the database's limit the one that leaves the fewest.
SELECT least(
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true), '0')::int - count(*),
    (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user) - count(*) FILTER (WHERE usename = current_user),
    (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database())
        - count(*) FILTER (WHERE datname = current_database()))
FROM pg_stat_activity WHERE datname IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend'

-- name: columns_of
-- Reads the catalog only.
SELECT a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = %(table)s AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p')

-- name: may_write
-- Reads the catalog only.
SELECT has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'UPDATE') FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %(schema)s AND c.relname = %(table)s

-- name: may_make_ledger
-- Reads the catalog only.
SELECT has_database_privilege(current_database(), 'CREATE') OR to_regclass('cutover.run') IS NOT NULL

-- name: facts_of_server
-- Reads the catalog only.
SELECT pg_is_in_recovery(), (SELECT coalesce(r.rolname, 'the database') FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole
    WHERE (s.setrole = 0 OR r.rolname = current_user)
        AND (s.setdatabase = 0 OR s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()))
        AND EXISTS (SELECT FROM unnest(s.setconfig) c WHERE c ~* '^default_transaction_read_only=(on|true|yes|1)$') LIMIT 1)

-- name: facts_of_table
-- Reads the catalog only.
SELECT row_security_active(c.oid), greatest(c.reltuples::bigint, pg_stat_get_live_tuples(c.oid)),
    EXISTS (SELECT FROM pg_inherits h JOIN pg_class k ON k.oid = h.inhrelid WHERE h.inhparent = c.oid AND NOT k.relispartition),
    EXISTS (SELECT FROM pg_index x WHERE x.indrelid = c.oid AND x.indisunique AND x.indisvalid AND x.indpred IS NULL
        AND x.indnkeyatts = 1 AND x.indkey[0] = a.attnum),
    a.attnotnull,
    (SELECT array_agg(k.attname ORDER BY k.attname) FROM pg_index x JOIN pg_attribute k ON k.attrelid = x.indrelid
        AND k.attnum = ANY(x.indkey) WHERE x.indrelid = c.oid AND x.indisprimary),
    EXISTS (SELECT FROM pg_publication_tables t JOIN pg_publication p ON p.pubname = t.pubname
        WHERE p.pubupdate AND t.schemaname = n.nspname AND t.tablename = c.relname)
    AND CASE c.relreplident WHEN 'f' THEN false WHEN 'n' THEN true
        WHEN 'd' THEN NOT EXISTS (SELECT FROM pg_index x WHERE x.indrelid = c.oid AND x.indisprimary AND x.indimmediate)
        ELSE NOT EXISTS (SELECT FROM pg_index x WHERE x.indrelid = c.oid AND x.indisreplident AND x.indisvalid) END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = %(id)s
WHERE n.nspname = %(schema)s AND c.relname = %(table)s

-- name: show_what_policies_allow
-- Lasts until the end of this transaction, in which rows are only counted.
SET LOCAL row_security = on

-- name: count_what_is_shown
-- Reads only; row-level security applies, so it is the number of rows that this role is shown.
SELECT count(*) FROM {table}

-- name: count_ids
-- Reads only, and takes no lock.
SELECT count(*) FILTER (WHERE {id} IS NULL), count({id}) - count(DISTINCT {id}) FROM {table}

-- name: pick_trial_rows
-- Reads only, and takes no lock.
WITH held AS (SELECT {id} AS id, {name}::text AS name, {kind} IS NULL AS no_kind, {size} IS NULL AS no_size, octet_length({data}) AS size
    FROM {table} WHERE {data} IS NOT NULL AND {key} IS NULL AND {id} IS NOT NULL AND octet_length({data}) <= %(most)s
        AND {id}::text <> ALL(%(known)s::text[]))
SELECT DISTINCT picked.id::text FROM (
    (SELECT id FROM held ORDER BY id LIMIT 1) UNION ALL (SELECT id FROM held ORDER BY id DESC LIMIT 1)
    UNION ALL (SELECT id FROM held ORDER BY length(name) DESC NULLS LAST LIMIT 1)
    UNION ALL (SELECT id FROM held WHERE name IS NULL LIMIT 1) UNION ALL (SELECT id FROM held WHERE no_kind LIMIT 1)
    UNION ALL (SELECT id FROM held WHERE no_size LIMIT 1) UNION ALL (SELECT id FROM held WHERE size = 0 LIMIT 1)
    UNION ALL (SELECT id FROM held LIMIT 20)) AS picked ORDER BY 1

-- name: list_quarantined
-- Reads only, and takes no lock.
SELECT doc_id FROM cutover.item WHERE tbl = %(tbl)s AND state = 'quarantined'

-- name: check_at_once
-- Lasts until the end of this transaction, which is rolled back.
SET CONSTRAINTS ALL IMMEDIATE

-- name: try_switch
-- Runs in a transaction that is rolled back, on one row that it has locked without waiting.
WITH i AS (SELECT {id}::text AS doc_id, {plain_kind} AS kind, {plain_name} AS name FROM {table} WHERE {id} = %(id)s::{type}),
pointed AS (SELECT {new_key} AS key FROM i)
UPDATE {table} AS d SET {key} = p.key, {bucket} = %(bucket)s, {region} = %(region)s FROM pointed p WHERE d.{id} = %(id)s::{type}
RETURNING d.{key} = p.key AND d.{bucket} = %(bucket)s AND d.{region} = %(region)s, d.{data}

-- name: try_purge
-- Runs in a transaction that is rolled back, on one row that it has locked without waiting.
UPDATE {table} SET {data} = NULL WHERE {id} = %(id)s::{type} RETURNING {data} IS NULL

-- name: try_restore
-- Runs in a transaction that is rolled back, on one row that it has locked without waiting.
UPDATE {table} SET {data} = %(data)b, {key} = NULL, {bucket} = NULL, {region} = NULL WHERE {id} = %(id)s::{type}
RETURNING {data} = %(data)b AND {key} IS NULL

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
