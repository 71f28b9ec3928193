"""The words of a line of Markdown, of a cell, and of a step with its command. Pure."""

from __future__ import annotations

import re

from probes.display_text import visible

_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_CODE = re.compile(r"`([^`]+)`")
TICK_CELL = re.compile(r"^\[([ xX]?)\]$|^[\u2610\u2611\u2612]$")


def split_command(text: str) -> tuple[str, str, str]:
    """A step's words, the command in it, and the words behind that.

    >>> split_command("Roll back: `npx prisma migrate` and wait")
    ('Roll back', 'npx prisma migrate', 'and wait')
    """
    code = _CODE.search(text)
    alone = code is not None and " " in code[1]
    if code is None or not alone:
        return words_of(text).rstrip(" :"), "", ""
    if code.start() <= 3:
        return words_of(text).rstrip(" :"), code[1], ""
    return words_of(text[: code.start()]).rstrip(" :"), code[1], words_of(text[code.end() :]).strip(" .,;:")


def command_last(title: str, row: str) -> str:
    """A row's words with the command of one of its cells behind them, where a step's command is looked for."""
    code = next((found[1] for found in _CODE.finditer(row) if " " in found[1]), "")
    return f"{' '.join(title.replace(code, '', 1).split()).replace(' ,', ',')} `{code}`" if code else title


def cells_of(row: str) -> list[str]:
    return [_cell(cell) for cell in row.strip().strip("|").split("|")]


def _cell(text: str) -> str:
    text = text.strip()
    return text if TICK_CELL.match(text) else words_of(text)


def words_of(text: str) -> str:
    """The words without their Markdown.

    >>> words_of("**S3** bucket [docs](https://x) with `versioning`")
    'S3 bucket docs with versioning'
    """
    text = _CODE.sub(r"\1", _LINK.sub(r"\1", visible(text)))
    return " ".join(re.sub(r"(\*\*|__|~~)(.+?)\1", r"\2", text).split())
