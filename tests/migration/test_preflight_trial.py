"""What a move would meet in the database is found before anything is touched, by trying it; and nothing of the trial is left."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import psycopg
import pytest
from migration.migration_bench import BUCKET, Bench
from support.plans.written_plan import plan

from cockpit.migration import runs
from cockpit.migration.database import connect
from cockpit.migration.preflight import preflight
from cockpit.migration.preflight_check import Check
from cockpit.migration.preflight_connections import room_for_workers
from cockpit.migration.preflight_trial import facts_of_table, server_and_rows
from cockpit.migration.settings import Source
from cockpit.migration.sql_files import statement
from cockpit.migration.states import PhaseName
from cockpit.migration_scope import MigrationTable

pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
MADE = """
DROP TABLE IF EXISTS docs_tried CASCADE;
CREATE TABLE docs_tried ("id" {id}, archived boolean NOT NULL DEFAULT false, "filename" text, "fileType" text, "fileData" bytea,
    "fileSize" int, "s3Key" text, "s3Bucket" text, "s3Region" text);
ANALYZE docs_tried;
INSERT INTO docs_tried SELECT {value}, n = 20, 'f' || n || '.pdf', 'pdf', convert_to('body ' || n, 'UTF8'), 6
    FROM generate_series(1, 20) n;
