"""`make pictures`: the screens of a real rehearsal, exported by the app: `python -m cockpit.commands.pictures FOLDER`."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from cockpit.commands.live_session import action_executor
from cockpit.commands.plan_loading import known_vars, load
from cockpit.commands.rehearsal_run import RehearsalRun, allow_in, crew_migration, first_person, rehearsal_run
from cockpit.commands.simulated_plans import shipped
from cockpit.decide.situation import Situation
from cockpit.decide.states import State, Word
from cockpit.engine.recording import recording
from cockpit.migration.controller import Controller
from cockpit.rehearsal.process.launcher import Rehearsal
from cockpit.rehearsal.script.scenario import load_scenario
from cockpit.tui.app import CockpitApp
from cockpit.tui.screens.registry import MAIN_SCREENS
from probes.clients.threads import run_loop

SPEED = 30.0
SIZE = (120, 34)
MIGRATION, DECIDING = "go_migration", ("go_rollback", "go_timeline", "go_runbook")
Moment = tuple[Sequence[str], Callable[[RehearsalRun, Controller | None], bool]]
"""Screens, and when they are shown at their best."""


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs")
    folder.mkdir(exist_ok=True)
    run_loop(_pictures(folder))


async def _pictures(folder: Path) -> None:
    before = [screen for screen in MAIN_SCREENS if screen not in (MIGRATION, *DECIDING)]
    breaching: Moment = (before, lambda run, _: _pending(run.watch.situation))
    tripped: Moment = (DECIDING, lambda run, _: run.watch.situation.verdict.word is Word.ROLLBACK)
    await _night("bad-release", folder, [breaching, tripped])
    await _night("smooth", folder, [([MIGRATION], lambda _, controller: _half_way(controller))])


async def _night(scenario_name: str, folder: Path, moments: Sequence[Moment]) -> None:
    """A rehearsal, and its screens at each of the moments."""
    async with Rehearsal() as world:
        world.apply(os.environ)
        scenario = load_scenario(scenario_name)
        given = known_vars(shipped(scenario.plan), world.vars)
        plan = load(shipped(scenario.plan), overrides=given)
        allow_in(world, plan)
        async with (
            recording(plan, world.clock, root=world.folder / "records", new=True, rehearsal=True) as kept,
            rehearsal_run(scenario, world, plan, SPEED, kept=kept) as run,
            crew_migration(run, given) as controller,
            action_executor(run.watch, kept, first_person(plan)) as executor,
        ):
            app = CockpitApp(
                run.watch,
                environment_label="REHEARSAL",
                drill=run,
                background=run.watch.run,
                controller=controller,
                desk=executor.desk,
                executor=executor,
            )
            async with app.run_test(size=SIZE, notifications=True) as pilot:
                for screens, ready in moments:
                    async with asyncio.timeout(900):
                        while not ready(run, controller):
                            await pilot.pause(0.1)
                    for screen in screens:
                        await pilot.press(str(list(MAIN_SCREENS).index(screen) + 1))
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


def _half_way(controller: Controller | None) -> bool:
    """Files are on their way, and some have arrived."""
    if controller is None or not controller.progress.active:
        return False
    return controller.progress.files * 0.4 < controller.progress.done < controller.progress.files


if __name__ == "__main__":
    main()
