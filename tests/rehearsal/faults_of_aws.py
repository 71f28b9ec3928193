"""Single faults of the account: bucket, roles, secrets, task definition, network, load balancer, database instance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from rehearsal.fault_world import (
    BUCKET,
    CLUSTER,
    DATABASE,
    EXECUTION_ROLE,
    NAME,
    SERVICE,
    TASK_ROLE,
    World,
    changed,
    entered,
    fault,
)

from cockpit.rehearsal.certificates import Certificate

# -- the bucket ------------------------------------------------------------------------------------------------------


@fault("Versioning of the bucket is suspended", "infra.versioning")
def _(world: World) -> Iterator[None]:
    s3 = world.client("s3")
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    yield
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})


@fault("The bucket has no encryption", "security.bucket_encryption", "prep.files")
def _(world: World) -> Iterator[None]:
    s3 = world.client("s3")
    held = s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]
    s3.delete_bucket_encryption(Bucket=BUCKET)
    yield
    s3.put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration=held)


@fault("The bucket blocks no public access", "security.bucket_encryption")
def _(world: World) -> Iterator[None]:
    s3 = world.client("s3")
    held = s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]
    s3.delete_public_access_block(Bucket=BUCKET)
    yield
    s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=held)


def archived(world: World, days: int, storage: str) -> Iterator[None]:
    s3 = world.client("s3")
    held = s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    rule = {"ID": "a", "Status": "Enabled", "Filter": {"Prefix": ""}}
    moved = rule | {"Transitions": [{"Days": days, "StorageClass": storage}]}
    s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [moved]})
    yield
    s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": held})


@fault("The lifecycle rule archives to DEEP_ARCHIVE", "infra.lifecycle")
def _(world: World) -> Iterator[None]:
    yield from archived(world, 90, "DEEP_ARCHIVE")


# -- roles and secrets -----------------------------------------------------------------------------------------------

entered(
    "The task role lacks s3:PutObject",
    lambda world: world.role_without(TASK_ROLE, "documents", "s3:PutObject"),
    *("infra.iam", "app.uploads"),
)
entered(
    "The task role lacks secretsmanager:GetSecretValue",
    lambda world: world.role_without(TASK_ROLE, "secrets", "secretsmanager:GetSecretValue"),
    *("infra.iam", "prep.secrets"),
)
entered(
    "The execution role lacks secretsmanager:GetSecretValue",
    lambda world: world.role_without(EXECUTION_ROLE, "start", "secretsmanager:GetSecretValue"),
    "infra.iam",
)


entered(
    "The encryption key is still the report's placeholder",
    lambda world: world.secret("encryption-key", "your-32-char-encryption-key"),
    *("infra.secrets", "security.encryption_key"),
)
entered(
    "The Anthropic key is still the report's placeholder",
    lambda world: world.secret("anthropic-api-key", "sk-ant-..."),
    *("infra.secrets", "security.api_keys", "llm.failing"),
)


@fault("The NextAuth secret is scheduled for deletion", "infra.secrets", "prep.secrets")
def _(world: World) -> Iterator[None]:
    secrets = world.client("secretsmanager")
    secrets.delete_secret(SecretId=f"{NAME}/nextauth-secret")
    yield
    secrets.restore_secret(SecretId=f"{NAME}/nextauth-secret")


def long_ago(world: World) -> int:
    return int((world.now - timedelta(days=200)).timestamp())


@fault("The encryption key has not been rotated", "security.encryption_key")
def _(world: World) -> Iterator[None]:
    """A tag was added yesterday, so the secret has changed; its value is half a year old."""
    secret = world.held_secret("encryption-key")
    current = next(each for each in secret.versions.values() if "AWSCURRENT" in each["version_stages"])
    made, current["createdate"] = current["createdate"], long_ago(world)
    yield
    current["createdate"] = made


@fault("CloudTrail knows of no secret that the tasks read", "app.secrets")
def _(world: World) -> Iterator[None]:
    events = world.aws.trail._events
    held = list(events)
    events.clear()
    yield
    events.extend(held)


# -- the service and its task definition -----------------------------------------------------------------------------

entered(
    "Static AWS keys stand in the task definition",
    lambda world: world.environment(AWS_ACCESS_KEY_ID="AKIAIOSFODNN7EXAMPLE", AWS_SECRET_ACCESS_KEY="made-up"),
    "app.environment",
)
entered(
    "Only half of the Upstash variables is set",
    lambda world: world.environment(UPSTASH_REDIS_REST_URL="https://x.upstash.io"),
    "app.environment",
)
entered(
    "NEXTAUTH_URL is still localhost",
    lambda world: world.environment(NEXTAUTH_URL="http://localhost:3000"),
    "app.environment",
)
entered(
    "The image is named by the tag latest",
    lambda world: world.container(image=f"123456789012.dkr.ecr.us-east-1.amazonaws.com/{NAME}:latest"),
    "prep.image",
)


def writing_to(group: str) -> dict[str, object]:
    options = {"awslogs-group": group, "awslogs-region": "us-east-1", "awslogs-stream-prefix": "web"}
    return {"logDriver": "awslogs", "options": options}


entered(
    "The container writes to another log group",
    lambda world: world.container(logConfiguration=writing_to("/ecs/old")),
    "infra.log_groups",
)
entered(
    "The tasks run with another role",
    lambda world: changed(world.definition, task_role_arn="arn:aws:iam::123456789012:role/default"),
    "infra.iam",
)
entered(
    "The service wants three tasks",
    lambda world: changed(world.aws.ecs.main, desired=3),
    "tasks.healthy",
)


@fault("The deployed image is not the one that was pushed", "tasks.healthy")
def _(world: World) -> Iterator[None]:
    tasks = world.aws.ecs.main.tasks
    held = [task.containers for task in tasks]
    for task in tasks:
        task.containers = tuple(replace(each, digest=f"sha256:{'0e' * 32}") for each in task.containers)
    yield
    for task, containers in zip(tasks, held, strict=True):
        task.containers = containers


@fault("Tags of the image repository can be moved", "prep.image")
def _(world: World) -> Iterator[None]:
    ecr = world.client("ecr")
    ecr.put_image_tag_mutability(repositoryName=NAME, imageTagMutability="MUTABLE")
    yield
    ecr.put_image_tag_mutability(repositoryName=NAME, imageTagMutability="IMMUTABLE")


# -- the network -----------------------------------------------------------------------------------------------------


def let_in(world: World, part: str, port: int, source: dict[str, object]) -> Iterator[None]:
    ec2, group = world.client("ec2"), world.group(part)
    rule = [{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **source}]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=rule)
    yield
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=rule)


@fault("The tasks' security group is open to the world", "infra.security_groups")
def _(world: World) -> Iterator[None]:
    yield from let_in(world, "ecs", 22, {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]})


@fault("The database's security group lets the load balancer in", "security.database")
def _(world: World) -> Iterator[None]:
    yield from let_in(world, "db", 5432, {"UserIdGroupPairs": [{"GroupId": world.group("alb")}]})


# -- the load balancer -----------------------------------------------------------------------------------------------

entered(
    "The load balancer is internet-facing", lambda world: changed(world.alb, scheme="internet-facing"), "alb.reachable"
)


@fault("The load balancer serves plain HTTP", "security.certificate")
def _(world: World) -> Iterator[None]:
    elb = world.client("elbv2")
    target = elb.describe_target_groups(Names=[SERVICE])["TargetGroups"][0]["TargetGroupArn"]
    forward = [{"Type": "forward", "TargetGroupArn": target}]
    made = elb.create_listener(LoadBalancerArn=world.balancer, Protocol="HTTP", Port=80, DefaultActions=forward)
    yield
    elb.delete_listener(ListenerArn=made["Listeners"][0]["ListenerArn"])


@fault("The listener sends all traffic to a green target group, which has one target", "tasks.healthy")
def _(world: World) -> Iterator[None]:
    elb = world.client("elbv2")
    blue = elb.describe_target_groups(Names=[SERVICE])["TargetGroups"][0]
    of_blue = {"Protocol": "HTTP", "Port": blue["Port"], "VpcId": blue["VpcId"], "TargetType": "ip"}
    green = elb.create_target_group(Name="green", **of_blue)["TargetGroups"][0]["TargetGroupArn"]
    elb.register_targets(TargetGroupArn=green, Targets=[{"Id": "10.0.10.250", "Port": blue["Port"]}])
    listener = elb.describe_listeners(LoadBalancerArn=world.balancer)["Listeners"][0]["ListenerArn"]
    groups = [{"TargetGroupArn": blue["TargetGroupArn"], "Weight": 0}, {"TargetGroupArn": green, "Weight": 100}]
    split = [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]
    elb.modify_listener(ListenerArn=listener, DefaultActions=split)
    yield
    whole = [{"Type": "forward", "TargetGroupArn": blue["TargetGroupArn"]}]
    elb.modify_listener(ListenerArn=listener, DefaultActions=whole)
    elb.delete_target_group(TargetGroupArn=green)


@fault("The load balancer cuts connections after 30 seconds", "prep.timeout")
def _(world: World) -> Iterator[None]:
    elb, name = world.client("elbv2"), "idle_timeout.timeout_seconds"
    for value in ("30", "60"):
        elb.modify_load_balancer_attributes(LoadBalancerArn=world.balancer, Attributes=[{"Key": name, "Value": value}])
        if value == "30":
            yield


@fault("The load balancer's certificate is for another name", "security.certificate")
def _(world: World) -> Iterator[None]:
    acm, elb = world.client("acm"), world.client("elbv2")
    made = world.assembly._authority.issue(("staging.company.com",))
    other = acm.import_certificate(Certificate=made.pem, PrivateKey=made.key)["CertificateArn"]
    listener = elb.describe_listeners(LoadBalancerArn=world.balancer)["Listeners"][0]
    elb.modify_listener(ListenerArn=listener["ListenerArn"], Certificates=[{"CertificateArn": other}])
    yield
    elb.modify_listener(ListenerArn=listener["ListenerArn"], Certificates=listener["Certificates"])
    acm.delete_certificate(CertificateArn=other)


@fault("Of two certificates for the host, the load balancer shows one that was revoked", "security.certificate")
def _(world: World) -> Iterator[None]:
    acm, elb = world.client("acm"), world.client("elbv2")
    held = acm.describe_certificate(CertificateArn=world.certificate)["Certificate"]["SubjectAlternativeNames"]
    made = world.assembly._authority.issue(held, left=timedelta(days=400))
    longer = acm.import_certificate(Certificate=made.pem, PrivateKey=made.key)["CertificateArn"]
    listener = elb.describe_listeners(LoadBalancerArn=world.balancer)["Listeners"][0]["ListenerArn"]
    elb.add_listener_certificates(ListenerArn=listener, Certificates=[{"CertificateArn": longer}])
    with changed(world.held_certificate(longer), status="REVOKED"):
        yield
    elb.remove_listener_certificates(ListenerArn=listener, Certificates=[{"CertificateArn": longer}])
    acm.delete_certificate(CertificateArn=longer)


def shown(world: World, certificate: Certificate) -> Iterator[None]:
    """The site shows another certificate from now on."""
    held = [
        path.read_bytes()
        for path in (world.operator_machine.folder / "site.pem", world.operator_machine.folder / "site.key")
    ]
    world.site.show(*world.operator_machine.keep(certificate))
    yield
    world.site.show(*world.operator_machine.keep(Certificate(*held)))


@fault("The site shows a certificate for another name", "security.certificate")
def _(world: World) -> Iterator[None]:
    yield from shown(world, world.assembly._authority.issue(("staging.company.com",)))


# -- the database instance -------------------------------------------------------------------------------------------


def said(world: World, **values: object) -> Iterator[None]:
    held = world.aws.databases._health_of(DATABASE)
    world.aws.databases.set(DATABASE, **values)
    yield
    world.aws.databases.set(DATABASE, status=held.status, pending=held.pending, parameters=held.parameters)


@fault("A database parameter waits for a reboot", "infra.rds")
def _(world: World) -> Iterator[None]:
    yield from said(world, parameters="pending-reboot")


@fault("The database belongs to a cluster that is not encrypted", "infra.rds")
def _(world: World) -> Iterator[None]:
    rds = world.client("rds")
    rds.create_db_cluster(
        DBClusterIdentifier=CLUSTER,
        Engine="aurora-postgresql",
        EngineVersion="16.4",
        MasterUsername="app",
        MasterUserPassword="rehearsed-master",
        BackupRetentionPeriod=7,
    )
    with changed(world.instance, db_cluster_identifier=CLUSTER):
        yield
    rds.delete_db_cluster(DBClusterIdentifier=CLUSTER, SkipFinalSnapshot=True)


entered(
    "The database has a public address",
    lambda world: changed(world.instance, publicly_accessible=True),
    "security.database",
)
entered("Automated backups are off", lambda world: changed(world.instance, backup_retention_period=0), "db.backups")


@fault("The newest snapshot is two days old", "db.backups")
def _(world: World) -> Iterator[None]:
    taken = (world.now - timedelta(days=2)).replace(tzinfo=None)
    with changed(world.snapshot, created=taken, original_snapshot_create_time=taken):
        yield
