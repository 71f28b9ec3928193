"""How fast files and bytes moved, as charts side by side: only what was measured from here, and gaps where nothing was. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import zip_longest
from typing import TYPE_CHECKING

from rich.text import Text

from cockpit import formatting
from cockpit.tui import theme
from cockpit.tui.widgets.chart import Points, chart

if TYPE_CHECKING:
    from cockpit.migration.progress import Progress

BROAD, HIGH = 120, 40
"""Columns and lines of a terminal from which there is room for charts."""
ROWS_LEAST, ROWS_MOST = 4, 10
CAP_IN_VIEW = 2.0
"""A cap at most so many times the highest value is drawn."""
REST = 36
"""Lines for everything else on the screen."""


def plot_rows(columns: int, lines: int) -> int:
    """Rows of a chart on a terminal of this size; 0: none.

    >>> plot_rows(140, 45), plot_rows(120, 40), plot_rows(119, 60), plot_rows(200, 39)
    (9, 4, 0, 0)
    """
    return max(ROWS_LEAST, min(ROWS_MOST, lines - REST)) if columns >= BROAD and lines >= HIGH else 0


def throughput(progress: Progress, width: int, rows: int) -> Iterator[Text]:
    """Title, charts with the run's caps drawn, and the time below; nothing where too little was measured to draw a line."""
    if len(progress.throughput) < 2:
        return
    half = width // 2
    files: Points = [(each.at, each.files_per_s) for each in progress.throughput]
    size: Points = [(each.at, each.bytes_per_s) for each in progress.throughput]
    title = _title(
        "FILES A SECOND",
        f"averages of 10 s, seen for {formatting.duration(files[-1][0] - files[0][0])}",
        progress.files_per_s_most,
        "per_s",
    )
    title.append(" " * max(1, half - title.cell_len))
    title.append_text(_title("BYTES A SECOND", "", progress.bytes_per_s_most, "bytes"))
    title.truncate(width)
    yield title

    def ago(moment: datetime) -> str:
        """The migration goes by the database's clock, of which nothing else on the screen knows."""
        return f"{formatting.duration((progress.at or files[-1][0]) - moment)} ago"

    left = _drawn(files, half, rows, "per_s", progress.files_per_s_most, ago)
    right = _drawn(size, width - half, rows, "bytes", progress.bytes_per_s_most, ago)
    for one, other in zip_longest(left, right, fillvalue=Text("")):
        line = one.copy()
        line.append(" " * max(0, half - line.cell_len))
        line.append_text(other)
        yield line


def _title(what: str, how: str, cap: int, unit: str) -> Text:
    title = Text(f" {what}", style=f"bold {theme.TEXT}", no_wrap=True)
    facts = [how] * bool(how) + [f"cap {formatting.value(cap, unit)}"] * bool(cap)
    title.append("".join(f"  {fact}" for fact in facts), style=theme.QUIET)
    return title


def _drawn(points: Points, width: int, rows: int, unit: str, cap: int, ago: Callable[[datetime], str]) -> list[Text]:
    """A chart; the cap in it where it is near: one far above would leave a flat line."""
    most = max((value for _, value in points if value is not None), default=0.0)
    near = cap and cap <= most * CAP_IN_VIEW
    return chart(points, width, rows, unit=unit, threshold=float(cap) if near else None, bad=lambda _: False, named=ago)
