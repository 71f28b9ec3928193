"""Pictures of a report as inline SVG: shapes only, no text, so that they scale to any width and labels stay readable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from cockpit.conditions.condition import COMPARE
from cockpit.decide.states import StepState, Tone, meaning_of
from cockpit.report.model import Gap, Measure, Point, Span
from probes.frozen import frozen

WIDTH, HEIGHT = 360.0, 84.0
BAND = 1000.0
"""Width of the verdict's band; its height is stretched."""
MOST_CELLS = 400
"""Of the band: a flapping night is shown by its worst word in each."""
_FILLS = {
    "go": "#8fc3a3",
    "hold": "#e8cf8f",
    "bad": "#d9807a",
    "unknown": "#c3cbec",
    "none": "#dcdad3",
    "gap": "#faf9f6",
}
_LINE = 'fill="none" stroke-width="1.6" stroke-linejoin="round" stroke-linecap="round"'
STYLES = {name: f'class="f-{name}" fill="{fill}"' for name, fill in _FILLS.items()} | {
    "mark": 'class="mark" fill="#23272f" opacity=".55"',
    "floor": 'class="floor" fill="none" stroke="#e3e1da"',
    "limit": 'class="limit" fill="none" stroke="#8a6100" stroke-width="1.2" stroke-dasharray="5 4"',
    "calm": f'class="l-calm" stroke="#55617a" {_LINE}',
    "wrong": f'class="l-bad" stroke="#ad2a24" {_LINE}',
    "extremes": 'class="extremes" fill="#55617a" opacity=".16"',
}
"""How shapes look where the style sheet does not reach, such as a viewer that shows pictures by themselves."""


@frozen
class Window:
    """The stretch of time every picture of a report shows."""

    began: datetime
    ended: datetime

    def share(self, at: datetime) -> float:
        """Where a moment lies, from 0 to 1; what is outside is at the edge."""
        whole = (self.ended - self.began) / timedelta(seconds=1) or 1.0
        return min(1.0, max(0.0, (at - self.began).total_seconds() / whole))


@frozen
class Scale:
    """The values a chart shows, from its bottom to its top."""

    low: float
    high: float

    @classmethod
    def of(cls, measure: Measure) -> Scale | None:
        """Room for every value and the threshold, from zero where nothing is below it; None without any value."""
        if measure.unit == "bool":
            return cls(-0.15, 1.15) if any(point.last is not None for point in measure.points) else None
        ends = [end for point in measure.points for end in (point.low, point.high) if end is not None]
        if not ends:
            return None
        ends += [measure.threshold] if measure.threshold is not None else []
        low, high = min(*ends, 0.0) if min(ends) >= 0 else min(ends), max(ends)
        return cls(low, (high if high > low else low + 1.0) + (high - low) * 0.08)

    def top(self, value: float) -> float:
        """Share of the height from the top, from 0 to 1."""
        return 1.0 - (value - self.low) / (self.high - self.low)


_CLASSES: Mapping[Tone, str] = {
    Tone.GOOD: "go", Tone.WAITING: "hold", Tone.BAD: "bad", Tone.UNKNOWN: "unknown", Tone.QUIET: "none",
}  # fmt: skip
assert set(_CLASSES) == set(Tone), "every tone has a class"


def tone(word: str) -> str:
    """The class of a word: how it is coloured. The word always stands beside it."""
    return _CLASSES[meaning_of(word).tone] if word else "none"


def step_tone(step: StepState) -> str:
    """The class of a step's word."""
    return _CLASSES[step.meaning.tone]


