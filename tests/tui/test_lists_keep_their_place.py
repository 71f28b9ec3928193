"""Rows stay under the eye and the cursor, whatever arrives; a filter narrows; a click is as good as a key."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rich.text import Text
from textual.app import App, ComposeResult
from textual.strip import Strip
from tui.stage import Broken, Stage, opened, plan, shown

from cockpit.decide.situation import ItemStatus
from cockpit.tui.app import CockpitApp
from cockpit.tui.screens.cutover import CutoverScreen
from cockpit.tui.screens.lists import ChecklistScreen, ListScreen, ProbesScreen, TimelineScreen
from cockpit.tui.screens.pages import EvidenceScreen, FaultsScreen
from cockpit.tui.views.lookup import find
from cockpit.tui.widgets.grid import Column, Grid, Row, fit


def lists(app: CockpitApp) -> ListScreen:
    assert isinstance(app.screen, ListScreen)
    return app.screen


def row_on_screen(app: CockpitApp) -> int:
    """The terminal's row the cursor's mark is on."""
    return next(y for y, line in enumerate(shown(app).splitlines()) if line[:2].endswith(">"))


async def test_number_keys_open_their_screen_from_anywhere() -> None:
    app = CockpitApp(Stage().burning())
    kinds = {"1": CutoverScreen, "2": ChecklistScreen, "3": ProbesScreen, "6": TimelineScreen}
    async with opened(app) as pilot:
        for key, kind in kinds.items():
            await pilot.press("enter", key)
            assert type(app.screen) is kind
            await pilot.press("question_mark", key)
            assert type(app.screen) is kind


async def test_what_arrives_above_the_cursor_does_not_move_its_row_on_the_screen() -> None:
    stage = Stage().calm(0.5)
    for n in range(12):
        stage.saw(rate=0.5 if n % 2 else 0.0)
    app = CockpitApp(stage)
    async with opened(app) as pilot:
        await pilot.press("6", "down", "down", "down")
        before, row = lists(app).grid.cursor, row_on_screen(app)
        for n in range(6):
            stage.saw(rate=0.5 if n % 2 else 0.0)
        app.paint()
        await pilot.pause()
        assert lists(app).grid.cursor == before
        assert row_on_screen(app) == row


async def test_a_heading_that_is_too_long_says_so() -> None:
    app = CockpitApp(Stage().calm(1))
    async with opened(app) as pilot:
        grid = lists(app).grid
        grid.show(
            [Row("heading:x", heading=Text("decide by 16:27: " + "a rollback takes 1h06m, " * 5), selectable=False)]
        )
        await pilot.pause()
        assert "…" in shown(app).splitlines()[5]


async def test_an_untouched_timeline_follows_what_is_new() -> None:
    stage = Stage().calm(1)
    app = CockpitApp(stage)
    async with opened(app) as pilot:
        await pilot.press("6")
        stage.burning()
        await pilot.pause()
        grid = lists(app).grid
        assert grid.cursor == grid.rows[0].key
        assert "ROLLBACK" in "".join(shown(app).splitlines()[5:8])


async def test_the_cursor_keeps_its_row_when_others_are_filtered_out() -> None:
    app = CockpitApp(Stage(plan(60)).calm(0.5))
    async with opened(app) as pilot:
        await pilot.press("down", "down")
        before = lists(app).grid.cursor
        await pilot.press("slash", *before)
        assert lists(app).grid.cursor == before
        await pilot.press("escape")
        assert lists(app).grid.cursor == before


async def test_a_filtered_item_keeps_its_section_and_loses_the_others() -> None:
    app = CockpitApp(Stage().calm())
    async with opened(app) as pilot:
        await pilot.press("2", "slash", *"vpn")
        phase, *others = [row.key for row in lists(app).grid.rows]
        assert phase.startswith("phase:")
        assert others == ["section:Infrastructure", "i.vpn"]


async def test_a_folded_section_keeps_its_heading_and_opens_for_a_filter() -> None:
    app = CockpitApp(Stage().calm())
    async with opened(app) as pilot:
        await pilot.press("2", "enter")
        keys = [row.key for row in lists(app).grid.rows]
        assert "section:Infrastructure" in keys
        assert "i.rds" not in keys
        await pilot.press("exclamation_mark")
        assert "i.vpn" in [row.key for row in lists(app).grid.rows]


async def test_the_arrows_move_while_a_filter_is_typed() -> None:
    app = CockpitApp(Stage().calm())
    async with opened(app) as pilot:
        await pilot.press("slash", "o")
        first = lists(app).grid.cursor
        await pilot.press("down")
        assert lists(app).grid.cursor != first


async def test_a_filter_that_finds_nothing_says_so() -> None:
    app = CockpitApp(Stage().calm())
    async with opened(app) as pilot:
        await pilot.press("slash", *"qq")
        await pilot.pause()
        assert "filter: qq" in shown(app)
        assert not lists(app).grid.rows


async def test_a_click_selects_and_a_double_click_opens() -> None:
    app = CockpitApp(Stage().burning())
    async with opened(app) as pilot:
        y = next(y for y, line in enumerate(shown(app).splitlines()) if "No tas" in line)
        await pilot.click(offset=(30, y))
        assert lists(app).grid.cursor == "tasks.gone"
        await pilot.click(offset=(30, y), times=2)
        assert isinstance(app.screen, EvidenceScreen)
        assert app.screen.subject() == "tasks.gone"


async def test_a_double_click_breaks_something_in_a_rehearsal() -> None:
    drill = Broken()
    app = CockpitApp(Stage().calm(), drill=drill)
    async with opened(app) as pilot:
        await pilot.press("f")
        assert isinstance(app.screen, FaultsScreen)
        y = next(y for y, line in enumerate(shown(app).splitlines()) if "[/fails]" in line)
        await pilot.click(offset=(20, y), times=2)
        assert drill.active


@pytest.mark.parametrize(
    ("keys", "asked"),
    [(["1"], "site"), (["1", "end"], "service"), (["3", "down"], "service"), (["6"], ""), (["2"], "")],
)
async def test_reading_now_asks_the_probes_of_the_line_or_all(keys: list[str], asked: str) -> None:
    stage = Stage().calm()
    app = CockpitApp(stage)
    async with opened(app) as pilot:
        await pilot.press(*keys)
        if keys == ["6"]:
            subject = find(stage.situation, lists(app).subject())
            assert isinstance(subject, ItemStatus)
            asked = subject.because.probes[0]
        await pilot.press("r")
        assert stage.source.asked == [asked]  # type: ignore[attr-defined]


@pytest.mark.parametrize("size", [(80, 24), (60, 20)])
async def test_the_lines_below_the_list_say_the_whole_because(size: tuple[int, int]) -> None:
    app = CockpitApp(Stage().burning())
    async with opened(app, size) as pilot:
        await pilot.press("end", "up")
        await pilot.pause()
        said = " ".join(line.strip("▌▐ ") for line in shown(app).splitlines()[-3:-1])
        assert "errors rate 12.0 % (limit 5.0 %); breached 30s of 30s" in said.replace("  ", " ")


async def test_a_tall_terminal_shows_the_path_to_go_and_what_is_blind() -> None:
    app = CockpitApp(Stage().blinded())
    async with opened(app, (110, 45)) as pilot:
        await pilot.pause()
        assert "PATH TO GO" in shown(app)
        assert "sign: Tailscale VPN access tested" in shown(app)
        assert "ACCESS_DENIED, 4 checks cannot be evaluated" in shown(app)
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert "PATH TO GO" not in shown(app)


async def test_the_cursor_is_marked_without_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = CockpitApp(Stage().burning())
    async with opened(app) as pilot:
        await pilot.press("end", "up")
        await pilot.pause()
        assert ">✗ TRIPPED" in shown(app)


class Bare(App[None]):
    """A grid and nothing else."""

    def compose(self) -> ComposeResult:
        yield Grid([Column("a", "A")])


async def test_only_what_changed_is_rendered_again() -> None:
    app = Bare()
    async with app.run_test(size=(40, 10)) as pilot:
        grid = app.query_one(Grid)
        rows = [Row(str(n), (("a", Text(f"row {n}")),)) for n in range(5)]
        grid.show(rows)
        await pilot.pause()
        made: list[str] = []
        render: Callable[[Row, str], Text] = grid._line
        grid._line = lambda row, mark: (made.append(row.key), render(row, mark))[1]  # type: ignore[method-assign,func-returns-value]
        grid.show([Row("3", (("a", Text("other")),)) if row.key == "3" else row for row in rows])
        await pilot.pause()
        assert made == ["3"]


async def test_a_move_of_the_cursor_paints_the_row_it_leaves_and_the_one_it_comes_to() -> None:
    app = Bare()
    async with app.run_test(size=(40, 10)) as pilot:
        grid = app.query_one(Grid)
        grid.show([Row(str(n), (("a", Text(f"row {n}")),)) for n in range(30)])
        await pilot.pause()
        painted: list[int] = []
        line_of: Callable[[int], Strip] = grid.render_line
        grid.render_line = lambda y: (painted.append(y), line_of(y))[1]  # type: ignore[method-assign,func-returns-value]
        grid.move(2)
        await pilot.pause()
        assert painted == [0, 2]
        grid.move(20)
        await pilot.pause()
        assert len(painted) > 2 + 2, "further than a page: all of it is painted anew"


def test_a_wide_terminal_does_not_tear_columns_apart() -> None:
    columns = [Column("a", "A", weight=3, most=20), Column("b", "B", most=10), Column("c", "C", 5), Column("d", "D")]
    assert {c.key: width for c, width in fit(columns, 200)} == {"a": 20, "b": 10, "c": 5, "d": 159}


@pytest.mark.parametrize("width", range(20, 220, 7))
def test_columns_never_need_more_than_there_is(width: int) -> None:
    columns = [Column("a", "A", 8), Column("b", "B", least=10), Column("c", "C", 12, rank=2), Column("d", "D", rank=1)]
    laid = fit(columns, width)
    assert sum(w for _, w in laid) + 2 * (len(laid) - 1) <= max(width, 20)


@pytest.mark.parametrize("height", [24, 32, 34, 38, 45, 60])
async def test_what_is_below_the_list_never_pushes_a_trigger_out_of_view(height: int) -> None:
    app = CockpitApp(Stage(plan(15)).calm())
    async with opened(app, (120, height)) as pilot:
        await pilot.pause()
        text = shown(app)
        assert "500 error rate" in text
        assert "No task is running" in text
