"""A large terminal has charts of what decides, what happened, and the evidence of the selected line."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tui.stage import START, Stage, criterion, opened, plan, shown

from cockpit.decide.states import State
from cockpit.plan.model import Kind
from cockpit.tui.app import CockpitApp
from cockpit.tui.views import operand_charts
from cockpit.tui.views.evidence import evidence
from cockpit.tui.widgets.chart import Mark, chart


async def test_from_120_by_40_there_are_charts_and_what_happened_and_from_160_columns_the_evidence() -> None:
    app = CockpitApp(Stage(plan(9)).burning())
    async with opened(app, (120, 40)) as pilot:
        text = shown(app)
        assert "TRENDS" in text
        lines = text.splitlines()
        first = lines[next(n for n, line in enumerate(lines) if "TRENDS" in line) + 1]
        assert "✗ 500 error" in first, "what is worst comes first"
        assert "12.0 % (limit 5.0 %)" in first
        assert "ACTIVITY" in text
        assert "share of requests that failed" not in text
        await pilot.resize_terminal(200, 60)
        await pilot.press("G", "up")
        lines = shown(app).splitlines()
        assert any("share of requests that failed" in line[120:] for line in lines), "beside the list"
        assert any("TRENDS" in line[:60] for line in lines)
        await pilot.resize_terminal(119, 40)
        assert "TRENDS" not in shown(app)
        assert "PATH TO GO" in shown(app)


def test_a_chart_opens_on_three_windows_and_is_halved_and_doubled() -> None:
    stage = Stage().calm(10)
    status = stage.situation.criterion("errors.high")
    assert status.state is State.CLEAR
    stage.saw(rate=0.12)
    status = stage.situation.criterion("errors.high")
    (shown_,) = operand_charts.leading(status.because)
    (*_, axis) = operand_charts.operand_chart(status, shown_, stage.series, 60, 4)
    ends = stage.clock.now()
    assert f"{ends - 3 * timedelta(seconds=30):%H:%M:%S}" in axis.plain
    assert "━" in axis.plain
    (*_, axis) = operand_charts.operand_chart(status, shown_, stage.series, 60, 4, zoom=-1)
    assert f"{ends - 6 * timedelta(seconds=30):%H:%M:%S}" in axis.plain


def test_marks_and_gaps_are_on_the_chart_and_hide_no_time() -> None:
    points = [(START + timedelta(minutes=n), None if n in (5, 6) else 1.0) for n in range(11)]
    marks = [Mark(START + timedelta(minutes=n), "▲", "") for n in (0, 4)]
    *rows, axis = chart(points, 60, 3, marks=marks)
    assert axis.plain.count("▲") == 1, "the other would hide when the chart begins"
    assert axis.plain.index("▲") == pytest.approx(7 + 0.4 * 50, abs=3)
    assert "█ " in rows[-1].plain


def test_the_deployment_and_each_verdict_are_marked() -> None:
    found = operand_charts.marks(Stage().burning().record)
    assert [mark.sign for mark in found].count("▲") == 1
    assert [mark.sign for mark in found].count("◆") >= 1


def test_evidence_has_a_chart_of_every_operand_that_fails() -> None:
    both = criterion("both", "Both", Kind.TRIGGER, "errors.rate > 0.05 || service.running < 2")
    of = plan()
    stage = Stage(replace(of, rollback_triggers=(both,)))
    stage.calm(1)
    assert evidence(stage, "both", 80, 40).plain.count("└") == 1
    stage.saw(rate=0.5, running=1)
    assert evidence(stage, "both", 80, 40).plain.count("└") == 2
