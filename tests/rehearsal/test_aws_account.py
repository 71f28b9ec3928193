"""The furnished account is what the readiness report wants; S3 checks digests; RDS and IAM answer what is asked."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from rehearsal.test_aws_desk import APPLICATION, OPERATOR, Desk, code_of, open_desk

from cockpit.rehearsal.aws.fixtures.account import Placed, create_account, release
from cockpit.rehearsal.aws.services.s3 import dechunked
from cockpit.rehearsal.aws.services.sts_iam import evaluate

BUCKET, DATABASE = "transparent-trust-documents-prod", "transparent-trust-db-prod"
TASK_ROLE = "arn:aws:iam::123456789012:role/transparent-trust-task"


@pytest.fixture(scope="module")
def furnished() -> Iterator[tuple[Desk, Placed]]:
    with open_desk() as opened:
        yield opened, create_account(opened.aws, opened.endpoint, site_url="https://transparent-trust.company.com")


@pytest.fixture
def desk(furnished: tuple[Desk, Placed]) -> Desk:
    return furnished[0]


@pytest.fixture
def placed(furnished: tuple[Desk, Placed]) -> Placed:
    return furnished[1]


def digest(body: bytes) -> str:
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


def test_the_environment_and_the_secrets_of_the_task_definition(desk: Desk) -> None:
    definition = desk.client("ecs").describe_task_definition(taskDefinition="transparent-trust-web")["taskDefinition"]
    container = definition["containerDefinitions"][0]
    plain = {each["name"]: each["value"] for each in container["environment"]}
    held = {each["name"] for each in container["secrets"]}
    assert plain["AWS_REGION"] == "us-east-1"
    assert plain["S3_DOCUMENTS_BUCKET"] == BUCKET
    assert plain["NEXTAUTH_URL"] == "https://transparent-trust.company.com"
    assert not {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} & (plain.keys() | held)
    assert held >= {
        "DATABASE_URL",
        "NEXTAUTH_SECRET",
        "ENCRYPTION_KEY",
        "ANTHROPIC_API_KEY",
        "GOOGLE_CLIENT_ID",
        "GOOGLE_CLIENT_SECRET",
    }
    assert not held & plain.keys()
    assert "@sha256:" in container["image"]
    assert definition["taskRoleArn"] == TASK_ROLE


def test_the_running_image_is_in_the_repository(desk: Desk) -> None:
    images = desk.client("ecr").describe_images(repositoryName="transparent-trust")["imageDetails"]
    arns = desk.client("ecs").list_tasks(cluster="transparent-trust-prod")["taskArns"]
    task = desk.client("ecs").describe_tasks(cluster="transparent-trust-prod", tasks=arns)["tasks"][0]
    assert task["containers"][0]["imageDigest"] in {image["imageDigest"] for image in images}
    assert abs(images[0]["imagePushedAt"] - desk.clock.time) < timedelta(seconds=2)


def test_a_release_is_the_next_revision_with_an_image_of_its_own(desk: Desk, placed: Placed) -> None:
    ecs = desk.client("ecs")
    before = ecs.describe_task_definition(taskDefinition=placed.task_definition_arn)["taskDefinition"]
    after = ecs.describe_task_definition(taskDefinition=release(desk.aws, desk.endpoint, 2))["taskDefinition"]
    assert (before["revision"], after["revision"]) == (1, 2)
    image, other = before["containerDefinitions"][0].pop("image"), after["containerDefinitions"][0].pop("image")
    assert image != other
    assert before["containerDefinitions"] == after["containerDefinitions"]
    assert desk.aws.ecs.serving_revision == 1


def test_the_secrets_are_no_placeholders(desk: Desk, placed: Placed) -> None:
    client = desk.client("secretsmanager", APPLICATION)
    for name, value in placed.secrets.items():
        assert client.get_secret_value(SecretId=name)["SecretString"] == value
    assert len(placed.secrets["transparent-trust/encryption-key"]) >= 32
    assert json.loads(placed.secrets["transparent-trust/google-oauth"]).keys() == {"client_id", "client_secret"}
    assert "..." not in "".join(placed.secrets.values())
    assert placed.secrets["transparent-trust/anthropic-api-key"] not in repr(placed)


def test_the_load_balancer_is_internal_and_ends_tls_with_a_valid_certificate(desk: Desk, placed: Placed) -> None:
    elb = desk.client("elbv2")
    balancer = elb.describe_load_balancers(Names=["transparent-trust-alb"])["LoadBalancers"][0]
    assert (balancer["Scheme"], balancer["LoadBalancerArn"]) == ("internal", placed.alb_arn)
    assert placed.alb_arn.endswith(f"loadbalancer/{placed.alb_suffix}")
    listener = elb.describe_listeners(LoadBalancerArn=placed.alb_arn)["Listeners"][0]
    assert (listener["Port"], listener["Certificates"][0]["CertificateArn"]) == (443, placed.certificate_arn)
    certificate = desk.client("acm").describe_certificate(CertificateArn=placed.certificate_arn)["Certificate"]
    assert certificate["NotAfter"] - desk.clock.time > timedelta(days=200)
    assert certificate["DomainName"] == "transparent-trust.company.com"
    group = elb.describe_target_groups(Names=["transparent-trust-web"])["TargetGroups"][0]
    assert (group["HealthCheckPath"], group["TargetGroupArn"]) == ("/api/health", placed.target_group_arn)
    assert placed.vars["alb"].startswith("app/transparent-trust-alb/")


def test_only_the_balancer_reaches_the_tasks_and_only_they_the_database(desk: Desk) -> None:
    groups = {g["GroupName"]: g for g in desk.client("ec2").describe_security_groups()["SecurityGroups"]}
    for behind, port, before in (("ecs", 3000, "alb"), ("db", 5432, "ecs")):
        rules = groups[f"transparent-trust-{behind}"]["IpPermissions"]
        sources = [pair["GroupId"] for rule in rules for pair in rule["UserIdGroupPairs"]]
        assert [(rule["FromPort"], rule["IpRanges"]) for rule in rules] == [(port, [])]
        assert sources == [groups[f"transparent-trust-{before}"]["GroupId"]]


def test_the_bucket_is_versioned_encrypted_closed_and_archives_readably(desk: Desk) -> None:
    s3 = desk.client("s3")
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    rules = {rule["ID"]: rule for rule in s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]}
    assert rules["archive-after-90-days"]["Transitions"] == [{"Days": 90, "StorageClass": "STANDARD_IA"}]
    assert rules["abort-incomplete-uploads"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert all(s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"].values())
    encryption = s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert encryption["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert [
        each["Id"] for each in s3.list_bucket_metrics_configurations(Bucket=BUCKET)["MetricsConfigurationList"]
    ] == ["EntireBucket"]


def test_alarms_are_there_ok_and_tell_a_confirmed_subscriber(desk: Desk) -> None:
    alarms = {a["AlarmName"]: a for a in desk.client("cloudwatch").describe_alarms()["MetricAlarms"]}
    assert set(alarms) == {
        f"transparent-trust-{n}" for n in ("error-rate", "response-time", "db-connections", "s3-upload-failures")
    }
    assert {alarm["StateValue"] for alarm in alarms.values()} == {"OK"}
    assert all(desk.clock.time - alarm["StateUpdatedTimestamp"] >= timedelta(days=7) for alarm in alarms.values())
    topic = alarms["transparent-trust-error-rate"]["AlarmActions"][0]
    subscriptions = desk.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert [each["SubscriptionArn"].startswith("arn:") for each in subscriptions] == [True]
    assert alarms["transparent-trust-error-rate"]["EvaluationPeriods"] == 5
    assert alarms["transparent-trust-response-time"]["ExtendedStatistic"] == "p95"
    group = desk.client("logs").describe_log_groups(logGroupNamePrefix="/ecs/transparent-trust-web")["logGroups"][0]
    assert group["retentionInDays"] == 30
    body = desk.client("cloudwatch").get_dashboard(DashboardName="transparent-trust-prod")["DashboardBody"]
    assert DATABASE in body


def test_the_database_is_healthy_and_was_backed_up_lately(desk: Desk) -> None:
    instance = desk.client("rds").describe_db_instances(DBInstanceIdentifier=DATABASE)["DBInstances"][0]
    assert (instance["DBInstanceStatus"], instance["PubliclyAccessible"], instance["StorageEncrypted"]) == (
        "available",
        False,
        True,
    )
    assert instance["DBParameterGroups"][0]["ParameterApplyStatus"] == "in-sync"
    assert instance["PendingModifiedValues"] == {}
    assert desk.clock.time - instance["LatestRestorableTime"] == timedelta(minutes=5)
    snapshots = desk.client("rds").describe_db_snapshots(DBInstanceIdentifier=DATABASE, SnapshotType="automated")[
        "DBSnapshots"
    ]
    assert [desk.clock.time - each["SnapshotCreateTime"] for each in snapshots] == [timedelta(hours=6)]


def test_what_an_instance_says_of_itself_can_be_set_and_a_reboot_applies_it(desk: Desk) -> None:
    rds = desk.client("rds")
    desk.aws.databases.set(
        DATABASE, status="modifying", pending={"DBInstanceClass": "db.m6g.large"}, parameters="pending-reboot"
    )
    instance = rds.describe_db_instances(DBInstanceIdentifier=DATABASE)["DBInstances"][0]
    assert instance["DBInstanceStatus"] == "modifying"
    assert instance["PendingModifiedValues"] == {"DBInstanceClass": "db.m6g.large"}
    assert instance["DBParameterGroups"][0]["ParameterApplyStatus"] == "pending-reboot"
    desk.aws.databases.set(DATABASE, status="")
    rds.reboot_db_instance(DBInstanceIdentifier=DATABASE)
    instance = rds.describe_db_instances(DBInstanceIdentifier=DATABASE)["DBInstances"][0]
    assert (instance["DBInstanceStatus"], instance["PendingModifiedValues"]) == ("available", {})
    with pytest.raises(ClientError) as refused:
        rds.describe_db_instances(DBInstanceIdentifier="nope")
    assert code_of(refused) == "DBInstanceNotFound"


@pytest.mark.parametrize(
    ("action", "resource", "decision"),
    [
        ("s3:PutObject", f"arn:aws:s3:::{BUCKET}/documents/a", "allowed"),
        ("s3:PutObject", "arn:aws:s3:::another/documents/a", "implicitDeny"),
        ("s3:DeleteBucket", f"arn:aws:s3:::{BUCKET}", "implicitDeny"),
        (
            "secretsmanager:GetSecretValue",
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:transparent-trust/x-AbCdEf",
            "allowed",
        ),
        ("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:us-east-1:123456789012:secret:other", "implicitDeny"),
    ],
)
def test_what_the_task_role_may_do(desk: Desk, action: str, resource: str, decision: str) -> None:
    answer = desk.client("iam").simulate_principal_policy(
        PolicySourceArn=TASK_ROLE, ActionNames=[action], ResourceArns=[resource]
    )
    assert [each["EvalDecision"] for each in answer["EvaluationResults"]] == [decision]


def test_a_role_nobody_knows_is_an_error(desk: Desk) -> None:
    with pytest.raises(ClientError) as refused:
        desk.client("iam").simulate_principal_policy(PolicySourceArn=f"{TASK_ROLE}-x", ActionNames=["s3:GetObject"])
    assert code_of(refused) == "NoSuchEntity"


def test_an_explicit_deny_wins_and_a_condition_without_its_context_does_not_apply() -> None:
    allow = ("allow", {"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    deny = ("deny", {"Effect": "Deny", "NotAction": "s3:Get*", "Resource": "arn:aws:s3:::b/*"})
    tls = (
        "tls",
        {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
    )
    assert evaluate([deny, allow], "s3:PutObject", "arn:aws:s3:::b/k")["EvalDecision"] == "explicitDeny"
    assert evaluate([deny, allow], "s3:GetObject", "arn:aws:s3:::b/k")["EvalDecision"] == "allowed"
    told = evaluate([allow, tls], "s3:GetObject", "arn:aws:s3:::b/k")
    assert (told["EvalDecision"], told["MissingContextValues"]) == ("allowed", ["aws:SecureTransport"])


def test_identities_differ_by_access_key(desk: Desk) -> None:
    assert desk.client("sts").get_caller_identity()["Arn"].endswith("assumed-role/on-call/cockpit")
    assert (
        desk.client("sts", APPLICATION).get_caller_identity()["Arn"].endswith("assumed-role/transparent-trust-task/web")
    )


BODY = b"a document of some length" * 100


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"ChecksumSHA256": digest(BODY)}, ""),
        ({"ChecksumSHA256": digest(b"another")}, "BadDigest"),
        ({"ChecksumCRC32": "AAAAAA=="}, "BadDigest"),
        ({"ContentMD5": base64.b64encode(hashlib.md5(BODY, usedforsecurity=False).digest()).decode()}, ""),
        ({"ContentMD5": base64.b64encode(hashlib.md5(b"x", usedforsecurity=False).digest()).decode()}, "BadDigest"),
        ({"ChecksumAlgorithm": "SHA256"}, ""),
        ({}, ""),
    ],
)
def test_s3_stores_only_what_its_digest_says(desk: Desk, given: dict[str, Any], code: str) -> None:
    s3 = desk.client("s3", OPERATOR)
    key = f"documents/{abs(hash(str(given)))}"
    if code:
        with pytest.raises(ClientError) as refused:
            s3.put_object(Bucket=BUCKET, Key=key, Body=BODY, **given)
        assert code_of(refused) == code
        assert "Contents" not in s3.list_objects_v2(Bucket=BUCKET, Prefix=key)
        return
    s3.put_object(Bucket=BUCKET, Key=key, Body=BODY, **given)
    assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == BODY
    told = s3.head_object(Bucket=BUCKET, Key=key, ChecksumMode="ENABLED")
    if "ChecksumSHA256" in given or given.get("ChecksumAlgorithm"):
        assert told["ChecksumSHA256"] == digest(BODY)


def test_a_part_with_a_wrong_digest_is_refused(desk: Desk) -> None:
    s3 = desk.client("s3", OPERATOR)
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="big")["UploadId"]
    place = {"Bucket": BUCKET, "Key": "big", "UploadId": upload}
    with pytest.raises(ClientError) as refused:
        s3.upload_part(**place, PartNumber=1, Body=BODY, ChecksumSHA256=digest(b"x"))
    assert code_of(refused) == "BadDigest"
    assert s3.upload_part(**place, PartNumber=1, Body=BODY, ChecksumSHA256=digest(BODY))["ETag"]
    s3.abort_multipart_upload(**place)


def test_a_chunked_body_is_read_with_its_trailer() -> None:
    body = b"5\r\nhello\r\n6;chunk-signature=00\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n"
    assert dechunked(body) == (b"hello world", {"x-amz-checksum-crc32": "DUoRhQ=="})


def test_a_bucket_of_somebody_else_is_refused(desk: Desk) -> None:
    desk.client("s3").get_bucket_versioning(Bucket=BUCKET, ExpectedBucketOwner="123456789012")
    with pytest.raises(ClientError) as refused:
        desk.client("s3").get_bucket_versioning(Bucket=BUCKET, ExpectedBucketOwner="999999999999")
    assert code_of(refused) == "AccessDenied"


def test_metrics_configurations_come_and_go(desk: Desk) -> None:
    s3 = desk.client("s3")
    s3.put_bucket_metrics_configuration(
        Bucket=BUCKET, Id="docs", MetricsConfiguration={"Id": "docs", "Filter": {"Prefix": "documents/"}}
    )
    told = s3.get_bucket_metrics_configuration(Bucket=BUCKET, Id="docs")["MetricsConfiguration"]
    assert told == {"Id": "docs", "Filter": {"Prefix": "documents/"}}
    s3.delete_bucket_metrics_configuration(Bucket=BUCKET, Id="docs")
    with pytest.raises(ClientError) as refused:
        s3.get_bucket_metrics_configuration(Bucket=BUCKET, Id="docs")
    assert code_of(refused) == "NoSuchConfiguration"
