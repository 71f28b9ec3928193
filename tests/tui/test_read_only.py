"""The cockpit only reads until it is armed: what its keys do, and what its probes may ask of AWS."""

from __future__ import annotations

import re
from functools import partial

import pytest
from rich.text import Text
from textual.screen import Screen
from textual.widgets import Input
from tui.stage import Stage, opened, plan, until

from cockpit.migration.controller import Controller
from cockpit.migration.progress import Progress
from cockpit.migration.states import PhaseName
from cockpit.plan.model import Migration
from cockpit.tui.action_registry import ACTIONS
from cockpit.tui.app import CockpitApp
from cockpit.tui.screens.confirm import ConfirmScreen
from probes.registry import BUILT_IN, find

KINDS = {name: find(name) for name in BUILT_IN}
DANGEROUS = [action for action in ACTIONS if action.dangerous]
READS = re.compile(r"(Describe|Get|List|Head|Lookup|Filter|Test|Select|Query|Search|Check|Simulate|BatchGet)\w*")
STARTS_A_READ = {"logs:StartQuery", "logs:StopQuery"}
"""A query of the logs is started, and stopped when nobody waits for it any more: neither changes anything."""


def answered(app: CockpitApp, before: Screen[object]) -> bool:
    return bool(app.message.plain) or app.screen is not before


@pytest.mark.parametrize("armed", [False, True])
async def test_before_it_is_armed_no_key_changes_production(armed: bool) -> None:
    """Armed, each of these keys does something or says why it does not: so they are keys that could."""
    controller = Controller(Migration("", "bucket", "eu-west-1", ()), plan().path)
    controller.progress = Progress(run=1, prepared=True, active=True, phase=PhaseName.COPY)
    app = CockpitApp(Stage().calm(1), controller=controller, armed=armed)
    async with opened(app, (100, 30)) as pilot:
        for screen in ("1", "2", "3", "5", "4"):
            await pilot.press("escape", screen)
            here = app.screen
            for action in DANGEROUS:
                app.message = Text()
                await pilot.press(*action.keys.split(","))
                await pilot.pause()
                if armed and screen == "4":
                    await until(pilot, partial(answered, app, here))
                    await pilot.press("escape" if app.screen is not here else "4")
                else:
                    assert app.screen is here, f"{action.id} asks though nothing is armed"
                    assert not app.message.plain, f"{action.id} does something though nothing is armed"
        assert app.armed == armed
        assert controller._started == []


async def test_a_page_of_the_migration_that_was_opened_while_it_was_armed_changes_nothing_once_it_is_not() -> None:
    controller = Controller(Migration("", "bucket", "eu-west-1", ()), plan().path)
    controller.progress = Progress(run=1, prepared=True, active=True, phase=PhaseName.COPY)
    app = CockpitApp(Stage().calm(1), controller=controller, armed=True)
    async with opened(app, (100, 30)) as pilot:
        await pilot.press("4", *next(each.keys for each in ACTIONS if each.id == "move_abort").split(",")[:1])
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        page = app.screen
        assert isinstance(page, ConfirmScreen)
        await until(pilot, lambda: page.listening)
        app.armed = False
        page.query_one("#word", Input).value = page.word
        await pilot.press("enter")
        await until(pilot, lambda: bool(app.message.plain))
        assert "read-only" in app.message.plain


def test_every_probe_reads_or_says_that_it_writes() -> None:
    writing = {
        name: [need for need in kind.iam if need not in STARTS_A_READ and not READS.fullmatch(need.partition(":")[2])]
        for name, kind in KINDS.items()
    }
    assert {name for name, needs in writing.items() if needs} <= {name for name, kind in KINDS.items() if kind.writes}
