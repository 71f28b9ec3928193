"""Who may come in: every group counts, every protocol, both kinds of addresses."""

from __future__ import annotations

import doctest
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from pydantic import ValidationError
from support.aws.modelled import DENIED, NOW, REQUEST_ID, THROTTLED, ModelledAws, paged, refusal

import probes.aws.security_rules
from probes.aws.security_groups import Ec2SecurityGroups, SecurityGroupsParams
from probes.reading import Reading, Reason

NAMES = {"sg-alb": "web-alb", "sg-ecs": "web-ecs", "sg-db": "web-db"}
ONLY = {"groups": ["sg-ecs"], "only_from": [{"source": "sg-alb", "ports": [3000]}]}


def rule(port: int | None = 3000, of: str = "sg-ecs", last: int | None = None, **more: Any) -> dict[str, Any]:
    """As DescribeSecurityGroupRules gives it, by default from the balancer's group."""
    ports = {} if port is None else {"FromPort": port, "ToPort": port if last is None else last}
    told = {"SecurityGroupRuleId": "sgr-1", "GroupId": of, "IsEgress": False, "IpProtocol": "tcp"} | ports
    source = {"CidrIpv4", "CidrIpv6", "PrefixListId", "ReferencedGroupInfo"} & set(more)
    return told | ({} if source else {"ReferencedGroupInfo": {"GroupId": "sg-alb"}}) | more


OUT = rule(None, IsEgress=True, IpProtocol="-1", CidrIpv4="0.0.0.0/0")


def groups_of(asked: dict[str, Any]) -> dict[str, Any]:
    names = [name for f in asked.get("Filters", ()) for name in f["Values"]]
    ids = asked.get("GroupIds") or [group for group, name in NAMES.items() if name in names]
    return {"SecurityGroups": [{"GroupId": group, "GroupName": NAMES.get(group, "x")} for group in ids]}


@pytest.fixture
async def aws() -> AsyncIterator[ModelledAws]:
    modelled = ModelledAws()
    modelled.on = {"DescribeSecurityGroups": groups_of}
    yield modelled
    await modelled.clients.close()


async def read(aws: ModelledAws, *rules: Any, params: dict[str, Any] = ONLY, **on: Any) -> Reading:
    aws.on |= {"DescribeSecurityGroupRules": {"SecurityGroupRules": list(rules)}} | on
    return await Ec2SecurityGroups(SecurityGroupsParams.model_validate(params), aws.clients).read(NOW)


async def test_only_the_balancer_comes_in(aws: ModelledAws) -> None:
    reading = await read(aws, rule(), OUT)
    assert reading.values == {
        "groups": 1,
        "group_ids": ("sg-ecs",),
        "ingress_rules": 1,
        "open_to_world": False,
        "open_ports": ("tcp/3000",),
        "foreign_sources": 0,
        "allowed_missing": 0,
    }
    assert set(reading.unknown) == {"foreign"}
    assert reading.evidence.request_id == REQUEST_ID
    assert reading.evidence.lines == ("sg-ecs tcp/3000 from sg-alb",)
    assert aws.asked[-1][1]["Filters"] == [{"Name": "group-id", "Values": ["sg-ecs"]}]


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (rule(22), "sg-ecs tcp/22 from sg-alb"),
        (rule(3000, last=3001), "sg-ecs tcp/3000-3001 from sg-alb"),
        (rule(ReferencedGroupInfo={"GroupId": "sg-x"}), "sg-ecs tcp/3000 from sg-x"),
        (rule(CidrIpv4="10.0.0.0/8"), "sg-ecs tcp/3000 from 10.0.0.0/8"),
        (rule(CidrIpv6="fd00::/8"), "sg-ecs tcp/3000 from fd00::/8"),
        (rule(IpProtocol="udp"), "sg-ecs udp/3000 from sg-alb"),
        (rule(-1, IpProtocol="-1"), "sg-ecs all from sg-alb"),
        (rule(None, IpProtocol="-1"), "sg-ecs all from sg-alb"),
        (rule(None), "sg-ecs tcp/all from sg-alb"),
        (rule(8, last=-1, IpProtocol="icmp"), "sg-ecs icmp from sg-alb"),
        (rule(IpProtocol="6", of="sg-second", CidrIpv4="10.1.2.3/32"), "sg-second tcp/3000 from 10.1.2.3/32"),
    ],
)
async def test_whatever_else_comes_in_is_foreign(aws: ModelledAws, more: Any, text: str) -> None:
    reading = await read(aws, rule(), more)
    assert (reading.values["foreign_sources"], reading.values["foreign"]) == (1, (text,))
    assert reading.evidence.lines[0] == f"foreign: {text}"


