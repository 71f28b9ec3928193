"""A DNS name: who has moved, who has not, and who cannot be asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError
from support.dns_server import DnsServer, dns_server

from probes.clients.clients import AwsOptions, Clients
from probes.clients.dns_query import DnsClient
from probes.reading import Reading, Reason, Unseen
from probes.web.dns_record import DnsRecord, DnsRecordParams

NOW = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
NAME, NEW, OLD = "www.example.com", "192.0.2.10", "192.0.2.99"


def gives(server: DnsServer, value: str, ttl: int = 60, kind: str = "A") -> None:
    server.answers[(NAME, kind)] = [("@", kind, ttl, value)]


@pytest.fixture
async def servers() -> AsyncIterator[list[DnsServer]]:
    """Two of the zone, two resolvers; all give the new place."""
    async with AsyncExitStack() as stack:
        started = [await stack.enter_async_context(dns_server()) for _ in range(4)]
        for server in started:
            gives(server, NEW)
        yield started


async def read(servers: list[DnsServer], **params: Any) -> Reading:
    places = [server.place for server in servers]
    given = {
        "name": "WWW.Example.com.",
        "expect": [NEW],
        "authoritative": places[:2],
        "resolvers": places[2:],
        "timeout": "5m",
    } | params
    clients = Clients(AwsOptions())
    probe = DnsRecord(DnsRecordParams.model_validate(given), clients)
    try:
        return await probe.read(NOW)
    finally:
        await probe.close()
        await clients.close()


async def test_everybody_has_moved(servers: list[DnsServer]) -> None:
    reading = await read(servers)
    assert not reading.unknown
    assert reading.values == {
        "exists": True,
        "values": (NEW,),
        "servers": 2,
        "agree": True,
        "authority_moved": True,
        "resolvers_asked": 2,
        "resolvers_moved": 2,
        "everybody_moved": True,
        "ttl_s": 60,
        "old_ttl_s": 0,
    }
    assert [server.asked for server in servers] == [[(NAME, "A", False)]] * 2 + [[(NAME, "A", True)]] * 2


async def test_a_resolver_still_has_the_old_answer(servers: list[DnsServer]) -> None:
    gives(servers[3], OLD, 3400)
    values = (await read(servers)).values
    assert (values["authority_moved"], values["everybody_moved"]) == (True, False)
    assert (values["resolvers_moved"], values["old_ttl_s"]) == (1, 3400)


async def test_the_new_place_beside_the_old_is_not_moved(servers: list[DnsServer]) -> None:
    servers[2].answers[(NAME, "A")] = [("@", "A", 60, NEW), ("@", "A", 60, OLD)]
    assert (await read(servers)).values["everybody_moved"] is False


async def test_servers_of_the_zone_that_disagree(servers: list[DnsServer]) -> None:
    gives(servers[0], OLD)
    values = (await read(servers)).values
    assert (values["agree"], values["authority_moved"], values["values"]) == (False, False, (NEW, OLD))


async def test_a_name_that_is_not_there_has_not_moved(servers: list[DnsServer]) -> None:
    for server in servers:
        server.answers.clear()
    reading = await read(servers)
    assert (reading.values["exists"], reading.values["everybody_moved"]) == (False, False)
    assert reading.unknown["values"].reason is Reason.NO_DATA


async def test_who_does_not_answer_leaves_it_open_and_who_is_wrong_decides_it(servers: list[DnsServer]) -> None:
    servers[1].place = "127.0.0.1:1"  # nobody listens there
    reading = await read(servers)
    assert reading.unknown["everybody_moved"].reason is Reason.UNREACHABLE
    assert reading.unknown["authority_moved"].reason is Reason.UNREACHABLE
    assert reading.values["resolvers_moved"] == 2
    gives(servers[0], OLD)
    assert (await read(servers)).values["everybody_moved"] is False


async def test_a_refusal_is_no_answer(servers: list[DnsServer]) -> None:
    servers[0].code = 5
    assert "REFUSED" in (await read(servers)).unknown["authority_moved"].detail


async def test_an_answer_that_is_cut_off_comes_by_tcp(servers: list[DnsServer]) -> None:
    servers[0].short = True
    assert (await read(servers)).values["everybody_moved"] is True
    assert servers[0].asked == [(NAME, "A", False)] * 2


async def test_the_place_of_another_name(servers: list[DnsServer]) -> None:
    for server in servers[2:]:
        server.answers[("lb.example.net", "A")] = [("@", "A", 60, NEW), ("@", "A", 60, "192.0.2.11")]
    assert (await read(servers, expect=[], same_as="lb.example.net")).values["everybody_moved"] is True
    assert (await read(servers, expect=[], same_as="none.example.net")).unknown[
        "everybody_moved"
    ].reason is Reason.NOT_FOUND


async def test_an_alias_is_followed_by_resolvers_and_named_where_the_zone_ends(servers: list[DnsServer]) -> None:
    chain = [("@", "CNAME", 30, "lb.example.net"), ("lb.example.net", "A", 60, NEW)]
    servers[0].answers[(NAME, "A")] = chain[:1]
    servers[2].answers[(NAME, "A")] = chain
    reading = await read(servers)
    assert reading.values["resolvers_moved"] == 2
    assert "CNAME of lb.example.net" in reading.unknown["authority_moved"].detail
    for server in servers:
        gives(server, "LB.example.net", 30, "CNAME")
    assert (await read(servers, type="CNAME", expect=["lb.example.net."])).values["everybody_moved"] is True


async def test_the_zone_is_found_by_its_ns_records(servers: list[DnsServer]) -> None:
    resolver = servers[2]
    resolver.answers[("example.com", "NS")] = [("@", "NS", 60, "ns1.example.net")]
    resolver.answers[("ns1.example.net", "A")] = [("@", "A", 60, "127.0.0.53")]
    reading = await read(servers[2:3], authoritative=[], resolvers=[resolver.place])
    assert [asked[:2] for asked in resolver.asked if asked[1] == "NS"] == [(NAME, "NS"), ("example.com", "NS")]
    assert (NAME, "A", True) in resolver.asked
    assert "127.0.0.53" in reading.unknown["authority_moved"].detail  # nobody answers there


async def test_a_zone_nobody_knows_says_what_to_name(servers: list[DnsServer]) -> None:
    reading = await read(servers, authoritative=[])
    assert (reading.unknown["servers"].reason, reading.values["resolvers_moved"]) == (Reason.NOT_FOUND, 2)
    assert "authoritative" in reading.unknown["servers"].hint


@pytest.mark.parametrize("answer", [b"", b"\0\0", b"x" * 40])
async def test_what_is_no_dns_is_not_read_as_an_answer(servers: list[DnsServer], answer: bytes) -> None:
    server = servers[0]
    server.other = answer
    with pytest.raises(Unseen) as raised:
        await DnsClient().ask(server.place, NAME, "A", recursive=True, timeout_s=300)
    assert raised.value.unknown.reason is Reason.ERROR


async def test_a_metadata_address_is_not_asked() -> None:
    with pytest.raises(Unseen) as raised:
        await DnsClient().ask("169.254.169.253", NAME, "A", recursive=True, timeout_s=300)
    assert raised.value.unknown.reason is Reason.NOT_TRUSTED


@pytest.mark.parametrize(
    "params",
    [
        {"name": "https://www.example.com/"},
        {"name": "a..b"},
        {"resolvers": ["dns.example.com"]},
        {"expect": ["x"], "same_as": "y.example.com"},
        {"type": "MX", "same_as": "y.example.com"},
    ],
)
def test_what_cannot_be_asked_is_refused(params: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DnsRecordParams.model_validate({"name": NAME} | params)
