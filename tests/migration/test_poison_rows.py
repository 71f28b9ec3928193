"""A row that the database or S3 refuses fails alone, with the server's words; every other row goes on, in every phase."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest
from migration.migration_bench import Bench

from cockpit.migration import runs
from cockpit.migration.ledger import Claim, Ledger
from cockpit.migration.object_store import Store
from cockpit.migration.rate_limiter import Throttle
from cockpit.migration.settings import Source
from cockpit.migration.states import PhaseName
from cockpit.migration.worker_context import Work
from cockpit.migration_scope import MigrationTable
from cockpit.rehearsal.object_store import StoreFault

pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
ROWS = 12
POISONED = "doc-007"
MADE = """
DROP TABLE IF EXISTS docs_poison;
CREATE TABLE docs_poison ("id" text PRIMARY KEY, archived boolean NOT NULL DEFAULT false, "filename" text, "fileType" text,
    "fileData" bytea, "fileSize" int, "s3Key" text, "s3Bucket" text, "s3Region" text);
INSERT INTO docs_poison SELECT 'doc-' || lpad(n::text, 3, '0'), n = 7, 'f' || n || '.pdf', 'pdf',
    convert_to('body ' || n, 'UTF8'), octet_length('body ' || n) FROM generate_series(1, 12) n;
"""
RAISING = """
CREATE OR REPLACE FUNCTION keep_archived() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF OLD.archived THEN RAISE EXCEPTION 'document % is archived and must not be changed', OLD.id; END IF; RETURN NEW; END $$;
DROP TRIGGER IF EXISTS keep ON docs_poison;
CREATE TRIGGER keep BEFORE UPDATE ON docs_poison FOR EACH ROW EXECUTE FUNCTION keep_archived();
"""
SKIPPING = """
CREATE OR REPLACE FUNCTION skip_archived() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF OLD.archived THEN RETURN NULL; END IF; RETURN NEW; END $$;
DROP TRIGGER IF EXISTS keep ON docs_poison;
CREATE TRIGGER keep BEFORE UPDATE ON docs_poison FOR EACH ROW EXECUTE FUNCTION skip_archived();
"""
BROKEN_FUNCTION = """
CREATE OR REPLACE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF OLD.archived THEN INSERT INTO there_is_no_such_table VALUES (1); END IF; RETURN NEW; END $$;
DROP TRIGGER IF EXISTS keep ON docs_poison;
CREATE TRIGGER keep BEFORE UPDATE ON docs_poison FOR EACH ROW EXECUTE FUNCTION broken();
"""
DEFERRED = """
CREATE OR REPLACE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF OLD.archived THEN RAISE EXCEPTION 'not at the end either'; END IF; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER keep AFTER UPDATE ON docs_poison DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late();
"""
NO_KEY = (
    'ALTER TABLE docs_poison ADD CONSTRAINT one_place CHECK (NOT archived OR num_nonnulls("fileData", "s3Key") = 1)'
)
SUSPECTED = """
UPDATE cutover.item SET state = 'uploading', owner = 'dead', attempt = 4, lease_until = clock_timestamp() - interval '1 hour'
WHERE doc_id IN ('doc-003', 'doc-007')
"""
NEVER_EMPTY = 'ALTER TABLE docs_poison ADD CONSTRAINT never_empty CHECK (NOT archived OR "fileData" IS NOT NULL)'


@pytest.fixture
def poisoned(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A table of twelve, one of them archived, and two tries for each file."""
    monkeypatch.setattr("cockpit.migration.ledger.MOST_FAILURES", 2)
    monkeypatch.setattr("cockpit.migration.ledger.FAILED_AGAIN_S", 0.1)
    made(bench, MADE)
    bench.settings = replace(bench.settings, sources=(Source(MigrationTable("docs_poison")),))
    return bench


def made(bench: Bench, statements: str) -> None:
    with psycopg.connect(bench.dsn, autocommit=True) as connection:
        connection.execute(statements.encode())


async def fails_alone(bench: Bench, phase: PhaseName, words: str, done: str) -> None:
    assert await bench.phase(phase) == "done, with 1 quarantined"
    assert bench.states() == {done: ROWS - 1, "quarantined": 1}
    item = bench.item(POISONED)
    assert item["state"] == "quarantined"
    assert words in item["last_error"]
    assert item["failures"] == 2


