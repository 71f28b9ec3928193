"""A run is moved by whoever looks: from every state that kills and commands lead to, every command leads to an end.

Supervisors and workers are what the ledger knows of them: rows that are renewed, or not any more once they are killed. That
time passes is said to the database, whose clock alone counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from migration.migration_bench import BUCKET, Bench

from cockpit.migration import ownerless, runs, schema
from cockpit.migration.database import Connection, connect
from cockpit.migration.follower import Follower
from cockpit.migration.ledger import Ledger
from cockpit.migration.settings import Settings, Source
from cockpit.migration.sql_files import statement
from cockpit.migration.states import PhaseName, Wanted
from cockpit.migration.supervisor import new_name
from cockpit.migration_scope import Limits, MigrationTable
from cockpit.rehearsal.database.postgres_server import EmbeddedPostgres

T = TypeVar("T")
PHASES = st.sampled_from(PhaseName)
PASS = (
    "UPDATE cutover.run SET supervised_until = supervised_until - %(by)s::interval, guard_until = guard_until - %(by)s::interval",
    "UPDATE cutover.worker SET seen_at = seen_at - %(by)s::interval",
)


EMPTIED = tuple(
    f"DELETE FROM cutover.{table}" for table in ("worker", "event", "chunk", "object", "item", "run", "tally")
)


class Night(RuleBasedStateMachine):
    """Commands, kills and time, against the ledger of a database. Connection and tables are made once for all examples."""

    runner: asyncio.Runner
    connection: Connection

    def __init__(self) -> None:
        super().__init__()
        self.supervisor = ""
        self.workers: set[str] = set()
        self.given = Settings(
            BUCKET, "us-east-1", "documents/", (Source(MigrationTable("KnowledgeDocument")),), Limits(), soak_s=0
        )

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def teardown(self) -> None:
        self.workers.clear()
        self.wait(self.ends_everywhere())

    @initialize()
    def a_ledger(self) -> None:
        self.wait(self._fresh())

    async def _fresh(self) -> None:
        for query in EMPTIED:
            await self.connection.execute(query)
        await runs.enlist_all(self.connection, self.given)

    async def active(self) -> runs.Run | None:
        return await runs.current(self.connection)

    # -- processes -----------------------------------------------------------------------------------------------------

    @rule(phase=PHASES)
    def begin(self, phase: PhaseName) -> None:
        self.wait(self._begin(phase))

    async def _begin(self, phase: PhaseName) -> None:
        """What every command that begins a phase does; somebody else's living supervisor is the one reason not to."""
        name = new_name()
        if self.supervisor:
            await self._beats()  # it lives, so its lease has not lapsed, however long the steps before took here
        if self.supervisor:
            with pytest.raises(runs.RunError):
                await runs.begin(self.connection, phase, self.given, gate=lambda _: (), supervisor=name)
            active = await self.active()
            assert active is not None
            with pytest.raises(runs.RunError, match="is supervised by"):
                await runs.supervise(self.connection, active.id, name)
            assert "drain" in ownerless.advice(active) or "status" in ownerless.advice(active)
            return
        self.workers.clear()  # it waits for them
        await self._passes("1 minute")
        found = await ownerless.unsupervised(self.connection)
        if found is None or found.phase is not phase or not found.goes_on:
            await ownerless.make_way(self.connection, phase)
            await runs.begin(self.connection, phase, self.given, gate=lambda _: (), supervisor=name)
        else:
            await runs.take_over(self.connection, found, gate=lambda _: (), supervisor=name)
        self.supervisor = name
        active = await self.active()
        assert active is not None
        assert (active.wanted, active.supervisor, active.supervised) == (Wanted.RUN, name, True)

    @precondition(lambda self: self.supervisor)
    @rule()
    def a_worker_starts(self) -> None:
        self.workers.add(new_name())
        self.wait(self._beats())

    @rule()
    def the_supervisor_is_killed(self) -> None:
        self.supervisor = ""

    @rule()
    def the_supervisor_leaves(self) -> None:
        active = self.wait(self.active())
        if self.supervisor and active:
            self.wait(runs.leave(self.connection, active.id, self.supervisor))
        self.supervisor = ""

    @rule()
    def the_workers_are_killed(self) -> None:
        self.workers.clear()

    @rule(by=st.sampled_from(("11 seconds", "31 seconds", "6 minutes")))
    def time_passes(self, by: str) -> None:
        self.wait(self._passes(by))

    async def _passes(self, by: str) -> None:
        for query in PASS:
            await self.connection.execute(query, {"by": by})
        await self._beats()

    async def _beats(self) -> None:
        """What lives does a round."""
        run = await runs.latest(self.connection)
        if run is None:
            return
        if run.wanted in (Wanted.DRAIN, Wanted.ABORT) or run.ended_at is not None or run.abandoned:
            self.workers.clear()
        for worker in self.workers:
            numbers = "in_flight concurrency files bytes uploads adopted retries errors throttled p95_ms rss_bytes pid"
            given = dict.fromkeys(numbers.split(), 0)
            given |= {"id": worker, "run": run.id, "host": "h", "state": "working", "phase": run.phase, "why": ""}  # type: ignore[dict-item]
            await self.connection.execute(statement("report_worker"), given)
        if self.supervisor and run.ended_at is None:
            await runs.judge(self.connection, run.id, [], self.supervisor)
            await runs.finish_if_done(self.connection, await runs.load(self.connection, run.id))
        if (await runs.load(self.connection, run.id)).ended_at is not None:
            self.supervisor = ""

    # -- commands ------------------------------------------------------------------------------------------------------

    @rule(wanted=st.sampled_from(Wanted))
    def asked_for(self, wanted: Wanted) -> None:
        self.wait(self._want(wanted))

    async def _want(self, wanted: Wanted) -> None:
        active = await ownerless.settle(self.connection)
        if active is None:
            return
        if active.wanted is Wanted.ABORT and wanted is not Wanted.ABORT:
            with pytest.raises(runs.RunError, match="is being aborted"):
                await self._asks(active, wanted)
        else:
            await self._asks(active, wanted)

    async def _asks(self, active: runs.Run, wanted: Wanted) -> None:
        if wanted is Wanted.RUN:
            await runs.go_on(self.connection, active, gate=lambda _: ())
        else:
            await runs.want(self.connection, active.id, wanted)

    @rule(late=st.booleans())
    def a_worker_finds_a_halting_error(self, *, late: bool) -> None:
        self.wait(self._halt(late=late))

    async def _halt(self, *, late: bool) -> None:
        active = await self.active()
        if active is None:
            return
        begun_under = active.resumed - 1 if late else active.resumed
        await Ledger(self.given, active.id, "w").halt(self.connection, "AccessDenied", "no", "mend it", begun_under)
        if late:
            assert (await runs.load(self.connection, active.id)).halted == active.halted

    @rule()
    def status_is_asked_for(self) -> None:
        self.wait(ownerless.settled_by_reader(self.connection))

    # -- what holds ----------------------------------------------------------------------------------------------------

    @invariant()
    def what_is_shown_can_be_read(self) -> None:
        progress = self.wait(Follower().poll(self.connection))
        if progress.ownerless:
            assert progress.word != "RUNNING"

    async def ends_everywhere(self) -> None:
        """Every process is killed, a minute passes: then every command leads to an end, restore among them."""
        self.supervisor = ""
        await self._passes("1 minute")
        active = await self.active()
        if active is not None:
            assert active.ownerless
            if active.wanted is not Wanted.ABORT:
                await runs.want(self.connection, active.id, Wanted.DRAIN)
            assert await ownerless.settle(self.connection) is None
            assert (await runs.load(self.connection, active.id)).outcome in ("drained", "aborted")
        await self._begin(PhaseName.RESTORE)


