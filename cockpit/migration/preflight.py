"""Everything that must be so before a file moves: each check says what was found and what to do."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from cockpit.migration import runs, schema
from cockpit.migration.database import Connection, words_of
from cockpit.migration.object_store import Head, Store
from cockpit.migration.plan_settings import settings_of
from cockpit.migration.preflight_check import Check, bad, good
from cockpit.migration.preflight_connections import room_for_workers
from cockpit.migration.preflight_trial import facts_of_table, server_and_rows
from cockpit.migration.settings import Settings, Source
from cockpit.migration.sql_files import statement
from cockpit.migration.states import PhaseName
from cockpit.migration.store_errors import Halting, Missing, StoreError
from cockpit.migration_scope import MigrationTable, Storage
from cockpit.plan.model import Migration, Plan

_COLUMNS_OF = statement("columns_of")
_MAY_WRITE = statement("may_write")
_MAY_MAKE_LEDGER = statement("may_make_ledger")


async def describe(connection: Connection, migration: Migration) -> tuple[Mapping[str, str], list[Check]]:
    """The type of each table's key column by label, and what is wrong with the tables."""
    types: dict[str, str] = {}
    checks: list[Check] = []
    for table in migration.tables:
        label = Source(table).label
        columns = await _columns(connection, table)
        if not columns:
            checks.append(bad(label, "there is no such table", "correct migration.tables in the plan"))
            continue
        types[label] = columns.get(table.id, ("text", True))[0]
        judged = _judged(label, table, columns)
        checks += judged
        checks += await _may_write(connection, label, table)
        if all(check.ok for check in judged):
            checks += await facts_of_table(connection, Source(table, types[label]))
    return types, checks


async def _columns(connection: Connection, table: MigrationTable) -> dict[str, tuple[str, bool]]:
    given = {"schema": table.schema, "table": table.name}
    rows = await (await connection.execute(_COLUMNS_OF, given)).fetchall()
    return {row[0]: (row[1], row[2]) for row in rows}


def _judged(label: str, table: MigrationTable, columns: Mapping[str, tuple[str, bool]]) -> list[Check]:
    wanted = (table.id, table.data, table.filename, table.file_type, table.size, table.key, table.bucket, table.region)
    missing = [name for name in wanted if name not in columns]
    if missing:
        fix = "apply the Prisma migration that adds them, or name them in migration.tables"
        return [bad(label, f"has no column {', '.join(missing)}", fix)]
    kind, nullable = columns[table.data]
    if kind != "bytea":
        return [bad(label, f"{table.data} is {kind}, not bytea", "name the column with the files")]
    if not nullable:
        return [bad(label, f"{table.data} may not be NULL, so a purge could not empty it", "drop its NOT NULL")]
    return [good(label, f"{len(wanted)} columns as the plan says")]


async def _may_write(connection: Connection, label: str, table: MigrationTable) -> list[Check]:
    given = {"schema": table.schema, "table": table.name}
    row = await (await connection.execute(_MAY_WRITE, given)).fetchone()
    if row and row[0]:
        return []
    return [bad(label, "this role lacks SELECT and UPDATE on it", f'GRANT SELECT, UPDATE ON "{table.name}"')]


async def preflight(
    connection: Connection, plan: Plan, migration: Migration, now: datetime, phase: PhaseName, workers: int = 0
) -> AsyncIterator[Check]:
    """Every check of a phase by so many workers (0: the plan's) in turn; one that fails keeps no other from being made.

    Rows that wait to be copied are tried for a copy alone, and whether the bucket takes files is not asked for a restore: what is
    in the way of moving more files must not keep those that were moved from being verified, or from coming back.
    """
    types, checks = await describe(connection, migration)
    for check in checks:
        yield check
    settings = settings_of(migration, types, plan.target.account)
    refused = {check.what for check in checks if check.ok is False}
    tried = [source for source in settings.sources if phase is PhaseName.COPY and source.label not in refused]
    async for check in server_and_rows(connection, settings, tried):
        yield check
    limits = migration.limits
    yield await room_for_workers(connection, workers or limits.workers, limits.connections)
    yield await _ledger(connection)
    yield await _alone(connection)
    yield _off_hours(migration, now)
    store = Store(settings)
    try:
        try:
            store.open()
        except Exception as error:  # noqa: BLE001 - botocore's many ways to have no credentials
            yield bad("AWS", words_of(error), "log in, then again")
            return
        async for check in bucket(store, settings, takes_files=phase is not PhaseName.RESTORE):
            yield check
    finally:
        store.close()


async def _ledger(connection: Connection) -> Check:
    row = await (await connection.execute(_MAY_MAKE_LEDGER)).fetchone()
    fix = "GRANT CREATE ON DATABASE to this role until the ledger is created"
    return Check(
        "ledger",
        bool(row and row[0]),
        "this role may create the schema cutover" if row and row[0] else "it may not",
        fix,
    )


async def _alone(connection: Connection) -> Check:
    active = await runs.current(connection) if await schema.is_there(connection) else None
    if active is None:
        return good("no other run", "none is active")
    named = f"{active.phase} (run {active.id}, begun by {active.started_by or 'somebody'})"
    if active.ownerless:
        return good("no other run", f"{named} has no supervisor: it ends before this one begins")
    return bad("no other run", f"{named} is active", "`cockpit migrate drain` ends it after files in flight finish")


def _off_hours(migration: Migration, now: datetime) -> Check:
    begins, ends = migration.window
    if not begins:
        return Check("off-hours", None, "the plan names no window")
    local = f"{now.astimezone(ZoneInfo(migration.timezone)):%H:%M}"
    inside = begins <= local < ends if begins <= ends else local >= begins or local < ends
    found = f"{local} {migration.timezone} is {'inside' if inside else 'outside'} {begins}-{ends}"
    return Check("off-hours", inside, found, "wait for the window, or give a reason with --outside-window")