@pytest.mark.parametrize(
    ("poison", "words"),
    [
        (RAISING, "document doc-007 is archived and must not be changed (P0001)"),
        (SKIPPING, "a trigger returned NULL"),
        (BROKEN_FUNCTION, 'relation "there_is_no_such_table" does not exist (42P01)'),
        (DEFERRED, "not at the end either"),
        (NO_KEY, 'violates check constraint "one_place" (23514)'),
    ],
)
async def test_a_row_that_cannot_be_switched_fails_alone(poisoned: Bench, poison: str, words: str) -> None:
    made(poisoned, poison)
    await fails_alone(poisoned, PhaseName.COPY, words, "switched")
    assert poisoned.rows("docs_poison")[POISONED][1] is None


@pytest.mark.parametrize(
    ("poison", "words"),
    [
        ('ALTER TABLE docs_poison ALTER "s3Key" TYPE varchar(20)', "value too long"),
        ('ALTER TABLE docs_poison ALTER "s3Region" TYPE varchar(4)', "value too long"),
        (
            """ALTER TABLE docs_poison DROP "s3Bucket", ADD "s3Bucket" text GENERATED ALWAYS AS ('b') STORED""",
            '"s3Bucket" can only be updated to DEFAULT',
        ),
        ('ALTER TABLE docs_poison ADD CHECK (num_nonnulls("fileData", "s3Key") = 1)', "violates check constraint"),
    ],
)
async def test_where_no_row_can_be_switched_the_run_ends_with_all_of_them_and_the_reason(
    poisoned: Bench, poison: str, words: str
) -> None:
    poisoned.sql("DELETE FROM docs_poison WHERE id > 'doc-005'")
    made(poisoned, poison)
    assert await poisoned.phase(PhaseName.COPY) == "done, with 5 quarantined"
    assert all(words in row[0] for row in poisoned.sql("SELECT last_error FROM cutover.item"))


async def test_a_locked_row_is_told_as_locked_and_is_no_failure(poisoned: Bench) -> None:
    run = await poisoned.begin(PhaseName.COPY)
    with psycopg.connect(poisoned.dsn) as lock:
        lock.execute("SELECT 1 FROM docs_poison WHERE id = %s FOR UPDATE", (POISONED,))
        poisoned.work(run)
        await poisoned.until(lambda: "locked" in str(poisoned.item(POISONED)["last_error"]))
    assert await poisoned.finish(run) == "done"
    assert poisoned.states() == {"switched": ROWS}
    assert poisoned.item(POISONED)["failures"] == 0


@pytest.mark.parametrize(("poison", "words"), [(RAISING, "is archived"), (SKIPPING, "a trigger returned NULL")])
async def test_a_row_that_cannot_be_taken_back_fails_alone_in_verify(poisoned: Bench, poison: str, words: str) -> None:
    await poisoned.phase(PhaseName.COPY)
    key = poisoned.item(POISONED)["key"]
    made(poisoned, poison)
    poisoned.store.faults.append(StoreFault("status", status=404, code="", method="HEAD", key=POISONED))
    await fails_alone(poisoned, PhaseName.VERIFY, words, "verified")
    assert poisoned.sql("SELECT state FROM cutover.object WHERE key = %s", key) == [("live",)]


@pytest.mark.parametrize("method", ["HEAD", "GET"])
async def test_an_object_that_s3_answers_with_400_fails_alone_in_verify(poisoned: Bench, method: str) -> None:
    await poisoned.phase(PhaseName.COPY)
    poisoned.store.faults.append(
        StoreFault("status", status=400, code="" if method == "HEAD" else "InvalidRequest", method=method, key=POISONED)
    )
    await fails_alone(poisoned, PhaseName.VERIFY, "400" if method == "HEAD" else "InvalidRequest", "verified")
    poisoned.store.faults.clear()
    assert poisoned.rows("docs_poison")[POISONED][1] is not None
    assert await runs.retry(poisoned.connection) == 1
    assert await poisoned.phase(PhaseName.VERIFY) == "done"


