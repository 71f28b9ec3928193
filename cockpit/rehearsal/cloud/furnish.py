"""The account a healthy cutover finds: network, load balancer, service, database, bucket, secrets, logs, alarms, roles."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cockpit.rehearsal.cloud.logs import MetricFilter
from cockpit.rehearsal.cloud.simulation import SimulatedAws

NAME = "transparent-trust"
CLUSTER, SERVICE = f"{NAME}-prod", f"{NAME}-web"
BUCKET, DATABASE, LOG_GROUP = f"{NAME}-documents-prod", f"{NAME}-db-prod", f"/ecs/{NAME}-web"
SITE = "transparent-trust.company.com"
SECRETS: Mapping[str, str] = {
    f"{NAME}/encryption-key": "6f1d2c83b94ae57f0c6d9e1a2b38f74c5d0e9a7b6c4f3e2d1a0b9c8d7e6f5a4b",
    f"{NAME}/anthropic-api-key": "sk-ant-api03-Zq81rehearsalKvT0w5mXbL2nDq7Hs94uYcE",
    f"{NAME}/google-oauth": json.dumps(
        {"client_id": "83120417-rehearsal.apps.googleusercontent.com", "client_secret": "GOCSPX-rehearsal-4kZtWq0v"}
    ),
    f"{NAME}/nextauth-secret": "q2Zk0mT9rehearsal5VwXeL7uPb3nYdGs1HcJf8A=",
}


@dataclass(frozen=True, slots=True)
class Placed:
    """What others need to know: CloudWatch's names of the load balancer and target group, and the plan's vars."""

    load_balancer: str
    target_group: str
    vars: Mapping[str, str]


def furnish(aws: SimulatedAws, endpoint: str, *, site_url: str) -> Placed:
    """Create everything, as whoever ran the infrastructure's code would have."""
    make = _Maker(aws, endpoint)
    subnets, groups = make.network()
    balancer, target_group = make.load_balancer(subnets, groups["alb"])
    make.roles()
    make.secrets()
    definition = make.task_definition(site_url)
    aws.ecs.create_service(CLUSTER, SERVICE, definition, 2, target_group, "web", 3000)
    make.database(subnets, groups["db"])
    make.bucket()
    make.logs()
    suffix = balancer.partition(":loadbalancer/")[2]
    make.alarms(suffix)
    group_suffix = target_group.rpartition(":")[2]
    return Placed(suffix, group_suffix, {"alb": suffix, "target_group": SERVICE})


