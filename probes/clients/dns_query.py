"""DNS questions to one server at a time (RFC 1035): what it answers itself, and for how long others keep it.

The system's resolver asks whom it likes and caches; whether everybody has moved shows only who is asked by name.
"""

from __future__ import annotations

import asyncio
import secrets
import struct
from collections.abc import Collection
from ipaddress import ip_address
from types import MappingProxyType

from probes.clients.resolver import Resolver
from probes.frozen import frozen
from probes.reading import Reason, Unknown, Unseen

PORT = 53
TYPES = MappingProxyType({"A": 1, "NS": 2, "CNAME": 5, "MX": 15, "TXT": 16, "AAAA": 28, "CAA": 257})
_NAMES = {number: name for name, number in TYPES.items()} | {6: "SOA"}
_IN = 1
_CODES = MappingProxyType({1: "FORMERR", 2: "SERVFAIL", 4: "NOTIMP", 5: "REFUSED"})
NXDOMAIN = 3
_MOST_JUMPS = 64
_UDP_BYTES = 1232
"""What passes every path without fragments; more comes by TCP."""


@frozen
class Record:
    name: str
    type: str
    ttl: int
    """Seconds; of a resolver's answer what is left of them."""
    value: str
    """Names in small letters, without the last dot."""


@frozen
class DnsAnswer:
    authoritative: bool
    exists: bool
    """There is such a name."""
    records: tuple[Record, ...]
    """Of the answer section, aliases that were followed included."""

    def of(self, kind: str) -> tuple[Record, ...]:
        return tuple(record for record in self.records if record.type == kind)


class DnsClient:
    """Asks servers by their address. Link-local and metadata addresses are asked only where `named` has them."""

    def __init__(self, named: Collection[str] = ()) -> None:
        self._resolver = Resolver(named)

    async def ask(self, server: str, name: str, kind: str, *, recursive: bool, timeout_s: float) -> DnsAnswer:
        """One question to `ADDRESS` or `ADDRESS:PORT`. Raises Unseen."""
        host, port = _place(server)
        self._resolver.admit(host)
        number = secrets.randbits(16)
        query = _query(number, name, kind, recursive)
        try:
            async with asyncio.timeout(timeout_s):
                message = await _by_udp(host, port, query)
                if _flags(message) & 0x0200:  # cut off
                    message = await _by_tcp(host, port, query)
            return _answer(message, query)
        except TimeoutError:
            hint = "UDP to port 53 may be blocked from here"
            raise Unseen(Unknown(Reason.TIMEOUT, f"{server} did not answer for {name}", hint)) from None
        except OSError as error:
            detail = f"{server}: {error.strerror or 'cannot be reached'}"
            raise Unseen(Unknown(Reason.UNREACHABLE, detail, "check the route to it")) from None
        except _Refused as error:
            hint = "ask a server that answers for it"
            raise Unseen(Unknown(Reason.ERROR, f"{server} answers {error} for {name}", hint)) from None
        except (ValueError, IndexError, struct.error):
            raise Unseen(
                Unknown(Reason.ERROR, f"{server} answers with something else than DNS", "is it one?")
            ) from None

    def close(self) -> None:
        self._resolver.close()


class _Refused(Exception):  # noqa: N818 - the server's answer, not a failure of ours
    pass


def plain(name: str) -> str:
    """A name as it is compared.

    >>> plain("WWW.Example.com.")
    'www.example.com'
    """
    return name.rstrip(".").lower()


def _place(server: str) -> tuple[str, int]:
    """
    >>> _place("1.1.1.1"), _place("127.0.0.1:5353"), _place("2606:4700::1111"), _place("[::1]:53")
    (('1.1.1.1', 53), ('127.0.0.1', 5353), ('2606:4700::1111', 53), ('::1', 53))
    """
    if server.startswith("["):
        host, _, port = server[1:].partition("]")
        return host, int(port.lstrip(":") or PORT)
    if server.count(":") == 1:
        host, _, port = server.partition(":")
        return host, int(port)
    return server, PORT


def _query(number: int, name: str, kind: str, recursive: bool) -> bytes:
    """With EDNS0, so that an answer of 1,232 bytes comes whole."""
    head = struct.pack(">6H", number, 0x0100 if recursive else 0, 1, 0, 0, 1)
    extended = b"\0" + struct.pack(">HHIH", 41, _UDP_BYTES, 0, 0)
    return head + _encoded(name) + struct.pack(">HH", TYPES[kind], _IN) + extended


