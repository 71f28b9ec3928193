"""The migration's workers in a rehearsal: those ECS was asked for run as processes here, and none outlives the world."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from cockpit.migration.ecs_workers import WORKER
from cockpit.migration.local_workers import DATABASE
from cockpit.rehearsal.aws.ecs.ecs import EcsSimulation, RunTask
from probes.clients.child_environment import WORKER as CHILD
from probes.clients.child_process import Child, Command, python_module, start
from probes.clients.threads import within

log = logging.getLogger(__name__)
_MODULE = "cockpit.migration"
LOOKED_UP_WITHIN_S = 0.2
"""How long a database that is about to go is asked who works on it."""


@dataclass(slots=True)
class Movers:
    """Runs the command a RunTask was given, if it is the migration's worker; ends it when ECS stops the task."""

    ecs: EcsSimulation
    environment: Mapping[str, str] = field(repr=False)
    dsn: str = field(repr=False)
    log_file: Path
    _asked: deque[RunTask] = field(default_factory=deque)
    _running: dict[str, Child] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ecs.on_run_task = self._asked.append

    def worker(self, command: Sequence[str]) -> Command:
        """What a task's worker is started with: of the simulated account's, and nothing of the operator's."""
        words, given = command[len(WORKER) :], {DATABASE: self.dsn}
        return python_module(CHILD, _MODULE, *words, environ=self.environment, given=given)

    def round(self) -> None:
        """Start what was asked for, stop what is no longer wanted, report what has ended. From the main thread."""
        while self._asked:
            task = self._asked.popleft()
            command = _command(task)
            if command is None:
                log.warning("a task was started whose command is not the migration's worker")
                continue
            self._running[task.arn] = start(self.worker(command), self.log_file, dies_by=signal.SIGKILL)
        wanted = {task.arn for task in self.ecs.lone if task.wanted}
        for arn, process in list(self._running.items()):
            code = process.code
            if code is not None:
                if code:
                    log.warning("a worker ended with exit %s: %s", code, process.last_words())
                del self._running[arn]
                with contextlib.suppress(LookupError):
                    self.ecs.finish(arn, code)
            elif arn not in wanted:
                process.signal(signal.SIGTERM)

    def close(self) -> None:
        """End every worker on this machine: the database they move from is about to go."""
        for process in self._running.values():
            process.signal(signal.SIGKILL)
        try:
            others = within(LOOKED_UP_WITHIN_S, self._others)
        except TimeoutError:
            others = []  # they end by themselves once their database is gone
        for pid in others:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        for process in self._running.values():
            process.wait(5)
        self._running.clear()

    def _others(self) -> list[int]:
        """Processes the cockpit started here, as the ledger names them, if they still are what it says."""
        try:
            with psycopg.connect(self.dsn, connect_timeout=2, autocommit=True) as connection:
                rows = connection.execute(
                    "SELECT pid FROM cutover.worker WHERE host = %s AND state <> 'ended'", (socket.gethostname()[:60],)
                ).fetchall()
        except psycopg.Error:
            return []
        return [row[0] for row in rows if _is_worker(row[0])]


def _command(task: RunTask) -> list[str] | None:
    for override in task.overrides.get("containerOverrides", []):
        command = [str(word) for word in override.get("command", [])]
        if command[: len(WORKER)] == list(WORKER):
            return command
    return None


def _is_worker(pid: int) -> bool:
    try:
        return _MODULE.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
