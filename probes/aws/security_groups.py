"""EC2 security groups: who may come in, over every group that is attached."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Self

from pydantic import Field as Setting
from pydantic import model_validator

from probes.aws.alb_load_balancer import find_balancer
from probes.aws.security_rules import AddressRange, Allowed, Rule, covered, hold_the_world, rule_of
from probes.clients.arns import arn, arn_in, console
from probes.clients.clients import Clients
from probes.clients.long_list import LongList
from probes.clients.paging import needed, pages, request_id
from probes.demand import AWS_ALONE
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen


class SecurityGroupsParams(Params):
    groups: list[str] = Setting(default_factory=list)
    """Ids (`sg-...`) or names of groups."""
    cluster: str = ""
    """Name or ARN of the ECS cluster, where `service` is given."""
    service: str = ""
    """With `cluster`: the groups of an ECS service's network configuration."""
    instance: str = ""
    """The groups of an RDS instance."""
    load_balancer: str = ""
    """The groups of a load balancer, by name or ARN."""
    only_from: list[Allowed] = Setting(default_factory=list)
    """All that may come in; a rule that lets in anything else is foreign."""

    @model_validator(mode="after")
    def _one_at_least(self) -> Self:
        if bool(self.cluster) != bool(self.service):
            raise ValueError("cluster and service go together")
        if not (self.groups or self.service or self.instance or self.load_balancer):
            raise ValueError("give groups, cluster and service, instance, or load_balancer")
        return self