def _encoded(name: str) -> bytes:
    labels = []
    for label in plain(name).split("."):
        # A label like _dmarc or *.x is none of IDNA's; ASCII goes as it is.
        raw = label.encode("ascii") if label.isascii() else label.encode("idna")
        if not 0 < len(raw) < 64:
            raise ValueError("a label has 1 to 63 characters")
        labels.append(bytes([len(raw)]) + raw)
    return b"".join(labels) + b"\0"


class _Datagram(asyncio.DatagramProtocol):
    """Waits for the answer to one question; anything else that comes is left unread."""

    def __init__(self, query: bytes) -> None:
        self._query = query
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, _addr: object) -> None:
        if not self.answer.done() and data[:2] == self._query[:2]:
            self.answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)


async def _by_udp(host: str, port: int, query: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(lambda: _Datagram(query), remote_addr=(host, port))
    try:
        transport.sendto(query)
        return await protocol.answer
    finally:
        transport.close()


async def _by_tcp(host: str, port: int, query: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(struct.pack(">H", len(query)) + query)
        (size,) = struct.unpack(">H", await reader.readexactly(2))
        return await reader.readexactly(size)
    except asyncio.IncompleteReadError:
        raise OSError(0, "closed the connection") from None
    finally:
        writer.close()


def _flags(message: bytes) -> int:
    return int(struct.unpack_from(">H", message, 2)[0])


def _answer(message: bytes, query: bytes) -> DnsAnswer:
    """Raises ValueError, IndexError, struct.error for what is no answer to the question; _Refused for one that says nothing."""
    number, flags, questions, answers, *_ = struct.unpack_from(">6H", message)
    if number != struct.unpack_from(">H", query)[0] or not flags & 0x8000 or questions != 1:
        raise ValueError("not an answer to this question")
    name, at = _name(message, 12)
    asked, end = _name(query, 12)
    if name != asked or message[at : at + 4] != query[end : end + 4]:
        raise ValueError("an answer to another question")
    code = flags & 0x000F
    if code not in (0, NXDOMAIN):
        raise _Refused(_CODES.get(code, f"code {code}"))
    at += 4
    records = []
    for _ in range(answers):
        owner, at = _name(message, at)
        kind, _class, ttl, size = struct.unpack_from(">HHIH", message, at)
        at += 10
        if at + size > len(message):
            raise ValueError("cut off")
        if kind in _NAMES:
            records.append(Record(owner, _NAMES[kind], ttl, _value(message, at, size, _NAMES[kind])))
        at += size
    return DnsAnswer(bool(flags & 0x0400), code != NXDOMAIN, tuple(records))


def _name(message: bytes, at: int) -> tuple[str, int]:
    """A name, and where what follows it begins. Raises ValueError where it leads in a circle."""
    labels: list[str] = []
    end = -1
    for _ in range(_MOST_JUMPS + 128):
        size = message[at]
        if size & 0xC0 == 0xC0:
            end = end if end >= 0 else at + 2
            at = struct.unpack_from(">H", message, at)[0] & 0x3FFF
        elif size == 0:
            return ".".join(labels), end if end >= 0 else at + 1
        else:
            labels.append(message[at + 1 : at + 1 + size].decode("ascii", "replace").lower())
            at += 1 + size
    raise ValueError("a name without end")


def _value(message: bytes, at: int, size: int, kind: str) -> str:
    raw = message[at : at + size]
    match kind:
        case "A" | "AAAA":
            return str(ip_address(raw))
        case "CNAME" | "NS" | "SOA":
            return _name(message, at)[0]
        case "MX":
            return f"{struct.unpack('>H', raw[:2])[0]} {_name(message, at + 2)[0]}"
        case "TXT":
            parts, where = [], 0
            while where < size:
                parts.append(raw[where + 1 : where + 1 + raw[where]])
                where += 1 + raw[where]
            return b"".join(parts).decode("utf-8", "replace")
        case _:  # CAA: a flag, a tag and its value
            return f"{raw[0]} {raw[2 : 2 + raw[1]].decode('ascii', 'replace')} {raw[2 + raw[1] :].decode('ascii', 'replace')}"
