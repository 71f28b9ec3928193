"""Services, tasks and deployments as the API of ECS shows them."""

from __future__ import annotations

import hashlib
from typing import Any

from cockpit.rehearsal.aws.ecs.service import Deployment, Service, ServiceDeployment
from cockpit.rehearsal.aws.ecs.task import Task
from cockpit.rehearsal.aws_profile import GUARDDUTY, SERVICE_CONNECT

_BREAKER = {"enable": True, "rollback": True}


def _settings(held: Service) -> dict[str, Any]:
    return {
        "deploymentCircuitBreaker": _BREAKER,
        "maximumPercent": 200,
        "minimumHealthyPercent": 100,
        "strategy": held.strategy,
        "bakeTimeInMinutes": round(held.bake.total_seconds() / 60),
    }


def service(held: Service) -> dict[str, Any]:
    """An entry of DescribeServices."""
    running, pending = _counts(held.tasks)
    deployments = sorted(held.deployments, key=lambda each: (not each.primary, -each.created_at.timestamp()))
    own = held.controller == "ECS"
    return {
        "serviceArn": held.arn,
        "serviceName": held.name,
        "clusterArn": held.arn.replace(":service/", ":cluster/").rpartition("/")[0],
        "status": "ACTIVE",
        "desiredCount": held.desired,
        "runningCount": running,
        "pendingCount": pending,
        "launchType": "FARGATE",
        "platformVersion": "LATEST",
        "platformFamily": "Linux",
        "taskDefinition": held.primary.definition,
        "deploymentConfiguration": _settings(held),
        "deployments": [deployment(held, each) for each in deployments] if own else [],
        "taskSets": [] if own else [_task_set(held, each) for each in deployments],
        "loadBalancers": _balancers(held),
        "serviceRegistries": [],
        "networkConfiguration": _network(held),
        "events": [{"id": each.id, "createdAt": each.at, "message": each.message} for each in held.events],
        "createdAt": held.created_at,
        "currentServiceDeployment": _under_way(held) if own else None,
        "currentServiceRevisions": [_current_revision(held, each) for each in deployments],
        "schedulingStrategy": "REPLICA",
        "deploymentController": {"type": held.controller},
        "enableECSManagedTags": True,
        "propagateTags": "SERVICE",
        "enableExecuteCommand": held.execute_command,
        "availabilityZoneRebalancing": "ENABLED",
        "healthCheckGracePeriodSeconds": 30,
    }


def _under_way(held: Service) -> str | None:
    going = ("IN_PROGRESS", "ROLLBACK_IN_PROGRESS")
    return next((record.arn for record in held.records if record.status in going), None)


def _current_revision(held: Service, each: Deployment) -> dict[str, Any]:
    requested = held.desired if each.primary else 0
    return {"arn": each.revision_arn, "requestedTaskCount": requested, **_named_counts(held, each)}


def deployment(held: Service, each: Deployment) -> dict[str, Any]:
    """An entry of a service's `deployments`."""
    running, pending = _counts(held.of(each))
    return {
        "id": each.id,
        "status": "PRIMARY" if each.primary else "ACTIVE",
        "taskDefinition": each.definition,
        "desiredCount": held.desired if each.primary else 0,
        "pendingCount": pending,
        "runningCount": running,
        "failedTasks": each.failed_tasks,
        "createdAt": each.created_at,
        "updatedAt": each.updated_at,
        "launchType": "FARGATE",
        "platformVersion": "1.4.0",
        "platformFamily": "Linux",
        "networkConfiguration": _network(held),
        "rolloutState": each.rollout,
        "rolloutStateReason": each.reason,
    }


def _task_set(held: Service, each: Deployment) -> dict[str, Any]:
    """A deployment as CodeDeploy has it: the newest has the traffic once all its tasks are healthy."""
    running, pending = _counts(held.of(each))
    steady = each.rollout == "COMPLETED" or not each.primary
    serving = held.primary if held.primary.rollout == "COMPLETED" else held.deployments[-1]
    return {
        "id": each.id,
        "serviceArn": held.arn,
        "startedBy": held.controller,
        "externalId": f"d-{each.id[-9:].upper()}",
        "status": "PRIMARY" if each is serving else "ACTIVE",
        "taskDefinition": each.definition,
        "computedDesiredCount": held.desired,
        "pendingCount": pending,
        "runningCount": running,
        "createdAt": each.created_at,
        "updatedAt": each.updated_at,
        "stabilityStatus": "STEADY_STATE" if steady else "STABILIZING",
        "networkConfiguration": _network(held),
    }


