"""How fast it goes is measured from the ledger's own counts, at the moment of the rest; what nobody looked at is a gap."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from migration.migration_bench import Bench

from cockpit.migration import runs
from cockpit.migration.follower import Follower
from cockpit.migration.states import PhaseName, Wanted

CLAIMED = "UPDATE cutover.item SET state = 'uploading' WHERE doc_id < %s AND state = 'planned'"
SWITCHED = "UPDATE cutover.item SET state = 'switched', size = 2000 WHERE doc_id < %s AND state = 'uploading'"


async def test_rates_bar_and_moment_are_of_one_snapshot_though_no_worker_has_reported(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("cockpit.migration.follower.time", SimpleNamespace(monotonic=lambda: now[0]))
    bench.insert(40)
    run = await bench.begin(PhaseName.COPY)
    follower = Follower()
    assert (await follower.poll(bench.connection)).throughput == (), "one look is no rate"

    async def later(seconds: float, to: str) -> tuple[int, float, list[float | None]]:
        now[0] += seconds
        for query in (CLAIMED, SWITCHED):
            bench.sql(query, to)
        shown = await follower.poll(bench.connection)
        assert shown.at is not None
        assert not shown.throughput or shown.throughput[-1].at <= shown.at
        return shown.done, shown.files_per_s, [each.files_per_s for each in shown.throughput]

    assert await later(4, "doc-00020") == (20, 5.0, [5.0])
    assert await later(4, "doc-00020") == (20, 2.5, [5.0, 2.5])
    done, _, rates = await later(60, "doc-00030")
    assert (done, rates) == (30, [5.0, 2.5, None]), "what came meanwhile came at no known time"
    await runs.want(bench.connection, run, Wanted.DRAIN)
    assert await runs.finish_if_done(bench.connection, await runs.load(bench.connection, run)) == "drained"
    assert await later(1, "") == (30, 0.0, [5.0, 2.5, None]), "of a run that has ended nothing more is measured"
