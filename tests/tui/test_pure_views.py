"""From values to text, without an app: charts, sparklines, rows, wrapped lines."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.color import Color, ColorSystem
from rich.text import Text
from tui.stage import FIELDS, Stage, plan

from cockpit import formatting
from cockpit.tui import theme
from cockpit.tui.made_once import MadeOnce
from cockpit.tui.text import plain, safe, wrapped
from cockpit.tui.views import lists
from cockpit.tui.widgets.chart import Points, bar, buckets, chart, sparkline
from probes.known_secrets import KNOWN

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
UNITS = {"errors": {field.name: field.unit for field in FIELDS}}


def points(*values: float | None) -> Points:
    return [(NOON + timedelta(seconds=15 * n), value) for n, value in enumerate(values)]


def test_gaps_stay_gaps() -> None:
    assert sparkline(points(1.0, None, None, 4.0), 8) == "▁··█"
    assert sparkline(points(None, None), 8) == ""
    assert buckets(points(1.0, None, 1.0), 3) == [1.0, None, 1.0]


def test_numbers_that_are_none_are_gaps_too() -> None:
    assert sparkline(points(0.0, float("nan"), float("inf"), 2.0), 8) == "▁··█"
    assert len(chart(points(0.0, float("nan"), float("inf")), 40, 5)) == 6


def test_small_noise_looks_calm() -> None:
    assert set(sparkline(points(100.0, 101.0, 100.5, 99.8), 8)) == {"▁"}
    assert set(sparkline(points(2, 2, 2), 8)) == {"▁"}


def test_the_threshold_crosses_the_whole_chart() -> None:
    lines = chart(points(0.01, 0.12, None, 0.12), 60, 8, threshold=0.05, unit="ratio", bad=lambda v: v > 0.05)
    (limit,) = [line for line in lines if "5.0 %┤" in line.plain]
    assert set(limit.plain.partition("┤")[2]) == {"╌"}


@given(
    st.lists(st.none() | st.floats(-1e9, 1e9), max_size=40),
    st.integers(20, 200),
    st.integers(4, 12),
    st.floats(-10, 10),
)
def test_a_chart_fits_whatever_it_shows(values: list[float | None], width: int, height: int, limit: float) -> None:
    lines = chart(points(*values), width, height, threshold=limit)
    assert all(line.cell_len <= max(width, 34) for line in lines)
    assert len(lines) in (1, height + 1)


@given(st.floats(-1, 2), st.integers(1, 30))
def test_a_bar_is_as_wide_as_it_is_told(ratio: float, width: int) -> None:
    assert len(bar(ratio, width)) == width


@given(st.text(max_size=120), st.integers(4, 60), st.integers(1, 4))
def test_wrapped_lines_fit_and_hide_nothing_that_steers(text: str, width: int, most: int) -> None:
    lines = wrapped(text, width, most)
    assert len(lines) <= most
    assert all(len(line) <= width for line in lines)
    assert "\x1b" not in "".join(lines)


def test_safe_text_keeps_its_styles_where_they_were() -> None:
    text = safe(Text().append("a\x1b[2J", style="red").append("b", style="blue"))
    assert text.plain == "a\\u{1b}[2Jb"
    assert [(span.start, span.end) for span in text.spans] == [(0, 10), (10, 11)]


@given(st.text(max_size=40))
def test_plain_text_has_no_control_characters_but_the_end_of_a_line(text: str) -> None:
    assert all(char == "\n" or ord(char) >= 32 for char in plain(text))


def test_values_have_their_units_and_limits() -> None:
    stage = Stage().burning()
    made = {row.key: row for row in lists.cutover(stage.situation, stage.series)}
    assert made["errors.high"].cell("value").plain == "12.0 % (limit 5.0 %)"
    assert made["errors.high"].cell("state").plain == "✗ TRIPPED"
    assert made["site.up"].cell("window").plain == "met in 3m"
    assert made["site.up"].cell("bar").plain == "████──────"
    (errors, *_) = lists.probes(stage.situation, UNITS, {"errors": 4.0})
    assert "rate 12.0 %" in errors.cell("saw").plain
    assert errors.cell("every").plain.endswith("x4")


def test_a_pending_trigger_says_when_it_trips() -> None:
    stage = Stage().calm(1)
    stage.saw(rate=0.5)
    made = {row.key: row for row in lists.cutover(stage.situation, stage.series)}
    assert made["errors.high"].cell("window").plain == "trips in 30s"
    assert made["errors.high"].failing


def test_what_cannot_be_seen_is_said_by_its_reason() -> None:
    stage = Stage().blinded()
    made = {row.key: row for row in lists.cutover(stage.situation, stage.series)}
    assert made["errors.high"].cell("state").plain == "? UNKNOWN"
    assert made["errors.high"].cell("value").plain == "ACCESS_DENIED"
    assert made["errors.high"].failing


def test_rows_are_equal_until_they_change_and_their_cells_are_made_when_asked_for() -> None:
    stage = Stage(plan(40)).calm(1)
    asked: list[str] = []

    def series(probe: str, field: str) -> Sequence[tuple[datetime, float | None]]:
        asked.append(probe)
        return stage.series(probe, field)

    first = lists.cutover(stage.situation, series)
    stage.tick()
    second = lists.cutover(stage.situation, series)
    assert first == second
    assert not asked
    stage.saw(rate=0.5)
    changed = {row.key for row, old in zip(lists.cutover(stage.situation, series), second, strict=True) if row != old}
    assert "errors.high" in changed
    assert not asked
    assert second[1].cell("title").plain
    assert asked


def test_every_column_title_fits_its_column() -> None:
    for columns in (lists.CUTOVER, lists.CHECKLIST, lists.PROBES, lists.TIMELINE):
        assert all(cell_len(column.title) <= (column.width or column.least) for column in columns)


@pytest.mark.parametrize("system", [ColorSystem.STANDARD, ColorSystem.EIGHT_BIT])
def test_words_stand_out_from_their_ground_on_poor_terminals(system: ColorSystem) -> None:
    def number(colour: str) -> int | None:
        return Color.parse(colour).downgrade(system).number

    for ground in (theme.GROUND, theme.PANEL, theme.CURSOR):
        for words in (theme.GO, theme.HOLD, theme.BAD, theme.UNKNOWN, theme.QUIET, theme.TEXT):
            assert number(ground) != number(words)
    for ground in (theme.PRODUCTION, theme.REHEARSAL, theme.STAGING):
        assert number(ground) != number(theme.STRONG)
    for badge in (theme.GO, theme.HOLD, theme.BAD, theme.UNKNOWN):
        assert number(badge) != number(theme.GROUND)


def test_the_style_sheet_uses_the_palette() -> None:
    from importlib.resources import files

    sheet = files("cockpit.tui").joinpath("cockpit.tcss").read_text(encoding="utf-8")
    for colour in (theme.GROUND, theme.TEXT, theme.PRODUCTION, theme.PANEL, theme.CURSOR):
        assert colour in sheet


def test_what_is_far_from_its_limit_looks_calm() -> None:
    assert set(sparkline(points(1.3, 1.8, 1.5), 8, limit=80.0)) == {"▁"}
    assert sparkline(points(0.0, 0.1), 8, limit=0.05) == "▁█"


def test_what_is_due_trips_with_the_next_reading_and_not_in_no_time() -> None:
    assert formatting.left(timedelta(0)) == "with the next reading"
    assert formatting.left(timedelta(minutes=1)) == "in 1m"


def test_a_secret_that_becomes_known_is_hidden_in_what_was_made_before_too() -> None:
    made = MadeOnce[str]()
    text = "the token is correct-horse-battery"
    assert made.of(1, lambda: plain(text)) == text
    KNOWN.remember("correct-horse-battery")
    assert made.of(1, lambda: plain(text)) == "the token is ***"
    KNOWN.forget_all()
    assert plain(text) == text


def test_what_every_frame_asks_for_is_made_once() -> None:
    made = MadeOnce[object]()
    first = made.of((1, "a"), object)
    assert made.of((1, "a"), object) is first
    assert made.of((2, "a"), object) is not first
