"""The elements every section of the HTML report is made of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape

from cockpit.decide.states import known_meaning
from cockpit.report import labels
from cockpit.report.escaping import short

MOST_ROWS = 200
"""Rows of one list; the page says how many more there are."""
MOST_TEXT = 600
"""Characters of one text."""


def esc(foreign: str) -> str:
    """Foreign text as text: on one line, bounded, and never markup, in an element or in an attribute."""
    return escape(short(foreign, MOST_TEXT), quote=True)


def section(title: str, body: str) -> str:
    return f"<section>\n<h2>{esc(title)}</h2>\n{body}\n</section>"


def rows(listed: Sequence[str], kind: str = "") -> str:
    """A list whose rows are made of two cells or, of kind `times`, three. Empty for an empty one."""
    if not listed:
        return ""
    text = "\n".join(f"<li>{each}</li>" for each in listed[:MOST_ROWS])
    return f'<ol class="rows {kind}">\n{text}\n</ol>{_more(len(listed))}'


def dots(listed: Sequence[str]) -> str:
    """A plain list. Empty for an empty one."""
    if not listed:
        return ""
    text = "\n".join(f"<li>{each}</li>" for each in listed[:MOST_ROWS])
    return f'<ul class="dots">\n{text}\n</ul>{_more(len(listed))}'


def _more(many: int) -> str:
    return f'<p class="quiet">and {many - MOST_ROWS} more, in the record</p>' if many > MOST_ROWS else ""


def state(word: str, kind: str, symbol: str = "") -> str:
    """A word with its symbol, in its colour."""
    meaning = known_meaning(word)
    shown = symbol or (meaning.symbol if meaning else "·")
    return f'<div class="state t-{kind}">{esc(shown)} {esc(word)}</div>'


def signed(by: str, role: str, key: str, *, rehearsal: bool = False) -> str:
    """Who made the entry, and whether a key proves it."""
    as_role = f" ({esc(role)})" if role else ""
    how = esc(labels.by_key(key, rehearsal=rehearsal))
    return f'<span class="quiet">{esc(by)}{as_role}, {how}</span>'


def time_of(at: datetime | None, text: str) -> str:
    return f'<time datetime="{at.isoformat(timespec="seconds")}">{esc(text)}</time>' if at else ""
