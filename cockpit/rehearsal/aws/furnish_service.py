"""The image, the task definition and the service of the healthy account."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from cockpit.migration.launch import DATABASE
from cockpit.rehearsal.aws.ecs.ecs import EcsSimulation
from cockpit.rehearsal.aws.furnish_access import DATABASE_URL
from cockpit.rehearsal.aws.furnish_network import Network
from cockpit.rehearsal.aws.furnish_tools import (
    BUCKET,
    CLUSTER,
    CONTAINER,
    EXECUTION_ROLE,
    LOG_GROUP,
    NAME,
    PORT,
    REPOSITORY,
    SERVICE,
    TASK_ROLE,
    Tools,
)

DESIRED = 2
FIRST_TAG = "2024.12.1"
MIGRATION = "transparent-trust-migration"
RUNNING_FOR = timedelta(days=3)
_COPIED = (
    "networkMode",
    "cpu",
    "memory",
    "taskRoleArn",
    "executionRoleArn",
    "requiresCompatibilities",
    "containerDefinitions",
)


def push_image(tools: Tools, tag: str) -> str:
    """An image of that tag in the repository; `registry/name@sha256:...`."""
    ecr = tools.client("ecr")
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": 7023,
            "digest": _layer(tag, "c"),
        },
        "layers": [
            {
                "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
                "size": 32654,
                "digest": _layer(tag, "1"),
            }
        ],
    }
    image = ecr.put_image(repositoryName=REPOSITORY, imageManifest=json.dumps(manifest), imageTag=tag)["image"]
    registry = f"{tools.account}.dkr.ecr.{tools.region}.amazonaws.com"
    return f"{registry}/{REPOSITORY}@{image['imageId']['imageDigest']}"


def furnish_task_definition(tools: Tools, secrets: Mapping[str, str]) -> str:
    """Revision 1, with the environment and the secrets the readiness report asks for; its ARN."""
    tools.client("ecr").create_repository(repositoryName=REPOSITORY, imageTagMutability="IMMUTABLE")
    ecs = tools.client("ecs")
    ecs.create_cluster(clusterName=CLUSTER)
    made = ecs.register_task_definition(
        family=SERVICE,
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="1024",
        memory="2048",
        taskRoleArn=tools.arn("iam", f"role/{TASK_ROLE}", regional=False),
        executionRoleArn=tools.arn("iam", f"role/{EXECUTION_ROLE}", regional=False),
        containerDefinitions=[_container(tools, push_image(tools, FIRST_TAG), secrets)],
    )
    return str(made["taskDefinition"]["taskDefinitionArn"])


def furnish_migration_task(tools: Tools, secrets: Mapping[str, str]) -> str:
    """The task definition the file migration's workers run by: this program's image, its database as a secret; the ARN."""
    ecs = tools.client("ecs")
    container = {
        "name": "migration",
        "image": push_image(tools, "cockpit"),
        "memory": 1024,
        "essential": True,
        "secrets": [{"name": DATABASE, "valueFrom": secrets[DATABASE_URL]}],
        "stopTimeout": 60,
    }
    made = ecs.register_task_definition(
        family=MIGRATION,
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="1024",
        memory="2048",
        taskRoleArn=tools.arn("iam", f"role/{TASK_ROLE}", regional=False),
        executionRoleArn=tools.arn("iam", f"role/{EXECUTION_ROLE}", regional=False),
        containerDefinitions=[container],
    )
    return str(made["taskDefinition"]["taskDefinitionArn"])


def furnish_service(tools: Tools, ecs: EcsSimulation, definition: str, target_group: str, network: Network) -> None:
    """The service, as if it had been running and healthy for three days."""
    since = tools.now - RUNNING_FOR
    ecs.create_service(CLUSTER, SERVICE, definition, DESIRED, target_group, CONTAINER, PORT, since=since)
    service = ecs.services[CLUSTER, SERVICE]
    service.subnets, service.security_groups = network.subnets, (network.task_group,)
    service.execute_command = True


def register_release(tools: Tools, number: int) -> str:
    """The next revision, a copy of the newest with an image of its own; its ARN."""
    ecs = tools.client("ecs")
    current = ecs.describe_task_definition(taskDefinition=SERVICE)["taskDefinition"]
    kept = {name: current[name] for name in _COPIED if name in current}
    image = push_image(tools, f"release-{number}")
    kept["containerDefinitions"] = [
        each | ({"image": image} if each["name"] == CONTAINER else {}) for each in kept["containerDefinitions"]
    ]
    return str(ecs.register_task_definition(family=SERVICE, **kept)["taskDefinition"]["taskDefinitionArn"])


def _container(tools: Tools, image: str, secrets: Mapping[str, str]) -> dict[str, Any]:
    plain = {
        "NODE_ENV": "production",
        "NEXTAUTH_URL": tools.site_url,
        "NEXT_PUBLIC_APP_URL": tools.site_url,
        "AWS_REGION": tools.region,
        "S3_DOCUMENTS_BUCKET": BUCKET,
        "GOOGLE_ALLOWED_DOMAINS": "company.com",
    }
    google = secrets[f"{NAME}/google-oauth"]
    held = {
        "DATABASE_URL": secrets[DATABASE_URL],
        "NEXTAUTH_SECRET": secrets[f"{NAME}/nextauth-secret"],
        "ENCRYPTION_KEY": secrets[f"{NAME}/encryption-key"],
        "ANTHROPIC_API_KEY": secrets[f"{NAME}/anthropic-api-key"],
        "GOOGLE_CLIENT_ID": f"{google}:client_id::",
        "GOOGLE_CLIENT_SECRET": f"{google}:client_secret::",
    }
    options = {"awslogs-group": LOG_GROUP, "awslogs-region": tools.region, "awslogs-stream-prefix": CONTAINER}
    return {
        "name": CONTAINER,
        "image": image,
        "memory": 2048,
        "essential": True,
        "portMappings": [{"containerPort": PORT, "protocol": "tcp"}],
        "environment": [{"name": name, "value": value} for name, value in plain.items()],
        "secrets": [{"name": name, "valueFrom": arn} for name, arn in held.items()],
        "healthCheck": {
            "command": ["CMD-SHELL", f"curl -f http://localhost:{PORT}/api/health || exit 1"],
            "interval": 10,
            "retries": 3,
            "timeout": 5,
            "startPeriod": 10,
        },
        "logConfiguration": {"logDriver": "awslogs", "options": options},
    }


def _layer(tag: str, seed: str) -> str:
    """A digest that is the tag's own."""
    return f"sha256:{hashlib.sha256(f'{seed} {tag}'.encode()).hexdigest()}"
