-- The ledger's tables, in a schema of their own beside the application's; no table of the application is touched.

-- name: create_schema
-- Made only where it is missing, in one transaction with the rest of the ledger, so a repeat changes nothing.
CREATE SCHEMA IF NOT EXISTS cutover;

-- name: create_meta
-- Made only where it is missing, in one transaction with the rest of the ledger, so a repeat changes nothing.
CREATE TABLE IF NOT EXISTS cutover.meta (version int NOT NULL, created_at timestamptz NOT NULL DEFAULT clock_timestamp());

-- name: create_runs
-- Made only where it is missing, in one transaction with the rest of the ledger, so a repeat changes nothing; the unique index is what keeps two runs from being active at once.
CREATE TABLE IF NOT EXISTS cutover.run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    phase text NOT NULL CHECK (phase IN ({phases})),
    wanted text NOT NULL DEFAULT 'run' CHECK (wanted IN ({wanted_states})),
    settings jsonb NOT NULL,
    plan_digest text NOT NULL DEFAULT '',
    started_by text NOT NULL DEFAULT '',
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    outcome text NOT NULL DEFAULT '',
    allowance bigint,
    files_per_s int NOT NULL DEFAULT 0,
    bytes_per_s bigint NOT NULL DEFAULT 0,
    concurrency int NOT NULL DEFAULT 400,
    guarded boolean NOT NULL DEFAULT true,
    guard_until timestamptz,
    guards jsonb NOT NULL DEFAULT '[]',
    held_since timestamptz,
    halted jsonb,
    supervisor text NOT NULL DEFAULT '', supervised_since timestamptz, supervised_until timestamptz,
    resumed int NOT NULL DEFAULT 0);
CREATE UNIQUE INDEX IF NOT EXISTS run_one_active ON cutover.run ((true)) WHERE ended_at IS NULL;

-- name: create_items
-- Made only where it is missing, in one transaction with the rest of the ledger, so a repeat changes nothing; the primary key is what keeps a file from being planned twice.
CREATE TABLE IF NOT EXISTS cutover.item (
    tbl text NOT NULL, doc_id text NOT NULL,
    state text NOT NULL DEFAULT 'planned' CHECK (state IN ({item_states})),
    run_id bigint, owner text, epoch int NOT NULL DEFAULT 0, lease_until timestamptz,
    attempt int NOT NULL DEFAULT 0, failures int NOT NULL DEFAULT 0,
    not_before timestamptz NOT NULL DEFAULT '-infinity',
    kind text NOT NULL, name text NOT NULL, key text, size bigint NOT NULL, sha256 bytea,
    content_type text, upload_id text, version_id text, copied_by text, switched_at timestamptz,
    remark text, last_error text, failed_in text CHECK (failed_in IN ({phases})),
    PRIMARY KEY (tbl, doc_id));
CREATE INDEX IF NOT EXISTS item_to_copy ON cutover.item (tbl, doc_id) WHERE state IN ({to_copy});
CREATE INDEX IF NOT EXISTS item_to_verify ON cutover.item (tbl, doc_id) WHERE state IN ({to_verify});
CREATE INDEX IF NOT EXISTS item_to_purge ON cutover.item (tbl, doc_id) WHERE state IN ({to_purge});
CREATE INDEX IF NOT EXISTS item_odd ON cutover.item (tbl, doc_id) WHERE state IN ('quarantined', 'diverged') OR failures > 0;

-- name: create_objects
-- Made only where it is missing, in one transaction with the rest of the ledger, so a repeat changes nothing; the primary key is what keeps two files from sharing an object.
CREATE TABLE IF NOT EXISTS cutover.object (
    key text PRIMARY KEY, tbl text NOT NULL, doc_id text NOT NULL,
    state text NOT NULL CHECK (state IN ({object_states})),
    sha256 bytea, version_id text, last_intent_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE INDEX IF NOT EXISTS object_to_sweep ON cutover.object (last_intent_at) WHERE state IN ('intent', 'orphan');

-- name: create_workers
-- Made only where it is missing, in one transaction with the rest of the ledger, so a repeat changes nothing.
CREATE TABLE IF NOT EXISTS cutover.worker (
    id text PRIMARY KEY, run_id bigint NOT NULL, host text NOT NULL, pid int NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(), seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    state text NOT NULL DEFAULT 'starting' CHECK (state IN ({worker_states})),
    phase text NOT NULL CHECK (phase IN ({phases})),
    in_flight int NOT NULL DEFAULT 0, concurrency int NOT NULL DEFAULT 0, why text NOT NULL DEFAULT '',
    files bigint NOT NULL DEFAULT 0, bytes bigint NOT NULL DEFAULT 0, uploads bigint NOT NULL DEFAULT 0,
    adopted bigint NOT NULL DEFAULT 0, retries bigint NOT NULL DEFAULT 0, errors bigint NOT NULL DEFAULT 0,
    throttled bigint NOT NULL DEFAULT 0, p95_ms real NOT NULL DEFAULT 0, rss_bytes bigint NOT NULL DEFAULT 0);

-- name: create_events
-- Made only where it is missing, in one transaction with the rest of the ledger, so a repeat changes nothing.
CREATE TABLE IF NOT EXISTS cutover.event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(),
    run_id bigint, who text NOT NULL DEFAULT '', kind text NOT NULL, text text NOT NULL);

