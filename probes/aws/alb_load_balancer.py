"""Application Load Balancer: where it can be reached from, and how it speaks HTTPS and HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from probes.clients.arns import console
from probes.clients.clients import Clients
from probes.clients.paging import needed, pages, request_id
from probes.demand import AWS_ALONE
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen
from probes.redact import one_line

_STATES = ("active", "provisioning", "active_impaired", "failed")
"""Closed: every state of a load balancer."""
Part = tuple[dict[str, Any], dict[str, Unknown]]


class LoadBalancerParams(Params):
    load_balancer: str
    """Name or ARN of the load balancer."""


class AlbLoadBalancer(Probe[LoadBalancerParams]):
    """A load balancer: internal or not, its state, its idle timeout, and whether every listener speaks HTTPS.

    Reads elbv2 DescribeLoadBalancers (Scheme, State.Code, DNSName, SecurityGroups), DescribeLoadBalancerAttributes
    (idle_timeout.timeout_seconds, deletion_protection.enabled), DescribeListeners (Protocol, SslPolicy, DefaultActions) and, for
    listeners that speak HTTP, DescribeRules: one rule that forwards makes a redirecting listener serve in the clear. A call
    that fails makes only its fields unknown. `internal` says where its addresses are, not who may reach them: see
    ec2.security_groups; what its certificate is worth, see acm.certificate.
    """

    name = "alb.load_balancer"
    params_type = LoadBalancerParams
    demands = AWS_ALONE
    subjects = ("alb", "load balancer")
    cannot_see = "who may reach its addresses (ec2.security_groups), or what its certificate is worth (acm.certificate)"
    late = "seconds: a change of a listener takes a moment to hold on every node"
    fields = (
        Field("scheme", str, "internal or internet-facing", "internal"),
        Field("internal", bool, "it has private addresses only", example=True),
        Field("state", str, "active, provisioning, active_impaired or failed", "active"),
        Field("active", bool, "the state is active", example=True),
        Field("dns_name", str, "its name in the DNS", "internal-web-1.us-east-1.elb.amazonaws.com"),
        Field("zones", int, "availability zones it is in", 2, "count", low=0),
        Field("security_groups", tuple, "its security groups", ("sg-0123456789abcdef0",)),
        Field("idle_timeout_s", float, "silence after which it cuts a connection", 60.0, "s", low=1),
        Field("deletion_protection", bool, "it cannot be deleted by accident", example=True),
        Field("listeners", int, "listeners", 2, "count", low=0),
        Field("https", bool, "at least one listener speaks HTTPS, with a certificate", example=True),
        Field("ssl_policy", str, "TLS policies of the HTTPS listeners", "ELBSecurityPolicy-TLS13-1-2-2021-06"),
        Field(
            "serves_plain_http", bool, "a listener answers HTTP with something else than HTTPS's address", example=False
        ),
        Field("http_redirects", bool, "there is an HTTP listener, and all it does is redirect to HTTPS", example=True),
    )
    iam = (
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeLoadBalancerAttributes",
        "elasticloadbalancing:DescribeListeners",
        "elasticloadbalancing:DescribeRules",
    )
    iam_sometimes = MappingProxyType({"elasticloadbalancing:DescribeRules": "a listener speaks plain HTTP"})
    interval = timedelta(minutes=10)

    async def read(self, now: datetime) -> Reading:
        wanted = self.params.load_balancer
        query = f"elbv2 describe-load-balancers --names {wanted}; elbv2 describe-{{load-balancer-attributes,listeners,rules}}"
        try:
            balancer, request = await find_balancer(self.clients, wanted)
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, Evidence(query))
        arn = str(balancer["LoadBalancerArn"])
        values = _balancer(balancer)
        unknown: dict[str, Unknown] = {}
        if not balancer.get("SecurityGroups"):
            unknown["security_groups"] = Unknown(Reason.NO_DATA, "it has no security group")
        parts = await asyncio.gather(self._attributes(arn), self._listeners(arn))
        for known, blind in parts:
            values |= known
            unknown |= blind
        lines = values.pop("lines", ())
        evidence = Evidence(query, request, balancer_url(self.clients, arn), lines)
        return self.reading(now, values, unknown=unknown, evidence=evidence)

    async def _attributes(self, arn: str) -> Part:
        names = ("idle_timeout_s", "deletion_protection")
        try:
            answer = await self.clients.aws("elbv2", "describe_load_balancer_attributes", LoadBalancerArn=arn)
        except Unseen as unseen:
            return {}, dict.fromkeys(names, unseen.unknown)
        attributes = {str(a.get("Key")): a.get("Value") for a in answer.get("Attributes") or ()}
        idle, kept = attributes.get("idle_timeout.timeout_seconds"), attributes.get("deletion_protection.enabled")
        return {
            "idle_timeout_s": float(idle) if idle and str(idle).isdigit() else None,
            "deletion_protection": kept == "true" if kept in ("true", "false") else None,
        }, {}

    async def _listeners(self, arn: str) -> Part:
        try:
            listeners = await listeners_of(self.clients, arn)
        except Unseen as unseen:
            names = ("listeners", "https", "ssl_policy", "serves_plain_http", "http_redirects")
            return {}, dict.fromkeys(names, unseen.unknown)
        secure = [each for each in listeners if each.get("Protocol") in ("HTTPS", "TLS")]
        policies = sorted({str(each["SslPolicy"]) for each in secure if each.get("SslPolicy")})
        values: dict[str, Any] = {
            "listeners": len(listeners),
            "https": any(each.get("Certificates") for each in secure),
            "ssl_policy": ", ".join(policies) or None,
            "lines": tuple(_line(each) for each in listeners[:6]),
        }
        unknown = {} if policies else {"ssl_policy": Unknown(Reason.NO_DATA, "no listener speaks HTTPS")}
        known, blind = await self._plain([each for each in listeners if each.get("Protocol") == "HTTP"])
        return values | known, unknown | blind

    async def _plain(self, listeners: Sequence[Mapping[str, Any]]) -> Part:
        """What HTTP listeners do, by their default actions and by every rule."""
        if not listeners:
            none = Unknown(Reason.NO_DATA, "no listener speaks HTTP")
            return {"serves_plain_http": False}, {"http_redirects": none}
        try:
            ruled = await asyncio.gather(*(rules_of(self.clients, str(each["ListenerArn"])) for each in listeners))
        except Unseen as unseen:
            # A default action that serves is bad whatever the rules say.
            if all(_redirects(each.get("DefaultActions")) for each in listeners):
                return {}, dict.fromkeys(("serves_plain_http", "http_redirects"), unseen.unknown)
            ruled = [[] for _ in listeners]
        actions = [each.get("DefaultActions") for each in listeners]
        actions += [rule.get("Actions") for rules in ruled for rule in rules if not rule.get("IsDefault")]
        redirects = all(_redirects(each) for each in actions)
        return {"serves_plain_http": not redirects, "http_redirects": redirects}, {}


async def find_balancer(clients: Clients, wanted: str) -> tuple[Mapping[str, Any], str]:
    """One load balancer, by name or ARN, as DescribeLoadBalancers gives it, and the request's id. Raises Unseen."""
    key = "LoadBalancerArns" if wanted.startswith("arn:") else "Names"
    answer = await clients.aws("elbv2", "describe_load_balancers", **{key: [wanted]})
    found = answer.get("LoadBalancers") or []
    if not found:
        raise Unseen(Unknown(Reason.NOT_FOUND, f"no load balancer {wanted}", "check the name in the plan"))
    needed(found[0], "LoadBalancerArn", wanted)
    return found[0], request_id(answer)