@pytest.mark.parametrize(
    "more",
    [
        rule(22, CidrIpv4="0.0.0.0/0"),
        rule(22, CidrIpv6="::/0"),
        rule(None, IpProtocol="-1", CidrIpv4="0.0.0.0/0"),
        rule(443, CidrIpv4="128.0.0.0/1"),
    ],
)
async def test_the_whole_world_shows_whatever_the_kind_of_address(aws: ModelledAws, more: Any) -> None:
    values = (await read(aws, rule(), more)).values
    assert (values["open_to_world"], values["foreign_sources"]) == (True, 1)


async def test_going_out_to_the_world_is_not_letting_it_in(aws: ModelledAws) -> None:
    assert (await read(aws, OUT)).values["open_to_world"] is False


PREFIXED = rule(443, PrefixListId="pl-1")


@pytest.mark.parametrize(("cidr", "world"), [("10.0.0.0/8", False), ("0.0.0.0/0", True), ("::/0", True)])
async def test_a_prefix_list_is_looked_into(aws: ModelledAws, cidr: str, world: bool) -> None:
    entries = paged([{"Entries": []}, {"Entries": [{"Cidr": cidr, "Description": "x"}]}])
    reading = await read(aws, PREFIXED, GetManagedPrefixListEntries=entries)
    assert reading.values["open_to_world"] is world
    assert reading.values["foreign"] == ("sg-ecs tcp/443 from pl-1",)


async def test_a_long_prefix_list_is_read_a_handful_of_calls_a_reading(aws: ModelledAws) -> None:
    listed = [{"Cidr": f"10.{at // 250}.{at % 250}.0/24"} for at in range(999)] + [{"Cidr": "0.0.0.0/0"}]
    of_hundred = paged([{"Entries": listed[at : at + 100]} for at in range(0, 1000, 100)])
    aws.on |= {
        "DescribeSecurityGroupRules": {"SecurityGroupRules": [PREFIXED]},
        "GetManagedPrefixListEntries": of_hundred,
    }
    probe = Ec2SecurityGroups(SecurityGroupsParams(groups=["sg-ecs"]), aws.clients)
    assert (await probe.read(NOW)).unknown["open_to_world"].reason is Reason.PARTIAL
    assert [operation for operation, _ in aws.asked].count("GetManagedPrefixListEntries") == 5
    assert (await probe.read(NOW)).values["open_to_world"] is True


async def test_a_prefix_list_that_cannot_be_seen_leaves_the_question_open(aws: ModelledAws) -> None:
    reading = await read(aws, PREFIXED, GetManagedPrefixListEntries=DENIED)
    assert reading.unknown["open_to_world"].reason is Reason.ACCESS_DENIED
    assert "ec2:GetManagedPrefixListEntries" in reading.unknown["open_to_world"].hint
    open_ = await read(aws, PREFIXED, rule(22, CidrIpv4="0.0.0.0/0"), GetManagedPrefixListEntries=DENIED)
    assert open_.values["open_to_world"] is True


