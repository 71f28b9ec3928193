"""The load balancer in front of the application: picks a task, times the answer, counts what an ALB counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cockpit.rehearsal.application.application import Release
from cockpit.rehearsal.application.stopwatch import Stopwatch, running
from probes.frozen import frozen


class Task(Protocol):
    """What the balancer needs to know of a task; the simulated ECS's TaskView is one."""

    @property
    def arn(self) -> str: ...
    @property
    def revision(self) -> int: ...
    @property
    def state(self) -> str: ...


@frozen
class Answer:
    """One request as the balancer saw it: by whom it was answered, how, and in how many seconds."""

    status: int
    seconds: float
    by_target: bool
    counted: bool = True
    """False when no target could be chosen: an ALB leaves such requests out of RequestCount."""


class Balancer:
    """ASGI in front of the application. Requests reach healthy tasks in turn; with none healthy, all (fail open)."""

    def __init__(self, app: ASGIApp, release_of: Callable[[int], Release], hear: Callable[[Answer], None]) -> None:
        self._app = app
        self._release_of = release_of
        self._hear = hear
        self._turn = 0
        self.tasks: Sequence[Task] = ()
        """Set at every tick of the world."""
        self.down = False
        """Nothing answers at all: connections are cut."""
        self.asgi: ASGIApp = self.serve

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            with suppress(NotImplementedError):
                await _lifespan(scope, receive, send)
            return
        watch, token = Stopwatch(), None
        task = self._choose()
        if task is None or task.state != "HEALTHY":
            await self._refuse(task, send, watch)
            return
        status = 500

        async def listen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        token = running.set(watch)
        try:
            await self._app({**scope, "release": self._release_of(task.revision)}, receive, listen)
        finally:
            running.reset(token)
            self._hear(Answer(status, watch.seconds, by_target=True))

    def current(self) -> Task | None:
        """A task that would serve now, or None."""
        return next((task for task in self.tasks if task.state == "HEALTHY"), None)

    def _choose(self) -> Task | None:
        healthy = [task for task in self.tasks if task.state == "HEALTHY"]
        candidates = healthy or list(self.tasks)
        self._turn += 1
        return candidates[self._turn % len(candidates)] if candidates else None

    async def _refuse(self, task: Task | None, send: Send, watch: Stopwatch) -> None:
        """503 without a target; 502 when the only targets are tasks that do not answer."""
        status = 503 if task is None else 502
        body = f"<html><head><title>{status}</title></head></html>".encode()
        headers = [
            (b"content-type", b"text/html"),
            (b"server", b"awselb/2.0"),
            (b"content-length", str(len(body)).encode()),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        self._hear(Answer(status, watch.seconds, by_target=False, counted=task is not None))


async def _lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "lifespan":
        raise NotImplementedError(f"the rehearsed application serves HTTP only, not {scope['type']}")
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
