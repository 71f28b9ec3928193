"""The terminal as its user meets it: the frame always in view, rows that keep their place, keys that do what they say."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from textual.widgets import Input
from tui.stage import Broken, Stage, listens, opened, plan, shown, until

from cockpit.decide.states import Word
from cockpit.tui.action_registry import (
    ACTIONS,
    DECIDE_FOOTER,
    EVIDENCE_FOOTER,
    FAULTS_FOOTER,
    HELP_FOOTER,
    MIGRATION_FOOTER,
    PAGE_FOOTER,
    PLACED,
    Handler,
    Where,
    available,
    footer,
    handled,
)
from cockpit.tui.app import CockpitApp
from cockpit.tui.keys import general, migration, replay, sign_and_decide
from cockpit.tui.screens.cutover import CutoverScreen
from cockpit.tui.screens.lists import ChecklistScreen, ListScreen, TimelineScreen
from cockpit.tui.screens.pages import EvidenceScreen, FaultsScreen, HelpScreen
from cockpit.tui.screens.registry import MAIN_SCREENS
from cockpit.tui.screens.steps import RollbackScreen
from cockpit.tui.screens.typed import TypedScreen

README = Path(__file__).parents[2] / "README.md"


@pytest.mark.parametrize(
    "of", [(), MIGRATION_FOOTER, PAGE_FOOTER, HELP_FOOTER, FAULTS_FOOTER, DECIDE_FOOTER, EVIDENCE_FOOTER]
)
def test_the_footer_has_six_keys_at_most(of: tuple[str, ...]) -> None:
    assert len(footer(rehearsal=True, of=of)) <= 6


async def test_the_cursor_keeps_its_row_while_values_change() -> None:
    stage = Stage().calm()
    app = CockpitApp(stage)
    async with opened(app) as pilot:
        await pilot.press("down", "down")
        screen = app.screen
        assert isinstance(screen, CutoverScreen)
        before = screen.grid.cursor
        stage.saw(rate=0.5, running=0)
        app.paint()
        await pilot.pause()
        assert screen.grid.cursor == before == "errors.high"


async def test_a_timeline_that_grows_does_not_move_the_selection() -> None:
    stage = Stage().calm(1)
    stage.saw(rate=0.5)
    app = CockpitApp(stage)
    async with opened(app) as pilot:
        await pilot.press("6", "down")
        screen = app.screen
        assert isinstance(screen, TimelineScreen)
        before = screen.grid.cursor
        stage.burning()
        app.paint()
        await pilot.pause()
        assert screen.grid.cursor == before


async def test_a_section_folds_and_unfolds() -> None:
    app = CockpitApp(Stage().calm())
    async with opened(app) as pilot:
        await pilot.press("2")
        screen = app.screen
        assert isinstance(screen, ChecklistScreen)
        rows = len(screen.grid.rows)
        await pilot.press("enter")
        assert len(screen.grid.rows) == rows - 3
        await pilot.press("enter")
        assert len(screen.grid.rows) == rows


async def test_a_filter_narrows_and_escape_clears_it_without_leaving() -> None:
    app = CockpitApp(Stage().calm())
    async with opened(app) as pilot:
        await pilot.press("slash", *"error")
        screen = app.screen
        assert isinstance(screen, ListScreen)
        assert [row.key for row in screen.grid.rows if row.selectable] == ["errors.high"]
        await pilot.press("enter")
        assert not screen.query_one("#filter", Input).display
        await pilot.press("escape")
        assert len([row for row in screen.grid.rows if row.selectable]) == 4
        await pilot.press("escape", "escape", "escape")
        assert app.is_running


async def test_failing_only_hides_what_does_not_stand_in_the_way() -> None:
    app = CockpitApp(Stage().burning())
    async with opened(app) as pilot:
        await pilot.press("exclamation_mark")
        assert isinstance(app.screen, ListScreen)
        assert "tasks.gone" not in [row.key for row in app.screen.grid.rows]
        assert "errors.high" in [row.key for row in app.screen.grid.rows]
        assert "only failing" in shown(app)


async def test_help_names_every_action_there_is() -> None:
    app = CockpitApp(Stage(), drill=Broken(), armed=True)
    async with opened(app, (140, 70)) as pilot:
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        text = app.screen.text().plain
        assert all(action.help in text for action in ACTIONS if action.where is not Where.REPLAY)
        app.armed = False
        text = app.screen.text().plain
        assert not any(action.help in text for action in ACTIONS if action.dangerous)


def test_bindings_are_the_registry() -> None:
    bound = {(binding.key, binding.action) for binding in CockpitApp.BINDINGS if not isinstance(binding, tuple)}
    everywhere = [action for action in ACTIONS if action.where not in PLACED]
    assert bound == {(action.keys, f"do('{action.id}')") for action in everywhere}
    own = [binding for kind in (RollbackScreen, EvidenceScreen, TypedScreen) for binding in kind.BINDINGS]
    placed = {(action.keys, f"app.do('{action.id}')") for action in ACTIONS if action.where in PLACED}
    assert {(binding.key, binding.action) for binding in own if not isinstance(binding, tuple)} == placed


def test_the_readme_s_table_has_each_key_as_often_as_it_does_something() -> None:
    """A new action shows in help and palette by itself; in the README only where somebody writes it there."""
    section = README.read_text().partition("## Keys")[2].partition("\n## ")[0]
    cells = [line.split(" | ")[0] for line in section.splitlines() if line.startswith("| `")]
    assert Counter(re.findall(r"`([^`]+)`", " ".join(cells))) == Counter(action.shown for action in ACTIONS)


def test_every_action_has_exactly_one_handler() -> None:
    tables = (MAIN_SCREENS, general.KEYS, migration.KEYS, replay.KEYS, sign_and_decide.KEYS)
    assert sorted(id_ for table in tables for id_ in table) == sorted(action.id for action in ACTIONS)


def test_no_key_does_two_things_in_one_place() -> None:
    for places in ({where for where in Where if where not in PLACED}, *({where} for where in PLACED)):
        keys = [key for action in ACTIONS if action.where in places for key in action.keys.split(",")]
        assert sorted(keys) == sorted(set(keys))


@pytest.mark.parametrize("handler", Handler)
def test_a_key_without_its_handler_ends_at_import(handler: Handler) -> None:
    table = {action.id: action for action in ACTIONS if action.handler is handler}
    assert handled(handler, table) is table
    left_out = next(iter(table))
    with pytest.raises(TypeError, match=left_out):
        handled(handler, {id_: action for id_, action in table.items() if id_ != left_out})
    with pytest.raises(TypeError, match="unheard_of"):
        handled(handler, table | {"unheard_of": ACTIONS[0]})


def test_the_rehearsals_actions_exist_only_in_one() -> None:
    assert {"faults", "crew"} == {a.id for a in available(rehearsal=True)} - {a.id for a in available(rehearsal=False)}


async def test_faults_can_be_broken_while_the_verdict_stays_in_view() -> None:
    drill = Broken()
    app = CockpitApp(Stage().calm(), drill=drill, environment_label="REHEARSAL")
    async with opened(app) as pilot:
        await pilot.press("f")
        assert isinstance(app.screen, FaultsScreen)
        await pilot.press("enter")
        assert drill.active
        assert "injected" in shown(app)
        assert "HOLD" in shown(app).splitlines()[1]
        await pilot.press("escape", "C")
        assert drill.signed == 1


async def test_keys_of_the_rehearsal_do_nothing_outside_one() -> None:
    app = CockpitApp(Stage())
    async with opened(app) as pilot:
        await pilot.press("f")
        assert isinstance(app.screen, CutoverScreen)


async def test_pausing_is_loud_and_asks_first() -> None:
    app = CockpitApp(Stage().calm())
    async with opened(app) as pilot:
        await pilot.press("p")
        await until(pilot, lambda: listens(app))
        assert "PAUSED" not in shown(app)
        await pilot.press(*"pause", "enter")
        await until(pilot, lambda: "PAUSED" in shown(app))
        assert "STALE" in shown(app).splitlines()[1]


async def test_a_verdict_that_is_not_renewed_says_stale_with_its_age() -> None:
    stage = Stage().calm()
    app = CockpitApp(stage)
    async with opened(app) as pilot:
        stage.hand.time += timedelta(seconds=75)
        app.paint()
        await pilot.pause()
        assert "STALE 1m15s" in shown(app).splitlines()[1]


async def test_a_dead_engine_is_told_and_the_screen_stays() -> None:
    async def dies() -> None:
        raise RuntimeError("a secret must not be shown")

    app = CockpitApp(Stage().calm(), background=dies)
    async with opened(app) as pilot:
        await until(pilot, lambda: "COCKPIT DEGRADED" in shown(app))
        assert "secret" not in shown(app)


async def test_quitting_does_not_wait_for_an_engine_that_will_not_stop() -> None:
    running, let_go, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def stubborn() -> None:
        running.set()
        while not let_go.is_set():
            with suppress(asyncio.CancelledError):
                await let_go.wait()
        ended.set()

    app = CockpitApp(Stage(), background=stubborn)
    async with opened(app) as pilot:
        await running.wait()
        await pilot.press("q")
    assert not ended.is_set(), "it has quit while the engine goes on"
    let_go.set()
    await ended.wait()


async def test_copying_leaves_the_line_in_a_file_for_this_user_only(tmp_path: Path) -> None:
    app = CockpitApp(Stage().burning())
    async with opened(app, (80, 24), notifications=True) as pilot:
        await pilot.press("end", "up", "c")
        await pilot.pause()
        assert "TRIPPED: 500 error rate above 5 %" in app.clipboard
    (kept,) = tmp_path.rglob("copied.txt")
    assert "TRIPPED" in kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600


async def test_an_evidence_bundle_has_the_screen_and_the_situation(tmp_path: Path) -> None:
    app = CockpitApp(Stage().burning())
    async with opened(app, (80, 24), notifications=True) as pilot:
        await pilot.press("ctrl+s")
        await pilot.pause()
    saved = {path.name: path for path in tmp_path.rglob("*") if path.is_file()}
    assert set(saved) == {"screen.svg", "situation.txt", "situation.json"}
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in saved.values())


async def test_a_changed_word_is_painted_at_once() -> None:
    stage = Stage().calm()
    app = CockpitApp(stage)
    async with opened(app) as pilot:
        assert "ROLLBACK" not in shown(app).splitlines()[1]
        stage.burning()
        await pilot.pause()
        assert stage.situation.verdict.word is Word.ROLLBACK
        assert "ROLLBACK" in shown(app).splitlines()[1]


async def test_without_colours_word_and_symbol_remain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = CockpitApp(Stage().burning())
    async with opened(app) as pilot:
        await pilot.pause()
        assert "✗ ROLLBACK" in shown(app)
        assert "✗ TRIPPED" in shown(app)


async def test_five_hundred_criteria_scroll_to_the_last() -> None:
    app = CockpitApp(Stage(plan(500)).calm(0.5))
    async with opened(app) as pilot:
        await pilot.press("end")
        await pilot.pause()
        assert "No task is running" in shown(app)


async def test_the_palette_finds_an_action() -> None:
    app = CockpitApp(Stage().calm())
    async with opened(app) as pilot:
        await pilot.press("colon", *"tim")
        async with asyncio.timeout(5):
            while "Every change of the verdict" not in shown(app):
                await pilot.pause()
            await pilot.press("enter")
            while not isinstance(app.screen, TimelineScreen):
                await pilot.pause()


async def test_quitting_asks_while_somebody_depends_on_this_cockpit() -> None:
    app = CockpitApp(Stage().burning())
    async with opened(app) as pilot:
        await pilot.press("q")
        await until(pilot, lambda: listens(app))
        assert "a rollback waits for a decision" in shown(app)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, CutoverScreen))
        await pilot.press("q")
        await until(pilot, lambda: listens(app))
        await pilot.press(*"quit", "enter")
        await until(pilot, lambda: not app.is_running)
    calm = CockpitApp(Stage().calm())
    async with opened(calm) as pilot:
        await pilot.press("q")
        await until(pilot, lambda: not calm.is_running)
