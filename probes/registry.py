"""Probe names to classes. A class is imported only when a plan uses it; third parties add theirs by entry point."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from probes.probe import Probe

BUILT_IN: dict[str, str] = {
    "aws.identity": "probes.identity:AwsIdentity",
    "ecs.service": "probes.ecs:EcsService",
    "ecs.tasks": "probes.ecs:EcsTasks",
    "ecs.deployment": "probes.ecs:EcsDeployment",
    "ecs.task_definition": "probes.ecs_task_definition:EcsTaskDefinition",
    "alb.targets": "probes.elb:AlbTargets",
    "alb.load_balancer": "probes.load_balancer:AlbLoadBalancer",
    "acm.certificate": "probes.acm:AcmCertificate",
    "rds.instance": "probes.rds:RdsInstance",
    "rds.snapshots": "probes.snapshots:RdsSnapshots",
    "postgres.pool": "probes.postgres:PostgresPool",
    "postgres.query": "probes.postgres:PostgresQuery",
    "postgres.indexes": "probes.postgres_schema:PostgresIndexes",
    "postgres.rows": "probes.postgres_schema:PostgresRows",
    "prisma.migrations": "probes.prisma:PrismaMigrations",
    "s3.bucket": "probes.s3:S3Bucket",
    "s3.roundtrip": "probes.s3_roundtrip:S3Roundtrip",
    "s3.uploads": "probes.uploads:S3Uploads",
    "secrets.metadata": "probes.secrets:SecretMetadata",
    "secrets.value": "probes.secrets:SecretValue",
    "ecr.image": "probes.ecr:EcrImage",
    "ec2.security_groups": "probes.security_groups:Ec2SecurityGroups",
    "iam.simulate": "probes.iam:IamSimulate",
    "cloudtrail.events": "probes.cloudtrail:CloudTrailEvents",
    "cloudwatch.metric": "probes.cloudwatch:CloudWatchMetric",
    "cloudwatch.ratio": "probes.cloudwatch:CloudWatchRatio",
    "cloudwatch.percentile": "probes.cloudwatch:CloudWatchPercentile",
    "cloudwatch.alarms": "probes.alarms:CloudWatchAlarms",
    "alarms.definition": "probes.alarm_definitions:AlarmDefinition",
    "cloudwatch.dashboard": "probes.dashboard:CloudWatchDashboard",
    "logs.query": "probes.logs:LogsQuery",
    "logs.group": "probes.log_group:LogsGroup",
    "http.health": "probes.http:HttpHealth",
    "file.env_example": "probes.env_example:EnvExample",
    "time.window": "probes.window:TimeWindow",
    "redis.upstash": "probes.redis:RedisUpstash",
    "status.page": "probes.status_page:StatusPage",
    "llm.models": "probes.llm:LlmModels",
    "tailscale.status": "probes.tailscale:TailscaleStatus",
    "slack.webhook": "probes.slack:SlackWebhook",
    "oauth.nextauth": "probes.oauth:OAuthNextAuth",
    "tls.certificate": "probes.tls:TlsCertificate",
}
GROUP = "cockpit.probes"


class UnknownProbe(LookupError):  # noqa: N818 - a name of the public interface
    """No probe of that name; `nearest` is a name to suggest, or empty."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.nearest = next(iter(get_close_matches(name, list(names()), n=1)), "")
        super().__init__(f"there is no probe '{name}'" + (f"; did you mean '{self.nearest}'?" if self.nearest else ""))


@cache
def _third_party() -> dict[str, str]:
    return {point.name: point.value for point in entry_points(group=GROUP)}


def names() -> Iterator[str]:
    """Every probe name that can be used in a plan, sorted."""
    yield from sorted(BUILT_IN | _third_party())


def find(name: str) -> type[Probe[Any]]:
    """The class of a probe. Raises UnknownProbe with the nearest name."""
    target = (_third_party() | BUILT_IN).get(name)
    if target is None:
        raise UnknownProbe(name)
    module, _, attribute = target.partition(":")
    found: type[Probe[Any]] = getattr(import_module(module), attribute)
    return found
