"""`make pictures`: the screens of a real rehearsal, exported by the app: `python -m cockpit.commands.pictures FOLDER`."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

from cockpit.commands.live_session import migration_controller
from cockpit.commands.options import LiveOptions
from cockpit.commands.plan_loading import known_vars, load
from cockpit.commands.rehearsal_run import RehearsalRun, rehearsal_run
from cockpit.commands.simulated_plans import shipped
from cockpit.decide.situation import Situation
from cockpit.decide.states import State
from cockpit.engine.recording import recording
from cockpit.rehearsal.process.launcher import Rehearsal
from cockpit.rehearsal.script.scenario import load_scenario
from cockpit.tui.app import CockpitApp
from cockpit.tui.screens.registry import MAIN_SCREENS
from probes.clients.threads import run_loop

SPEED = 30.0
SIZE = (120, 34)


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs")
    folder.mkdir(exist_ok=True)
    run_loop(_pictures(folder))


async def _pictures(folder: Path) -> None:
    async with Rehearsal() as world:
        world.apply(os.environ)
        scenario = load_scenario("bad-release")
        plan = load(shipped(scenario.plan), overrides=world.vars)
        async with (
            recording(plan, world.clock, root=world.folder / "records", new=True, rehearsal=True) as kept,
            rehearsal_run(scenario, world, plan, SPEED, kept=kept) as run,
        ):
            await _photograph(run, folder)


async def _photograph(run: RehearsalRun, folder: Path) -> None:
    """Every main screen, of the bad release while its trigger is breaching."""
    variables = [f"{name}={value}" for name, value in known_vars(run.watch.plan.path, run.world.vars).items()]
    async with migration_controller(run.watch, LiveOptions(variables=variables), run.kept.folder.path) as controller:
        app = CockpitApp(
            run.watch, environment_label="REHEARSAL", drill=run, background=run.watch.run, controller=controller
        )
        await _exported(app, run, folder)


async def _exported(app: CockpitApp, run: RehearsalRun, folder: Path) -> None:
    async with app.run_test(size=SIZE, notifications=True) as pilot:
        async with asyncio.timeout(300):
            while not _pending(run.watch.situation):
                await pilot.pause(0.1)
        for number, screen in enumerate(MAIN_SCREENS, 1):
            await pilot.press(str(number))
            await pilot.pause()
            picture = _self_contained(app.export_screenshot(title="cockpit"))
            (folder / f"{screen.removeprefix('go_')}.svg").write_text(picture, encoding="utf-8")


def _self_contained(svg: str) -> str:
    """Without the web font: a picture must load nothing from the network."""
    return re.sub(r"@font-face\s*\{.*?\}\s*", "", svg, flags=re.DOTALL)


def _pending(situation: Situation) -> bool:
    """The trigger is pending, with a few minutes of breach behind it."""
    status = situation.criterion("errors.high")
    progress = status.because.progress
    return status.state is State.PENDING and progress is not None and progress.ratio > 0.5


if __name__ == "__main__":
    main()
