"""What stands for a character where only ASCII can be shown: one cell for one cell, so that nothing moves."""

from __future__ import annotations

import codecs
import locale
import unicodedata
from collections.abc import Mapping

_STANDS_FOR: Mapping[str, str] = {
    "✓": "+", "✗": "X", "■": "#", "▲": "!", "▶": ">", "●": "*", "○": "o", "◆": "*", "…": "~", "·": ".", "→": ">", "←": "<",
    "↑": "^", "↓": "v", "│": "|", "┃": "|", "┤": "|", "├": "|", "─": "-", "━": "-", "╌": "-", "┄": "-", "┼": "+", "└": "`",
    "┌": ".", "┐": ".", "┘": "'", "≥": ">", "≤": "<", "≠": "!", "±": "+", "×": "x", "−": "-", "–": "-", "—": "-", "‑": "-",
    "‘": "'", "’": "'", "“": '"', "”": '"', "«": '"', "»": '"', "•": "*", "°": "o", "µ": "u", "∞": "8",
    "▁": "_", "▂": "_", "▃": ".", "▄": "-", "▅": "-", "▆": "=", "▇": "=", "█": "#", "▔": "-", "▀": "-", "▌": "|", "▐": "|",
    "▏": "|", "▕": "|", "▊": "|", "▎": "|", "░": ".", "▒": ":", "▓": "%", "❯": ">", "▸": ">", "▾": "v", "▼": "v", "\u00a0": " ",
}  # fmt: skip
BACKSLASHED = "cockpit.symbols"
"""Name of the error handler of a stream: a symbol of ours by what stands for it, anything else as its number."""


def ascii_only(text: str) -> str:
    """The text in ASCII, as many cells wide as it was; a letter with a mark is the letter, what has no stand-in `?`.

    >>> ascii_only("✓ GO … café 東")
    '+ GO ~ cafe ??'
    """
    return text if text.isascii() else "".join(map(_ascii, text))


def _ascii(each: str) -> str:
    if each.isascii():
        return each
    if stands := _STANDS_FOR.get(each):
        return stands
    if unicodedata.combining(each) or unicodedata.category(each) in ("Mn", "Me", "Cf"):
        return ""
    letter = unicodedata.normalize("NFKD", each)[:1]
    wide = unicodedata.east_asian_width(each) in "WF"
    return (letter if letter.isascii() else "?") * (2 if wide else 1)


def is_unicode(encoding: str = "") -> bool:
    """Whether this encoding, else the locale's, can show every character."""
    # Not the preferred encoding: Python prefers UTF-8 where the locale is C, tmux and the terminal do not.
    return codecs.lookup(encoding or locale.getencoding()).name.startswith("utf")


def _backslashed(error: UnicodeError) -> tuple[str | bytes, int]:
    if isinstance(error, UnicodeEncodeError) and (stands := _STANDS_FOR.get(error.object[error.start])):
        return stands, error.start + 1
    return codecs.backslashreplace_errors(error)


codecs.register_error(BACKSLASHED, _backslashed)
