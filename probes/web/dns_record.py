"""DNS: whether a name leads to the new place for everybody, and how long the old answer still lives."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, StringConstraints, model_validator
from pydantic import Field as Setting

from probes.clients.clients import Clients
from probes.clients.dns_query import DnsAnswer, DnsClient, plain
from probes.demand import Sends
from probes.frozen import frozen
from probes.periods import Duration
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen
from probes.redact import one_line
from probes.three_valued import FieldValue, every, sorted_out

PUBLIC = ("1.1.1.1", "8.8.8.8", "9.9.9.9")
_MOST_SERVERS = 13


def _server(text: str) -> str:
    """An address, with a port where it is not 53."""
    host = (
        text[1:].partition("]")[0] if text.startswith("[") else text.partition(":")[0] if text.count(":") == 1 else text
    )
    ip_address(host)
    return text


def _hostname(text: str) -> str:
    name = plain(text)
    if not all(0 < len(label) < 64 for label in name.split(".")) or any(c.isspace() or c in "/:@" for c in name):
        raise ValueError("a name without scheme, port and path: www.example.com")
    return name


Server = Annotated[str, AfterValidator(_server)]
HostName = Annotated[str, StringConstraints(min_length=1, max_length=253), AfterValidator(_hostname)]


class DnsRecordParams(Params):
    name: HostName
    """The name that users ask for: www.example.com."""
    type: Literal["A", "AAAA", "CNAME", "MX", "TXT", "NS", "CAA"] = "A"
    """A, AAAA, CNAME, MX, TXT, NS or CAA."""
    expect: list[str] = Setting(default_factory=list, max_length=50)
    """The values of the new place. Who answers with any other value, or with none, has not moved."""
    same_as: HostName | None = None
    """Instead of values: a name whose addresses, as they are now, are the new place. A load balancer's own name, say."""
    resolvers: list[Server] = Setting(default_factory=lambda: list(PUBLIC), min_length=1, max_length=20)
    """Addresses of the resolvers whose users are looked after: public ones by default, add those of your offices."""
    authoritative: list[Server] = Setting(default_factory=list, max_length=_MOST_SERVERS)
    """Addresses of the servers that hold the zone, where they cannot be found by its NS records (a private zone)."""
    timeout: Duration = timedelta(seconds=3)
    """How long one server may take."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.expect and self.same_as:
            raise ValueError("give one of expect and same_as")
        if self.same_as and self.type not in ("A", "AAAA"):
            raise ValueError("same_as compares addresses: type is A or AAAA")
        return self


@frozen
class _Seen:
    """What one server answers, or why it cannot be known."""

    server: str
    answer: DnsAnswer | Unknown

    def values(self, kind: str) -> frozenset[str] | Unknown:
        if isinstance(self.answer, Unknown):
            return self.answer
        found = frozenset(_compared(record.value, kind) for record in self.answer.of(kind))
        alias = next((record.value for record in self.answer.of("CNAME")), "") if kind != "CNAME" else ""
        if alias and not found:
            return Unknown(Reason.NO_DATA, f"{self.server} answers that it is a CNAME of {alias}", "ask for type CNAME")
        return found

    def ttl(self, kind: str) -> int:
        """Of the whole chain: the first record that ends makes the resolver ask again."""
        if isinstance(self.answer, Unknown):
            return 0
        return min((record.ttl for record in self.answer.records if record.type in (kind, "CNAME")), default=0)


class DnsRecord(Probe[DnsRecordParams]):
    """Whether a DNS name leads to the new place, at every server of its zone and at public resolvers, and how long until it does.

    Finds the zone's servers by NS and asks each of them, without recursion, and each of `resolvers`; UDP, TCP where the answer is
    cut off. What they answer is compared with `expect`, or with what `same_as` resolves to. A server that does not answer
    leaves open whether it has moved. A name that does not exist has not. A public resolver is many machines, each with its cache:
    another one may answer its other users.
    """

    name = "dns.record"
    params_type = DnsRecordParams
    demands = (Sends("resolvers", ("name",)),)
    subjects = ("dns", "cname")
    cannot_see = "users' own caches, and the other machines behind a resolver's address; views by place"
    late = "resolvers as long as the old record's TTL; old_ttl_s is what is left of it"
    fields = (
        Field("exists", bool, "the zone's servers know the name", example=True),
        Field("values", tuple, "what the zone's servers answer", ("192.0.2.10",)),
        Field("servers", int, "servers of the zone", 4, "count", low=0),
        Field("agree", bool, "they all give the same values", example=True),
        Field("authority_moved", bool, "each of them gives the new place, and nothing else", example=True),
        Field("resolvers_asked", int, "resolvers that answered", 3, "count", low=0),
        Field("resolvers_moved", int, "those that give the new place, and nothing else", 3, "count", low=0),
        Field("everybody_moved", bool, "every server and every resolver gives the new place", example=True),
        Field("ttl_s", int, "how long the zone lets others keep the answer", 60, "s", low=0),
        Field(
            "old_ttl_s",
            int,
            "until the last of the resolvers forgets the old answer; 0 where none has it",
            0,
            "s",
            low=0,
        ),
    )
    interval = timedelta(seconds=30)

    def __init__(self, params: DnsRecordParams, clients: Clients) -> None:
        super().__init__(params, clients)
        self._dns = DnsClient(clients.named)

    async def close(self) -> None:
        self._dns.close()

    async def read(self, now: datetime) -> Reading:
        asked = self.params
        query = f"dig {asked.name} {asked.type} @each of {', '.join(asked.resolvers)}, and of the zone's servers"
        servers, expected, resolvers = await asyncio.gather(
            self._servers(), self._expected(), self._all(asked.resolvers)
        )
        zone = await self._all(servers, recursive=False) if not isinstance(servers, Unknown) else servers
        if isinstance(zone, Unknown) and all(isinstance(each.answer, Unknown) for each in resolvers):
            return self.blind(now, zone, Evidence(query))
        values, unknown = sorted_out(self._values(zone, resolvers, expected))
        known = [] if isinstance(zone, Unknown) else zone
        lines = tuple(self._line(each) for each in (*known, *resolvers))
        return self.reading(now, values, unknown=unknown, evidence=Evidence(query, lines=lines[:16]))

    def _values(
        self, zone: Sequence[_Seen] | Unknown, resolvers: Sequence[_Seen], expected: frozenset[str] | Unknown
    ) -> dict[str, FieldValue]:
        kind = self.params.type
        moved = [self._moved(each, expected) for each in resolvers]
        answered = [each for each in resolvers if not isinstance(each.answer, Unknown)]
        old = [each.ttl(kind) for each, has in zip(resolvers, moved, strict=True) if has is False]
        unsure = next((has for has in moved if isinstance(has, Unknown)), None)
        fields: dict[str, FieldValue] = {
            "resolvers_asked": len(answered),
            "resolvers_moved": expected if isinstance(expected, Unknown) else sum(has is True for has in moved),
            "old_ttl_s": unsure or max(old, default=0),
        }
        if isinstance(zone, Unknown):
            names = ("exists", "values", "servers", "agree", "authority_moved", "ttl_s")
            return fields | dict.fromkeys(names, zone) | {"everybody_moved": every(zone, *moved)}
        found = [each.values(kind) for each in zone]
        seen = [each for each in found if not isinstance(each, Unknown)]
        silent = next((each for each in found if isinstance(each, Unknown)), None)
        known = [each.answer for each in zone if not isinstance(each.answer, Unknown)]
        there = [self._moved(each, expected) for each in zone]
        return fields | {
            "exists": any(answer.exists for answer in known) if known else silent,
            "values": tuple(sorted(frozenset().union(*seen)))[:50] or silent if seen else silent,
            "servers": len(zone),
            "agree": False if len(set(seen)) > 1 else silent or True,
            "authority_moved": every(*there),
            "everybody_moved": every(*there, *moved),
            "ttl_s": max((each.ttl(kind) for each in zone if not isinstance(each.answer, Unknown)), default=0)
            if seen
            else silent,
        }

    def _moved(self, seen: _Seen, expected: frozenset[str] | Unknown) -> bool | Unknown:
        found = seen.values(self.params.type)
        if isinstance(expected, Unknown):
            return expected
        return found if isinstance(found, Unknown) else bool(found) and found <= expected

    async def _all(self, servers: Sequence[str], *, recursive: bool = True) -> list[_Seen]:
        asked = self.params
        return list(
            await asyncio.gather(*(self._one(each, asked.name, asked.type, recursive=recursive) for each in servers))
        )

    async def _one(self, server: str, name: str, kind: str, *, recursive: bool = True) -> _Seen:
        timeout_s = self.params.timeout.total_seconds()
        try:
            return _Seen(server, await self._dns.ask(server, name, kind, recursive=recursive, timeout_s=timeout_s))
        except Unseen as unseen:
            return _Seen(server, unseen.unknown)

    async def _expected(self) -> frozenset[str] | Unknown:
        """The values of the new place. Those of `same_as` are all that any resolver gives: a load balancer's change slowly."""
        asked = self.params
        if asked.same_as is None:
            wanted = frozenset(_compared(each, asked.type) for each in asked.expect)
            return wanted or Unknown(Reason.NO_DATA, "the plan expects no value", "give expect or same_as")
        seen = await asyncio.gather(*(self._one(each, asked.same_as, asked.type) for each in asked.resolvers))
        found = [values for each in seen if not isinstance(values := each.values(asked.type), Unknown)]
        together: frozenset[str] = frozenset().union(*found)
        why = next((each.answer for each in seen if isinstance(each.answer, Unknown)), None)
        return together or why or Unknown(Reason.NOT_FOUND, f"{asked.same_as} has no {asked.type}", "check same_as")

    async def _servers(self) -> list[str] | Unknown:
        """Addresses of the zone's servers: the NS records of the name, or of the nearest name above it that has some."""
        if self.params.authoritative:
            return self.params.authoritative
        labels = self.params.name.split(".")
        for start in range(len(labels) - 1):
            found = await self._ask_any(".".join(labels[start:]), "NS")
            if isinstance(found, Unknown):
                return found
            names = [record.value for record in found.of("NS") if record.name == ".".join(labels[start:])]
            if names:
                return await self._addresses(names[:_MOST_SERVERS])
        hint = "is it a private zone? name its servers as `authoritative`"
        return Unknown(Reason.NOT_FOUND, f"no zone above {self.params.name} has NS records", hint)

    async def _addresses(self, names: Sequence[str]) -> list[str] | Unknown:
        """One address of each; a server without one is none that can be asked."""
        answers = await asyncio.gather(*(self._ask_any(name, "A") for name in names))
        unseen = next((each for each in answers if isinstance(each, Unknown)), None)
        if unseen is not None:
            return unseen
        return [
            found[0].value for each in answers if isinstance(each, DnsAnswer) and (found := each.of("A"))
        ] or Unknown(Reason.NOT_FOUND, f"{names[0]} has no address", "name the servers as `authoritative`")

    async def _ask_any(self, name: str, kind: str) -> DnsAnswer | Unknown:
        """What the first resolver says that answers."""
        why = Unknown(Reason.NO_DATA, "no resolver answers")
        for resolver in self.params.resolvers:
            seen = await self._one(resolver, name, kind)
            if not isinstance(seen.answer, Unknown):
                return seen.answer
            why = seen.answer
        return why

    def _line(self, seen: _Seen) -> str:
        found = seen.values(self.params.type)
        if isinstance(found, Unknown):
            return one_line(f"{seen.server}: {found.detail}", 160)
        return one_line(f"{seen.server}: {', '.join(sorted(found)) or 'nothing'} ({seen.ttl(self.params.type)} s)", 160)


def _compared(value: str, kind: str) -> str:
    """As values of a type are compared: names without their last dot, addresses in one form, texts as they are.

    >>> _compared("Web.Example.com.", "CNAME"), _compared("2001:DB8:0::1", "AAAA"), _compared("10 Mail.example.com.", "MX")
    ('web.example.com', '2001:db8::1', '10 mail.example.com')
    """
    if kind in ("A", "AAAA"):
        try:
            return str(ip_address(value))
        except ValueError:
            return value
    return value if kind in ("TXT", "CAA") else plain(value)
