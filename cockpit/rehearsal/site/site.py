"""The site as it is reached from outside: uvicorn on 127.0.0.1 before the balancer, with the vendors beside it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from cockpit.rehearsal.application.sign_in import GOOGLE_PATH, Google
from cockpit.rehearsal.site.vendors import PREFIX, Vendors


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the world has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Site:
    """Serves the application's front door on random ports of 127.0.0.1, plain and by TLS; `url` is known before it answers."""

    def __init__(self, cut: Callable[[], bool]) -> None:
        self._cut = cut
        self._sockets = [socket.socket(), socket.socket()]
        for each in self._sockets:
            each.bind(("127.0.0.1", 0))
        port, self.tls_port = (int(each.getsockname()[1]) for each in self._sockets)
        self.url = f"http://127.0.0.1:{port}"
        self._servers: list[_Server] = []
        self._serving: list[asyncio.Task[None]] = []

    async def open(
        self,
        balanced: ASGIApp,
        google: Google,
        vendors: Vendors | None = None,
        shown: tuple[Path, Path] | None = None,
    ) -> ASGIApp:
        """Begin to serve; by TLS as well where there are a certificate and its key, in those files.

        The ASGI application of Google's page is returned, for users within this process.
        """
        page: ASGIApp = Starlette(routes=google.routes())
        others: ASGIApp = Starlette(routes=vendors.routes() if vendors else [])

        async def front(scope: Scope, receive: Receive, send: Send) -> None:
            if self._cut() and scope["type"] == "http":
                await _until_disconnected(receive)
                return
            path = scope.get("path", "")
            beside = page if path == GOOGLE_PATH else others if path.startswith(f"{PREFIX}/") else None
            await (beside or balanced)(scope, receive, send)

        await self._serve(front, self._sockets[0], (None, None))
        if shown is not None:
            await self._serve(front, self._sockets[1], shown)
        return page

    def show(self, certificate: Path, key: Path) -> None:
        """Show another certificate from the next handshake on."""
        tls = self._servers[1].config.ssl
        assert tls is not None
        tls.load_cert_chain(certificate, key)

    async def close(self) -> None:
        for server in self._servers:
            server.should_exit = True
            server.force_exit = True
        await asyncio.gather(*self._serving, return_exceptions=True)
        for each in self._sockets:
            each.close()

    async def _serve(
        self, front: ASGIApp, listening: socket.socket, shown: tuple[Path, Path] | tuple[None, None]
    ) -> None:
        certificate, key = shown
        config = uvicorn.Config(
            front,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
            ws="none",
            ssl_certfile=certificate,
            ssl_keyfile=key,
        )
        server = _Server(config)
        self._servers.append(server)
        self._serving.append(asyncio.create_task(server.serve(sockets=[listening]), name="site"))
        while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
            await asyncio.sleep(0.005)


async def _until_disconnected(receive: Receive) -> None:
    """A black hole: the connection is taken and nothing comes back."""
    while (await receive())["type"] != "http.disconnect":
        pass
