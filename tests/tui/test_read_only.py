"""The cockpit only reads until it is armed: what its keys do, and what its probes may ask of AWS."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from rich.text import Text
from support.clock import HandClock
from textual.screen import Screen
from textual.widgets import Input
from tui.seated import Seated, say
from tui.stage import START, Stage, opened, plan, shown, until

from cockpit.decide.events import Decision
from cockpit.engine.operator_desk import Desk
from cockpit.engine.recording import recording
from cockpit.migration.controller import Controller
from cockpit.migration.phase_proposal import PhaseProposal
from cockpit.migration.progress import Progress
from cockpit.migration.states import PhaseName
from cockpit.plan.model import Migration
from cockpit.tui.action_registry import ACTIONS, Handler
from cockpit.tui.app import CockpitApp
from cockpit.tui.screens.answer import AnswerScreen
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


async def test_it_is_armed_by_the_account_that_is_typed_and_by_nothing_else() -> None:
    app = CockpitApp(Stage().calm(1))
    async with opened(app, (100, 30)) as pilot:
        for typed in ("", "yes", "no"):
            await pilot.press("f9")
            await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
            page = app.screen
            assert isinstance(page, ConfirmScreen)
            assert not app.armed
            await until(pilot, lambda page=page: page.listening)  # type: ignore[misc]
            page.query_one("#word", Input).value = typed
            await pilot.press("enter")
            await pilot.pause()
            assert not app.armed
            await pilot.press("escape")
        await pilot.press("f9")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen) and app.screen.listening)
        last = app.screen
        assert isinstance(last, ConfirmScreen)
        last.query_one("#word", Input).value = last.word
        await pilot.press("enter")
        await until(pilot, lambda: app.armed)


def test_every_key_of_the_migration_is_one_that_changes_production() -> None:
    keys = [action for action in ACTIONS if action.handler is Handler.MIGRATION]
    assert keys
    assert [action.id for action in keys if not action.dangerous] == []


class Looked(Controller):
    """Its look at account, database and bucket, which a process of its own takes, has come to an answer."""

    async def propose(self, phase: PhaseName, who: str = "") -> PhaseProposal:
        of = ("123456789012", "eu-west-1", "arn:aws:iam::123456789012:user/ada", "db.example.com/app", "s3://docs/")
        return PhaseProposal(phase, *of, workers="2 on here", part="", files=3, checks=(), at=START)


async def test_a_phase_that_was_proposed_while_it_was_armed_does_not_begin_once_it_is_not(tmp_path: Path) -> None:
    of = replace(plan(environment="staging"), path=str(tmp_path / "plan.yaml"))
    Path(of.path).write_text("the copy of the plan")
    hand = HandClock(START)
    controller = Looked(Migration("postgresql://db.example.com/app", "docs", "eu-west-1", ()), of.path)
    async with recording(of, hand, who="ada", root=tmp_path / "records") as kept:
        watch = Seated(of, kept, hand)
        watch.keep()
        app = CockpitApp(watch, desk=Desk(watch, kept, "ada"), controller=controller, armed=True)
        async with opened(app, (100, 30)) as pilot:
            await pilot.press("4", *next(each.keys for each in ACTIONS if each.id == "move_purge").split(",")[:1])
            await until(pilot, lambda: isinstance(app.screen, AnswerScreen))
            app.armed = False
            await say(pilot, "purge db.example.com/app: the soak is over")
            await until(pilot, lambda: "read-only" in shown(app) or watch.record.all(Decision) != [])
        assert watch.record.all(Decision) == []
        assert controller._started == []


def test_every_probe_reads_or_says_that_it_writes() -> None:
    writing = {
        name: [need for need in kind.iam if need not in STARTS_A_READ and not READS.fullmatch(need.partition(":")[2])]
        for name, kind in KINDS.items()
    }
    assert {name for name, needs in writing.items() if needs} <= {name for name, kind in KINDS.items() if kind.writes}
