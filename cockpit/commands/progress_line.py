"""Progress of a command that takes a while: one line that is rewritten on a terminal, lines of their own in a pipe."""

from __future__ import annotations

import time

from cockpit.console import on_terminal, output, redraw

EVERY_S = 0.1
IN_A_PIPE_S = 5.0


class Progress:
    """Shown on standard error, so that what is printed stays clean. `done` at the end takes the line away again."""

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total = what, total
        self._terminal = on_terminal()
        self._shown = time.monotonic()

    def at(self, number: int, subject: str = "") -> None:
        """`number` of `total` are done, and `subject` is next."""
        now = time.monotonic()
        if now - self._shown < (EVERY_S if self._terminal else IN_A_PIPE_S):
            return
        self._shown = now
        line = f"{self.what} {number} of {self.total}" + (f": {subject}" if subject else "")
        if self._terminal:
            redraw(line[:79])
        else:
            output(line, err=True)

    def done(self) -> None:
        if self._terminal:
            redraw("")
