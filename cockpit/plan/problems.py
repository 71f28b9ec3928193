"""What is wrong with a plan: every problem with its place, all at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cockpit.plan.model import Position

SHOWN = 200
"""Characters of a source line that are shown."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem. `path` is dotted: `rollback_triggers[3].failure_condition`; `length` is how many characters to mark."""

    position: Position
    path: str
    message: str
    source_line: str = ""
    length: int = 1

    def __str__(self) -> str:
        where = f"{self.position}: {self.path}: " if self.path else f"{self.position}: "
        text = where + self.message
        if not self.source_line.strip():
            return text
        shown = self.source_line[:SHOWN].replace("\t", " ")
        marks = "^" * max(1, min(self.length, len(shown) - self.position.column + 1))
        return f"{text}\n{self.position.line:6} | {shown}\n       | {' ' * (self.position.column - 1)}{marks}"


class PlanError(Exception):
    """A plan that cannot be used; `problems` holds all of them, in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.position.line, p.position.column)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def dotted(path: Sequence[str | int]) -> str:
    """
    >>> dotted(["rollback_triggers", 3, "failure_condition"])
    'rollback_triggers[3].failure_condition'
    """
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f"{'.' if text else ''}{part}"
    return text
