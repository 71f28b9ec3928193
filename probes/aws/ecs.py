"""ECS: the service, its tasks, and its deployments."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from probes.clients.clients import Clients
from probes.demand import AWS_ALONE
from probes.periods import Duration
from probes.probe import Moment, Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen
from probes.redact import one_line

PAGE = 100
RETURNING = "Scaling activity initiated by"
"""How ECS words the stop of a task that a deployment or scaling asked for: not a failure."""


class ServiceParams(Params):
    cluster: str
    service: str


class _OfService(Probe[ServiceParams]):
    """What probes of one service share."""

    def _evidence(self, query: str, answer: Mapping[str, Any], lines: Sequence[str] = ()) -> Evidence:
        return Evidence(
            query,
            _request_id(answer),
            service_url(self.clients, self.params.cluster, self.params.service),
            tuple(lines),
        )

    def _arn(self, kind: str, rest: str = "*") -> str:
        options = self.clients.options
        return f"arn:aws:ecs:{options.region or '*'}:{options.account or '*'}:{kind}/{self.params.cluster}/{rest}"


class EcsService(_OfService):
    """An ECS service: how many tasks it wants and has, and where its deployment stands.

    Reads ecs DescribeServices: desiredCount, runningCount, pendingCount, deployments[] (PRIMARY: rolloutState, failedTasks). A
    service that does not exist comes inside a successful answer (failures[]) and is NOT_FOUND here. `running == desired` is also
    true for 0 and 0, and a service is stable after ECS rolled a release back: use `stable` with ecs.deployment, or compare with
    a number.
    """

    name = "ecs.service"
    params_type = ServiceParams
    demands = AWS_ALONE
    fields = (
        Field("status", str, "ACTIVE, DRAINING or INACTIVE", "ACTIVE"),
        Field("desired", int, "tasks wanted", 2, "count", low=0),
        Field("running", int, "tasks running", 2, "count", low=0),
        Field("pending", int, "tasks starting", 0, "count", low=0),
        Field("deployments", int, "deployments under way; 1 when none is", 1, "count", low=0),
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
        return self.reading(now, _service_values(found), evidence=self._evidence(query, answer, lines))


def _service_values(service: Mapping[str, Any]) -> dict[str, Any]:
    deployments = service.get("deployments") or []
    primary: Mapping[str, Any] = next((d for d in deployments if d.get("status") == "PRIMARY"), {})
    desired, running = service.get("desiredCount"), service.get("runningCount")
    state = primary.get("rolloutState")
    settings = service.get("deploymentConfiguration")
    breaker = (settings or {}).get("deploymentCircuitBreaker") or {}
    stable = None
    if deployments and desired is not None and running is not None and state is not None:
        stable = len(deployments) == 1 and state == "COMPLETED" and running == desired > 0
    return {
        "status": service.get("status"),
        "desired": desired,
        "running": running,
        "pending": service.get("pendingCount"),
        "deployments": len(deployments) if deployments else None,
        "rollout_state": state,
        "rollout_reason": one_line(primary["rolloutStateReason"]) if "rolloutStateReason" in primary else None,
        "failed_tasks": primary.get("failedTasks"),
        "task_definition": str(primary["taskDefinition"]).rpartition("/")[2] if "taskDefinition" in primary else None,
        "stable": stable,
        # Without `rollback` the breaker only stops a failing deployment, and leaves it there.
        "circuit_breaker": None if settings is None else bool(breaker.get("enable") and breaker.get("rollback")),
        "execute_command": service.get("enableExecuteCommand"),
    }


class TasksParams(ServiceParams):
    window: Duration = timedelta(minutes=10)
    """How far back stopped tasks count; ECS forgets them after about an hour."""


class EcsTasks(Probe[TasksParams]):
    """The tasks of an ECS service: running, healthy, and those that died lately and why.

    Reads ecs ListTasks (RUNNING and STOPPED) and DescribeTasks: healthStatus, startedAt, stoppedAt, stopCode, stoppedReason,
    containers[].imageDigest, exitCode. Without a container health check every task's health is UNKNOWN (`health_unknown`), not
    healthy. Tasks stopped because a deployment or scaling asked for it are not counted as failures; those that failed a health
    check are.
    """

    name = "ecs.tasks"
    params_type = TasksParams
    demands = AWS_ALONE
    fields = (
        Field("running", int, "tasks in RUNNING", 2, "count", low=0),
        Field("healthy", int, "running tasks whose container health check passes", 2, "count", low=0),
        Field("unhealthy", int, "running tasks whose container health check fails", 0, "count", low=0),
        Field("health_unknown", int, "running tasks whose health is not known (yet)", 0, "count", low=0),
        Field(
            "failed_recently",
            int,
            "tasks that stopped by themselves or failed health checks, in the window",
            0,
            "count",
            low=0,
        ),
        Field("last_failure", str, "stop code and reason of the newest failure", "EssentialContainerExited: exit 1"),
        Field("digests", tuple, "image digests that are running", ("sha256:1f3a",)),
        Field("one_image", bool, "each container runs one image digest in all running tasks", example=True),
        Field(
            "youngest_age_s",
            float,
            "age of the youngest running task: the time since the last restart",
            900.0,
            "s",
            low=0,
        ),
    )
    iam = ("ecs:ListTasks", "ecs:DescribeTasks")
    interval = timedelta(seconds=15)

    def resources(self) -> Mapping[str, tuple[str, ...]]:
        options = self.clients.options
        tasks = f"arn:aws:ecs:{options.region or '*'}:{options.account or '*'}:task/{self.params.cluster}/*"
        return {"ecs:DescribeTasks": (tasks,)}

    async def read(self, now: datetime) -> Reading:
        cluster, service = self.params.cluster, self.params.service
        query = f"ecs list-tasks --cluster {cluster} --service-name {service}; ecs describe-tasks"
        url = service_url(self.clients, cluster, service)
        try:
            running, stopped = await asyncio.gather(self._arns("RUNNING"), self._arns("STOPPED"))
            tasks = await self._described(running, stopped)
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, Evidence(query, console_url=url))
        failures = [task for task in tasks if _failed(task, now - self.params.window)]
        failures.sort(key=_stopped_at, reverse=True)
        lines = tuple(f"{_stopped_at(task):%H:%M:%S} {_why(task)}" for task in failures[:5])
        values, unknown = _task_values([task for task in tasks if task.get("lastStatus") == "RUNNING"], failures, now)
        return self.reading(now, values, unknown=unknown, evidence=Evidence(query, console_url=url, lines=lines))

    async def _arns(self, status: str) -> list[str]:
        place = {"cluster": self.params.cluster, "serviceName": self.params.service}
        return await _listed(self.clients, "list_tasks", "taskArns", desiredStatus=status, **place)

    async def _described(self, running: Sequence[str], stopped: Sequence[str]) -> list[Mapping[str, Any]]:
        """Every listed task. One left out of a successful answer would be a failure nobody counts, so it is PARTIAL."""
        arns = list(dict.fromkeys([*running, *stopped]))
        pages = [arns[start : start + PAGE] for start in range(0, len(arns), PAGE)]
        calls = (self.clients.aws("ecs", "describe_tasks", cluster=self.params.cluster, tasks=page) for page in pages)
        answers = await asyncio.gather(*calls)
        tasks = [task for answer in answers for task in answer.get("tasks", [])]
        reasons = {f.get("arn"): str(f.get("reason", "")) for answer in answers for f in answer.get("failures", ())}
        # ECS keeps a stopped task for an hour at least: one that just went ended before any window of use.
        forgotten = {arn for arn in stopped if reasons.get(arn) == "MISSING"}
        left_out = set(arns) - forgotten - {task.get("taskArn") for task in tasks}
        if left_out:
            why = ", ".join(sorted({reasons.get(arn) or "no reason given" for arn in left_out}))
            detail = one_line(f"{len(left_out)} of {len(arns)} tasks were listed but not described ({why})")
            raise Unseen(Unknown(Reason.PARTIAL, detail, "the next reading asks again"))
        return tasks


def _task_values(
    running: Sequence[Mapping[str, Any]], failures: Sequence[Mapping[str, Any]], now: datetime
) -> tuple[dict[str, Any], dict[str, Unknown]]:
    health = Counter(str(task.get("healthStatus", "UNKNOWN")) for task in running)
    images: dict[str, set[str]] = {}
    for container in (c for task in running for c in task.get("containers", [])):
        images.setdefault(str(container.get("name")), set()).add(str(container.get("imageDigest") or ""))
    digests = set().union(*images.values()) - {""}
    all_known = bool(digests) and "" not in set().union(*images.values())
    started = [task["startedAt"] for task in running if task.get("startedAt")]
    unknown = {}
    if not failures:
        unknown["last_failure"] = Unknown(Reason.NO_DATA, "no task failed in the window")
    if not running:
        nothing = Unknown(Reason.NO_DATA, "no task is running")
        unknown |= dict.fromkeys(("digests", "one_image", "youngest_age_s"), nothing)
    elif not all_known:
        unknown["one_image"] = Unknown(Reason.NO_DATA, "ECS does not name the image digest of every container")
    values: dict[str, Any] = {
        "running": len(running),
        "healthy": health["HEALTHY"],
        "unhealthy": health["UNHEALTHY"],
        "health_unknown": len(running) - health["HEALTHY"] - health["UNHEALTHY"],
        "failed_recently": len(failures),
        "last_failure": _why(failures[0]) if failures else None,
        "digests": tuple(sorted(digests)),
        "one_image": all(len(found) == 1 for found in images.values()) if all_known else None,
        "youngest_age_s": max((now - max(started)).total_seconds(), 0.0) if started else None,
    }
    return values, unknown


def _failed(task: Mapping[str, Any], since: datetime) -> bool:
    """Whether a task died on its own: not stopped by a deployment, scaling or a person."""
    if task.get("lastStatus") != "STOPPED" or _stopped_at(task) < since:
        return False
    if str(task.get("stoppedReason", "")).startswith(RETURNING) or task.get("stopCode") in (
        "UserInitiated",
        "ServiceSchedulerInitiated",
    ):
        return "health check" in str(task.get("stoppedReason", "")).lower()
    return True


def _stopped_at(task: Mapping[str, Any]) -> datetime:
    at: datetime = task.get("stoppedAt") or task.get("stoppingAt") or datetime.min.replace(tzinfo=UTC)
    return at


def _why(task: Mapping[str, Any]) -> str:
    codes = [str(c["exitCode"]) for c in task.get("containers", []) if c.get("exitCode")]
    exits = f" (exit {', '.join(codes)})" if codes else ""
    return one_line(f"{task.get('stopCode', 'Stopped')}: {task.get('stoppedReason', 'no reason given')}{exits}", 200)


class DeploymentParams(ServiceParams):
    after: Moment | None = None
    """Only deployments created after this moment count: an older success proves nothing."""


class EcsDeployment(Probe[DeploymentParams]):
    """The newest deployment of an ECS service: its status, and how close ECS is to rolling it back by itself.

    Reads ecs ListServiceDeployments and DescribeServiceDeployments: status, statusReason, deploymentCircuitBreaker (status,
    failureCount, threshold), alarms.triggeredAlarmNames, rollback. ECS keeps about 90 days of them.
    """

    name = "ecs.deployment"
    params_type = DeploymentParams
    demands = AWS_ALONE
    fields = (
        Field(
            "status",
            str,
            "PENDING, IN_PROGRESS, SUCCESSFUL, STOPPED, ROLLBACK_IN_PROGRESS, ROLLBACK_SUCCESSFUL, ...",
            "SUCCESSFUL",
        ),
        Field("reason", str, "why, in ECS's words", "Service deployment circuit breaker: tasks failed to start."),
        Field("succeeded", bool, "it ended as SUCCESSFUL, and was not rolled back", example=True),
        Field("rolled_back", bool, "ECS went, or is going, back to the release before", example=False),
        Field("breaker", str, "circuit breaker: MONITORING, MONITORING_COMPLETE, TRIGGERED or DISABLED", "MONITORING"),
        Field("breaker_failures", int, "failed tasks the circuit breaker has counted", 0, "count", low=0),
        Field("breaker_threshold", int, "failed tasks at which ECS rolls back by itself", 3, "count", low=0),
        Field("alarms_triggered", int, "deployment alarms that went off", 0, "count", low=0),
        Field("created_at", datetime, "when it was started", datetime(2026, 1, 1, tzinfo=UTC)),
    )
    iam = ("ecs:ListServiceDeployments", "ecs:DescribeServiceDeployments")
    interval = timedelta(seconds=15)

    def resources(self) -> Mapping[str, tuple[str, ...]]:
        options = self.clients.options
        base = f"arn:aws:ecs:{options.region or '*'}:{options.account or '*'}"
        name = f"{self.params.cluster}/{self.params.service}"
        return {
            "ecs:ListServiceDeployments": (f"{base}:service/{name}",),
            "ecs:DescribeServiceDeployments": (f"{base}:service-deployment/{name}/*",),
        }

    async def read(self, now: datetime) -> Reading:
        cluster, service = self.params.cluster, self.params.service
        query = (
            f"ecs list-service-deployments --cluster {cluster} --service {service}; ecs describe-service-deployments"
        )
        url = service_url(self.clients, cluster, service, "deployments")
        try:
            place = {"cluster": cluster, "service": service}
            # Every page: AWS does not say in which order it lists them, and an older success proves nothing.
            listed = await _listed(self.clients, "list_service_deployments", "serviceDeployments", **place)
            brief = [d for d in listed if self._counts(d)]
            if not brief:
                since = f" since {self.params.after:%Y-%m-%d %H:%M}" if self.params.after else ""
                why = Unknown(
                    Reason.NO_DATA, f"no deployment of {service}{since}", "start the deployment, or correct `after`"
                )
                return self.blind(now, why, Evidence(query, console_url=url))
            newest = max(brief, key=lambda d: d["createdAt"])
            arn = newest["serviceDeploymentArn"]
            answer = await self.clients.aws("ecs", "describe_service_deployments", serviceDeploymentArns=[arn])
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, Evidence(query, console_url=url))
        found = next(iter(answer.get("serviceDeployments", [])), None)
        evidence = Evidence(query, _request_id(answer), url)
        if found is None:
            return self.blind(now, Unknown(Reason.NOT_FOUND, f"{arn} cannot be described", "press r"), evidence)
        values, unknown = _deployment_values(found)
        return self.reading(now, values, unknown=unknown, evidence=evidence)

    def _counts(self, deployment: Mapping[str, Any]) -> bool:
        created = deployment.get("createdAt")
        return created is not None and (self.params.after is None or created > self.params.after)


def _deployment_values(found: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Unknown]]:
    status = found.get("status")
    breaker = found.get("deploymentCircuitBreaker") or {}
    rolled_back = None if status is None else str(status).startswith("ROLLBACK") or bool(found.get("rollback"))
    unknown = {}
    if not breaker:
        none = Unknown(Reason.NO_DATA, "ECS reports no circuit breaker for this deployment")
        unknown = dict.fromkeys(("breaker", "breaker_failures", "breaker_threshold"), none)
    alarms = found.get("alarms")
    if alarms is None:
        unknown["alarms_triggered"] = Unknown(Reason.NO_DATA, "ECS reports no alarms for this deployment")
    if not found.get("statusReason"):
        unknown["reason"] = Unknown(Reason.NO_DATA, "ECS gives no reason")
    return {
        "status": status,
        "reason": one_line(found["statusReason"]) if found.get("statusReason") else None,
        "succeeded": None if status is None else status == "SUCCESSFUL" and not rolled_back,
        "rolled_back": rolled_back,
        "breaker": breaker.get("status"),
        "breaker_failures": breaker.get("failureCount"),
        "breaker_threshold": breaker.get("threshold"),
        "alarms_triggered": None if alarms is None else len(alarms.get("triggeredAlarmNames") or ()),
        "created_at": found.get("createdAt"),
    }, unknown


async def _listed(clients: Clients, operation: str, key: str, **asked: Any) -> list[Any]:
    """What a listing operation of ECS has under `key`, all pages of it."""
    found: list[Any] = []
    token: dict[str, str] = {}
    while True:
        answer = await clients.aws("ecs", operation, **asked, **token)
        found += answer.get(key) or []
        if not answer.get("nextToken"):
            return found
        token = {"nextToken": answer["nextToken"]}


def service_url(clients: Clients, cluster: str, service: str, page: str = "health") -> str:
    """The console's page of a service; empty where the region is not known."""
    region = clients.options.region
    if not region:
        return ""
    return (
        f"https://{region}.console.aws.amazon.com/ecs/v2/clusters/{cluster}/services/{service}/{page}?region={region}"
    )


def _request_id(answer: Mapping[str, Any]) -> str:
    return str(answer.get("ResponseMetadata", {}).get("RequestId", ""))
