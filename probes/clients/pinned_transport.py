"""How HTTP connects: to the addresses our own resolver gave out, and to nothing looked up by anybody else."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

import httpcore
import httpx

from probes.clients.resolver import Resolver

if TYPE_CHECKING:
    from httpcore import AsyncNetworkStream

    SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]

NEXT_AFTER_S = 0.25
"""How long an address may stay silent before the next one is tried beside it."""


@cache
def _authorities(_file: str, _folder: str) -> ssl.SSLContext:
    """Whom HTTPS trusts; reading them takes a tenth of a second. httpx itself looks at the two variables."""
    return httpx.create_ssl_context()


class PinnedTransport(httpx.AsyncHTTPTransport):
    """A new connection for every request, through `proxy` where one is given. Certificates are checked against the host's
    name, as ever. Raises ValueError for a proxy that is no address.
    """

    def __init__(self, resolver: Resolver, proxy: str = "") -> None:
        context = _authorities(os.environ.get("SSL_CERT_FILE", ""), os.environ.get("SSL_CERT_DIR", ""))
        super().__init__(verify=context)
        backend = _Pinned(resolver)
        # httpx hands no backend on to its pool, which takes one.
        if not proxy:
            self._pool = httpcore.AsyncConnectionPool(
                ssl_context=context, max_connections=None, max_keepalive_connections=0, network_backend=backend
            )
            return
        given = httpx.Proxy(proxy)
        self._pool = httpcore.AsyncHTTPProxy(
            httpcore.URL(scheme=given.url.raw_scheme, host=given.url.raw_host, port=given.url.port, target=b"/"),
            proxy_auth=given.raw_auth,
            ssl_context=context,
            max_connections=None,
            max_keepalive_connections=0,
            network_backend=backend,
        )


class _Pinned(httpcore.AsyncNetworkBackend):
    """Connects to what the resolver gives out. The resolver's Unseen passes through."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._wire = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                waiting = await self._resolver.addresses(host, port)
        except TimeoutError:
            raise httpcore.ConnectTimeout(f"{host} was not looked up in time") from None
        except (socket.gaierror, UnicodeError) as error:
            raise httpcore.ConnectError(str(error)) from error
        options = list(socket_options or ())
        under_way: set[asyncio.Task[AsyncNetworkStream]] = set()
        failed: BaseException | None = None
        try:
            while waiting or under_way:
                if waiting:
                    connecting = self._wire.connect_tcp(waiting.pop(0), port, timeout, local_address, options)
                    under_way.add(asyncio.create_task(connecting))
                soon = NEXT_AFTER_S if waiting else None
                done, under_way = await asyncio.wait(under_way, timeout=soon, return_when=asyncio.FIRST_COMPLETED)
                made = [task.result() for task in done if task.exception() is None]
                failed = next((why for task in done if (why := task.exception())), failed)
                for extra in made[1:]:
                    await extra.aclose()
                if made:
                    return made[0]
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)
        raise failed or httpcore.ConnectError(f"{host} has no address")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
