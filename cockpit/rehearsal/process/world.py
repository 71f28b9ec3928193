"""The rehearsed world, in a process of its own: `python -m cockpit.rehearsal.process.world FOLDER [SEED] [RATE] [PROFILE]`.

Prints one JSON line when it is ready, then obeys JSON lines on its standard input and answers each with one line.
It ends, and leaves nothing behind, at the end of its input, on SIGTERM and SIGINT, and when its parent dies.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from cockpit.engine.clock import SharedClock
from cockpit.rehearsal.aws_profile import USUAL
from cockpit.rehearsal.process import workdir
from cockpit.rehearsal.process.assembly import Assembly
from cockpit.rehearsal.process.heartbeat import FILE as PULSE_FILE
from cockpit.rehearsal.process.heartbeat import Pulse
from probes.clients.threads import run_loop

log = logging.getLogger("cockpit.rehearsal.process.world")
_ROUND_S = 0.05
_PARENT_EVERY_S = 0.5
_LAST_RESORT_S = 6.0


class Obedience:
    """Reads commands from standard input and answers them on standard output, in order."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly

    async def run(self) -> None:
        """Until the end of input."""
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            write_answer(await self._answer(line))

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            command: dict[str, Any] = json.loads(line)
        except ValueError:
            return {"number": 0, "error": "not a JSON line"}
        try:
            answer = await self._obey(command)
        except Exception as error:
            log.exception("command %s failed", sorted(command.keys() - {"number"}))
            answer = {"error": f"{type(error).__name__}: {error}"}
        return {"number": command.get("number", 0), **answer}

    async def _obey(self, command: Mapping[str, Any]) -> dict[str, Any]:
        if "fault" in command:
            await self._assembly.breakage.set(str(command["fault"]), on=bool(command["on"]))
            return {"active": sorted(self._assembly.breakage.active)}
        if "deploy" in command:
            return {"revision": await self._assembly.deploy(str(command["deploy"]))}
        if "report" in command:
            return self._assembly.report()
        return {"error": f"unknown command {sorted(command.keys() - {'number'})}"}


def write_answer(answer: Mapping[str, Any]) -> None:
    """One JSON line to whoever started this."""
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


async def live(folder: Path, seed: int, rate: float, profile: str, ended: asyncio.Event) -> None:
    """Open the assembly, write its answer, and keep it going until `ended` or the end of input."""
    clock = SharedClock(folder / "clock")
    pulse = Pulse(folder / PULSE_FILE)
    assembly = Assembly(folder, clock, seed=seed, rate=rate, profile=profile)
    try:
        answer = await assembly.open()
        gc.freeze()  # what it is made of stays: each look through it for garbage would stop its time
        write_answer(answer)
        ends = [
            asyncio.create_task(Obedience(assembly).run(), name="commands"),
            asyncio.create_task(_rounds(assembly, pulse), name="rounds"),
            asyncio.create_task(assembly.users.run(), name="users"),
            asyncio.create_task(ended.wait(), name="ended"),
        ]
        done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        # Nothing of it is needed any more, so nothing is closed in order: somebody waits for their shell.
        assembly.kill_processes()


async def _rounds(assembly: Assembly, pulse: Pulse) -> None:
    while True:
        await assembly.round()
        pulse.beat()
        await asyncio.sleep(_ROUND_S)


def _watch_parent(parent: int, loop: asyncio.AbstractEventLoop, ended: asyncio.Event, folder: Path) -> None:
    """The end of input may never come when somebody else holds the pipe: notice the parent's death itself."""
    while os.getppid() == parent:
        time.sleep(_PARENT_EVERY_S)
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(ended.set)
    time.sleep(_LAST_RESORT_S)
    # The loop is stuck: PostgreSQL dies with this process (PR_SET_PDEATHSIG).
    workdir.remove(folder)
    os._exit(1)


def main(arguments: list[str]) -> NoReturn:
    folder = Path(arguments[0])
    seed, rate = int(arguments[1]) if len(arguments) > 1 else 1, float(arguments[2]) if len(arguments) > 2 else 1.0
    profile = arguments[3] if len(arguments) > 3 else USUAL
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s"
    )
    parent, lock = os.getppid(), workdir.hold(folder)
    code = 1
    try:
        run_loop(_main(folder, seed, rate, profile, parent))
        code = 0
    except Exception:
        log.exception("the world ended")
    finally:
        lock.close()
        if os.getppid() != parent:
            workdir.remove(folder)
        # Without waiting for what its libraries have begun: threads, sockets, pools.
        logging.shutdown()
        os._exit(code)


async def _main(folder: Path, seed: int, rate: float, profile: str, parent: int) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    threading.Thread(target=_watch_parent, args=(parent, loop, ended, folder), daemon=True, name="parent").start()
    log.warning("the world begins at %s", datetime.now(UTC).isoformat(timespec="seconds"))
    await live(folder, seed, rate, profile, ended)


if __name__ == "__main__":
    main(sys.argv[1:])