@pytest.mark.parametrize(
    ("allowed", "told"),
    [
        ({"source": "web-alb", "ports": [3000]}, rule()),
        ({"source": "sg-alb"}, rule(22)),
        ({"source": "sg-alb", "ports": ["2000-4000"]}, rule()),
        ({"source": "10.0.0.0/8", "ports": [3000]}, rule(CidrIpv4="10.1.0.0/16")),
        ({"source": "fd00::/8", "ports": [3000]}, rule(CidrIpv6="fd12::/16")),
        ({"source": "pl-1", "ports": [3000]}, rule(PrefixListId="pl-1")),
        ({"source": "self", "ports": [3000]}, rule(ReferencedGroupInfo={"GroupId": "sg-ecs"})),
        ({"source": "sg-alb", "protocol": "any"}, rule(None, IpProtocol="-1")),
        ({"source": "sg-alb", "protocol": "udp", "ports": [53]}, rule(53, IpProtocol="udp")),
    ],
)
async def test_what_is_allowed_is_not_foreign(aws: ModelledAws, allowed: Any, told: Any) -> None:
    params = {"groups": ["sg-ecs"], "only_from": [allowed]}
    reading = await read(aws, told, params=params, GetManagedPrefixListEntries={"Entries": []})
    assert (reading.values["foreign_sources"], reading.values["allowed_missing"]) == (0, 0)


async def test_a_wider_range_than_allowed_is_foreign(aws: ModelledAws) -> None:
    params = {"groups": ["sg-ecs"], "only_from": [{"source": "10.1.0.0/16", "ports": [3000]}]}
    values = (await read(aws, rule(CidrIpv4="10.0.0.0/8"), params=params)).values
    assert (values["foreign_sources"], values["allowed_missing"]) == (1, 0)


@pytest.mark.parametrize("told", [(), (rule(22),), (rule(ReferencedGroupInfo={"GroupId": "sg-x"}),)])
async def test_an_allowed_source_that_cannot_come_in_is_missed(aws: ModelledAws, told: Any) -> None:
    assert (await read(aws, *told)).values["allowed_missing"] == 1


async def test_ports_of_one_source_may_be_let_in_by_several_rules(aws: ModelledAws) -> None:
    params = {"groups": ["sg-ecs"], "only_from": [{"source": "sg-alb", "ports": [3000, 3001]}]}
    assert (await read(aws, rule(3000), rule(3001), params=params)).values["allowed_missing"] == 0
    assert (await read(aws, rule(3000), params=params)).values["allowed_missing"] == 1


async def test_without_rules_nothing_is_open(aws: ModelledAws) -> None:
    reading = await read(aws)
    assert (reading.values["ingress_rules"], reading.values["open_to_world"]) == (0, False)
    assert reading.unknown["open_ports"].reason is Reason.NO_DATA


async def test_without_only_from_nothing_is_foreign_or_not(aws: ModelledAws) -> None:
    reading = await read(aws, rule(), params={"groups": ["sg-ecs"]})
    assert {"foreign_sources", "foreign", "allowed_missing"} == set(reading.unknown)


async def test_every_group_of_a_service_and_its_deployments(aws: ModelledAws) -> None:
    def network(*groups: str) -> Any:
        return {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["s"], "securityGroups": list(groups)}}}

    service = {"services": [network("sg-ecs") | {"deployments": [network("sg-ecs"), network("sg-db")]}]}
    reading = await read(aws, params={"cluster": "prod", "service": "web"}, DescribeServices=service)
    assert reading.values["group_ids"] == ("sg-ecs", "sg-db")


async def test_the_groups_of_a_database_and_of_a_balancer(aws: ModelledAws) -> None:
    instance = {"DBInstances": [{"VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-db", "Status": "active"}]}]}
    balancer = {"LoadBalancers": [{"LoadBalancerArn": "a", "SecurityGroups": ["sg-alb"]}]}
    params = {"instance": "db", "load_balancer": "web", "groups": ["web-ecs"]}
    reading = await read(aws, params=params, DescribeDBInstances=instance, DescribeLoadBalancers=balancer)
    assert reading.values["group_ids"] == ("sg-ecs", "sg-db", "sg-alb")