def task(held: Task) -> dict[str, Any]:
    """An entry of DescribeTasks."""
    status = held.last_status
    health = {"HEALTHY": "HEALTHY", "UNHEALTHY": "UNHEALTHY", "STARTING": "UNKNOWN"}[held.state]
    health = "UNKNOWN" if status == "STOPPED" else health
    fields: dict[str, Any] = {
        "taskArn": held.arn,
        "clusterArn": held.arn.replace(":task/", ":cluster/").rpartition("/")[0],
        "taskDefinitionArn": held.definition,
        "group": held.group,
        "startedBy": held.started_by,
        "lastStatus": status,
        "desiredStatus": "RUNNING" if held.wanted else "STOPPED",
        "healthStatus": health,
        "launchType": "FARGATE",
        "connectivity": "CONNECTED" if held.started_at else None,
        "availabilityZone": "us-east-1a" if int(held.ip.split(".")[2]) % 2 == 0 else "us-east-1b",
        "createdAt": held.created_at,
        "pullStartedAt": held.pending_at,
        "pullStoppedAt": held.started_at,
        "startedAt": held.started_at,
        "stoppingAt": held.stopping_at,
        "executionStoppedAt": held.stopped_at,
        "stoppedAt": held.stopped_at,
        "stopCode": held.stop_code or None,
        "stoppedReason": held.stop_reason or None,
        "overrides": held.overrides,
        "attachments": [_interface(held)],
        "containers": [
            *(_container(held, number, status, health) for number in range(len(held.containers))),
            *(_added(held, sidecar, status) for sidecar in held.sidecars),
        ],
        "version": 3,
    }
    return {name: value for name, value in fields.items() if value is not None}


_SIDECARS = {
    GUARDDUTY: "593207742271.dkr.ecr.us-east-1.amazonaws.com/aws-guardduty-agent-fargate:v1.7.0-Fg_x86_64",
    SERVICE_CONNECT: "ecs-service-connect-agent:interface-v1",
}
"""The image of each container that AWS adds to a task, by how its name begins."""


def _added(held: Task, sidecar: str, status: str) -> dict[str, Any]:
    """A container that AWS adds to a task: in no task definition, and of a newer image whenever AWS has one."""
    digest = hashlib.sha256(f"{sidecar} {held.created_at:%Y-%m-%d %H:%M}".encode()).hexdigest()
    return {
        "containerArn": f"{held.arn.replace(':task/', ':container/')}/{sidecar}",
        "taskArn": held.arn,
        "name": f"{sidecar}-{held.arn[-4:]}",
        "image": _SIDECARS[sidecar],
        "imageDigest": f"sha256:{digest}",
        "lastStatus": status,
        "healthStatus": "HEALTHY" if sidecar == SERVICE_CONNECT and status == "RUNNING" else "UNKNOWN",
        "networkInterfaces": [],
        "cpu": "0",
    }


