-- The application's rows, by the names the plan gives. {table}, {id}, {data} ... are quoted identifiers; {type} is the type of the id.

-- name: wait_longer
-- Lasts until the end of this transaction, and for this connection alone.
SET LOCAL statement_timeout = '30min'

-- part: plain_kind
-- Only what is surely a file type becomes part of a key.
CASE WHEN {kind}::text ~ '^[A-Za-z0-9][A-Za-z0-9.-]{0,31}$' THEN {kind}::text ELSE 'unknown' END

-- part: plain_name
-- Only characters that need no care become part of a key, and no more of them than fit.
coalesce(nullif(right(regexp_replace({name}::text, '[^a-zA-Z0-9.-]', '_', 'g'), 180), ''), 'file')

-- name: enlist
-- Reads the rows without a lock and adds files that are not there; of two at once the second finds them, a file that is being moved
-- is never planned again, and a row that changes later is found by the switch.
INSERT INTO cutover.item AS i (tbl, doc_id, kind, name, size, remark)
SELECT %(tbl)s, {id}::text,
    {plain_kind},
    {plain_name},
    octet_length({data}),
    CASE WHEN {size} IS DISTINCT FROM octet_length({data})
        THEN %(size_column)s::text || ' says ' || coalesce({size}::text, 'nothing')
            || ', the file has ' || octet_length({data}) || ' bytes' END
FROM {table} WHERE {data} IS NOT NULL AND {key} IS NULL
    AND NOT EXISTS (SELECT FROM cutover.item k WHERE k.tbl = %(tbl)s AND k.doc_id = {id}::text
        AND k.state IN ('planned', 'uploading', 'quarantined', 'diverged'))
ON CONFLICT (tbl, doc_id) DO UPDATE SET state = 'planned', key = NULL, size = excluded.size, kind = excluded.kind,
    name = excluded.name, remark = excluded.remark, upload_id = NULL, sha256 = NULL, failures = 0, attempt = 0,
    not_before = '-infinity', lease_until = NULL, owner = NULL
WHERE i.state IN ('restored', 'gone', 'skipped')
    OR (i.state IN ('switched', 'verified', 'purged') AND i.switched_at < statement_timestamp() - interval '5 minutes')

-- name: analyze_items
-- Changes what the planner knows and no row; beside it every other statement goes on.
ANALYZE cutover.item

-- name: read_rows
-- Reads only, and takes no lock; the xmin that comes with the bytes proves at the switch that nobody changed the row since.
SELECT {id}::text, xmin::text, octet_length({data}), CASE WHEN octet_length({data}) <= %(most)s THEN {data} END
FROM {table} WHERE {id} = ANY(%(ids)s::{type}[]) AND {data} IS NOT NULL AND {key} IS NULL

-- name: read_part
-- Reads only, and takes no lock; a row that has changed since its first part has another xmin and is not found.
SELECT substring({data} FROM %(start)s FOR %(length)s)
FROM {table} WHERE {id} = %(id)s::{type} AND xmin = %(xmin)s::xid AND {data} IS NOT NULL

-- name: look_at_rows
-- Reads only, and takes no lock.
SELECT {id}::text, xmin::text, {data} IS NOT NULL, {key} FROM {table} WHERE {id} = ANY(%(ids)s::{type}[])

-- name: point_rows_at_objects
-- Row, object and ledger change in one transaction, and only where epoch, key and xmin are those the file was read with, so neither an
-- old owner nor a row that changed is switched; the files are locked in order, and a row the application has locked is skipped.
WITH v AS (SELECT * FROM unnest(%(ids)s::text[], %(keys)s::text[], %(epochs)s::int[], %(xmins)s::xid[],
        %(hashes)s::bytea[], %(sizes)s::bigint[], %(types)s::text[], %(versions)s::text[], %(remarks)s::text[])
        AS v (id, key, epoch, x, hash, size, type, version, remark)),
ours AS (SELECT i.doc_id FROM cutover.item i JOIN v ON v.id = i.doc_id AND v.epoch = i.epoch AND v.key = i.key
    WHERE i.tbl = %(tbl)s AND i.state = 'uploading' ORDER BY i.doc_id FOR UPDATE OF i),
free AS (SELECT {id} AS id FROM {table} WHERE {id} = ANY(%(ids)s::{type}[]) FOR NO KEY UPDATE SKIP LOCKED),
pointed AS (UPDATE {table} AS d SET {key} = v.key, {bucket} = %(bucket)s, {region} = %(region)s
    FROM v JOIN ours o ON o.doc_id = v.id JOIN free f ON f.id::text = v.id
    WHERE d.{id} = f.id AND d.xmin = v.x AND d.{key} IS NULL AND d.{data} IS NOT NULL RETURNING d.{id}::text AS id),