class _Maker:
    def __init__(self, aws: SimulatedAws, endpoint: str) -> None:
        self.aws = aws
        self.endpoint = endpoint
        self.session = boto3.session.Session()

    def client(self, service: str) -> Any:
        return self.session.client(
            service,
            endpoint_url=self.endpoint,
            region_name=self.aws.region,
            aws_access_key_id="AKIAOPERATOR00000000",
            aws_secret_access_key="rehearsed-operator",  # noqa: S106 - the simulated AWS checks no signature
            config=Config(proxies={}, s3={"addressing_style": "path"}),
        )

    def network(self) -> tuple[list[str], dict[str, str]]:
        ec2 = self.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"{self.aws.region}{zone}")[
                "Subnet"
            ]["SubnetId"]
            for number, zone in ((1, "a"), (2, "b"))
        ]
        self.vpc = vpc
        groups = {
            part: ec2.create_security_group(GroupName=f"{NAME}-{part}", Description=part, VpcId=vpc)["GroupId"]
            for part in ("alb", "ecs", "db")
        }
        for part, source, port in (("ecs", "alb", 3000), ("db", "ecs", 5432)):
            pair = {"GroupId": groups[source]}
            rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "UserIdGroupPairs": [pair]}
            ec2.authorize_security_group_ingress(GroupId=groups[part], IpPermissions=[rule])
        return subnets, groups

    def load_balancer(self, subnets: list[str], group: str) -> tuple[str, str]:
        elb = self.client("elbv2")
        balancer = elb.create_load_balancer(
            Name=f"{NAME}-alb", Subnets=subnets, SecurityGroups=[group], Scheme="internal", Type="application"
        )["LoadBalancers"][0]["LoadBalancerArn"]
        target_group = elb.create_target_group(
            Name=SERVICE, Protocol="HTTP", Port=3000, VpcId=self.vpc, TargetType="ip", HealthCheckPath="/api/health"
        )["TargetGroups"][0]["TargetGroupArn"]
        key, certificate = _certificate(self.aws.clock.now())
        arn = self.client("acm").import_certificate(Certificate=certificate, PrivateKey=key)["CertificateArn"]
        elb.create_listener(
            LoadBalancerArn=balancer,
            Protocol="HTTPS",
            Port=443,
            Certificates=[{"CertificateArn": arn}],
            SslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06",
            DefaultActions=[{"Type": "forward", "TargetGroupArn": target_group}],
        )
        return str(balancer), str(target_group)

    def roles(self) -> None:
        iam = self.client("iam")
        trust = _policy("sts:AssumeRole", principal={"Service": "ecs-tasks.amazonaws.com"})
        for role in (f"{NAME}-task", f"{NAME}-execution"):
            iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust)
        secrets = f"arn:aws:secretsmanager:{self.aws.region}:{self.aws.account}:secret:{NAME}/*"
        reading = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
        documents = ["s3:PutObject", "s3:GetObject", "s3:DeleteObject"]
        for role, name, actions, resource in (
            (f"{NAME}-task", "secrets", reading, secrets),
            (f"{NAME}-task", "documents", documents, f"arn:aws:s3:::{BUCKET}/*"),
            (f"{NAME}-execution", "secrets", reading[:1], secrets),
        ):
            iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=_policy(*actions, resource=resource))

    def secrets(self) -> None:
        client = self.client("secretsmanager")
        self.secret_arns = {
            name: client.create_secret(Name=name, SecretString=text)["ARN"] for name, text in SECRETS.items()
        }

    def task_definition(self, site_url: str) -> str:
        ecs = self.client("ecs")
        ecs.create_cluster(clusterName=CLUSTER)
        plain = {
            "NEXTAUTH_URL": site_url,
            "AWS_REGION": self.aws.region,
            "S3_DOCUMENTS_BUCKET": BUCKET,
            "GOOGLE_ALLOWED_DOMAINS": "company.com",
            "NODE_ENV": "production",
        }
        held = {
            "ENCRYPTION_KEY": f"{NAME}/encryption-key",
            "ANTHROPIC_API_KEY": f"{NAME}/anthropic-api-key",
            "NEXTAUTH_SECRET": f"{NAME}/nextauth-secret",
        }
        digest = "sha256:" + "5f2c" * 16
        container = {
            "name": "web",
            "image": f"{self.aws.account}.dkr.ecr.{self.aws.region}.amazonaws.com/{NAME}@{digest}",
            "memory": 2048,
            "essential": True,
            "portMappings": [{"containerPort": 3000}],
            "environment": [{"name": key, "value": value} for key, value in plain.items()],
            "secrets": [{"name": key, "valueFrom": self.secret_arns[name]} for key, name in held.items()],
            "healthCheck": {"command": ["CMD-SHELL", "curl -f http://localhost:3000/api/health || exit 1"]},
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {"awslogs-group": LOG_GROUP, "awslogs-region": self.aws.region},
            },
        }
        made = ecs.register_task_definition(
            family=SERVICE,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="1024",
            memory="2048",
            taskRoleArn=f"arn:aws:iam::{self.aws.account}:role/{NAME}-task",
            executionRoleArn=f"arn:aws:iam::{self.aws.account}:role/{NAME}-execution",
            containerDefinitions=[container],
        )
        return str(made["taskDefinition"]["taskDefinitionArn"])

    def database(self, subnets: list[str], group: str) -> None:
        rds = self.client("rds")
        rds.create_db_subnet_group(DBSubnetGroupName=NAME, DBSubnetGroupDescription=NAME, SubnetIds=subnets)
        rds.create_db_instance(
            DBInstanceIdentifier=DATABASE,
            DBInstanceClass="db.t4g.medium",
            Engine="postgres",
            EngineVersion="16.4",
            AllocatedStorage=100,
            MasterUsername="postgres",
            MasterUserPassword="rehearsed-master",
            DBName="transparent_trust",
            DBSubnetGroupName=NAME,
            VpcSecurityGroupIds=[group],
            BackupRetentionPeriod=7,
            StorageEncrypted=True,
            PubliclyAccessible=False,
            MultiAZ=True,
            DeletionProtection=True,
        )
        rds.create_db_snapshot(DBInstanceIdentifier=DATABASE, DBSnapshotIdentifier=f"{DATABASE}-before-cutover")

    def bucket(self) -> None:
        s3 = self.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
        s3.put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration={"Rules": [rule]})
        lifecycle = {
            "ID": "archive",
            "Status": "Enabled",
            "Filter": {"Prefix": "documents/"},
            "Transitions": [{"Days": 90, "StorageClass": "STANDARD_IA"}],
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        }
        s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [lifecycle]})
        blocked = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
        s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=dict.fromkeys(blocked, True))

    def logs(self) -> None:
        logs = self.client("logs")
        logs.create_log_group(logGroupName=LOG_GROUP)
        logs.put_retention_policy(logGroupName=LOG_GROUP, retentionInDays=30)
        failed = ("S3 upload failed",)
        self.aws.logs.metric_filters.append(MetricFilter(LOG_GROUP, failed, "TransparentTrust", "S3UploadFailures"))

    def alarms(self, balancer: str) -> None:
        topic = self.client("sns").create_topic(Name=f"{NAME}-alerts")["TopicArn"]
        cloudwatch = self.client("cloudwatch")
        dimension = [{"Name": "LoadBalancer", "Value": balancer}]

        def stat(id_: str, metric: str) -> dict[str, Any]:
            held = {"Namespace": "AWS/ApplicationELB", "MetricName": metric, "Dimensions": dimension}
            return {"Id": id_, "MetricStat": {"Metric": held, "Period": 60, "Stat": "Sum"}, "ReturnData": False}

        rate = {"Id": "rate", "Expression": "100 * (FILL(target, 0) + FILL(elb, 0)) / total", "ReturnData": True}
        queries = [
            stat("target", "HTTPCode_Target_5XX_Count"),
            stat("elb", "HTTPCode_ELB_5XX_Count"),
            stat("total", "RequestCount"),
            rate,
        ]
        common = {"AlarmActions": [topic], "TreatMissingData": "missing"}
        above = {"ComparisonOperator": "GreaterThanThreshold", **common}
        cloudwatch.put_metric_alarm(
            AlarmName=f"{NAME}-error-rate",
            Metrics=queries,
            EvaluationPeriods=5,
            DatapointsToAlarm=5,
            Threshold=5.0,
            **above,
        )
        cloudwatch.put_metric_alarm(
            AlarmName=f"{NAME}-response-time",
            Namespace="AWS/ApplicationELB",
            MetricName="TargetResponseTime",
            Dimensions=dimension,
            ExtendedStatistic="p95",
            Period=60,
            EvaluationPeriods=5,
            Threshold=10.0,
            **above,
        )
        cloudwatch.put_metric_alarm(
            AlarmName=f"{NAME}-db-connections",
            Namespace="AWS/RDS",
            MetricName="DatabaseConnections",
            Dimensions=[{"Name": "DBInstanceIdentifier", "Value": DATABASE}],
            Statistic="Maximum",
            Period=60,
            EvaluationPeriods=3,
            Threshold=80.0,
            **above,
        )
        cloudwatch.put_metric_alarm(
            AlarmName=f"{NAME}-s3-upload-failures",
            Namespace="TransparentTrust",
            MetricName="S3UploadFailures",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=3,
            Threshold=0.0,
            **(above | {"TreatMissingData": "notBreaching"}),
        )


def _policy(*actions: str, resource: str = "", principal: Mapping[str, str] | None = None) -> str:
    statement: dict[str, Any] = {"Effect": "Allow", "Action": list(actions)}
    statement |= {"Principal": principal} if principal else {"Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _certificate(now: datetime) -> tuple[bytes, bytes]:
    """A private key and a certificate of the site's name, PEM, valid for 200 days."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, SITE)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now.astimezone(UTC) - timedelta(days=10))
        .not_valid_after(now.astimezone(UTC) + timedelta(days=200))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(SITE)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, *plain), made.public_bytes(serialization.Encoding.PEM)
