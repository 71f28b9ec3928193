-- Runs: one at a time; the row is the only way to steer it.

-- name: begin_run
-- A unique index allows one run without an end, so of two that begin at once the second fails and changes nothing.
INSERT INTO cutover.run (phase, settings, started_by, plan_digest, allowance, files_per_s, bytes_per_s, concurrency, guarded,
    supervisor, supervised_since, supervised_until)
SELECT %(phase)s, %(settings)s, %(by)s, %(plan_digest)s, %(allowance)s, %(files_per_s)s, %(bytes_per_s)s, %(concurrency)s,
    %(guarded)s, %(supervisor)s::text, s.began, s.began + make_interval(secs => %(lease)s)
FROM (SELECT CASE WHEN %(supervisor)s::text <> '' THEN clock_timestamp() END AS began) s RETURNING id

-- part: runs
-- Reads only, and takes no lock; run, workers and the age of its supervision are of one snapshot, and of a ledger of an earlier
-- version, which has no supervision, the columns read as empty.
SELECT r.id, r.phase, r.wanted, r.settings, r.started_by, r.started_at, r.ended_at, r.outcome,
    r.allowance, r.files_per_s, r.bytes_per_s, r.concurrency, r.guarded, r.guards, r.held_since, r.halted,
    (SELECT count(*) FROM cutover.worker w WHERE w.run_id = r.id AND w.state <> 'ended'
        AND w.seen_at > clock_timestamp() - make_interval(secs => %(alive)s)),
    (SELECT count(*) FROM cutover.worker w WHERE w.run_id = r.id AND w.state <> 'ended' AND w.started_at < s.supervised_since
        AND w.seen_at > clock_timestamp() - make_interval(secs => %(alive)s)),
    coalesce(s.supervisor, ''), s.supervised_until, coalesce(s.supervised_until > clock_timestamp(), false),
    coalesce(coalesce(s.supervised_until, r.guard_until) < clock_timestamp() - interval '5 minutes', false),
    coalesce(s.resumed, 0)
FROM cutover.run r CROSS JOIN LATERAL jsonb_to_record(to_jsonb(r))
    AS s (supervisor text, supervised_since timestamptz, supervised_until timestamptz, resumed int)

-- name: load_run
-- Reads only, and takes no lock.
{runs} WHERE r.id = %(run)s

-- name: current_run
-- Reads only, and takes no lock; a unique index allows one run without an end.
{runs} WHERE r.ended_at IS NULL

-- name: latest_run
-- Reads only, and takes no lock.
{runs} WHERE r.id = (SELECT max(id) FROM cutover.run)

-- name: want
-- An ended run is not changed and an abort is never taken back, so of two operators at once the abort wins; a repeat
-- writes the same, and a halt from before it comes too late.
UPDATE cutover.run SET wanted = %(wanted)s, halted = CASE WHEN NOT %(resumed)s THEN halted END,
    resumed = resumed + %(resumed)s::int
WHERE id = %(run)s AND ended_at IS NULL AND (wanted <> 'abort' OR %(wanted)s = 'abort')

-- name: limit_run
-- Changes numbers that workers read at their next heartbeat, and only of a run that has not ended; a repeat writes the same.
UPDATE cutover.run SET concurrency = coalesce(%(concurrency)s, concurrency),
    files_per_s = coalesce(%(files_per_s)s, files_per_s), bytes_per_s = coalesce(%(bytes_per_s)s, bytes_per_s)
WHERE id = %(run)s AND ended_at IS NULL

-- name: judge_guards
-- Only the supervisor that has the run renews its lease and the right to begin files, so when it dies both lapse by themselves; a
-- repeat keeps the time since when a guard holds.
WITH was AS (SELECT held_since FROM cutover.run WHERE id = %(run)s)
UPDATE cutover.run r SET guard_until = clock_timestamp() + make_interval(secs => %(lease)s), guards = %(guards)s,
    supervised_until = clock_timestamp() + make_interval(secs => %(lease)s),
    held_since = CASE WHEN %(held)s THEN coalesce(r.held_since, clock_timestamp()) END
FROM was WHERE r.id = %(run)s AND r.supervisor = %(supervisor)s AND r.ended_at IS NULL RETURNING was.held_since IS NOT NULL

-- name: end_run
-- An end is written once, the first wins, and with it every claim that a worker still has gets a new epoch: one that was stopped and
-- goes on later changes no row; its leases lapse now, so the next run need not wait and each file still counts who ended with it.
WITH ended AS (UPDATE cutover.run SET ended_at = clock_timestamp(), outcome = %(outcome)s
    WHERE id = %(run)s AND ended_at IS NULL RETURNING id),
taken AS (UPDATE cutover.item i SET epoch = i.epoch + 1, lease_until = least(i.lease_until, clock_timestamp())
    FROM ended WHERE i.lease_until IS NOT NULL)
SELECT FROM ended