def band(spans: Sequence[Span], gaps: Sequence[Gap], marks: Sequence[datetime], window: Window) -> str:
    """The verdict over time; `gaps` (the cockpit was not watching) lie over it, `marks` (a phase begins) are lines across it."""
    parts = [
        f'<rect {STYLES[tone(word)]} x="{x:.1f}" y="0" width="{max(width, 1.5):.1f}" height="40"/>'
        for word, x, width in _cells(spans, window)
    ]
    for gap in gaps:
        x = BAND * window.share(gap.since)
        width = max(BAND * window.share(gap.until) - x, 1.5)
        parts.append(f'<rect {STYLES["gap"]} x="{x:.1f}" y="0" width="{width:.1f}" height="40"/>')
    parts += [
        f'<rect {STYLES["mark"]} x="{BAND * window.share(at):.1f}" y="0" width="1.5" height="40"/>' for at in marks
    ]
    return (
        f'<svg class="band" viewBox="0 0 {BAND:.0f} 40" preserveAspectRatio="none" role="img" '
        f'aria-label="The verdict over time">{"".join(parts)}</svg>'
    )


Stretch = tuple[datetime | None, datetime | None]


def step_bar(planned: Stretch, actual: Stretch, kind: str, window: Window, marks: Sequence[datetime]) -> str:
    """One step on the time axis: above as planned, below as done; `marks` are lines across both."""
    parts = []
    for (since, until), style, y in ((planned, "none", 2), (actual, kind, 12)):
        if since is not None and until is not None:
            x = BAND * window.share(since)
            width = max(BAND * window.share(until) - x, 2.0)
            parts.append(f'<rect {STYLES[style]} x="{x:.1f}" y="{y}" width="{width:.1f}" height="8"/>')
    parts += [f'<rect {STYLES["mark"]} x="{BAND * window.share(at):.1f}" y="0" width="2" height="22"/>' for at in marks]
    return (
        f'<svg class="step" viewBox="0 0 {BAND:.0f} 22" preserveAspectRatio="none" role="img" '
        f'aria-label="Planned and actual time">{"".join(parts)}</svg>'
    )


def _cells(spans: Sequence[Span], window: Window) -> Iterator[tuple[str, float, float]]:
    """(word, x, width), at most MOST_CELLS of them."""
    if len(spans) <= MOST_CELLS:
        for span in spans:
            x = BAND * window.share(span.since)
            yield span.word, x, BAND * window.share(span.until) - x
        return
    worst: dict[int, str] = {}
    for span in spans:
        first, last = (int(window.share(at) * (MOST_CELLS - 1)) for at in (span.since, span.until))
        for cell in range(first, last + 1):
            held = worst.get(cell, span.word)
            both = (word for word in (held, span.word) if word)
            worst[cell] = min(both, key=lambda word: meaning_of(word).badness, default="")
    width = BAND / MOST_CELLS
    yield from ((word, cell * width, width) for cell, word in sorted(worst.items()))


def chart(measure: Measure, kind: str, window: Window, label: str, marks: Sequence[datetime] = ()) -> str:
    """One value over time: a line with the extremes around it, broken where there is no reading, shaded where it was unknown.

    `label` is the escaped text alternative; `marks` are upright lines across it. Values that fail the criterion are drawn in the
    failing colour.
    """
    scale = Scale.of(measure)
    if scale is None:
        return ""
    shown = [point for point in measure.points if window.began <= point.at <= window.ended]
    parts = [*_unknown(shown, measure, window), *_extremes(shown, measure, window, scale)]
    if measure.threshold is not None:
        y = HEIGHT * scale.top(measure.threshold)
        parts.append(f'<path {STYLES["limit"]} d="M0 {y:.1f}H{WIDTH:.0f}"/>')
    parts += [
        f'<rect {STYLES["mark"]} x="{WIDTH * window.share(at):.1f}" y="0" width="1" height="{HEIGHT:.0f}"/>'
        for at in marks
    ]
    parts += _lines(shown, measure, kind, window, scale)
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" preserveAspectRatio="none" role="img" aria-label="{label}">'
        f'<path {STYLES["floor"]} d="M0 {HEIGHT - 0.5}H{WIDTH:.0f}"/>{"".join(parts)}</svg>'
    )


