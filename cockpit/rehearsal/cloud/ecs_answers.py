"""The simulated ECS in the shapes of its API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cockpit.rehearsal.cloud.ecs import Deployment, EcsSimulation, Service, Task
from cockpit.rehearsal.cloud.protocols import AwsError


class EcsAnswers:
    def __init__(self, ecs: EcsSimulation) -> None:
        self._ecs = ecs

    def describe_services(self, params: Mapping[str, Any]) -> dict[str, Any]:
        with self._ecs.lock:
            service = self._of(params)
            found, missing = [], []
            for wanted in params.get("services", []):
                name = str(wanted).rpartition("/")[2]
                if service is not None and name == service.name:
                    found.append(self._service(service))
                else:
                    missing.append({"arn": f"{self._ecs.place}:service/{name}", "reason": "MISSING"})
            return {"services": found, "failures": missing}

    def list_tasks(self, params: Mapping[str, Any]) -> dict[str, Any]:
        with self._ecs.lock:
            service = self._of(params)
            named = params.get("serviceName")
            if service is None or (named and str(named).rpartition("/")[2] != service.name):
                raise AwsError("ServiceNotFoundException", "Service not found.")
            stopped = params.get("desiredStatus", "RUNNING") == "STOPPED"
            leaving = [task for task in service.tasks if task.stopping_at is not None]
            tasks = [*service.stopped, *leaving] if stopped else [t for t in service.tasks if t.stopping_at is None]
            return {"taskArns": [task.arn for task in tasks]}

    def describe_tasks(self, params: Mapping[str, Any]) -> dict[str, Any]:
        with self._ecs.lock:
            service = self._of(params)
            known = {task.arn: task for task in (*service.tasks, *service.stopped)} if service else {}
            wanted = [str(arn) for arn in params.get("tasks", [])]
            assert service is not None or not wanted
            return {
                "tasks": [self._task(service, known[arn]) for arn in wanted if arn in known and service is not None],
                "failures": [{"arn": arn, "reason": "MISSING"} for arn in wanted if arn not in known],
            }

    def update_service(self, params: Mapping[str, Any]) -> dict[str, Any]:
        with self._ecs.lock:
            service = self._of(params)
            if service is None or str(params.get("service", "")).rpartition("/")[2] != service.name:
                raise AwsError("ServiceNotFoundException", "Service not found.")
            if "desiredCount" in params:
                service.desired = int(params["desiredCount"])
            if "taskDefinition" in params or params.get("forceNewDeployment"):
                self._ecs.deploy(self._definition(service, str(params.get("taskDefinition", ""))))
            return {"service": self._service(service)}

    def list_service_deployments(self, params: Mapping[str, Any]) -> dict[str, Any]:
        with self._ecs.lock:
            service = self._required(params)
            return {"serviceDeployments": [self._brief(service, d) for d in service.history if d.rolls_back is None]}

    def describe_service_deployments(self, params: Mapping[str, Any]) -> dict[str, Any]:
        with self._ecs.lock:
            service = self._ecs.service
            wanted = set(params.get("serviceDeploymentArns", []))
            found = [self._whole(service, d) for d in service.history if d.arn in wanted] if service else []
            return {"serviceDeployments": found, "failures": []}

    def stop_service_deployment(self, params: Mapping[str, Any]) -> dict[str, Any]:
        self._ecs.stop_deployment()
        return {"serviceDeploymentArn": params["serviceDeploymentArn"]}

    def describe_service_revisions(self, params: Mapping[str, Any]) -> dict[str, Any]:
        with self._ecs.lock:
            service = self._ecs.service
            wanted = set(params.get("serviceRevisionArns", []))
            revisions = [
                {
                    "serviceRevisionArn": _revision_arn(d),
                    "taskDefinition": d.task_definition_arn,
                    "createdAt": d.created_at,
                    "containerImages": [{"containerName": service.container, "imageDigest": d.digest}],
                }
                for d in (service.history if service else [])
                if service is not None and _revision_arn(d) in wanted
            ]
            return {"serviceRevisions": revisions, "failures": []}

    # -- shapes ------------------------------------------------------------------------------------------------------

    def _of(self, params: Mapping[str, Any]) -> Service | None:
        service = self._ecs.service
        cluster = str(params.get("cluster", "default")).rpartition("/")[2]
        if service is None or cluster != service.cluster:
            raise AwsError("ClusterNotFoundException", "Cluster not found.")
        return service

    def _required(self, params: Mapping[str, Any]) -> Service:
        service = self._of(params)
        if service is None or str(params.get("service", "")).rpartition("/")[2] != service.name:
            raise AwsError("ServiceNotFoundException", "Service not found.")
        return service

    def _definition(self, service: Service, named: str) -> str:
        if not named:
            return service.primary.task_definition_arn
        if named.startswith("arn:"):
            return named
        return f"{self._ecs.place}:task-definition/{named}"

    def _service(self, service: Service) -> dict[str, Any]:
        running = [t for t in service.tasks if t.status == "RUNNING"]
        pending = [t for t in service.tasks if t.status in ("PENDING", "PROVISIONING")]
        return {
            "serviceArn": f"{self._ecs.place}:service/{service.cluster}/{service.name}",
            "serviceName": service.name,
            "clusterArn": f"{self._ecs.place}:cluster/{service.cluster}",
            "status": "ACTIVE",
            "desiredCount": service.desired,
            "runningCount": len(running),
            "pendingCount": len(pending),
            "launchType": "FARGATE",
            "taskDefinition": service.primary.task_definition_arn,
            "deploymentConfiguration": {
                "deploymentCircuitBreaker": {"enable": True, "rollback": True},
                "minimumHealthyPercent": 100,
                "maximumPercent": 200,
            },
            "deployments": [self._deployment(service, d) for d in service.deployments],
            "events": [{"id": f"{i}", "createdAt": at, "message": text} for i, (at, text) in enumerate(service.events)],
            "createdAt": service.created_at,
            "enableExecuteCommand": True,
            "loadBalancers": [
                {
                    "targetGroupArn": service.target_group_arn,
                    "containerName": service.container,
                    "containerPort": service.port,
                }
            ],
        }

    @staticmethod
    def _deployment(service: Service, deployment: Deployment) -> dict[str, Any]:
        own = [task for task in service.tasks if task.deployment is deployment]
        return {
            "id": deployment.id,
            "status": deployment.status,
            "taskDefinition": deployment.task_definition_arn,
            "desiredCount": service.desired if deployment.status == "PRIMARY" else 0,
            "pendingCount": sum(t.status in ("PENDING", "PROVISIONING") for t in own),
            "runningCount": sum(t.status == "RUNNING" for t in own),
            "failedTasks": deployment.failed_tasks,
            "createdAt": deployment.created_at,
            "updatedAt": deployment.updated_at,
            "launchType": "FARGATE",
            "rolloutState": deployment.rollout,
            "rolloutStateReason": deployment.reason,
        }

    def _task(self, service: Service, task: Task) -> dict[str, Any]:
        container: dict[str, Any] = {
            "name": service.container,
            "lastStatus": task.status,
            "healthStatus": task.health,
            "imageDigest": task.deployment.digest,
            "networkInterfaces": [{"privateIpv4Address": task.ip}],
        }
        if task.exit_code is not None:
            container["exitCode"] = task.exit_code
        found: dict[str, Any] = {
            "taskArn": task.arn,
            "clusterArn": f"{self._ecs.place}:cluster/{service.cluster}",
            "taskDefinitionArn": task.deployment.task_definition_arn,
            "group": f"service:{service.name}",
            "startedBy": task.deployment.id,
            "launchType": "FARGATE",
            "lastStatus": task.status,
            "desiredStatus": "RUNNING" if task.alive else "STOPPED",
            "healthStatus": task.health,
            "createdAt": task.created_at,
            "containers": [container],
        }
        times = {"startedAt": task.started_at, "stoppingAt": task.stopping_at, "stoppedAt": task.stopped_at}
        words = {"stopCode": task.stop_code, "stoppedReason": task.stopped_reason}
        return found | {key: value for key, value in (times | words).items() if value}

    @staticmethod
    def _brief(service: Service, deployment: Deployment) -> dict[str, Any]:
        found: dict[str, Any] = {
            "serviceDeploymentArn": deployment.arn,
            "serviceArn": f"{deployment.arn.partition(':service-deployment')[0]}:service/{service.cluster}/{service.name}",
            "clusterArn": f"{deployment.arn.partition(':service-deployment')[0]}:cluster/{service.cluster}",
            "createdAt": deployment.created_at,
            "startedAt": deployment.created_at,
            "status": deployment.service_status,
            "statusReason": deployment.reason,
            "targetServiceRevisionArn": _revision_arn(deployment),
        }
        return found | ({"finishedAt": deployment.finished_at} if deployment.finished_at else {})

    def _whole(self, service: Service, deployment: Deployment) -> dict[str, Any]:
        failed = deployment.failed_tasks >= self._ecs.breaker_threshold
        watching = deployment.rollout == "IN_PROGRESS"
        status = "TRIGGERED" if failed else "MONITORING" if watching else "MONITORING_COMPLETE"
        found = self._brief(service, deployment) | {
            "deploymentCircuitBreaker": {
                "status": status,
                "failureCount": deployment.failed_tasks,
                "threshold": self._ecs.breaker_threshold,
            },
            "targetServiceRevision": {"arn": _revision_arn(deployment), "requestedTaskCount": service.desired},
        }
        undone_by = next((d for d in service.history if d.rolls_back is deployment), None)
        if undone_by is not None:
            found["rollback"] = {
                "reason": deployment.reason,
                "startedAt": undone_by.created_at,
                "serviceRevisionArn": _revision_arn(undone_by),
            }
        return found


def _revision_arn(deployment: Deployment) -> str:
    return deployment.arn.replace(":service-deployment/", ":service-revision/")
