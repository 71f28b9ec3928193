"""Workers in processes of their own, as they are in life: to be killed, stopped and woken.

They are forked from one that has everything loaded already: a start costs a tenth of the CPU, and is a process all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Mapping
from multiprocessing import forkserver
from pathlib import Path

import pytest

_FORKED = multiprocessing.get_context("forkserver")


class WorkerProcess:
    """A worker of a run in this database, with this process's environment; its clock is so many hours ahead."""

    def __init__(self, dsn: str, run: int, *, hours_ahead: float = 0.0) -> None:
        _have_server()
        self._process = _FORKED.Process(target=_work, args=(dsn, run, dict(os.environ), hours_ahead), daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """Its exit code once it has ended."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int | None:
        self._process.join(timeout)
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):  # it may have ended a moment ago
            os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()


def _have_server() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
        _FORKED.set_forkserver_preload(["migration.worker_loaded"])
        forkserver.ensure_running()


def _work(dsn: str, run: int, environment: Mapping[str, str], hours_ahead: float) -> None:
    from cockpit.migration.worker import main

    os.environ.clear()
    os.environ.update(environment)
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    if hours_ahead:
        wall = time.time
        time.time = lambda: wall() + hours_ahead * 3600
        time.time_ns = lambda: int(time.time() * 1e9)
    sys.exit(asyncio.run(main(dsn, run)))
