"""Steps on a time axis: what was planned, what was done, what is estimated; now, the window and the last safe moment. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from rich.text import Text

from cockpit import formatting
from cockpit.decide.situation import Situation, StepStatus
from cockpit.decide.states import RollbackFit, StepState
from cockpit.decide.timing import Schedule, StepTime
from cockpit.plan.change_window import Opening
from cockpit.tui import theme
from cockpit.tui.widgets.chart import append_runs
from probes.frozen import frozen

DONE, LIKELY, WORST, PLANNED, NOW, LAST_SAFE, WINDOW_END, GATE = "█", "▒", "░", "·", "│", "╎", "┃", "◆"
_MINUTE = timedelta(minutes=1)


@frozen
class Axis:
    """The stretch of time a chart shows, and what is marked on it."""

    begins: datetime
    ends: datetime
    now: datetime
    window: Opening | None = None
    moment: datetime | None = None
    """The last safe moment to go back."""

    def cell(self, at: datetime, width: int) -> int:
        """The cell a moment is in; what is outside is before the first or after the last."""
        return int((at - self.begins) / (self.ends - self.begins) * width // 1)


def axis_of(situation: Situation) -> Axis | None:
    """Everything that is planned, done or estimated, and the window; None where no step has a time."""
    schedule = situation.schedule
    if schedule is None:
        return None
    ends = [at for each in schedule.runbook for at in (each.starts, each.ends, each.latest, each.planned_end) if at]
    window, back = schedule.window, schedule.back
    if window is not None:
        ends += [window.begins, window.ends]
    if not ends or max(ends) - min(ends) < _MINUTE:
        return None
    shown = back.moment if back is not None and back.fit is not RollbackFit.FIX_FORWARD else None
    return Axis(min(ends), max(ends), situation.now, window, shown)


def bar(step: StepStatus, time: StepTime, axis: Axis, width: int) -> Text:
    """One step over `width` cells."""
    cells = [(" ", "")] * width
    _fill(cells, axis, time.planned_start, time.planned_end, PLANNED, theme.QUIET)
    if axis.window is not None:
        _mark(cells, axis, axis.window.ends, WINDOW_END, theme.BAD)
    if axis.moment is not None:
        _mark(cells, axis, axis.moment, LAST_SAFE, theme.HOLD)
    _mark(cells, axis, axis.now, NOW, theme.STRONG)
    style = theme.HOLD if time.critical else theme.NO_FILL
    if step.progress.meaning.done:
        _fill(cells, axis, time.starts, time.ends, DONE, theme.GO_FILL)
    else:
        begun = step.progress is StepState.STARTED
        until = max(axis.now, time.starts) if begun and time.starts else time.starts
        _fill(cells, axis, time.ends, time.latest, WORST, theme.NO_FILL)
        _fill(cells, axis, until, time.ends, LIKELY, style)
        if begun:
            _fill(cells, axis, time.starts, until, DONE, theme.HOLD)
    if time.gate and time.starts is not None:
        _mark(cells, axis, time.starts, GATE, theme.HOLD)
    return _text(cells)


def scale(axis: Axis, width: int) -> Text:
    """The line above the bars: every mark with its time, and clock times at both ends, as far as there is room."""
    cells = [(" ", "")] * width
    clock = formatting.time_of_day
    marks = [(axis.now, NOW, "now", theme.STRONG)]
    if axis.moment is not None:
        marks.insert(0, (axis.moment, LAST_SAFE, clock(axis.moment), theme.HOLD))
    if axis.window is not None and axis.window.ends < axis.ends:
        marks.append((axis.window.ends, WINDOW_END, clock(axis.window.ends), theme.BAD))
    for at, sign, label, style in marks:
        _write(cells, axis.cell(at, width), sign + label, style)
    _write(cells, 0, clock(axis.begins), theme.QUIET)
    _write(cells, width - 5, clock(axis.ends), theme.QUIET)
    return _text(cells)


def slack_text(step: StepStatus, time: StepTime) -> Text:
    """How much later it may end; of one that is over, how late it was."""
    if step.progress.meaning.done:
        return Text(lateness(time), style=theme.HOLD if time.late and time.late >= _MINUTE else theme.QUIET)
    if time.critical:
        return Text("critical", style=f"bold {theme.HOLD}")
    if time.starts is None:
        return Text("not done" if time.late else "before", style=theme.HOLD if time.late else theme.QUIET)
    return Text(formatting.duration(time.slack) if time.slack is not None else "", style=theme.QUIET)


def lateness(time: StepTime) -> str:
    """
    >>> lateness(StepTime("a", late=timedelta(minutes=-5))), lateness(StepTime("a", late=timedelta(seconds=3)))
    ('early 5m', 'in time')
    """
    if time.late is None:
        return ""
    if abs(time.late) < _MINUTE:
        return "in time"
    return f"{'late' if time.late > timedelta(0) else 'early'} {formatting.duration(abs(time.late))}"


def when_text(step: StepStatus, time: StepTime) -> str:
    """When one step starts and ends, against the plan, and what that rests on."""
    clock = formatting.time_of_day
    parts = []
    if time.starts is not None and time.ends is not None:
        likely = "" if step.progress.meaning.done else "likely "
        parts.append(f"{likely}{clock(time.starts)} to {clock(time.ends)}")
        if time.latest and time.latest > time.ends and not step.progress.meaning.done:
            parts.append(f"at worst {clock(time.latest)}")
    if time.planned_start is not None and time.planned_end is not None:
        parts.append(f"planned {clock(time.planned_start)} to {clock(time.planned_end)}")
    if late := lateness(time):
        parts.append(late)
    if time.critical:
        parts.append("on the critical path")
    elif time.slack is not None:
        parts.append(f"slack {formatting.duration(time.slack)}")
    if time.rests_on:
        parts.append(time.rests_on)
    return ", ".join(parts)


def window_text(schedule: Schedule) -> str:
    """The window in UTC, and by the clocks of its zone."""
    window = schedule.window
    if window is None:
        return ""
    clock, zone = formatting.time_of_day, ZoneInfo(schedule.time_zone)
    day = f"{window.begins:%Y-%m-%d} {clock(window.begins)} to {clock(window.ends)} UTC"
    if schedule.time_zone == "UTC":
        return day
    begins, ends = (clock(at.astimezone(zone)) for at in (window.begins, window.ends))
    return f"{day} ({begins} to {ends} {schedule.time_zone})"


# -- cells -----------------------------------------------------------------------------------------------------------

_Cells = list[tuple[str, str]]


def _fill(cells: _Cells, axis: Axis, since: datetime | None, until: datetime | None, sign: str, style: str) -> None:
    """At least one cell, so that no step is invisible, unless there is no time at all between the two."""
    if since is None or until is None or until <= since:
        return
    first, last = axis.cell(since, len(cells)), axis.cell(until, len(cells))
    for place in range(max(0, first), min(len(cells), max(last, first + 1))):
        cells[place] = (sign, style)


def _mark(cells: _Cells, axis: Axis, at: datetime, sign: str, style: str) -> None:
    place = axis.cell(at, len(cells))
    if 0 <= place < len(cells):
        cells[place] = (sign, style)
    elif place == len(cells):
        cells[-1] = (sign, style)


def _write(cells: _Cells, at: int, text: str, style: str) -> None:
    """Where it fits, and where nothing is yet."""
    if at <= len(cells) < at + len(text):
        at = len(cells) - len(text)
    if at < 0 or any(sign != " " for sign, _ in cells[max(0, at - 1) : at + len(text) + 1]):
        return
    for place, sign in enumerate(text, at):
        cells[place] = (sign, style)


def _text(cells: _Cells) -> Text:
    line = Text(no_wrap=True)
    append_runs(line, cells)
    return line
