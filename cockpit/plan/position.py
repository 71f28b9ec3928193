"""A place in a plan file."""

from __future__ import annotations

from probes.frozen import frozen


@frozen(order=True)
class Position:
    """A place in the plan file; line and column count from 1."""

    file: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"