"""
TRIGGER = """
CREATE OR REPLACE FUNCTION kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$;
CREATE {when} ON docs_tried {deferred} FOR EACH ROW EXECUTE FUNCTION kept();
"""
BEFORE = {"when": "TRIGGER kept BEFORE UPDATE", "deferred": ""}
HIDING = (
    "ALTER TABLE docs_tried ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE docs_tried FORCE ROW LEVEL SECURITY",
    "CREATE POLICY archived_ones ON docs_tried USING (archived)",
)
NOW = datetime(2026, 11, 20, 23, tzinfo=UTC)
LATE = {"when": "CONSTRAINT TRIGGER kept AFTER UPDATE", "deferred": "DEFERRABLE INITIALLY DEFERRED"}


def made(bench: Bench, *statements: str, id_: str = "text PRIMARY KEY", value: str = "'doc-' || n") -> Source:
    with psycopg.connect(bench.dsn, autocommit=True) as connection:
        for each in (MADE.format(id=id_, value=value), *statements):
            connection.execute(each.encode())
        kind = connection.execute(
            "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'docs_tried'::regclass AND attname = 'id'"
        ).fetchone()
    assert kind is not None
    return Source(MigrationTable("docs_tried"), kind[0])


async def checked(bench: Bench, source: Source) -> list[Check]:
    facts = await facts_of_table(bench.connection, source)
    settings = replace(bench.settings, sources=(source,))
    tried = () if facts else (source,)
    return facts + [check async for check in server_and_rows(bench.connection, settings, tried)]


@pytest.mark.parametrize(
    ("spoilt", "found", "fix"),
    [
        ('ALTER TABLE docs_tried ADD CONSTRAINT one_place CHECK (num_nonnulls("fileData", "s3Key") = 1)',
         'switching doc-1: new row for relation "docs_tried" violates check constraint "one_place"', "let one_place allow"),
        ('ALTER TABLE docs_tried ALTER "s3Key" TYPE varchar(30)', "value too long", "widen"),
        ('ALTER TABLE docs_tried ALTER "s3Region" TYPE varchar(4)', "value too long", "widen"),
        ("""ALTER TABLE docs_tried DROP "s3Bucket", ADD "s3Bucket" text GENERATED ALWAYS AS ('b') STORED""",
         "can only be updated to DEFAULT", "that can be written"),
        ('ALTER TABLE docs_tried ADD CHECK ("fileData" IS NOT NULL)', "purging doc-1", "allow a row"),
        ("""UPDATE docs_tried SET "s3Region" = 'x'; ALTER TABLE docs_tried ALTER "s3Region" SET NOT NULL""",
         "restoring doc-1", "drop the NOT NULL of s3Region"),
        (TRIGGER.format(body="RAISE EXCEPTION 'never';", **BEFORE), "never (P0001)", "let the trigger pass"),
        (TRIGGER.format(body="RETURN NULL;", **BEFORE), "the row is left as it is", "a trigger returned NULL"),
        (TRIGGER.format(body="RAISE EXCEPTION 'late';", **LATE), "late (P0001)", "let the trigger pass"),
    ],
)  # fmt: skip
async def test_what_no_row_passes_is_found_by_trying_and_refused(
    bench: Bench, spoilt: str, found: str, fix: str
) -> None:
    source = made(bench, spoilt)
    before = bench.sql("SELECT xmin::text, t::text FROM docs_tried t ORDER BY id")
    (check,) = await checked(bench, source)
    assert check.ok is False
    assert found in check.found
    assert fix in check.fix
    assert bench.sql("SELECT xmin::text, t::text FROM docs_tried t ORDER BY id") == before


async def test_what_some_rows_do_not_pass_is_told_and_does_not_refuse_the_others(bench: Bench) -> None:
    body = "IF OLD.archived THEN RAISE EXCEPTION 'archived'; END IF; RETURN NEW;"
    (check,) = await checked(bench, made(bench, TRIGGER.format(body=body, **BEFORE)))
    assert check.ok is None
    assert check.found.startswith("1 of 20 rows tried cannot be moved; switching doc-20: archived")


async def test_rows_of_every_kind_pass_and_none_is_waited_for(bench: Bench) -> None:
    odd = """UPDATE docs_tried SET filename = NULL, "fileType" = NULL, "fileSize" = NULL WHERE id = 'doc-2';
        UPDATE docs_tried SET "fileData" = '' WHERE id = 'doc-3';
        UPDATE docs_tried SET filename = repeat('x', 300) WHERE id = 'doc-4'"""
    source = made(bench, odd)
    with psycopg.connect(bench.dsn) as lock:
        lock.execute("SELECT 1 FROM docs_tried WHERE id = 'doc-5' FOR UPDATE")
        (check,) = await checked(bench, source)
    assert (check.ok, check.found) == (True, "20 rows switched, purged and restored, and rolled back")


@pytest.mark.parametrize(
    ("id_", "value", "spoilt", "found"),
    [
        ("text", "'doc-' || n", "", "nothing keeps id unique"),
        ("text", "'doc-' || n", "CREATE UNIQUE INDEX ON docs_tried (id) WHERE archived", "nothing keeps id unique"),
        ("text", "'doc-' || n", "CREATE UNIQUE INDEX ON docs_tried (id, archived)", "nothing keeps id unique"),
        (
            "text",
            "'doc-' || n",
            "ALTER TABLE docs_tried ADD PRIMARY KEY (id, archived)",
            "nothing keeps id unique (its primary key is archived, id)",
        ),
        ("text", "'doc-' || n / 2", "", "9 rows have the id of another"),
        ("text UNIQUE", "CASE WHEN n > 2 THEN 'doc-' || n END", "", "2 rows have no id"),
        (
            "text PRIMARY KEY",
            "'doc-' || n",
            "CREATE TABLE IF NOT EXISTS docs_child () INHERITS (docs_tried)",
            "other tables inherit",
        ),
    ],
)
async def test_ids_that_name_no_single_row_are_refused(
    bench: Bench, id_: str, value: str, spoilt: str, found: str
) -> None:
    checks = await facts_of_table(bench.connection, made(bench, spoilt or "SELECT 1", id_=id_, value=value))
    assert any(found in check.found for check in checks)
    assert all(check.ok is False and check.fix for check in checks)


@pytest.mark.parametrize(
    ("id_", "value"),
    [("char(36) PRIMARY KEY", "gen_random_uuid()::text"), ("char(36) PRIMARY KEY", "n::text"),
     ("bit(8) PRIMARY KEY", "n::bit(8)"),
     ("uuid PRIMARY KEY", "gen_random_uuid()"), ("numeric(10,2) PRIMARY KEY", "n / 4.0")],
)  # fmt: skip
async def test_ids_of_any_type_are_moved_there_and_back(bench: Bench, id_: str, value: str) -> None:
    source = made(bench, id_=id_, value=value)
    assert [check.ok for check in await checked(bench, source)] == [True]
    bench.settings = replace(bench.settings, sources=(source,))
    before = bench.sql("SELECT t::text FROM docs_tried t ORDER BY id")
    for phase in (PhaseName.COPY, PhaseName.VERIFY, PhaseName.PURGE, PhaseName.RESTORE):
        assert await bench.phase(phase) == "done"
    assert bench.states() == {"restored": 20}
    assert bench.sql("SELECT t::text FROM docs_tried t ORDER BY id") == before


async def test_names_with_a_percent_sign_are_moved(bench: Bench) -> None:
    made(bench)
    with psycopg.connect(bench.dsn, autocommit=True) as connection:
        connection.execute('DROP TABLE IF EXISTS "docs 100%s"')
        connection.execute('ALTER TABLE docs_tried RENAME TO "docs 100%s"')
        connection.execute('ALTER TABLE "docs 100%s" RENAME "fileData" TO "the %(data)s"')
    source = Source(MigrationTable("docs 100%s", data="the %(data)s"))
    assert [check.ok for check in await checked(bench, source)] == [True]
    bench.settings = replace(bench.settings, sources=(source,))
    assert await bench.phase(PhaseName.COPY) == "done"
    assert bench.states() == {"switched": 20}


@pytest.mark.parametrize(
    ("policies", "shown"),
    [
        (HIDING, "1 of about 20 rows"),
        ((*HIDING[:2], "CREATE POLICY all_of_them ON docs_tried FOR SELECT USING (true)",
          "CREATE POLICY few ON docs_tried FOR UPDATE USING (archived)"), "20 of about 20 rows"),
        ((*HIDING[:2], "CREATE POLICY broken ON docs_tried USING (current_setting('app.none') = 'a')"), "only some of about"),
    ],
)  # fmt: skip
async def test_a_role_that_rows_may_be_hidden_from_is_refused(
    bench: Bench, policies: Sequence[str], shown: str
) -> None:
    source = made(bench, *policies)
    await bench.until(lambda: bench.sql("SELECT pg_stat_get_live_tuples('docs_tried'::regclass)") == [(20,)])
    (check,) = await facts_of_table(bench.connection, source)
    assert check.ok is False
    assert f"row-level security is active for this role: it is shown {shown}" in check.found
    assert "BYPASSRLS" in check.fix


@pytest.mark.parametrize(
    ("id_", "identity", "refused"),
    [
        ("text PRIMARY KEY", "DEFAULT", False),
        ("text PRIMARY KEY", "NOTHING", True),
        ("text NOT NULL UNIQUE", "DEFAULT", True),
        ("text NOT NULL UNIQUE", "USING INDEX docs_tried_id_key", False),
        ("text NOT NULL UNIQUE", "FULL", False),
    ],
)
async def test_a_published_table_that_no_update_passes_is_refused_though_no_row_waits(
    bench: Bench, id_: str, identity: str, *, refused: bool
) -> None:
    made(bench, f"ALTER TABLE docs_tried REPLICA IDENTITY {identity}", id_=id_)
    bench.sql("CREATE PUBLICATION elsewhere FOR TABLE docs_tried")
    try:
        source = Source(MigrationTable("docs_tried"))
        checks = await checked(bench, source)
        assert any("has no replica identity" in check.found for check in checks) is refused
        assert all(check.ok for check in checks) is not refused
        # Where it comes about later, the run is halted with the server's words: it would be so for every row.
        if refused:
            bench.settings = replace(bench.settings, sources=(source,))
            run = await bench.begin(PhaseName.COPY)
            bench.work(run)
            await bench.until(lambda: bench.sql("SELECT halted IS NOT NULL FROM cutover.run") == [(True,)])
            assert "replica identity" in str(bench.sql("SELECT halted FROM cutover.run"))
    finally:
        bench.sql("DROP PUBLICATION elsewhere")


async def test_what_a_role_is_set_to_does_not_reach_a_migration(bench: Bench) -> None:
    """Serializable, a statement among a live application's would fail again and again."""
    bench.settings = replace(bench.settings, sources=(made(bench),))
    (name,) = bench.sql("SELECT current_user")[0]
    odd = ("default_transaction_isolation", "statement_timeout", "lock_timeout")
    for setting, value in zip(odd, ("serializable", "5min", "4min"), strict=True):
        bench.sql(f"ALTER ROLE \"{name}\" SET {setting} = '{value}'")
    try:
        async with await connect(bench.dsn) as fresh:
            found = [await (await fresh.execute(f"SHOW {each}".encode())).fetchone() for each in odd]
        assert found == [("read committed",), ("1min",), ("5s",)]
        assert await bench.phase(PhaseName.COPY) == "done"
    finally:
        for setting in odd:
            bench.sql(f'ALTER ROLE "{name}" RESET {setting}')


