"""The cockpit's side of a rehearsal: starts the world in a process of its own, steers it, and leaves nothing behind.

Imports nothing heavy: the world's libraries are loaded by the world.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from cockpit.engine.clock import SharedClock
from cockpit.rehearsal.aws_profile import USUAL
from cockpit.rehearsal.process import workdir
from cockpit.rehearsal.process.database_folder import DATABASE_FOLDER, running_in
from cockpit.rehearsal.process.heartbeat import FILE as PULSE_FILE
from cockpit.rehearsal.process.heartbeat import Pulse
from cockpit.rehearsal.script.fault_catalogue import CATALOGUE, FaultState, known
from probes.clients.child_environment import WORLD
from probes.clients.child_process import Command, PipedChild, python_module, start_piped

log = logging.getLogger(__name__)
READY_WITHIN_S = 240.0
ANSWER_WITHIN_S = 90.0
"""They bound a hang: a machine that is merely busy does not come near them."""
STOP_WITHIN_S = 0.5
"""How long the world has to end by itself: whoever quit waits for it."""
_LAST_LINES = 6
_FROM_OUTSIDE = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CA_BUNDLE",
    "AWS_USE_FIPS_ENDPOINT",
)
"""Settings of the operator's own shell that could lead a rehearsal to the real AWS."""


class WorldError(RuntimeError):
    """The rehearsed world did not start or did not do as asked; the message carries the end of its log."""


