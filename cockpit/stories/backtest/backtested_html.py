"""What a backtest found as one HTML page that needs nothing else: values with their limits and trips, GO, traffic by hour."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from html import escape

from cockpit import formatting
from cockpit.stories.backtest.backtested import Backtested, PastCriterion, PastSeries, PastTraffic
from cockpit.stories.backtest.backtested_text import (
    approach_text,
    go_text,
    other_text,
    success_text,
    traffic_lines,
    trigger_text,
    trip_text,
    when,
)
from cockpit.stories.proof.proven_html import STYLE

_WIDTH, _LEFT, _HEIGHT, _FOOT = 900, 70, 150, 22
_INNER = _WIDTH - _LEFT
_LEGIBLE = 24
"""Two labels nearer to each other than this lie on top of each other."""
_LINE, _BAD, _GOOD, _LIMIT = "#5566a8", "#d9807a", "#8fc3a3", "#ad2a24"
_HOURS = timedelta(hours=6)
Span = tuple[datetime, datetime]


def backtested_html(past: Backtested) -> str:
    """The page."""
    parts = [
        f"<h1>{escape(past.name)}: would it have cried wolf?</h1>",
        f'<p class="quiet">{when(past.since)} to {when(past.until)} UTC · {escape(past.digest)}</p>',
        *(f"<p>{escape(note)}</p>" for note in past.notes),
    ]
    for title, judged in (("Rollback triggers", past.triggers), ("Success criteria", past.success)):
        if judged:
            parts.append(f"<h2>{title}</h2>")
            parts += (_criterion(each, past) for each in judged)
    parts.append(f"<h2>GO</h2><p>{escape(go_text(past))}</p>{_picture(_spans(past.go, past, _GOOD), 24)}")
    if past.traffic:
        parts.append("<h2>Traffic by hour of the day</h2>")
        parts += (_hours(each) for each in past.traffic)
    if past.silences:
        gaps = [f"{each.probe}: {when(each.since)} to {when(each.until)}" for each in past.silences]
        parts.append(f"<h2>Gaps: nothing was published</h2>{_list(gaps)}")
    if past.not_seen:
        unseen = [f"{each.kind} {each.subject}: {each.why}" for each in past.not_seen]
        parts.append(f"<h2>Could not see</h2>{_list(unseen)}")
    body = "\n".join(parts)
    head = f'<meta charset="utf-8"><title>{escape(past.name)}</title><style>{STYLE}</style>'
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head><body>\n{body}\n</body></html>\n'


def _list(lines: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def _criterion(one: PastCriterion, past: Backtested) -> str:
    bad = bool(one.trips) if one.is_trigger else not one.met
    text = trigger_text(one) if one.is_trigger else success_text(one, past.length)
    mark = '<span class="bad">✗</span>' if bad else "✓"
    lines = [
        *map(trip_text, one.trips),
        *(approach_text(each) for each in one.approaches),
        *(other_text(each, one, past.length) for each in one.others),
        *([f"judged in part: {', '.join(one.blind)} could not be seen"] if one.blind else []),
    ]
    trips = [(each.at, each.cleared or past.until) for each in one.trips]
    limits: dict[str, dict[float, None]] = {}
    for each in one.approaches:
        limits.setdefault(each.path, {})[each.bound] = None
    drawn = [each for each in past.series if each.path in limits]
    charts = "".join(_chart(each, tuple(limits[each.path]), trips, past) for each in drawn)
    return f"<h3>{mark} {escape(one.title)}</h3><p><code>{escape(one.condition)}</code>: {escape(text)}</p>{charts}{_list(lines)}"


def _chart(series: PastSeries, own: Sequence[float], trips: Sequence[Span], past: Backtested) -> str:
    """Values over time, lowest to highest of each column, with the criterion's own limits and the times of its trips behind."""
    known = [(at, value) for at, value in series.points if value is not None]
    top = max([*(value for _, value in known), *own], default=1.0) * 1.05 or 1.0
    columns: dict[int, tuple[float, float]] = {}
    for at, value in known:
        x = int(_x(at, past))
        low, high = columns.get(x, (value, value))
        columns[x] = min(low, value), max(high, value)
    width = max(_INNER / max(len(series.points), 1), 1.4)
    line = "".join(
        f'<rect x="{x}" y="{_y(high, top):.1f}" width="{width:.1f}" '
        f'height="{max(_y(low, top) - _y(high, top), 1.4):.1f}" fill="{_LINE}"/>'
        for x, (low, high) in sorted(columns.items())
    )
    unit = series.declared.unit
    limits = "".join(
        f'<line x1="{_LEFT}" x2="{_WIDTH}" y1="{_y(each, top):.1f}" y2="{_y(each, top):.1f}" stroke="{_LIMIT}" '
        f'stroke-dasharray="5 4"/><text x="0" y="{_y(each, top) + 4:.1f}">{escape(formatting.value(each, unit))}</text>'
        for each in own
    )
    at_top = any(_y(each, top) < _LEGIBLE for each in own)  # the label of a limit says it there
    highest = "" if at_top else f'<text x="0" y="12">{escape(formatting.value(top / 1.05, unit))}</text>'
    drawn = _spans(trips, past, _BAD, _HEIGHT) + line + limits + highest + "".join(_axis(past))
    return f"<p>{escape(series.path)}</p>{_picture(drawn, _HEIGHT + _FOOT)}"


