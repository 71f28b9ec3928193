"""What an account holds that a cutover is about: services, databases, buckets, secrets, alarms. Only lists are asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import field, replace
from functools import partial
from typing import TypeVar

from probes.clients.clients import Clients
from probes.clients.paging import pages
from probes.frozen import frozen
from probes.reading import Unseen

PERMISSIONS = {
    "services": ("ecs:ListClusters", "ecs:ListServices", "ecs:DescribeServices"),
    "load balancers": (
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeListeners",
    ),
    "task definitions": ("ecs:DescribeTaskDefinition",),
    "databases": ("rds:DescribeDBInstances",),
    "buckets": ("s3:ListAllMyBuckets",),
    "secrets": ("secretsmanager:ListSecrets",),
    "alarms": ("cloudwatch:DescribeAlarms",),
}
"""Part of the survey -> what seeing it takes."""
UNKNOWN_HOST = "fill-in.invalid"
"""Stands for the name people reach where no load balancer was seen: a plan with it is valid, and no such host can ever be."""
_AT_ONCE = 10
T = TypeVar("T")


@frozen
class FoundService:
    """An ECS service, and what stands before it."""

    cluster: str
    name: str
    desired: int = 2
    target_group: str = ""
    """Its name; empty where the service has none, or it cannot be seen."""
    load_balancer: str = ""
    """The ARN's part after loadbalancer/, as metrics name it."""
    host: str = ""
    """The load balancer's own name in DNS."""
    scheme: str = "https"
    """Of the listener that people reach: HTTPS where there is one."""
    port: int = 0
    """That listener's; 0 for the scheme's own."""
    health_path: str = "/"
    """What the load balancer asks each task for."""
    log_group: str = ""
    balancer_arn: str = ""

    @property
    def label(self) -> str:
        return f"{self.cluster}/{self.name}"

    @property
    def health_url(self) -> str:
        """What the load balancer asks for, by its own name, or the host to fill in where that is not known."""
        own = {"https": 443, "http": 80}[self.scheme]
        port = f":{self.port}" if self.port not in (0, own) else ""
        return f"{self.scheme}://{self.host or UNKNOWN_HOST}{port}{self.health_path}"


Look = Callable[[Clients, FoundService], Awaitable[FoundService]]
"""Asks for one thing more about a service."""


@frozen
class Found:
    """One account in one region, as far as it may be seen."""

    account: str = ""
    region: str = ""
    services: tuple[FoundService, ...] = ()
    databases: tuple[str, ...] = ()
    """RDS instances; in place of those of a cluster, the cluster."""
    buckets: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()
    unseen: dict[str, str] = field(default_factory=dict)
    """Part -> why it is missing, with the permission it takes."""
    clusters: frozenset[str] = frozenset()
    """Which of the databases are clusters."""


async def survey(clients: Clients, region: str) -> Found:
    """Everything there is to see. What may not be listed is named in `unseen`. Raises Unseen without any credentials."""
    identity = await clients.aws("sts", "get_caller_identity")
    unseen: dict[str, str] = {}

    async def part(name: str, look: Callable[[Clients], Awaitable[tuple[T, ...]]]) -> tuple[T, ...]:
        try:
            return await look(clients)
        except Unseen as error:
            unseen[name] = _why(name, error)
            return ()

    services = await part("services", partial(_services, unseen))
    databases = await part("databases", _databases)
    return Found(
        str(identity.get("Account", "")),
        region,
        services,
        tuple(dict.fromkeys(name for name, _ in databases)),
        await part("buckets", _buckets),
        await part("secrets", _secrets),
        await part("alarms", _alarms),
        unseen,
        frozenset(name for name, clustered in databases if clustered),
    )


def _why(part: str, error: Unseen) -> str:
    why = error.unknown
    return f"{why.reason}: {why.detail}. It takes {', '.join(PERMISSIONS[part])}"


async def _services(unseen: dict[str, str], clients: Clients) -> tuple[FoundService, ...]:
    found: list[FoundService] = []
    for page in await pages(clients, "ecs", "list_clusters", request_key="nextToken", response_key="nextToken"):
        for cluster in page.get("clusterArns") or []:
            found += await _services_of(clients, str(cluster).rpartition("/")[2], unseen)
    return tuple(sorted(found, key=lambda each: each.label))


