"""A run is supervised for as long as its supervisor lives and the database answers, whatever else takes long; and no longer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from decide.scene import trigger
from migration.migration_bench import Bench
from migration.test_leaving_a_run import NAME, NoWorkers
from support.waiting import at_last

from cockpit.migration import runs
from cockpit.migration.states import PhaseName, Wanted
from cockpit.migration.supervisor import Supervisor, unseen

SLOW = """
CREATE TABLE cutover.opened ();
CREATE FUNCTION cutover.wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    LOOP EXIT WHEN EXISTS (SELECT FROM cutover.opened); PERFORM pg_sleep(0.02); END LOOP; RETURN NEW; END $$;
CREATE TRIGGER wait BEFORE INSERT ON cutover.item FOR EACH ROW EXECUTE FUNCTION cutover.wait();
"""
"""Planning what came since takes until somebody opens."""
PLANNING = "SELECT pid, query_start FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
RENEWED = "SELECT supervised_until FROM cutover.run"
CLOSED = {"id": "pool", "title": "Pool", "state": "TRIPPED", "line": "full", "since": "", "holds": True}


async def renewed(bench: Bench, times: int = 2) -> None:
    for _ in range(times):
        before = bench.sql(RENEWED)[0][0]
        await bench.until(lambda before=before: bench.sql(RENEWED)[0][0] > before)  # type: ignore[misc]


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cockpit.migration.supervisor.ROUND_S", 0.02)


def supervised(bench: Bench, run: int, guards: Callable[[], list[dict[str, Any]]] = list) -> asyncio.Task[str]:
    return asyncio.create_task(Supervisor(bench.dsn, run, guards, NoWorkers(), name=NAME).run())


async def test_a_round_that_takes_long_costs_neither_the_lease_nor_the_guards(bench: Bench, often: None) -> None:
    bench.insert(1)
    run = await bench.begin(PhaseName.COPY, supervisor=NAME)
    bench.sql(SLOW)
    bench.insert(1, id_="came-since")
    holding: list[dict[str, Any]] = []
    supervising = supervised(bench, run, lambda: holding)
    await bench.until(lambda: bench.sql(PLANNING))
    planning = bench.sql(PLANNING)
    await renewed(bench)
    holding.append(CLOSED)
    await bench.until(lambda: bench.sql("SELECT held_since IS NOT NULL FROM cutover.run") == [(True,)])
    assert bench.sql(PLANNING) == planning, "all of that in one round"
    bench.sql("INSERT INTO cutover.opened DEFAULT VALUES")
    await runs.want(bench.connection, run, Wanted.ABORT)
    assert await at_last(supervising) == "aborted"


async def test_who_wakes_after_its_lease_goes_on_where_nobody_took_over_and_ends_where_somebody_did(
    bench: Bench, often: None
) -> None:
    """As a process does that was stopped, or whose database did not answer, for longer than a lease."""
    bench.insert(1)
    run = await bench.begin(PhaseName.COPY, supervisor=NAME)
    bench.sql("UPDATE cutover.run SET supervised_until = clock_timestamp() - interval '1 minute'")
    assert (await runs.load(bench.connection, run)).ownerless
    supervising = supervised(bench, run)
    await renewed(bench)
    assert not (await runs.load(bench.connection, run)).ownerless
    bench.sql("UPDATE cutover.run SET supervisor = 'second'")
    with pytest.raises(runs.RunError, match=f"run {run} was taken over by second: follow it"):
        await at_last(supervising)
    left = await runs.load(bench.connection, run)
    assert (left.supervisor, left.ownerless, left.ended_at) == ("second", False, None), "it takes nothing with it"


class Kept(NoWorkers):
    kept = 0

    async def keep(self, others: int = 0) -> None:
        self.kept += 1


@pytest.mark.parametrize("supervisor", ["another", NAME])
async def test_who_wakes_changes_nothing_of_a_run_that_somebody_took_over(bench: Bench, supervisor: str) -> None:
    bench.insert(1)
    run = await bench.begin(PhaseName.COPY, supervisor=supervisor)
    workers = Kept()
    woken = Supervisor(bench.dsn, run, list, workers, name=NAME)
    assert await woken._round(bench.connection) == ""
    woken.drain("who may not have it any more")
    assert await woken._round(bench.connection) == ("drained" if supervisor == NAME else "")
    assert (await runs.load(bench.connection, run)).goes_on is (supervisor == "another")
    assert workers.kept == (supervisor == NAME), "it starts none beside those of who has it"


async def test_a_run_that_ended_while_nobody_looked_is_no_error(bench: Bench, often: None) -> None:
    bench.insert(1)
    run = await bench.begin(PhaseName.COPY, supervisor=NAME)
    supervising = supervised(bench, run)
    await renewed(bench)
    bench.sql("UPDATE cutover.run SET ended_at = clock_timestamp(), outcome = 'drained'")
    assert await at_last(supervising) == "drained"


async def test_a_connection_that_answers_nothing_is_given_up_and_what_was_judged_before_is_not_written_late(
    bench: Bench, often: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cockpit.migration.supervisor.JUDGED_WITHIN_S", 0.2)
    bench.insert(1)
    run = await bench.begin(PhaseName.COPY, supervisor=NAME)
    guards = [CLOSED]
    waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ 'UPDATE cutover.run'"
    with psycopg.connect(bench.dsn) as locking:
        locking.execute("SELECT FROM cutover.run FOR UPDATE")
        supervising = supervised(bench, run, lambda: guards)
        await bench.until(lambda: bench.sql(waiting))
        first = bench.sql(waiting)
        await bench.until(lambda: bench.sql(waiting) not in ([], first))
        guards.clear()
        monkeypatch.undo()  # whoever waits now has all the time it needs
        locking.rollback()
    await renewed(bench)
    assert bench.sql("SELECT held_since FROM cutover.run") == [(None,)]
    await runs.want(bench.connection, run, Wanted.ABORT)
    assert await at_last(supervising) == "aborted"


def test_before_anything_is_read_every_guard_holds_and_is_named() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    guards = [trigger("pool", "m.rate > 0.8"), trigger("errors", "m.rate > 0.1")]
    assert [(each["id"], each["holds"]) for each in unseen(guards, now)] == [("pool", True), ("errors", True)]
    assert [(each["title"], each["holds"]) for each in unseen((), now)] == [("The plan's rollback triggers", True)]