@pytest.mark.parametrize(
    ("params", "on", "reason"),
    [
        ({"cluster": "c", "service": "s"}, {"DescribeServices": {"services": []}}, Reason.NOT_FOUND),
        ({"cluster": "c", "service": "s"}, {"DescribeServices": {"services": [{}]}}, Reason.NO_DATA),
        ({"instance": "db"}, {"DescribeDBInstances": {"DBInstances": [{}]}}, Reason.NO_DATA),
        ({"groups": ["no-such-name"]}, {}, Reason.NOT_FOUND),
        ({"groups": ["sg-gone"]}, {"DescribeSecurityGroups": {"SecurityGroups": []}}, Reason.NOT_FOUND),
        ({"groups": ["sg-gone"]}, {"DescribeSecurityGroups": refusal("InvalidGroup.NotFound")}, Reason.NOT_FOUND),
    ],
)
async def test_a_group_that_is_not_there_is_not_a_closed_one(
    aws: ModelledAws, params: Any, on: Any, reason: Reason
) -> None:
    reading = await read(aws, params=params, **on)
    assert not reading.values
    assert {u.reason for u in reading.unknown.values()} == {reason}


async def test_a_name_two_groups_have_names_neither(aws: ModelledAws) -> None:
    twice = {"SecurityGroups": [{"GroupId": f"sg-{n}", "GroupName": "web-alb"} for n in (1, 2)]}
    reading = await read(aws, params={"groups": ["web-alb"]}, DescribeSecurityGroups=twice)
    assert "2 security groups have the name web-alb" in reading.unknown["groups"].detail


async def test_pages_of_rules_are_followed(aws: ModelledAws) -> None:
    two: list[Mapping[str, Any]] = [
        {"SecurityGroupRules": [rule()]},
        {"SecurityGroupRules": [rule(22, CidrIpv4="0.0.0.0/0")]},
    ]
    assert (await read(aws, DescribeSecurityGroupRules=paged(two))).values["open_to_world"] is True


async def test_rules_without_an_end_are_not_half_told(aws: ModelledAws) -> None:
    endless = {"SecurityGroupRules": [rule()], "NextToken": "again"}
    reading = await read(aws, DescribeSecurityGroupRules=endless)
    assert {u.reason for u in reading.unknown.values()} == {Reason.PARTIAL}


@pytest.mark.parametrize("operation", ["DescribeSecurityGroups", "DescribeSecurityGroupRules"])
@pytest.mark.parametrize(
    ("said", "reason"),
    [(refusal("UnauthorizedOperation", status=403), Reason.ACCESS_DENIED), (THROTTLED, Reason.THROTTLED)],
)
async def test_a_refusal_makes_everything_unknown(aws: ModelledAws, operation: str, said: Any, reason: Reason) -> None:
    reading = await read(aws, rule(), **{operation: said})
    assert not reading.values
    assert {u.reason for u in reading.unknown.values()} == {reason}
    if reason is Reason.ACCESS_DENIED:
        assert f"ec2:{operation}" in reading.unknown["groups"].hint


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"cluster": "c"},
        {"groups": ["sg-1"], "only_from": [{"source": ""}]},
        {"groups": ["sg-1"], "only_from": [{"source": "sg-2", "ports": ["http"]}]},
        {"groups": ["sg-1"], "only_from": [{"source": "sg-2", "ports": [70000]}]},
        {"groups": ["sg-1"], "only_from": [{"source": "sg-2", "ports": ["20-10"]}]},
    ],
)
def test_parameters_that_lead_nowhere_are_refused(given: Any) -> None:
    with pytest.raises(ValidationError):
        SecurityGroupsParams.model_validate(given)


def test_the_examples_in_the_documentation_hold() -> None:
    assert doctest.testmod(probes.aws.security_rules).failed == 0
