-- What a worker does with its files in the ledger: claim, renew, give back, fail, close. One statement is one transaction.

-- part: may_begin
-- New files begin only while the run is wanted, nothing holds or halts it and its guards were judged within their lease; it is read
-- without a lock, so a pause that commits a moment later stops the next claims and not those being made.
EXISTS (SELECT FROM cutover.run r WHERE r.id = %(run)s AND r.ended_at IS NULL AND r.wanted = 'run' AND r.halted IS NULL
    AND r.held_since IS NULL AND (NOT r.guarded OR r.guard_until > clock_timestamp()))

-- part: resumed
-- Of the same snapshot as the claim, so that a halt can say which resumption its work was begun under.
(SELECT r.resumed FROM cutover.run r WHERE r.id = %(run)s) AS resumed

-- part: may_be_taken_over
-- A worker that ended with a file has not said so, but its lease lapsed and each claim was counted before it began; from the second time
-- files wait longer and each for another while, so that the one which takes its workers down is soon held by nobody else's.
i.lease_until < clock_timestamp() - make_interval(secs => greatest(0, i.attempt - 1) * %(lease)s * abs(mod(hashtext(i.doc_id), 8)) / 8.0)
    AND i.attempt < %(attempts)s

-- part: claims_unanswered
-- A claim whose end was reported has no lease any more, so only those that nobody answered for add up.
CASE WHEN i.lease_until IS NULL THEN 1 ELSE i.attempt + 1 END

-- part: suspect
-- With this file two workers have ended, so it is claimed by a worker that has nothing else in hand, and no other file is counted with it.
(i.lease_until IS NOT NULL AND i.attempt >= 2)

-- name: claim_to_copy
-- SKIP LOCKED gives a row to one worker at a time and the new epoch takes it from whoever had it; state, key and intent commit
-- together before the first byte is sent, so a crash leaves a lease that lapses and no object whose key the ledger does not know.
WITH picked AS (
    SELECT i.tbl, i.doc_id, i.size FROM cutover.item i WHERE {may_begin} AND {suspect} = %(alone)s AND i.state IN ({to_copy})
        AND (i.tbl, i.doc_id) > (%(after_tbl)s, %(after_id)s)
        AND (i.state <> 'uploading' AND i.not_before <= clock_timestamp()
             OR i.state = 'uploading' AND {may_be_taken_over})
    ORDER BY i.tbl, i.doc_id LIMIT %(files)s FOR UPDATE SKIP LOCKED),
fits AS (SELECT tbl, doc_id, sum(size) OVER (ORDER BY tbl, doc_id) - size AS before FROM picked),
taken AS (
    UPDATE cutover.item i SET state = 'uploading', owner = %(owner)s, run_id = %(run)s, epoch = i.epoch + 1,
        attempt = {claims_unanswered}, lease_until = clock_timestamp() + make_interval(secs => %(lease)s),
        key = CASE WHEN i.state = 'diverged' OR i.key IS NULL THEN {new_key} ELSE i.key END,
        upload_id = CASE WHEN i.state = 'diverged' THEN NULL ELSE i.upload_id END
    FROM fits f WHERE i.tbl = f.tbl AND i.doc_id = f.doc_id AND f.before < %(bytes)s
    RETURNING i.tbl, i.doc_id, i.epoch, i.key, i.size, i.kind, i.name, i.upload_id, i.sha256, i.version_id, i.state,
        {resumed}),
intent AS (
    INSERT INTO cutover.object AS o (key, tbl, doc_id, state)
    SELECT DISTINCT ON (key) key, tbl, doc_id, 'intent' FROM taken
    ON CONFLICT (key) DO UPDATE SET last_intent_at = clock_timestamp()
        WHERE o.tbl = excluded.tbl AND o.doc_id = excluded.doc_id AND o.state = 'intent'
    RETURNING o.key, o.tbl, o.doc_id)
SELECT t.*, EXISTS (SELECT FROM intent o WHERE o.key = t.key AND o.tbl = t.tbl AND o.doc_id = t.doc_id) AS ours
FROM taken t ORDER BY tbl, doc_id

-- part: new_key
-- The report's generateS3Key, documents/TYPE/ID_MILLISECONDS_NAME, at most 1,024 bytes and different for every id; a key that two
-- files would share all the same is refused by the intent's primary key.
%(prefix)s || i.kind || '/' || CASE WHEN i.doc_id ~ '^[A-Za-z0-9.-]{1,128}$' THEN i.doc_id
    ELSE left(regexp_replace(i.doc_id, '[^a-zA-Z0-9.-]', '_', 'g'), 60) || '-' ||
        left(encode(sha256(convert_to(i.doc_id, 'UTF8')), 'hex'), 16)
    END || '_' || (extract(epoch FROM clock_timestamp()) * 1000)::bigint || '_' || i.name

