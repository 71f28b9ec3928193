"""Charts of what decides a criterion: its failing operands with limit, window, gaps, deployment and verdict marks. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from rich.text import Text

from cockpit.conditions.condition import COMPARE
from cockpit.decide.because import Explanation, Observed, Threshold
from cockpit.decide.events import Change, PhaseBegan, Record
from cockpit.decide.situation import CriterionStatus, ItemStatus, Situation
from cockpit.decide.states import Word, known_meaning
from cockpit.plan.model import VERDICT, Kind, Phase
from cockpit.tui import theme
from cockpit.tui.text import plain
from cockpit.tui.views.lists import Series, value
from cockpit.tui.widgets.chart import Mark, Points, chart
from cockpit.tui.widgets.grid import without_middle

WINDOWS = 3
"""How many windows of its criterion a chart opens on."""
MOST_ZOOM = 6
"""Times a chart can be halved or doubled."""
ROWS_LEAST, ROWS_MOST = 3, 8
"""Rows of one chart, without its title and its axis."""
MARKED = 200
"""Newest entries of a record that are looked through for marks."""


def marks(record: Record) -> list[Mark]:
    """When the deployment began, and when the verdict became another word."""
    found = []
    for entry in record.entries[-MARKED:]:
        if isinstance(entry, PhaseBegan) and entry.phase is Phase.POST_DEPLOY:
            found.append(Mark(entry.at, "▲", theme.STRONG))
        elif isinstance(entry, Change) and entry.subject == VERDICT:
            meaning = known_meaning(entry.after) if entry.after in set(Word) else None
            found.append(Mark(entry.at, "◆", theme.of_meaning(meaning) if meaning else theme.TEXT))
    return found


def leading(because: Explanation) -> list[Observed]:
    """The numbers that are against; where none is, the first number."""
    numbers = [each for each in because.observed if is_number(each.value)]
    return [each for each in numbers if each.against] or numbers[:1]


def operand_chart(
    subject: CriterionStatus | ItemStatus,
    shown: Observed,
    series: Series,
    width: int,
    height: int,
    *,
    marked: Sequence[Mark] = (),
    zoom: int = 0,
) -> list[Text]:
    """Lines of the chart of one operand over its last three windows; `zoom` halves that time so many times."""
    because = subject.because
    limit = next((t for t in because.thresholds if t.path == shown.path and is_number(t.value)), None)
    need = _window(because)
    points = _stretch(series(*shown.path.split(".")), need, zoom)
    return chart(
        points,
        width,
        height,
        threshold=float(limit.value) if limit is not None else None,
        unit=shown.unit,
        bad=_against(limit, trigger=isinstance(subject, CriterionStatus) and subject.kind is Kind.TRIGGER),
        marks=marked,
        window=points[-1][0] - need if points and need else None,
    )


def trends(situation: Situation, series: Series, marked: Sequence[Mark], width: int, height: int) -> Text:
    """As many charts as fit, of what is worst first, below a line that explains the marks."""
    text = Text("TRENDS", style=f"bold {theme.TEXT}", no_wrap=True)
    text.append("  ╌ limit  ━ window  ▲ deployment  ◆ verdict", style=theme.QUIET)
    latched = situation.verdict.latch.triggers if situation.verdict.latch is not None else ()
    charted: dict[str, tuple[CriterionStatus, Observed]] = {}
    for status in sorted(situation.criteria, key=lambda each: (each.id not in latched, each.ok)):
        for shown in leading(status.because)[:1]:
            if shown.path not in charted and any(held is not None for _, held in series(*shown.path.split("."))):
                charted[shown.path] = (status, shown)
    room = height - 1
    number = min(len(charted), max(1, room // (ROWS_LEAST + 2)))
    if not number or room < ROWS_LEAST + 2:
        return text.append("\nno numbers yet" if not charted else "", style=theme.QUIET)
    rows = max(ROWS_LEAST, min(ROWS_MOST, room // number - 2))
    for status, shown in list(charted.values())[:number]:
        text.append("\n").append_text(_title(status, width))
        for line in operand_chart(status, shown, series, width, rows, marked=marked):
            text.append("\n").append_text(line)
    return text


def _title(status: CriterionStatus, width: int) -> Text:
    meaning = status.state.meaning
    line = Text(f"{meaning.symbol} ", style=f"bold {theme.of_meaning(meaning)}", no_wrap=True)
    decides = Text(f"  {plain(value(status))}", style=theme.TEXT)
    decides.truncate(max(10, width // 2), overflow="ellipsis")
    line.append_text(without_middle(Text(plain(status.title), style=theme.TEXT), width - 2 - decides.cell_len))
    line.append_text(decides)
    line.truncate(width, overflow="ellipsis")
    return line


def _window(because: Explanation) -> timedelta:
    progress = because.progress
    return timedelta(0) if progress is None else progress.within or progress.need


def _stretch(points: Points, need: timedelta, zoom: int) -> Points:
    """The newest points: of three windows, of everything where there is no window; halved or doubled so many times."""
    if len(points) < 2:
        return points
    whole = points[-1][0] - points[0][0]
    since: datetime = points[-1][0] - (WINDOWS * need if need else whole) / 2**zoom
    newest = [point for point in points if point[0] >= since]
    return newest if len(newest) >= 2 else points[-2:]


def is_number(held: object) -> bool:
    return isinstance(held, (int, float)) and not isinstance(held, bool)


def _against(limit: Threshold | None, *, trigger: bool) -> Callable[[float], bool] | None:
    """Whether a value speaks against going on: a trigger's comparison holds, or a criterion's does not.

    None where there is nothing to compare with.
    """
    compare = COMPARE.get(limit.operator) if limit is not None else None
    if limit is None or compare is None:
        return None
    bound = float(limit.value)
    return lambda held: compare(held, bound) is trigger
