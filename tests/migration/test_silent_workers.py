"""A worker that lives by its system and does not come to the ledger, beside others that do: it is seen, and does no harm."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from migration.migration_bench import Bench, quick
from migration.worker_process import WorkerProcess
from support.waiting import LAST_RESORT_S, at_last

from cockpit.commands.migrate.migration_text import progress_line, progress_lines
from cockpit.migration import runs
from cockpit.migration.database import connect
from cockpit.migration.follower import Follower
from cockpit.migration.ledger import Ledger
from cockpit.migration.local_workers import LocalWorkers
from cockpit.migration.progress import Progress, TableProgress, WorkerLine
from cockpit.migration.silence import NOTED_S, SILENT_S, Silence
from cockpit.migration.states import ItemState, PhaseName, Wanted
from cockpit.migration.supervisor import Supervisor
from cockpit.rehearsal.object_store import StoreFault

STOPPED = "doc-00000"
HAS = "SELECT w.id, w.pid FROM cutover.item i JOIN cutover.worker w ON w.id = i.owner WHERE i.doc_id = %s"
NOT_SEEN = "UPDATE cutover.worker SET seen_at = seen_at - interval '40 seconds' WHERE id = %s"
LAPSED = "UPDATE cutover.item SET lease_until = lease_until - interval '1 hour' WHERE owner = %s"
EVENTS = "SELECT who, text FROM cutover.event WHERE kind = %s ORDER BY id"
HOLD_CLAIMS = """
CREATE FUNCTION watch.hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.epoch > OLD.epoch THEN PERFORM pg_advisory_xact_lock(14); END IF; RETURN NULL; END $$;
CREATE TRIGGER hold AFTER UPDATE ON cutover.item FOR EACH ROW EXECUTE FUNCTION watch.hold();
"""
WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'advisory'"


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cockpit.migration.supervisor.ROUND_S", 0.05)


@pytest.fixture
def now() -> list[float]:
    """The supervisor's clock, moved by hand."""
    return [0.0]


async def stopped_beside_another(bench: Bench, workers: LocalWorkers) -> tuple[str, int]:
    """Two workers copy, and the one that has the first file is stopped; its id and its process."""
    await bench.until(lambda: bench.sql("SELECT count(*) FROM cutover.worker") == [(2,)] and bench.sql(HAS, STOPPED))
    [(owner, pid)] = bench.sql(HAS, STOPPED)
    assert pid in {each.pid for each in workers._processes}
    os.kill(pid, signal.SIGSTOP)
    bench.sql(NOT_SEEN, owner)
    return owner, pid


async def shown(bench: Bench) -> str:
    return "\n".join(progress_lines(await Follower().poll(bench.connection)))


async def test_one_silent_worker_beside_one_that_reports_is_named_with_its_time_then_ended_and_replaced(
    bench: Bench, tmp_path: Path, often: None, now: list[float]
) -> None:
    bench.insert(40)
    bench.store.faults.append(StoreFault("stall", key=STOPPED, seconds=LAST_RESORT_S))
    bench.settings = replace(bench.settings, lease_s=3600)
    run = await bench.begin(PhaseName.COPY)
    workers = LocalWorkers(bench.dsn, run, 2, str(tmp_path / "log"))
    rounds = [0]

    def show(_: object) -> None:
        rounds[0] += 1

    supervising = asyncio.create_task(Supervisor(bench.dsn, run, list, workers, show, clock=lambda: now[0]).run())

    async def passes(seconds: float) -> None:
        """So long somebody looks, without a gap."""
        until_then = now[0] + seconds
        while now[0] < until_then:
            now[0] = min(until_then, now[0] + 5)
            wanted = rounds[0] + 2
            await bench.until(lambda wanted=wanted: rounds[0] >= wanted)  # type: ignore[misc]

    silent, pid = await stopped_beside_another(bench, workers)
    since = bench.sql(
        "SELECT to_char(seen_at AT TIME ZONE 'UTC', 'HH24:MI:SS') FROM cutover.worker WHERE id = %s", silent
    )[0][0]
    progress = await Follower().poll(bench.connection)
    assert [worker.id for worker in progress.silent] == [silent]
    assert len(progress.reporting) == 1
    assert f"{silent}: SILENT since {since}" in await shown(bench)
    await passes(NOTED_S + 1)
    [(who, text)] = bench.sql(EVENTS, "worker silent")
    assert (who, since in text, "taken over" in text) == (silent, True, True)
    await passes(SILENT_S)
    await bench.until(lambda: bench.sql(EVENTS, "worker died"))
    assert f"worker {pid} was ended: for 180 s it did not come to the ledger" in bench.sql(EVENTS, "worker died")[0][1]
    assert bench.sql("SELECT state FROM cutover.worker WHERE id = %s", silent) == [("ended",)]
    assert (await Follower().poll(bench.connection)).silent == ()
    await passes(10)
    await bench.until(lambda: bench.sql("SELECT count(*) FROM cutover.worker WHERE state <> 'ended'") == [(2,)])
    bench.store.faults.clear()
    bench.sql(LAPSED, silent)
    assert await at_last(supervising) == "done"
    assert bench.states() == {"switched": 40}
    assert await workers.ended(LAST_RESORT_S)
    bench.proven()