live AS (UPDATE cutover.object o SET state = 'live', sha256 = v.hash, version_id = v.version
    FROM v JOIN pointed p ON p.id = v.id WHERE o.key = v.key)
UPDATE cutover.item i SET state = 'switched', sha256 = v.hash, size = v.size, content_type = v.type,
    version_id = v.version, remark = coalesce(v.remark, i.remark), switched_at = clock_timestamp(), copied_by = %(owner)s,
    lease_until = NULL, upload_id = NULL, failures = 0, last_error = NULL, failed_in = NULL
FROM v JOIN pointed p ON p.id = v.id WHERE i.tbl = %(tbl)s AND i.doc_id = v.id
RETURNING i.doc_id

-- name: lock_row
-- Waits for nobody and lasts until the end of this transaction, in which the row is then changed by the statement that was skipped.
SELECT FROM {table} WHERE {id} = %(id)s::{type} FOR NO KEY UPDATE NOWAIT

-- name: take_back_row
-- Row, object and ledger change in one transaction under this epoch: with its bytes the row goes back to the database, without them
-- nothing is taken from it, and one that carries another key is the application's own; one that carries ours still was kept from
-- changing, and so keeps its object and is a failure; a repeat finds another state or counts another failure.
WITH mine AS (SELECT tbl, doc_id FROM cutover.item WHERE tbl = %(tbl)s AND doc_id = %(id)s AND epoch = %(epoch)s
    AND state IN ('switched', 'verified') FOR UPDATE),
freed AS (UPDATE {table} AS d SET {key} = NULL, {bucket} = NULL, {region} = NULL FROM mine
    WHERE d.{id} = %(id)s::{type} AND d.{key} = %(key)s AND d.{data} IS NOT NULL RETURNING 1),
stands AS (SELECT {data} IS NULL AS emptied, {key} IS NOT DISTINCT FROM %(key)s AS ours
    FROM {table}, mine WHERE {id} = %(id)s::{type}),
left_over AS (UPDATE cutover.object SET state = 'orphan', last_intent_at = clock_timestamp()
    WHERE key = %(key)s AND EXISTS (SELECT FROM mine)
        AND (EXISTS (SELECT FROM freed) OR NOT EXISTS (SELECT FROM stands WHERE ours)))
UPDATE cutover.item i SET owner = NULL, lease_until = NULL, failed_in = 'verify', failures = failures + 1,
    not_before = clock_timestamp() + make_interval(secs => %(after)s * 2 ^ least(failures, 6)),
    last_error = %(why)s || CASE WHEN NOT EXISTS (SELECT FROM freed) AND EXISTS (SELECT FROM stands WHERE ours AND NOT emptied)
        THEN %(kept)s ELSE '' END,
    state = CASE WHEN EXISTS (SELECT FROM freed) THEN 'diverged'
        WHEN NOT EXISTS (SELECT FROM stands) THEN 'gone'
        WHEN NOT EXISTS (SELECT FROM stands WHERE ours) THEN 'skipped'
        WHEN EXISTS (SELECT FROM stands WHERE emptied) OR failures + 1 >= %(most)s THEN 'quarantined' ELSE i.state END
FROM mine m WHERE i.tbl = m.tbl AND i.doc_id = m.doc_id

-- name: drop_bytes
-- Bytes leave a row only where its key is ours and their SHA-256 is that of the verified object, compared under the row's lock; ledger
-- and row change in one transaction, a locked row is skipped, and a repeat finds no bytes.
WITH ours AS (SELECT i.doc_id, i.key, i.sha256 FROM cutover.item i
    JOIN unnest(%(ids)s::text[], %(epochs)s::int[]) AS v (id, epoch) ON v.id = i.doc_id AND v.epoch = i.epoch
    WHERE i.tbl = %(tbl)s AND i.state = 'verified' ORDER BY i.doc_id FOR UPDATE OF i),
free AS (SELECT {id} AS id FROM {table} WHERE {id} = ANY(%(ids)s::{type}[]) FOR NO KEY UPDATE SKIP LOCKED),
emptied AS (UPDATE {table} AS d SET {data} = NULL FROM ours o JOIN free f ON f.id::text = o.doc_id
    WHERE d.{id} = f.id AND d.{key} = o.key AND d.{bucket} = %(bucket)s AND sha256(d.{data}) = o.sha256
    RETURNING d.{id}::text AS id)
UPDATE cutover.item i SET state = 'purged', lease_until = NULL, owner = NULL FROM emptied e
WHERE i.tbl = %(tbl)s AND i.doc_id = e.id RETURNING i.doc_id

