"""HTTP for probes: one exchange at a time, TLS verified, with a deadline that holds even when a server drips bytes."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from probes.clients.proxies import prepare, proxy_for, proxy_name, through
from probes.clients.resolver import Resolver
from probes.frozen import frozen
from probes.reading import Reason, Unknown, Unseen
from probes.redact import one_line

if TYPE_CHECKING:
    from httpx import URL, AsyncClient, Response

BODY_CAP_BYTES = 256 * 1024
"""More of a body than this is never read: a health page is small, and an endless one must not fill the memory."""

_MOST_REDIRECTS = 5


@frozen
class HttpAnswer:
    """One answer. `headers` have lower-case names; `text` is at most 256 KB of the body, or as much
    as was asked for; `truncated` if there was more.

    `elapsed_s` is real seconds from the first packet to the last byte read, redirects included. `url` is the last one
    asked; `redirects` are the ones before it.
    """

    status: int
    headers: Mapping[str, str]
    text: str
    elapsed_s: float
    url: str
    redirects: tuple[str, ...] = ()
    truncated: bool = False
    body: bytes = field(default=b"", repr=False)
    """As it came: what `text` was made from."""


class HttpClient:
    """Opens a new connection for every exchange: during a cutover the name may point elsewhere at any moment, and a
    connection kept alive would go on talking to the old place.
    """

    def __init__(self, named: Collection[str] = ()) -> None:
        """`named`: link-local and metadata addresses that may be asked, by who writes them as such."""
        self._clients: dict[str, AsyncClient] = {}
        """By the proxy of the environment that they go through; empty without one."""
        self._resolver = Resolver(named)

    async def exchange(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 5.0,
        follow_redirects: bool = False,
        content: bytes | str | None = None,
        most_bytes: int = BODY_CAP_BYTES,
    ) -> HttpAnswer:
        """One exchange; `timeout_s` is real seconds for all of it. Raises Unseen, never with the URL's query.

        NOT_TRUSTED for a link-local or metadata address, wherever the way leads there: by its name, a redirect, DNS that
        changes. HTTPS goes through a proxy of the environment, plain HTTP never: see `proxies.py`.
        """
        from httpx import HTTPError, InvalidURL, TimeoutException

        try:
            # Before the clock runs: on a busy machine reading its certificates takes a while.
            self._client_for(url)
            began = time.monotonic()
            async with asyncio.timeout(timeout_s):
                return await self._ask(
                    method, url, dict(headers or {}), timeout_s, follow_redirects, content, most_bytes, began
                )
        except (TimeoutError, TimeoutException):
            detail = f"{place_of(url)}{through(url)} did not finish answering within {timeout_s:g} s"
            raise Unseen(Unknown(Reason.TIMEOUT, detail, "slow, or the route drops packets: check VPN")) from None
        except (HTTPError, InvalidURL, OSError, ValueError) as error:
            raise Unseen(_unknown(url, error)) from None

    async def close(self) -> None:
        """Close every connection at once."""
        self._resolver.close()
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.aclose()

    async def _ask(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        timeout_s: float,
        follow_redirects: bool,
        content: bytes | str | None,
        most_bytes: int,
        began: float,
    ) -> HttpAnswer:
        from httpx import TooManyRedirects

        # A compressed body could be a thousand times its size.
        own = {"Accept-Encoding": "identity", "User-Agent": "cutover-cockpit"}
        sent = own | headers
        # Each stage gives up a little before the whole: a cancelled handshake leaves its socket to the collector.
        stage_s = 0.9 * timeout_s
        before: list[str] = []
        while True:
            async with self._client_for(url).stream(
                method, url, headers=sent, timeout=stage_s, content=content
            ) as response:
                following = response.next_request if follow_redirects else None
                if following is None:
                    body, truncated = await _body_of(response, most_bytes)
                    return HttpAnswer(
                        status=response.status_code,
                        headers=MappingProxyType({name.lower(): value for name, value in response.headers.items()}),
                        text=body.decode(response.encoding or "utf-8", errors="replace"),
                        elapsed_s=time.monotonic() - began,
                        url=str(response.url),
                        redirects=tuple(before),
                        truncated=truncated,
                        body=body,
                    )
                if len(before) == _MOST_REDIRECTS:
                    raise TooManyRedirects("too many redirects", request=response.request)
                before.append(str(response.url))
                if _origin(following.url) != _origin(response.url):
                    # What the plan gives is for the host it names: none of it goes on to another, nor back from there.
                    sent, content = own, None
                    Resolver().admit(following.url.host)  # even an address the plan names is for nobody's redirect
                method, url = following.method, str(following.url)
                content = content if method not in ("GET", "HEAD") else None

    def _client_for(self, url: str) -> AsyncClient:
        """Raises Unseen for a host that is written as an address nobody may ask."""
        parts = urlsplit(url)
        self._resolver.admit(parts.hostname or "")
        proxy = proxy_for(url)
        if proxy not in self._clients:
            import httpx

            from probes.clients.pinned_transport import PinnedTransport

            if proxy:
                prepare()
                proxy_name(proxy)
            # Its own log lines hold whole URLs, tokens in the query included.
            logging.getLogger("httpx").setLevel(logging.WARNING)
            self._clients[proxy] = httpx.AsyncClient(
                # No cookie of one answer goes along with the next question: every reading begins afresh.
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
                transport=PinnedTransport(self._resolver, proxy),
                trust_env=False,
            )
        return self._clients[proxy]


def _origin(url: URL) -> tuple[str, str, int | None]:
    """Scheme, host and port, where the scheme's own port is said as such."""
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)


