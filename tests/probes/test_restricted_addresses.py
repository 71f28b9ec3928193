"""Link-local and metadata addresses are connected to by nobody, whatever the way there, unless the plan names them."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support.connections import connections
from support.http_server import Authority, Site, serving, site

from cockpit.migration import database
from cockpit.migration.database import connect
from cockpit.plan.demands import demands_of
from cockpit.plan.load import load_plan
from probes.clients.clients import AwsOptions, Clients
from probes.clients.resolver import is_address
from probes.clients.restricted import is_restricted
from probes.reading import Reason, Unseen
from probes.web.tls import TlsCertificate, TlsCertificateParams

__all__ = ["site"]

LINK_LOCAL = "169.254.77.77"
FORMS = (
    "169.254.169.254",
    "169.254.170.2",
    "[fe80::1]",
    "fe80::1%eth0",
    "febf::1",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254",
    "100.100.100.200",
    "168.63.129.16",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "::ffff:100.100.100.200",
    "::169.254.169.254",
    "64:ff9b::169.254.169.254",
    "2002:a9fe:a9fe::1",
)
NUMBERS = ("2852039166", "0xa9fea9fe", "169.254.43518")
"""What the system's resolver, and no parser of addresses, takes for 169.254.169.254."""


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    made = Clients(AwsOptions())
    yield made
    await made.close()


def answering(*answers: str) -> tuple[Callable[..., list[Any]], list[str]]:
    """A resolver of the system that gives these addresses, one a lookup, the last for ever; and the names it was asked."""
    asked: list[str] = []
    left = list(answers)

    def look_up(host: str, port: int, *_: object, **__: object) -> list[Any]:
        asked.append(host)
        address = left.pop(0) if len(left) > 1 else left[0]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port))]

    return look_up, asked


async def refused(what: Any) -> str:
    """How it was refused, without a connection to anywhere."""
    with connections() as made, pytest.raises(Unseen) as raised:
        await what
    assert made == []
    assert raised.value.unknown.reason is Reason.NOT_TRUSTED
    assert "cockpit trust" in raised.value.unknown.hint
    return raised.value.unknown.detail


@pytest.mark.parametrize("address", FORMS)
def test_an_address_is_known_in_every_form(address: str) -> None:
    assert is_restricted(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "169.253.0.1",
        "100.100.100.201",
        "::1",
        "fec0::1",
        "fd00:ec3::1",
        "::ffff:10.0.0.1",
        "db.x",
    ],
)
def test_another_address_or_a_name_is_none_of_them(address: str) -> None:
    assert not is_restricted(address)


@pytest.mark.parametrize("host", [*(form for form in FORMS if "%" not in form), *NUMBERS])
async def test_http_is_refused(clients: Clients, host: str) -> None:
    host = f"[{host}]" if ":" in host and "[" not in host else host
    await refused(clients.http("GET", f"http://{host}/latest/meta-data/"))