-- name: claim_to_check
-- SKIP LOCKED gives a row to one worker at a time and the new epoch takes it from whoever had it; the state stays, so after a crash
-- the lease lapses and the file is claimed again as if nothing had been.
WITH picked AS (
    SELECT i.tbl, i.doc_id, i.size FROM cutover.item i WHERE {may_begin} AND {suspect} = %(alone)s AND i.state = ANY(%(states)s)
        AND (i.tbl, i.doc_id) > (%(after_tbl)s, %(after_id)s) AND (i.lease_until IS NULL OR {may_be_taken_over})
        AND i.not_before <= clock_timestamp() AND i.copied_by IS DISTINCT FROM %(not_by)s
        AND (%(soak)s::float8 IS NULL OR i.switched_at < clock_timestamp() - make_interval(secs => %(soak)s))
    ORDER BY i.tbl, i.doc_id LIMIT %(files)s FOR UPDATE SKIP LOCKED),
fits AS (SELECT tbl, doc_id, sum(size) OVER (ORDER BY tbl, doc_id) - size AS before FROM picked)
UPDATE cutover.item i SET owner = %(owner)s, run_id = %(run)s, epoch = i.epoch + 1, attempt = {claims_unanswered},
    lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
FROM fits f WHERE i.tbl = f.tbl AND i.doc_id = f.doc_id AND f.before < %(bytes)s
RETURNING i.tbl, i.doc_id, i.epoch, i.key, i.size, i.kind, i.name, i.upload_id, i.sha256, i.version_id, i.state, {resumed}

-- name: give_up_deadly
-- Only files whose lease lapsed that often change, under a new epoch so that an owner who wakes can change nothing; state and orphan
-- commit together, and a repeat finds them quarantined.
WITH deadly AS (UPDATE cutover.item i SET state = 'quarantined', failed_in = r.phase, epoch = i.epoch + 1, owner = NULL, lease_until = NULL,
        last_error = 'the last ' || i.attempt || ' workers that had it ended without a word, or lost their leases; the last was '
            || coalesce(i.owner, 'unknown')
    FROM cutover.run r WHERE r.id = %(run)s AND i.state = ANY(%(states)s) AND i.attempt >= %(attempts)s
        AND i.lease_until < clock_timestamp() RETURNING i.key)
UPDATE cutover.object o SET state = 'orphan', last_intent_at = clock_timestamp() FROM deadly d
WHERE o.key = d.key AND o.state = 'intent'

-- name: renew_leases
-- Only a lease of this epoch that has not lapsed is made longer, so a file that another worker has claimed stays with it; a locked
-- row is being finished by a lane of this worker and is skipped, because to wait for it could be to wait for each other.
WITH ours AS (SELECT i.tbl, i.doc_id FROM cutover.item i
    JOIN unnest(%(tbls)s::text[], %(ids)s::text[], %(epochs)s::int[]) AS g (tbl, id, epoch)
    ON i.tbl = g.tbl AND i.doc_id = g.id AND i.epoch = g.epoch
    WHERE i.lease_until > clock_timestamp() FOR UPDATE OF i SKIP LOCKED)
UPDATE cutover.item i SET lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
FROM ours o WHERE i.tbl = o.tbl AND i.doc_id = o.doc_id

-- name: release_claims
-- The epoch must still be the claim's, so a later owner loses nothing; the state stays, and a repeat changes only when the file may
-- be taken again.
UPDATE cutover.item i SET owner = NULL, lease_until = NULL,
    not_before = clock_timestamp() + make_interval(secs => %(after)s)
FROM unnest(%(tbls)s::text[], %(ids)s::text[], %(epochs)s::int[]) AS g (tbl, id, epoch)
WHERE i.tbl = g.tbl AND i.doc_id = g.id AND i.epoch = g.epoch

-- name: replan_claims
-- Only a file that is being uploaded under this epoch goes back, so a repeat finds nothing; a key that is given up becomes an orphan
-- in the same transaction, so no crash leaves an object that is neither used nor swept.
WITH given AS (SELECT * FROM unnest(%(tbls)s::text[], %(ids)s::text[], %(epochs)s::int[], %(keys)s::text[])
        AS g (tbl, id, epoch, key)),
back AS (UPDATE cutover.item i SET state = 'planned', owner = NULL, lease_until = NULL,
        not_before = clock_timestamp() + make_interval(secs => %(after)s),
        upload_id = CASE WHEN %(fresh)s THEN NULL ELSE i.upload_id END,
        key = CASE WHEN %(fresh)s THEN NULL ELSE i.key END, last_error = coalesce(nullif(%(why)s, ''), i.last_error)
    FROM given g WHERE i.tbl = g.tbl AND i.doc_id = g.id AND i.epoch = g.epoch AND i.state = 'uploading'
    RETURNING i.tbl, i.doc_id, g.key)