async def test_row_level_security_that_comes_later_halts_the_run_which_is_never_done_with_fewer(bench: Bench) -> None:
    bench.settings = replace(bench.settings, sources=(made(bench),))
    run = await bench.begin(PhaseName.COPY)
    for statement_ in HIDING:
        bench.sql(statement_)
    bench.work(run)
    await bench.until(lambda: bench.sql("SELECT halted IS NOT NULL FROM cutover.run") == [(True,)])
    halted = (await runs.load(bench.connection, run)).halted
    assert halted is not None
    assert "row-level security" in halted["detail"]
    bench.sql("ALTER TABLE docs_tried DISABLE ROW LEVEL SECURITY")
    bench.sql("UPDATE cutover.item SET lease_until = clock_timestamp() WHERE lease_until IS NOT NULL")
    # A lane that met the policy before it was lifted may say so only now: that halts nothing that was resumed since.
    await runs.go_on(bench.connection, await runs.load(bench.connection, run), gate=lambda _: ())
    assert await bench.finish(run) == "done"
    assert bench.states() == {"switched": 20}


async def test_a_role_that_is_read_only_by_default_is_refused(bench: Bench) -> None:
    source = made(bench)
    (name,) = bench.sql("SELECT current_user")[0]
    bench.sql(f'ALTER ROLE "{name}" SET default_transaction_read_only = on')
    try:
        (check,) = await checked(bench, source)
        assert check.ok is False
        assert f"{name} is read only by default" in check.found
    finally:
        with psycopg.connect(bench.dsn, autocommit=True, options="-c default_transaction_read_only=off") as connection:
            connection.execute(f'ALTER ROLE "{name}" RESET default_transaction_read_only'.encode())


