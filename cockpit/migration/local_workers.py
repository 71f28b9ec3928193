"""Starting workers as processes of their own, and counting those that live."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from probes.clients.child_environment import WORKER
from probes.clients.child_process import Child, Command, python_module, start

DATABASE = "COCKPIT_MIGRATION_DATABASE"
LOOK_S = 0.1
NICE = 5
"""Workers beside a terminal wait for it, not it for them."""


def log_plainly() -> None:
    """A worker's log goes to its standard error, redacted: a file here, CloudWatch in a task."""
    from probes.log_lines import LogLines

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LogLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


@dataclass(slots=True)
class LocalWorkers:
    """Worker processes on this machine, kept at a number. They outlive whoever started them."""

    dsn: str = field(repr=False)
    run: int
    wanted: int
    log: str = os.devnull
    _processes: list[Child] = field(default_factory=list)
    _died: list[str] = field(default_factory=list)

    def command(self) -> Command:
        """What a worker is started with."""
        return python_module(WORKER, "cockpit.migration", str(self.run), given={DATABASE: self.dsn})

    async def keep(self, others: int = 0) -> int:
        """Start what is missing; how many live."""
        for _ in range(self.wanted - others - len(self._processes)):
            self._start()
        return len(self._processes)

    async def died(self) -> list[str]:
        """How workers have died since it was last asked, with their last words."""
        self._bury()
        died, self._died = self._died, []
        return died

    async def ended(self, within_s: float) -> bool:
        """Wait for all of them to end by themselves; whether they did."""
        until = time.monotonic() + within_s
        while self._processes and time.monotonic() < until:
            await asyncio.sleep(LOOK_S)
            self._bury()
        return not self._processes

    def _start(self) -> None:
        try:
            process = start(self.command(), Path(self.log))
        except OSError as error:
            self._died.append(f"a worker was not started: {error}")
            return
        self._processes.append(process)
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, process.pid, NICE)

    def _bury(self) -> None:
        ended = [process for process in self._processes if process.code is not None]
        self._processes = [process for process in self._processes if process not in ended]
        self._died += [f"worker {each.pid} ended with {each.code}: {each.last_words()}" for each in ended if each.code]
