"""Probe names to classes. A class is imported only when a plan uses it; third parties add theirs by entry point."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from probes.probe import Probe
from probes.suggestion import closest

BUILT_IN: dict[str, str] = {
    "aws.identity": "probes.aws.identity:AwsIdentity",
    "ecs.service": "probes.aws.ecs:EcsService",
    "ecs.tasks": "probes.aws.ecs_tasks:EcsTasks",
    "ecs.deployment": "probes.aws.ecs_deployment:EcsDeployment",
    "ecs.task_definition": "probes.aws.ecs_task_definition:EcsTaskDefinition",
    "alb.targets": "probes.aws.alb_targets:AlbTargets",
    "alb.load_balancer": "probes.aws.alb_load_balancer:AlbLoadBalancer",
    "acm.certificate": "probes.aws.acm:AcmCertificate",
    "rds.instance": "probes.aws.rds_instance:RdsInstance",
    "rds.cluster": "probes.aws.rds_cluster:RdsCluster",
    "rds.proxy": "probes.aws.rds_proxy:RdsProxy",
    "rds.snapshots": "probes.aws.rds_snapshots:RdsSnapshots",
    "postgres.pool": "probes.databases.postgres_pool:PostgresPool",
    "postgres.query": "probes.databases.postgres:PostgresQuery",
    "postgres.indexes": "probes.databases.postgres_schema:PostgresIndexes",
    "postgres.rows": "probes.databases.postgres_schema:PostgresRows",
    "cutover.migration": "probes.databases.migration_ledger:CutoverMigration",
    "prisma.migrations": "probes.databases.prisma:PrismaMigrations",
    "s3.bucket": "probes.aws.s3_bucket:S3Bucket",
    "s3.roundtrip": "probes.aws.s3_roundtrip:S3Roundtrip",
    "s3.uploads": "probes.aws.s3_uploads:S3Uploads",
    "secrets.metadata": "probes.aws.secrets_manager:SecretMetadata",
    "secrets.value": "probes.aws.secrets_manager:SecretValue",
    "ecr.image": "probes.aws.ecr:EcrImage",
    "ec2.security_groups": "probes.aws.security_groups:Ec2SecurityGroups",
    "iam.simulate": "probes.aws.iam_simulate:IamSimulate",
    "cloudtrail.events": "probes.aws.cloudtrail:CloudTrailEvents",
    "cloudwatch.metric": "probes.aws.cloudwatch:CloudWatchMetric",
    "cloudwatch.ratio": "probes.aws.cloudwatch:CloudWatchRatio",
    "cloudwatch.percentile": "probes.aws.cloudwatch:CloudWatchPercentile",
    "cloudwatch.alarms": "probes.aws.cloudwatch_alarms:CloudWatchAlarms",
    "alarms.definition": "probes.aws.alarm_definitions:AlarmDefinition",
    "cloudwatch.dashboard": "probes.aws.cloudwatch_dashboard:CloudWatchDashboard",
    "sqs.queue": "probes.aws.sqs_queue:SqsQueue",
    "lambda.function": "probes.aws.lambda_function:LambdaFunction",
    "elasticache.replication_group": "probes.aws.elasticache:ElastiCacheReplicationGroup",
    "codedeploy.deployment": "probes.aws.codedeploy:CodeDeployDeployment",
    "cloudfront.distribution": "probes.aws.cloudfront:CloudFrontDistribution",
    "logs.query": "probes.aws.logs_query:LogsQuery",
    "logs.group": "probes.aws.logs_group:LogsGroup",
    "http.health": "probes.web.http_health:HttpHealth",
    "http.json": "probes.web.http_json:HttpJson",
    "prometheus.query": "probes.web.prometheus:PrometheusQuery",
    "dns.record": "probes.web.dns_record:DnsRecord",
    "command": "probes.local.external_command:ExternalCommand",
    "file.env_example": "probes.local.env_example:EnvExample",
    "time.window": "probes.local.time_window:TimeWindow",
    "redis.upstash": "probes.databases.redis_upstash:RedisUpstash",
    "status.page": "probes.web.status_page:StatusPage",
    "llm.models": "probes.web.llm:LlmModels",
    "tailscale.status": "probes.local.tailscale:TailscaleStatus",
    "slack.webhook": "probes.web.slack:SlackWebhook",
    "oauth.nextauth": "probes.web.oauth:OAuthNextAuth",
    "tls.certificate": "probes.web.tls:TlsCertificate",
}
GROUP = "cockpit.probes"


class UnknownProbe(LookupError):  # noqa: N818 - a name of the public interface
    """No probe of that name; `nearest` is a name to suggest, or empty."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.nearest = closest(name, names())
        super().__init__(f"there is no probe '{name}'" + (f"; did you mean '{self.nearest}'?" if self.nearest else ""))


@cache
def _third_party() -> dict[str, str]:
    return {point.name: point.value for point in entry_points(group=GROUP)}


def names() -> Iterator[str]:
    """Every probe name that can be used in a plan, sorted."""
    yield from sorted(BUILT_IN | _third_party())


def find(name: str) -> type[Probe[Any]]:
    """The class of a probe. Raises UnknownProbe with the nearest name."""
    target = BUILT_IN.get(name) or _third_party().get(name)
    if target is None:
        raise UnknownProbe(name)
    module, _, attribute = target.partition(":")
    found: type[Probe[Any]] = getattr(import_module(module), attribute)
    return found