async def test_a_worker_of_a_ledger_that_was_dropped_takes_no_part_in_a_run_of_the_next_that_has_its_number(
    bench: Bench,
) -> None:
    bench.insert(1)
    run = await bench.begin(PhaseName.COPY)
    await runs.want(bench.connection, run, Wanted.PAUSE)
    bench.work(run)
    await bench.beaten(1)
    bench.sql("UPDATE cutover.run SET started_at = clock_timestamp()")
    with pytest.raises(runs.RunError, match="another one"):
        await at_last(bench.tasks.pop())


async def test_a_worker_that_is_stopped_keeps_no_run_from_its_end_and_is_ended_with_it(
    bench: Bench, tmp_path: Path, often: None
) -> None:
    bench.insert(40)
    bench.store.faults.append(StoreFault("stall", key=STOPPED, seconds=LAST_RESORT_S, times=1))
    run = await bench.begin(PhaseName.COPY)
    workers = LocalWorkers(bench.dsn, run, 2, str(tmp_path / "log"))
    supervising = asyncio.create_task(Supervisor(bench.dsn, run, list, workers).run())
    silent, _ = await stopped_beside_another(bench, workers)
    bench.sql(LAPSED, silent)
    assert await at_last(supervising) == "done"
    assert bench.states() == {"switched": 40}
    await workers.end(0.5)
    assert not workers._processes
    bench.proven()


async def held_at_its_claim(bench: Bench, phase: PhaseName) -> tuple[int, WorkerProcess]:
    """A worker that was stopped while the database made its claim, which then commits; it does not know yet."""
    run = await bench.begin(phase)
    bench.sql("DROP FUNCTION IF EXISTS watch.hold CASCADE")
    bench.sql(HOLD_CLAIMS)
    with psycopg.connect(bench.dsn) as holding:
        holding.execute("SELECT pg_advisory_lock(14)")
        stopped = bench.process(run)
        await bench.until(lambda: bench.sql(WAITING))
        await bench.beaten(1)
        stopped.send_signal(signal.SIGSTOP)
    bench.sql("DROP FUNCTION watch.hold CASCADE")
    await bench.until(
        lambda: bench.sql("SELECT count(*) FROM cutover.item WHERE lease_until > clock_timestamp()")[0][0]
    )
    return run, stopped


@pytest.mark.parametrize(
    ("phase", "wanted"), [*((phase, Wanted.DRAIN) for phase in PhaseName), (PhaseName.PURGE, Wanted.ABORT)]
)
async def test_a_worker_that_goes_on_after_its_run_has_ended_changes_no_row(
    bench: Bench, phase: PhaseName, wanted: runs.Stop
) -> None:
    bench.insert(6)
    before = {PhaseName.VERIFY: (PhaseName.COPY,), PhaseName.PURGE: (PhaseName.COPY, PhaseName.VERIFY)}
    for earlier in before.get(phase, () if phase is PhaseName.COPY else (*before[PhaseName.PURGE], PhaseName.PURGE)):
        await bench.phase(earlier)
    run, stopped = await held_at_its_claim(bench, phase)
    await runs.want(bench.connection, run, wanted)
    bench.sql("UPDATE cutover.worker SET seen_at = seen_at - interval '11 seconds' WHERE run_id = %s", run)
    assert (await bench.finish(run)).startswith(("drained", "aborted"))
    rows, states = bench.fingerprint(), bench.states()
    stopped.send_signal(signal.SIGCONT)
    assert await asyncio.to_thread(stopped.wait, LAST_RESORT_S) == 0
    assert bench.fingerprint() == rows
    assert bench.states() in (states, {"planned": 6}), "what it had at most is planned again"
    assert bench.sql("SELECT count(*) FROM cutover.chunk") == [(0,)]
    assert (await bench.phase(phase)) == "done"
    bench.proven()


