"""Certificates: every address is looked at, and a bad one is read as well as a good one."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from support.garbage import collect
from support.http_server import Authority, Site, serving, small_site
from support.silent_wire import wire_to

from probes.clients.clients import AwsOptions, Clients
from probes.clients.tls_handshake import covers
from probes.reading import Reading, Reason
from probes.web.tls import TlsCertificate, TlsCertificateParams

HOST = "app.example.org"

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """Handshakes broken off on purpose leave transports that asyncio's server forgets: they are collected here."""
    yield
    collect()


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    opened = Clients(AwsOptions())
    yield opened
    await opened.close()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def read(clients: Clients, port: int, **params: Any) -> Reading:
    given = {"host": HOST, "port": port, "addresses": ["127.0.0.1"], "timeout": "5m"} | params
    probe = TlsCertificate(TlsCertificateParams.model_validate(given), clients)
    try:
        return await probe.read(datetime.now(UTC))
    finally:
        await probe.close()


@asynccontextmanager
async def tls_site(tls: ssl.SSLContext) -> AsyncIterator[int]:
    async with serving(Site().answer, tls) as port:
        yield port


async def test_the_certificate_is_the_one_that_the_host_gets(clients: Clients, authority: Authority) -> None:
    """A load balancer's default certificate is for another name; it picks by the name that is asked for."""
    of_host, default = authority.server(HOST), authority.server("default.example.org")

    def pick(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        if name == HOST:
            connection.context = of_host

    default.sni_callback = pick
    async with tls_site(default) as port:
        good = await read(clients, port, ca=str(authority.file))
        other = await read(clients, port, ca=str(authority.file), host="other.example.org")
    assert (good.values["verified"], good.values["covers_host"]) == (True, True)
    assert (other.values["verified"], other.values["covers_host"]) == (False, False)


async def test_a_good_certificate(clients: Clients, authority: Authority) -> None:
    async with tls_site(authority.server(HOST)) as port:
        reading = await read(clients, port, ca=str(authority.file))
    values = dict(reading.values)
    assert 29.9 < values.pop("days_left") < 30  # type: ignore[operator]
    assert isinstance(values.pop("not_after"), datetime)
    assert values == {
        "verified": True,
        "addresses": ("127.0.0.1",),
        "failed": 0,
        "unseen": 0,
        "covers_host": True,
        "issuer": "CN=Test Authority",
        "protocol": "TLSv1.3",
        "differing": False,
    }
    assert reading.unknown["failed_addresses"].reason is Reason.NO_DATA
    assert "verified; app.example.org" in reading.evidence.lines[0]
    assert reading.evidence.query == f"openssl s_client -connect {HOST}:{port} -servername {HOST}"


async def test_an_expired_certificate_is_refused_and_still_read(clients: Clients, authority: Authority) -> None:
    async with tls_site(authority.server(HOST, days_left=-3)) as port:
        reading = await read(clients, port, ca=str(authority.file))
    assert (reading.values["verified"], reading.values["failed"], reading.values["covers_host"]) == (False, 1, True)
    assert reading.values["failed_addresses"] == ("127.0.0.1",)
    assert -3.1 < reading.values["days_left"] < -2.9  # type: ignore[operator]
    assert "certificate has expired" in reading.evidence.lines[0]


async def test_a_certificate_for_another_name_is_refused(clients: Clients, authority: Authority) -> None:
    async with tls_site(authority.server("old.example.org")) as port:
        reading = await read(clients, port, ca=str(authority.file))
    assert (reading.values["verified"], reading.values["covers_host"]) == (False, False)
    assert reading.values["issuer"] == "CN=Test Authority"
    assert "old.example.org" in reading.evidence.lines[0]


async def test_an_authority_nobody_knows_is_refused(clients: Clients, authority: Authority) -> None:
    async with tls_site(authority.server(HOST)) as port:
        reading = await read(clients, port)
    assert (reading.values["verified"], reading.values["covers_host"]) == (False, True)
    assert "issuer certificate" in reading.evidence.lines[0]


async def test_an_old_protocol_is_named(clients: Clients, authority: Authority) -> None:
    server = authority.server(HOST)
    server.maximum_version = ssl.TLSVersion.TLSv1_2
    async with tls_site(server) as port:
        reading = await read(clients, port, ca=str(authority.file))
    assert (reading.values["verified"], reading.values["protocol"]) == (True, "TLSv1.2")


async def test_an_address_is_its_own_host(clients: Clients, authority: Authority) -> None:
    async with tls_site(authority.server("127.0.0.1")) as port:
        reading = await read(clients, port, ca=str(authority.file), host="127.0.0.1", addresses=[])
    assert (reading.values["verified"], reading.values["covers_host"]) == (True, True)


# -- several addresses -------------------------------------------------------------------------------------------------


class Addresses:
    """Servers on 127.0.0.x at one port, each with a certificate of its own."""

    def __init__(self) -> None:
        self.port = 0

    @asynccontextmanager
    async def at(self, address: str, tls: ssl.SSLContext) -> AsyncIterator[int]:
        site = Site()
        listener = await asyncio.start_server(site.answer, address, self.port, ssl=tls)
        self.port = listener.sockets[0].getsockname()[1]
        try:
            yield self.port
        finally:
            listener.close()
            await asyncio.sleep(0)


async def test_one_bad_address_of_two_is_found(clients: Clients, authority: Authority) -> None:
    both = Addresses()
    async with both.at("127.0.0.1", authority.server(HOST)), both.at("127.0.0.2", authority.server("old.org")) as port:
        reading = await read(clients, port, ca=str(authority.file), addresses=["127.0.0.1", "127.0.0.2"])
    assert (reading.values["verified"], reading.values["failed"]) == (False, 1)
    assert reading.values["failed_addresses"] == ("127.0.0.2",)
    assert reading.values["differing"] is True


async def test_the_first_end_of_two_counts(clients: Clients, authority: Authority) -> None:
    both, soon = Addresses(), authority.server(HOST, days_left=5)
    async with both.at("127.0.0.1", authority.server(HOST)), both.at("127.0.0.2", soon) as port:
        reading = await read(clients, port, ca=str(authority.file), addresses=["127.0.0.1", "127.0.0.2"])
    assert 4.9 < reading.values["days_left"] < 5  # type: ignore[operator]
    assert (reading.values["verified"], reading.values["differing"]) == (True, True)


async def test_the_same_certificate_everywhere_does_not_differ(clients: Clients, authority: Authority) -> None:
    both, one = Addresses(), authority.server(HOST)
    async with both.at("127.0.0.1", one), both.at("127.0.0.2", one) as port:
        reading = await read(clients, port, ca=str(authority.file), addresses=["127.0.0.1", "127.0.0.2"])
    assert (reading.values["verified"], reading.values["differing"]) == (True, False)


async def test_an_address_that_shows_nothing_leaves_open_whether_all_are_good(
    clients: Clients, authority: Authority
) -> None:
    async with tls_site(authority.server(HOST)) as port:
        reading = await read(clients, port, ca=str(authority.file), addresses=["127.0.0.1", "127.0.0.9"])
    assert reading.values["unseen"] == 1
    for name in ("verified", "failed", "failed_addresses", "days_left", "not_after", "covers_host", "differing"):
        assert reading.unknown[name].reason is Reason.PARTIAL, name
    assert "127.0.0.9" in reading.unknown["verified"].detail
    assert reading.values["issuer"] == "CN=Test Authority"


async def test_a_bad_certificate_is_certain_whoever_is_silent(clients: Clients, authority: Authority) -> None:
    async with tls_site(authority.server("old.example.org")) as port:
        reading = await read(clients, port, ca=str(authority.file), addresses=["127.0.0.1", "127.0.0.9"])
    assert (reading.values["verified"], reading.values["covers_host"]) == (False, False)
    assert reading.values["failed_addresses"] == ("127.0.0.1",)
    assert {"failed", "days_left", "differing"} <= set(reading.unknown)


# -- not knowing -------------------------------------------------------------------------------------------------------


def reasons(reading: Reading) -> set[Reason]:
    assert set(reading.values) <= {"addresses", "unseen"}
    return {unknown.reason for unknown in reading.unknown.values()}


async def test_a_closed_port_is_unreachable(clients: Clients) -> None:
    async with small_site() as gone:
        port = int(gone.url.rpartition(":")[2])
    reading = await read(clients, port)
    assert reasons(reading) == {Reason.UNREACHABLE}
    assert reading.values["unseen"] == 1


async def test_a_black_hole_is_a_timeout_soon(clients: Clients) -> None:
    async with wire_to() as hole:
        reading = await read(clients, hole.port, timeout="0.3s")
    assert reasons(reading) == {Reason.TIMEOUT}


@pytest.mark.parametrize(
    ("said", "reason"), [(b"HTTP/1.1 400 Bad Request\r\n\r\n", Reason.ERROR), (b"", Reason.UNREACHABLE)]
)
async def test_a_port_without_tls_shows_no_certificate(clients: Clients, said: bytes, reason: Reason) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(said)
        writer.close()

    async with serving(answer) as port:
        reading = await read(clients, port)
    assert reasons(reading) == {reason}


async def test_a_name_that_does_not_resolve_is_unreachable(clients: Clients) -> None:
    reading = await read(clients, 443, host="no-such-host.invalid", addresses=[])
    assert not reading.values
    assert reasons(reading) == {Reason.UNREACHABLE}
    assert "does not resolve" in reading.unknown["verified"].detail


@pytest.mark.parametrize(("text", "reason"), [(None, Reason.NOT_FOUND), ("no certificate", Reason.ERROR)])
async def test_a_file_of_authorities_that_is_of_no_use(
    clients: Clients, tmp_path: Path, text: str | None, reason: Reason
) -> None:
    file = tmp_path / "ca.pem"
    if text is not None:
        file.write_text(text)
    reading = await read(clients, 443, ca=str(file))
    assert reasons(reading) == {reason}
    assert str(file) in reading.unknown["verified"].detail


@pytest.mark.parametrize(
    ("names", "host", "good"),
    [
        (("app.example.org",), "APP.example.org", True),
        (("*.example.org",), "app.example.org", True),
        (("*.example.org",), "example.org", False),
        (("*.example.org",), "a.b.example.org", False),
        (("*.org",), "example.org", False),
        ((), "example.org", False),
        (("::1",), "0:0:0:0:0:0:0:1", True),
        (("127.0.0.1",), "127.0.0.2", False),
    ],
)
def test_which_names_cover_a_host(names: tuple[str, ...], host: str, good: bool) -> None:
    assert covers(names, host) is good


@pytest.mark.parametrize(
    "wrong", [{"host": "https://x"}, {"host": "x:443"}, {"host": ""}, {"port": 0}, {"addresses": ["name"]}]
)
def test_parameters_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TlsCertificateParams.model_validate({"host": HOST} | wrong)