async def _services_of(clients: Clients, cluster: str, unseen: dict[str, str]) -> list[FoundService]:
    listed = await pages(
        clients, "ecs", "list_services", request_key="nextToken", response_key="nextToken", cluster=cluster
    )
    arns = [arn for page in listed for arn in page.get("serviceArns") or []]
    found = []
    for first in range(0, len(arns), _AT_ONCE):
        answer = await clients.aws("ecs", "describe_services", cluster=cluster, services=arns[first : first + _AT_ONCE])
        for each in answer.get("services") or []:
            made = FoundService(cluster, str(each["serviceName"]), int(each.get("desiredCount") or 0))
            groups = [str(b["targetGroupArn"]) for b in each.get("loadBalancers") or [] if b.get("targetGroupArn")]
            looks: list[tuple[str, Look]] = [("load balancers", partial(_behind, groups[0]))] if groups else []
            if groups:
                looks += [("load balancers", _balanced), ("load balancers", _listened)]
            looks.append(("task definitions", partial(_logged, str(each.get("taskDefinition", "")))))
            for part, look in looks:
                try:
                    made = await look(clients, made)
                except Unseen as error:  # the service is there all the same
                    unseen.setdefault(part, _why(part, error))
            found.append(made)
    return found


async def _behind(group: str, clients: Clients, service: FoundService) -> FoundService:
    """With the target group it is in."""
    answer = await clients.aws("elbv2", "describe_target_groups", TargetGroupArns=[group])
    target = (answer.get("TargetGroups") or [{}])[0]
    arn = next(iter(target.get("LoadBalancerArns") or ()), "")
    return replace(
        service,
        target_group=str(target.get("TargetGroupName", "")),
        health_path=str(target.get("HealthCheckPath") or "/"),
        load_balancer=str(arn).partition(":loadbalancer/")[2],
        balancer_arn=str(arn),
    )


async def _balanced(clients: Clients, service: FoundService) -> FoundService:
    """With the load balancer's own name."""
    if not service.balancer_arn:
        return service
    answer = await clients.aws("elbv2", "describe_load_balancers", LoadBalancerArns=[service.balancer_arn])
    return replace(service, host=str((answer.get("LoadBalancers") or [{}])[0].get("DNSName", "")))


async def _listened(clients: Clients, service: FoundService) -> FoundService:
    """With the listener that people reach."""
    if not service.balancer_arn:
        return service
    answer = await clients.aws("elbv2", "describe_listeners", LoadBalancerArn=service.balancer_arn)
    found = {str(each.get("Protocol")): int(each.get("Port") or 0) for each in answer.get("Listeners") or ()}
    scheme = next((name for name in ("HTTPS", "HTTP") if name in found), "")
    return replace(service, scheme=scheme.lower(), port=found[scheme]) if scheme else service


async def _logged(definition: str, clients: Clients, service: FoundService) -> FoundService:
    """With the log group of its first container that has one."""
    if not definition:
        return service
    answer = await clients.aws("ecs", "describe_task_definition", taskDefinition=definition)
    for container in (answer.get("taskDefinition") or {}).get("containerDefinitions") or []:
        options = (container.get("logConfiguration") or {}).get("options") or {}
        if options.get("awslogs-group"):
            return replace(service, log_group=str(options["awslogs-group"]))
    return service


async def _databases(clients: Clients) -> tuple[tuple[str, bool], ...]:
    """Names, and whether each is a cluster's: backups, protection and failover of its instances are the cluster's."""
    listed = await pages(clients, "rds", "describe_db_instances", request_key="Marker", response_key="Marker")
    held = [each for page in listed for each in page.get("DBInstances") or []]
    clusters = {(str(each["DBClusterIdentifier"]), True) for each in held if each.get("DBClusterIdentifier")}
    alone = {(str(each["DBInstanceIdentifier"]), False) for each in held if not each.get("DBClusterIdentifier")}
    return tuple(sorted(clusters | alone))


async def _buckets(clients: Clients) -> tuple[str, ...]:
    answer = await clients.aws("s3", "list_buckets")
    return tuple(sorted(str(bucket["Name"]) for bucket in answer.get("Buckets") or []))


async def _secrets(clients: Clients) -> tuple[str, ...]:
    listed = await pages(clients, "secretsmanager", "list_secrets")
    return tuple(sorted(str(secret["Name"]) for page in listed for secret in page.get("SecretList") or []))


async def _alarms(clients: Clients) -> tuple[str, ...]:
    listed = await pages(clients, "cloudwatch", "describe_alarms")
    return tuple(sorted(str(alarm["AlarmName"]) for page in listed for alarm in page.get("MetricAlarms") or []))