@pytest.mark.parametrize(
    ("poison", "words"),
    [(RAISING, "is archived"), (SKIPPING, "a trigger returned NULL"), (NEVER_EMPTY, "never_empty")],
)
async def test_a_row_that_cannot_be_emptied_fails_alone_and_is_purged_once_it_can_be(
    poisoned: Bench, poison: str, words: str
) -> None:
    for phase in (PhaseName.COPY, PhaseName.VERIFY):
        await poisoned.phase(phase)
    made(poisoned, poison)
    await fails_alone(poisoned, PhaseName.PURGE, words, "purged")
    poisoned.sql(
        "UPDATE docs_poison SET archived = false" if poison == NEVER_EMPTY else "DROP TRIGGER keep ON docs_poison"
    )
    if poison == NEVER_EMPTY:
        assert poisoned.rows("docs_poison")[POISONED][0] == b"body 7"
    assert await runs.retry(poisoned.connection) == 1
    assert await poisoned.phase(PhaseName.PURGE) == "done"
    assert poisoned.states() == {"purged": ROWS}


@pytest.mark.parametrize("purged", [False, True])
@pytest.mark.parametrize(("poison", "words"), [(RAISING, "is archived"), (SKIPPING, "a trigger returned NULL")])
async def test_a_row_that_cannot_be_restored_fails_alone(
    poisoned: Bench, poison: str, words: str, *, purged: bool
) -> None:
    for phase in (PhaseName.COPY, PhaseName.VERIFY, PhaseName.PURGE)[: 3 if purged else 1]:
        await poisoned.phase(phase)
    key = poisoned.item(POISONED)["key"]
    made(poisoned, poison)
    await fails_alone(poisoned, PhaseName.RESTORE, words, "restored")
    assert poisoned.sql("SELECT state FROM cutover.object WHERE key = %s", key) == [("live",)]
    assert poisoned.rows("docs_poison")[POISONED] == (None if purged else b"body 7", key)


async def test_a_file_that_ends_its_workers_is_quarantined_and_takes_no_other_with_it(poisoned: Bench) -> None:
    """Five workers in a row die with it; nobody lived to say that it failed."""
    poisoned.store.faults.append(StoreFault("stall", key=POISONED, seconds=3600))
    run = await poisoned.begin(PhaseName.COPY)
    for _ in range(5):
        attempt = poisoned.item(POISONED)["attempt"]
        poisoned.work(run)
        await poisoned.until(lambda attempt=attempt: poisoned.item(POISONED)["attempt"] > attempt)  # type: ignore[misc]
        await poisoned.kill()
        poisoned.sql("UPDATE cutover.item SET lease_until = lease_until - interval '1 hour'")  # it lapses, in no time
    poisoned.work(run)
    assert await poisoned.finish(run) == "done, with 1 quarantined"
    assert poisoned.states() == {"switched": ROWS - 1, "quarantined": 1}
    assert "the last 5 workers that had it ended" in poisoned.item(POISONED)["last_error"]


async def test_suspects_are_last_and_each_is_alone(poisoned: Bench) -> None:
    """So no other file is counted with the deaths of its workers."""
    run = await poisoned.begin(PhaseName.COPY)
    poisoned.sql(SUSPECTED)
    ledger = Ledger(poisoned.settings, run, "me")
    work = Work(poisoned.settings, run, "me", Store(poisoned.settings), ledger, Throttle(most=400))
    connection = poisoned.connection
    asked: list[bool] = []

    async def claim(*, alone: bool) -> list[Claim]:
        asked.append(alone)
        return await ledger.claim_to_copy(connection, (ROWS - 2) // 2, 1_000_000, alone=alone)

    async with work.taking(claim) as first, work.taking(claim) as second:
        assert len(first) == len(second) == (ROWS - 2) // 2
        assert POISONED not in {claimed.doc_id for claimed in first + second}
        async with work.taking(claim) as third:
            assert third == [], "two lanes have files in hand"
    for doc_id in ("doc-003", POISONED):
        async with work.taking(claim) as suspect, work.taking(claim) as beside:
            assert [claimed.doc_id for claimed in suspect] == [doc_id]
            assert work.held == set(suspect)
            assert beside == []
    assert asked == [False, False, False, *[False, True] * 2]