async def _body_of(response: Response, most_bytes: int) -> tuple[bytes, bool]:
    """At most `most_bytes` of the body, and whether there was more."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > most_bytes:
            return bytes(body[:most_bytes]), True
    return bytes(body), False


def _unknown(url: str, error: BaseException) -> Unknown:
    """Why an exchange failed, found in the chain of causes: the library's own words say little."""
    from httpx import InvalidURL, ProxyError, TooManyRedirects, UnsupportedProtocol

    place = place_of(url) + through(url)
    if isinstance(error, InvalidURL | UnsupportedProtocol | ValueError) and not isinstance(error, ssl.SSLError):
        return Unknown(Reason.ERROR, f"{place}: the address cannot be used", "write https://host/path")
    if isinstance(error, TooManyRedirects):
        return Unknown(Reason.ERROR, f"{place} redirects in a circle", "check the application's own URL setting")
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            detail = f"{place}: certificate not valid: {cause.verify_message or cause.reason}"
            return Unknown(Reason.ERROR, detail, "check the certificate's dates, names and chain on the load balancer")
        if isinstance(cause, ssl.SSLError):
            detail = f"{place}: TLS handshake failed: {cause.reason or 'no reason given'}"
            return Unknown(Reason.ERROR, detail, "check that this port speaks TLS, and its versions")
        if isinstance(cause, socket.gaierror):
            detail = f"{place}: the name does not resolve"
            return Unknown(Reason.UNREACHABLE, detail, "check the DNS record, and the VPN's resolver")
        if isinstance(cause, ConnectionRefusedError):
            detail = f"{place}: connection refused"
            return Unknown(Reason.UNREACHABLE, detail, "nothing listens there: check the port and the security group")
    detail = f"{place}: {_first_words(error)}"
    if isinstance(error, ProxyError):
        return Unknown(Reason.UNREACHABLE, detail, "the proxy refuses: check HTTPS_PROXY, or name the host in NO_PROXY")
    return Unknown(Reason.UNREACHABLE, detail, "the connection was lost or could not be made: check the route and VPN")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An exception, what caused it, and the members of groups, each once."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        current = waiting.pop(0)
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting += [current.__cause__, current.__context__]
        if isinstance(current, BaseExceptionGroup):
            waiting += current.exceptions


def _first_words(error: BaseException) -> str:
    return one_line((str(error).splitlines() or [""])[0], 160) or type(error).__name__


def place_of(url: str) -> str:
    """Scheme, host and path: what may be shown of a URL (its user part and query may hold secrets).

    >>> place_of("https://user:secret@example.org/health?token=abc")
    'https://example.org/health'
    """
    bare = url.partition("?")[0].partition("#")[0]
    scheme, separator, rest = bare.partition("://")
    if not separator:
        return bare
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"
