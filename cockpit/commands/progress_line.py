"""Progress of a command that takes a while: one line that is rewritten on a terminal, lines of their own in a pipe."""

from __future__ import annotations

import sys
import time

from cockpit.console import output

EVERY_S = 0.1
IN_A_PIPE_S = 5.0
_CLEAR = "\r\x1b[2K"


class Progress:
    """Shown on standard error, so that what is printed stays clean. `done` at the end takes the line away again."""

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total = what, total
        self._terminal = sys.stderr.isatty()
        self._shown = time.monotonic()

    def at(self, number: int, subject: str = "") -> None:
        """`number` of `total` are done, and `subject` is next."""
        now = time.monotonic()
        if now - self._shown < (EVERY_S if self._terminal else IN_A_PIPE_S):
            return
        self._shown = now
        line = f"{self.what} {number} of {self.total}" + (f": {subject}" if subject else "")
        if self._terminal:
            self._write(f"{_CLEAR}{line[:79]}")
        else:
            output(line, err=True)

    def done(self) -> None:
        if self._terminal:
            self._write(_CLEAR)

    def _write(self, text: str) -> None:
        raw = getattr(sys.stderr, "raw", sys.stderr.write)
        raw(text)
        sys.stderr.flush()
