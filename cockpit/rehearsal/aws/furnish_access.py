"""Roles and secrets of the healthy account."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cockpit.rehearsal.aws.furnish_tools import (
    BUCKET,
    DATABASE,
    EXECUTION_ROLE,
    LOG_GROUP,
    NAME,
    TASK_ROLE,
    Tools,
    policy,
)

SECRETS: Mapping[str, str] = {
    f"{NAME}/encryption-key": "6f1d2c83b94ae57f0c6d9e1a2b38f74c5d0e9a7b6c4f3e2d1a0b9c8d7e6f5a4b",
    f"{NAME}/anthropic-api-key": "sk-ant-api03-Zq81fXvT0w5mXbL2nDq7Hs94uYcE6rJkP3gQ0aWm",
    f"{NAME}/google-oauth": json.dumps(
        {
            "client_id": "831204175533-k2f7q0v9m4s1.apps.googleusercontent.com",
            "client_secret": "GOCSPX-4kZtWq0v7LmN2bYx8RcD",
        }
    ),
    f"{NAME}/nextauth-secret": "q2Zk0mT9hJr4uN6s5VwXeL7uPb3nYdGs1HcJf8A0=",
}
"""Made up, and of the right kind: what checks a secret for being a placeholder must find nothing."""
DATABASE_URL = f"{NAME}/database-url"
"""The report keeps it nowhere; a healthy account does."""


def furnish_secrets(tools: Tools) -> Mapping[str, str]:
    """ARNs by name."""
    client = tools.client("secretsmanager")
    host = f"{DATABASE}.c9akciq32rgs.{tools.region}.rds.amazonaws.com"
    url = (
        f"postgresql://transparent_trust:Wm4rT0q8uYc2@{host}:5432/transparent_trust?connection_limit=20&sslmode=require"
    )
    held = {**SECRETS, DATABASE_URL: url}
    return {name: client.create_secret(Name=name, SecretString=text)["ARN"] for name, text in held.items()}


def furnish_roles(tools: Tools) -> None:
    """The task role may read its secrets and its bucket's objects; the execution role starts the task."""
    iam = tools.client("iam")
    trust = policy([{"Action": "sts:AssumeRole", "Principal": {"Service": "ecs-tasks.amazonaws.com"}}])
    for role in (TASK_ROLE, EXECUTION_ROLE):
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust)
    secrets = tools.arn("secretsmanager", f"secret:{NAME}/*")
    logs = tools.arn("logs", f"log-group:{LOG_GROUP}:*")
    reading: dict[str, Any] = {
        "Action": ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
        "Resource": secrets,
    }
    objects = {"Action": ["s3:PutObject", "s3:GetObject", "s3:DeleteObject"], "Resource": f"arn:aws:s3:::{BUCKET}/*"}
    listing = {"Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{BUCKET}"}
    metrics: dict[str, Any] = {"Action": "cloudwatch:PutMetricData", "Resource": "*"}
    pulling = {
        "Action": ["ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        "Resource": "*",
    }
    writing = {"Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": logs}
    granted: dict[tuple[str, str], list[dict[str, Any]]] = {
        (TASK_ROLE, "secrets"): [reading],
        (TASK_ROLE, "documents"): [objects, listing],
        (TASK_ROLE, "metrics"): [metrics],
        (EXECUTION_ROLE, "start"): [pulling, writing, {**reading, "Action": "secretsmanager:GetSecretValue"}],
    }
    for (role, name), statements in granted.items():
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=policy(statements))
