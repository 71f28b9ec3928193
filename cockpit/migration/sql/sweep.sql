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
