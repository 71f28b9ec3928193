"""What is wrong with a plan: every problem with its place, all at once."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from cockpit.plan.position import Position
from probes.display_text import visible
from probes.frozen import frozen

SHOWN = 160
"""Characters of a source line that are shown, around the mark."""
_BEFORE_MARK = 100
_PASSWORD = re.compile(r"(?<=://)([^\s/@:]*):([^\s/@]+)(?=@)")


@frozen
class Problem:
    """One problem. `path` is dotted: `rollback_triggers[3].failure_condition`.

    The mark begins at `position.column` of `source_line` and is `length` characters long.
    """

    position: Position
    path: str
    message: str
    source_line: str = ""
    length: int = 1

    def __str__(self) -> str:
        return "\n".join(self.lines)

    @property
    def lines(self) -> list[str]:
        """`file:line:col: path: message`, then the line with a gutter and carets under what is meant."""
        where = (
            f"{_shown(str(self.position))}: {_shown(self.path)}: " if self.path else f"{_shown(str(self.position))}: "
        )
        text = where + _shown(self.message)
        if not self.source_line.strip():
            return [text]
        first = max(0, self.position.column - 1 - _BEFORE_MARK)
        at = self.position.column - 1 - first
        line = _without_passwords(self.source_line)[first : first + SHOWN]
        marked = line[at : at + max(1, self.length)] or " "
        gutter = f"{self.position.line:6} | "
        carets = f"{' ' * 7}| {' ' * _cells(line[:at])}{'^' * max(1, _cells(marked))}"
        return [text, f"{gutter}{_shown(line)}", carets]


class PlanError(Exception):
    """A plan that cannot be used; `problems` holds all of them, in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.position.line, p.position.column)))
        super().__init__("\n".join(self.lines))

    @property
    def lines(self) -> list[str]:
        return [line for problem in self.problems for line in problem.lines]


def dotted(path: Sequence[str | int]) -> str:
    """
    >>> dotted(["rollback_triggers", 3, "failure_condition"])
    'rollback_triggers[3].failure_condition'
    """
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f"{'.' if text else ''}{part}"
    return text


def _shown(text: str) -> str:
    """Text with what could move, hide or reorder other text on a terminal made visible."""
    return visible(text.replace("\t", " "), keep="")


def _without_passwords(line: str) -> str:
    """`postgresql://user:secret@host` with the secret starred out, at its length: marks stay where they are."""
    return _PASSWORD.sub(lambda m: f"{m.group(1)}:{'*' * len(m.group(2))}", line)


def _cells(text: str) -> int:
    """How many cells of a terminal the text takes."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