@pytest.fixture
def night(server: tuple[EmbeddedPostgres, str]) -> Iterator[type[Night]]:
    with psycopg.connect(server[1], autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS cutover CASCADE")
        connection.execute('TRUNCATE "KnowledgeDocument", "CustomerDocument"')
        connection.execute(
            'INSERT INTO "KnowledgeDocument" ("id", "title", "filename", "fileType", "content", "fileData", "fileSize") '
            "VALUES ('one', 't', 'a.pdf', 'pdf', 'c', 'bytes', 5)"
        )
    with asyncio.Runner() as runner:
        Night.runner, Night.connection = runner, runner.run(connect(server[1]))
        runner.run(schema.create(Night.connection))
        yield Night
        runner.run(Night.connection.close())


def examples(many: int, steps: int) -> settings:
    quiet = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    return settings(max_examples=many, stateful_step_count=steps, deadline=None, suppress_health_check=quiet)


def test_from_every_state_every_command_leads_to_an_end(night: type[Night]) -> None:
    run_state_machine_as_test(night, settings=examples(12, 12))


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_from_every_state_of_longer_nights_too(night: type[Night]) -> None:
    run_state_machine_as_test(night, settings=examples(400, 40))


async def test_looking_at_a_run_of_another_phase_leaves_it_as_it_is(bench: Bench) -> None:
    """What is only proposed, or refused later, has ended nothing."""
    bench.insert(1)
    await bench.prepare()
    run = await runs.begin(bench.connection, PhaseName.COPY, bench.settings, gate=lambda _: (), supervisor="gone")
    bench.sql("UPDATE cutover.run SET supervised_until = clock_timestamp()")
    found = await ownerless.unsupervised(bench.connection)
    assert found is not None
    assert (found.id, found.goes_on, (await runs.load(bench.connection, run)).wanted) == (run, True, Wanted.RUN)
    await ownerless.make_way(bench.connection, PhaseName.RESTORE)
    assert (await runs.load(bench.connection, run)).outcome == "drained"


async def test_two_supervisors_never_have_one_run_and_the_second_has_it_once_the_first_is_killed(bench: Bench) -> None:
    bench.insert(1)
    await bench.prepare()
    run = await runs.begin(bench.connection, PhaseName.COPY, bench.settings, gate=lambda _: (), supervisor="first")
    with pytest.raises(runs.RunError, match="is supervised by first"):
        await runs.supervise(bench.connection, run, "second")
    bench.sql("UPDATE cutover.run SET supervised_until = clock_timestamp()")
    await runs.supervise(bench.connection, run, "second")
    with pytest.raises(runs.RunError, match="was taken over by second"):
        await runs.judge(bench.connection, run, [], "first")
