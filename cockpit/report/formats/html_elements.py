"""The elements every section of the HTML report is made of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape

from cockpit import formatting
from cockpit.decide.states import known_meaning
from cockpit.report import labels
from cockpit.report.escaping import short
from cockpit.report.formats.svg_charts import Window
from cockpit.report.model import Account

_TICKS = tuple(timedelta(minutes=n) for n in (1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 1440, 2880, 10080))
"""Between two moments written under a time axis; the smallest that fits is taken."""
MOST_ROWS = 200
"""Rows of one list; the page says how many more there are."""
MOST_TEXT = 600
"""Characters of one text."""


def esc(foreign: str) -> str:
    """Foreign text as text: on one line, bounded, and never markup, in an element or in an attribute."""
    return escape(short(foreign, MOST_TEXT), quote=True)


def long(own: str) -> str:
    """Our own text with foreign text in it, which may be longer: never markup either."""
    return escape(short(own, 3 * MOST_TEXT), quote=True)


def section(title: str, body: str) -> str:
    return f"<section>\n<h2>{esc(title)}</h2>\n{body}\n</section>"


def rows(listed: Sequence[str], kind: str = "") -> str:
    """A list whose rows are made of two cells or, of kind `times`, three. Empty for an empty one."""
    if not listed:
        return ""
    text = "\n".join(f"<li>{each}</li>" for each in listed[:MOST_ROWS])
    return f'<ol class="rows {kind}">\n{text}\n</ol>{_more(len(listed))}'


def group(title: str) -> str:
    """A row that names those after it."""
    return f'<div class="group">{esc(title)}</div>'


def dots(listed: Sequence[str], kind: str = "") -> str:
    """A plain list. Empty for an empty one."""
    if not listed:
        return ""
    text = "\n".join(f"<li>{each}</li>" for each in listed[:MOST_ROWS])
    return f'<ul class="dots {kind}">\n{text}\n</ul>{_more(len(listed))}'


def _more(many: int) -> str:
    return f'<p class="quiet">and {many - MOST_ROWS} more, in the record</p>' if many > MOST_ROWS else ""


def state(word: str, kind: str, symbol: str = "") -> str:
    """A word with its symbol, in its colour."""
    meaning = known_meaning(word)
    shown = symbol or (meaning.symbol if meaning else "·")
    return f'<div class="state t-{kind}">{esc(shown)} {esc(word)}</div>'


def signed(by: str, role: str, key: str, *, rehearsal: bool = False) -> str:
    """Who made the entry, and whether a key proves it."""
    how = esc(labels.by_key(key, rehearsal=rehearsal))
    return f'<span class="quiet">{esc(formatting.person(by, role))}, {how}</span>'


def time_of(at: datetime | None, text: str) -> str:
    return f'<time datetime="{at.isoformat(timespec="seconds")}">{esc(text)}</time>' if at else ""


def at(moment: datetime | None, account: Account) -> str:
    """A time of the night, as a time element."""
    return time_of(moment, labels.stamp(moment, account))


def ticks(window: Window, most: int = 6) -> str:
    """The first and the last moment, and about `most` round ones between them."""
    whole = window.ended - window.began
    step = next((each for each in _TICKS if whole / each <= most), _TICKS[-1])
    midnight = window.began.replace(hour=0, minute=0, second=0, microsecond=0)
    at = midnight + step * ((window.began - midnight) // step + 1)
    marks: list[datetime] = []
    while at < window.ended and len(marks) < 8:
        if 0.1 < window.share(at) < 0.9:
            marks.append(at)
        at += step
    content = "".join(
        f'<span class="num" style="left:{100 * window.share(at):.1f}%">{at:%H:%M}</span>'
        for at in (window.began, *marks, window.ended)
    )
    return f'<div class="ticks">{content}</div>'
