"""The health of a target group's targets follows the tasks behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from cockpit.rehearsal.aws.ecs.ecs import EcsSimulation
from cockpit.rehearsal.aws.ecs.service import Service
from cockpit.rehearsal.aws.ecs.task import Task
from cockpit.rehearsal.aws.wire.protocols import AwsError
from cockpit.rehearsal.aws.wire.routing import Call

_REGISTERING = timedelta(seconds=3)


class Targets:
    """DescribeTargetHealth of groups that belong to a service; other groups stay with moto."""

    def __init__(self, ecs: EcsSimulation) -> None:
        self._ecs = ecs

    def answers(self) -> Mapping[tuple[str, str], Callable[[Call], Mapping[str, Any] | None]]:
        return {("elasticloadbalancing", "DescribeTargetHealth"): self.describe_target_health}

    def describe_target_health(self, call: Call) -> Mapping[str, Any] | None:
        group = call.params.get("TargetGroupArn")
        with self._ecs.lock:
            service = next((each for each in self._ecs.services.values() if each.target_group == group), None)
            if service is None:
                return None
            described = [target for task in service.tasks if (target := self._target(service, task)) is not None]
        wanted = {each["Id"] for each in call.params.get("Targets") or ()}
        unknown = wanted - {target["Target"]["Id"] for target in described}
        if unknown:
            raise AwsError("InvalidTarget", f"The following targets are not in the target group: {', '.join(unknown)}")
        return {"TargetHealthDescriptions": [t for t in described if not wanted or t["Target"]["Id"] in wanted]}

    def _target(self, service: Service, task: Task) -> dict[str, Any] | None:
        """None before the task is registered and after it has drained."""
        now = self._ecs.simulated_until
        if task.started_at is None or (task.drains_until is not None and now >= task.drains_until):
            return None
        target = {"Id": task.ip, "Port": service.port, "AvailabilityZone": _zone(task.ip)}
        return {"Target": target, "HealthCheckPort": str(service.port), "TargetHealth": _health(task, now)}


def _health(task: Task, now: Any) -> dict[str, str]:
    if not task.wanted:
        description = "Target deregistration is in progress"
        return {"State": "draining", "Reason": "Target.DeregistrationInProgress", "Description": description}
    if task.state == "HEALTHY":
        return {"State": "healthy"}
    if task.state == "UNHEALTHY":
        description = "Health checks failed with these codes: [500]"
        return {"State": "unhealthy", "Reason": "Target.ResponseCodeMismatch", "Description": description}
    if now - task.started_at < _REGISTERING:
        description = "Target registration is in progress"
        return {"State": "initial", "Reason": "Elb.RegistrationInProgress", "Description": description}
    return {
        "State": "initial",
        "Reason": "Elb.InitialHealthChecking",
        "Description": "Initial health checks in progress",
    }


def _zone(ip: str) -> str:
    return "us-east-1a" if int(ip.split(".")[2]) % 2 == 0 else "us-east-1b"
