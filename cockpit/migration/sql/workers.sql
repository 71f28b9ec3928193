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
-- Reads only, and takes no lock.
SELECT id, host, state, in_flight, concurrency, why, files, bytes, retries, errors, p95_ms, rss_bytes,
    extract(epoch FROM clock_timestamp() - seen_at)::float8
FROM cutover.worker
WHERE run_id = %(run)s AND state <> 'ended' AND seen_at > clock_timestamp() - interval '2 minutes'
ORDER BY started_at LIMIT 64

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
