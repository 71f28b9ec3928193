"""Whose key signed a line has one answer: for verify, the report, a session that goes on, and a replay."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from click.testing import CliRunner
from support.clock import HandClock
from support.plans.signing_plan import keys_for, signing_plan
from support.sources import NoSource

from cockpit.cli.main import main
from cockpit.decide.events import SignOff
from cockpit.engine.operator_desk import Desk
from cockpit.engine.recorded import record_in
from cockpit.engine.recording import Recording, recording
from cockpit.engine.watch import Watch
from cockpit.journal.entry import Type
from cockpit.journal.record_folder import RecordFolder
from cockpit.journal.verify import verify_record
from cockpit.journal.writer import Draft
from cockpit.plan.model import Plan
from cockpit.replay.player import Player, play_through
from cockpit.replay.trace import trace_of
from cockpit.report.load_record import account_of


class Signed:
    """Ada signs that the restore was rehearsed, with the key the plan names for her."""

    def __init__(self, tmp_path: Path) -> None:
        self.key, public = keys_for(tmp_path, "ada")
        self.plan: Plan = signing_plan(tmp_path, ada_key=public)
        self.root, self.clock = tmp_path / "records", HandClock()

    async def session(self, name: str = "", *, as_note: bool = False) -> RecordFolder:
        async with recording(self.plan, self.clock, who="ada", root=self.root, name=name, key_file=self.key) as kept:
            watch = Watch(self.plan, NoSource(), self.clock, kept.record, kept.started_at)
            kept.attach(watch)
            watch.tick()
            self.clock.time += timedelta(seconds=5)
            await Desk(watch, kept, "ada").sign("restore", "Restored in 11 minutes")
            if as_note:
                await _copied_to_a_note(kept)
            self.clock.time += timedelta(seconds=5)
            watch.tick()
            return kept.folder


async def _copied_to_a_note(kept: Recording) -> None:
    """A line that no person signs carries a person's sign-off with their signature: past the writer's own checks."""
    line = next(line for _, line in kept.folder.lines() if len(line.sigs) == 2)
    setattr(kept.journal, "_check", lambda _: None)  # noqa: B010 - a method is put aside
    draft = Draft(Type.NOTE, line.entry.body, line.entry.actor)
    await asyncio.wrap_future(kept.writer_thread.submit(replace(draft, signature=line.sigs[1])))


def keys_said(folder: RecordFolder, plan: Plan) -> dict[str, list[bool]]:
    """Of each reader: whether each sign-off it finds is signed."""
    trace = trace_of(folder)
    player = Player(trace)
    player.play_to(len(trace.steps))
    item = next(item for item in account_of(folder).items if item.id == "restore")
    assert item.sign_off is not None
    return {
        "replay": [bool(each.key) for each in player.record.all(SignOff)],
        "gate": [bool(each.key) for each in record_in(folder).all(SignOff)],
        "report": [bool(each.key) for each in item.sign_off.given],
    }


async def test_a_record_that_was_renamed_keeps_its_signatures(tmp_path: Path) -> None:
    made = Signed(tmp_path)
    folder = await made.session()
    before = keys_said(folder, made.plan)
    assert before == {"replay": [True], "gate": [True], "report": [True]}
    moved = RecordFolder(folder.path.rename(tmp_path / "evidence"))
    assert keys_said(moved, made.plan) == before
    assert play_through(trace_of(moved))[2] == []
    assert "Reproduced: " in CliRunner().invoke(main, ["replay", str(moved.path), "--headless"]).output


async def test_a_record_that_was_renamed_is_gone_on_with_as_the_same(tmp_path: Path) -> None:
    made = Signed(tmp_path)
    folder = await made.session()
    moved = RecordFolder(folder.path.rename(tmp_path / "evidence"))
    await made.session(str(moved.path))
    assert verify_record(moved.path).broken == []
    assert set(keys_said(moved, made.plan)["replay"]) == {True}


async def test_what_verify_calls_broken_is_signed_for_nobody(tmp_path: Path) -> None:
    made = Signed(tmp_path)
    folder = await made.session(as_note=True)
    assert ["a note is not signed by a person" in each.what for each in verify_record(folder.path).broken] == [True]
    assert keys_said(folder, made.plan)["gate"] == [True, False]
    assert keys_said(folder, made.plan)["report"] == [True, False]
