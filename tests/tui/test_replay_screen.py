"""A record on the screens: it says REPLAY, its keys move it, and nothing can be said or done in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from support.clock import HandClock
from support.sources import NoSource
from tui.stage import START, opened, plan, shown

from cockpit.decide.events import PhaseBegan, Record
from cockpit.engine.watch import Watch
from cockpit.journal.record_folder import RecordFolder
from cockpit.plan.model import Phase
from cockpit.replay.session import Replay
from cockpit.replay.trace import Decided, EntryAdded, ReadingTaken, Trace
from cockpit.tui.action_registry import Where
from cockpit.tui.app import CockpitApp
from probes.reading import Reading


def burning_tape(tmp_path: Path) -> Trace:
    """Two minutes of calm, then 12 % of errors until the rollback, as a watch saw it."""
    of, hand = replace(plan(), path=str(tmp_path / "plan.yaml")), HandClock(START)
    watch = Watch(of, NoSource(), hand, Record())
    steps: list[ReadingTaken | EntryAdded | Decided] = [EntryAdded(START, PhaseBegan(START, Phase.POST_DEPLOY))]
    watch.record.append(PhaseBegan(START, Phase.POST_DEPLOY))
    for n in range(16):
        hand.time += timedelta(seconds=15)
        for name in of.probes:
            values = {"rate": 0.12 if n > 8 else 0.01, "running": 2, "ok": True}
            reading = Reading(hand.time, hand.time, values)
            watch.board.add(name, reading)
            steps.append(ReadingTaken(hand.time, name, reading))
        before = len(watch.changes())
        watch.tick()
        if turned := watch.changes()[before:]:
            steps.append(Decided(hand.time, list(turned)))
    return Trace(of, RecordFolder(tmp_path), "ada", START, steps)


def rolls_back(app: CockpitApp) -> bool:
    """Whether that is the verdict, and not only what it may turn to."""
    return shown(app).splitlines()[1].split()[1] == "ROLLBACK"


@pytest.mark.parametrize("size", [(80, 24), (140, 45)], ids=str)
async def test_a_replay_says_so_and_obeys_its_keys(tmp_path: Path, size: tuple[int, int]) -> None:
    replay = Replay(burning_tape(tmp_path), speed=30)
    replay.playing = False
    app = CockpitApp(replay, environment_label="REPLAY", controls=replay)
    async with opened(app, size, notifications=True) as pilot:
        lines = shown(app).splitlines()
        assert "REPLAY" in lines[0]
        assert any("stopped" in line for line in lines[1:5])
        await pilot.press("]")
        while not rolls_back(app):
            assert replay.clock.now() < replay.trace.ends_at
            await pilot.press("]")
        at = replay.clock.now()
        await pilot.press("comma")
        assert replay.clock.now() < at
        assert not rolls_back(app)
        await pilot.press("full_stop")
        assert replay.clock.now() == at
        await pilot.press("space")
        assert replay.playing
        await pilot.press(">")
        assert replay.clock.speed == 60
        assert not replay._index.differences


async def test_nothing_can_be_said_or_done_in_a_replay(tmp_path: Path) -> None:
    replay = Replay(burning_tape(tmp_path))
    app = CockpitApp(replay, environment_label="REPLAY", controls=replay)
    async with opened(app, (100, 30), notifications=True) as pilot:
        assert not any(action.where is Where.LIVE for action in app.actions())
        assert not any(action.dangerous for action in app.actions())
        await pilot.press("2", "s", "f9", "v", "n")
        assert app.screen is app.screen_stack[-1]
        assert not app.armed
        assert "play" not in {action.id for action in CockpitApp(replay, environment_label="PROD").actions()}
