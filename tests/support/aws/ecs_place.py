"""The service that tests of ECS ask for, when, and what ECS says of it at rest."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

NOW = datetime(2026, 11, 23, 22, 30, 20, tzinfo=UTC)
CLUSTER, SERVICE = "transparent-trust-prod", "transparent-trust-web"
BASE = "arn:aws:ecs:us-east-1:123456789012"
DIGEST = "sha256:" + "1f" * 32


def deployment(**more: Any) -> dict[str, Any]:
    return {
        "id": "ecs-svc/1",
        "status": "PRIMARY",
        "taskDefinition": f"{BASE}:task-definition/transparent-trust-web:42",
        "desiredCount": 2,
        "runningCount": 2,
        "failedTasks": 0,
        "rolloutState": "COMPLETED",
        "rolloutStateReason": "ECS deployment ecs-svc/1 completed.",
    } | more


def described(**more: Any) -> dict[str, Any]:
    return {
        "serviceName": SERVICE,
        "status": "ACTIVE",
        "desiredCount": 2,
        "runningCount": 2,
        "pendingCount": 0,
        "deployments": [deployment()],
        "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": True, "rollback": True}},
        "enableExecuteCommand": False,
        "events": [{"id": "1", "createdAt": NOW, "message": "(service web) has reached a steady state."}],
    } | more
