"""`q` before there is a screen: whoever opens a cockpit may leave while it is not known yet whose account that is."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import termios
import tty
from collections.abc import Iterator

from cockpit.console import output
from cockpit.tui.terminal_streams import errors_are_seen

EXPLAINED_AFTER_S = 0.5
"""What takes longer is explained."""


class Left(Exception):  # noqa: N818 - it is what was asked for
    """`q` was pressed before the cockpit was open."""


@contextlib.contextmanager
def quit_by_key(waits_for: str) -> Iterator[None]:
    """While the body runs, `q` cancels it and raises Left; other keys are for a screen that nobody has seen yet, and dropped.

    `waits_for` is shown where the body takes a while.
    """
    loop, working = asyncio.get_running_loop(), asyncio.current_task()
    assert working is not None
    assert sys.__stdin__ is not None
    terminal, left = sys.__stdin__.fileno(), False
    before = termios.tcgetattr(terminal)

    def pressed() -> None:
        nonlocal left
        keys = os.read(terminal, 1024)
        if not keys:  # it was closed: its signal ends us
            loop.remove_reader(terminal)
        if b"q" in keys and not left:
            left = True
            working.cancel()

    def explain() -> None:
        if errors_are_seen():
            output(f"{waits_for} (q quits)", err=True)

    tty.setcbreak(terminal, termios.TCSANOW)
    loop.add_reader(terminal, pressed)
    explaining = loop.call_later(EXPLAINED_AFTER_S, explain)
    try:
        yield
    except asyncio.CancelledError:
        if not left or working.uncancel():
            raise
        raise Left from None
    finally:
        explaining.cancel()
        loop.remove_reader(terminal)
        with contextlib.suppress(termios.error):
            termios.tcsetattr(terminal, termios.TCSANOW, before)
    if left:  # pressed as the last step of the body came to its end
        working.uncancel()
        raise Left
