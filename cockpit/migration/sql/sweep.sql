-- Sweeping: what copying left behind. A key that its file has given up is never used again.

-- name: mark_gone
-- Only files that nobody has a lease on and whose row is gone change, with their object in the same transaction; a repeat finds none.
WITH gone AS (UPDATE cutover.item i SET state = 'gone'
    WHERE i.tbl = %(tbl)s AND i.state IN ('switched', 'verified', 'purged')
        AND (i.lease_until IS NULL OR i.lease_until < clock_timestamp())
        AND NOT EXISTS (SELECT FROM {table} d WHERE d.{id} = i.doc_id::{type}) RETURNING i.key)
UPDATE cutover.object o SET state = 'orphan', last_intent_at = clock_timestamp() FROM gone g WHERE o.key = g.key

-- name: mark_unnamed
-- An object is live only together with the file that names it, so one that no file names is nobody's; it then waits as every orphan
-- does before it is deleted, and its key is looked for in the rows once more.
UPDATE cutover.object o SET state = 'orphan', last_intent_at = clock_timestamp() WHERE o.state = 'live'
AND NOT EXISTS (SELECT FROM cutover.item i WHERE i.tbl = o.tbl AND i.doc_id = o.doc_id AND i.key = o.key
    AND i.state IN ('uploading', 'switched', 'verified', 'purged', 'quarantined'))

-- name: list_left_over
-- Reads only, and takes no lock; a key that its file has given up is never used again, so nothing can come to need what is found.
SELECT o.key, o.version_id, o.last_intent_at < clock_timestamp() - make_interval(secs => %(wait)s) FROM cutover.object o
WHERE o.state IN ('intent', 'orphan') AND NOT EXISTS (SELECT FROM cutover.item i WHERE i.tbl = o.tbl AND i.doc_id = o.doc_id
    AND i.key = o.key AND i.state IN ('planned', 'uploading', 'switched', 'verified', 'purged'))

-- name: mark_deleted
-- Written after the object was deleted, so a crash in between deletes once more what is gone already; a live object never changes.
UPDATE cutover.object SET state = 'deleted' WHERE key = %(key)s AND state IN ('intent', 'orphan')

-- name: mark_returned
-- Only keys the ledger holds to be deleted are given, and such a key is never used again; they wait again, and a repeat makes them
-- wait longer.
UPDATE cutover.object SET state = 'orphan', version_id = NULL, last_intent_at = clock_timestamp() WHERE key = ANY(%(keys)s)

-- name: upload_in_use
-- Reads only, and takes no lock; an intent of the last five minutes may be followed by an upload that is not written down yet.
SELECT i.upload_id, i.key = o.key AND i.state IN ('planned', 'uploading'),
    o.last_intent_at < clock_timestamp() - interval '5 minutes'
FROM cutover.object o LEFT JOIN cutover.item i ON i.tbl = o.tbl AND i.doc_id = o.doc_id WHERE o.key = %(key)s

-- name: known_keys
-- Reads only, and takes no lock; a key is written here before its object can be in S3.
SELECT key, state = 'deleted' FROM cutover.object WHERE key = ANY(%(keys)s)

-- name: carried_keys
-- Reads only, and takes no lock.
SELECT {key} FROM {table} WHERE {key} = ANY(%(keys)s)

-- name: list_named
-- Reads only, and takes no lock; in the order of the primary key, so that each page begins after the one before.
SELECT tbl, doc_id, state, key, size, sha256, content_type FROM cutover.item
WHERE state IN ('switched', 'verified', 'purged') AND key IS NOT NULL AND (tbl, doc_id) > (%(after_tbl)s, %(after_id)s)
ORDER BY tbl, doc_id LIMIT %(files)s

-- name: stale_rows
-- Reads only, and takes no lock; what follows from it is written by a statement that compares again.
SELECT d.{id}::text FROM {table} AS d JOIN unnest(%(ids)s::text[], %(keys)s::text[], %(hashes)s::bytea[]) AS v (doc_id, its_key, hash)
    ON d.{id} = v.doc_id::{type} AND d.{key} = v.its_key
WHERE d.{data} IS NOT NULL AND sha256(d.{data}) <> v.hash

-- name: take_back_stale
-- Only a file that no worker has, and only where the row still carries our key with other bytes than those we have stored, compared
-- under its lock; row, object and ledger change in one transaction, a new epoch takes it from whoever had it, and a repeat finds none.
WITH ours AS (SELECT i.tbl, i.doc_id, i.key, i.sha256 FROM cutover.item i WHERE i.tbl = %(tbl)s AND i.doc_id = %(id)s AND i.key = %(key)s
        AND i.state IN ('switched', 'verified', 'purged') AND (i.lease_until IS NULL OR i.lease_until < clock_timestamp()) FOR UPDATE),
freed AS (UPDATE {table} AS d SET {key} = NULL, {bucket} = NULL, {region} = NULL FROM ours o
    WHERE d.{id} = %(id)s::{type} AND d.{key} = o.key AND d.{data} IS NOT NULL AND sha256(d.{data}) <> o.sha256 RETURNING 1),
left_over AS (UPDATE cutover.object SET state = 'orphan', last_intent_at = clock_timestamp()
    WHERE key = %(key)s AND EXISTS (SELECT FROM freed))
UPDATE cutover.item i SET state = 'diverged', epoch = i.epoch + 1, owner = NULL, lease_until = NULL, attempt = 0,
    not_before = '-infinity', failed_in = 'verify', last_error = %(why)s
FROM ours o WHERE i.tbl = o.tbl AND i.doc_id = o.doc_id AND EXISTS (SELECT FROM freed) RETURNING i.doc_id
