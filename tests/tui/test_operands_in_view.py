"""What decides a line is in view on the Cutover screen, in every state and at every width; so is the age of its data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from tui.kept_nights import plan_of
from tui.stage import Stage, criterion, opened, plan, shown, until

from cockpit.decide.events import PhaseBegan
from cockpit.decide.states import State
from cockpit.plan.model import Kind, Phase, Plan
from cockpit.tui import theme
from cockpit.tui.app import CockpitApp
from cockpit.tui.views import lists
from cockpit.tui.widgets.grid import MARGIN, Row, fit
from probes.reading import Reason, Unknown

WIDTHS = (80, 100, 120, 140, 200)
TITLE = "ECS tasks start, remain healthy and are all of one release"


def crowded(kind: Kind) -> Plan:
    """One criterion of seven operands, of which the last but one fails."""
    success = kind is Kind.SUCCESS
    fine = "site.ok && errors.ok && service.ok && service.rate < 0.5 && site.rate < 0.5 && "
    source = f"{fine}service.running == 2" if success else f"!({fine}service.running >= 2)"
    held = timedelta(minutes=1)
    one = criterion("crowded", TITLE, kind, source, hold_for=held, clear_for=held, min_samples=2)
    of = plan()
    if success:
        return replace(of, success_criteria=(one,))
    return replace(of, rollback_triggers=(one,))


def feed(stage: Stage, runnings: Sequence[int | None]) -> Stage:
    denied = Unknown(Reason.ACCESS_DENIED, "not authorized", "allow it")
    for running in runnings:
        if running is None:
            stage.saw(blind={"service": denied})
        else:
            stage.saw(running=running)
    return stage


# How many tasks ran, poll by poll, and what must be in view then.
STATES: dict[tuple[Kind, State], tuple[list[int | None], str]] = {
    (Kind.SUCCESS, State.NOT_MET): ([2, 2, 1], "running 1 (want 2)"),
    (Kind.SUCCESS, State.PROVING): ([2, 2], ""),
    (Kind.SUCCESS, State.MET): ([2] * 8, ""),
    (Kind.SUCCESS, State.UNKNOWN): ([2, 2, None], "ACCESS_DENIED"),
    (Kind.TRIGGER, State.CLEAR): ([2, 2], ""),
    (Kind.TRIGGER, State.PENDING): ([2, 1, 1], "running 1 (trips < 2)"),
    (Kind.TRIGGER, State.TRIPPED): ([2, 1, 1, 1, 1, 1, 1], "running 1 (trips < 2)"),
    (Kind.TRIGGER, State.RECOVERING): ([2, 1, 1, 1, 1, 1, 1, 2], ""),
    (Kind.TRIGGER, State.UNKNOWN): ([2, 2, None], "ACCESS_DENIED"),
}


def in_view(app: CockpitApp, text: str) -> bool:
    return text in shown(app)


def test_every_state_is_looked_at() -> None:
    assert {(kind, state) for state in State for kind in state.judging.kinds} == STATES.keys()


@pytest.mark.parametrize(("kind", "state"), STATES, ids=str)
async def test_what_decides_is_in_view_and_so_is_its_age(kind: Kind, state: State) -> None:
    runnings, wanted = STATES[kind, state]
    stage = feed(Stage(crowded(kind)), runnings)
    assert stage.situation.criterion("crowded").state is state
    app = CockpitApp(stage)
    async with opened(app) as pilot:
        for width in WIDTHS:
            await pilot.resize_terminal(width, 24)
            await until(pilot, partial(in_view, app, state.label))
            lines = shown(app).splitlines()
            assert len(lines[0]) == width
            row = next(line for line in lines[5:] if f"{state.meaning.symbol} {state.label} " in line)
            assert wanted in row, width
            titles = next(line for line in lines if "VALUE (LIMIT)" in line)
            assert "AGE" in titles, width
            assert "TREND" not in titles or TITLE in row, width


@pytest.mark.parametrize("longest", [30, 48, 64])
@pytest.mark.parametrize("width", range(70, 220, 5))
def test_an_ornament_goes_before_a_title_shrinks_or_a_value_has_too_little_room(width: int, longest: int) -> None:
    layout = {column.key: cells for column, cells in fit(lists.CUTOVER, width, {"title": longest})}
    if layout.keys() & {"spark", "bar"}:
        assert layout["title"] >= longest
        assert layout["value"] >= 32


async def test_where_there_is_a_trend_no_title_is_cut() -> None:
    of = plan_of("transparent-trust")
    titles = [each.title for each in (*of.success_criteria, *of.rollback_triggers)]
    app = CockpitApp(Stage(of))
    trends = []
    async with opened(app, (100, 45)) as pilot:
        for width in (120, 140, 150, 155, 159):
            await pilot.resize_terminal(width, 45)
            await until(pilot, partial(as_wide_as, app, width))
            text = shown(app)
            if "TREND " in next(line for line in text.splitlines() if "VALUE (LIMIT)" in line):
                trends.append(width)
                assert [title for title in titles if title not in text] == [], width
    assert trends


def as_wide_as(app: CockpitApp, width: int) -> bool:
    return len(shown(app).splitlines()[0]) == width


@pytest.mark.parametrize(("kind", "state"), STATES, ids=str)
def test_no_width_hides_the_state_its_window_or_the_operand_that_decides(
    kind: Kind, state: State, rows: dict[tuple[Kind, State], Row]
) -> None:
    row = rows[kind, state]
    for width in range(76, 220):
        layout = {column.key: cells for column, cells in fit(lists.CUTOVER, width - MARGIN)}
        assert row.cell("state").cell_len <= layout["state"], width
        assert STATES[kind, state][1] in row.cell("value").plain[: layout["value"]], width
        assert layout["title"] >= 20, width
        assert "age" in layout, width


@pytest.fixture(scope="module")
def rows() -> dict[tuple[Kind, State], Row]:
    found = {}
    for (kind, state), (runnings, _) in STATES.items():
        situation = feed(Stage(crowded(kind)), runnings).situation
        found[kind, state] = next(row for row in lists.cutover(situation, lambda *_: ()) if row.key == "crowded")
    return found


async def test_a_side_pane_shows_the_verdict_and_only_what_fails_with_what_decides() -> None:
    stage = feed(Stage(crowded(Kind.SUCCESS)), [2, 1])
    app = CockpitApp(stage)
    async with opened(app, (59, 30)) as pilot:
        for width in (59, 50, 40):
            await pilot.resize_terminal(width, 30)
            await until(pilot, partial(in_view, app, "NOT MET"))
            lines = shown(app).splitlines()
            assert "HOLD" in lines[1]
            assert "NEXT" in lines[2]
            assert "running 1 (want 2)" in next(line for line in lines[5:] if "✗ NOT MET" in line), width
            assert "✓" not in "\n".join(lines[5:-4])


def test_a_window_says_how_far_it_is() -> None:
    proving = feed(Stage(crowded(Kind.SUCCESS)), [2, 2])
    assert state_shown(proving) == "… HOLDING 15s of 1m"
    breaching = feed(Stage(crowded(Kind.TRIGGER)), [2, 1, 1, 1])
    assert state_shown(breaching) == "! BREACHING 30s/1m"


def test_a_state_that_stands_though_its_newest_reading_failed_is_as_old_as_its_data_and_not_green() -> None:
    stage = feed(Stage(crowded(Kind.SUCCESS)), [2] * 8)
    stage.saw(blind={"service": Unknown(Reason.TIMEOUT, "no answer", "wait")})
    assert stage.situation.criterion("crowded").state is State.MET
    assert state_shown(stage) == "? MET 15s ago"
    (cell,) = [row.cell("state") for row in cutover(stage) if row.key == "crowded"]
    assert theme.GO not in str(cell.style)


def test_what_fails_is_not_dimmed_because_another_reading_is_missing() -> None:
    stage = feed(Stage(crowded(Kind.SUCCESS)), [2, 1])
    stage.saw(running=1, blind={"site": Unknown(Reason.TIMEOUT, "no answer", "wait")})
    assert state_shown(stage) == "✗ NOT MET"


def test_before_the_deployment_a_success_criterion_is_a_baseline() -> None:
    stage = Stage(crowded(Kind.SUCCESS))
    stage.record.append(PhaseBegan(stage.hand.time, Phase.PRE_DEPLOY))
    feed(stage, [2] * 8)
    heading, row, *_ = cutover(stage)
    assert heading.heading is not None
    assert heading.heading.plain == "SUCCESS CRITERIA  baseline, does not count yet"
    assert theme.GO not in str([span.style for span in row.cell("state").spans])


def test_who_waits_for_a_first_reading_does_not_hear_of_a_fault() -> None:
    row = next(row for row in cutover(Stage(crowded(Kind.SUCCESS))) if row.key == "crowded")
    assert row.cell("value").plain == "waiting for 1st reading"


def test_readings_of_before_the_deployment_are_no_first_reading() -> None:
    stage = Stage(crowded(Kind.SUCCESS))
    feed(stage, [2] * 8)
    stage.hand.time += timedelta(seconds=1)
    stage.record.append(PhaseBegan(stage.hand.time, Phase.POST_DEPLOY))
    stage.tick()
    row = next(row for row in cutover(stage) if row.key == "crowded")
    assert row.cell("age").plain
    assert row.cell("value").plain == "waiting for new data"


def cutover(stage: Stage) -> list[Row]:
    return lists.cutover(stage.situation, lambda *_: ())


def state_shown(stage: Stage) -> str:
    return next(row for row in cutover(stage) if row.key == "crowded").cell("state").plain


def test_what_is_wrong_stands_alone_and_the_rest_is_counted() -> None:
    status = feed(Stage(crowded(Kind.SUCCESS)), [2, 1]).situation.criterion("crowded")
    assert lists.value(status) == "running 1 (want 2)  +5 ok"
    assert status.because.line.startswith("service running 1 ")
