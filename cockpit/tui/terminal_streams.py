"""Which of the standard streams is the terminal. Nothing of Textual: a command asks before it opens anything."""

from __future__ import annotations

import contextlib
import os
import sys
import termios
from collections.abc import Callable, Mapping
from typing import TextIO

DUMB = "dumb"
_OFF = "".join(f"\x1b[?{mode}l" for mode in (2026, 2004, 2048, 1000, 1003, 1015, 1016, 1006, 1004))
_SHOWN_AGAIN = f"\x18{_OFF}\x1b[m\x1b[?7h\x1b[<u\x1b[?1049l\x1b[?25h".encode()
"""Everything that the screen has switched on, off: whatever was under way, mouse, paste, focus, its own screen, the cursor."""


def screen_stream() -> TextIO | None:
    """The stream that the screen is shown on: standard output or standard error, whichever is a terminal; None where neither is.

    So `2>file` and `| tee file` keep the screen.
    """
    return next((each for each in (sys.__stdout__, sys.__stderr__) if each is not None and _is_terminal(each)), None)


def no_terminal(instead: str, environ: Mapping[str, str] = os.environ) -> str:
    """Why no screen can be opened here, with the command to use instead; empty where one can."""
    if screen_stream() is None:
        why = "neither standard output nor standard error is a terminal"
    elif sys.__stdin__ is None or not _is_terminal(sys.__stdin__):
        why = "standard input is not a terminal"
    elif environ.get("TERM") == DUMB:
        why = "this terminal cannot place text (TERM=dumb)"
    else:
        return ""
    return f"{why}, and the cockpit is a full screen (over ssh: ssh -t). Without a terminal: {instead}"


def keeper() -> Callable[[], None]:
    """Remember how the terminal is now; the result gives it back so, from any thread, without waiting for it."""
    stream = screen_stream()
    if stream is None:
        return lambda: None
    before = termios.tcgetattr(stream.fileno())

    def give_back() -> None:
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(stream.fileno(), termios.TCSANOW, before)
            terminal = os.open(os.ttyname(stream.fileno()), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
            os.write(terminal, _SHOWN_AGAIN)

    return give_back


def errors_are_seen() -> bool:
    """Whether standard error is the terminal."""
    return sys.__stderr__ is not None and _is_terminal(sys.__stderr__)


def _is_terminal(stream: TextIO) -> bool:
    try:
        return os.isatty(stream.fileno())
    except (OSError, ValueError):  # closed, or no file
        return False