UPDATE cutover.object o SET state = 'orphan', last_intent_at = clock_timestamp() FROM back b
WHERE %(fresh)s AND o.key = b.key AND o.tbl = b.tbl AND o.doc_id = b.doc_id AND o.state = 'intent'

-- name: fail_claim
-- Epoch and owner must still be the claim's, and the owner is cleared, so one failure counts once; a quarantined file's unused key
-- becomes an orphan in the same transaction.
WITH failed AS (UPDATE cutover.item SET failures = failures + 1, last_error = %(why)s, failed_in = %(phase)s,
        owner = NULL, lease_until = NULL, not_before = clock_timestamp() + make_interval(secs => %(after)s * 2 ^ least(failures, 6)),
        state = CASE WHEN failures + 1 >= %(most)s THEN 'quarantined'
            WHEN state = 'uploading' THEN 'planned' ELSE state END
    WHERE tbl = %(tbl)s AND doc_id = %(id)s AND epoch = %(epoch)s AND owner = %(owner)s RETURNING state, key)
UPDATE cutover.object o SET state = 'orphan', last_intent_at = clock_timestamp() FROM failed f
WHERE f.state = 'quarantined' AND o.key = f.key AND o.state = 'intent'

-- name: close_claims
-- The epoch must still be the claim's; an object becomes an orphan in the same transaction, and never one that a row points at,
-- because the keys that rows carry are given in kept.
WITH given AS (SELECT * FROM unnest(%(tbls)s::text[], %(ids)s::text[], %(epochs)s::int[]) AS g (tbl, id, epoch)),
shut AS (UPDATE cutover.item i SET state = %(state)s, owner = NULL, lease_until = NULL
    FROM given g WHERE i.tbl = g.tbl AND i.doc_id = g.id AND i.epoch = g.epoch RETURNING i.key)
UPDATE cutover.object o SET state = 'orphan', last_intent_at = clock_timestamp() FROM shut s
WHERE o.key = s.key AND o.state IN ('intent', 'live') AND o.key <> ALL(%(kept)s)

-- name: remember_upload
-- The id is written before the first part is sent and only under this epoch, so after a crash the next owner goes on with the same
-- upload and an old owner learns, by no row, that the file is no longer its own.
UPDATE cutover.item SET upload_id = %(upload)s
WHERE tbl = %(tbl)s AND doc_id = %(id)s AND epoch = %(epoch)s AND state = 'uploading'

-- name: verify_claims
-- Only a switched file under this epoch is marked, after its object was read back; a crash before this leaves it switched, and it is
-- verified again.
UPDATE cutover.item i SET state = 'verified', version_id = v.version, lease_until = NULL,
    owner = NULL, last_error = NULL, failed_in = NULL
FROM unnest(%(tbls)s::text[], %(ids)s::text[], %(epochs)s::int[], %(versions)s::text[]) AS v (tbl, id, epoch, version)
WHERE i.tbl = v.tbl AND i.doc_id = v.id AND i.epoch = v.epoch AND i.state = 'switched'

-- name: note_emptied_row
-- The row was seen to carry our key and no bytes, so the file is in S3 alone whoever emptied it; the epoch must still be the claim's,
-- and a repeat writes the same again.
UPDATE cutover.item SET state = 'purged', lease_until = NULL, remark = 'emptied by the application'
WHERE tbl = %(tbl)s AND doc_id = %(id)s AND epoch = %(epoch)s

-- name: release_worker
-- Run once the lanes of this worker have stopped, and its id is its alone, so it takes nothing from a claim in use; without it,
-- after a crash, the leases lapse to the same effect.
UPDATE cutover.item SET owner = NULL, lease_until = NULL,
    state = CASE WHEN state = 'uploading' THEN 'planned' ELSE state END
WHERE owner = %(owner)s AND lease_until IS NOT NULL

-- name: retry_quarantined
-- Only quarantined files change, which no worker claims, so a repeat finds nothing; a key is kept only where the row may still point
-- at it, and one that is given up is an orphan already.
UPDATE cutover.item SET failures = 0, attempt = 0, not_before = '-infinity', lease_until = NULL, owner = NULL,
    state = CASE failed_in {retried_as} ELSE 'planned' END,
    key = CASE WHEN failed_in IN ({phases_keeping_key}) THEN key END,
    failed_in = NULL, upload_id = NULL
WHERE state = 'quarantined' AND (%(tbl)s = '' OR (tbl = %(tbl)s AND doc_id = %(id)s))
