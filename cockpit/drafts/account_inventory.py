"""What an account holds that a cutover is about: services, databases, buckets, secrets, alarms. Only lists are asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import field, replace
from typing import TypeVar

from probes.clients.clients import Clients
from probes.clients.paging import pages
from probes.frozen import frozen
from probes.reading import Unseen

PERMISSIONS = {
    "services": (
        "ecs:ListClusters",
        "ecs:ListServices",
        "ecs:DescribeServices",
        "ecs:DescribeTaskDefinition",
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeListeners",
    ),
    "databases": ("rds:DescribeDBInstances",),
    "buckets": ("s3:ListAllMyBuckets",),
    "secrets": ("secretsmanager:ListSecrets",),
    "alarms": ("cloudwatch:DescribeAlarms",),
}
"""Part of the survey -> what seeing it takes."""
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

    @property
    def label(self) -> str:
        return f"{self.cluster}/{self.name}"

    @property
    def health_url(self) -> str:
        """What the load balancer asks for, by its own name; with a place to fill in where that is not known."""
        own = {"https": 443, "http": 80}[self.scheme]
        port = f":{self.port}" if self.port not in (0, own) else ""
        return f"{self.scheme}://{self.host or '[host]'}{port}{self.health_path}"


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
            why = error.unknown
            unseen[name] = f"{why.reason}: {why.detail}. It takes {', '.join(PERMISSIONS[name])}"
            return ()

    services = await part("services", _services)
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


async def _services(clients: Clients) -> tuple[FoundService, ...]:
    found: list[FoundService] = []
    for page in await pages(clients, "ecs", "list_clusters", request_key="nextToken", response_key="nextToken"):
        for cluster in page.get("clusterArns") or []:
            found += await _services_of(clients, str(cluster).rpartition("/")[2])
    return tuple(sorted(found, key=lambda each: each.label))


async def _services_of(clients: Clients, cluster: str) -> list[FoundService]:
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
            made = await _balanced(clients, made, groups[0]) if groups else made
            found.append(await _logged(clients, made, str(each.get("taskDefinition", ""))))
    return found


async def _balanced(clients: Clients, service: FoundService, group: str) -> FoundService:
    answer = await clients.aws("elbv2", "describe_target_groups", TargetGroupArns=[group])
    target = (answer.get("TargetGroups") or [{}])[0]
    path = str(target.get("HealthCheckPath") or "/")
    service = replace(service, target_group=str(target.get("TargetGroupName", "")), health_path=path)
    balancers = target.get("LoadBalancerArns") or []
    if not balancers:
        return service
    answer = await clients.aws("elbv2", "describe_load_balancers", LoadBalancerArns=[balancers[0]])
    host = str((answer.get("LoadBalancers") or [{}])[0].get("DNSName", ""))
    service = replace(service, load_balancer=str(balancers[0]).partition(":loadbalancer/")[2], host=host)
    return await _listened(clients, service, str(balancers[0]))


async def _listened(clients: Clients, service: FoundService, balancer: str) -> FoundService:
    """With the listener that people reach; as it is where listeners may not be seen."""
    try:
        answer = await clients.aws("elbv2", "describe_listeners", LoadBalancerArn=balancer)
    except Unseen:
        return service
    found = {str(each.get("Protocol")): int(each.get("Port") or 0) for each in answer.get("Listeners") or ()}
    scheme = next((name for name in ("HTTPS", "HTTP") if name in found), "")
    return replace(service, scheme=scheme.lower(), port=found[scheme]) if scheme else service


async def _logged(clients: Clients, service: FoundService, definition: str) -> FoundService:
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