class Rehearsal:
    """A rehearsed world, as an async context manager. Time stands still until `Pace` (or `clock.set_speed`) drives it.

    `environment` and `vars` are what the cockpit must be given to look at it.
    """

    def __init__(self, *, seed: int = 1, rate: float = 1.0, profile: str = USUAL) -> None:
        self._profile = profile
        self._seed = seed
        self._rate = rate
        self._process: PipedChild | None = None
        self._lock: IO[bytes] | None = None
        self._pulse: Pulse | None = None
        self._reading: asyncio.Task[None] | None = None
        self._commands: set[asyncio.Task[dict[str, Any]]] = set()
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._number = 0
        self._active: set[str] = set()
        self.folder = Path()
        self.clock: SharedClock
        self.environment: Mapping[str, str] = {}
        """For os.environ, before boto3 is used. Holds a password: never show it."""
        self.vars: Mapping[str, str] = {}
        """Overrides for the plan's vars: addresses and names only this world knows."""

    # -- life --------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        workdir.sweep()
        self.folder, self._lock = workdir.make()
        try:
            self.clock = SharedClock.create(self.folder / "clock", speed=0.0)
            self._pulse = Pulse.create(self.folder / PULSE_FILE)
            await self._start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """End the world and take its folder away. May be called twice."""
        process, self._process = self._process, None
        if process is not None:
            await self._end(process)
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        self._give_up("the rehearsal is over")
        if self._lock is not None:
            self._lock.close()
            self._lock = None
            workdir.remove(self.folder)

    def apply(self, environ: MutableMapping[str, str]) -> None:
        """Put the world's environment in place of the operator's, so that nothing can reach the real AWS."""
        for name in [*_FROM_OUTSIDE, *(name for name in environ if name.startswith("AWS_ENDPOINT_URL_"))]:
            environ.pop(name, None)
        environ.update(self.environment)

    # -- what can be done --------------------------------------------------------------------------------------------

    def faults(self) -> Sequence[FaultState]:
        """What can be broken, and what is broken now."""
        return [FaultState(id_, title, id_ in self._active) for id_, title in CATALOGUE.items()]

    def toggle(self, fault: str) -> None:
        """Break or repair it; the simulated environment follows within a moment. Raises UnknownFault."""
        self._in_background(self.set_fault(known(fault), active=fault not in self._active))

    async def set_fault(self, fault: str, *, active: bool) -> None:
        """Break or repair one thing and wait until it is done. Raises UnknownFault, WorldError."""
        known(fault)
        (self._active.add if active else self._active.discard)(fault)
        await self._send({"fault": fault, "on": active})

    async def deploy(self, kind: str) -> None:
        """Deploy a "good", "bad" or "crash" release as the next revision. Raises WorldError."""
        await self._send({"deploy": kind})

    async def report(self) -> dict[str, Any]:
        """How the world is doing: requests answered, journeys shed, lag, revision serving."""
        return await self._send({"report": 1})

    @property
    def lag_s(self) -> float:
        """Real seconds since the world last completed a round; well under 0.1 while it keeps up."""
        return self._pulse.age_s if self._pulse is not None else 0.0

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.code is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    # -- how ---------------------------------------------------------------------------------------------------------

    def command(self) -> Command:
        """What the simulated environment is started with."""
        return python_module(
            WORLD,
            "cockpit.rehearsal.process.world",
            *(str(self.folder), str(self._seed), str(self._rate), self._profile),
            given={"AWS_EC2_METADATA_DISABLED": "true", "NO_PROXY": "127.0.0.1,localhost"},
        )

    async def _start(self) -> None:
        try:
            self._process = await start_piped(self.command(), self.folder / "world.log")
        except OSError as error:
            raise WorldError(f"the rehearsal was not started: {error}") from None
        ready = await self._ready(self._process)
        self.environment = ready["environment"] | _own_settings(self.folder, os.environ)
        self.vars = ready["vars"]
        self._reading = asyncio.create_task(self._read(self._process), name="world answers")

    async def _ready(self, process: PipedChild) -> dict[str, Any]:
        try:
            line = await asyncio.wait_for(process.output.readline(), READY_WITHIN_S)
        except TimeoutError:
            raise WorldError(
                f"the rehearsal was not ready within {READY_WITHIN_S:.0f} s: {process.last_words(_LAST_LINES)}"
            ) from None
        if not line:
            code = await process.wait()
            raise WorldError(f"the rehearsal ended at its start (exit {code}): {process.last_words(_LAST_LINES)}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def _read(self, process: PipedChild) -> None:
        while line := await process.output.readline():
            answer = json.loads(line)
            waiting = self._answers.pop(answer.get("number", 0), None)
            if waiting is not None and not waiting.done():
                waiting.set_result(answer)
        self._give_up(f"the rehearsed world has ended: {process.last_words(_LAST_LINES)}")

    def _give_up(self, why: str) -> None:
        for waiting in self._answers.values():
            if not waiting.done():
                waiting.set_exception(WorldError(why))
        self._answers.clear()

    async def _send(self, command: Mapping[str, Any]) -> dict[str, Any]:
        process = self._process
        if process is None or process.code is not None:
            words = f": {process.last_words(_LAST_LINES)}" if process is not None else ""
            raise WorldError(f"the rehearsed world is not running{words}")
        self._number += 1
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[self._number] = answer
        process.input.write(json.dumps({**command, "number": self._number}).encode() + b"\n")
        with contextlib.suppress(ConnectionError):
            await process.input.drain()
        try:
            got = await asyncio.wait_for(answer, ANSWER_WITHIN_S)
        except TimeoutError:
            raise WorldError(
                f"the rehearsed world did not answer within {ANSWER_WITHIN_S:.0f} s: {process.last_words(_LAST_LINES)}"
            ) from None
        if "error" in got:
            raise WorldError(f"the rehearsed world could not: {got['error']}")
        return got

    def _in_background(self, telling: Any) -> None:
        task = asyncio.ensure_future(telling)
        self._commands.add(task)
        task.add_done_callback(self._commands_done)

    def _commands_done(self, task: asyncio.Task[dict[str, Any]]) -> None:
        self._commands.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("rehearsal: %s", error)

    async def _end(self, process: PipedChild) -> None:
        """Close its input, which it takes as the end; kill it with its database if it does not go at once."""
        process.input.close()
        try:
            await asyncio.wait_for(process.wait(), STOP_WITHIN_S)
        except TimeoutError:
            for pid in (*running_in(self.folder / DATABASE_FOLDER), process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            await process.wait()


def _own_settings(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Settings that keep boto3 off the operator's files and the operator's proxy off this machine."""
    besides = [part for part in (environ.get("NO_PROXY") or environ.get("no_proxy") or "").split(",") if part]
    direct = ",".join(dict.fromkeys([*besides, "127.0.0.1", "localhost"]))
    return {
        "AWS_CONFIG_FILE": str(folder / "aws-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "aws-credentials"),
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": direct,
        "no_proxy": direct,
    }