-- name: create_chunks
-- Made only where it is missing, in one transaction with the rest of the ledger, so a repeat changes nothing.
CREATE TABLE IF NOT EXISTS cutover.chunk (
    tbl text NOT NULL, doc_id text NOT NULL, n int NOT NULL, data bytea NOT NULL, PRIMARY KEY (tbl, doc_id, n));

-- name: create_tally
-- Made only where it is missing, in one transaction with the rest of the ledger, so a repeat changes nothing.
CREATE TABLE IF NOT EXISTS cutover.tally (
    slot int NOT NULL, tbl text NOT NULL, state text NOT NULL, files bigint NOT NULL, bytes bigint NOT NULL,
    PRIMARY KEY (slot, tbl, state)) WITH (fillfactor = 50);

-- name: count_new_files
-- Counts commit with the files they count, each connection in rows of its own, so no two wait for each other; the function is
-- replaced by itself and the trigger made only where it is missing (PostgreSQL 13 cannot replace one), so a repeat changes nothing.
CREATE OR REPLACE FUNCTION cutover.count_new() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO cutover.tally AS t SELECT pg_backend_pid(), tbl, state, count(*), sum(size) FROM fresh GROUP BY tbl, state
    ON CONFLICT (slot, tbl, state) DO UPDATE SET files = t.files + excluded.files, bytes = t.bytes + excluded.bytes;
    RETURN NULL;
END $$;
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'cutover.item'::regclass AND tgname = 'count_new') THEN
        CREATE TRIGGER count_new AFTER INSERT ON cutover.item
            REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION cutover.count_new();
    END IF;
END $$;

-- name: count_changed_files
-- Counts commit with the change they count, each connection in rows of its own, so no two wait for each other; the function is
-- replaced by itself and the trigger made only where it is missing (PostgreSQL 13 cannot replace one), so a repeat changes nothing.
CREATE OR REPLACE FUNCTION cutover.count_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO cutover.tally AS t
    SELECT pg_backend_pid(), tbl, state, sum(n), sum(b) FROM (
        SELECT tbl, state, count(*) AS n, sum(size) AS b FROM fresh GROUP BY tbl, state
        UNION ALL SELECT tbl, state, -count(*), -sum(size) FROM stale GROUP BY tbl, state) AS moved
    GROUP BY tbl, state HAVING sum(n) <> 0 OR sum(b) <> 0
    ON CONFLICT (slot, tbl, state) DO UPDATE SET files = t.files + excluded.files, bytes = t.bytes + excluded.bytes;
    RETURN NULL;
END $$;
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'cutover.item'::regclass AND tgname = 'count_changed') THEN
        CREATE TRIGGER count_changed AFTER UPDATE ON cutover.item
            REFERENCING NEW TABLE AS fresh OLD TABLE AS stale FOR EACH STATEMENT EXECUTE FUNCTION cutover.count_changed();
    END IF;
END $$;

-- name: write_version
-- Written once: a repeat finds the version there.
INSERT INTO cutover.meta (version) SELECT 1 WHERE NOT EXISTS (SELECT FROM cutover.meta);

-- name: let_monitors_read
-- Gives the right to read the ledger, never the application's tables; a repeat changes nothing.
GRANT USAGE ON SCHEMA cutover TO pg_monitor;
GRANT SELECT ON ALL TABLES IN SCHEMA cutover TO pg_monitor;

-- name: drop_ledger
-- Waits for statements that use the ledger and then takes all of it; rows and objects stay, and a repeat finds nothing.
DROP SCHEMA IF EXISTS cutover CASCADE

-- name: is_there
-- Reads the catalog only.
SELECT to_regclass('cutover.run') IS NOT NULL

-- name: has_failed_in
-- Reads the catalog only, so a ledger that needs no upgrade is not locked.
SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'cutover.item'::regclass AND attname = 'failed_in' AND NOT attisdropped)

-- name: add_failed_in
-- Locks the table for a moment and rewrites no row, because the column is empty; of two at once the second finds it.
ALTER TABLE cutover.item ADD COLUMN IF NOT EXISTS failed_in text CHECK (failed_in IN ({phases}))

-- name: fill_failed_in
-- In one transaction with the new column, so no reader sees one without the other; a repeat finds no phase in front of the error.
UPDATE cutover.item SET failed_in = split_part(last_error, ':', 1),
    last_error = ltrim(substr(last_error, strpos(last_error, ':') + 1))
WHERE state = 'quarantined' AND split_part(last_error, ':', 1) = ANY(%(phases)s)

-- name: has_supervision
-- Reads the catalog only, so a ledger that needs no upgrade is not locked.
SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'cutover.run'::regclass AND attname = 'supervised_until' AND NOT attisdropped)

-- name: add_supervision
-- Locks the small table of runs for a moment; of two at once the second finds the columns.
ALTER TABLE cutover.run ADD COLUMN IF NOT EXISTS supervisor text NOT NULL DEFAULT '',
    ADD COLUMN IF NOT EXISTS supervised_since timestamptz, ADD COLUMN IF NOT EXISTS supervised_until timestamptz,
    ADD COLUMN IF NOT EXISTS resumed int NOT NULL DEFAULT 0
