"""Makes untrusted text safe to show, and wraps long lines."""

from __future__ import annotations

import re
import textwrap
from functools import lru_cache
from itertools import accumulate, pairwise

from rich.text import Span, Text

from probes.display_text import visible
from probes.known_secrets import KNOWN

_UNIT = re.compile(r"(?<=\d) (?=%|ms\b|s\b|[KMGT]B\b)|(?<=[<>=]) (?=\d)")

REMEMBERED = 500
"""Characters of a text whose plain form is kept; longer ones are few."""
LONGEST = 2000
"""Characters of one text of others: painting must not take longer than a frame."""


def plain(text: str, *, keep: str = "", longest: int = LONGEST) -> str:
    """One line without known secrets; what nobody can see, ends a line or controls a terminal is shown as its number.

    A tab is a space. `keep`: what stays as it is all the same. Of a longer text than `longest` only the start is.

    >>> print(plain("a\\x1b[2Jb\\tc"))
    a\\u{1b}[2Jb c
    """
    if len(text) > REMEMBERED:
        return _plain(text, keep, longest)
    return _plain_once(text, keep, longest, KNOWN.revision)


def _plain(text: str, keep: str, longest: int) -> str:
    text = KNOWN.hide(text.replace("\t", " "))
    if len(text) > longest and "\n" not in keep:
        return f"{visible(text[:longest], keep=keep)}… [{len(text) - longest} more characters]"
    return visible(text, keep=keep)


@lru_cache(maxsize=2048)
def _plain_once(text: str, keep: str, longest: int, _secrets: int) -> str:
    """Each frame shows nearly the same texts as the one before; looking through each for every secret is dear."""
    return _plain(text, keep, longest)


def safe(text: Text, *, keep: str = "") -> Text:
    """The same for styled text, in place; every style keeps its words."""
    shown = plain(text.plain, keep=keep)
    if shown == text.plain:
        return text
    # Styles are cut at their ends, and each piece is made safe by itself; what a secret crosses is hidden first.
    cuts = sorted({0, len(text.plain), *(end for span in text.spans for end in (span.start, span.end))})
    pieces = [plain(text.plain[start:end], keep=keep) for start, end in pairwise(cuts)]
    if plain("".join(pieces), keep=keep) != "".join(pieces):  # a secret of several styles: it is hidden, the styles go
        text.spans = []
        text.plain = shown
        return text
    at = dict(zip(cuts, accumulate(map(len, pieces), initial=0), strict=True))
    spans = [Span(at[span.start], at[span.end], span.style) for span in text.spans]
    text.spans = []
    text.plain = "".join(pieces)
    text.spans = spans
    return text


def safe_copy(text: Text) -> Text:
    """The same of a text that stays as it is; one longer than `LONGEST` is not copied whole, and loses its styles within."""
    if len(text.plain) > LONGEST:
        return Text(plain(text.plain), text.style, no_wrap=text.no_wrap)
    return safe(text.copy())


def cut_to(text: Text, width: int, *, pad: bool = False) -> Text:
    """Cut to `width` cells in place, with "…" where something is missing; of what is far longer only the start is looked at.

    >>> cut_to(Text("one two three"), 8).plain
    'one two…'
    """
    most = 4 * width + 8  # a character takes no cell, one or two; more than this is never shown
    if len(text.plain) > most:
        text.right_crop(len(text.plain) - most)
        if text.cell_len <= width:
            text.append("…")
    text.truncate(width, overflow="ellipsis", pad=pad)
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
    parts = textwrap.wrap(kept, width, break_on_hyphens=False, drop_whitespace=True) or [""]
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
        text.append((plain(name) if number == 0 else "").rjust(indent) + "  ", style=styles[0])
        text.append(f"{line}\n", style=styles[1])
    return text