async def listeners_of(clients: Clients, arn: str) -> list[Mapping[str, Any]]:
    """Every listener of a load balancer, as DescribeListeners gives them. Raises Unseen."""
    found = await pages(
        clients, "elbv2", "describe_listeners", request_key="Marker", response_key="NextMarker", LoadBalancerArn=arn
    )
    listeners = [listener for page in found for listener in page.get("Listeners") or ()]
    for listener in listeners:
        needed(listener, "ListenerArn", "a listener")
    return listeners


async def rules_of(clients: Clients, listener: str) -> list[Mapping[str, Any]]:
    """Every rule of a listener, as DescribeRules gives them, the default one too. Raises Unseen."""
    found = await pages(
        clients, "elbv2", "describe_rules", request_key="Marker", response_key="NextMarker", ListenerArn=listener
    )
    return [rule for page in found for rule in page.get("Rules") or ()]


def balancer_url(clients: Clients, arn: str) -> str:
    """The console's page of a load balancer; empty where the region is not known."""
    region = clients.options.region
    return console(region, f"ec2/home?region={region}#LoadBalancer:loadBalancerArn={arn}")


def _balancer(found: Mapping[str, Any]) -> dict[str, Any]:
    scheme, state = found.get("Scheme"), (found.get("State") or {}).get("Code")
    return {
        "scheme": scheme,
        "internal": None if scheme is None else scheme == "internal",
        "state": state,
        "active": state == "active" if state in _STATES else None,
        "dns_name": found.get("DNSName"),
        "zones": len(found["AvailabilityZones"]) if found.get("AvailabilityZones") else None,
        "security_groups": tuple(found.get("SecurityGroups") or ()),
    }


def _redirects(actions: Any) -> bool:
    """Whether the actions of a listener or rule end in a redirect to HTTPS."""
    kept = [action for action in actions or () if action.get("Type") == "redirect"]
    return bool(kept) and all((a.get("RedirectConfig") or {}).get("Protocol") == "HTTPS" for a in kept)


def _line(listener: Mapping[str, Any]) -> str:
    does = ", ".join(str(action.get("Type")) for action in listener.get("DefaultActions") or ())
    policy = f" {listener['SslPolicy']}" if listener.get("SslPolicy") else ""
    return one_line(f"{listener.get('Protocol')}:{listener.get('Port')}{policy} {does}")
