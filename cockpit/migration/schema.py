"""The ledger's tables, in a schema of their own beside the application's: made by `prepare`, dropped by `forget`."""

from __future__ import annotations

from cockpit.migration.database import Connection
from cockpit.migration.states import (
    OPEN,
    ItemState,
    ObjectState,
    PhaseName,
    Wanted,
    WorkerState,
    literals,
)

_ITEM = ItemState
_ODD = literals((_ITEM.QUARANTINED, _ITEM.DIVERGED))
_TO_SWEEP = literals((ObjectState.INTENT, ObjectState.ORPHAN))
CREATE = f"""
CREATE SCHEMA IF NOT EXISTS cutover;
CREATE TABLE IF NOT EXISTS cutover.meta (version int NOT NULL, created_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TABLE IF NOT EXISTS cutover.run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    phase text NOT NULL CHECK (phase IN ({literals(PhaseName)})),
    wanted text NOT NULL DEFAULT '{Wanted.RUN}' CHECK (wanted IN ({literals(Wanted)})),
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
    halted jsonb);
CREATE UNIQUE INDEX IF NOT EXISTS run_one_active ON cutover.run ((true)) WHERE ended_at IS NULL;
CREATE TABLE IF NOT EXISTS cutover.item (
    tbl text NOT NULL, doc_id text NOT NULL,
    state text NOT NULL DEFAULT '{_ITEM.PLANNED}' CHECK (state IN ({literals(ItemState)})),
    run_id bigint, owner text, epoch int NOT NULL DEFAULT 0, lease_until timestamptz,
    attempt int NOT NULL DEFAULT 0, failures int NOT NULL DEFAULT 0,
    not_before timestamptz NOT NULL DEFAULT '-infinity',
    kind text NOT NULL, name text NOT NULL, key text, size bigint NOT NULL, sha256 bytea,
    content_type text, upload_id text, version_id text, copied_by text, switched_at timestamptz,
    remark text, last_error text, failed_in text CHECK (failed_in IN ({literals(PhaseName)})),
    PRIMARY KEY (tbl, doc_id));
CREATE INDEX IF NOT EXISTS item_to_copy ON cutover.item (tbl, doc_id) WHERE state IN ({literals(OPEN[PhaseName.COPY])});
CREATE INDEX IF NOT EXISTS item_to_verify ON cutover.item (tbl, doc_id) WHERE state = '{_ITEM.SWITCHED}';
CREATE INDEX IF NOT EXISTS item_to_purge ON cutover.item (tbl, doc_id) WHERE state = '{_ITEM.VERIFIED}';
CREATE INDEX IF NOT EXISTS item_odd ON cutover.item (tbl, doc_id) WHERE state IN ({_ODD}) OR failures > 0;
CREATE TABLE IF NOT EXISTS cutover.object (
    key text PRIMARY KEY, tbl text NOT NULL, doc_id text NOT NULL,
    state text NOT NULL CHECK (state IN ({literals(ObjectState)})),
    sha256 bytea, version_id text, last_intent_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE INDEX IF NOT EXISTS object_to_sweep ON cutover.object (last_intent_at) WHERE state IN ({_TO_SWEEP});
CREATE TABLE IF NOT EXISTS cutover.worker (
    id text PRIMARY KEY, run_id bigint NOT NULL, host text NOT NULL, pid int NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(), seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    state text NOT NULL DEFAULT '{WorkerState.STARTING}', phase text NOT NULL,
    in_flight int NOT NULL DEFAULT 0, concurrency int NOT NULL DEFAULT 0, why text NOT NULL DEFAULT '',
    files bigint NOT NULL DEFAULT 0, bytes bigint NOT NULL DEFAULT 0, uploads bigint NOT NULL DEFAULT 0,
    adopted bigint NOT NULL DEFAULT 0, retries bigint NOT NULL DEFAULT 0, errors bigint NOT NULL DEFAULT 0,
    throttled bigint NOT NULL DEFAULT 0, p95_ms real NOT NULL DEFAULT 0, rss_bytes bigint NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS cutover.event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(),
    run_id bigint, who text NOT NULL DEFAULT '', kind text NOT NULL, text text NOT NULL);
CREATE TABLE IF NOT EXISTS cutover.chunk (
    tbl text NOT NULL, doc_id text NOT NULL, n int NOT NULL, data bytea NOT NULL, PRIMARY KEY (tbl, doc_id, n));
CREATE TABLE IF NOT EXISTS cutover.tally (
    slot int NOT NULL, tbl text NOT NULL, state text NOT NULL, files bigint NOT NULL, bytes bigint NOT NULL,
    PRIMARY KEY (slot, tbl, state)) WITH (fillfactor = 50);

-- Counts by state are kept by the database itself, each connection in rows of its own: exact, and never counted again.
CREATE OR REPLACE FUNCTION cutover.count_new() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO cutover.tally AS t SELECT pg_backend_pid(), tbl, state, count(*), sum(size) FROM fresh GROUP BY tbl, state
    ON CONFLICT (slot, tbl, state) DO UPDATE SET files = t.files + excluded.files, bytes = t.bytes + excluded.bytes;
    RETURN NULL;
END $$;
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
CREATE OR REPLACE TRIGGER count_new AFTER INSERT ON cutover.item
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION cutover.count_new();
CREATE OR REPLACE TRIGGER count_changed AFTER UPDATE ON cutover.item
    REFERENCING NEW TABLE AS fresh OLD TABLE AS stale FOR EACH STATEMENT EXECUTE FUNCTION cutover.count_changed();
INSERT INTO cutover.meta (version) SELECT 1 WHERE NOT EXISTS (SELECT FROM cutover.meta);
"""

LET_MONITORS_READ = """
GRANT USAGE ON SCHEMA cutover TO pg_monitor;
GRANT SELECT ON ALL TABLES IN SCHEMA cutover TO pg_monitor;
"""
"""Whoever may monitor the database may see how far the migration is."""

DROP = "DROP SCHEMA IF EXISTS cutover CASCADE"
EXISTS = "SELECT to_regclass('cutover.run') IS NOT NULL"

_HAS_FAILED_IN = """SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'cutover.item'::regclass
    AND attname = 'failed_in' AND NOT attisdropped)"""
_ADD_FAILED_IN = f"""
ALTER TABLE cutover.item ADD COLUMN IF NOT EXISTS failed_in text CHECK (failed_in IN ({literals(PhaseName)}));
UPDATE cutover.item SET failed_in = split_part(last_error, ':', 1),
    last_error = ltrim(substr(last_error, strpos(last_error, ':') + 1))
WHERE state = '{_ITEM.QUARANTINED}' AND split_part(last_error, ':', 1) IN ({literals((PhaseName.VERIFY, PhaseName.RESTORE))});
"""
"""An earlier version kept the phase at the beginning of the error's text."""


async def upgrade(connection: Connection) -> None:
    """Bring a ledger that an earlier version made up to date. Takes no lock where there is nothing to do."""
    row = await (await connection.execute(_HAS_FAILED_IN)).fetchone()
    if row is None or not row[0]:
        async with connection.transaction():
            await connection.execute(_ADD_FAILED_IN)
