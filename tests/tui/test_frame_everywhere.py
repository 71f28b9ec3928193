"""Whose account, read-only or not, what time, which verdict: in view on every screen, page and size, whatever happens."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import cache

import pytest
from contributing.test_words import UNSHOWN
from tui.stage import Broken, Stage, opened, plan, shown, until

from cockpit.decide.act import Act
from cockpit.decide.events import Entry
from cockpit.decide.situation import Situation
from cockpit.engine.operator_desk import Desk
from cockpit.engine.watch import Watch
from cockpit.plan.model import Person
from cockpit.tui import theme
from cockpit.tui.action_registry import ACTIONS, SCREENS, footer
from cockpit.tui.app import CockpitApp
from cockpit.tui.screens.base import FrameScreen
from cockpit.tui.screens.lists import ListScreen, TimelineScreen
from cockpit.tui.screens.pages import CardScreen, Page
from cockpit.tui.screens.steps import StepsScreen
from cockpit.tui.screens.typed import TypedScreen
from cockpit.tui.widgets.banner import Here, VerdictBanner, banner_lines
from cockpit.tui.widgets.context_row import ContextRow, context_line
from cockpit.tui.widgets.footer import Footer, footer_line, footer_parts

SIZES = [(80, 24), (60, 20), (140, 45), (200, 60)]


class Unsigned:
    """Keeps what people say in the record of a watch, without keys."""

    def __init__(self, watch: Watch) -> None:
        self._record = watch.record

    async def key_of(self, person: Person) -> str:
        return ""

    async def keep(self, entry: Entry, person: Person, role: str) -> None:
        self._record.append(entry)


PLACES = {
    "the card of a tour": [],
    **{screen.label: ["escape", "escape", screen.key] for screen in SCREENS},
    "palette": ["1", "colon"],
    "filter": ["escape", "slash", "o"],
    "help": ["escape", "escape", "question_mark"],
    "notices": ["escape", "escape", "N"],
    "faults": ["escape", "f"],
    "a criterion": ["1", "enter"],
    "an item": ["2", "down", "enter"],
    "a gate": ["2", "end", "enter"],
    "a probe": ["3", "enter"],
    "a change of the verdict": ["6", "down", "enter"],
    "arming": ["escape", "f9"],
    "who": ["escape", "i"],
}


PAGES = frozenset(PLACES) - {screen.label for screen in SCREENS}


def screen_kinds(kind: type[FrameScreen] = FrameScreen) -> set[type[FrameScreen]]:
    """Every kind of screen that is opened as such, none that only others build upon."""
    below = kind.__subclasses__()
    return {kind}.union(*map(screen_kinds, below)) - {FrameScreen, Page, ListScreen, StepsScreen, TypedScreen}


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_the_frame_is_in_view_everywhere(size: tuple[int, int]) -> None:
    watch = Stage().burning()
    app = CockpitApp(watch, drill=Broken(), desk=Desk(watch, Unsigned(watch)), card=lambda: ("A tour", "what to do"))
    seen = set()
    async with opened(app, size, notifications=True) as pilot:
        app.paint()
        await until(pilot, lambda: isinstance(app.screen, CardScreen))
        for place, keys in PLACES.items():
            if size[0] >= 140 and place in PAGES:
                continue  # pages have the same form wherever there is room
            await pilot.press(*keys)
            await until(pilot, lambda: "✗ ROLLBACK" in shown(app))
            lines = shown(app).splitlines()
            assert "PROD" in lines[0], place
            assert "READ-ONLY" in lines[0], place
            assert "02:02:15 UTC" in lines[0], place
            assert "✗ ROLLBACK" in lines[1], place
            assert not UNSHOWN.search(" ".join(lines).lower()), place
            assert "undecided" in lines[1], place
            front = next(screen for screen in reversed(app.screen_stack) if isinstance(screen, FrameScreen))
            seen.add(type(front))
            assert front.has_class("-production"), place
            assert "NEXT i  identify yourself" in lines[2], place
            assert front.query_one(VerdictBanner).size.height == (4 if size[1] >= 30 else 3), place
            for part in (ContextRow, VerdictBanner, Footer):
                assert front.query_one(part).virtual_size.width <= size[0], place
    if size[0] < 140:
        assert seen == screen_kinds(), "a screen nobody opened: say in PLACES how to get to it"


@pytest.mark.parametrize("width", [20, 34, 40, 60, 78, 80, 110, 140, 200])
@pytest.mark.parametrize("screen", ["go_cutover", "go_checklist", ""])
def test_the_footer_is_never_wider_than_the_screen_and_keeps_the_ways_out(width: int, screen: str) -> None:
    actions = footer(rehearsal=True)
    assert footer_line(actions, screen, width).cell_len <= max(width, 30)
    parts = {action.id for action, _, _ in footer_parts(actions, screen, width)}
    if width >= 40:
        assert {"help", "quit"} <= parts
    assert len(parts - {action.id for action in SCREENS}) <= 6


@pytest.mark.parametrize("width", [40, 58, 60, 78, 200])
def test_environment_read_only_and_clock_are_never_dropped(width: int) -> None:
    of = replace(plan(), name="a-very-long-name-of-a-plan-that-goes-on-and-on")
    line = context_line(Stage(of).burning(), "PROD", width)
    assert line.plain.startswith(" PROD  READ-ONLY")
    assert line.plain.endswith("02:02:15 UTC ")
    assert line.cell_len <= width


@cache
def every_kind() -> tuple[Situation, ...]:
    return tuple(stage.situation for stage in (Stage(), Stage().calm(), Stage().burning(), Stage().blinded()))


@pytest.mark.parametrize("width", [20, 40, 58, 78, 138, 198])
@pytest.mark.parametrize("notice", ["", "PAUSED: nothing is being read; press p to resume"])
@pytest.mark.parametrize("height", [3, 4])
def test_the_banner_has_so_many_lines_that_fit(width: int, notice: str, height: int) -> None:
    for situation in every_kind():
        lines = banner_lines(situation, timedelta(seconds=9), notice, width, height).split("\n")
        assert len(lines) == height
        assert all(line.cell_len <= width for line in lines)


def test_every_act_but_waiting_is_an_action_of_the_terminal() -> None:
    assert {str(act) for act in Act if act is not Act.WAIT} <= {action.id for action in ACTIONS}


@pytest.mark.parametrize("width", [78, 80, 138])
def test_the_second_line_says_what_to_do_next_with_its_key_for_the_person_here(width: int) -> None:
    situation = Stage().calm().situation
    keys = {action.id: action.shown for action in ACTIONS}
    lines = banner_lines(situation, timedelta(0), "", width, here=Here("ada", keys)).plain.split("\n")
    assert lines[1].strip().startswith("NEXT n  sign your 2 open lines: Tailscale VPN access tested")
    lines = banner_lines(situation, timedelta(0), "", width, here=Here("", keys)).plain.split("\n")
    assert lines[1].strip().startswith("NEXT i  identify yourself: ada (on-call) has 2 lines to sign")
    lines = banner_lines(situation, timedelta(0), "", width, here=Here("bob", keys)).plain.split("\n")
    assert lines[1].strip() == "NEXT  wait: ada (on-call) has 2 lines to sign"
    text = banner_lines(Stage().burning().situation, timedelta(0), "", width, here=Here("ada", keys)).plain
    assert "NEXT 5  decide: roll back or fix forward" in text
    assert ("ALSO bob (backup) has to decide" in text) == (width == 138)


def test_who_is_here_stands_in_the_first_row() -> None:
    stage = Stage().calm()
    assert "ada (on-call)" in context_line(stage, "PROD", 78, who="ada").plain
    assert "not identified (i)" in context_line(stage, "PROD", 78, who="").plain
    assert "identified" not in context_line(stage, "PROD", 78, who=None).plain


@pytest.mark.parametrize("width", [40, 58, 78, 198])
def test_stale_is_said_first_and_takes_the_colour_from_the_word(width: int) -> None:
    situation = Stage().burning().situation
    line = banner_lines(situation, timedelta(seconds=75), "", width).split("\n")[0]
    assert line.plain.startswith(" ✗ ROLLBACK  STALE 1m15s ")
    fresh = banner_lines(situation, timedelta(0), "", width).split("\n")[0]
    assert theme.BAD in str(fresh.spans[0].style)
    assert theme.BAD not in str(line.spans[0].style)


def test_the_banner_never_parts_a_number_from_its_unit() -> None:
    situation = Stage().burning().situation
    for width in range(40, 100):
        lines = banner_lines(situation, timedelta(0), "", width).plain.split("\n")
        assert not any(line.lstrip().startswith("%") for line in lines)


async def test_a_frame_that_falls_due_while_a_screen_is_made_does_no_harm() -> None:
    app = CockpitApp(Stage().calm())
    async with opened(app) as pilot:
        app.switch_screen("go_timeline")
        app.paint()
        await pilot.pause()
        app.paint()
        assert isinstance(app.screen, TimelineScreen)


async def test_the_footer_can_be_clicked() -> None:
    app = CockpitApp(Stage().calm())
    async with opened(app, (140, 45)) as pilot:
        at = shown(app).splitlines()[-1].index("Timeline")
        await pilot.click(offset=(at, 44))
        assert isinstance(app.screen, TimelineScreen)


async def test_ctrl_c_only_says_how_to_leave() -> None:
    app = CockpitApp(Stage().calm())
    async with opened(app, (80, 24), notifications=True) as pilot:
        await pilot.press("ctrl+c")
        await pilot.pause()
        assert "q leaves the cockpit" in shown(app)
        assert app.is_running


async def test_the_verdict_is_renewed_below_the_palette() -> None:
    stage = Stage().calm()
    app = CockpitApp(stage)
    async with opened(app) as pilot:
        await pilot.press("colon")
        stage.burning()
        await pilot.pause()
        assert "ROLLBACK" in shown(app).splitlines()[1]
