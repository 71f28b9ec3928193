"""The probes of how the account is set up answer in the rehearsed AWS, and say that the furnished account is healthy."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from rehearsal.test_aws_desk import APPLICATION, OPERATOR, Desk, open_desk

from cockpit.rehearsal.aws.fixtures.account import Placed, create_account
from probes.clients.clients import AwsOptions, Clients
from probes.reading import Reading, Reason
from probes.registry import find

NAME = "transparent-trust"
CLUSTER, SERVICE, DATABASE, BALANCER = f"{NAME}-prod", f"{NAME}-web", f"{NAME}-db-prod", f"{NAME}-alb"
BUCKET, SITE = f"{NAME}-documents-prod", f"{NAME}.company.com"
PLACE = {"cluster": CLUSTER, "service": SERVICE}


@pytest.fixture(scope="module")
def furnished() -> Iterator[tuple[Desk, Placed]]:
    with open_desk() as opened:
        yield opened, create_account(opened.aws, opened.endpoint, site_url=f"https://{SITE}")


@pytest.fixture
def desk(furnished: tuple[Desk, Placed]) -> Desk:
    return furnished[0]


@pytest.fixture
def placed(furnished: tuple[Desk, Placed]) -> Placed:
    return furnished[1]


def read(desk: Desk, name: str, **params: Any) -> Reading:
    async def once() -> Reading:
        clients = Clients(AwsOptions(region="us-east-1", account="123456789012"), desk.client)
        try:
            probe = find(name)
            return await probe(probe.params_type.model_validate(params), clients).read(desk.clock.now())
        finally:
            await clients.close()

    return asyncio.run(once())


HEALTHY: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "ecs.task_definition": (
        PLACE
        | {
            "required": ["NEXTAUTH_URL", "DATABASE_URL"],
            "secrets": ["DATABASE_URL", "NEXTAUTH_SECRET", "ENCRYPTION_KEY", "GOOGLE_CLIENT_SECRET"],
            "expected": {"AWS_REGION": "us-east-1", "S3_DOCUMENTS_BUCKET": BUCKET, "NODE_ENV": "production"},
            "groups": {"okta": ["OKTA_CLIENT_ID", "OKTA_CLIENT_SECRET", "OKTA_ISSUER"]},
        },
        {
            "definition": f"{SERVICE}:1",
            "image_by_digest": True,
            "has_health_check": True,
            "log_group": f"/ecs/{SERVICE}",
            "task_role": f"{NAME}-task",
            "static_keys": False,
            "plain_secrets_count": 0,
            "secrets_missing_count": 0,
            "variables_missing_count": 0,
            "wrong_values_count": 0,
            "incomplete_groups_count": 0,
        },
    ),
    "alb.targets": (
        {"load_balancer": BALANCER, "host": SITE},
        {"serving": (SERVICE,), "all_healthy": True, "healthy": 2, "health_check_path": "/api/health"},
    ),
    "alb.load_balancer": (
        {"load_balancer": BALANCER},
        {"internal": True, "active": True, "idle_timeout_s": 60.0, "https": True, "serves_plain_http": False},
    ),
    "acm.certificate": (
        {"load_balancer": BALANCER, "host": SITE},
        {"valid_now": True, "days_left": 300.0, "covers_host": True, "on_balancer": True, "renews": False},
    ),
    "rds.snapshots": (
        {"instance": DATABASE},
        {"available": 1, "newest_automated_age_s": 21600.0, "newest_progress": 100, "newest_encrypted": True},
    ),
    "ec2.security_groups": (
        PLACE | {"only_from": [{"source": f"{NAME}-alb", "ports": [3000]}]},
        {"open_to_world": False, "open_ports": ("tcp/3000",), "foreign_sources": 0, "allowed_missing": 0},
    ),
    "logs.group": (
        {"log_group": f"/ecs/{SERVICE}"},
        {"exists": True, "retention_days": 30, "never_expires": False, "metric_filters": 1},
    ),
    "alarms.definition": (
        {"namespace": "AWS/RDS", "metric": "DatabaseConnections", "threshold": 80, "period": "60s"},
        {"matching": 1, "differing": 0, "actions_enabled": True, "notifies": True, "pending_subscribers": 0},
    ),
    "cloudwatch.dashboard": (
        {"dashboard": CLUSTER, "resources": [DATABASE, BUCKET, CLUSTER, SERVICE]},
        {"exists": True, "widgets": 5, "names_missing_count": 0, "widgets_elsewhere": 0},
    ),
    "ecr.image": ({"repository": NAME, "tag": "2024.12.1"}, {"exists": True, "tag_mutable": False}),
    "iam.simulate": (
        {
            "role": f"{NAME}-task",
            "actions": ["s3:PutObject", "s3:GetObject"],
            "resources": [f"arn:aws:s3:::{BUCKET}/a"],
        },
        {"all_allowed": True, "checked": 2, "denied_count": 0, "undecided": 0},
    ),
    "cloudtrail.events": (
        {"event": "GetSecretValue", "role": f"{NAME}-task", "since": "2024-12-28T21:00:00Z"},
        {"count": 0, "failed": 0},
    ),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_the_furnished_account_is_healthy(desk: Desk, name: str) -> None:
    params, wanted = HEALTHY[name]
    reading = read(desk, name, **params)
    assert {field: reading.values.get(field) for field in wanted} == wanted
    assert {u.reason for u in reading.unknown.values()} <= {Reason.NO_DATA, Reason.NOT_FOUND}


def test_the_database_is_reached_by_the_service_alone(desk: Desk) -> None:
    only = [{"source": f"{NAME}-ecs", "ports": [5432]}]
    values = read(desk, "ec2.security_groups", instance=DATABASE, only_from=only).values
    assert (values["foreign_sources"], values["allowed_missing"], values["open_to_world"]) == (0, 0, False)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("ecs.task_definition", {"cluster": CLUSTER, "service": "gone"}),
        ("ecs.task_definition", {"task_definition": "gone:1"}),
        ("alb.load_balancer", {"load_balancer": "gone"}),
        ("acm.certificate", {"certificate": "arn:aws:acm:us-east-1:123456789012:certificate/gone"}),
        ("rds.snapshots", {"instance": "gone"}),
        ("ec2.security_groups", {"groups": ["sg-0123456789abcdef0"]}),
        ("ec2.security_groups", {"groups": ["gone"]}),
        ("ecr.image", {"repository": "gone", "tag": "x"}),
        ("iam.simulate", {"role": "gone", "actions": ["s3:GetObject"]}),
    ],
)
def test_what_is_not_there_is_not_found(desk: Desk, name: str, params: dict[str, Any]) -> None:
    reading = read(desk, name, **params)
    assert not reading.values
    assert {u.reason for u in reading.unknown.values()} == {Reason.NOT_FOUND}


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("logs.group", {"log_group": "/ecs/transparent"}),
        ("cloudwatch.dashboard", {"dashboard": "gone"}),
        ("ecr.image", {"repository": NAME, "tag": "gone"}),
    ],
)
def test_what_is_not_there_does_not_exist(desk: Desk, name: str, params: dict[str, Any]) -> None:
    assert read(desk, name, **params).values["exists"] is False


def test_a_role_without_a_permission_is_denied_by_name(desk: Desk) -> None:
    params = {"role": f"{NAME}-task", "actions": ["s3:DeleteBucket"], "resources": [f"arn:aws:s3:::{BUCKET}"]}
    values = read(desk, "iam.simulate", **params).values
    assert values["denied"] == (f"s3:DeleteBucket on arn:aws:s3:::{BUCKET}: implicitDeny",)


def test_the_image_that_runs_is_the_one_in_the_repository(desk: Desk) -> None:
    running = str(read(desk, "ecs.task_definition", **PLACE).values["image"]).partition("@")[2]
    assert read(desk, "ecr.image", repository=NAME, tag="2024.12.1", digest=running).values["matches"] is True
    assert read(desk, "ecr.image", repository=NAME, digest=running).values["exists"] is True


def test_a_cluster_and_the_proxy_before_it_are_read(desk: Desk) -> None:
    rds, secret = desk.client("rds", OPERATOR), "rehearsed-master"
    rds.create_db_cluster(
        DBClusterIdentifier="orders", Engine="aurora-postgresql", EngineVersion="16.4", MasterUsername="app",
        MasterUserPassword=secret, DeletionProtection=True, StorageEncrypted=True, BackupRetentionPeriod=14,
        ServerlessV2ScalingConfiguration={"MinCapacity": 0.5, "MaxCapacity": 16},
    )  # fmt: skip
    for name in ("orders-1", "orders-2"):
        rds.create_db_instance(
            DBInstanceIdentifier=name, DBClusterIdentifier="orders", Engine="aurora-postgresql",
            DBInstanceClass="db.serverless",
        )  # fmt: skip
    subnets = rds.describe_db_subnet_groups()["DBSubnetGroups"][0]["Subnets"]
    rds.create_db_proxy(
        DBProxyName="orders", EngineFamily="POSTGRESQL", Auth=[], RequireTLS=True,
        RoleArn="arn:aws:iam::123456789012:role/proxy", VpcSubnetIds=[each["SubnetIdentifier"] for each in subnets],
    )  # fmt: skip
    rds.register_db_proxy_targets(DBProxyName="orders", DBClusterIdentifiers=["orders"])
    cluster = read(desk, "rds.cluster", cluster="orders").values
    assert (cluster["writer"], cluster["failover_members"], cluster["serverless_max"]) == ("orders-1", 1, 16.0)
    member = read(desk, "rds.instance", instance="orders-2").values
    assert (member["cluster"], member["backup_retention_days"], member["deletion_protection"]) == ("orders", 14, True)
    proxy = read(desk, "rds.proxy", proxy="orders")
    assert (proxy.values["available"], proxy.values["requires_tls"]) == (True, True)
    assert proxy.unknown["connections"].reason is Reason.NO_DATA


def test_a_service_that_codedeploy_deploys_is_known_by_its_task_set(desk: Desk) -> None:
    service = desk.aws.ecs.main
    service.controller = "CODE_DEPLOY"
    try:
        seen, deployment = read(desk, "ecs.service", **PLACE), read(desk, "ecs.deployment", **PLACE)
        defined = read(desk, "ecs.task_definition", **PLACE).values["definition"]
    finally:
        service.controller = "ECS"
    assert (seen.values["controller"], seen.values["stable"], seen.values["task_definition"]) == (
        "CODE_DEPLOY",
        True,
        defined,
    )
    assert (deployment.values["succeeded"], deployment.values["failed"]) == (True, False)
    assert "aws deploy get-deployment" in deployment.unknown["status"].hint


@pytest.fixture
def other() -> Iterator[Desk]:
    """A furnished account to break."""
    with open_desk() as opened:
        create_account(opened.aws, opened.endpoint, site_url=f"https://{SITE}")
        yield opened


def test_what_is_broken_shows(other: Desk) -> None:
    ec2, elb = other.client("ec2", OPERATOR), other.client("elbv2", OPERATOR)
    group = read(other, "ec2.security_groups", groups=[f"{NAME}-ecs"]).values["group_ids"][0]  # type: ignore[index]
    ranges = [{"CidrIpv6": "::/0"}]
    rule = {"IpProtocol": "-1", "FromPort": -1, "ToPort": -1, "Ipv6Ranges": ranges}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    only = [{"source": f"{NAME}-alb", "ports": [3000]}]
    values = read(other, "ec2.security_groups", **PLACE, only_from=only).values
    assert (values["open_to_world"], values["foreign"]) == (True, (f"{group} all from ::/0",))

    balancer = elb.describe_load_balancers(Names=[BALANCER])["LoadBalancers"][0]["LoadBalancerArn"]
    target = elb.describe_target_groups(Names=[SERVICE])["TargetGroups"][0]["TargetGroupArn"]
    forward = [{"Type": "forward", "TargetGroupArn": target}]
    elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=forward)
    assert read(other, "alb.load_balancer", load_balancer=BALANCER).values["serves_plain_http"] is True

    other.client("logs", OPERATOR).delete_retention_policy(logGroupName=f"/ecs/{SERVICE}")
    assert read(other, "logs.group", log_group=f"/ecs/{SERVICE}").values["never_expires"] is True


def test_a_manual_snapshot_takes_its_time(other: Desk) -> None:
    rds = other.client("rds", OPERATOR)
    rds.create_db_snapshot(DBInstanceIdentifier=DATABASE, DBSnapshotIdentifier="before-cutover")
    begun = other.clock.now() - timedelta(seconds=1)
    other.clock.time += timedelta(seconds=90)
    under_way = read(other, "rds.snapshots", instance=DATABASE, after=begun).values
    assert (under_way["newest"], under_way["newest_status"]) == ("before-cutover", "creating")
    assert 45 <= int(str(under_way["newest_progress"])) <= 50
    assert under_way["taken_after"] is False
    other.clock.time += timedelta(seconds=120)
    done = read(other, "rds.snapshots", instance=DATABASE, after=begun).values
    assert (done["newest_progress"], done["taken_after"], done["available"]) == (100, True, 2)


def test_an_alarm_lives_when_its_metric_does(other: Desk) -> None:
    params = {"namespace": "AWS/RDS", "metric": "DatabaseConnections"}
    assert read(other, "alarms.definition", **params).values["dead"] is True
    other.aws.metrics.put(
        "AWS/RDS", "DatabaseConnections", {"DBInstanceIdentifier": DATABASE}, other.clock.now(), [12.0], "Count"
    )
    assert read(other, "alarms.definition", **params).values["dead"] is False


def test_cloudtrail_tells_what_the_application_read_some_minutes_later(other: Desk) -> None:
    since = other.clock.now() - timedelta(minutes=1)
    secret = f"{NAME}/encryption-key"
    other.client("secretsmanager", APPLICATION).get_secret_value(SecretId=secret)
    with pytest.raises(ClientError):
        other.client("secretsmanager", APPLICATION).get_secret_value(SecretId="gone")
    asked = {"event": "GetSecretValue", "role": f"{NAME}-task", "since": since}
    assert read(other, "cloudtrail.events", **asked).unknown["count"].reason is Reason.WARMING
    other.clock.time += timedelta(minutes=6)
    values = read(other, "cloudtrail.events", **asked).values
    assert (values["count"], values["failed"], values["touched"]) == (1, 1, (secret,))
    assert values["failures"] == ("ResourceNotFoundException",)