async def test_nothing_is_claimed_of_a_run_that_has_ended(bench: Bench) -> None:
    bench.insert(1)
    run = await bench.begin(PhaseName.COPY)
    bench.work(run)
    assert await bench.finish(run) == "done"
    bench.insert(1, id_="came-since")
    await runs.enlist_all(bench.connection, bench.settings)
    woken = Ledger(bench.settings, run, "woken")
    assert await woken.claim_to_copy(bench.connection, 8, 10_000) == []
    assert await woken.claim_to_check(bench.connection, [ItemState.SWITCHED], 8, 10_000) == []


async def test_a_limited_run_is_not_at_its_limit_while_the_claim_of_its_last_files_is_being_made(bench: Bench) -> None:
    bench.insert(6)
    run = await bench.begin(PhaseName.COPY, limit=2)
    bench.sql(HOLD_CLAIMS)
    with psycopg.connect(bench.dsn) as holding:
        holding.execute("SELECT pg_advisory_lock(14)")
        bench.work(run)
        await bench.until(lambda: bench.sql(WAITING))
        assert await runs.finish_if_done(bench.connection, await runs.load(bench.connection, run)) == ""
    bench.sql("DROP FUNCTION watch.hold CASCADE")
    assert await bench.finish(run) == "limit reached"
    assert bench.states() == {"switched": 2, "planned": 4}


async def test_a_worker_that_is_stopped_in_a_transaction_keeps_no_row_of_the_application_locked(bench: Bench) -> None:
    opened = await connect(bench.dsn, primary=True)  # as a worker does
    try:
        row = await (await opened.execute("SHOW idle_in_transaction_session_timeout")).fetchone()
    finally:
        await opened.close()
    assert row == ("30s",)


async def test_a_database_that_answers_one_lane_nothing_keeps_no_run_from_its_end(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system takes every byte for a process that has stopped: only who waits can know that nothing comes."""
    quick(bench)
    bench.insert(20)
    bench.store.faults.append(StoreFault("stall", key=STOPPED, seconds=1.0, times=1))
    run = await bench.begin(PhaseName.COPY)
    monkeypatch.setattr("cockpit.migration.database.ANSWERED_WITHIN_S", 1.0)
    bench.work(run)
    await bench.until(lambda: bench.store.faults[0].happened == 1)
    [(waiting,)] = bench.sql(
        "SELECT pid FROM pg_stat_activity WHERE query ~ '\"fileData\"' AND query !~ 'pg_stat_activity' AND state = 'idle' "
        "AND application_name = 'cockpit-migration' ORDER BY query_start LIMIT 1"
    )
    os.kill(waiting, signal.SIGSTOP)
    try:
        assert await bench.finish(run) == "done"
    finally:
        os.kill(waiting, signal.SIGCONT)
    assert bench.states() == {"switched": 20}
    bench.proven()


def test_of_a_line_that_is_too_narrow_the_end_is_cut_off_and_not_what_is_wrong() -> None:
    worker = WorkerLine("host-1-ab", "host", "working", 12, 32, "", 100, 2_000_000, 3, 0, 21.0, 90_000_000, 25.0)
    states = {ItemState.PLANNED: 298_000, ItemState.SWITCHED: 100_000, ItemState.QUARANTINED: 2}
    table = TableProgress("KnowledgeDocument", 398_002, 100_000, 8_000_000, 2_000_000, states)
    of = Progress(
        prepared=True, run=3, active=True, workers=(worker,), tables=(table,), errors=7, eta_least_s=60, eta_s=300
    )
    line = progress_line(of, 80)
    assert len(line) <= 79
    assert "1 worker SILENT · 2 quarantined, 7 errors" in line


def test_each_worker_has_its_own_silence_as_far_as_somebody_looked() -> None:
    now = [0.0]
    silence = Silence(clock=lambda: now[0])

    def passes(seconds: int, reporting: tuple[str, ...]) -> list[str]:
        found: list[str] = []
        for _ in range(seconds):
            now[0] += 1
            silence.looked(("h-1", "h-12"), reporting)
            found += silence.too_long()
        return found

    both, one = ("h-1-ab", "h-12-cd"), ("h-12-cd",)
    assert passes(1000, both) == []
    assert passes(int(SILENT_S), one) == []
    assert passes(1, one) == ["h-1"]
    assert passes(int(SILENT_S), one) == [], "those that follow have as long"
    assert passes(1, one) == ["h-1"]
    passes(int(SILENT_S) - 2, one)
    now[0] += 600
    assert passes(100, one) == [], "nobody looked meanwhile"
    assert not passes(1000, ("h-12-cd", "another-7-ef")), "it may be the one that nobody knows the place of"
    assert sorted(passes(int(SILENT_S) + 1, ())) == ["h-1", "h-12"]
