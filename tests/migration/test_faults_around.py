"""What may happen around a worker: killed in its switch, a clock that is wrong, an hour of pause."""

from __future__ import annotations

import asyncio
import contextlib

import psycopg
import pytest
from migration.migration_bench import NOWHERE, Bench, quick, uploads
from support.waiting import at_last

from cockpit.migration import runs
from cockpit.migration.database import connect
from cockpit.migration.states import PhaseName, Wanted
from cockpit.migration.worker import Abandoned, Worker

pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
SLOW_SWITCH = """
CREATE OR REPLACE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_sleep(0.2);
    RETURN NEW;
END $$;
DROP TRIGGER IF EXISTS linger ON "KnowledgeDocument";
CREATE TRIGGER linger BEFORE UPDATE OF "s3Key" ON "KnowledgeDocument" FOR EACH ROW EXECUTE FUNCTION linger();
"""
IN_A_SWITCH = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%%pointed AS%%' AND wait_event = 'PgSleep'"
SWITCHING = """SELECT count(*) FROM pg_stat_activity
    WHERE query LIKE '%%pointed AS%%' AND state = 'active' AND pid <> pg_backend_pid()"""
"""Between the rows, too."""


async def test_killed_in_the_switch_all_of_its_batch_is_switched_or_none_and_nothing_is_sent_twice(
    bench: Bench,
) -> None:
    quick(bench)
    bench.insert(10)
    bench.sql(SLOW_SWITCH)
    try:
        run = await bench.begin(PhaseName.COPY)
        process = bench.process(run)
        await bench.until(lambda: bench.sql(IN_A_SWITCH) == [(1,)])
        process.kill()
        process.wait()
        await bench.until(lambda: bench.sql(SWITCHING) == [(0,)])
        keyed = {id_ for id_, (_, key) in bench.rows().items() if key}
        switched = {row[0] for row in bench.sql("SELECT doc_id FROM cutover.item WHERE state = 'switched'")}
        live = {row[0] for row in bench.sql("SELECT doc_id FROM cutover.object WHERE state = 'live'")}
        assert keyed == switched == live
    finally:
        bench.sql('DROP TRIGGER linger ON "KnowledgeDocument"')
    bench.work(run)
    assert await bench.finish(run) == "done"
    assert set(uploads(bench.shelf)) == {1}
    bench.proven()


async def test_killed_after_the_switch_nothing_is_repeated(bench: Bench) -> None:
    quick(bench)
    bench.insert(40)
    bench.store.latency_s = 0.05
    run = await bench.begin(PhaseName.COPY)
    bench.work(run)
    await bench.until(lambda: bench.states().get("switched", 0) > 0)
    await bench.kill()
    switched = dict(bench.sql("SELECT doc_id, epoch FROM cutover.item WHERE state = 'switched'"))
    bench.work(run)
    assert await bench.finish(run) == "done"
    after = dict(bench.sql("SELECT doc_id, epoch FROM cutover.item"))
    assert {id_: after[id_] for id_ in switched} == switched
    assert set(uploads(bench.shelf)) == {1}


async def test_workers_hours_apart_share_the_work_by_the_clock_of_the_database(bench: Bench) -> None:
    bench.insert(60, 200)
    bench.store.latency_s = 0.02
    run = await bench.begin(PhaseName.COPY)
    for hours in (-2, 2):
        bench.process(run, hours_ahead=hours)
    await bench.until(lambda: len(bench.sql("SELECT 1 FROM cutover.worker")) == 2)
    assert await bench.finish(run) == "done"
    assert bench.sql("SELECT max(attempt), max(epoch) FROM cutover.item") == [(1, 1)]
    assert bench.sql("SELECT max(abs(extract(epoch FROM switched_at - clock_timestamp()))) < 60 FROM cutover.item") == [
        (True,)
    ]
    assert set(uploads(bench.shelf)) == {1}
    bench.proven()


async def test_s3_that_finds_our_clock_wrong_halts_the_run_and_says_so(bench: Bench) -> None:
    bench.insert(20)
    bench.store.clock_ahead_s = 2 * 3600
    run = await bench.begin(PhaseName.COPY)
    bench.work(run)
    await bench.until(lambda: bench.sql("SELECT halted IS NOT NULL FROM cutover.run") == [(True,)])
    halted = (await runs.load(bench.connection, run)).halted
    assert halted is not None
    assert halted["code"] == "RequestTimeTooSkewed"
    assert "clock" in halted["hint"]
    assert bench.shelf.names() == []
    bench.store.clock_ahead_s = 0
    await bench.until(lambda: "uploading" not in bench.states())
    await runs.go_on(bench.connection, await runs.load(bench.connection, run), gate=lambda _: ())
    assert await bench.finish(run) == "done"
    bench.proven()


async def test_an_hour_of_pause_costs_nothing(bench: Bench) -> None:
    """What an hour does: leases and rights lapse, and a firewall forgets the connections that are idle."""
    bench.insert(120)
    bench.store.latency_s = 0.05
    run = await bench.begin(PhaseName.COPY)
    bench.work(run, 2)
    paused = await bench.paused_at(run, 3)
    assert paused < 120
    for columns in ("run SET guard_until = guard_until - interval '1 hour'",
                    "object SET last_intent_at = last_intent_at - interval '1 hour'",
                    "item SET switched_at = switched_at - interval '1 hour' WHERE switched_at IS NOT NULL"):  # fmt: skip
        bench.sql(f"UPDATE cutover.{columns}")
    bench.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cockpit-migration'")
    await bench.connection.close()
    bench.store.cut()
    bench.connection = await connect(bench.dsn)
    await bench.beaten(1)
    assert bench.states()["switched"] == paused
    await runs.go_on(bench.connection, await runs.load(bench.connection, run), gate=lambda _: ())
    assert await bench.finish(run) == "done"
    assert bench.sql("SELECT max(failures) FROM cutover.item") == [(0,)]
    assert set(uploads(bench.shelf)) == {1}
    bench.proven()


async def test_a_worker_whose_database_is_gone_for_good_ends(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cockpit.migration.worker.GIVE_UP_S", 1.0)
    run = await bench.begin(PhaseName.COPY)
    await runs.want(bench.connection, run, Wanted.PAUSE)
    worker = Worker(bench.dsn, run)
    working = asyncio.create_task(worker.run())
    await bench.until(lambda: bench.sql("SELECT 1 FROM cutover.worker") != [])
    worker._dsn = NOWHERE
    bench.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cockpit-migration'")
    with pytest.raises(Abandoned):
        await at_last(working)
    with contextlib.suppress(psycopg.OperationalError):
        await bench.connection.close()
    bench.connection = await connect(bench.dsn)
