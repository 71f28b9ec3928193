"""The lines of a Markdown document, and which of them are code. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

_FENCE = re.compile(r"^\s*(`{3,}|~{3,})\s*([\w+-]*)")
_FENCE_IN_ENTRY = re.compile(r"^(\s*(?:[-*+]|\d+[.)])\s+)(`{3,}|~{3,})\s*[\w+-]*\s*$")


def numbered(text: str) -> Iterator[tuple[int, str, bool]]:
    """Lines with their numbers, tabs as four spaces, and whether they stand in a code fence (Markdown in a fence is no code)."""
    code, markdown = "", ""
    for number, raw in enumerate(re.split(r"\r\n|\n|\r", text), 1):
        line = raw.expandtabs(4)
        found = _FENCE.match(line)
        if code:
            closes = bool(found and _closes(found, code))
            code = "" if closes else code
            if not closes:
                yield number, line, True
        elif found and markdown and _closes(found, markdown):
            markdown = ""
        elif found and found[2].lower() in ("markdown", "md"):
            markdown = found[1]
        elif found:
            code = found[1]
        elif entry := _FENCE_IN_ENTRY.match(line):
            yield number, f"{entry[1]}Run", False
            code = entry[2]
        else:
            yield number, line, False


def _closes(found: re.Match[str], opened: str) -> bool:
    return found[1].startswith(opened) and not found[2]