-- name: why_not_purged
-- Reads only, and takes no lock; what follows from it is written under the claim's epoch.
SELECT {data} IS NULL, {key} IS NOT DISTINCT FROM %(key)s, sha256({data}) = %(sha256)s FROM {table} WHERE {id} = %(id)s::{type}

-- name: is_emptied
-- Reads only, and takes no lock; the statement that brings the bytes back looks again.
SELECT {data} IS NULL FROM {table} WHERE {id} = %(id)s::{type} AND {key} = %(key)s

-- name: is_staged
-- Reads only, and takes no lock; the statement that brings the bytes back compares again.
SELECT sha256(coalesce((SELECT string_agg(data, ''::bytea ORDER BY n) FROM cutover.chunk WHERE tbl = %(tbl)s AND doc_id = %(id)s),
    ''::bytea)) = i.sha256 FROM cutover.item i WHERE i.tbl = %(tbl)s AND i.doc_id = %(id)s

-- name: forget_key
-- The row loses our key only while it has its bytes, and only under this epoch; row, object and ledger change in one transaction, and a
-- repeat finds no key.
WITH mine AS (SELECT doc_id FROM cutover.item WHERE tbl = %(tbl)s AND doc_id = %(id)s AND epoch = %(epoch)s FOR UPDATE),
freed AS (UPDATE {table} AS d SET {key} = NULL, {bucket} = NULL, {region} = NULL FROM mine
    WHERE d.{id} = %(id)s::{type} AND d.{key} = %(key)s AND d.{data} IS NOT NULL RETURNING 1),
spare AS (UPDATE cutover.object SET state = 'orphan', last_intent_at = clock_timestamp()
    WHERE key = %(key)s AND EXISTS (SELECT FROM freed))
UPDATE cutover.item SET state = 'restored', lease_until = NULL, owner = NULL, last_error = NULL, failed_in = NULL
WHERE tbl = %(tbl)s AND doc_id = %(id)s AND EXISTS (SELECT FROM freed) RETURNING doc_id

-- name: drop_chunks
-- Chunks are a copy of what is in S3, and no row's bytes; they are deleted under the claim's epoch alone, and where that changes at this
-- moment, the next owner finds that the SHA-256 is not the file's and stages them again.
DELETE FROM cutover.chunk c USING cutover.item i WHERE c.tbl = %(tbl)s AND c.doc_id = %(id)s
    AND i.tbl = c.tbl AND i.doc_id = c.doc_id AND i.epoch = %(epoch)s

-- name: add_chunk
-- No row of the application changes, and without the claim's epoch no chunk is left behind; another worker's chunk of the same number is
-- of the same object, and is written over.
INSERT INTO cutover.chunk (tbl, doc_id, n, data) SELECT tbl, doc_id, %(n)s, %(data)b
FROM cutover.item WHERE tbl = %(tbl)s AND doc_id = %(id)s AND epoch = %(epoch)s
ON CONFLICT (tbl, doc_id, n) DO UPDATE SET data = excluded.data

-- name: bring_back_bytes
-- The row gets its bytes and loses our key in one transaction with ledger and object, only under this epoch, only while it has no bytes,
-- and only bytes whose SHA-256 is the ledger's, because a worker that lost its lease may have deleted chunks; a repeat finds no key.
WITH mine AS (SELECT doc_id, sha256 FROM cutover.item WHERE tbl = %(tbl)s AND doc_id = %(id)s AND epoch = %(epoch)s FOR UPDATE),
bytes AS (SELECT coalesce(string_agg(data, ''::bytea ORDER BY n), ''::bytea) AS whole FROM cutover.chunk
    WHERE tbl = %(tbl)s AND doc_id = %(id)s),
back AS (UPDATE {table} AS d SET {data} = b.whole, {key} = NULL, {bucket} = NULL, {region} = NULL
    FROM mine m, bytes b WHERE d.{id} = %(id)s::{type} AND d.{key} = %(key)s AND d.{data} IS NULL AND sha256(b.whole) = m.sha256
    RETURNING 1),
spare AS (UPDATE cutover.object SET state = 'orphan', last_intent_at = clock_timestamp()
    WHERE key = %(key)s AND EXISTS (SELECT FROM back)),
unstaged AS (DELETE FROM cutover.chunk WHERE tbl = %(tbl)s AND doc_id = %(id)s AND EXISTS (SELECT FROM back))
UPDATE cutover.item SET state = 'restored', lease_until = NULL, owner = NULL, last_error = NULL, failed_in = NULL
WHERE tbl = %(tbl)s AND doc_id = %(id)s AND EXISTS (SELECT FROM back) RETURNING doc_id
