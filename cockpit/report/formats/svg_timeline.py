"""One lane of the timeline as inline SVG: bars and marks on the report's time axis, shapes only."""

from __future__ import annotations

from cockpit.report.formats.svg_charts import BAND, STYLES, Window, tone
from cockpit.report.time_axis import Lane

HEIGHT = 20
MOST_MARKS = 300
"""Drawn in one lane: marks closer than that are one."""
_MARKS = {"go": "go", "bad": "bad", "note": "mark"}


def lane_picture(lane: Lane, window: Window, label: str) -> str:
    """Bars from edge to edge of the lane, marks as narrow strokes. `label` is the escaped text alternative."""
    parts = []
    for n, bar in enumerate(lane.bars):
        x = BAND * window.share(bar.since)
        width = max(BAND * window.share(bar.until) - x, 2.0)
        style = tone(bar.word) if bar.word else ("none", "gap")[n % 2]
        parts.append(f'<rect {STYLES[style]} x="{x:.1f}" y="3" width="{width:.1f}" height="14"/>')
    places = {round(MOST_MARKS * window.share(mark.at)): mark for mark in lane.marks}
    for mark in places.values():
        x = min(BAND - 4, BAND * window.share(mark.at))
        parts.append(f'<rect {STYLES[_MARKS[mark.kind]]} x="{x:.1f}" y="2" width="4" height="16"/>')
    return (
        f'<svg class="lane" viewBox="0 0 {BAND:.0f} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{label}">{"".join(parts)}</svg>'
    )
