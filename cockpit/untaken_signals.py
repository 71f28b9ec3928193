"""Ctrl-c ends a command that waits in the kernel for a file whose server does not answer, where no signal can be taken.

Until that call returns, which may be never, the signal stays pending, and whoever pressed the key sees nothing happen. A thread
that looks for such a signal ends the process in the main thread's place.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress

ENDING = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
LOOKS_EVERY_S = 0.2
LOOKS = 4
"""A signal that is pending in so many looks, one after the other, is not taken any more: else it is within a moment."""
before_end: list[Callable[[], None]] = []
"""Called before the process ends in another thread than the main one: the terminal is given back."""


def end_on_untaken_signals() -> None:
    """Look for them from now on, until the process ends; not for those that are blocked here, which wait on purpose."""
    looked_for = ENDING - signal.pthread_sigmask(signal.SIG_BLOCK, ())
    threading.Thread(target=_look, args=(looked_for,), name="untaken signals", daemon=True).start()


def _look(looked_for: frozenset[signal.Signals]) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, looked_for)  # they are pending here, and the main thread's to take
    seen, looks = frozenset[signal.Signals](), 0
    while True:
        time.sleep(LOOKS_EVERY_S)
        pending = looked_for & signal.sigpending()
        seen = seen & pending if looks else pending
        looks = looks + 1 if seen else 0
        if looks == LOOKS:
            _end(min(seen))


def _end(number: signal.Signals) -> None:
    for each in before_end:
        with suppress(Exception):  # whatever it is, nobody could be shown it
            each()
    os._exit(128 + number)
