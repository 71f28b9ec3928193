"""Makes untrusted text safe to show, and wraps long lines. Pure."""

from __future__ import annotations

import re
import textwrap

from rich.text import Text

_HIDDEN = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_UNIT = re.compile(r"(?<=\d) (?=%|ms\b|s\b|[KMGT]B\b)|(?<=[<>=]) (?=\d)")


def plain(text: str) -> str:
    """Without characters that control a terminal or change the text direction; a dot stands where one was.

    >>> plain("a\\x1b[2Jb\\tc")
    'a·[2Jb c'
    """
    return _HIDDEN.sub(lambda found: " " if found[0] == "\t" else "·", text)


def safe(text: Text) -> Text:
    """The same for styled text, in place; every style keeps its cells."""
    if _HIDDEN.search(text.plain):
        text.plain = plain(text.plain)
    return text


def wrapped(text: str, width: int, most: int = 0) -> list[str]:
    """Lines of at most `width` cells, a number never parted from its unit; at most `most` lines, the last then ends in "…".

    >>> wrapped("trips above 5.0 % of all", 16)
    ['trips above', '5.0 % of all']
    >>> wrapped("one two three", 5, most=2)
    ['one', 'two …']
    """
    width = max(4, width)
    kept = _UNIT.sub("\u00a0", plain(text))
    parts = [
        part
        for line in kept.split("\n")
        for part in textwrap.wrap(line, width, break_on_hyphens=False, drop_whitespace=True) or [""]
    ]
    if most and len(parts) > most:
        parts = parts[:most]
        parts[-1] = f"{parts[-1][: width - 2].rstrip()} …"
    return [part.replace("\u00a0", " ") for part in parts]


def hanging(name: str, value: str, width: int, *, indent: int, styles: tuple[str, str]) -> Text:
    """`name` right-aligned in `indent` cells, `value` beside it; further lines start below the value.

    >>> print(hanging("query", "one two three", 14, indent=6, styles=("", "")).plain, end="")
     query  one
            two
            three
    """
    text = Text()
    for number, line in enumerate(wrapped(value, width - indent - 2)):
        text.append((name if number == 0 else "").rjust(indent) + "  ", style=styles[0])
        text.append(f"{line}\n", style=styles[1])
    return text
