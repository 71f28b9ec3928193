"""The pictures of a report: nothing is joined over a hole, nothing bad is hidden, whatever the number of points."""

from __future__ import annotations

import re
from datetime import timedelta

from support.records.full_record import START, at

from cockpit.decide.states import StepState
from cockpit.report.formats.svg_charts import BAND, HEIGHT, MOST_CELLS, Scale, Window, band, chart, step_tone, tone
from cockpit.report.measurements import coarse
from cockpit.report.model import Gap, Measure, Point, Span

HOUR = Window(START, at(60))


def measure(*values: float | None, operator: str = ">", threshold: float | None = 5.0, step: float = 2) -> Measure:
    points = tuple(Point(at(n), value, value, value) for n, value in enumerate(values))
    return Measure("probe.field", "", "count", operator, threshold, points, timedelta(minutes=step))


def lines(picture: str, ink: str) -> list[str]:
    return re.findall(rf'class="l-{ink}"[^>]* d="([^"]+)"', picture)


def test_values_past_the_threshold_are_drawn_as_bad() -> None:
    picture = chart(measure(1, 1, 9, 9, 1, 1), "trigger", HOUR, "")
    assert len(lines(picture, "calm")) == 2
    assert len(lines(picture, "bad")) == 1
    assert not lines(chart(measure(1, 2, 3), "trigger", HOUR, ""), "bad")
    assert lines(chart(measure(1, 2, 3), "success", HOUR, ""), "bad")


def test_the_threshold_stands_at_its_height() -> None:
    shown = measure(0, 10)
    scale = Scale.of(shown)
    assert scale is not None
    found = re.search(r'class="limit"[^>]* d="M0 ([0-9.]+)H', chart(shown, "trigger", HOUR, ""))
    assert found is not None
    assert float(found[1]) == round(HEIGHT * scale.top(5.0), 1)
    assert 'class="limit"' not in chart(measure(1, 2, threshold=None), "trigger", HOUR, "")


def test_a_hole_is_not_joined_and_what_was_not_known_is_shaded() -> None:
    points = (*measure(1, 1).points, Point(at(30), 1, 1, 1), Point(at(31), 1, 1, 1))
    hole = Measure("p.f", "", "count", ">", 5.0, points, timedelta(minutes=2))
    assert len(lines(chart(hole, "trigger", HOUR, ""), "calm")) == 2
    blind = chart(measure(1, 1, None, None, 1, 1), "trigger", HOUR, "")
    assert len(lines(blind, "calm")) == 2
    (shade,) = re.findall(r'class="f-unknown"[^>]* x="([0-9.]+)"[^>]* width="([0-9.]+)"', blind)
    assert (float(shade[0]), float(shade[1])) == (12.0, 12.0)


def test_no_known_value_is_no_chart() -> None:
    assert chart(measure(None, None), "trigger", HOUR, "") == ""


def test_a_peak_is_not_lost_between_points() -> None:
    series: list[tuple[object, float | None]] = [(START + timedelta(seconds=n), 1.0) for n in range(3600)]
    series[1801] = (series[1801][0], 9.0)
    points, width = coarse(series, 100)  # type: ignore[arg-type]
    assert len(points) == 100
    shown = Measure("p.f", "", "count", ">", 5.0, points, 2.5 * width)
    assert lines(chart(shown, "trigger", HOUR, ""), "bad")


def test_the_band_is_bounded_and_keeps_the_worst_word() -> None:
    flapping = [Span(("GO", "HOLD")[n % 2], at(n * 0.01), at((n + 1) * 0.01)) for n in range(6000)]
    flapping[3000] = Span("ROLLBACK", flapping[3000].since, flapping[3000].until)
    picture = band(flapping, [Gap(at(10), at(20))], [at(5)], HOUR)
    assert picture.count("<rect") <= MOST_CELLS + 2
    assert 'class="f-bad"' in picture
    (gap,) = re.findall(r'class="f-gap"[^>]* x="([0-9.]+)"[^>]* width="([0-9.]+)"', picture)
    assert abs(float(gap[0]) - BAND / 6) < 0.1
    assert abs(float(gap[1]) - BAND / 6) < 0.1


def test_no_word_that_is_not_fine_looks_fine() -> None:
    fine = {"GO", "MET", "CLEAR", "PASS", "WAIVED", "passed"}
    others = {"HOLD", "ROLLBACK", "FIX FORWARD", "UNKNOWN", "STALE", "PENDING", "PROVING", "NOT MET", "TRIPPED", "FAIL"}
    others |= {"RECOVERING", "open", "", "GREAT"}
    assert {tone(word) for word in fine} == {"go"}
    assert "go" not in {tone(word) for word in others}
    assert [step for step in StepState if step_tone(step) == "go"] == [StepState.DONE]
