"""Starting workers as processes of their own, and counting those that live."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from cockpit.migration.replacements import Ended
from cockpit.migration.worker_names import of_process
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
    _ended: list[Ended] = field(default_factory=list)
    _given_up: dict[int, str] = field(default_factory=dict)

    def command(self) -> Command:
        """What a worker is started with."""
        return python_module(WORKER, "cockpit.migration", str(self.run), given={DATABASE: self.dsn})

    @property
    def names(self) -> Collection[str]:
        """Of those that run, as their ids in the ledger begin."""
        return [of_process(each.pid) for each in self._processes]

    async def keep(self, others: int = 0) -> None:
        """Start what is missing."""
        for _ in range(self.wanted - others - len(self._processes)):
            self._start()

    async def who_ended(self) -> list[Ended]:
        """How workers have ended since it was last asked, with their last words."""
        self._bury()
        ended, self._ended = self._ended, []
        return ended

    async def give_up(self, names: Collection[str], why: str) -> None:
        """End these: `why` is how they ended. One that was stopped is ended, too."""
        for each in self._processes:
            if of_process(each.pid) in names:
                self._given_up[each.pid] = why
                each.signal(signal.SIGKILL)

    async def ended(self, within_s: float) -> bool:
        """Wait for all of them to end by themselves; whether they did."""
        until = time.monotonic() + within_s
        while self._processes and time.monotonic() < until:
            await asyncio.sleep(LOOK_S)
            self._bury()
        return not self._processes

    async def end(self, within_s: float) -> None:
        """Their run has ended: wait until they have, and end those that have not by then. They hold nothing any more."""
        if not await self.ended(within_s):
            await self.give_up(self.names, "was ended: its run had, and it had not")
            await self.ended(within_s)

    def _start(self) -> None:
        try:
            process = start(self.command(), Path(self.log))
        except OSError as error:
            self._ended.append(Ended(f"a worker was not started: {error}"))
            return
        self._processes.append(process)
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, process.pid, NICE)

    def _bury(self) -> None:
        ended = [process for process in self._processes if process.code is not None]
        self._processes = [process for process in self._processes if process not in ended]
        self._ended += [Ended(self._words(each), well=each.code == 0, worker=of_process(each.pid)) for each in ended]

    def _words(self, process: Child) -> str:
        how = self._given_up.pop(process.pid, "") or f"ended with {process.code}"
        return f"worker {process.pid} {how}: {process.last_words()}"
