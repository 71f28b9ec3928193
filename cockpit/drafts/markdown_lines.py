"""The lines of a Markdown document, and which of them are code. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, auto

_FENCE = re.compile(r"^\s*(`{3,}|~{3,})\s*([\w+-]*)")
_FENCE_IN_ENTRY = re.compile(r"^(\s*(?:[-*+]|\d+[.)])\s+)(`{3,}|~{3,})\s*[\w+-]*\s*$")


class Kind(Enum):
    """What a line is."""

    TEXT = auto()
    CODE = auto()
    FENCE = auto()
    """The line that opens or closes code, or Markdown shown as code."""


def raw_lines(text: str) -> list[str]:
    """The lines as they stand there."""
    return re.split(r"\r\n|\n|\r", text)


def numbered(text: str) -> Iterator[tuple[int, str, bool]]:
    """Lines with their numbers, tabs as four spaces, and whether they stand in a code fence (Markdown in a fence is no code)."""
    for number, line, kind in classified(text):
        if kind is not Kind.FENCE:
            yield number, line, kind is Kind.CODE


def classified(text: str) -> Iterator[tuple[int, str, Kind]]:
    """The same with the fences. An entry that opens one is the entry "Run"."""
    code, markdown = "", ""
    for number, raw in enumerate(raw_lines(text), 1):
        line = raw.expandtabs(4)
        found = _FENCE.match(line)
        if code:
            closes = bool(found and _closes(found, code))
            code = "" if closes else code
            yield number, line, Kind.FENCE if closes else Kind.CODE
        elif found and markdown and _closes(found, markdown):
            markdown = ""
            yield number, line, Kind.FENCE
        elif found and found[2].lower() in ("markdown", "md"):
            markdown = found[1]
            yield number, line, Kind.FENCE
        elif found:
            code = found[1]
            yield number, line, Kind.FENCE
        elif entry := _FENCE_IN_ENTRY.match(line):
            yield number, f"{entry[1]}Run", Kind.TEXT
            code = entry[2]
        else:
            yield number, line, Kind.TEXT


def _closes(found: re.Match[str], opened: str) -> bool:
    return found[1].startswith(opened) and not found[2]
