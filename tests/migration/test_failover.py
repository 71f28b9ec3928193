"""The database fails over in the middle of a phase: the run waits for the new primary and goes on; no file is lost or wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from migration.migration_bench import BUCKET, TABLES, Bench
from migration.primary_and_standby import Pair, pair
from support.waiting import until

from cockpit.migration import runs
from cockpit.migration.database import NotPrimary, connect
from cockpit.migration.local_workers import LocalWorkers
from cockpit.migration.settings import Settings, Source
from cockpit.migration.states import DONE, PhaseName
from cockpit.migration.supervisor import Supervisor
from cockpit.migration_scope import Limits, MigrationTable
from cockpit.rehearsal.database.seed import seed_database
from cockpit.rehearsal.object_store import ObjectStore

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]
FILES = 600
BEFORE: dict[PhaseName, tuple[PhaseName, ...]] = {
    PhaseName.COPY: (),
    PhaseName.VERIFY: (PhaseName.COPY,),
    PhaseName.PURGE: (PhaseName.COPY, PhaseName.VERIFY),
    PhaseName.RESTORE: (PhaseName.COPY, PhaseName.VERIFY, PhaseName.PURGE),
}


@pytest.fixture
async def failing_over(store: ObjectStore, tmp_path: Path) -> AsyncIterator[tuple[Bench, Pair]]:
    with pair(tmp_path) as servers:
        application = seed_database(servers.primary, datetime.now(UTC)).application
        servers.address.leads_to = servers.primary.port
        dsn = servers.through_address(application)
        sources = tuple(Source(MigrationTable(table)) for table in TABLES)
        settings = Settings(BUCKET, "us-east-1", "documents/", sources, Limits(), soak_s=0, lease_s=6)
        bench = Bench(servers.primary, dsn, store, await connect(dsn), settings)
        bench.sql('TRUNCATE "KnowledgeDocument", "CustomerDocument"')
        try:
            yield bench, servers
        finally:
            await bench.connection.close()
            bench.look_away()


@pytest.mark.parametrize("synchronous", [True, False])
@pytest.mark.parametrize("phase", list(BEFORE))
async def test_a_phase_goes_on_after_a_failover_in_its_middle(
    failing_over: tuple[Bench, Pair], tmp_path: Path, phase: PhaseName, *, synchronous: bool
) -> None:
    bench, servers = failing_over
    bench.insert(FILES)
    whole = bench.rows()
    for earlier in BEFORE[phase]:
        assert await bench.phase(earlier, workers=2) == "done"
    servers.follow(synchronous=synchronous)
    bench.connection = await connect(bench.dsn)
    run = await bench.begin(phase)
    await runs.limit(bench.connection, run, files_per_s=100)
    workers = LocalWorkers(bench.dsn, run, 2, str(tmp_path / "workers.log"))
    supervising = asyncio.create_task(Supervisor(bench.dsn, run, list, workers).run())
    begun = f"SELECT count(*) FROM cutover.item WHERE state IN ({', '.join(repr(str(s)) for s in DONE[phase])})"
    await until(lambda: bench.sql(begun)[0][0] > FILES // 5)
    await bench.connection.close()
    servers.primary.kill()
    servers.address.leads_to = servers.standby.port  # where the name leads to before anybody was promoted
    with pytest.raises(NotPrimary):
        await connect(bench.dsn, primary=True)
    servers.promote()
    bench.connection = await connect(bench.dsn, primary=True)
    await runs.limit(bench.connection, run, files_per_s=3000)
    assert await supervising == "done"
    assert await workers.ended(60)
    assert bench.sql("SELECT count(*) FROM cutover.event WHERE kind = 'halted'") == [(0,)]
    assert bench.sql("SELECT sum(failures) FROM cutover.item") == [(0,)]
    assert set(bench.states()) <= set(map(str, DONE[phase]))
    now = bench.rows()
    assert set(now) == set(whole)
    for id_, (held, key) in now.items():
        if phase is PhaseName.RESTORE:
            assert (held, key) == whole[id_]
            continue
        assert key is not None
        assert bench.shelf.current(key).body == whole[id_][0]
        assert held == (None if phase is PhaseName.PURGE else whole[id_][0])
    if synchronous:  # else a key may be of an intent that the old primary took with it: an orphan that `audit` reports
        bench.proven()
