"""The runbook on a time axis, and the way back in the banner: what is there at 80 columns, and what more there is at 140."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
from decide.scene import CALM, HERE, gate, plan

from cockpit.decide.board import Board
from cockpit.decide.decide import decide
from cockpit.decide.events import (
    Decision,
    Entry,
    PhaseBegan,
    PointOfNoReturn,
    Record,
    StepBegan,
    StepEnded,
    StepMeasured,
)
from cockpit.decide.situation import Situation
from cockpit.plan.change_window import ChangeWindow
from cockpit.plan.model import Phase, Step
from cockpit.tui.views import gantt, steps, timeline
from cockpit.tui.widgets.banner import banner_lines
from cockpit.tui.widgets.grid import fit

BEGIN = datetime(2026, 6, 7, 2, tzinfo=UTC)


def minutes(value: float) -> timedelta:
    return timedelta(minutes=value)


RUNBOOK = (
    Step("bucket", "Create the bucket", HERE, duration=minutes(30)),
    Step("image", "Build and push the image", HERE, duration=minutes(30), after=()),
    Step("deploy", "Deploy to ECS", HERE, duration=minutes(60), after=("bucket", "image"), gate="go_no_go"),
    Step("files", "Move [the] files", HERE, duration=minutes(120)),
)
BACK = (Step("back", "Go back", HERE, duration=minutes(15)),)
NIGHT = replace(
    plan(*CALM, gates=(gate(),)),
    runbook=RUNBOOK,
    rollback_plan=BACK,
    rollback_reserve=minutes(15),
    window=ChangeWindow("America/New_York", days=("sat",), opens=time(22), closes=time(4)),
)
"""From 02:00 to 08:00 UTC; the last safe moment is 07:30."""


def night(at: float, *more: Entry) -> Situation:
    """The bucket took ten minutes too long; the deployment runs since minute 40."""
    now = BEGIN + minutes(at)
    entries: list[Entry] = [
        PhaseBegan(BEGIN, Phase.PRE_DEPLOY),
        StepBegan(BEGIN, "bucket", "ann", "on_call", "d1"),
        StepEnded(BEGIN + minutes(40), "bucket", "ann", "done", "", "on_call", "d1"),
        StepBegan(BEGIN + minutes(40), "deploy", "ann", "on_call", "d1"),
        PhaseBegan(BEGIN + minutes(40), Phase.POST_DEPLOY),
        StepMeasured(BEGIN, "files", 3, 3, 3600, 5400, 9000),
        *more,
    ]
    record = Record([each for each in entries if each.at <= now])
    return decide(NIGHT, Board(NIGHT, now), record, now)


def lines(situation: Situation, width: int) -> list[str]:
    """The rows of the runbook as the grid lays them out."""
    layout = fit(steps.RUNBOOK, width - 2)
    shown = []
    for row in steps.runbook(situation, {c.key: cells for c, cells in layout}.get("chart", 0)):
        if row.heading is not None:
            shown.append(row.heading.plain)
            continue
        cells = []
        for column, wide in layout:
            cell = row.cell(column.key).copy()
            cell.truncate(wide, overflow="ellipsis", pad=True)
            cells.append(cell.plain)
        shown.append("  ".join(cells))
    return shown


def test_at_80_columns_it_is_a_list_with_slack() -> None:
    runbook, window, back, bucket, image, deploy, files = lines(night(60), 80)
    assert runbook.startswith("RUNBOOK  1/4 done; ends 05:10 (04:40 to 06:10), 2h50m before the window ends")
    assert window == "WINDOW  2026-06-07 02:00 to 08:00 UTC (22:00 to 04:00 America/New_York)"
    assert back == "WAY BACK  decide by 07:30 (in 4h30m): a rollback takes 15m, reserve 15m, the window ends 08:00"
    assert re.search(r"✓ done +1 Create the bucket +late 10m +40m \(30m\)", bucket)
    assert re.search(r"· open +2 Build and push the image +1h40m +\(30m\)", image)
    assert re.search(r"▸ started +3 Deploy to ECS +critical +20m \(1h\)", deploy)
    assert re.search(r"· open +4 Move \[the\] files +critical +\(2h\)", files)
    assert gantt.DONE not in "".join((bucket, deploy))


@pytest.mark.parametrize("width", [140, 200])
def test_where_there_is_room_every_step_has_its_bar(width: int) -> None:
    situation = night(60)
    axis = gantt.axis_of(situation)
    assert axis is not None
    cells = {c.key: wide for c, wide in fit(steps.RUNBOOK, width - 2)}["chart"]
    scale, bucket, image, deploy, files = lines(situation, width)[3:]
    begins = scale.index("02:00")
    assert cells >= 36
    assert gantt.NOW + "now" in scale
    assert gantt.LAST_SAFE + "07:30" in scale
    bars = {
        name: line[begins : begins + cells] for name, line in zip("bidf", (bucket, image, deploy, files), strict=True)
    }
    now, last_safe = axis.cell(situation.now, cells), axis.cell(BEGIN + minutes(330), cells)
    assert bars["b"][0] == gantt.DONE
    assert bars["b"].count(gantt.DONE) == axis.cell(BEGIN + minutes(40), cells)
    assert bars["d"][axis.cell(BEGIN + minutes(40), cells) :].startswith(gantt.GATE)
    assert bars["d"].count(gantt.LIKELY) == axis.cell(BEGIN + minutes(100), cells) - now
    assert bars["f"].count(gantt.WORST) == axis.cell(BEGIN + minutes(250), cells) - axis.cell(
        BEGIN + minutes(190), cells
    )
    assert {bar[last_safe] for bar in bars.values()} == {gantt.LAST_SAFE}
    assert {bar[-1] for bar in bars.values()} == {gantt.WINDOW_END}
    assert bars["b"][now] == gantt.NOW
    assert gantt.PLANNED in bars["f"]


def banner(situation: Situation, width: int = 80) -> str:
    return banner_lines(situation, timedelta(0), "", width).plain.splitlines()[0]


@pytest.mark.parametrize(
    ("at", "word"),
    [
        (60, "  decide by 07:30 (in 4h30m)"),
        (305, "  decide by 07:30 (in 25m); GO 07:06 at the earliest"),
        (325, "  decide by 07:30 (in 5m); GO 07:26 at the earliest"),
        (330, "  decide by 07:30 (in 0s); GO cannot come before: decide now"),
        (335, "  a rollback now would end at 07:50, 5m into the reserve of 15m"),
        (355, "  a rollback now would end at 08:10, 10m after the window"),
    ],
)
def test_the_banner_has_the_last_safe_moment_at_80_columns(at: float, word: str) -> None:
    assert word in banner(night(at))


def test_the_banner_before_the_deployment_and_past_the_point_of_no_return() -> None:
    assert "decide by" not in banner(night(20))
    gone = PointOfNoReturn(BEGIN + minutes(50), "12 files")
    assert "  past the point of no return: fix forward" in banner(night(60, gone))
    undone = replace(gone, at=BEGIN + minutes(55), loses="", undone=True)
    assert "  decide by" in banner(night(60, gone, undone))
    assert [timeline.as_change(each).after for each in (gone, undone)] == ["PASSED", "UNDONE"]


@pytest.mark.parametrize("phase", ["copy", "verify", "purge", "restore"])
def test_the_timeline_names_the_phase_of_the_migration_that_was_decided_on(phase: str) -> None:
    decided = Decision(BEGIN, "migrate", "primary", f"it is time ({phase} 3 files of db/app)")
    assert timeline.as_change(decided).after == phase.upper()


def test_a_plan_without_a_window_has_neither() -> None:
    bare = replace(NIGHT, window=None)
    situation = decide(bare, Board(bare, BEGIN), Record([PhaseBegan(BEGIN, Phase.POST_DEPLOY)]), BEGIN)
    assert "decide by" not in banner(situation)
    assert not [line for line in lines(situation, 80) if line.startswith(("WINDOW", "WAY BACK"))]


def test_the_page_of_a_step_says_when_it_ends_and_what_that_rests_on() -> None:
    situation = night(60)
    text = " ".join(steps.step_text(situation.runbook[3], situation, 78).plain.split())
    assert "likely 03:40 to 05:10, at worst 06:10, planned 03:30 to 05:30, late 10m, on the" in text
    assert "rehearsed 3 times, 1h to 2h30m" in text
