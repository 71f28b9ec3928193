"""One rule of a security group, and whether what the plan allows covers it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Literal

from pydantic import Field as Setting
from pydantic import field_validator

from probes.frozen import frozen
from probes.probe import Params
from probes.reading import Unknown

AddressRange = str
"""An address range of a prefix list."""
SELF = "self"
_PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
_LAST = 65535


class Allowed(Params):
    """Who may come in, and on which ports."""

    source: str = Setting(min_length=1)
    """A group's id or name, an address range, a prefix list's id, or `self`: the group itself."""
    ports: list[int | str] = Setting(default_factory=list)
    """3000 or "8000-8010"; left out, every port."""
    protocol: Literal["tcp", "udp", "any"] = "tcp"

    @field_validator("ports")
    @classmethod
    def _are_ports(cls, ports: list[int | str]) -> list[int | str]:
        for port in ports:
            first, last = _range(port)
            if not 0 <= first <= last <= _LAST:
                raise ValueError(f"{port} is no port and no range of them")
        return ports

    @property
    def is_group(self) -> bool:
        """Whether the source is a group's id or name."""
        return self.source != SELF and not self.source.startswith("pl-") and _network(self.source) is None

    def let_in_by(self, rules: Sequence[Rule], source: str) -> bool:
        """Whether rules let in each of its ports, in part at least: `source` is the group's id where it is one."""
        mine = [
            rule
            for rule in rules
            if (_is_within(rule, source) or _is_within_cidr(source, rule.cidr))
            and (rule.protocol == "-1" or self.protocol in ("any", rule.protocol))
        ]
        wanted = [_range(port) for port in self.ports]
        met = (any(r.protocol == "-1" or (r.first <= b and a <= r.last) for r in mine) for a, b in wanted)
        return bool(mine) and all(met)


@frozen
class Rule:
    """A rule as DescribeSecurityGroupRules gives it; exactly one of cidr, prefix_list and group names its source."""

    of: str
    """The group it belongs to."""
    egress: bool
    protocol: str
    """tcp, udp, icmp, icmpv6, a number, or -1 for all."""
    first: int
    last: int
    cidr: str = ""
    prefix_list: str = ""
    group: str = ""

    @property
    def ports(self) -> str:
        """
        >>> Rule("sg-1", False, "tcp", 8000, 8010).ports, Rule("sg-1", False, "-1", -1, -1).ports
        ('tcp/8000-8010', 'all')
        """
        if self.protocol == "-1":
            return "all"
        if self.protocol not in ("tcp", "udp"):
            return self.protocol
        if (self.first, self.last) == (0, _LAST):
            return f"{self.protocol}/all"
        return f"{self.protocol}/{self.first}" + (f"-{self.last}" if self.last != self.first else "")

    @property
    def text(self) -> str:
        """As a person would say it; what somebody wrote beside it is left out."""
        return f"{self.of} {self.ports} from {self.cidr or self.prefix_list or self.group or 'an unnamed source'}"

    def is_world(self, lists: Mapping[str, tuple[AddressRange, ...] | Unknown]) -> bool:
        """Whether it lets in every address, or half of them: two halves make a whole."""
        entries = lists.get(self.prefix_list, ())
        return hold_the_world([self.cidr, *(() if isinstance(entries, Unknown) else entries)])


def hold_the_world(ranges: Iterable[AddressRange]) -> bool:
    """Whether one of them is every address, or half of them."""
    return any(network is not None and network.prefixlen <= 1 for network in map(_network, ranges))


def rule_of(described: Mapping[str, Any]) -> Rule:
    """A rule from SecurityGroupRules[]. tcp and udp without ports, as protocol -1, are every port."""
    protocol = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6"}.get(
        str(described.get("IpProtocol", "-1")), str(described.get("IpProtocol", "-1"))
    )
    first, last = described.get("FromPort"), described.get("ToPort")
    if protocol in ("tcp", "udp") and (first in (None, -1) or last in (None, -1)):
        first, last = 0, _LAST
    return Rule(
        str(described.get("GroupId", "?")),
        # A rule that does not say it goes out is looked at as one that comes in.
        described.get("IsEgress") is True,
        protocol,
        -1 if first is None else int(first),
        -1 if last is None else int(last),
        str(described.get("CidrIpv4") or described.get("CidrIpv6") or ""),
        str(described.get("PrefixListId") or ""),
        str((described.get("ReferencedGroupInfo") or {}).get("GroupId") or ""),
    )


def covered(rule: Rule, source: str, allowed: Allowed) -> bool:
    """Whether all that a rule lets in is allowed; `source` is the allowed group's id where it is one."""
    if not _is_within(rule, source):
        return False
    if allowed.protocol not in ("any", rule.protocol):
        return False
    if not allowed.ports:
        return True
    if rule.protocol not in ("tcp", "udp"):
        return False
    return any(first <= rule.first and rule.last <= last for first, last in map(_range, allowed.ports))


def _is_within(rule: Rule, source: str) -> bool:
    if source == SELF:
        return bool(rule.group) and rule.group == rule.of
    if rule.group or rule.prefix_list:
        return source in (rule.group, rule.prefix_list)
    return _is_within_cidr(rule.cidr, source)


def _is_within_cidr(inner: str, outer: str) -> bool:
    one, other = _network(inner), _network(outer)
    if isinstance(one, IPv4Network) and isinstance(other, IPv4Network):
        return one.subnet_of(other)
    if isinstance(one, IPv6Network) and isinstance(other, IPv6Network):
        return one.subnet_of(other)
    return False


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text, strict=False) if text else None
    except ValueError:
        return None


def _range(port: int | str) -> tuple[int, int]:
    """First and last port; (-1, -1) for what is none."""
    match = _PORTS.fullmatch(str(port))
    return (int(match[1]), int(match[2] or match[1])) if match else (-1, -1)
