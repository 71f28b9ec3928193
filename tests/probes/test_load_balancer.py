"""A load balancer's settings: one rule that forwards is enough to serve in the clear."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.aws.modelled import DENIED, NOW, REQUEST_ID, THROTTLED, ModelledAws, paged, refusal

from probes.aws.alb_load_balancer import AlbLoadBalancer, LoadBalancerParams
from probes.reading import Reading, Reason

ARN = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/web/0123456789abcdef"
LISTENER = ARN.replace("loadbalancer", "listener")
POLICY = "ELBSecurityPolicy-TLS13-1-2-2021-06"
FORWARD = [{"Type": "forward", "TargetGroupArn": "tg"}]
REDIRECT = [{"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "StatusCode": "HTTP_301"}}]
LISTENING = {"listeners", "https", "ssl_policy", "serves_plain_http", "http_redirects"}


@pytest.fixture
async def aws() -> AsyncIterator[ModelledAws]:
    modelled = ModelledAws()
    modelled.on = {
        "DescribeLoadBalancers": balancer(),
        "DescribeLoadBalancerAttributes": attributes(),
        "DescribeListeners": {"Listeners": [https(), http(REDIRECT)]},
        "DescribeRules": rules(),
    }
    yield modelled
    await modelled.clients.close()


def balancer(**more: Any) -> dict[str, Any]:
    described = {
        "LoadBalancerArn": ARN,
        "DNSName": "internal-web-1.us-east-1.elb.amazonaws.com",
        "Scheme": "internal",
        "State": {"Code": "active"},
        "SecurityGroups": ["sg-alb"],
        "AvailabilityZones": [{"ZoneName": "us-east-1a"}, {"ZoneName": "us-east-1b"}],
    }
    return {"LoadBalancers": [described | more]}


def https(policy: str = POLICY) -> dict[str, Any]:
    held = {"Certificates": [{"CertificateArn": "arn:aws:acm:us-east-1:1:certificate/a"}], "SslPolicy": policy}
    return {"ListenerArn": f"{LISTENER}/s", "Protocol": "HTTPS", "Port": 443, "DefaultActions": FORWARD} | held


def http(actions: Any) -> dict[str, Any]:
    return {"ListenerArn": f"{LISTENER}/p", "Protocol": "HTTP", "Port": 80, "DefaultActions": actions}


def attributes(idle: str = "60", kept: str = "true") -> dict[str, Any]:
    pairs = {"idle_timeout.timeout_seconds": idle, "deletion_protection.enabled": kept}
    return {"Attributes": [{"Key": key, "Value": value} for key, value in pairs.items()]}


def rules(*actions: Any) -> dict[str, Any]:
    default = {"IsDefault": True, "Actions": REDIRECT}
    return {"Rules": [default, *({"IsDefault": False, "Actions": each} for each in actions)]}


async def read(aws: ModelledAws, name: str = "web", **on: Any) -> Reading:
    aws.on |= on
    return await AlbLoadBalancer(LoadBalancerParams(load_balancer=name), aws.clients).read(NOW)


async def test_a_balancer_as_it_should_be(aws: ModelledAws) -> None:
    reading = await read(aws)
    assert reading.values == {
        "scheme": "internal",
        "internal": True,
        "state": "active",
        "active": True,
        "dns_name": "internal-web-1.us-east-1.elb.amazonaws.com",
        "zones": 2,
        "security_groups": ("sg-alb",),
        "idle_timeout_s": 60.0,
        "deletion_protection": True,
        "listeners": 2,
        "https": True,
        "ssl_policy": POLICY,
        "serves_plain_http": False,
        "http_redirects": True,
    }
    assert not reading.unknown
    assert reading.evidence.request_id == REQUEST_ID
    assert reading.evidence.console_url.endswith(ARN)
    assert reading.evidence.lines == (f"HTTPS:443 {POLICY} forward", "HTTP:80 redirect")


async def test_one_that_faces_the_internet_or_is_not_active_shows(aws: ModelledAws) -> None:
    outside = balancer(Scheme="internet-facing", State={"Code": "provisioning"})
    values = (await read(aws, DescribeLoadBalancers=outside)).values
    assert (values["internal"], values["active"], values["state"]) == (False, False, "provisioning")


async def test_attributes_of_another_value(aws: ModelledAws) -> None:
    values = (await read(aws, DescribeLoadBalancerAttributes=attributes("30", "false"))).values
    assert (values["idle_timeout_s"], values["deletion_protection"]) == (30.0, False)


async def test_attributes_left_out_are_unknown(aws: ModelledAws) -> None:
    reading = await read(aws, DescribeLoadBalancerAttributes={"Attributes": []})
    assert set(reading.unknown) == {"idle_timeout_s", "deletion_protection"}


async def test_a_listener_that_forwards_http_serves_in_the_clear(aws: ModelledAws) -> None:
    values = (await read(aws, DescribeListeners={"Listeners": [https(), http(FORWARD)]})).values
    assert (values["serves_plain_http"], values["http_redirects"]) == (True, False)


async def test_one_rule_that_forwards_serves_in_the_clear(aws: ModelledAws) -> None:
    values = (await read(aws, DescribeRules=paged([rules(), rules(FORWARD)], "Marker", "NextMarker"))).values
    assert (values["serves_plain_http"], values["http_redirects"]) == (True, False)


async def test_a_redirect_that_stays_on_http_is_none(aws: ModelledAws) -> None:
    stays = [{"Type": "redirect", "RedirectConfig": {"Protocol": "#{protocol}", "StatusCode": "HTTP_301"}}]
    values = (await read(aws, DescribeListeners={"Listeners": [http(stays)]})).values
    assert values["serves_plain_http"] is True


async def test_without_an_http_listener_nothing_is_served_in_the_clear(aws: ModelledAws) -> None:
    reading = await read(aws, DescribeListeners={"Listeners": [https()]})
    assert reading.values["serves_plain_http"] is False
    assert reading.unknown["http_redirects"].reason is Reason.NO_DATA


async def test_without_listeners_there_is_no_https(aws: ModelledAws) -> None:
    reading = await read(aws, DescribeListeners={"Listeners": []})
    assert (reading.values["listeners"], reading.values["https"]) == (0, False)
    assert reading.unknown["ssl_policy"].reason is Reason.NO_DATA


async def test_policies_of_several_listeners_are_all_told(aws: ModelledAws) -> None:
    both = paged([{"Listeners": [https()]}, {"Listeners": [https("Old-2016")]}], "Marker", "NextMarker")
    assert (await read(aws, DescribeListeners=both)).values["ssl_policy"] == f"{POLICY}, Old-2016"


@pytest.mark.parametrize(
    ("operation", "fields"),
    [
        ("DescribeLoadBalancerAttributes", {"idle_timeout_s", "deletion_protection"}),
        ("DescribeListeners", LISTENING),
        ("DescribeRules", {"serves_plain_http", "http_redirects"}),
    ],
)
@pytest.mark.parametrize(("said", "reason"), [(DENIED, Reason.ACCESS_DENIED), (THROTTLED, Reason.THROTTLED)])
async def test_a_part_that_fails_makes_only_its_fields_unknown(
    aws: ModelledAws, operation: str, fields: set[str], said: Any, reason: Reason
) -> None:
    reading = await read(aws, **{operation: said})
    assert set(reading.unknown) == fields
    assert {u.reason for u in reading.unknown.values()} == {reason}
    if reason is Reason.ACCESS_DENIED:
        assert f"elasticloadbalancing:{operation}" in reading.unknown[min(fields)].hint


async def test_rules_that_cannot_be_seen_do_not_excuse_a_default_that_forwards(aws: ModelledAws) -> None:
    values = (await read(aws, DescribeListeners={"Listeners": [http(FORWARD)]}, DescribeRules=DENIED)).values
    assert values["serves_plain_http"] is True


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (DENIED, Reason.ACCESS_DENIED),
        (refusal("LoadBalancerNotFound"), Reason.NOT_FOUND),
        ({"LoadBalancers": []}, Reason.NOT_FOUND),
    ],
)
async def test_a_balancer_that_cannot_be_seen_is_unknown_altogether(
    aws: ModelledAws, said: Any, reason: Reason
) -> None:
    reading = await read(aws, DescribeLoadBalancers=said)
    assert not reading.values
    assert {u.reason for u in reading.unknown.values()} == {reason}
    assert "load balancer web" in reading.unknown["state"].detail


@pytest.mark.parametrize(("name", "key"), [(ARN, "LoadBalancerArns"), ("web", "Names")])
async def test_it_is_found_by_name_and_by_arn(aws: ModelledAws, name: str, key: str) -> None:
    await read(aws, name)
    assert aws.asked[0] == ("DescribeLoadBalancers", {key: [name]})


async def test_a_balancer_without_groups_says_so(aws: ModelledAws) -> None:
    reading = await read(aws, DescribeLoadBalancers=balancer(SecurityGroups=[]))
    assert reading.unknown["security_groups"].reason is Reason.NO_DATA