def is_bad(value: float, measure: Measure, kind: str) -> bool:
    """Whether a value fails: it misses a success criterion's limit, or breaches a trigger's."""
    if measure.threshold is None:
        return False
    holds = COMPARE[measure.operator](value, measure.threshold)
    return not holds if kind == "success" else holds


def _runs(points: Sequence[Point], step: timedelta) -> Iterator[list[Point]]:
    """Known points that may be joined."""
    run: list[Point] = []
    for point in points:
        if run and (point.last is None or point.at - run[-1].at > step):
            yield run
            run = []
        if point.last is not None:
            run.append(point)
    if run:
        yield run


def _lines(points: Sequence[Point], measure: Measure, kind: str, window: Window, scale: Scale) -> Iterator[str]:
    for run in _runs(points, measure.step):
        at = [_place(point, _far(point, measure, kind), window, scale) for point in run]
        bad = [is_bad(_far(point, measure, kind), measure, kind) for point in run]
        if len(run) == 1:
            yield f'<circle {_ink(is_wrong=bad[0])} cx="{at[0][0]:.1f}" cy="{at[0][1]:.1f}" r="1.6"/>'
        begin = 0
        for n in range(1, len(run)):
            if n + 1 == len(run) or (bad[n] or bad[n - 1]) != (bad[n + 1] or bad[n]):
                yield _line(at[begin : n + 1], _ink(is_wrong=bad[n] or bad[n - 1]), steps=measure.unit == "bool")
                begin = n


def _ink(*, is_wrong: bool) -> str:
    return STYLES["wrong" if is_wrong else "calm"]


def _far(point: Point, measure: Measure, kind: str) -> float:
    """The worst value of an interval, so that no peak is lost between two points."""
    assert point.low is not None
    assert point.high is not None
    assert point.last is not None
    if is_bad(point.high, measure, kind):
        return point.high
    return point.low if is_bad(point.low, measure, kind) else point.last


def _place(point: Point, value: float, window: Window, scale: Scale) -> tuple[float, float]:
    return WIDTH * window.share(point.at), HEIGHT * scale.top(value)


def _line(at: Sequence[tuple[float, float]], ink: str, *, steps: bool) -> str:
    first, *rest = at
    joined = "".join(f"H{x:.1f}V{y:.1f}" if steps else f"L{x:.1f} {y:.1f}" for x, y in rest)
    return f'<path {ink} d="M{first[0]:.1f} {first[1]:.1f}{joined}"/>'


def _extremes(points: Sequence[Point], measure: Measure, window: Window, scale: Scale) -> Iterator[str]:
    """The area between the lowest and the highest value of each stretch, where they differ."""
    for run in _runs(points, measure.step):
        if len(run) > 1 and any(point.low != point.high for point in run):
            high = [_place(point, point.high or 0.0, window, scale) for point in run]
            low = [_place(point, point.low or 0.0, window, scale) for point in reversed(run)]
            yield f'<path {STYLES["extremes"]} d="M{"L".join(f"{x:.1f} {y:.1f}" for x, y in (*high, *low))}Z"/>'


def _unknown(points: Sequence[Point], measure: Measure, window: Window) -> Iterator[str]:
    """From each point that was not known to the next one, joined where they follow each other."""
    since: datetime | None = None
    for n, point in enumerate(points):
        if point.last is None and since is None:
            since = point.at
        after = points[n + 1] if n + 1 < len(points) else None
        if since is not None and (after is None or after.last is not None):
            until = after.at if after is not None and after.at - point.at <= measure.step else point.at
            x = WIDTH * window.share(since)
            width = max(1.0, WIDTH * window.share(until) - x)
            yield f'<rect {STYLES["unknown"]} x="{x:.1f}" y="0" width="{width:.1f}" height="{HEIGHT:.0f}"/>'
            since = None
