"""What decides a line is in view on the Cutover screen, in every state and at every width; so is the age of its data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from tui.stage import Stage, criterion, plan, shown, until

from cockpit.decide.states import State
from cockpit.plan.model import Kind, Plan
from cockpit.tui.app import CockpitApp
from cockpit.tui.views import lists
from cockpit.tui.widgets.grid import fit
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
    for width in WIDTHS:
        app = CockpitApp(stage)
        async with app.run_test(size=(width, 24)) as pilot:
            await until(pilot, partial(in_view, app, str(state)))
            lines = shown(app).splitlines()
            row = next(line for line in lines[5:] if f"{state.meaning.symbol} {state} " in line)
            assert wanted in row, width
            titles = next(line for line in lines if "VALUE (LIMIT)" in line)
            assert "AGE" in titles, width
            assert ("TREND" in titles) == (width >= 140), width


@pytest.mark.parametrize("width", range(70, 220, 5))
def test_an_ornament_goes_before_a_title_or_a_value_has_too_little_room(width: int) -> None:
    layout = {column.key: cells for column, cells in fit(lists.CUTOVER, width)}
    if layout.keys() & {"spark", "bar"}:
        assert layout["title"] >= 40
        assert layout["value"] >= 34


def test_what_is_wrong_stands_alone_and_the_rest_is_counted() -> None:
    status = feed(Stage(crowded(Kind.SUCCESS)), [2, 1]).situation.criterion("crowded")
    assert lists.value(status) == "running 1 (want 2)  +5 ok"
    assert status.because.line.startswith("service running 1 ")
