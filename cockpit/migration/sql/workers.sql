-- What workers report of themselves; nothing here decides who has which file.

-- name: keep_memory
-- Reads and changes nothing: once the server's process has taken 16 MiB and given it back, the C library of Linux keeps what is freed,
-- where it would ask the system for the memory of each large value anew, and reading files in parts takes half the server's CPU.
SELECT octet_length(repeat(repeat(' ', 4096), 4096))

-- name: report_worker
-- A worker writes its own row alone, by an id no other process has; a repeat writes the newest numbers over the older.
INSERT INTO cutover.worker (id, run_id, host, pid, state, phase, in_flight, concurrency, why, files, bytes,
    uploads, adopted, retries, errors, throttled, p95_ms, rss_bytes)
VALUES (%(id)s, %(run)s, %(host)s, %(pid)s, %(state)s, %(phase)s, %(in_flight)s, %(concurrency)s, %(why)s, %(files)s, %(bytes)s,
    %(uploads)s, %(adopted)s, %(retries)s, %(errors)s, %(throttled)s, %(p95_ms)s, %(rss_bytes)s)
ON CONFLICT (id) DO UPDATE SET seen_at = clock_timestamp(), state = excluded.state, in_flight = excluded.in_flight,
    concurrency = excluded.concurrency, why = excluded.why, files = excluded.files, bytes = excluded.bytes,
    uploads = excluded.uploads, adopted = excluded.adopted, retries = excluded.retries, errors = excluded.errors,
    throttled = excluded.throttled, p95_ms = excluded.p95_ms, rss_bytes = excluded.rss_bytes

-- name: show_workers
-- Reads only, and takes no lock; while the run is active, who has not said that it ended is shown, however long it has said nothing.
SELECT w.id, w.host, w.state, w.in_flight, w.concurrency, w.why, w.files, w.bytes, w.retries, w.errors, w.p95_ms, w.rss_bytes,
    extract(epoch FROM now() - w.seen_at)::float8, w.seen_at
FROM cutover.worker w JOIN cutover.run r ON r.id = w.run_id
WHERE w.run_id = %(run)s AND w.state <> 'ended' AND (r.ended_at IS NULL OR w.seen_at > now() - interval '2 minutes')
ORDER BY w.started_at LIMIT 200

-- name: reporting_workers
-- Reads only, and takes no lock.
SELECT w.id FROM cutover.worker w JOIN cutover.run r ON r.id = w.run_id
WHERE w.run_id = %(run)s AND w.state <> 'ended' AND w.seen_at > clock_timestamp() - make_interval(secs => %(alive)s)
    AND (r.supervised_since IS NULL OR w.started_at >= r.supervised_since)

-- name: note_silent_workers
-- Adds a line for each worker that has none since it last came, so a repeat adds nothing, whoever supervises; it decides nothing, as
-- files are taken over because their leases lapse.
INSERT INTO cutover.event (run_id, who, kind, text)
SELECT w.run_id, w.id, 'worker silent', 'nothing since ' || to_char(w.seen_at AT TIME ZONE 'UTC', 'HH24:MI:SS')
    || ' UTC; its files are taken over once their leases lapse, by '
    || to_char((w.seen_at + make_interval(secs => (r.settings ->> 'lease_s')::float8)) AT TIME ZONE 'UTC', 'HH24:MI:SS')
FROM cutover.worker w JOIN cutover.run r ON r.id = w.run_id
WHERE w.run_id = %(run)s AND r.ended_at IS NULL AND w.state <> 'ended'
    AND w.seen_at < clock_timestamp() - make_interval(secs => %(silent)s)
    AND NOT EXISTS (SELECT FROM cutover.event e WHERE e.run_id = w.run_id AND e.who = w.id AND e.kind = 'worker silent' AND e.at > w.seen_at)

-- name: note_workers_back
-- Adds a line for each worker that has come since the last line that it had not, so a repeat adds nothing; it decides nothing.
INSERT INTO cutover.event (run_id, who, kind, text)
SELECT w.run_id, w.id, 'worker back', 'it reports again; what others have taken over stays theirs'
FROM cutover.worker w WHERE w.run_id = %(run)s AND w.state <> 'ended'
    AND (SELECT e.kind = 'worker silent' AND e.at < w.seen_at FROM cutover.event e
        WHERE e.run_id = w.run_id AND e.who = w.id AND e.kind IN ('worker silent', 'worker back') ORDER BY e.id DESC LIMIT 1)

-- name: end_worker
-- Only the row of a process that was seen to end changes, whose id no other has; a repeat writes the same, and its leases are left to
-- lapse, because each of its files counts the workers that ended with it.
UPDATE cutover.worker SET state = 'ended', in_flight = 0 WHERE run_id = %(run)s AND regexp_replace(id, '-[^-]*$', '') = %(name)s AND state <> 'ended'

-- name: sum_workers
-- Reads only, and takes no lock; rows of workers that have ended stay, so the sums of a run never fall.
SELECT coalesce(sum(files), 0)::bigint, coalesce(sum(bytes), 0)::bigint, coalesce(sum(uploads), 0)::bigint,
    coalesce(sum(adopted), 0)::bigint, coalesce(sum(retries), 0)::bigint, coalesce(sum(errors), 0)::bigint,
    coalesce(sum(throttled), 0)::bigint
FROM cutover.worker WHERE run_id = %(run)s

-- name: measure_last_copy
-- Reads only, and takes no lock.
SELECT sum(w.files) / extract(epoch FROM max(w.seen_at) - min(w.started_at)) FROM cutover.worker w
JOIN cutover.run r ON r.id = w.run_id WHERE r.phase = 'copy' GROUP BY r.id HAVING sum(w.files) > 50
    AND max(w.seen_at) > min(w.started_at) ORDER BY r.id DESC LIMIT 1
