"""What may happen while files are copied, each with the outcome that must follow."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import replace

import psycopg
import pytest
from migration.migration_bench import TABLES, Bench, memory_peak, quick, uploads
from support.waiting import LAST_RESORT_S

from cockpit.migration import runs
from cockpit.migration.states import PhaseName, Wanted
from cockpit.migration_scope import Limits
from cockpit.rehearsal.object_store import StoreFault

# A connection that is cancelled while it is being made is psycopg's to close.
pytestmark = [
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


async def test_both_tables_are_copied_and_the_bytes_stay(bench: Bench) -> None:
    bench.insert(40)
    bench.insert(10, table=TABLES[1])
    before = {table: {id_: held for id_, (held, _) in bench.rows(table).items()} for table in TABLES}
    assert await bench.phase(PhaseName.COPY, workers=2) == "done"
    after = {table: {id_: held for id_, (held, _) in bench.rows(table).items()} for table in TABLES}
    assert before == after
    assert all(key for table in TABLES for _, key in bench.rows(table).values())
    assert bench.states() == {"switched": 50}
    assert set(uploads(bench.shelf)) == {1}
    bench.proven()


async def test_objects_are_encrypted_typed_and_named_as_the_application_would(bench: Bench) -> None:
    bench.insert(id_="one", name="Übersicht (1).pdf")
    await bench.phase(PhaseName.COPY)
    key = bench.rows()["one"][1]
    assert key is not None
    assert key.startswith("documents/pdf/one_")
    assert key.endswith("__bersicht__1_.pdf".removeprefix("_"))
    stored = bench.shelf.current(key)
    assert stored.headers["x-amz-server-side-encryption"] == "AES256"
    assert stored.headers["content-type"] == "application/pdf"


async def test_a_rerun_of_a_finished_run_puts_nothing(bench: Bench) -> None:
    bench.insert(20)
    await bench.phase(PhaseName.COPY)
    before = bench.store.requests["PUT"]
    assert await bench.phase(PhaseName.COPY) == "done"
    assert bench.store.requests["PUT"] == before


async def test_killed_after_the_claim_it_is_leased_again_and_there_is_one_object(bench: Bench) -> None:
    quick(bench)
    bench.insert(5)
    bench.store.faults.append(StoreFault("stall", seconds=60, times=5))
    run = await bench.begin(PhaseName.COPY)
    bench.work(run)
    await bench.until(lambda: bench.states().get("uploading") == 5)
    await bench.kill()
    bench.store.faults.clear()
    bench.work(run)
    assert await bench.finish(run) == "done"
    assert len(bench.shelf.names()) == 5
    assert all(bench.item(f"doc-{n:05}")["attempt"] >= 2 for n in range(5))
    bench.proven()


async def test_killed_between_upload_and_switch_the_object_is_adopted(bench: Bench) -> None:
    quick(bench)
    bench.insert(6)
    # One answer is held back, so that the batch cannot be switched; the others are in S3 by then.
    bench.store.faults.append(StoreFault("stall", key="doc-00005", seconds=60, times=1))
    run = await bench.begin(PhaseName.COPY)
    process = bench.process(run)
    await bench.until(lambda: len(bench.shelf.names()) == 5)
    process.kill()
    process.wait()
    bench.store.faults.clear()
    bench.work(run)
    assert await bench.finish(run) == "done"
    assert bench.workers[0]._work is not None
    assert bench.workers[0]._work.counters.adopted == 5
    assert set(uploads(bench.shelf)) == {1}
    bench.proven()


async def test_a_reset_after_the_write_is_adopted_not_written_twice(bench: Bench) -> None:
    bench.insert(30)
    bench.store.faults.append(StoreFault("reset_after", chance=0.3))
    assert await bench.phase(PhaseName.COPY) == "done"
    assert set(uploads(bench.shelf)) == {1}
    bench.proven()


async def test_a_storm_of_503_halves_the_concurrency_and_fails_no_file(bench: Bench) -> None:
    bench.insert(60)
    bench.store.faults.append(StoreFault("status", status=503, code="SlowDown", times=60))
    run = await bench.begin(PhaseName.COPY)
    bench.work(run)
    assert await bench.finish(run) == "done"
    work = bench.workers[0]._work
    assert work is not None
    assert work.throttle.limit < 32
    assert work.counters.errors == 0
    assert bench.sql("SELECT max(failures) FROM cutover.item") == [(0,)]


async def test_a_conflict_is_tried_again_and_not_taken_for_an_existing_object(bench: Bench) -> None:
    bench.insert(5)
    bench.store.faults.append(StoreFault("status", status=409, code="ConditionalRequestConflict", times=5))
    assert await bench.phase(PhaseName.COPY) == "done"
    bench.proven()


async def test_a_bit_flipped_on_the_way_is_never_switched(bench: Bench) -> None:
    bench.insert(20)
    bench.store.faults.append(StoreFault("flip", times=15))
    assert await bench.phase(PhaseName.COPY) == "done"
    assert bench.store.faults[0].happened == 15
    bench.proven()


@pytest.mark.parametrize(
    ("status", "code"),
    [(403, "AccessDenied"), (404, "NoSuchBucket"), (400, "ExpiredToken"), (403, "InvalidAccessKeyId")],
)
async def test_what_is_wrong_for_every_file_halts_the_run_with_one_error(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, status: int, code: str
) -> None:
    monkeypatch.setattr("cockpit.migration.worker_context.CREDENTIALS_S", 0.0)
    bench.insert(12)
    bench.store.faults.append(StoreFault("status", status=status, code=code))
    run = await bench.begin(PhaseName.COPY)
    bench.work(run)
    await bench.until(lambda: bench.sql("SELECT halted IS NOT NULL FROM cutover.run") == [(True,)])
    halted = (await runs.load(bench.connection, run)).halted
    assert halted is not None
    assert halted["code"] == code
    assert halted["hint"]
    assert bench.sql("SELECT count(*) FROM cutover.event WHERE kind = 'halted'") == [(1,)]
    assert bench.sql("SELECT max(failures) FROM cutover.item") == [(0,)]
    bench.store.faults.clear()
    await bench.until(lambda: "uploading" not in bench.states())
    await runs.go_on(bench.connection, await runs.load(bench.connection, run), gate=lambda _: ())
    assert await bench.finish(run) == "done"
    bench.proven()


async def test_a_poison_row_is_quarantined_and_the_run_completes_without_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cockpit.migration.ledger.MOST_FAILURES", 2)
    bench.insert(10)
    bench.store.faults.append(StoreFault("status", status=400, code="InvalidRequest", key="doc-00003"))
    assert await bench.phase(PhaseName.COPY) == "done, with 1 quarantined"
    assert bench.states() == {"switched": 9, "quarantined": 1}
    assert "InvalidRequest" in bench.item("doc-00003")["last_error"]
    given_up = bench.item("doc-00003")["key"]
    assert bench.sql("SELECT state FROM cutover.object WHERE key = %s", given_up) == [("orphan",)]
    bench.store.faults.clear()
    assert await runs.retry(bench.connection) == 1
    assert await bench.phase(PhaseName.COPY) == "done"
    assert bench.states() == {"switched": 10}
    assert bench.item("doc-00003")["key"] != given_up


async def _meanwhile(bench: Bench, statement: str) -> None:
    """Run a statement of the application between the read and the switch of doc-00000."""
    bench.insert(3)
    bench.store.faults.append(StoreFault("stall", key="doc-00000", seconds=1.0, times=1))
    run = await bench.begin(PhaseName.COPY)
    bench.work(run)
    await bench.until(lambda: bench.store.faults[0].happened == 1)
    bench.sql(statement)
    assert await bench.finish(run) == "done"


async def test_a_blob_rewritten_between_read_and_switch_is_migrated_as_it_is_now(bench: Bench) -> None:
    await _meanwhile(bench, """UPDATE "KnowledgeDocument" SET "fileData" = 'new bytes' WHERE "id" = 'doc-00000'""")
    held, key = bench.rows()["doc-00000"]
    assert held == b"new bytes"
    assert bench.shelf.current(key).body == b"new bytes"
    assert bench.sql("SELECT count(*) FROM cutover.object WHERE state = 'orphan'") == [(1,)]
    bench.proven()


async def test_an_edit_of_the_title_alone_costs_no_second_upload(bench: Bench) -> None:
    await _meanwhile(bench, """UPDATE "KnowledgeDocument" SET "title" = 'edited' WHERE "id" = 'doc-00000'""")
    assert set(uploads(bench.shelf)) == {1}
    assert bench.sql("SELECT count(*) FROM cutover.object") == [(3,)]
    bench.proven()


async def test_a_row_deleted_before_the_switch_is_gone_and_its_object_an_orphan(bench: Bench) -> None:
    await _meanwhile(bench, """DELETE FROM "KnowledgeDocument" WHERE "id" = 'doc-00000'""")
    assert bench.states() == {"switched": 2, "gone": 1}
    assert bench.sql("SELECT state FROM cutover.object WHERE doc_id = 'doc-00000'") == [("orphan",)]


async def test_a_key_the_application_set_itself_is_kept(bench: Bench) -> None:
    await _meanwhile(
        bench, """UPDATE "KnowledgeDocument" SET "s3Key" = 'its/own', "fileData" = NULL WHERE "id" = 'doc-00000'"""
    )
    assert bench.rows()["doc-00000"] == (None, "its/own")
    assert bench.states() == {"switched": 2, "skipped": 1}


async def test_a_locked_row_delays_nobody_else(bench: Bench) -> None:
    bench.insert(10)
    with psycopg.connect(bench.dsn) as lock:
        lock.execute("""SELECT 1 FROM "KnowledgeDocument" WHERE "id" = 'doc-00004' FOR UPDATE""")
        run = await bench.begin(PhaseName.COPY)
        bench.work(run)
        await bench.until(lambda: bench.states().get("switched") == 9)
    assert await bench.finish(run) == "done"
    assert set(uploads(bench.shelf)) == {1}
    bench.proven()


async def test_a_worker_stopped_past_its_lease_changes_nothing_when_it_wakes(bench: Bench) -> None:
    quick(bench)
    bench.insert(8)
    bench.store.faults.append(StoreFault("stall", key="doc-00000", seconds=1.0, times=1))
    run = await bench.begin(PhaseName.COPY)
    stopped = bench.process(run)
    await bench.until(lambda: bench.store.faults[0].happened == 1)
    stopped.send_signal(signal.SIGSTOP)
    bench.work(run)
    await bench.until(lambda: bench.states() == {"switched": 8})
    switched = bench.sql("SELECT doc_id, epoch, copied_by FROM cutover.item ORDER BY 1")
    stopped.send_signal(signal.SIGCONT)
    assert await bench.finish(run) == "done"
    await bench.until(lambda: stopped.poll() is not None)
    assert bench.sql("SELECT doc_id, epoch, copied_by FROM cutover.item ORDER BY 1") == switched
    assert set(uploads(bench.shelf)) == {1}
    bench.proven()


async def test_two_workers_have_disjoint_leases(bench: Bench) -> None:
    bench.insert(120, 200)
    assert await bench.phase(PhaseName.COPY, workers=2) == "done"
    assert bench.sql("SELECT max(attempt), max(epoch) FROM cutover.item") == [(1, 1)]
    assert set(uploads(bench.shelf)) == {1}
    assert sum(w._work.counters.files for w in bench.workers if w._work) == 120


async def test_postgres_restarted_the_workers_reconnect(bench: Bench) -> None:
    quick(bench)
    bench.insert(60)
    bench.store.latency_s = 0.2
    run = await bench.begin(PhaseName.COPY)
    bench.work(run)
    await bench.until(lambda: bench.states().get("uploading", 0) > 0)
    bench.postgres.restart()
    await bench.connection.close()
    from cockpit.migration.database import connect

    bench.connection = await connect(bench.dsn)
    assert await bench.finish(run) == "done"
    bench.proven()


async def test_sigterm_drains_and_leaves_nothing_leased(bench: Bench) -> None:
    bench.insert(60)
    bench.store.latency_s = 0.1
    run = await bench.begin(PhaseName.COPY)
    process = bench.process(run)
    await bench.until(lambda: bench.states().get("uploading", 0) > 0)
    process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.wait, LAST_RESORT_S) == 0
    assert bench.sql("SELECT count(*) FROM cutover.item WHERE state = 'uploading' OR lease_until IS NOT NULL") == [(0,)]
    assert bench.states().get("switched", 0) > 0
    bench.proven()


async def test_paused_nothing_new_begins_and_no_transaction_stays_open(bench: Bench) -> None:
    bench.insert(100)
    bench.store.latency_s = 0.05
    run = await bench.begin(PhaseName.COPY)
    bench.work(run)
    switched = await bench.paused_at(run, 3)
    await bench.beaten()
    assert bench.states()["switched"] == switched < 100
    held = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'cockpit-migration' AND backend_xmin IS NOT NULL"
    await bench.until(lambda: bench.sql(held) == [(0,)])
    await runs.go_on(bench.connection, await runs.load(bench.connection, run), gate=lambda _: ())
    assert await bench.finish(run) == "done"


async def test_aborted_at_once_and_whole_again_afterwards(bench: Bench) -> None:
    quick(bench)
    bench.insert(40)
    bench.store.latency_s = 0.3
    run = await bench.begin(PhaseName.COPY)
    bench.work(run)
    await bench.until(lambda: bench.states().get("uploading", 0) > 0)
    await runs.want(bench.connection, run, Wanted.ABORT)
    assert await bench.finish(run) == "aborted"
    assert all(held is not None for held, _ in bench.rows().values())
    bench.store.latency_s = 0
    assert await bench.phase(PhaseName.COPY) == "done"
    assert set(uploads(bench.shelf)) == {1}
    bench.proven()


async def test_a_limited_run_begins_no_more_than_it_may(bench: Bench) -> None:
    bench.insert(50)
    assert await bench.phase(PhaseName.COPY, workers=2, limit=12) == "limit reached"
    assert bench.states() == {"switched": 12, "planned": 38}


async def test_nothing_begins_while_nobody_judges_the_guards(bench: Bench) -> None:
    bench.insert(5)
    await bench.prepare()
    run = await runs.begin(bench.connection, PhaseName.COPY, bench.settings, gate=lambda _: (), supervisor="one")
    bench.work(run)
    await bench.beaten()
    assert bench.states() == {"planned": 5}
    holding = {"id": "g", "title": "pool", "state": "TRIPPED", "line": "91 %", "since": "", "holds": True}
    assert await runs.judge(bench.connection, run, [holding], "one")
    await bench.beaten()
    assert bench.states() == {"planned": 5}
    assert not await runs.judge(bench.connection, run, [holding | {"holds": False}], "one")
    assert await bench.finish(run) == "done"


NAMES = (
    "",
    "../../etc/passwd",
    "a/b/c.pdf",
    "naïve résumé 報告.pdf",
    "x" * 300 + ".pdf",
    "line\nbreak\t.pdf",
    "..",
    " ",
    "%2e%2e",
)


async def test_any_name_makes_a_valid_key(bench: Bench) -> None:
    for n, name in enumerate(NAMES):
        bench.insert(id_=f"one-{n}", name=name)
        bench.insert(id_=f"two-{n}/..//" + "y" * 400, name=name, kind="../pdf")
    assert await bench.phase(PhaseName.COPY) == "done"
    keys = [key for _, key in bench.rows().values()]
    assert len(set(keys)) == 2 * len(NAMES)
    for key in keys:
        assert key is not None
        assert len(key.encode()) <= 1024
        assert key.count("/") == 2
        assert not {"", ".", ".."} & set(key.split("/"))
    bench.proven()


async def test_the_same_id_in_both_tables_is_two_objects(bench: Bench) -> None:
    bench.insert(20)
    bench.insert(20, table=TABLES[1], size=999)
    await bench.phase(PhaseName.COPY, workers=2)
    assert len(bench.shelf.names()) == 40
    bench.proven()


async def test_odd_files_are_reported_and_moved_as_they_are(bench: Bench) -> None:
    bench.insert(id_="empty", body=b"")
    bench.insert(id_="unknown", kind="xyz", name="thing.xyz", body=b"\x00\x01\x02")
    bench.insert(id_="sniffed", kind="xyz", name="thing", body=b"%PDF-1.7 ...")
    bench.insert(id_="wrong", body=b"12345", file_size=99)
    assert await bench.phase(PhaseName.COPY) == "done"
    assert bench.item("unknown")["content_type"] == "application/octet-stream"
    assert "unknown file type" in bench.item("unknown")["remark"]
    assert bench.item("sniffed")["content_type"] == "application/pdf"
    assert "says 99" in bench.item("wrong")["remark"]
    assert bench.sql("SELECT size FROM cutover.item WHERE doc_id IN ('empty', 'wrong') ORDER BY doc_id") == [(0,), (5,)]
    bench.proven()


async def test_new_files_are_picked_up_before_the_run_ends(bench: Bench) -> None:
    bench.insert(3)
    bench.store.latency_s = 0.3
    run = await bench.begin(PhaseName.COPY)
    bench.work(run)
    await bench.until(lambda: bench.states().get("uploading", 0) > 0)
    bench.insert(id_="late")
    assert await bench.finish(run) == "done"
    assert bench.rows()["late"][1]


@pytest.mark.parametrize(
    "sizes_mib",
    [
        pytest.param({"big": 280, "part": 60}, marks=pytest.mark.long),
        pytest.param({"big": 600}, marks=pytest.mark.long),
        pytest.param({f"part-{n:02}": 100 for n in range(40)}, marks=[pytest.mark.long, pytest.mark.timeout(7200)]),
    ],
    ids=["larger than the budget", "600 MiB", "40 x 100 MiB"],
)
async def test_large_files_stay_within_the_memory_budget(bench: Bench, sizes_mib: dict[str, int]) -> None:
    # As PDFs and ZIPs are stored: PostgreSQL does not compress what is compressed.
    bench.sql('ALTER TABLE "KnowledgeDocument" ALTER "fileData" SET STORAGE EXTERNAL')
    query = """INSERT INTO "KnowledgeDocument" ("id", "title", "filename", "fileType", "content", "fileData", "fileSize")
        SELECT %s, 't', 'big.pdf', 'pdf', 'c', string_agg(decode(repeat(md5(n::text), 655360), 'hex'), ''::bytea), 0
        FROM generate_series(1, %s) AS n"""
    for id_, mib in sizes_mib.items():
        bench.sql(query, id_, mib // 10)
    bench.settings = replace(bench.settings, limits=Limits(memory_bytes=256 * 1024 * 1024))
    run = await bench.begin(PhaseName.COPY)
    process = bench.process(run)
    await bench.until(lambda: bench.states() == {"switched": len(sizes_mib)})
    assert memory_peak(process.pid) < 300 * 1024 * 1024
    assert bench.shelf.uploads == {}
    sizes = sorted(bench.shelf.current(key).size for key in bench.shelf.names())
    assert sizes == sorted(mib // 10 * 10 * 1024 * 1024 for mib in sizes_mib.values())
    assert await bench.finish(run) == "done"