def deployment_brief(held: Service, record: ServiceDeployment) -> dict[str, Any]:
    """An entry of ListServiceDeployments."""
    fields = {
        "serviceDeploymentArn": record.arn,
        "serviceArn": held.arn,
        "clusterArn": held.arn.replace(":service/", ":cluster/").rpartition("/")[0],
        "createdAt": record.created_at,
        "startedAt": record.created_at,
        "finishedAt": record.finished_at,
        "targetServiceRevisionArn": record.target_revision,
        "status": record.status,
        "statusReason": record.reason or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def deployment_record(held: Service, record: ServiceDeployment) -> dict[str, Any]:
    """An entry of DescribeServiceDeployments."""
    fields: dict[str, Any] = deployment_brief(held, record)
    target = fields.pop("targetServiceRevisionArn")
    fields |= {
        "targetServiceRevision": {"arn": target, "requestedTaskCount": held.desired} | _revision_counts(held, target),
        "sourceServiceRevisions": [],
        "deploymentConfiguration": _settings(held),
        "deploymentCircuitBreaker": {
            "status": record.breaker,
            "failureCount": record.failures,
            "threshold": held.breaker_threshold,
        },
        "alarms": {"status": "DISABLED"},
        "updatedAt": record.finished_at or record.rollback_at or record.created_at,
    }
    if held.strategy != "ROLLING" and record.status == "IN_PROGRESS":
        baking = any(each.record is record and each.baking_since is not None for each in held.deployments)
        fields["lifecycleStage"] = "BAKE_TIME" if baking else "SCALE_UP"
        fields["targetServiceRevision"]["requestedProductionTrafficWeight"] = 100.0 if baking else 0.0
    if record.source_revision:
        source = record.source_revision
        fields["sourceServiceRevisions"] = [{"arn": source, "requestedTaskCount": 0} | _revision_counts(held, source)]
    if record.stopped_at is not None:
        fields["stoppedAt"] = record.stopped_at
    if record.rollback_at is not None:
        fields["rollback"] = {
            "reason": record.rollback_reason,
            "startedAt": record.rollback_at,
            "serviceRevisionArn": record.rollback_revision,
        }
    return fields


def revision(held: Service, arn: str) -> dict[str, Any]:
    """An entry of DescribeServiceRevisions."""
    known = held.revisions[arn]
    return {
        "serviceRevisionArn": arn,
        "serviceArn": held.arn,
        "clusterArn": held.arn.replace(":service/", ":cluster/").rpartition("/")[0],
        "taskDefinition": known.definition,
        "launchType": "FARGATE",
        "platformVersion": "1.4.0",
        "platformFamily": "Linux",
        "loadBalancers": _balancers(held),
        "networkConfiguration": _network(held),
        "containerImages": [
            {"containerName": each.name, "image": each.image, "imageDigest": each.digest} for each in known.containers
        ],
        "createdAt": known.created_at,
    }


def _counts(tasks: list[Task]) -> tuple[int, int]:
    """(running, pending)."""
    statuses = [each.last_status for each in tasks]
    return statuses.count("RUNNING"), statuses.count("PENDING") + statuses.count("PROVISIONING")


def _named_counts(held: Service, each: Deployment) -> dict[str, int]:
    running, pending = _counts(held.of(each))
    return {"runningTaskCount": running, "pendingTaskCount": pending}


def _revision_counts(held: Service, arn: str) -> dict[str, int]:
    found = next((each for each in held.deployments if each.revision_arn == arn), None)
    return _named_counts(held, found) if found else {"runningTaskCount": 0, "pendingTaskCount": 0}


def _balancers(held: Service) -> list[dict[str, Any]]:
    if not held.target_group:
        return []
    return [{"targetGroupArn": held.target_group, "containerName": held.container, "containerPort": held.port}]


def _network(held: Service) -> dict[str, Any]:
    placed = {"subnets": list(held.subnets), "securityGroups": list(held.security_groups), "assignPublicIp": "DISABLED"}
    return {"awsvpcConfiguration": placed}


def _interface(held: Task) -> dict[str, Any]:
    details = [{"name": "privateIPv4Address", "value": held.ip}]
    return {"id": held.id[:8], "type": "ElasticNetworkInterface", "status": "ATTACHED", "details": details}


def _container(held: Task, number: int, status: str, health: str) -> dict[str, Any]:
    each = held.containers[number]
    fields: dict[str, Any] = {
        "containerArn": f"{held.arn.replace(':task/', ':container/')}/{number}",
        "taskArn": held.arn,
        "name": each.name,
        "image": each.image,
        "imageDigest": each.digest,
        "runtimeId": f"{held.id}-{number}",
        "lastStatus": "STOPPED" if status == "STOPPED" else "RUNNING" if held.started_at else "PENDING",
        "healthStatus": health,
        "networkInterfaces": [{"attachmentId": held.id[:8], "privateIpv4Address": held.ip}],
    }
    if held.exit_code is not None:
        fields["exitCode"] = held.exit_code
    return fields
