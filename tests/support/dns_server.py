"""A DNS server on 127.0.0.1, by UDP and TCP, that answers what a test gives it."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

Rows = list[tuple[str, str, int, str]]
"""Owner, type, ttl, value."""
NUMBERS = {"A": 1, "NS": 2, "CNAME": 5, "MX": 15, "TXT": 16, "AAAA": 28}


@dataclass(slots=True)
class DnsServer:
    """`answers[(name, type)]` is the answer section; a name that is in none does not exist."""

    answers: dict[tuple[str, str], Rows] = field(default_factory=dict)
    place: str = ""
    code: int = 0
    authoritative: bool = True
    other: bytes | None = None
    """Given instead of an answer, after the question's number."""
    short: bool = False
    """By UDP the answer is cut off."""
    asked: list[tuple[str, str, bool]] = field(default_factory=list)
    """Name, type, recursion desired."""

    def reply(self, query: bytes, *, by_udp: bool) -> bytes:
        if self.other is not None:
            return query[:2] + self.other
        number, flags = struct.unpack_from(">2H", query)
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode())
            at += 1 + query[at]
        name, kind = ".".join(labels), {n: t for t, n in NUMBERS.items()}[struct.unpack_from(">H", query, at + 1)[0]]
        self.asked.append((name, kind, bool(flags & 0x0100)))
        question = query[12 : at + 5]
        found = self.answers.get((name, kind), [])
        code = self.code or (0 if any(name == known for known, _ in self.answers) else 3)
        cut = by_udp and self.short
        flags = 0x8000 | (0x0400 if self.authoritative else 0) | (0x0200 if cut else 0) | code
        rows = b"" if cut else b"".join(map(_row, found))
        return struct.pack(">6H", number, flags, 1, 0 if cut else len(found), 0, 0) + question + rows


def _row(row: tuple[str, str, int, str]) -> bytes:
    owner, kind, ttl, value = row
    data = _data(kind, value)
    # 0xC00C points at the question's name.
    return (
        (b"\xc0\x0c" if owner == "@" else _name(owner)) + struct.pack(">HHIH", NUMBERS[kind], 1, ttl, len(data)) + data
    )


def _data(kind: str, value: str) -> bytes:
    if kind in ("A", "AAAA"):
        return ip_address(value).packed
    if kind == "MX":
        return struct.pack(">H", int(value.split(maxsplit=1)[0])) + _name(value.split()[1])
    return bytes([len(value)]) + value.encode() if kind == "TXT" else _name(value)


def _name(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self.server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.transport.sendto(b"\0\0 not an answer", addr)
        self.transport.sendto(self.server.reply(data, by_udp=True), addr)


@asynccontextmanager
async def dns_server() -> AsyncIterator[DnsServer]:
    server = DnsServer()

    async def by_tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (size,) = struct.unpack(">H", await reader.readexactly(2))
        answer = server.reply(await reader.readexactly(size), by_udp=False)
        writer.write(struct.pack(">H", len(answer)) + answer)
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(by_tcp, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Udp(server), local_addr=("127.0.0.1", port))
    server.place = f"127.0.0.1:{port}"
    try:
        yield server
    finally:
        transport.close()
        listener.close()
