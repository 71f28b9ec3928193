"""What may happen after a file was switched: verify, purge, restore and sweep, each with the outcome that must follow."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import psycopg
import pytest
from migration.migration_bench import BUCKET, TABLES, Bench, quick

from cockpit.migration import runs
from cockpit.migration.object_store import Store
from cockpit.migration.phases.sweep import Swept, sweep, unknown_keys
from cockpit.migration.settings import PART_BYTES
from cockpit.migration.states import PhaseName
from cockpit.rehearsal.object_store import StoreFault

# A connection that is cancelled while it is being made is psycopg's to close.
pytestmark = [
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
REWRITE = """UPDATE "KnowledgeDocument" SET "fileData" = 'rewritten' WHERE "id" = 'doc-00001'"""


async def _swept(bench: Bench, *, after_s: float = 0.0) -> Swept:
    settings = replace(bench.settings, lease_s=0, sweep_after_s=after_s)
    store = Store(settings)
    store.open()
    try:
        return await sweep(bench.connection, settings, store)
    finally:
        store.close()


async def test_there_and_back_leaves_both_tables_byte_identical(bench: Bench) -> None:
    bench.insert(20)
    bench.insert(8, table=TABLES[1])
    bench.insert(id_="empty", body=b"")
    bench.insert(id_="large", body=b"0123456789abcdef" * (PART_BYTES // 16 + 64))
    before = bench.fingerprint()
    for phase in (PhaseName.COPY, PhaseName.VERIFY, PhaseName.PURGE):
        assert await bench.phase(phase, workers=2) == "done"
    assert bench.states() == {"purged": 30}
    assert all(held is None for table in TABLES for held, _ in bench.rows(table).values())
    assert await bench.phase(PhaseName.RESTORE, workers=2) == "done"
    assert bench.fingerprint() == before
    assert (await _swept(bench)).deleted == 30
    assert bench.shelf.names() == []


async def test_restore_before_a_purge_only_forgets_keys(bench: Bench) -> None:
    bench.insert(10)
    before = bench.fingerprint()
    await bench.phase(PhaseName.COPY)
    reads = bench.store.requests["GET"]
    assert await bench.phase(PhaseName.RESTORE) == "done"
    assert bench.store.requests["GET"] == reads
    assert bench.fingerprint() == before
    # And it can be copied again, under new keys.
    assert await bench.phase(PhaseName.COPY) == "done"
    assert bench.states() == {"switched": 10}
    bench.proven()


async def test_an_upload_in_parts_goes_on_where_it_was_killed(bench: Bench) -> None:
    bench.insert(id_="large", body=bytes(range(256)) * (3 * PART_BYTES // 256))
    run = await bench.begin(PhaseName.COPY)
    process = bench.process(run)
    await bench.until(lambda: any(len(u.bodies) >= 2 for u in bench.shelf.uploads.values()) or bench.shelf.names())
    process.kill()
    process.wait()
    bench.sql("UPDATE cutover.item SET lease_until = lease_until - interval '1 hour'")
    bench.work(run)
    assert await bench.finish(run) == "done"
    assert bench.shelf.uploads == {}
    bench.proven()


async def test_parts_left_by_a_deleted_document_are_aborted_by_the_sweep(bench: Bench) -> None:
    quick(bench)
    bench.insert(id_="large", body=b"x" * (3 * PART_BYTES))
    bench.store.faults.append(StoreFault("stall", key="large", seconds=60))
    run = await bench.begin(PhaseName.COPY)
    bench.work(run)
    await bench.until(lambda: len(bench.shelf.uploads) == 1)
    await bench.kill()
    bench.store.faults.clear()
    bench.sql('DELETE FROM "KnowledgeDocument"')
    bench.work(run)
    assert await bench.finish(run) == "done"
    assert bench.states() == {"gone": 1}
    swept = await _swept(bench)
    assert bench.shelf.uploads == {}
    assert swept.aborted == 1


async def test_rot_at_rest_is_found_and_the_row_goes_back_to_the_database(bench: Bench) -> None:
    bench.insert(5)
    await bench.phase(PhaseName.COPY)
    bench.shelf.spoil(bench.rows()["doc-00001"][1])
    assert await bench.phase(PhaseName.VERIFY) == "done, 1 to copy again"
    assert bench.states() == {"verified": 4, "diverged": 1}
    assert bench.rows()["doc-00001"][1] is None
    await bench.phase(PhaseName.PURGE)
    assert bench.rows()["doc-00001"][0] is not None
    assert await bench.phase(PhaseName.COPY) == "done"
    assert await bench.phase(PhaseName.VERIFY) == "done"
    bench.proven()


async def test_an_object_deleted_before_verify_blocks_its_purge(bench: Bench) -> None:
    bench.insert(5)
    await bench.phase(PhaseName.COPY)
    bench.shelf.delete(bench.rows()["doc-00001"][1])
    await bench.phase(PhaseName.VERIFY)
    await bench.phase(PhaseName.PURGE)
    assert bench.states() == {"purged": 4, "diverged": 1}
    assert bench.rows()["doc-00001"][0] is not None


@pytest.mark.parametrize("how", ["deleted", "replaced"])
async def test_an_object_deleted_or_replaced_after_verify_blocks_its_purge(bench: Bench, how: str) -> None:
    bench.insert(5)
    await bench.phase(PhaseName.COPY)
    await bench.phase(PhaseName.VERIFY)
    key = bench.rows()["doc-00001"][1]
    assert key is not None
    if how == "deleted":
        bench.shelf.delete(key)
    else:
        held = bench.shelf.current(key)
        bench.shelf.put(key, b"something else", held.headers)
    await bench.phase(PhaseName.PURGE)
    assert bench.states() == {"purged": 4, "diverged": 1}
    assert bench.rows()["doc-00001"][0] is not None


async def test_a_blob_rewritten_after_the_switch_is_never_purged_but_copied_again(bench: Bench) -> None:
    bench.insert(5)
    await bench.phase(PhaseName.COPY)
    await bench.phase(PhaseName.VERIFY)
    bench.sql(REWRITE)
    assert await bench.phase(PhaseName.PURGE) == "done, 1 to copy again"
    assert bench.rows()["doc-00001"] == (b"rewritten", None)
    for phase in (PhaseName.COPY, PhaseName.VERIFY, PhaseName.PURGE):
        assert await bench.phase(phase) == "done"
    held, key = bench.rows()["doc-00001"]
    assert held is None
    assert bench.shelf.current(key).body == b"rewritten"


async def test_what_the_application_deleted_after_the_switch_is_swept(bench: Bench) -> None:
    bench.insert(5)
    await bench.phase(PhaseName.COPY)
    bench.sql("""DELETE FROM "KnowledgeDocument" WHERE "id" = 'doc-00001'""")
    assert (await _swept(bench, after_s=600)).deleted == 0
    assert (await _swept(bench)).deleted == 1
    assert len(bench.shelf.names()) == 4
    bench.proven()


async def test_nothing_is_purged_before_it_has_soaked(bench: Bench) -> None:
    bench.insert(5)
    await bench.phase(PhaseName.COPY)
    await bench.phase(PhaseName.VERIFY)
    bench.settings = replace(bench.settings, soak_s=3600)
    assert await bench.phase(PhaseName.PURGE) == "done"
    assert bench.states() == {"verified": 5}
    with pytest.raises(runs.RunError, match=r"no file may be purged before .* all 5 at"):
        await runs.still_soaking(bench.connection, 3600)
    bench.sql("UPDATE cutover.item SET switched_at = switched_at - interval '2 hours' WHERE doc_id > 'doc-00001'")
    assert "3 of 5 verified files may be purged now" in await runs.still_soaking(bench.connection, 3600)
    assert await bench.phase(PhaseName.PURGE) == "done"
    assert bench.states() == {"verified": 2, "purged": 3}
    assert await runs.still_soaking(bench.connection, 0) == ""


@pytest.mark.parametrize("phase", [PhaseName.PURGE, PhaseName.RESTORE])
async def test_killed_in_the_middle_row_and_ledger_agree(bench: Bench, phase: PhaseName) -> None:
    quick(bench)
    bench.insert(60)
    before = bench.fingerprint()
    await bench.phase(PhaseName.COPY)
    await bench.phase(PhaseName.VERIFY)
    if phase is PhaseName.RESTORE:
        await bench.phase(PhaseName.PURGE)
    bench.store.latency_s = 0.02
    run = await bench.begin(phase)
    goal = "purged" if phase is PhaseName.PURGE else "restored"
    for _ in range(2):
        had = bench.states().get(goal, 0)
        process = bench.process(run)
        await bench.until(partial(_more_than, bench, goal, had))
        process.kill()
        process.wait()
        emptied = {id_ for id_, (held, _) in bench.rows().items() if held is None}
        purged = {row[0] for row in bench.sql("SELECT doc_id FROM cutover.item WHERE state = 'purged'")}
        assert emptied == purged
    bench.work(run)
    assert await bench.finish(run) == "done"
    if phase is PhaseName.PURGE:
        assert await bench.phase(PhaseName.RESTORE) == "done"
    assert bench.fingerprint() == before


async def test_a_damaged_object_is_never_written_back(bench: Bench) -> None:
    bench.insert(3)
    for phase in (PhaseName.COPY, PhaseName.VERIFY, PhaseName.PURGE):
        await bench.phase(phase)
    key = bench.rows()["doc-00001"][1]
    bench.shelf.spoil(key)
    run = await bench.begin(PhaseName.RESTORE)
    bench.work(run)
    await bench.until(lambda: bench.item("doc-00001")["failures"] >= 1)
    assert "Damaged" in bench.item("doc-00001")["last_error"]
    assert bench.rows()["doc-00001"] == (None, key)


async def test_a_key_nobody_knows_is_reported_and_left_alone(bench: Bench) -> None:
    bench.insert(3)
    await bench.phase(PhaseName.COPY)
    bench.shelf.put("documents/pdf/somebody-elses", b"theirs", {})
    swept = await _swept(bench)
    assert swept.unknown == ["documents/pdf/somebody-elses"]
    assert "documents/pdf/somebody-elses" in bench.shelf.names()


async def test_what_the_application_uploaded_itself_is_no_unknown_key(bench: Bench) -> None:
    bench.insert(id_="own")
    bench.shelf.put("documents/pdf/own", b"x", {})
    bench.sql("""UPDATE "KnowledgeDocument" SET "s3Key" = 'documents/pdf/own', "fileData" = NULL""")
    await bench.prepare()
    store = Store(bench.settings)
    store.open()
    assert await unknown_keys(bench.connection, bench.settings, store) == []
    store.close()


async def test_counts_by_state_are_always_those_of_the_ledger(bench: Bench) -> None:
    bench.insert(40)
    bench.store.faults.append(StoreFault("status", chance=0.1))
    for phase in PhaseName:
        await bench.phase(phase, workers=2)
        counted = dict(bench.sql("SELECT state, sum(files)::int FROM cutover.tally GROUP BY 1 HAVING sum(files) <> 0"))
        assert counted == bench.states()
    assert BUCKET in bench.store.buckets


@pytest.mark.parametrize("phase", [PhaseName.VERIFY, PhaseName.PURGE])
async def test_a_head_refused_without_a_reason_halts_and_takes_no_row_back(bench: Bench, phase: PhaseName) -> None:
    """An expired token answers a HEAD with a bare 400: that says nothing about the file. Nothing stays leased meanwhile."""
    bench.insert(6)
    await bench.phase(PhaseName.COPY)
    if phase is PhaseName.PURGE:
        await bench.phase(PhaseName.VERIFY)
    before, rows = bench.states(), bench.rows()
    bench.store.faults.append(StoreFault("status", status=400, code="", method="HEAD"))
    run = await bench.begin(phase)
    bench.work(run)
    await bench.until(lambda: bench.sql("SELECT bool_or(halted IS NOT NULL) FROM cutover.run") == [(True,)])
    halted = (await runs.load(bench.connection, run)).halted
    assert halted is not None
    assert "expired" in halted["hint"]
    assert bench.rows() == rows, "every row still names its object, and holds its bytes"
    bench.store.faults.clear()
    held = "SELECT count(*) FROM cutover.item WHERE lease_until > clock_timestamp()"
    await bench.until(lambda: bench.sql(held) == [(0,)])
    await runs.go_on(bench.connection, await runs.load(bench.connection, run), gate=lambda _: ())
    assert await bench.finish(run) == "done"
    assert sum(bench.states().values()) == sum(before.values())
    assert bench.sql("SELECT max(failures) FROM cutover.item") == [(0,)]


async def test_a_row_locked_while_it_is_purged_is_purged_later_and_not_copied_again(bench: Bench) -> None:
    bench.insert(6)
    for phase in (PhaseName.COPY, PhaseName.VERIFY):
        await bench.phase(phase)
    puts = bench.store.requests["PUT"]
    with psycopg.connect(bench.dsn) as lock:
        lock.execute("""SELECT 1 FROM "KnowledgeDocument" WHERE "id" = 'doc-00004' FOR UPDATE""")
        run = await bench.begin(PhaseName.PURGE)
        bench.work(run)
        await bench.until(lambda: bench.states().get("purged") == 5)
    assert await bench.finish(run) == "done"
    assert bench.states() == {"purged": 6}
    assert bench.store.requests["PUT"] == puts


async def test_an_object_whose_row_the_application_took_back_is_swept(bench: Bench) -> None:
    bench.insert(3)
    await bench.phase(PhaseName.COPY)
    key = bench.rows()["doc-00001"][1]
    bench.sql("""UPDATE "KnowledgeDocument" SET "s3Key" = NULL, "fileData" = 'taken back' WHERE "id" = 'doc-00001'""")
    bench.sql("UPDATE cutover.item SET switched_at = switched_at - interval '1 hour'")
    assert await bench.phase(PhaseName.COPY) == "done"
    assert bench.rows()["doc-00001"][1] not in (None, key)
    await _swept(bench, after_s=600)
    assert key in bench.shelf.names()
    assert (await _swept(bench)).deleted == 1
    assert key not in bench.shelf.names()
    bench.proven()


async def test_what_a_delayed_request_leaves_after_the_sweep_is_swept_the_next_time(bench: Bench) -> None:
    bench.insert(2)
    await bench.phase(PhaseName.COPY)
    key = bench.rows()["doc-00001"][1]
    assert key is not None
    held = bench.shelf.current(key)
    bench.sql("""DELETE FROM "KnowledgeDocument" WHERE "id" = 'doc-00001'""")
    assert (await _swept(bench)).deleted == 1
    bench.shelf.put(key, held.body, held.headers)
    assert (await _swept(bench)).waiting == 1
    assert (await _swept(bench)).deleted == 1
    assert key not in bench.shelf.names()


async def test_a_file_that_is_in_s3_alone_and_damaged_is_told_and_stays_so_until_it_is_mended(bench: Bench) -> None:
    bench.insert(2)
    await bench.phase(PhaseName.COPY)
    key = bench.rows()["doc-00001"][1]
    assert key is not None
    good = bench.shelf.current(key)
    bench.sql("""UPDATE "KnowledgeDocument" SET "fileData" = NULL WHERE "id" = 'doc-00001'""")
    bench.shelf.put(key, b"rotten", good.headers)
    assert await bench.phase(PhaseName.VERIFY) == "done, with 1 quarantined"
    assert bench.rows()["doc-00001"] == (None, key)
    await _swept(bench)
    assert key in bench.shelf.names()
    bench.shelf.put(key, good.body, good.headers)
    assert await runs.retry(bench.connection) == 1
    assert await bench.phase(PhaseName.VERIFY) == "done"
    assert bench.states() == {"verified": 2}


def _more_than(bench: Bench, state: str, had: int) -> bool:
    return bench.states().get(state, 0) > had


LOSE_A_CHUNK = """
CREATE SEQUENCE watch.chunks;
CREATE FUNCTION watch.lose_a_chunk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    DELETE FROM cutover.chunk WHERE n < NEW.n AND nextval('watch.chunks') = 1;
    RETURN NEW;
END $$;
CREATE TRIGGER lose_a_chunk BEFORE INSERT ON cutover.chunk FOR EACH ROW EXECUTE FUNCTION watch.lose_a_chunk();
"""


async def test_a_row_gets_no_bytes_back_that_a_worker_without_its_lease_has_deleted_from(bench: Bench) -> None:
    bench.insert(1, PART_BYTES + 1_000)
    before = bench.fingerprint()
    for phase in (PhaseName.COPY, PhaseName.VERIFY, PhaseName.PURGE):
        await bench.phase(phase)
    await bench.prepare()
    bench.sql(LOSE_A_CHUNK)
    assert (await bench.phase(PhaseName.RESTORE)) == "done"
    assert bench.fingerprint() == before
    assert bench.sql("SELECT last_value FROM watch.chunks")[0][0] > 1, "a chunk was lost, and the file staged once more"
