"""A command that a signal ends in order, as ctrl-c does: the terminal is given back, the record closed, nothing left running."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from cockpit.tui.terminal_streams import keeper
from cockpit.untaken_signals import before_end
from probes.clients.threads import run_loop

ENDING = (signal.SIGTERM, signal.SIGHUP)
"""A kill, and a terminal that was closed."""
LAST_RESORT_S = 6.0
"""How long an end in order may take before the process is killed, the terminal given back all the same."""


def run_until_signal(main: Coroutine[Any, Any, int]) -> int:
    """Its result; 128 + the signal's number, as a shell reports it, where one of `ENDING` came first and `main` was cancelled."""
    return run_loop(_guarded(main))


async def _guarded(main: Coroutine[Any, Any, int]) -> int:
    loop, running = asyncio.get_running_loop(), asyncio.ensure_future(main)
    came: list[signal.Signals] = []
    give_back = keeper()
    before_end.append(give_back)

    def end(number: signal.Signals) -> None:
        if came:
            return
        came.append(number)
        running.cancel()
        last_resort = threading.Timer(LAST_RESORT_S, _kill, [give_back])
        last_resort.daemon = True
        last_resort.start()

    for number in ENDING:
        loop.add_signal_handler(number, end, number)
    try:
        result = await running
    except asyncio.CancelledError:
        if not came:  # ctrl-c
            raise
        result = 0
    return 128 + came[0] if came else result


def _kill(give_back: Callable[[], None]) -> None:
    give_back()
    os.kill(os.getpid(), signal.SIGKILL)