async def test_this_primary_is_seen_as_one(bench: Bench) -> None:
    row = await (await bench.connection.execute(statement("facts_of_server"))).fetchone()
    assert row == (False, None)


PLAN = """
environment: rehearsal
target: {{account: "123456789012", region: us-east-1}}
success_criteria: [{{id: up, title: Up, success_condition: site.ok}}]
rollback_triggers: [{{id: down, title: Down, failure_condition: "!site.ok"}}]
migration: {{database: "{dsn}", bucket: {bucket}, tables: [{tables}]}}
"""
HEAD = """\
plan: v1
name: p
probes: {site: {uses: http.health, with: {url: "http://127.0.0.1:1/"}}}
"""


async def refusals(bench: Bench, phase: PhaseName, *tables: str, workers: int = 0) -> list[tuple[str, str]]:
    """What every check says against beginning this phase."""
    named = ", ".join(f"{{name: {table}}}" for table in tables)
    made = plan(PLAN.format(dsn=bench.dsn, bucket=BUCKET, tables=named), head=HEAD)
    assert made.migration is not None
    checks = [check async for check in preflight(bench.connection, made, made.migration, NOW, phase, workers)]
    return [(check.what, check.found) for check in checks if check.ok is False]


async def test_what_keeps_rows_from_being_copied_keeps_no_other_phase_from_beginning(bench: Bench) -> None:
    made(bench, TRIGGER.format(body="IF OLD.archived THEN RAISE EXCEPTION 'archived'; END IF; RETURN NEW;", **BEFORE))
    bench.settings = replace(bench.settings, sources=(Source(MigrationTable("docs_tried")),))
    await bench.prepare()
    bench.sql("UPDATE docs_tried SET \"s3Key\" = 'k' WHERE NOT archived")  # all but one are copied
    ((_, found),) = await refusals(bench, PhaseName.COPY, "docs_tried")
    assert found.startswith("1 of 1 rows tried cannot be moved")
    for phase in (PhaseName.VERIFY, PhaseName.PURGE, PhaseName.RESTORE):
        assert await refusals(bench, phase, "docs_tried") == []
    for state in ("uploading", "quarantined"):
        bench.sql("UPDATE cutover.item SET state = %s WHERE doc_id = 'doc-20'", state)
    assert await refusals(bench, PhaseName.COPY, "docs_tried") == [], (
        "that it cannot be moved is known, and written down"
    )


