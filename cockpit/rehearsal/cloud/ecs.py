"""An ECS that launches tasks, rolls deployments, replaces what dies, and trips its circuit breaker."""

from __future__ import annotations

import math
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

STEP = timedelta(seconds=2)
LONGEST_CATCH_UP = timedelta(minutes=30)
HEALTH_AFTER_S = 8.0
"""From RUNNING to the first passed health checks."""
DRAIN_S = 12.0
FORGOTTEN_AFTER = timedelta(hours=1)
MIN_BREAKER = 3


@dataclass(slots=True)
class TaskBehaviour:
    """How tasks of a revision live: seconds until they run, and what becomes of them."""

    start_s: float = 20.0
    crash_after_s: float | None = None
    exit_code: int = 0
    unhealthy_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task as the rest of the world sees it. `state` is STARTING, HEALTHY or UNHEALTHY."""

    arn: str
    task_definition_arn: str
    revision: int
    ip: str
    state: str
    started_at: datetime | None


@dataclass(slots=True)
class Task:
    arn: str
    deployment: Deployment
    ip: str
    created_at: datetime
    status: str = "PROVISIONING"
    health: str = "UNKNOWN"
    started_at: datetime | None = None
    stopping_at: datetime | None = None
    stopped_at: datetime | None = None
    stop_code: str = ""
    stopped_reason: str = ""
    exit_code: int | None = None

    @property
    def alive(self) -> bool:
        return self.status != "STOPPED" and self.stopping_at is None


@dataclass(slots=True)
class Deployment:
    id: str
    arn: str
    """Of the service deployment."""
    task_definition_arn: str
    digest: str
    created_at: datetime
    updated_at: datetime
    status: str = "PRIMARY"
    rollout: str = "IN_PROGRESS"
    reason: str = ""
    failed_tasks: int = 0
    service_status: str = "IN_PROGRESS"
    finished_at: datetime | None = None
    rolls_back: Deployment | None = None
    """For a deployment ECS started by itself: the one it undoes."""
    retry_at: datetime | None = None

    @property
    def revision(self) -> int:
        return int(self.task_definition_arn.rpartition(":")[2])

    @property
    def short(self) -> str:
        return self.task_definition_arn.rpartition("/")[2]


@dataclass(slots=True)
class Service:
    cluster: str
    name: str
    desired: int
    target_group_arn: str
    container: str
    port: int
    created_at: datetime
    deployments: list[Deployment] = field(default_factory=list)
    history: list[Deployment] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    stopped: list[Task] = field(default_factory=list)
    events: list[tuple[datetime, str]] = field(default_factory=list)

    @property
    def primary(self) -> Deployment:
        return next(d for d in self.deployments if d.status == "PRIMARY")

    def say(self, at: datetime, text: str) -> None:
        self.events.insert(0, (at, f"(service {self.name}) {text}"))
        del self.events[100:]


class EcsSimulation:
    """One service of one cluster, which is all a cutover of one application has."""

    def __init__(
        self, now: Callable[[], datetime], account: str, region: str, digest_of: Callable[[str], str] = lambda arn: arn
    ) -> None:
        self._now = now
        self._digest_of = digest_of
        self.place = f"arn:aws:ecs:{region}:{account}"
        self.behaviour: dict[int, TaskBehaviour] = defaultdict(TaskBehaviour)
        self.service: Service | None = None
        self.lock = threading.RLock()
        self._at = now()
        self._number = 0

    # -- what the world does -----------------------------------------------------------------------------------------

    def create_service(
        self,
        cluster: str,
        service: str,
        task_definition_arn: str,
        desired: int,
        target_group_arn: str,
        container: str,
        port: int,
    ) -> None:
        """A service that has been running for a day."""
        with self.lock:
            long_ago = self._now() - timedelta(days=1)
            self._at = long_ago
            made = Service(cluster, service, desired, target_group_arn, container, port, long_ago)
            self.service = made
            self._begin(task_definition_arn, long_ago, None)
            for _ in range(60):
                self._step(made, self._at + STEP)
            self._at = self._now()

    def deploy(self, task_definition_arn: str) -> None:
        """What UpdateService with a task definition does."""
        with self.lock:
            self._begin(task_definition_arn, self._now(), None)

    def stop_deployment(self) -> None:
        """What StopServiceDeployment with ROLLBACK does."""
        with self.lock:
            service = self._service()
            if service.primary.rollout == "IN_PROGRESS":
                self._roll_back(service, self._now(), "Deployment stopped by the operator")

    def tick(self, now: datetime) -> None:
        """Live until `now`, in small steps, however long it was."""
        with self.lock:
            if self.service is None:
                return
            self._at = max(self._at, now - LONGEST_CATCH_UP)
            while self._at < now:
                self._step(self.service, min(self._at + STEP, now))

    def running(self) -> list[TaskView]:
        """Tasks that run and are not on their way out."""
        with self.lock:
            tasks = self.service.tasks if self.service else []
            return [_view(task) for task in tasks if task.status == "RUNNING" and task.stopping_at is None]

    @property
    def serving_revision(self) -> int:
        """The revision most healthy tasks run; of equals the newest."""
        healthy = [view.revision for view in self.running() if view.state == "HEALTHY"]
        if not healthy:
            return self._service().primary.revision
        return max(set(healthy), key=lambda revision: (healthy.count(revision), revision))

    # -- how it lives ------------------------------------------------------------------------------------------------

    def _service(self) -> Service:
        assert self.service is not None, "create_service comes first"
        return self.service

    def _begin(self, task_definition_arn: str, at: datetime, rolls_back: Deployment | None) -> None:
        service = self._service()
        self._number += 1
        number = f"{9_000_000_000 + self._number:019d}"
        arn = f"{self.place}:service-deployment/{service.cluster}/{service.name}/{number[-12:]}"
        made = Deployment(
            f"ecs-svc/{number}",
            arn,
            task_definition_arn,
            self._digest_of(task_definition_arn),
            at,
            at,
            rolls_back=rolls_back,
        )
        made.reason = f"ECS deployment {made.id} in progress."
        for older in service.deployments:
            older.status = "ACTIVE"
            if older.service_status == "IN_PROGRESS":
                older.service_status, older.finished_at = "STOPPED", at
        service.deployments.insert(0, made)
        service.history.insert(0, made)

    def _step(self, service: Service, now: datetime) -> None:
        self._at = now
        for task in list(service.tasks):
            self._age(service, task, now)
        self._place(service, now)
        self._retire(service, now)
        self._settle(service, now)
        service.stopped = [t for t in service.stopped if t.stopped_at and now - t.stopped_at < FORGOTTEN_AFTER]

    def _age(self, service: Service, task: Task, now: datetime) -> None:
        behaviour = self.behaviour[task.deployment.revision]
        if task.stopping_at is not None:
            if now >= task.stopping_at:
                self._stopped(service, task, now)
            return
        lived = (now - task.created_at).total_seconds()
        if task.started_at is None:
            task.status = "PENDING" if lived > behaviour.start_s / 3 else "PROVISIONING"
            if lived >= behaviour.start_s:
                task.status, task.started_at = "RUNNING", now
            return
        ran = (now - task.started_at).total_seconds()
        if behaviour.crash_after_s is not None and ran >= behaviour.crash_after_s:
            task.stop_code, task.exit_code = "EssentialContainerExited", behaviour.exit_code
            task.stopped_reason = "Essential container in task exited"
            self._stopped(service, task, now)
            self._failed(service, task, now)
        elif behaviour.unhealthy_after_s is not None and ran >= behaviour.unhealthy_after_s:
            self._unhealthy(service, task, now, ran - behaviour.unhealthy_after_s)
        elif ran >= HEALTH_AFTER_S:
            task.health = "HEALTHY"

    def _unhealthy(self, service: Service, task: Task, now: datetime, ill_s: float) -> None:
        """ECS watches an unhealthy task fail its checks for half a minute, then replaces it."""
        task.health = "UNHEALTHY"
        if ill_s < 30:
            return
        service.say(
            now,
            f"(port {service.port}) is unhealthy in target-group {_name(service.target_group_arn)} "
            "due to (reason Health checks failed)",
        )
        task.stop_code = "ServiceSchedulerInitiated"
        task.stopped_reason = f"Task failed ELB health checks in (target-group {service.target_group_arn})"
        task.stopping_at = now + timedelta(seconds=DRAIN_S)
        self._failed(service, task, now)

    def _failed(self, service: Service, task: Task, now: datetime) -> None:
        deployment = task.deployment
        deployment.updated_at = now
        deployment.retry_at = now + timedelta(seconds=min(5 * (deployment.failed_tasks + 1), 60))
        if deployment.status != "PRIMARY" or deployment.rollout != "IN_PROGRESS":
            return
        deployment.failed_tasks += 1
        if deployment.failed_tasks >= self.breaker_threshold and deployment.rolls_back is None:
            self._roll_back(service, now, "tasks failed to start")

    @property
    def breaker_threshold(self) -> int:
        return max(MIN_BREAKER, math.ceil(self._service().desired / 2))

    def _roll_back(self, service: Service, now: datetime, why: str) -> None:
        failed = service.primary
        last_good = next((d for d in service.history if d.rollout == "COMPLETED" and d is not failed), None)
        failed.rollout, failed.updated_at, failed.finished_at = "FAILED", now, now
        failed.reason = f"ECS deployment circuit breaker: {why}."
        failed.service_status = "ROLLBACK_IN_PROGRESS" if last_good else "STOPPED"
        service.say(now, f"(deployment {failed.id}) deployment failed: {why}.")
        if last_good is not None:
            service.say(now, f"rolling back to deployment {last_good.id}.")
            self._begin(last_good.task_definition_arn, now, failed)
            failed.service_status = "ROLLBACK_IN_PROGRESS"

    def _place(self, service: Service, now: datetime) -> None:
        """Start what the primary deployment lacks, within twice the desired count."""
        primary = service.primary
        if primary.retry_at is not None and now < primary.retry_at:
            return
        own = [task for task in service.tasks if task.deployment is primary and task.alive]
        room = 2 * service.desired - len(service.tasks)
        for _ in range(min(service.desired - len(own), room)):
            self._number += 1
            name = f"{0xC0FFEE0000000000 + self._number * 7919:032x}"
            ip = f"10.0.{1 + self._number % 2}.{10 + self._number % 200}"
            task = Task(f"{self.place}:task/{service.cluster}/{name}", primary, ip, now)
            service.tasks.append(task)
            service.say(now, f"has started 1 tasks: (task {name}).")

    def _retire(self, service: Service, now: datetime) -> None:
        """Once the primary's tasks are healthy, the others go."""
        primary = service.primary
        healthy = [t for t in service.tasks if t.deployment is primary and t.alive and t.health == "HEALTHY"]
        if len(healthy) < service.desired:
            return
        for task in service.tasks:
            if task.deployment is not primary and task.alive:
                task.stop_code = "ServiceSchedulerInitiated"
                task.stopped_reason = f"Scaling activity initiated by (deployment {primary.id})"
                task.stopping_at = now + timedelta(seconds=DRAIN_S)
                service.say(now, f"has stopped 1 running tasks: (task {_name(task.arn)}).")

    def _settle(self, service: Service, now: datetime) -> None:
        primary = service.primary
        own = [t for t in service.tasks if t.deployment is primary and t.alive]
        if any(t.deployment is not primary for t in service.tasks) or len(own) != service.desired:
            return
        if primary.rollout != "IN_PROGRESS" or any(t.health != "HEALTHY" for t in own):
            return
        service.deployments = [primary]
        primary.rollout, primary.updated_at, primary.finished_at = "COMPLETED", now, now
        primary.reason = f"ECS deployment {primary.id} completed."
        primary.service_status = "SUCCESSFUL"
        if primary.rolls_back is not None:
            primary.rolls_back.service_status = "ROLLBACK_SUCCESSFUL"
        service.say(now, f"(deployment {primary.id}) deployment completed.")
        service.say(now, "has reached a steady state.")

    def _stopped(self, service: Service, task: Task, now: datetime) -> None:
        task.status, task.stopped_at, task.health = "STOPPED", now, "UNKNOWN"
        service.tasks.remove(task)
        service.stopped.append(task)


def _view(task: Task) -> TaskView:
    state = {"HEALTHY": "HEALTHY", "UNHEALTHY": "UNHEALTHY"}.get(task.health, "STARTING")
    definition = task.deployment.task_definition_arn
    return TaskView(task.arn, definition, task.deployment.revision, task.ip, state, task.started_at)


def _name(arn: str) -> str:
    return arn.rpartition("/")[2]
