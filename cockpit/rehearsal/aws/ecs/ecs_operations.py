"""The operations of ECS that the simulation answers; task definitions and clusters are registered with moto."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from cockpit.rehearsal.aws.ecs import shapes
from cockpit.rehearsal.aws.ecs.ecs import EcsSimulation, RunTask
from cockpit.rehearsal.aws.ecs.service import FORGOTTEN_AFTER, Service, ServiceDeployment
from cockpit.rehearsal.aws.ecs.task import Task
from cockpit.rehearsal.aws.ecs.task_definitions import resolve
from cockpit.rehearsal.aws.wire.protocols import AwsError
from cockpit.rehearsal.aws.wire.routing import Call
from cockpit.rehearsal.aws.wire.wire_times import moment

Answer = Mapping[str, Any]
_PAGE = 100


class EcsAnswers:
    """Services, tasks, deployments and revisions, in the API's shapes."""

    def __init__(self, ecs: EcsSimulation, account: str, region: str, now: Callable[[], datetime]) -> None:
        self._ecs = ecs
        self._account = account
        self._region = region
        self._now = now

    def answers(self) -> Mapping[tuple[str, str], Callable[[Call], Answer]]:
        handlers: dict[str, Callable[[Mapping[str, Any]], Answer]] = {
            "CreateService": self.create_service,
            "UpdateService": self.update_service,
            "DescribeServices": self.describe_services,
            "ListServices": self.list_services,
            "ListTasks": self.list_tasks,
            "DescribeTasks": self.describe_tasks,
            "RunTask": self.run_task,
            "StopTask": self.stop_task,
            "ListServiceDeployments": self.list_service_deployments,
            "DescribeServiceDeployments": self.describe_service_deployments,
            "DescribeServiceRevisions": self.describe_service_revisions,
            "StopServiceDeployment": self.stop_service_deployment,
        }
        return {("ecs", operation): self._locked(handler) for operation, handler in handlers.items()}

    def _locked(self, handler: Callable[[Mapping[str, Any]], Answer]) -> Callable[[Call], Answer]:
        def answer(call: Call) -> Answer:
            with self._ecs.lock:
                return handler(call.params)

        return answer

    # -- services ------------------------------------------------------------------------------------------------------

    def create_service(self, asked: Mapping[str, Any]) -> Answer:
        cluster, name = _last(asked.get("cluster") or "default"), asked["serviceName"]
        if (cluster, name) in self._ecs.services:
            raise AwsError("InvalidParameterException", "Creation of service was not idempotent.")
        definition = resolve(asked["taskDefinition"], self._account, self._region)
        balancer: Mapping[str, Any] = next(iter(asked.get("loadBalancers") or ()), {})
        self._ecs.create_service(
            cluster,
            name,
            definition,
            int(asked.get("desiredCount") or 0),
            balancer.get("targetGroupArn", ""),
            balancer.get("containerName", ""),
            int(balancer.get("containerPort") or 0),
        )
        service = self._ecs.services[cluster, name]
        network = (asked.get("networkConfiguration") or {}).get("awsvpcConfiguration") or {}
        service.subnets = tuple(network.get("subnets") or ())
        service.security_groups = tuple(network.get("securityGroups") or ())
        service.execute_command = bool(asked.get("enableExecuteCommand"))
        return {"service": shapes.service(service)}

    def update_service(self, asked: Mapping[str, Any]) -> Answer:
        service = self._service(asked)
        now = self._now()
        self._ecs.advance(now)
        if asked.get("desiredCount") is not None:
            service.desired, service.steady = int(asked["desiredCount"]), False
        if asked.get("enableExecuteCommand") is not None:
            service.execute_command = bool(asked["enableExecuteCommand"])
        current = service.primary.definition
        wanted = (
            resolve(asked["taskDefinition"], self._account, self._region) if asked.get("taskDefinition") else current
        )
        if wanted != current or asked.get("forceNewDeployment"):
            if service.controller != "ECS":
                how = f"Unable to update task definition on services with a {service.controller} deployment controller."
                message = f"{how} Use AWS CodeDeploy to trigger a new deployment."
                raise AwsError("InvalidParameterException", message if service.controller == "CODE_DEPLOY" else how)
            service.deploy(wanted, now)
        return {"service": shapes.service(service)}

    def describe_services(self, asked: Mapping[str, Any]) -> Answer:
        cluster = _last(asked.get("cluster") or "default")
        found, missing = [], []
        for name in asked.get("services") or ():
            service = self._ecs.services.get((cluster, _last(name)))
            if service is not None:
                found.append(shapes.service(service))
            else:
                missing.append({"arn": self._arn("service", f"{cluster}/{_last(name)}"), "reason": "MISSING"})
        if not found and not any(cluster == known for known, _ in self._ecs.services):
            raise AwsError("ClusterNotFoundException", "Cluster not found.")
        return {"services": found, "failures": missing}

    def list_services(self, asked: Mapping[str, Any]) -> Answer:
        cluster = _last(asked.get("cluster") or "default")
        return {"serviceArns": [each.arn for (where, _), each in self._ecs.services.items() if where == cluster]}

    # -- tasks ---------------------------------------------------------------------------------------------------------

    def list_tasks(self, asked: Mapping[str, Any]) -> Answer:
        name, family = asked.get("serviceName"), asked.get("family")
        service = self._service({"cluster": asked.get("cluster"), "service": name}) if name else None
        wanted = asked.get("desiredStatus") or "RUNNING"
        arns = [
            task.arn
            for task in self._tasks()
            if (service is None or task in service.tasks)
            and ("RUNNING" if task.wanted else "STOPPED") == wanted
            and asked.get("startedBy") in (None, task.started_by)
            and (not family or f"/{family}:" in task.definition)
        ]
        skip, most = int(asked.get("nextToken") or 0), int(asked.get("maxResults") or _PAGE)
        token = {"nextToken": str(skip + most)} if len(arns) > skip + most else {}
        return {"taskArns": arns[skip : skip + most], **token}

    def describe_tasks(self, asked: Mapping[str, Any]) -> Answer:
        cluster = _last(asked.get("cluster") or "default")
        known = {task.id: task for task in self._tasks()}
        found, missing = [], []
        for name in asked["tasks"]:
            task = known.get(_last(name))
            if task is not None:
                found.append(shapes.task(task))
            else:
                missing.append({"arn": self._arn("task", f"{cluster}/{_last(name)}"), "reason": "MISSING"})
        return {"tasks": found, "failures": missing}

    def run_task(self, asked: Mapping[str, Any]) -> Answer:
        cluster = _last(asked.get("cluster") or "default")
        definition = resolve(asked["taskDefinition"], self._account, self._region)
        family = definition.rpartition("/")[2].partition(":")[0]
        started_by, group = asked.get("startedBy") or "", asked.get("group") or f"family:{family}"
        overrides = asked.get("overrides") or {}
        made = [
            self._ecs.run_alone(cluster, definition, started_by, group, overrides)
            for _ in range(int(asked.get("count") or 1))
        ]
        if self._ecs.on_run_task is not None:
            for task in made:
                self._ecs.on_run_task(RunTask(task.arn, definition, started_by, overrides))
        return {"tasks": [shapes.task(task) for task in made], "failures": []}

    def stop_task(self, asked: Mapping[str, Any]) -> Answer:
        task = next((each for each in self._tasks() if each.id == _last(asked["task"])), None)
        if task is None:
            raise AwsError("InvalidParameterException", "The referenced task was not found.")
        task.ask_to_stop(self._now(), "UserInitiated", asked.get("reason") or "Task stopped by user")
        for service in self._ecs.services.values():
            service.steady = service.steady and task not in service.tasks
        return {"task": shapes.task(task)}

    # -- deployments ---------------------------------------------------------------------------------------------------

    def list_service_deployments(self, asked: Mapping[str, Any]) -> Answer:
        service = self._service(asked)
        created = asked.get("createdAt") or {}
        after = moment(created["after"]) if created.get("after") is not None else None
        before = moment(created["before"]) if created.get("before") is not None else None
        found = [
            shapes.deployment_brief(service, record)
            for record in service.records
            if service.controller == "ECS"
            and (not asked.get("status") or record.status in asked["status"])
            and (after is None or record.created_at >= after)
            and (before is None or record.created_at <= before)
        ]
        skip, most = int(asked.get("nextToken") or 0), int(asked.get("maxResults") or 20)
        token = {"nextToken": str(skip + most)} if len(found) > skip + most else {}
        return {"serviceDeployments": found[skip : skip + most], **token}

    def describe_service_deployments(self, asked: Mapping[str, Any]) -> Answer:
        found, missing = [], []
        for arn in asked["serviceDeploymentArns"]:
            held = self._record(arn)
            if held is None:
                missing.append({"arn": arn, "reason": "MISSING"})
            else:
                found.append(shapes.deployment_record(*held))
        return {"serviceDeployments": found, "failures": missing}

    def describe_service_revisions(self, asked: Mapping[str, Any]) -> Answer:
        found, missing = [], []
        for arn in asked["serviceRevisionArns"]:
            service = next((each for each in self._ecs.services.values() if arn in each.revisions), None)
            if service is None:
                missing.append({"arn": arn, "reason": "MISSING"})
            else:
                found.append(shapes.revision(service, arn))
        return {"serviceRevisions": found, "failures": missing}

    def stop_service_deployment(self, asked: Mapping[str, Any]) -> Answer:
        arn = asked["serviceDeploymentArn"]
        held = self._record(arn)
        if held is None:
            raise AwsError("ServiceDeploymentNotFoundException", "The service deployment was not found.")
        service, record = held
        if record.status != "IN_PROGRESS":
            message = f"Unable to stop the service deployment: it is in the {record.status} status."
            raise AwsError("ConflictException", message)
        self._ecs.advance(self._now())
        service.stop_deployment(self._now(), rollback=asked.get("stopType") != "ABORT")
        return {"serviceDeploymentArn": arn}

    # -- how -----------------------------------------------------------------------------------------------------------

    def _service(self, asked: Mapping[str, Any]) -> Service:
        cluster, name = _last(asked.get("cluster") or ""), _last(asked["service"])
        if not cluster:
            parts = asked["service"].split("/")
            cluster = parts[-2] if len(parts) > 2 else "default"
        if not any(cluster == known for known, _ in self._ecs.services):
            raise AwsError("ClusterNotFoundException", "Cluster not found.")
        if (cluster, name) not in self._ecs.services:
            raise AwsError("ServiceNotFoundException", "Service not found.")
        return self._ecs.services[cluster, name]

    def _record(self, arn: str) -> tuple[Service, ServiceDeployment] | None:
        pairs = ((service, record) for service in self._ecs.services.values() for record in service.records)
        return next(((service, record) for service, record in pairs if record.arn == arn), None)

    def _tasks(self) -> Iterable[Task]:
        """Every task ECS still lists; stopped ones for an hour."""
        oldest = self._now() - FORGOTTEN_AFTER
        for tasks in [*(service.tasks for service in self._ecs.services.values()), self._ecs.lone]:
            yield from (task for task in tasks if task.stopped_at is None or task.stopped_at > oldest)

    def _arn(self, kind: str, rest: str) -> str:
        return f"arn:aws:ecs:{self._region}:{self._account}:{kind}/{rest}"


def _last(name: str) -> str:
    """The name at the end of an ARN, or the name itself."""
    return name.rpartition("/")[2]
