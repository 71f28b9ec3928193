"""HTTP/1.1 by hand: as much of it as S3 clients speak, and as quick as Python can."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import parse_qsl, unquote

_REASONS = {
    100: "Continue", 200: "OK", 204: "No Content", 206: "Partial Content", 304: "Not Modified", 400: "Bad Request",
    403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 409: "Conflict", 412: "Precondition Failed",
    416: "Range Not Satisfiable", 500: "Internal Server Error", 501: "Not Implemented", 503: "Service Unavailable",
}  # fmt: skip
LONGEST_HEAD = 64 * 1024


@dataclass(slots=True)
class Request:
    method: str
    raw_path: str
    raw_query: str
    headers: dict[str, str]
    body: bytes = field(default=b"", repr=False)

    @property
    def path(self) -> str:
        return unquote(self.raw_path)

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.raw_query, keep_blank_values=True)) if self.raw_query else {}


@dataclass(slots=True)
class Response:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    length: int | None = None
    """Content-Length where the body is not sent (HEAD)."""


Handler = Callable[[Request], Awaitable[Response | None]]
"""None closes the connection without an answer."""


class Connection(asyncio.Protocol):
    """One client connection: requests are answered in order."""

    def __init__(self, handler: Handler, tasks: set[asyncio.Task[None]], open_: set[asyncio.Transport]) -> None:
        self._handler = handler
        self._tasks = tasks
        self._open = open_
        self._buffer = bytearray()
        self._request: Request | None = None
        self._left = 0
        self._chunked = False
        self._busy = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)  # uvloop has its own, with the same methods
        self._transport = transport
        self._open.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio gives it
        if self._transport is not None:
            self._open.discard(self._transport)
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._advance()

    def _advance(self) -> None:
        if self._busy or self._transport is None:
            return
        if self._request is None and not self._read_head():
            return
        request = self._request
        assert request is not None
        body = self._read_chunks() if self._chunked else self._read_length()
        if body is None:
            return
        request.body, self._request, self._busy = body, None, True
        task = asyncio.ensure_future(self._answer(request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > LONGEST_HEAD and self._transport is not None:
                self._transport.abort()
            return False
        lines = self._buffer[:end].decode("latin-1").split("\r\n")
        del self._buffer[: end + 4]
        method, target, _ = lines[0].split(" ", 2)
        path, _, query = target.partition("?")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        self._request = Request(method, path, query, headers)
        self._chunked = "chunked" in headers.get("transfer-encoding", "")
        self._left = int(headers.get("content-length") or 0)
        if headers.get("expect", "").lower() == "100-continue" and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def _read_length(self) -> bytes | None:
        if len(self._buffer) < self._left:
            return None
        body = bytes(self._buffer[: self._left])
        del self._buffer[: self._left]
        return body

    def _read_chunks(self) -> bytes | None:
        if b"0\r\n\r\n" not in self._buffer:
            return None
        parsed = unchunk(bytes(self._buffer))
        if parsed is None:
            return None
        body, used = parsed
        del self._buffer[:used]
        return body

    async def _answer(self, request: Request) -> None:
        response = await self._handler(request)
        transport = self._transport
        if transport is None:
            return
        if response is None:
            transport.abort()
            return
        length = response.length if response.length is not None else len(response.body)
        head = [f"HTTP/1.1 {response.status} {_REASONS.get(response.status, 'Unknown')}"]
        head += [f"{name}: {value}" for name, value in response.headers.items()]
        head.append(f"content-length: {length}\r\n\r\n")
        transport.write("\r\n".join(head).encode("latin-1") + (b"" if request.method == "HEAD" else response.body))
        self._busy = False
        if self._buffer:
            self._advance()


def unchunk(data: bytes) -> tuple[bytes, int] | None:
    """Body and bytes used of a chunked message (also S3's signed and trailing chunks); None while it is incomplete."""
    parts: list[bytes] = []
    at = 0
    while True:
        end = data.find(b"\r\n", at)
        if end < 0:
            return None
        size = int(data[at:end].split(b";")[0] or b"0", 16)
        at = end + 2
        if size == 0:
            closing = data.find(b"\r\n\r\n", end)
            return (b"".join(parts), closing + 4) if closing >= 0 else None
        if len(data) < at + size + 2:
            return None
        parts.append(data[at : at + size])
        at += size + 2
