"""`cockpit run` on a plan for production: whoever votes or signs what matters has a key, or somebody says why not."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.clock import HandClock
from support.plans.signing_plan import keys_for, signing_plan
from support.sources import NoSource

from cockpit.cli.main import main
from cockpit.engine.operator_desk import Desk
from cockpit.engine.ports import Refused
from cockpit.engine.recorded import record_in
from cockpit.engine.recording import recording
from cockpit.engine.watch import Watch
from cockpit.exit_codes import BAD_PLAN
from cockpit.journal.record_folder import RecordFolder
from cockpit.plan.load import load_plan
from cockpit.plan.model import Plan
from cockpit.plan.signing_keys import roles_that_need_keys, without_keys
from cockpit.replay.player import play_through
from cockpit.replay.session import Replay
from cockpit.replay.trace import trace_of
from cockpit.report.load_record import account_of


def production(tmp_path: Path, ada_key: str = "", bob_key: str = "") -> Plan:
    path = Path(signing_plan(tmp_path, ada_key, bob_key).path)
    path.write_text(path.read_text().replace("environment: staging", "environment: production"))
    return load_plan(path)


def test_who_needs_a_key_and_has_none(tmp_path: Path) -> None:
    _, public = keys_for(tmp_path, "ada")
    assert roles_that_need_keys(production(tmp_path)) == ("on_call", "dba")
    assert list(without_keys(production(tmp_path))) == [("on_call", ("ada",)), ("dba", ("bob",))]
    assert list(without_keys(production(tmp_path, ada_key=public))) == [("dba", ("bob",))]
    assert list(without_keys(signing_plan(tmp_path))) == []


def test_it_does_not_begin_and_names_them(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["run", production(tmp_path).path])
    assert done.exit_code == BAD_PLAN
    assert "on_call: ada" in done.output
    assert "dba: bob" in done.output
    assert "--allow-claimed REASON" in done.output


async def night(plan: Plan, root: Path, because: str) -> tuple[RecordFolder, Watch]:
    clock = HandClock()
    async with recording(plan, clock, who="ada", root=root, claimed_because=because) as kept:
        watch = Watch(plan, NoSource(), clock, kept.record, kept.started_at)
        kept.attach(watch)
        for who in ("ada", "bob"):
            await Desk(watch, kept, who).vote("deploy", "go")
        watch.tick()
        return kept.folder, watch


async def test_what_has_no_key_does_not_count_unless_it_was_allowed_with_a_reason(tmp_path: Path) -> None:
    plan = production(tmp_path)
    with pytest.raises(Refused, match="this is production, and the plan names no ssh_key for ada"):
        await night(plan, tmp_path / "a", "")
    folder, watch = await night(plan, tmp_path / "b", "the keys are in the safe")
    assert watch.situation.gates[0].passed
    told = await asyncio.to_thread(account_of, folder)
    assert told.claimed_because == "the keys are in the safe"
    assert told.gates[0].passed
    assert record_in(folder).claimed_because == "the keys are in the safe"
    trace = await asyncio.to_thread(trace_of, folder)
    replayed, _, differences = play_through(trace)
    assert [str(each) for each in differences] == []
    assert replayed.gates == watch.situation.gates, "a replay knows that claims were allowed"
    assert Replay(trace, at=replayed.now).situation.gates == replayed.gates
