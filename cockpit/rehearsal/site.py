"""The site as it is reached from outside: uvicorn on 127.0.0.1 before the balancer, with Google's page beside it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from cockpit.rehearsal.signin import GOOGLE_PATH, Google


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the world has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Site:
    """Serves the application's front door on a random port of 127.0.0.1; `url` is known before it answers."""

    def __init__(self, cut: Callable[[], bool]) -> None:
        self._cut = cut
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    async def open(self, balanced: ASGIApp, google: Google) -> ASGIApp:
        """Begin to serve; the ASGI application of Google's page is returned, for users within this process."""
        page: ASGIApp = Starlette(routes=google.routes())

        async def front(scope: Scope, receive: Receive, send: Send) -> None:
            if self._cut() and scope["type"] == "http":
                await _until_disconnected(receive)
                return
            await (page if scope.get("path") == GOOGLE_PATH else balanced)(scope, receive, send)

        config = uvicorn.Config(
            front, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1, ws="none"
        )
        self._server = _Server(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._socket]), name="site")
        while not self._server.started:  # noqa: ASYNC110 - uvicorn offers no event
            await asyncio.sleep(0.005)
        return page

    async def close(self) -> None:
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            self._server.force_exit = True
            await asyncio.gather(self._serving, return_exceptions=True)
        self._socket.close()


async def _until_disconnected(receive: Receive) -> None:
    """A black hole: the connection is taken and nothing comes back."""
    while (await receive())["type"] != "http.disconnect":
        pass