async def bucket(store: Store, settings: Settings, *, takes_files: bool = True) -> AsyncIterator[Check]:
    """What is so of the bucket and, where it `takes_files`, one object put, read and removed as files are."""
    name = f"bucket {settings.bucket}"
    try:
        await store.ask("head_bucket")
    except StoreError as error:
        yield bad(name, str(error), error.hint or "check its name, account and region")
        return
    owner = f", owned by {settings.account}" if settings.account else ""
    yield good(name, f"there{owner}")
    if not takes_files:
        return
    yield await _asked(store, "versioning", "get_bucket_versioning", _versioned)
    yield await _locked(store)
    yield await _asked(store, "unfinished uploads", "get_bucket_lifecycle_configuration", _aborts)
    yield await _canary(store, settings)


def _versioned(answer: Mapping[str, object]) -> tuple[bool, str]:
    status = str(answer.get("Status") or "never enabled")
    return status == "Enabled", status


def _aborts(answer: Mapping[str, object]) -> tuple[bool, str]:
    rules = answer.get("Rules")
    on = [r for r in rules if r.get("Status") == "Enabled"] if isinstance(rules, list) else []
    days = [
        r["AbortIncompleteMultipartUpload"].get("DaysAfterInitiation")
        for r in on
        if "AbortIncompleteMultipartUpload" in r
    ]
    return bool(days), f"aborted after {min(days)} days" if days else "kept, and billed, indefinitely"


_FIXES = {
    "versioning": "aws s3api put-bucket-versioning --versioning-configuration Status=Enabled",
    "unfinished uploads": "add a lifecycle rule with AbortIncompleteMultipartUpload",
}


async def _asked(store: Store, what: str, operation: str, judge: object) -> Check:
    assert callable(judge)
    try:
        answer = await store.ask(operation)
    except Missing:
        answer = {}
    except StoreError as error:
        return bad(what, str(error), error.hint)
    ok, found = judge(answer)
    # Without the lifecycle rule only money is lost; sweep aborts what is left.
    return Check(what, ok if what == "versioning" else (ok or None), found, _FIXES[what])


async def _locked(store: Store) -> Check:
    """Object Lock: while a retention lasts, a sweep can hide what nothing needs and not remove it."""
    what = "object lock"
    try:
        answer = await store.ask("get_object_lock_configuration")
    except Missing:
        return good(what, "off")
    except StoreError as error:
        return Check(what, None, str(error), "allow s3:GetBucketObjectLockConfiguration")
    configured = answer.get("ObjectLockConfiguration", {})
    if configured.get("ObjectLockEnabled") != "Enabled":  # a store that does not know the question may answer another
        return good(what, "off")
    retention = configured.get("Rule", {}).get("DefaultRetention", {})
    if not retention:
        return good(what, "on, without a default retention")
    span = f"{retention['Days']} days" if "Days" in retention else f"{retention.get('Years', '?')} years"
    fix = "a restore or a file that changes leaves its object there, and billed, until then"
    return Check(what, None, f"every object is kept for {span} ({retention.get('Mode', '?')})", fix)


async def _removed(store: Store, key: str, version: str) -> str:
    """Remove an object as a sweep does; "" or that its version stays, hidden, where Object Lock keeps it."""
    try:
        await store.delete(key, version)
    except Halting as refused:
        if not refused.locked:
            raise
        await store.delete(key)
        return "; hidden, and kept by Object Lock"
    return ""


def _unlike(head: Head, storage: Storage) -> str:
    """How an object is not encrypted as the plan has it; "" where it is."""
    if not head.encryption:
        return "the object is not encrypted"
    if storage.encryption and head.encryption != storage.encryption:
        return f"the object is encrypted with {head.encryption}, not {storage.encryption}"
    if storage.kms_key and storage.kms_key.rpartition("/")[2] not in head.kms_key and "alias/" not in storage.kms_key:
        return f"the object is encrypted with the key {head.kms_key or '(none named)'}, not {storage.kms_key}"
    return "the bucket key was not used" if storage.bucket_key and not head.bucket_key else ""


async def _canary(store: Store, settings: Settings) -> Check:
    """Put, read back, ask about and delete one small object, and begin one in parts: by both clients, as files are."""
    key, body = f"{settings.prefix}cockpit-canary/{secrets.token_hex(8)}", secrets.token_bytes(64)
    what = "put, read, delete"
    try:
        await store.abort_parts(key, await store.begin_parts(key, "application/octet-stream"))
        version = await store.put(key, body, "application/octet-stream")
        try:
            there, head = await store.read(key), await store.head(key)
        finally:
            kept = await _removed(store, key, version)
    except StoreError as error:
        hint = error.hint or "allow s3:PutObject, s3:GetObject and s3:DeleteObject under the prefix"
        return bad(what, str(error), hint)
    if there.size != len(body):
        return bad(what, "the object read back differs from the one written")
    if wrong := _unlike(head, settings.storage):
        return bad(what, wrong, "see migration.storage in the plan, and the bucket's default encryption")
    by = " ".join((head.encryption, head.kms_key, "with a bucket key" if head.bucket_key else "")).strip()
    return good(what, f"done, {by}, version {'kept' if head.version else 'not kept'}{kept}")


async def prepare(connection: Connection, settings: Settings) -> int:
    """Make the ledger and plan every file; how many were new. Repeatable."""
    await schema.create(connection)
    await schema.let_monitors_read(connection)
    return await runs.enlist_all(connection, settings)
