"""ECS: the service, and what the probes of its tasks and deployments share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from probes.aws.ecs_rollout import strategy_of
from probes.aws.ecs_task_sets import ECS, controller_of, elsewhere, is_alone, line, primary, task_sets
from probes.clients.arns import arn, console
from probes.clients.clients import Clients
from probes.clients.paging import request_id
from probes.demand import AWS_ALONE
from probes.probe import EcsName, Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen
from probes.redact import one_line

_ROLLOUT_STATES = ("COMPLETED", "IN_PROGRESS", "FAILED")
"""Closed: one that is new says neither that a service is stable nor that it is not."""


class ServiceParams(Params):
    cluster: EcsName
    """Name or ARN of the cluster."""
    service: EcsName
    """Name or ARN of the service."""


class _OfService(Probe[ServiceParams]):
    """What probes of one service share."""

    def _evidence(self, query: str, answer: Mapping[str, Any], lines: Sequence[str] = ()) -> Evidence:
        return Evidence(
            query,
            request_id(answer),
            service_url(self.clients, self.params.cluster, self.params.service),
            tuple(lines),
        )

    def _arn(self, kind: str, rest: str = "*") -> str:
        return arn(self.clients.options, "ecs", f"{kind}/{self.params.cluster}/{rest}")


class EcsService(_OfService):
    """An ECS service: how many tasks it wants and has, and where its deployment stands.

    Reads ecs DescribeServices: desiredCount, runningCount, pendingCount, deployments[] (PRIMARY: rolloutState, failedTasks). Of a
    service that CodeDeploy or an external controller deploys, taskSets[]: the PRIMARY one has the production traffic. A service
    that does not exist comes inside a successful answer (failures[]) and is NOT_FOUND here. `running == desired` is also true
    for 0 and 0, and a service is stable after ECS rolled a release back: use `stable` with ecs.deployment, or compare with a
    number. While blue and green tasks run beside each other, `running` counts both. Cannot see whether tasks are healthy.
    """

    name = "ecs.service"
    params_type = ServiceParams
    demands = AWS_ALONE
    subjects = ("ecs", "fargate")
    cannot_see = "whether it is the release: a service is stable after ECS rolled back (ecs.deployment)"
    late = "seconds: ECS answers as it is when read"
    fields = (
        Field("status", str, "ACTIVE, DRAINING or INACTIVE", "ACTIVE"),
        Field("desired", int, "tasks wanted", 2, "count", low=0),
        Field("running", int, "tasks running", 2, "count", low=0),
        Field("pending", int, "tasks starting", 0, "count", low=0),
        Field("controller", str, "who deploys it: ECS, CODE_DEPLOY or EXTERNAL", "ECS"),
        Field("strategy", str, "how ECS does: ROLLING, BLUE_GREEN, LINEAR or CANARY", "ROLLING"),
        Field("deployments", int, "deployments (task sets) under way; 1 when none is", 1, "count", low=0),
        Field("rollout_state", str, "of the newest deployment: IN_PROGRESS, COMPLETED or FAILED", "COMPLETED"),
        Field(
            "rollout_reason",
            str,
            "why the rollout is in that state, in ECS's words",
            "ECS deployment ecs-svc/1 completed.",
        ),
        Field("failed_tasks", int, "tasks of the newest deployment that failed to stay up", 0, "count", low=0),
        Field("task_definition", str, "family:revision of the newest deployment", "web:42"),
        Field("stable", bool, "one deployment, completed, all wanted tasks (at least one) running", example=True),
        Field("circuit_breaker", bool, "ECS rolls a failing deployment back by itself", example=True),
        Field("execute_command", bool, "a shell in the tasks is possible (ECS Exec)", example=False),
    )
    iam = ("ecs:DescribeServices",)
    interval = timedelta(seconds=15)

    def resources(self) -> Mapping[str, tuple[str, ...]]:
        return {"ecs:DescribeServices": (self._arn("service", self.params.service),)}

    async def read(self, now: datetime) -> Reading:
        cluster, service = self.params.cluster, self.params.service
        query = f"ecs describe-services --cluster {cluster} --services {service}"
        try:
            answer = await self.clients.aws("ecs", "describe_services", cluster=cluster, services=[service])
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, Evidence(query))
        services = answer.get("services") or []
        if not services:
            reasons = ", ".join(str(f.get("reason", "")) for f in answer.get("failures", ())) or "empty answer"
            why = Unknown(
                Reason.NOT_FOUND,
                f"no service {service} in cluster {cluster} ({reasons})",
                "check the names in the plan",
            )
            return self.blind(now, why, self._evidence(query, answer))
        found = services[0]
        lines = [one_line(str(event.get("message", ""))) for event in found.get("events", [])[:5]]
        if controller_of(found) == ECS:
            none: dict[str, Unknown] = {}
            values, unknown = _own_values(found), none
        else:
            values, unknown = _task_set_values(found)
            lines = [*(line(each) for each in task_sets(found)[:3]), *lines]
        values |= _counts(found)
        return self.reading(now, values, unknown=unknown, evidence=self._evidence(query, answer, lines))


def _counts(service: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "status": service.get("status"),
        "desired": service.get("desiredCount"),
        "running": service.get("runningCount"),
        "pending": service.get("pendingCount"),
        "controller": controller_of(service) if service.get("deployments") or service.get("taskSets") else None,
        "execute_command": service.get("enableExecuteCommand"),
    }


def _task_set_values(service: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Unknown]]:
    """Of a service that ECS does not deploy itself."""
    sets = task_sets(service)
    serving, controller = primary(sets), controller_of(service)
    desired, running = service.get("desiredCount"), service.get("runningCount")
    unknown = dict.fromkeys(
        ("strategy", "rollout_state", "rollout_reason", "failed_tasks", "circuit_breaker"), elsewhere(controller, sets)
    )
    if serving is None:
        nothing = Unknown(Reason.NO_DATA, "no task set has the production traffic", elsewhere(controller, sets).hint)
        return {"deployments": len(sets)}, unknown | dict.fromkeys(("task_definition", "stable"), nothing)
    alone = is_alone(serving, sets)
    stable = None if alone is None or desired is None or running is None else alone and running == desired > 0
    return {
        "deployments": len(sets),
        "task_definition": str(serving["taskDefinition"]).rpartition("/")[2] if "taskDefinition" in serving else None,
        "stable": stable,
    }, unknown


def _own_values(service: Mapping[str, Any]) -> dict[str, Any]:
    # One that is INACTIVE has been replaced: nothing of it is under way.
    deployments = [each for each in service.get("deployments") or () if each.get("status") != "INACTIVE"]
    primary: Mapping[str, Any] = next((d for d in deployments if d.get("status") == "PRIMARY"), {})
    desired, running = service.get("desiredCount"), service.get("runningCount")
    state = primary.get("rolloutState")
    settings = service.get("deploymentConfiguration")
    breaker = (settings or {}).get("deploymentCircuitBreaker") or {}
    stable = None
    if deployments and desired is not None and running is not None and state in _ROLLOUT_STATES:
        stable = len(deployments) == 1 and state == "COMPLETED" and running == desired > 0
    return {
        "strategy": strategy_of(settings),
        "deployments": len(deployments) if deployments else None,
        "rollout_state": state,
        "rollout_reason": one_line(primary["rolloutStateReason"]) if "rolloutStateReason" in primary else None,
        "failed_tasks": primary.get("failedTasks"),
        "task_definition": str(primary["taskDefinition"]).rpartition("/")[2] if "taskDefinition" in primary else None,
        "stable": stable,
        # Without `rollback` the breaker only stops a failing deployment, and leaves it there.
        "circuit_breaker": None if settings is None else bool(breaker.get("enable") and breaker.get("rollback")),
    }


def service_url(clients: Clients, cluster: str, service: str, page: str = "health") -> str:
    """The console's page of a service; empty where the region is not known."""
    region = clients.options.region
    return console(region, f"ecs/v2/clusters/{cluster}/services/{service}/{page}?region={region}")