async def test_more_workers_than_the_database_has_connections_for_are_refused_with_the_number_that_it_has(
    bench: Bench,
) -> None:
    made(bench)
    ((what, found),) = await refusals(bench, PhaseName.RESTORE, "docs_tried", workers=64)
    assert (what, found.partition(", and ")[0]) == ("connections", "64 workers with 4 each and the supervisor take 259")
    assert await refusals(bench, PhaseName.RESTORE, "docs_tried", workers=8) == []


@pytest.mark.parametrize(("limit", "advice"), [(20, "at most "), (3, "no worker now")])
async def test_a_limit_of_the_role_counts_too_and_the_advice_is_one_that_passes(
    bench: Bench, limit: int, advice: str
) -> None:
    role = bench.connection.info.user
    with psycopg.connect(bench.postgres.dsn, autocommit=True) as owner:
        owner.execute(f"ALTER ROLE {role} CONNECTION LIMIT {limit}")
        try:
            check = await room_for_workers(bench.connection, 64, 4)
            assert (check.ok, check.fix.startswith(advice)) == (False, True)
            if most := re.match(r"at most (\d+) workers", check.fix):
                assert (await room_for_workers(bench.connection, int(most[1]), 4)).ok
                assert not (await room_for_workers(bench.connection, int(most[1]) + 1, 4)).ok
        finally:
            owner.execute(f"ALTER ROLE {role} CONNECTION LIMIT -1")


async def test_a_table_that_is_refused_keeps_no_other_from_being_tried(bench: Bench) -> None:
    bench.insert(1)
    bench.sql("""ALTER TABLE "KnowledgeDocument" ADD CONSTRAINT never CHECK ("s3Key" IS NULL)""")
    made(bench, id_="text")
    try:
        found = await refusals(bench, PhaseName.COPY, "docs_tried", "KnowledgeDocument")
    finally:
        bench.sql('ALTER TABLE "KnowledgeDocument" DROP CONSTRAINT never')
    assert [what for what, _ in found] == ["docs_tried", "KnowledgeDocument, tried"]


async def test_a_bucket_that_takes_no_more_files_still_gives_them_back(bench: Bench) -> None:
    made(bench)
    bench.store.versioned = False
    assert await refusals(bench, PhaseName.PURGE, "docs_tried") == [("versioning", "never enabled")]
    assert await refusals(bench, PhaseName.RESTORE, "docs_tried") == []
