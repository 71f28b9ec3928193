"""The page of the screens and what it is served by. Needs the packages of the extra `serve`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from signal import SIGKILL
from types import SimpleNamespace
from typing import Any, cast

from aiohttp import web
from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager
from textual_serve.server import Server, to_int

from cockpit.commands.browser.door import HOST, TOKEN, Door
from probes.clients.child_process import Command, PipedChild, start_piped
from probes.frozen import frozen

log = logging.getLogger(__name__)
ENDS_WITHIN_S = 2.0
"""How long the screens have to end by themselves once nobody looks any more."""
REFUSED = "This address was used already, or is not the one that `cockpit serve` printed. Start it again for another.\n"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@frozen
class Served:
    """What runs behind the page, and where its last words go."""

    command: Command
    log: Path
    title: str


class ScreensService(AppService):
    """The screens of one page, in a process of their own, with the environment of their kind."""

    def __init__(self, served: Served, websocket: web.WebSocketResponse) -> None:
        super().__init__(
            "",
            write_bytes=websocket.send_bytes,
            write_str=websocket.send_str,
            close=cast("Any", websocket.close),
            download_manager=DownloadManager(),
        )
        self._served = served
        self.child: PipedChild | None = None
        self._asked_to_end = False

    async def _open_app_process(self, width: int = 80, height: int = 24) -> Any:
        """Width and height in cells."""
        size = {"COLUMNS": str(width), "ROWS": str(height), "TEXTUAL_COLOR_SYSTEM": "truecolor"}
        command = self._served.command
        command = replace(command, environment={**command.environment, **size})
        self.child = await start_piped(command, self._served.log)
        no_errors = asyncio.StreamReader()
        no_errors.feed_eof()  # they are in the log
        process = SimpleNamespace(stdin=self.child.input, stdout=self.child.output, stderr=no_errors)
        self._stdin, self._process = self.child.input, cast("Any", process)
        return process

    async def run(self) -> None:
        """Until the screens end. Where they were not asked to, the page says what their last words were."""
        await super().run()
        if self.child is None or self._asked_to_end:
            return
        code, words = await self.child.wait(), self.child.last_words()
        if code:
            await self.remote_write_bytes(f"\x1b[2J\x1b[HThe screens have ended: {words}\r\n".encode())

    async def stop(self) -> None:
        """Ask the screens to end, and end them where they do not."""
        self._asked_to_end = True
        try:
            async with asyncio.timeout(ENDS_WITHIN_S):
                await super().stop()
        except (TimeoutError, ConnectionError):
            log.warning("the screens did not end by themselves")
        if self.child is not None and self.child.code is None:
            self.child.signal(SIGKILL)
            await self.child.wait()


class ScreensServer(Server):
    """The page for the one browser that the door knows; on the loopback address alone."""

    def __init__(self, served: Served, door: Door) -> None:
        super().__init__("", host=HOST, port=door.port, title=served.title, public_url=door.origin)
        self._served, self._door = served, door

    async def make(self) -> web.Application:
        app = await self._make_app()
        app.middlewares.append(self._guard())
        return app

    async def on_startup(self, app: web.Application) -> None:
        """Nothing is printed: the command has said where it is."""

    def _guard(self) -> Any:
        door = self._door

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not door.is_ours(request.host, request.headers.get("Origin")):
                return _closed()
            if request.path == "/" and TOKEN in request.query:
                session = door.enter(request.query[TOKEN])
                if not session:
                    return _closed()
                answer = web.Response(status=303, headers={"Location": "/"})
                answer.set_cookie(door.cookie, session, httponly=True, samesite="Lax", path="/")
                return _private(answer, door)
            if not door.knows(request.cookies.get(door.cookie, "")):
                return _closed()
            found = await handler(request)
            return found if isinstance(found, web.WebSocketResponse) else _private(found, door)

        return guard

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """The screens, for as long as the page is open."""
        websocket = web.WebSocketResponse(heartbeat=15)
        if request.headers.get("Origin") != self._door.origin:
            raise web.HTTPForbidden(text=REFUSED)
        await websocket.prepare(request)
        service = ScreensService(self._served, websocket)
        try:
            await service.start(to_int(request.query.get("width", ""), 80), to_int(request.query.get("height", ""), 24))
            await self._process_messages(websocket, service)
        except OSError as error:
            log.error("the screens did not start: %s", error)
        finally:
            await service.stop()
        return websocket


def _closed() -> web.Response:
    return web.Response(status=403, text=REFUSED, headers={"Cache-Control": "no-store"})


def _private(answer: web.StreamResponse, door: Door) -> web.StreamResponse:
    """Kept nowhere, shown in no frame of another page, and nothing loaded from anywhere else."""
    if answer.prepared:
        return answer
    own = "default-src 'self' 'unsafe-inline' data: blob:"
    answer.headers["Content-Security-Policy"] = (
        f"{own}; script-src 'self' 'unsafe-inline' 'unsafe-eval'; connect-src 'self' ws://{HOST}:{door.port}; "
        "frame-ancestors 'none'"
    )
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


async def serve(served: Served, door: Door, ready: Callable[[], None]) -> int:
    """Until cancelled. `ready` is called once the address answers. Raises OSError where the port is taken."""
    runner = web.AppRunner(await ScreensServer(served, door).make(), access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, door.port)
        await site.start()
        ready()
        await asyncio.get_running_loop().create_future()
    finally:
        await runner.cleanup()
    return 0
