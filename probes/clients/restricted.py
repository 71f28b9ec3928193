"""Addresses nobody probes by accident: link-local ones, and those at which clouds hand out credentials."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_RESTRICTED: tuple[IPv4Network | IPv6Network, ...] = (
    IPv4Network("169.254.0.0/16"),  # link-local; AWS, Azure, Google, Oracle: 169.254.169.254, 169.254.170.2
    IPv6Network("fe80::/10"),  # link-local
    IPv6Network("fd00:ec2::/32"),  # AWS: metadata, Pod Identity, DNS, time
    IPv6Network("fd20:ce::254/128"),  # Google
    IPv4Network("100.100.100.200/32"),  # Alibaba
    IPv4Network("168.63.129.16/32"),  # Azure
    IPv4Network("192.0.0.192/32"),  # Oracle, classic
)
_IPV4_INSIDE = (
    IPv6Network("::/96"),
    IPv6Network("::ffff:0:0/96"),
    IPv6Network("::ffff:0:0:0/96"),
    IPv6Network("64:ff9b::/96"),
    IPv6Network("64:ff9b:1::/48"),
)
"""Networks whose addresses hold an IPv4 address in their last 32 bits: compatible, mapped, translated."""


def address_in(host: str) -> IPv4Address | IPv6Address | None:
    """The address a host is written as, in brackets or not, without its interface; None for a name."""
    bare = host.strip("[]")
    try:
        return ip_address(bare.partition("%")[0] if ":" in bare else bare)
    except ValueError:
        return None


def is_restricted(host: str) -> bool:
    """Whether the host is written as such an address, in whatever form.

    >>> is_restricted("::ffff:169.254.169.254"), is_restricted("fe80::1%eth0"), is_restricted("10.0.0.1")
    (True, True, False)
    """
    found = address_in(host)
    return found is not None and any(form in network for form in _forms(found) for network in _RESTRICTED)


def _forms(address: IPv4Address | IPv6Address) -> Iterator[IPv4Address | IPv6Address]:
    """The address, and the IPv4 addresses that packets to it may reach."""
    yield address
    if isinstance(address, IPv6Address):
        if any(address in network for network in _IPV4_INSIDE):
            yield IPv4Address(int(address) & 0xFFFFFFFF)
        if address.sixtofour is not None:
            yield address.sixtofour
        if address.teredo is not None:
            yield from address.teredo
