"""The words of the ledger have one owner: tables, statements and code use no other; every change of state is a listed one."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import pytest
from migration.migration_bench import Bench
from support.waiting import LAST_RESORT_S

import cockpit.migration
from cockpit.migration import runs, schema
from cockpit.migration.local_workers import DATABASE
from cockpit.migration.progress import Follower
from cockpit.migration.states import (
    DONE,
    ITEM_TRANSITIONS,
    OBJECT_TRANSITIONS,
    OPEN,
    ItemState,
    ObjectState,
    PhaseName,
    Wanted,
    WorkerState,
    complete,
)

COLUMN = re.compile(r"\b(?:\w+\.)?(state|wanted|phase|failed_in)\s*(?:=|<>|IN)\s*(\((?:'\w+'(?:,\s*)?)+\)|'\w+')")
COLUMNS = {
    "state": (ItemState, ObjectState, WorkerState),
    "wanted": (Wanted,),
    "phase": (PhaseName,),
    "failed_in": (PhaseName,),
}  # fmt: skip


def statements() -> Iterator[tuple[str, str]]:
    """Every text of the room that could be SQL, with where it stands."""
    room = Path(cockpit.migration.__file__).parent
    for path in sorted(room.rglob("*.sql")):
        yield path.name, path.read_text(encoding="utf-8")
    for path in sorted(room.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "cutover." in node.value:
                yield f"{path.name}:{node.lineno}", node.value


def test_every_word_in_a_statement_is_one_of_the_ledgers() -> None:
    found = 0
    for where, text in statements():
        for column, words in COLUMN.findall(text):
            known = {str(word) for allowed in COLUMNS[column] for word in allowed}
            for word in re.findall(r"'(\w+)'", words):
                assert word in known, f"{where}: {column} is never {word!r}"
                found += 1
    assert found > 40


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


async def test_no_phase_makes_a_change_of_state_that_is_not_listed(bench: Bench) -> None:
    bench.insert(12)
    await bench.prepare()
    pairs: dict[str, list[tuple[str, str]]] = {
        "item": [(before, after) for before, states in ITEM_TRANSITIONS.items() for after in states],
        "object": [(before, after) for before, states in OBJECT_TRANSITIONS.items() for after in states],
    }
    for table, allowed in pairs.items():
        listed = ", ".join(f"('{before}', '{after}')" for before, after in allowed)
        bench.sql(
            f"""CREATE FUNCTION cutover.only_listed_{table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN ({listed}) THEN
                    RAISE EXCEPTION 'not listed: %% -> %%', OLD.state, NEW.state;
                END IF; RETURN NEW; END $$"""
        )
        bench.sql(
            f"""CREATE TRIGGER only_listed BEFORE UPDATE ON cutover.{table}
                FOR EACH ROW EXECUTE FUNCTION cutover.only_listed_{table}()"""
        )
    for phase in PhaseName:
        assert (await bench.phase(phase)).startswith("done"), phase
    assert bench.states() == {ItemState.RESTORED: 12}
    with pytest.raises(Exception, match="not listed"):
        bench.sql("UPDATE cutover.item SET state = 'purged'")


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
    bench.processes.append(worker)
    await bench.finish(run)
    assert worker.wait(LAST_RESORT_S) == 0
    modules = set(loaded.read_text().split())
    assert "cockpit.migration.phases.copy" in modules
    for forbidden in ("cockpit.plan", "cockpit.conditions", "cockpit.decide", "cel", "pydantic", "textual", "yaml"):
        assert not {module for module in modules if module == forbidden or module.startswith(f"{forbidden}.")}