def _axis(past: Backtested) -> Iterator[str]:
    """Dates at midnights, or times of day where it is short."""
    long = past.length > timedelta(days=2)
    step = timedelta(days=max(1, past.length // timedelta(days=8))) if long else _HOURS
    step = timedelta(hours=1) if past.length <= _HOURS else step
    at = past.since.replace(hour=0, minute=0, second=0, microsecond=0)
    while at < past.until:
        if at >= past.since:
            x, text = _x(at, past), f"{at:%a %d}" if long else f"{at:%H:%M}"
            yield f'<line x1="{x:.0f}" x2="{x:.0f}" y1="{_HEIGHT}" y2="{_HEIGHT + 4}" stroke="#888"/>'
            yield f'<text x="{x:.0f}" y="{_HEIGHT + 17}">{text}</text>'
        at += step


def _x(at: datetime, past: Backtested) -> float:
    return _LEFT + _INNER * max(min((at - past.since) / past.length, 1.0), 0.0)


def _y(value: float, top: float) -> float:
    return _HEIGHT - max(min(value / top, 1.0), 0.0) * (_HEIGHT - 6)


def _spans(spans: Sequence[Span], past: Backtested, fill: str, height: float = 24) -> str:
    return "".join(
        f'<rect x="{_x(since, past):.1f}" y="0" width="{max(_x(until, past) - _x(since, past), 2):.1f}" '
        f'height="{height:g}" fill="{fill}"><title>{when(since)} to {when(until)}</title></rect>'
        for since, until in spans
    )


def _picture(drawn: str, height: float) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {height:g}" role="img">{drawn}</svg>' if drawn else ""


def _hours(one: PastTraffic) -> str:
    """A column for each hour: how much of it had enough."""
    width = _INNER / 24
    drawn = "".join(
        f'<rect x="{_LEFT + each.hour * width:.1f}" y="{80 - 74 * share:.1f}" width="{width - 2:.1f}" '
        f'height="{max(74 * share, 2):.1f}" fill="{_GOOD if each.enough else _BAD}"/>'
        f'<text x="{_LEFT + each.hour * width + 4:.1f}" y="96">{each.hour:02}</text>'
        for each in one.hours
        if each.periods
        for share in [each.enough / each.periods]
    )
    lines = list(traffic_lines(one))
    return f"<p>{escape(lines[0])}</p>{_picture(drawn, 100)}{_list(lines[1:]) if lines[1:] else ''}"
