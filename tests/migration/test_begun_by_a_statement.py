"""In the ledger a statement is used by the run that begins by it: by one alone, and not by a beginning that fails."""

from __future__ import annotations

import asyncio

import pytest
from migration.migration_bench import Bench
from support.clock import HandClock
from support.waiting import at_last

from cockpit.commands.migrate.statement import spend
from cockpit.decide.events import Decision
from cockpit.migration import runs
from cockpit.migration.database import Connection, connect
from cockpit.migration.ledger import is_decided
from cockpit.migration.states import PhaseName, Wanted

SAID = Decision(HandClock().now(), "migrate", "ada", "it is time (copy 3 files of db/app)", "", "on_call", "d1", ())
TAG = f"{SAID.at.isoformat()} ada"


async def begin(bench: Bench, connection: Connection, *needs: str) -> int:
    async with connection.transaction():
        await spend(connection, "ada@here", SAID)
        return await runs.begin(
            connection, PhaseName.COPY, bench.settings, guarded=False, gate=lambda _: needs, supervisor="s"
        )


async def ended(bench: Bench, run: int) -> None:
    await runs.want(bench.connection, run, Wanted.ABORT)
    assert await runs.finish_if_done(bench.connection, await runs.load(bench.connection, run))


async def test_a_beginning_that_fails_uses_nothing(bench: Bench) -> None:
    active = await bench.begin(PhaseName.VERIFY)
    with pytest.raises(runs.RunError, match=rf"verify \(run {active}.* is active"):
        await begin(bench, bench.connection)
    with pytest.raises(runs.NotApproved, match="ada votes no-go"):
        await begin(bench, bench.connection, "ada votes no-go")
    assert not await is_decided(bench.connection, TAG)
    await ended(bench, active)
    run = await begin(bench, bench.connection)
    assert await is_decided(bench.connection, TAG)
    await ended(bench, run)
    with pytest.raises(runs.RunError, match="a run was begun by this statement"):
        await begin(bench, bench.connection)
    assert bench.sql("SELECT count(*) FROM cutover.run WHERE phase = 'copy'") == [(1,)]


async def test_of_two_that_begin_at_once_the_second_finds_what_the_first_did(bench: Bench) -> None:
    """Though the first's run has ended by then, so that nothing else keeps the second from beginning."""
    await bench.prepare()
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    first = await connect(bench.dsn, name="first")
    async with first.transaction():
        await spend(first, "ada@here", SAID)
        second = asyncio.create_task(begin(bench, bench.connection))
        await bench.until(lambda: second.done() or bench.sql(waiting) == [(1,)])
        run = await runs.begin(first, PhaseName.COPY, bench.settings, guarded=False, gate=lambda _: (), supervisor="f")
        await runs.want(first, run, Wanted.ABORT)
        await runs.finish_if_done(first, await runs.load(first, run))
    await first.close()
    with pytest.raises(runs.RunError, match="a run was begun by this statement"):
        await at_last(second)
    assert bench.sql("SELECT count(*) FROM cutover.run") == [(1,)]
