"""A place notices go to, and a night that sends them there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from support.clock import HandClock
from support.plans.signing_plan import signing_plan
from support.sources import NoSource
from support.waiting import LAST_RESORT_S

from cockpit.decide.events import Change, PhaseBegan
from cockpit.engine.recording import Recording, recording
from cockpit.engine.watch import Watch
from cockpit.notifications.channels import Channel
from cockpit.notifications.outbox import Notices, notifying
from cockpit.plan.model import Phase
from probes.reading import Reading


@dataclass(slots=True)
class Receiver:
    """A web server that takes notes. It answers with the statuses given, then 200."""

    statuses: list[int] = field(default_factory=list)
    bodies: list[dict[str, object]] = field(default_factory=list)
    answered: int = 0
    url: str = ""
    silent: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.partition("content-length:")[2].split("\r\n")[0])
            self.bodies.append(json.loads(await reader.readexactly(length)))
            self.came.set()
            if self.silent:
                await asyncio.Event().wait()
            status = self.statuses.pop(0) if self.statuses else 200
            writer.write(
                f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\nRetry-After: 7\r\n\r\n".encode()
            )
            await writer.drain()
            self.answered += 1
            self.news.set()
        finally:
            writer.close()

    async def until(self, answered: int) -> None:
        async with asyncio.timeout(LAST_RESORT_S):
            while self.answered < answered:
                self.news.clear()
                await self.news.wait()


@asynccontextmanager
async def receiving(*statuses: int, silent: bool = False) -> AsyncIterator[Receiver]:
    receiver = Receiver(list(statuses), silent=silent)
    tasks: set[asyncio.Task[None]] = set()

    async def tracked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        await receiver.take(reader, writer)
        tasks.discard(task)

    server = await asyncio.start_server(tracked, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/services/T000/hidden-part"
    try:
        yield receiver
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Pauses:
    """Waits for nothing, and remembers how long it should have."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)


@asynccontextmanager
async def night(
    folder: Path, *where: Channel, grace_s: float = 5.0, pauses: Pauses | None = None, rehearsal: bool = False
) -> AsyncIterator[tuple[Watch, Recording, HandClock, Notices]]:
    clock = HandClock()
    plan = signing_plan(folder)
    async with recording(plan, clock, who="ada", root=folder / "records") as kept:
        watch = Watch(plan, NoSource(), clock, kept.record, kept.started_at)
        kept.attach(watch)
        watch.record.append(PhaseBegan(clock.now(), Phase.POST_DEPLOY))
        watch.tick()
        sleep = pauses or Pauses()
        async with notifying(watch, kept, where, sleep=sleep, grace_s=grace_s, rehearsal=rehearsal) as told:
            yield watch, kept, clock, told


def see(watch: Watch, clock: HandClock, account: str) -> None:
    """The next reading says this account; the watch decides."""
    clock.time += timedelta(seconds=60)
    watch.board.add("identity", Reading(clock.now(), clock.now(), {"account": account, "arn": "arn:x", "user": "u"}))
    watch.tick()


def turn(watch: Watch, clock: HandClock, after: str, because: str = "") -> None:
    """The verdict is recorded to have turned, as a tick does it."""
    before = watch.counted().latest(Change, "verdict")
    watch.record.append(Change(clock.now(), "verdict", before.after if before else "HOLD", after, because))
    for tell in watch.on_change:
        tell()


def texts(receiver: Receiver) -> list[str]:
    return [str(body["text"]) for body in receiver.bodies]
