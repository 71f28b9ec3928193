"""Starting workers as processes of their own, and counting those that live."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import time
from dataclasses import dataclass, field

from probes.clients.child_python import child_environment, python_module

DATABASE = "COCKPIT_MIGRATION_DATABASE"
AGAIN_S = 3.0
NICE = 5
"""Workers beside a terminal wait for it, not it for them."""


def log_plainly() -> None:
    """A worker's log goes to its standard error, redacted: a file here, CloudWatch in a task."""
    from probes.redact import redact

    class Redacted(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return redact(super().format(record))

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Redacted("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


@dataclass(slots=True)
class LocalWorkers:
    """Worker processes on this machine, kept at a number. They outlive whoever started them."""

    dsn: str = field(repr=False)
    run: int
    wanted: int
    log: str = os.devnull
    _processes: list[asyncio.subprocess.Process] = field(default_factory=list)
    _started: float = 0.0

    async def keep(self) -> int:
        """Start what is missing; how many live. One that died is replaced after a moment."""
        self._processes = [process for process in self._processes if process.returncode is None]
        missing = self.wanted - len(self._processes)
        if missing > 0 and (not self._started or time.monotonic() - self._started > AGAIN_S):
            self._started = time.monotonic()
            for _ in range(missing):
                self._processes.append(await self._start())
        return len(self._processes)

    async def _start(self) -> asyncio.subprocess.Process:
        with open(self.log, "ab") as log:  # noqa: ASYNC230, PTH123 - a small file, opened once a worker
            process = await asyncio.create_subprocess_exec(
                *python_module("cockpit.migration", str(self.run)),
                env=child_environment(os.environ, **{DATABASE: self.dsn}),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, process.pid, NICE)
        return process

    async def ended(self, within_s: float) -> bool:
        """Wait for all of them to end by themselves; whether they did."""
        waiting = [asyncio.ensure_future(process.wait()) for process in self._processes]
        if not waiting:
            return True
        _, left = await asyncio.wait(waiting, timeout=within_s)
        for task in left:
            task.cancel()
        return not left
