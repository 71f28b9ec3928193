"""TLS: the certificate that every address of a host really shows."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field as Setting
from pydantic import field_validator

from probes.clients.clients import Clients
from probes.clients.resolver import Resolver, is_address
from probes.clients.tls_handshake import Shown, covers, shown_by, trust_in
from probes.demand import ReadsFile, Sends
from probes.periods import Duration
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen, Value
from probes.redact import one_line

MOST_ADDRESSES = 16
_DAY = timedelta(days=1)


class TlsCertificateParams(Params):
    host: Annotated[str, Setting(pattern=r"^[^\s/:@?#]+$|^\[?[0-9a-fA-F:.]+\]?$", max_length=253)]
    """The host whose certificate is read."""
    port: Annotated[int, Setting(ge=1, le=65535)] = 443
    """Its port."""
    addresses: list[str] = Setting(default_factory=list, max_length=MOST_ADDRESSES)
    """Look here instead of where DNS points: a new load balancer before the name is moved."""
    ca: str = ""
    """A file of PEM certificates to trust instead of the system's store."""
    timeout: Duration = timedelta(seconds=5)
    """How long the handshake may take."""

    @field_validator("addresses")
    @classmethod
    def _numeric(cls, addresses: list[str]) -> list[str]:
        if names := [address for address in addresses if not is_address(address)]:
            raise ValueError(f"{names[0]!r} is not an IP address")
        return addresses


class TlsCertificate(Probe[TlsCertificateParams]):
    """A TLS handshake, naming the host, with every address it has: is the certificate valid, and for how long.

    Chain and host name are verified with the system's trust store, or with `ca`, against this machine's clock; `days_left`
    counts to the cutover's now. A certificate that is refused is still read. An address that shows none (no route, refused,
    silent) leaves open what hangs on all of them: a fault seen elsewhere still counts. Needs no permission.
    """

    name = "tls.certificate"
    params_type = TlsCertificateParams
    demands = (Sends("host", ("host",)), Sends("addresses", ("addresses",)), ReadsFile("ca"))
    subjects = ("tls", "certificate")
    cannot_see = "revocation, addresses DNS gives to others, and IPv6 where this machine has none"
    late = "not at all, but for DNS: an old address can be kept for its TTL"
    fields = (
        Field("verified", bool, "every address shows a certificate that is accepted for the host", example=True),
        Field("addresses", tuple, "addresses asked", ("203.0.113.10", "203.0.113.11")),
        Field("failed", int, "addresses whose certificate is refused", 0, "count", low=0),
        Field("failed_addresses", tuple, "those addresses", ("203.0.113.11",)),
        Field("unseen", int, "addresses that showed no certificate", 0, "count", low=0),
        Field("days_left", float, "until the first certificate ends; negative when it has", 61.4, "days"),
        Field("not_after", datetime, "when the first certificate ends", datetime.fromisoformat("2027-01-24T00:00Z")),
        Field("covers_host", bool, "the names in every certificate include the host", example=True),
        Field("issuer", str, "who issued the certificates seen", "CN=Amazon RSA 2048 M02,O=Amazon,C=US"),
        Field("protocol", str, "TLS version agreed on", "TLSv1.3"),
        Field("differing", bool, "not all addresses show the same certificate", example=False),
    )
    interval = timedelta(minutes=5)

    def __init__(self, params: TlsCertificateParams, clients: Clients) -> None:
        super().__init__(params, clients)
        self._resolver = Resolver(clients.named)

    async def close(self) -> None:
        self._resolver.close()

    async def read(self, now: datetime) -> Reading:
        asked = self.params
        query = f"openssl s_client -connect {asked.host}:{asked.port} -servername {asked.host}"
        try:
            trust = trust_in(asked.ca)
            addresses = await self._addresses()
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, Evidence(query))
        host = asked.host.strip("[]")
        answers = await asyncio.gather(*(self._look(address, host, trust) for address in addresses))
        seen = [answer for answer in answers if isinstance(answer, Shown)]
        blind = [answer for answer in answers if isinstance(answer, Unknown)]
        values, unknown = _values(seen, blind, host, now)
        values["addresses"] = tuple(addresses)
        return self.reading(now, values, unknown=unknown, evidence=Evidence(query, lines=_lines(seen, blind)))

    async def _look(self, address: str, host: str, trust: ssl.SSLContext) -> Shown | Unknown:
        try:
            return await shown_by(address, self.params.port, host, trust, self.params.timeout.total_seconds())
        except Unseen as unseen:
            return unseen.unknown

    async def _addresses(self) -> list[str]:
        asked = self.params
        hosts = dict.fromkeys(host.strip("[]") for host in asked.addresses or (asked.host,))
        try:
            async with asyncio.timeout(asked.timeout.total_seconds()):
                return [each for host in hosts for each in await self._resolver.addresses(host, asked.port)]
        except TimeoutError:
            detail = f"{asked.host}: the name was not looked up within {asked.timeout.total_seconds():g} s"
            raise Unseen(Unknown(Reason.TIMEOUT, detail, "check the VPN's resolver")) from None
        except (socket.gaierror, UnicodeError):
            detail = f"{asked.host}: the name does not resolve"
            hint = "check the DNS record, and the VPN's resolver"
            raise Unseen(Unknown(Reason.UNREACHABLE, detail, hint)) from None


def _values(
    seen: Sequence[Shown], blind: Sequence[Unknown], host: str, now: datetime
) -> tuple[dict[str, Value | None], dict[str, Unknown]]:
    values: dict[str, Value | None] = {"unseen": len(blind)}
    if not seen:
        rest = [field.name for field in TlsCertificate.fields if field.name not in ("addresses", "unseen")]
        return values, dict.fromkeys(rest, blind[0])
    refused = tuple(shown.address for shown in seen if shown.fault)
    first_end = min(shown.not_after for shown in seen)
    values |= {
        "verified": not refused,
        "failed": len(refused),
        "failed_addresses": refused,
        "days_left": (first_end - now) / _DAY,
        "not_after": first_end,
        "covers_host": all(covers(shown.names, host) for shown in seen),
        "issuer": "; ".join(sorted({shown.issuer for shown in seen})),
        "protocol": ", ".join(sorted({shown.protocol for shown in seen})),
        "differing": len({shown.fingerprint for shown in seen}) > 1,
    }
    unknown = {} if refused else {"failed_addresses": Unknown(Reason.NO_DATA, "none was refused")}
    if blind:
        # A bad certificate seen is certain; a good one says nothing of the address that showed none.
        open_left = {"days_left", "not_after", "failed", "failed_addresses"}
        open_left |= {name for name in ("verified", "covers_host") if values[name]}
        open_left |= {"differing"} if not values["differing"] else set()
        why = Unknown(Reason.PARTIAL, "; ".join(each.detail for each in blind), blind[0].hint)
        unknown |= dict.fromkeys(open_left - ({"failed_addresses"} if refused else set()), why)
    return values, unknown


def _lines(seen: Sequence[Shown], blind: Sequence[Unknown]) -> tuple[str, ...]:
    lines = [
        one_line(
            f"{shown.address}: {shown.fault or 'verified'}; {', '.join(shown.names[:8]) or 'no names'}; "
            f"until {shown.not_after:%Y-%m-%d %H:%M} UTC; sha256 {shown.fingerprint[:16]}"
        )
        for shown in seen
    ]
    return (*lines, *(one_line(unknown.detail) for unknown in blind))
