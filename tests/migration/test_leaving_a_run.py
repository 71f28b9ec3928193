"""What was asked for when a phase is left stands in the ledger, or it is shown that nobody knows; no database is waited for."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Collection

import psycopg
import pytest
from migration.migration_bench import Bench
from support.waiting import at_last

from cockpit.commands.migrate.leaving import leave
from cockpit.migration import runs
from cockpit.migration.progress import Progress
from cockpit.migration.replacements import Ended
from cockpit.migration.states import PhaseName, Wanted
from cockpit.migration.supervisor import Supervisor

NAME = "ours"


class NoWorkers:
    """Nobody to keep going."""

    names = ()

    async def keep(self, others: int = 0) -> None:
        return

    async def who_ended(self) -> list[Ended]:
        return []

    async def give_up(self, names: Collection[str], why: str) -> None:
        return

    async def end(self, within_s: float) -> None:
        return


def supervisor(bench: Bench, run: int) -> Supervisor:
    return Supervisor(bench.dsn, run, list, NoWorkers(), name=NAME)


async def test_a_drain_asked_for_between_two_rounds_is_written_by_who_leaves(bench: Bench) -> None:
    run = await bench.begin(PhaseName.COPY, supervisor=NAME)
    ours = supervisor(bench, run)
    ours.drain("ann")
    await leave(bench.connection, run, NAME, ours.drain_asked_by)
    left = await runs.load(bench.connection, run)
    assert (left.wanted, left.ownerless) == (Wanted.DRAIN, True)


@pytest.mark.parametrize("ending", [Wanted.ABORT, "ended"])
async def test_an_end_that_somebody_asked_for_is_not_made_a_drain(bench: Bench, ending: str) -> None:
    run = await bench.begin(PhaseName.COPY, supervisor=NAME)
    await runs.want(bench.connection, run, Wanted.ABORT)
    if ending == "ended":
        assert await runs.finish_if_done(bench.connection, await runs.load(bench.connection, run)) == "aborted"
    await leave(bench.connection, run, NAME, "ann")
    assert (await runs.load(bench.connection, run)).wanted is Wanted.ABORT


async def test_who_leaves_twice_waits_for_no_database(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run's row is locked and stays so: nothing of it can be written."""
    for module in ("cockpit.migration.supervisor", "cockpit.commands.migrate.leaving"):
        monkeypatch.setattr(f"{module}.ANSWERS_S", 0.05)
    run = await bench.begin(PhaseName.COPY, supervisor=NAME)
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with psycopg.connect(bench.dsn) as locking:
        locking.execute("SELECT FROM cutover.run FOR UPDATE")
        ours = supervisor(bench, run)
        working = asyncio.create_task(ours.run())
        ours.drain("ann")
        await bench.until(lambda: bench.sql(waiting) == [(1,)])
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await at_last(working)
        await at_last(leave(bench.connection, run, NAME, ours.drain_asked_by))
    shown = capsys.readouterr().err
    assert "whether it drains is not known" in shown
    assert "`cockpit migrate drain PLAN`" in shown


async def test_a_run_drains_though_the_terminal_that_showed_it_is_gone(bench: Bench) -> None:
    """Asked for its width, it says EIO; the hangup itself asks for the drain."""
    run = await bench.begin(PhaseName.COPY, supervisor=NAME)
    shown: list[Progress] = []

    def show(progress: Progress) -> None:
        shown.append(progress)
        raise OSError(errno.EIO, "Input/output error")

    ours = Supervisor(bench.dsn, run, list, NoWorkers(), show, name=NAME)
    ours.drain("ann")
    assert await at_last(ours.run()) == "drained"
    assert shown
