"""The words of the ledger have one owner: tables, statements and code use no other; every change of state is a listed one."""

from __future__ import annotations

import os
import subprocess
import sys
from enum import StrEnum
from pathlib import Path

import psycopg
import pytest
from migration.migration_bench import Bench
from migration.transitions import unlisted
from support.waiting import LAST_RESORT_S

from cockpit.migration import runs, schema
from cockpit.migration.follower import Follower
from cockpit.migration.ledger import note_decision
from cockpit.migration.local_workers import DATABASE
from cockpit.migration.states import (
    DONE,
    ITEM_TRANSITIONS,
    OBJECT_TRANSITIONS,
    OPEN,
    ItemState,
    ObjectState,
    PhaseName,
    complete,
)


def test_a_word_without_its_row_cannot_be_imported() -> None:
    class Later(StrEnum):
        NOW = "now"
        THEN = "then"

    with pytest.raises(TypeError, match="then"):
        complete(Later, {Later.NOW: 1})


def test_every_state_can_be_reached_and_every_phase_has_work() -> None:
    reached = {state for after in ITEM_TRANSITIONS.values() for state in after}
    assert reached == set(ItemState)
    assert {state for after in OBJECT_TRANSITIONS.values() for state in after} == set(ObjectState) - {
        ObjectState.INTENT
    }
    for phase in PhaseName:
        assert not set(OPEN[phase]) & set(DONE[phase])


async def test_every_phase_changes_states_as_listed_and_another_change_is_noticed(bench: Bench) -> None:
    bench.insert(12)
    for phase in PhaseName:
        assert (await bench.phase(phase)).startswith("done"), phase
    assert bench.states() == {ItemState.RESTORED: 12}
    assert unlisted(bench.looking()) == []
    async with await psycopg.AsyncConnection.connect(bench.dsn, autocommit=True) as connection:
        noted = [await note_decision(connection, "ada", statement, "why") for statement in ("1 ada", "1 ada", "1 adam")]
    assert noted == [True, False, True], "a statement of the record begins one run"
    bench.sql("UPDATE cutover.item SET state = 'purged' WHERE doc_id = 'doc-00003'")
    (line,) = unlisted(bench.looking())
    assert line.startswith("item doc-00003: restored -> purged by UPDATE")
    bench.sql("TRUNCATE watch.unlisted")


async def test_a_ledger_of_an_earlier_version_is_brought_up_to_date(bench: Bench) -> None:
    bench.insert(3)
    await bench.phase(PhaseName.COPY)
    bench.sql("ALTER TABLE cutover.item DROP COLUMN failed_in")
    bench.sql(
        """UPDATE cutover.item SET state = 'quarantined', last_error = CASE doc_id
           WHEN 'doc-00000' THEN 'restore: NoSuchKey: gone' WHEN 'doc-00001' THEN 'verify: another size' ELSE 'too odd' END"""
    )
    progress = await Follower().poll(bench.connection)
    assert progress.count(ItemState.QUARANTINED) == 3
    assert progress.purged == 1, "one file is in S3 alone: a restore of it failed"
    assert await runs.retry(bench.connection) == 3
    assert [(row[0], row[1] is None) for row in bench.sql("SELECT state, key FROM cutover.item ORDER BY doc_id")] == [
        (ItemState.PURGED, False),
        (ItemState.SWITCHED, False),
        (ItemState.PLANNED, True),
    ]
    errors = [row[0] for row in bench.sql("SELECT last_error FROM cutover.item ORDER BY doc_id")]
    assert errors == ["NoSuchKey: gone", "another size", "too odd"]
    await schema.upgrade(bench.connection)


WORKER = """
import atexit, os, runpy, sys
atexit.register(lambda: open({out!r}, "w").write("\\n".join(sys.modules)))
sys.argv = ["cockpit.migration", {run!r}]
runpy.run_module("cockpit.migration", run_name="__main__", alter_sys=True)
"""


async def test_a_worker_loads_no_plan_no_conditions_and_no_terminal(bench: Bench, tmp_path: Path) -> None:
    bench.insert(3)
    run = await bench.begin(PhaseName.COPY)
    loaded = tmp_path / "loaded"
    worker = subprocess.Popen(  # noqa: ASYNC220 - returns at once
        [sys.executable, "-c", WORKER.format(out=str(loaded), run=str(run))],
        env=os.environ | {DATABASE: bench.dsn},
    )
    try:
        await bench.finish(run)
        assert worker.wait(LAST_RESORT_S) == 0
    finally:
        worker.kill()
    modules = set(loaded.read_text().split())
    assert "cockpit.migration.phases.copy" in modules
    for forbidden in ("cockpit.plan", "cockpit.conditions", "cockpit.decide", "cel", "pydantic", "textual", "yaml"):
        assert not {module for module in modules if module == forbidden or module.startswith(f"{forbidden}.")}