class Ec2SecurityGroups(Probe[SecurityGroupsParams]):
    """Every rule of all security groups of a service, a database or a load balancer: who may come in, and on which ports.

    Reads ec2 DescribeSecurityGroups (so that a group that is not there is noticed, and for names), DescribeSecurityGroupRules
    (IsEgress, IpProtocol, FromPort, ToPort, CidrIpv4, CidrIpv6, PrefixListId, ReferencedGroupInfo.GroupId) and
    GetManagedPrefixListEntries (Cidr); which groups are attached comes from ecs DescribeServices, rds DescribeDBInstances and
    elbv2 DescribeLoadBalancers. Protocol -1 is every port. A prefix list that cannot be read leaves `open_to_world` open.
    """

    name = "ec2.security_groups"
    params_type = SecurityGroupsParams
    demands = AWS_ALONE
    subjects = ("security group",)
    cannot_see = "network ACLs, routes, or a group attached to a network interface by hand"
    late = "seconds: EC2 answers as it is when read"
    fields = (
        Field("groups", int, "groups looked at", 1, "count", low=0),
        Field("group_ids", tuple, "their ids", ("sg-0123456789abcdef0",)),
        Field("ingress_rules", int, "rules that let something in", 1, "count", low=0),
        Field("open_to_world", bool, "a rule lets in every address, or half of them", example=False),
        Field("open_ports", tuple, "what is open to anybody named in a rule", ("tcp/3000",)),
        Field("foreign_sources", int, "rules that let in what `only_from` does not", 0, "count", low=0),
        Field("foreign", tuple, "those rules", ("sg-1 tcp/22 from 0.0.0.0/0",)),
        Field("allowed_missing", int, "entries of `only_from` that no rule lets in", 0, "count", low=0),
    )
    iam = (
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSecurityGroupRules",
        "ec2:GetManagedPrefixListEntries",
        "ecs:DescribeServices",
        "rds:DescribeDBInstances",
        "elasticloadbalancing:DescribeLoadBalancers",
    )
    iam_sometimes = MappingProxyType({"ec2:GetManagedPrefixListEntries": "a rule names a prefix list"})
    interval = timedelta(minutes=5)

    def __init__(self, params: SecurityGroupsParams, clients: Clients) -> None:
        super().__init__(params, clients)
        self._lists: dict[str, LongList] = {}
        """The entries of each prefix list that a rule names."""

    def resources(self) -> Mapping[str, tuple[str, ...]]:
        options, params = self.clients.options, self.params
        service = arn(options, "ecs", f"service/{params.cluster}/{params.service}")
        lists = arn_in(options.region, "", "ec2", "prefix-list/*")
        return {
            "ec2:GetManagedPrefixListEntries": (lists,),
            "ecs:DescribeServices": (service,) if params.service else (),
            "elasticloadbalancing:DescribeLoadBalancers": ("*",) if params.load_balancer else (),
            "rds:DescribeDBInstances": (arn(options, "rds", f"db:{params.instance}"),) if params.instance else (),
        }

    async def read(self, now: datetime) -> Reading:
        query = "ec2 describe-security-group-rules --filters Name=group-id,Values=..."
        try:
            ids = await self._attached()
            query = query.replace("...", ",".join(ids))
            known = await self._groups(GroupIds=ids)
            allowed, answer = await asyncio.gather(self._allowed(), self._rules(ids))
            rules, request = answer
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, Evidence(query))
        coming = [rule for rule in rules if not rule.egress]
        entries = await self._prefix_lists({rule.prefix_list for rule in coming} - {""}, now)
        values: dict[str, Any] = {"groups": len(known), "group_ids": tuple(ids), "ingress_rules": len(coming)}
        values["open_ports"] = tuple(dict.fromkeys(rule.ports for rule in coming))
        unknown = {} if coming else {"open_ports": Unknown(Reason.NO_DATA, "no rule lets anything in")}
        world = [rule for rule in coming if rule.is_world(entries)]
        hidden = next((why for why in entries.values() if isinstance(why, Unknown)), None)
        if world or hidden is None:
            values["open_to_world"] = bool(world)
        else:
            unknown["open_to_world"] = hidden
        judged, open_ = _judged(coming, allowed, self.params.only_from)
        lines = [*(f"foreign: {line}" for line in judged.get("foreign", ())), *(rule.text for rule in coming)]
        evidence = Evidence(query, request, self._url(ids), tuple(dict.fromkeys(lines))[:8])
        return self.reading(now, values | judged, unknown=unknown | open_, evidence=evidence)

    async def _attached(self) -> list[str]:
        """Ids of every group the parameters lead to."""
        found = list(await self._ids(self.params.groups))
        if self.params.service:
            found += await self._of_service()
        if self.params.instance:
            answer = await self.clients.aws("rds", "describe_db_instances", DBInstanceIdentifier=self.params.instance)
            members = [m for i in answer.get("DBInstances") or () for m in i.get("VpcSecurityGroups") or ()]
            found += [str(m["VpcSecurityGroupId"]) for m in members if m.get("VpcSecurityGroupId")]
        if self.params.load_balancer:
            balancer, _ = await find_balancer(self.clients, self.params.load_balancer)
            found += [str(group) for group in balancer.get("SecurityGroups") or ()]
        if not found:
            raise Unseen(Unknown(Reason.NO_DATA, "no security group is attached", "check the names in the plan"))
        return list(dict.fromkeys(found))

    async def _of_service(self) -> list[str]:
        """The groups of a service and of each of its deployments: until one has ended, its tasks keep their own."""
        cluster, service = self.params.cluster, self.params.service
        answer = await self.clients.aws("ecs", "describe_services", cluster=cluster, services=[service])
        found = next(iter(answer.get("services") or ()), None)
        if found is None:
            detail = f"no service {service} in cluster {cluster}"
            raise Unseen(Unknown(Reason.NOT_FOUND, detail, "check the names in the plan"))
        settings = [found, *(found.get("deployments") or ()), *(found.get("taskSets") or ())]
        networks = [(each.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {} for each in settings]
        groups = [str(group) for network in networks for group in network.get("securityGroups") or ()]
        if not groups:
            detail = f"the network configuration of {service} names no security group"
            raise Unseen(Unknown(Reason.NO_DATA, detail, "its tasks have the VPC's default group: name it in `groups`"))
        return groups

    async def _ids(self, wanted: Sequence[str]) -> list[str]:
        """Ids for ids and names, in order. A name two groups have names neither."""
        names = [each for each in wanted if not each.startswith("sg-")]
        if not names:
            return list(wanted)
        found = await self._groups(Filters=[{"Name": "group-name", "Values": names}])
        ids: dict[str, list[str]] = {name: [] for name in names}
        for group in found:
            ids.setdefault(str(group.get("GroupName")), []).append(needed(group, "GroupId", "a security group"))
        for name in names:
            if len(ids[name]) != 1:
                count = f"{len(ids[name])} security groups have" if ids[name] else "no security group has"
                raise Unseen(Unknown(Reason.NOT_FOUND, f"{count} the name {name}", "give the id, or correct the name"))
        return [ids[each][0] if each in ids else each for each in wanted]

    async def _groups(self, **asked: Any) -> list[Mapping[str, Any]]:
        found = await pages(self.clients, "ec2", "describe_security_groups", **asked)
        groups = [group for page in found for group in page.get("SecurityGroups") or ()]
        gone = set(asked.get("GroupIds") or ()) - {group.get("GroupId") for group in groups}
        if gone:
            detail = f"no security group {', '.join(sorted(gone))}"
            raise Unseen(Unknown(Reason.NOT_FOUND, detail, "check the ids in the plan, and the region"))
        return groups

    async def _rules(self, ids: Sequence[str]) -> tuple[list[Rule], str]:
        chosen = [{"Name": "group-id", "Values": list(ids)}]
        found = await pages(self.clients, "ec2", "describe_security_group_rules", Filters=chosen, MaxResults=1000)
        rules = [rule_of(rule) for page in found for rule in page.get("SecurityGroupRules") or ()]
        return rules, request_id(found[0])

    async def _allowed(self) -> list[str]:
        """The sources of `only_from`, names replaced by ids."""
        sources = [allowed.source for allowed in self.params.only_from]
        ids = iter(await self._ids([allowed.source for allowed in self.params.only_from if allowed.is_group]))
        return [next(ids) if allowed.is_group else s for allowed, s in zip(self.params.only_from, sources, strict=True)]

    async def _prefix_lists(self, lists: set[str], now: datetime) -> dict[str, tuple[AddressRange, ...] | Unknown]:
        async def entries(prefix_list: str) -> tuple[AddressRange, ...] | Unknown:
            of = self._lists.setdefault(
                prefix_list,
                LongList(self.clients, "ec2", "get_managed_prefix_list_entries", "Entries", PrefixListId=prefix_list),
            )
            try:
                await of.read_on_by("Cidr", now)
            except Unseen as unseen:
                return unseen.unknown
            known = tuple(str(each["Cidr"]) for each in of.entries.values() if each.get("Cidr"))
            return known if of.whole or hold_the_world(known) else of.partial

        named = sorted(lists)
        return dict(zip(named, await asyncio.gather(*map(entries, named)), strict=True))

    def _url(self, ids: Sequence[str]) -> str:
        region = self.clients.options.region
        return console(region, f"ec2/home?region={region}#SecurityGroups:group-id={','.join(ids)}")


def _judged(
    rules: Sequence[Rule], sources: Sequence[str], allowed: Sequence[Allowed]
) -> tuple[dict[str, Any], dict[str, Unknown]]:
    """Rules against `only_from`; `sources` are its sources, as ids."""
    if not allowed:
        none = Unknown(Reason.NO_DATA, "the plan gives no only_from", "set it in the plan")
        return {}, dict.fromkeys(("foreign_sources", "foreign", "allowed_missing"), none)
    pairs = list(zip(sources, allowed, strict=True))
    foreign = [rule for rule in rules if not any(covered(rule, source, each) for source, each in pairs)]
    let_in = [each.let_in_by(rules, source) for source, each in pairs]
    unknown = {} if foreign else {"foreign": Unknown(Reason.NO_DATA, "there is none")}
    texts = tuple(dict.fromkeys(rule.text for rule in foreign))
    return {"foreign_sources": len(foreign), "foreign": texts, "allowed_missing": let_in.count(False)}, unknown
