-- What the screens show; all of it reads only.

-- name: one_moment
-- Lasts until the end of this transaction, which only reads: all of its numbers are those of one snapshot.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY

-- name: show_moment
-- Reads only, and takes no lock; when the transaction began is the moment of its snapshot, and of all that is shown of it.
SELECT now()

-- name: show_run_clock
-- Reads only, and takes no lock.
SELECT (coalesce(guard_until > now(), false) OR NOT guarded)
    AND coalesce((to_jsonb(r) ->> 'supervised_until')::timestamptz > now(), true),
    extract(epoch FROM coalesce(ended_at, now()) - started_at)
FROM cutover.run r WHERE id = %(run)s

-- name: show_tally
-- Reads only, and takes no lock; counts commit with the change they count, so a snapshot is never in between.
SELECT tbl, state, sum(files)::bigint, sum(bytes)::bigint FROM cutover.tally GROUP BY 1, 2

-- name: show_failures
-- Reads only, and takes no lock; to_jsonb also reads a ledger of an earlier version, which has no column failed_in.
SELECT tbl, doc_id, state, failures, concat_ws(': ', to_jsonb(i) ->> 'failed_in', last_error), coalesce(key, '')
FROM cutover.item i WHERE state IN ('quarantined', 'diverged') OR failures > 0
ORDER BY state = 'quarantined' DESC, tbl, doc_id LIMIT 200

-- name: show_events
-- Reads only, and takes no lock.
SELECT at, who, kind, text FROM cutover.event ORDER BY id DESC LIMIT 20

-- name: show_deaths
-- Reads only, and takes no lock.
SELECT at, who, kind, text FROM cutover.event WHERE run_id = %(run)s AND kind = 'worker died' ORDER BY id DESC LIMIT 3

-- name: show_purged
-- Reads only, and takes no lock; a ledger of an earlier version has the phase in the text of the error, and is read there.
SELECT (SELECT min(started_at) FROM cutover.run WHERE phase = 'purge'),
    (SELECT coalesce(sum(files), 0)::bigint FROM cutover.tally WHERE state = 'purged')
    + (SELECT count(*) FROM cutover.item i WHERE state = 'quarantined'
        AND coalesce(to_jsonb(i) ->> 'failed_in', split_part(last_error, ':', 1)) = %(restore)s)
