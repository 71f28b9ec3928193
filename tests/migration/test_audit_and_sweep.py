"""After the move: `sweep` leaves nothing or says what stays, `audit` looks at every object, stale files are copied again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from migration.migration_bench import Bench

from cockpit.migration.object_store import Store
from cockpit.migration.phases.audit import Audited, audit
from cockpit.migration.phases.sweep import Swept, sweep
from cockpit.migration.states import PhaseName
from cockpit.rehearsal.object_store import StoreFault

pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
WRITTEN_AGAIN = """UPDATE "KnowledgeDocument" SET "fileData" = 'written again' WHERE "id" = 'doc-00001'"""


async def swept(bench: Bench) -> Swept:
    settings = replace(bench.settings, lease_s=0, sweep_after_s=0)
    store = Store(settings)
    store.open()
    try:
        return await sweep(bench.connection, settings, store)
    finally:
        store.close()


async def audited(bench: Bench, *, share: float = 1.0, read: bool = False) -> Audited:
    store = Store(bench.settings)
    store.open()
    try:
        return await audit(bench.connection, bench.settings, store, share=share, read=read)
    finally:
        store.close()


async def left_over(bench: Bench) -> str:
    """The key of an object that no row needs any more: its file was restored."""
    bench.insert(2)
    await bench.phase(PhaseName.COPY)
    key = bench.item("doc-00001")["key"]
    bench.sql("""DELETE FROM "KnowledgeDocument" WHERE "id" = 'doc-00001'""")
    return str(key)


async def test_sweep_leaves_no_version_of_what_nothing_needs(bench: Bench) -> None:
    key = await left_over(bench)
    bench.shelf.put(key, b"of a request that came late", {})
    found = await swept(bench)
    assert (found.deleted, found.hidden, found.unseen) == (1, 0, False)
    assert key not in bench.shelf.versions
    bench.proven()


async def test_versions_that_may_not_be_removed_are_counted_and_removed_once_they_may(bench: Bench) -> None:
    key = await left_over(bench)
    denied = StoreFault("status", status=403, code="AccessDenied", method="DELETE", key=key, times=2)
    bench.store.faults.append(denied)
    assert (await swept(bench)).deleted == 1, "by a delete marker, where versions may not be removed"
    bench.shelf.put(key, b"ten bytes.", {})
    bench.shelf.delete(key)
    denied.times = -1
    found = await swept(bench)
    assert (found.deleted, found.hidden, found.hidden_bytes) == (0, 1, 10)
    bench.store.faults.clear()
    found = await swept(bench)
    assert (found.hidden, found.hidden_bytes) == (0, 0)
    assert key not in bench.shelf.versions
    assert "doc-00000" in str(bench.shelf.names())


async def test_audit_finds_objects_that_are_gone_or_damaged_in_every_state(bench: Bench) -> None:
    bench.insert(3)
    for phase in (PhaseName.COPY, PhaseName.VERIFY, PhaseName.PURGE):
        await bench.phase(phase)
    bench.insert(1, id_="switched")
    await bench.phase(PhaseName.COPY)
    found = await audited(bench)
    assert (found.files, found.read, found.wrong, found.stale) == (4, 0, [], [])
    bench.shelf.delete(bench.item("doc-00000")["key"])
    bench.shelf.spoil(bench.item("doc-00002")["key"])
    bench.shelf.spoil(bench.item("switched")["key"])
    asked = await audited(bench)
    assert [(doc, what) for _, doc, what in asked.wrong] == [("doc-00000", "the object is not in S3")]
    read = await audited(bench, read=True)
    assert {doc for _, doc, _ in read.wrong} == {"doc-00000", "doc-00002", "switched"}
    assert read.read == 3
    assert (await audited(bench, share=0.0)).files == 0


@pytest.mark.parametrize("done", [(PhaseName.COPY,), (PhaseName.COPY, PhaseName.VERIFY, PhaseName.PURGE)])
async def test_what_the_application_wrote_after_the_switch_is_found_by_audit_and_copied_again(
    bench: Bench, done: tuple[PhaseName, ...]
) -> None:
    bench.insert(3)
    for phase in done:
        await bench.phase(phase)
    before = bench.item("doc-00001")["key"]
    bench.sql(WRITTEN_AGAIN)
    found = await audited(bench)
    assert [(doc, what) for _, doc, what in found.stale] == [("doc-00001", "taken back, to be copied again")]
    assert bench.item("doc-00001")["last_error"].startswith("stale: ")
    assert bench.rows()["doc-00001"] == (b"written again", None)
    assert (await audited(bench)).stale == []
    assert await bench.phase(PhaseName.COPY) == "done"
    key = bench.rows()["doc-00001"][1]
    assert key != before
    assert bench.shelf.current(key).body == b"written again"


async def test_verify_finds_it_too_and_calls_nothing_verified_that_the_row_does_not_hold(bench: Bench) -> None:
    bench.insert(3)
    await bench.phase(PhaseName.COPY)
    bench.sql(WRITTEN_AGAIN)
    assert await bench.phase(PhaseName.VERIFY) == "done, 1 to copy again"
    assert bench.states() == {"verified": 2, "diverged": 1}
    assert bench.item("doc-00001")["last_error"].startswith("stale: ")
    assert await bench.phase(PhaseName.COPY) == "done"
    assert await bench.phase(PhaseName.VERIFY) == "done"
    bench.proven()
