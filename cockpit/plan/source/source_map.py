"""Where each character of a scalar's value stands in the file, however the scalar is written. Pure.

YAML folds, indents and escapes only white space and what stands behind a backslash, so the other characters of value and
file pair up in order: the n-th solid character of the value is the n-th solid character of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.|\n))", re.DOTALL)
_BLANK_ESCAPES = frozenset("tn\t rvfNL_P\n\r")
"""Escapes that stand for white space; the others of one letter (0, a, b, e, ", /, \\) stand for a solid character."""


def locate(raw: str, style: str, value: str, offset: int, length: int) -> tuple[int, int]:
    """Offset and length in `raw` (the scalar as written) of `value[offset : offset + length]`, within one line.

    `style` is '', "'", '"', '|' or '>'.

    >>> locate("'it''s on'", "'", "it's on", 5, 2)
    (7, 2)
    """
    solid = list(_solid(raw, style))
    skipped = sum(not c.isspace() for c in value[:offset])
    if skipped >= len(solid):
        return (solid[-1][1] if solid else 0), 1
    piece = value[offset : offset + max(1, length)]
    blank = len(piece) - len(piece.lstrip())
    count = sum(not c.isspace() for c in piece) if blank < len(piece) else 1
    first, end = solid[skipped]
    for start, stop in solid[skipped : skipped + count]:
        if any(c in "\n\r" for c in raw[end:start]):
            break
        end = stop
    return first, end - first


def _solid(raw: str, style: str) -> Iterator[tuple[int, int]]:
    """Begin and end in `raw` of every character of the value that is not white space."""
    at, end = 0, len(raw)
    if style in ("|", ">"):
        at = (raw.find("\n") + 1) or end  # the header: |- and a comment
    elif style:
        at, end = 1, end - 1
    while at < end:
        step, blank = 1, raw[at].isspace()
        if style == "'" and raw.startswith("''", at):
            step = 2
        elif style == '"' and (match := _ESCAPE.match(raw, at)):
            step = match.end() - at
            code = match.group(1) or match.group(2) or match.group(3)
            blank = chr(int(code, 16)).isspace() if code else match.group(4) in _BLANK_ESCAPES
        if not blank:
            yield at, at + step
        at += step