-- name: halt_run
-- The first error wins until the run is resumed, so many workers that fail at once halt it once, and one of them notes it; an
-- error of work begun before the run was last resumed changes nothing.
UPDATE cutover.run SET halted = jsonb_build_object('code', %(code)s::text, 'detail', %(detail)s::text, 'hint', %(hint)s::text,
    'at', clock_timestamp())
WHERE id = %(run)s AND halted IS NULL AND resumed = %(resumed)s

-- name: take_allowance
-- The row is locked before it is read, so two workers never use the same allowance; a crash after it begins fewer files than were
-- allowed, never more.
WITH was AS (SELECT allowance FROM cutover.run WHERE id = %(run)s FOR UPDATE)
UPDATE cutover.run r SET allowance = greatest(w.allowance - %(files)s, 0) FROM was w
WHERE r.id = %(run)s AND w.allowance IS NOT NULL RETURNING least(w.allowance, %(files)s)

-- name: give_back_allowance
-- Adds to the row's own value under its lock, so no other worker's change is lost; a crash before it begins fewer files, never more.
UPDATE cutover.run SET allowance = allowance + %(files)s WHERE id = %(run)s AND allowance IS NOT NULL

-- part: open_files
-- Reads only, and takes no lock; asked for files with a lease alone, it finds those that a worker has now.
SELECT 1 FROM cutover.item WHERE (NOT %(leased)s OR lease_until > clock_timestamp())

-- name: open_to_copy
-- Reads only, and takes no lock; the words stand in the text, so that the partial index of the phase answers at once.
{open_files} AND state IN ({to_copy}) LIMIT 1

-- name: open_to_verify
-- Reads only, and takes no lock; the words stand in the text, so that the partial index of the phase answers at once.
{open_files} AND state IN ({to_verify}) LIMIT 1

-- name: open_to_purge
-- Reads only, and takes no lock; a file that has not soaked yet is not for this run, and is not waited for.
{open_files} AND state IN ({to_purge}) AND switched_at < clock_timestamp() - make_interval(secs => %(soak)s) LIMIT 1

-- name: count_soaked
-- Reads only, and takes no lock; the words stand in the text, so that the partial index of the phase answers.
SELECT count(*) FILTER (WHERE switched_at < clock_timestamp() - make_interval(secs => %(soak)s)), count(*),
    min(switched_at) + make_interval(secs => %(soak)s), max(switched_at) + make_interval(secs => %(soak)s)
FROM cutover.item WHERE state IN ({to_purge}) AND (%(tbl)s = '' OR tbl = %(tbl)s)

-- name: open_to_restore
-- Reads only, and takes no lock; the words stand in the text, so that the partial indexes of the phase answer at once.
{open_files} AND state IN ({to_restore}) LIMIT 1

-- name: count_failed
-- Reads only, and takes no lock; the partial index on odd files makes it cheap.
SELECT count(*) FILTER (WHERE state = 'quarantined'), count(*) FILTER (WHERE state = 'diverged') FROM cutover.item
WHERE state IN ('quarantined', 'diverged')

-- name: take_supervision
-- The row's lock lets one of two take it, and only what nobody has, or this one itself; it lapses by database time, so no process
-- has to live for it to be free again.
UPDATE cutover.run SET supervisor = %(supervisor)s,
    supervised_since = CASE WHEN supervisor = %(supervisor)s THEN supervised_since ELSE clock_timestamp() END,
    supervised_until = clock_timestamp() + make_interval(secs => %(lease)s)
WHERE id = %(run)s AND ended_at IS NULL
    AND (supervisor = %(supervisor)s OR supervised_until IS NULL OR supervised_until < clock_timestamp())

-- name: release_supervision
-- Only the one that has it gives it up, and the right to begin files with it; a repeat writes the same.
UPDATE cutover.run SET supervised_until = clock_timestamp(), guard_until = clock_timestamp()
WHERE id = %(run)s AND supervisor = %(supervisor)s AND ended_at IS NULL

-- name: is_decided
-- Reads only, and takes no lock.
SELECT EXISTS (SELECT FROM cutover.event e WHERE e.kind = 'decided' AND starts_with(e.text, %(statement)s))

-- name: minutes_since_decided
-- Reads only, and takes no lock.
SELECT (extract(epoch FROM clock_timestamp() - max(e.at)) / 60)::float FROM cutover.event e WHERE e.kind = 'decided'

-- name: begin_one_by_one
-- Waits for whoever begins a run at this moment and for nobody else; given back by the end of the transaction.
SELECT pg_advisory_xact_lock(hashtext('cockpit: a run begins by a statement'))

-- name: note_decision
-- Adds a line unless one begins with the same words, and changes none: each statement of the record begins one run.
INSERT INTO cutover.event (run_id, who, kind, text)
SELECT NULL, %(who)s, 'decided', %(text)s
WHERE NOT EXISTS (SELECT FROM cutover.event e WHERE e.kind = 'decided' AND starts_with(e.text, %(statement)s))

-- name: note
-- Adds a line and changes none; a repeat shows twice in the history and has no other effect.
INSERT INTO cutover.event (run_id, who, kind, text) VALUES (%(run)s, %(who)s, %(kind)s, %(text)s)
