"""A person at the keys of a cockpit, on a real record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from support.clock import HandClock
from textual.pilot import Pilot
from textual.widgets import Input
from tui.stage import HERE, START, Stage, opened, plan, until

from cockpit.decide.events import PhaseBegan
from cockpit.engine.operator_desk import Desk
from cockpit.engine.recording import Recording, recording
from cockpit.plan.model import Ask, Phase, Plan, Step
from cockpit.tui.app import CockpitApp
from cockpit.tui.screens.answer import AnswerScreen
from cockpit.tui.screens.lists import ListScreen

Seat = tuple[Pilot[None], "Seated"]
STEPS = (
    Step(
        "run.deploy",
        "Deploy [/odd]",
        HERE,
        "make deploy IMAGE=web@sha256:1f",
        "both tasks healthy",
        timedelta(minutes=30),
    ),
    Step("run.look", "Look", HERE, sign_off=Ask("What did you read?", ("on_call",))),
)
BACK = (Step("back.revision", "Go back", HERE, duration=timedelta(minutes=10)),)


class Seated(Stage):
    """A stage whose record is kept in a folder."""

    def __init__(self, of: Plan, kept: Recording, hand: HandClock) -> None:
        self._kept, self._hand = kept, hand
        super().__init__(of)

    def keep(self) -> None:
        self.record = self._kept.record
        self.clock = self.hand = self._hand
        self.record.append(PhaseBegan(START, Phase.POST_DEPLOY))
        self._kept.attach(self)
        self.tick()


@asynccontextmanager
async def cockpit(tmp_path: Path, who: str = "ada", size: tuple[int, int] = (100, 30)) -> AsyncIterator[Seat]:
    path = tmp_path / "plan.yaml"
    path.write_text("the copy of the plan")
    of = replace(plan(environment="staging"), path=str(path), runbook=STEPS, rollback_plan=BACK)
    hand = HandClock(START)
    async with recording(of, hand, who=who, root=tmp_path / "records") as kept:
        watch = Seated(of, kept, hand)
        watch.keep()
        app = CockpitApp(watch, desk=Desk(watch, kept, who))
        async with opened(app, size, notifications=True) as pilot:
            yield pilot, watch


def asks(pilot: Pilot[None]) -> bool:
    """Whether a page with a field is in front: it is there before its field is."""
    screen = pilot.app.screen
    return isinstance(screen, AnswerScreen) and len(screen.query("#word")) == 1


async def say(pilot: Pilot[None], text: str) -> None:
    """Type an answer once the page listens, and wait until it was said."""
    await until(pilot, lambda: asks(pilot))
    screen = pilot.app.screen
    assert isinstance(screen, AnswerScreen)
    field = screen.query_one("#word", Input)
    await until(pilot, lambda: field.has_focus and screen.listening)
    field.value = text
    await pilot.press("enter")
    if screen._submitting is not None:
        await asyncio.wait({screen._submitting})
    await pilot.pause()


def at(pilot: Pilot[None], key: str) -> None:
    screen = pilot.app.screen
    assert isinstance(screen, ListScreen)
    grid = screen.grid
    assert key in {row.key for row in grid.rows}
    grid.cursor = key
    grid.refresh()
