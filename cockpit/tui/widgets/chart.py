"""Charts from text: a sparkline for a cell, and a block chart with the threshold drawn. Gaps stay gaps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter

from rich.text import Text

from cockpit import formatting
from cockpit.tui import theme
from probes.frozen import frozen

BARS = "▁▂▃▄▅▆▇█"
Points = Sequence[tuple[datetime, float | None]]


@frozen
class Mark:
    """Something that happened, below a chart."""

    at: datetime
    sign: str
    style: str


def sparkline(points: Points, width: int, limit: float | None = None) -> str:
    """The newest points, one cell each; a gap is a dot.

    Calm looks calm: what moves by less than a quarter of itself, or little against its distance to `limit`, stays low.

    >>> from datetime import UTC
    >>> sparkline([(datetime(2026, 1, 1, 0, m, tzinfo=UTC), v) for m, v in enumerate([0.0, 1.0, None, 2.0])], 6)
    '▁▄·█'
    """
    newest = [value if value is not None and math.isfinite(value) else None for _, value in points[-width:]]
    known = [value for value in newest if value is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    span = max(high - low, max(abs(low), abs(high)) / 4, abs(limit - low) if limit is not None else 0.0)
    return "".join("·" if v is None else BARS[int((v - low) / span * 7.999) if span else 0] for v in newest)


def buckets(points: Points, width: int) -> list[float | None]:
    """The points spread evenly over `width` columns of time, the last value of each; None where nothing was known."""
    if not points:
        return []
    start, end = points[0][0], points[-1][0]
    seconds = max((end - start).total_seconds(), 1.0)
    found: list[float | None] = [None] * width
    gaps = [False] * width
    for at, value in points:
        column = min(width - 1, int((at - start).total_seconds() / seconds * width))
        if value is None or not math.isfinite(value):
            gaps[column] = True
        else:
            found[column] = value
    last: float | None = None
    typical = max(1, round(width / max(1, len(points))) * 2 + 1)
    since = 0
    for column in range(width):
        if found[column] is not None:
            last, since = found[column], 0
        elif gaps[column] or since >= typical:
            last = None
        else:
            since += 1
            found[column] = last
    return found


def chart(
    points: Points,
    width: int,
    height: int,
    *,
    threshold: float | None = None,
    unit: str = "",
    bad: Callable[[float], bool] | None = None,
    marks: Sequence[Mark] = (),
    window: datetime | None = None,
    named: Callable[[datetime], str] = formatting.clock,
) -> list[Text]:
    """Lines of a chart: values as blocks, the threshold as a dashed line, the scale at the left, time below.

    `marks` are on the line of the time; from where the `window` begins that line is thick.

    `named` writes the moments at the ends of the line of the time.

    `bad` says of a value whether it speaks against going on; without it the blocks have no colour of their own.
    """
    known = [value for _, value in points if value is not None and math.isfinite(value)]
    if not known:
        return [Text("no numbers yet", style=theme.QUIET)]
    bounds = [*known, 0.0] if min(known) >= 0 else list(known)
    if threshold is not None:
        bounds.append(threshold)
    low, high = min(bounds), max(bounds)
    # Values too close together to distinguish are drawn as one.
    high = high if high - low > abs(low) * 1e-9 + 1e-200 else low + max(abs(low), 1.0)
    high += (high - low) * 0.05
    label_width = (
        max(len(formatting.value(v, unit)) for v in (low, high, threshold if threshold is not None else low)) + 1
    )
    columns = buckets(points, max(10, width - label_width - 2))
    step = (high - low) / height
    limit_row = int((threshold - low) / step) if threshold is not None else -1
    lines = []
    for row in range(height - 1, -1, -1):
        shown = high if row == height - 1 else low if row == 0 else None
        shown = threshold if row == limit_row else shown
        text = Text(
            (formatting.value(_tidy(shown), unit) if shown is not None else "").rjust(label_width),
            style=theme.QUIET,
            no_wrap=True,
        )
        text.append("┤" if shown is not None else "│")
        append_runs(text, (_cell(value, low + row * step, step, limit=row == limit_row, bad=bad) for value in columns))
        lines.append(text)
    lines.append(_axis(points, label_width, len(columns), marks, window, named))
    return lines


def _tidy(value: float) -> float:
    return round(value, 4)


def _cell(
    value: float | None, floor: float, step: float, *, limit: bool, bad: Callable[[float], bool] | None
) -> tuple[str, str]:
    if value is None:
        return ("╌", theme.HOLD) if limit else (" ", theme.QUIET)
    filled = (value - floor) / step
    colour = theme.NO_FILL if bad is None else theme.BAD_FILL if bad(value) else theme.GO_FILL
    if limit:
        # The threshold stays in view across the blocks that pass it.
        return ("╌", f"bold {theme.STRONG} on {colour}") if filled >= 1 else ("╌", theme.HOLD)
    if filled >= 1:
        return "█", colour
    if filled <= 0:
        return ("▁", colour) if value == floor else (" ", theme.QUIET)
    return BARS[int(filled * 7.999)], colour


def _axis(
    points: Points,
    label_width: int,
    width: int,
    marks: Sequence[Mark],
    window: datetime | None,
    named: Callable[[datetime], str],
) -> Text:
    start, end = named(points[0][0]), named(points[-1][0])
    if width < len(start) + len(end) + 1:
        start = ""
    cells = [(sign, "") for sign in start + "─" * max(0, width - len(start) - len(end)) + end]
    seconds = max((points[-1][0] - points[0][0]).total_seconds(), 1.0)

    def cell(at: datetime) -> int:
        return min(width - 1, int((at - points[0][0]).total_seconds() / seconds * width))

    for place in range(max(0, cell(window)) if window is not None else width, width):
        cells[place] = (cells[place][0].replace("─", "━"), theme.TEXT)
    for mark in marks:
        if points[0][0] <= mark.at <= points[-1][0] and place_is_free(cells, cell(mark.at)):
            cells[cell(mark.at)] = (mark.sign, f"bold {mark.style}")
    line = Text(" " * label_width + "└", style=theme.QUIET, no_wrap=True)
    append_runs(line, cells)
    return line


def append_runs(line: Text, cells: Iterable[tuple[str, str]]) -> None:
    """Append cells, each a sign and its style; neighbours of one style as one piece, which is painted at once."""
    for style, run in groupby(cells, key=itemgetter(1)):
        line.append("".join(sign for sign, _ in run), style=style or None)


def place_is_free(cells: Sequence[tuple[str, str]], place: int) -> bool:
    """Whether a mark hides no clock time there."""
    return cells[place][0] not in "0123456789:"


def bar(ratio: float, width: int) -> str:
    """
    >>> bar(0.5, 6)
    '███───'
    """
    filled = round(max(0.0, min(1.0, ratio)) * width)
    return "█" * filled + "─" * (width - filled)
