"""The load balancer's view of the tasks: registered when they run, healthy when they are, draining when they go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cockpit.rehearsal.cloud.ecs import EcsSimulation, Task
from cockpit.rehearsal.cloud.protocols import AwsError


class Targets:
    def __init__(self, ecs: EcsSimulation) -> None:
        self._ecs = ecs

    def describe_target_health(self, params: Mapping[str, Any]) -> dict[str, Any]:
        with self._ecs.lock:
            service = self._ecs.service
            if service is None or params.get("TargetGroupArn") != service.target_group_arn:
                raise AwsError("TargetGroupNotFound", "One or more target groups not found")
            return {
                "TargetHealthDescriptions": [
                    {
                        "Target": {"Id": task.ip, "Port": service.port, "AvailabilityZone": "us-east-1a"},
                        "HealthCheckPort": str(service.port),
                        "TargetHealth": _health(task),
                    }
                    for task in service.tasks
                    if task.status == "RUNNING"
                ]
            }


def _health(task: Task) -> dict[str, str]:
    if task.stopping_at is not None:
        return {
            "State": "draining",
            "Reason": "Target.DeregistrationInProgress",
            "Description": "Target deregistration is in progress",
        }
    if task.health == "HEALTHY":
        return {"State": "healthy"}
    if task.health == "UNHEALTHY":
        failed = {
            "Reason": "Target.ResponseCodeMismatch",
            "Description": "Health checks failed with these codes: [500]",
        }
        return {"State": "unhealthy"} | failed
    return {
        "State": "initial",
        "Reason": "Elb.RegistrationInProgress",
        "Description": "Target registration is in progress",
    }