@pytest.mark.parametrize("host", ["169.254.169.254", "::ffff:169.254.169.254", "2852039166"])
async def test_a_handshake_is_refused(clients: Clients, host: str) -> None:
    for given in ({"host": host}, {"host": "app.example.org", "addresses": [host]}):
        if is_address(host) or "addresses" not in given:
            probe = TlsCertificate(TlsCertificateParams.model_validate(given), clients)
            with connections() as made:
                reading = await probe.read(datetime.now(UTC))
            await probe.close()
            assert {why.reason for why in reading.unknown.values()} == {Reason.NOT_TRUSTED}
            assert (reading.values, made) == ({}, [])


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "::ffff:169.254.169.254"])
async def test_a_name_that_leads_there_is_refused(
    clients: Clients, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_up, _ = answering(address)
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    for url in ("http://nice.example.org/", "https://nice.example.org/"):
        assert address in await refused(clients.http("GET", url))
    dsn = "postgresql://me:secret@nice.example.org/app"
    assert address in await refused(clients.sql(dsn, "SELECT 1"))
    assert address in await refused(clients.sql("host=nice.example.org,nice.example.com user=me", "SELECT 1"))
    assert address in await refused(connect(dsn))


async def test_what_is_connected_to_is_what_was_looked_up_whatever_dns_says_next(
    clients: Clients, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.page("/", 200, "here")
    port = site.url.rpartition(":")[2]
    look_up, asked = answering("127.0.0.1", "169.254.169.254")
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with connections() as made:
        answer = await clients.http("GET", f"http://moving.example.org:{port}/")
    assert (answer.text, made, asked) == ("here", ["127.0.0.1"], ["moving.example.org"])
    assert f"Host: moving.example.org:{port}".lower() in site.asked[0].lower()
    await refused(clients.http("GET", f"http://moving.example.org:{port}/"))


async def test_nor_does_a_database_look_its_name_up_again(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    reached: list[bytes] = []

    async def listen(reader: Any, writer: Any) -> None:
        reached.append(await reader.read(8))
        writer.close()

    async with serving(listen) as port:
        for ask in (lambda dsn: clients.sql(dsn, "SELECT 1"), connect):
            look_up, asked = answering("127.0.0.1", "169.254.169.254")
            monkeypatch.setattr(socket, "getaddrinfo", look_up)
            with pytest.raises(Exception, match=r".") as raised:
                await ask(f"postgresql://me@moving.example.org:{port}/app?sslmode=disable")
            assert "metadata" not in str(raised.value)
            assert asked == ["moving.example.org"]
    assert len(reached) == 2


async def test_an_answer_with_other_addresses_too_leads_to_those_alone(
    clients: Clients, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.page("/", 200, "here")
    port = int(site.url.rpartition(":")[2])
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in (LINK_LOCAL, "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    with connections() as made:
        assert (await clients.http("GET", f"http://both.example.org:{port}/")).text == "here"
    assert made == ["127.0.0.1"]


@pytest.mark.parametrize("there", [LINK_LOCAL, "2852039166", "[::ffff:169.254.169.254]"])
async def test_a_redirect_there_is_refused_even_where_the_plan_names_it(there: str, site: Site) -> None:
    clients = Clients(AwsOptions(), named=(LINK_LOCAL, "169.254.169.254"))
    site.page("/", 302, Location=f"http://{there}/latest/")
    try:
        with connections() as made, pytest.raises(Unseen) as raised:
            await clients.http("GET", f"{site.url}/", follow_redirects=True)
    finally:
        await clients.close()
    assert (made, raised.value.unknown.reason) == (["127.0.0.1"], Reason.NOT_TRUSTED)


async def test_certificates_are_still_checked_for_the_name(
    clients: Clients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    look_up, _ = answering("127.0.0.1")
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    answers = Site()
    answers.page("/", 200, "here")
    async with serving(answers.answer, authority.server("app.example.org")) as port:
        assert (await clients.http("GET", f"https://app.example.org:{port}/")).text == "here"
        with pytest.raises(Unseen) as raised:
            await clients.http("GET", f"https://other.example.org:{port}/")
    assert "certificate not valid" in raised.value.unknown.detail


PLAN = """
plan: v1
name: p
probes:
  page: {{uses: http.health, with: {{url: "http://{address}/x"}}}}
  tls: {{uses: tls.certificate, with: {{host: "{address}"}}}}
  named: {{uses: tls.certificate, with: {{host: app.example.org, addresses: ["{address}"]}}}}
  db: {{uses: postgres.pool, with: {{dsn: "postgresql://me@{address}/app"}}}}
"""


def test_an_address_the_plan_names_is_a_demand(tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN.format(address=LINK_LOCAL))
    found = demands_of(load_plan(plan))
    said = {str(demand) for demands in found.values() for demand in demands if demand.address}
    assert said == {f"sends requests to {LINK_LOCAL}, a link-local or metadata address"}
    assert {name for name, demands in found.items() if any(each.address for each in demands)} == {
        *("page", "tls", "named", "db")
    }


async def test_once_it_is_allowed_it_is_connected_to() -> None:
    clients = Clients(AwsOptions(), named=(LINK_LOCAL,))
    try:
        with connections() as made, suppress(Unseen):  # whatever is there, or not
            await clients.http("GET", f"http://{LINK_LOCAL}/", timeout_s=0.2)
    finally:
        await clients.close()
    assert made == [LINK_LOCAL]


CONNECTS = re.compile(
    r"create_connection|open_connection|sock_connect|connect_tcp|getaddrinfo|Connection\.connect\(|AsyncClient\("
)
DOORS = {
    "probes/clients/dns_query.py",
    "probes/clients/http.py",
    "probes/clients/pinned_transport.py",
    "probes/clients/resolver.py",
    "probes/clients/sql.py",
    "probes/clients/tls_handshake.py",
    "cockpit/migration/database.py",
}


def test_nothing_else_connects_or_looks_names_up() -> None:
    root = Path(__file__).parents[2]
    files = [file for room in ("cockpit", "probes") for file in (root / room).rglob("*.py")]
    found = {str(file.relative_to(root)) for file in files if CONNECTS.search(file.read_text())}
    assert {name for name in found if not name.startswith("cockpit/rehearsal/")} == DOORS


# -- a machine that has such an address itself ---------------------------------------------------------------------------


def own_link_local() -> tuple[str, int]:
    """A link-local address of this machine, with its interface, and that one's number."""
    with suppress(OSError):
        for line in Path("/proc/net/if_inet6").read_text().splitlines():
            digits, index, _, scope, _, name = line.split()
            if scope == "20":
                return f"{ip_address(bytes.fromhex(digits))}%{name}", int(index, 16)
    pytest.skip("this machine has no link-local address")


LET_IN = b"R\0\0\0\x08\0\0\0\0" + b"Z\0\0\0\x05I"
"""AuthenticationOk and ReadyForQuery: all that libpq needs to be connected."""


@pytest.fixture
async def neighbour() -> AsyncIterator[tuple[str, int, list[bytes]]]:
    """Address, port and what is heard of a database that listens there and lets everybody in."""
    address, _ = own_link_local()
    heard: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(1000))
        writer.write(LET_IN)
        while said := await reader.read(1000):
            heard.append(said)
        writer.close()

    server = await asyncio.start_server(answer, address, 0)
    yield address, server.sockets[0].getsockname()[1], heard
    server.close()


async def test_a_service_of_libpq_that_leads_there_is_left_before_anything_is_asked(
    clients: Clients, neighbour: tuple[str, int, list[bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, port, heard = neighbour
    services = tmp_path / "services"
    services.write_text(f"[there]\nhost={address}\nport={port}\nuser=me\nsslmode=disable\n")
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    for asked in (clients.sql("service=there sslmode=disable", "SELECT 1"), connect("service=there sslmode=disable")):
        with pytest.raises(Unseen) as raised:
            await asked
        assert raised.value.unknown.reason is Reason.NOT_TRUSTED
    assert b"SELECT" not in b"".join(heard)


async def test_what_listens_there_hears_of_it_once_the_string_that_names_it_is_allowed(
    clients: Clients, neighbour: tuple[str, int, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, port, heard = neighbour
    dsn = f"host={address} port={port} user=me sslmode=disable"
    await refused(clients.sql(dsn, "SELECT 1"))
    assert heard == []
    # The migration: nobody comes here before the plan was allowed. What listens there answers none of its questions.
    monkeypatch.setattr(database, "ANSWERS_WITHIN_S", 0.2)
    with pytest.raises(psycopg.OperationalError, match="answers nothing"):
        await connect(dsn)
    assert heard
