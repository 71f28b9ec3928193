"""An ECS service: it keeps its tasks alive, rolls deployments, and trips its circuit breaker."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from cockpit.rehearsal.aws.ecs.task import Container, Task, TaskBehaviour
from probes.frozen import frozen

UNHEALTHY_FOR = timedelta(seconds=20)
"""How long ECS watches an unhealthy task before it replaces it."""
ROLLBACK_TAKES = timedelta(seconds=30)
FORGOTTEN_AFTER = timedelta(hours=1)
PAST_EVERY = timedelta(hours=3)
_LONGEST_BACKOFF_S = 60
_EVENTS = 100


@dataclass(slots=True, eq=False)
class ServiceDeployment:
    """The record of one deployment, as ListServiceDeployments returns it."""

    arn: str
    target_revision: str
    source_revision: str
    created_at: datetime
    status: str = "IN_PROGRESS"
    reason: str = ""
    finished_at: datetime | None = None
    stopped_at: datetime | None = None
    breaker: str = "MONITORING"
    failures: int = 0
    rollback_reason: str = ""
    rollback_at: datetime | None = None
    rollback_revision: str = ""


@frozen
class Revision:
    """A service revision: what a deployment was to bring."""

    definition: str
    containers: tuple[Container, ...]
    created_at: datetime


@dataclass(slots=True, eq=False)
class Deployment:
    """One entry of a service's `deployments`."""

    id: str
    definition: str
    revision: int
    revision_arn: str
    created_at: datetime
    updated_at: datetime
    record: ServiceDeployment
    primary: bool = True
    rollout: str = "IN_PROGRESS"
    reason: str = ""
    failed_tasks: int = 0
    baking_since: datetime | None = None
    """Since when all its tasks are healthy and have the traffic, while the old ones are kept."""


class Foundry(Protocol):
    """Makes what needs a name."""

    def task(self, service: Service, deployment: Deployment, now: datetime) -> Task: ...

    def deployment(self, service: Service, definition: str, now: datetime) -> Deployment: ...


@dataclass(slots=True)
class Event:
    id: str
    at: datetime
    message: str


@dataclass(slots=True, eq=False)
class Service:
    """A service: minimumHealthyPercent 100, maximumPercent 200, breaker with rollback; rolling, or by `strategy`."""

    cluster: str
    name: str
    arn: str
    desired: int
    target_group: str
    container: str
    port: int
    created_at: datetime
    foundry: Foundry
    tasks: list[Task] = field(default_factory=list)
    deployments: list[Deployment] = field(default_factory=list)
    """Newest first."""
    records: list[ServiceDeployment] = field(default_factory=list)
    """Newest first."""
    events: deque[Event] = field(default_factory=lambda: deque(maxlen=_EVENTS))
    """Newest first."""
    revisions: dict[str, Revision] = field(default_factory=dict)
    """By ARN."""
    completed: Deployment | None = None
    """The last one that completed: where a rollback goes."""
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    execute_command: bool = False
    controller: str = "ECS"
    """Or CODE_DEPLOY or EXTERNAL: then its deployments are shown as task sets, and UpdateService brings no revision."""
    strategy: str = "ROLLING"
    """Or BLUE_GREEN: the new tasks start beside the old ones, which stay until the bake time is over."""
    bake: timedelta = timedelta(0)
    event_count: int = 0
    """Events so far."""
    steady: bool = False
    failures_in_row: int = 0
    launch_not_before: datetime | None = None

    @property
    def primary(self) -> Deployment:
        return next(each for each in self.deployments if each.primary)

    @property
    def breaker_threshold(self) -> int:
        return max(3, math.ceil(0.5 * self.desired))

    def of(self, deployment: Deployment) -> list[Task]:
        """A deployment's tasks that have not stopped."""
        return [task for task in self.tasks if task.started_by == deployment.id and task.stopped_at is None]

    def add_event(self, now: datetime, message: str) -> None:
        self.event_count += 1
        self.events.appendleft(Event(f"{self.event_count:08d}-{self.name}", now, f"(service {self.name}) {message}"))

    def remember(self, count: int, now: datetime) -> None:
        """Put deployments of the past below those that are known: one every three hours, each of them completed."""
        oldest = self.records[-1] if self.records else None
        if oldest is None:
            return
        for back in range(1, count + 1):
            at = min(oldest.created_at, now) - back * PAST_EVERY
            arn = f"{oldest.arn.rpartition('/')[0]}/past{back:017d}"
            past = replace(oldest, arn=arn, created_at=at, finished_at=at + PAST_EVERY / 60, status="SUCCESSFUL")
            self.records.append(past)

    # -- what is asked of it -----------------------------------------------------------------------------------------

    def deploy(self, definition: str, now: datetime) -> Deployment:
        """Begin a deployment; one under way is superseded."""
        made = self.foundry.deployment(self, definition, now)
        if self.deployments:
            before = self.primary
            before.primary = False
            if before.record.status in ("IN_PROGRESS", "ROLLBACK_IN_PROGRESS"):
                before.record.status, before.record.stopped_at = "STOPPED", now
                before.record.reason = "Service deployment stopped: a newer deployment was started."
                before.record.finished_at, before.record.breaker = now, "MONITORING_COMPLETE"
        made.reason = f"ECS deployment {made.id} in progress."
        self.deployments.insert(0, made)
        self.records.insert(0, made.record)
        self.steady, self.failures_in_row, self.launch_not_before = False, 0, None
        return made

    def roll_back(self, now: datetime, reason: str, why_failed: str) -> None:
        """Give the running deployment up and go back to the last one that completed; without one, stay as it is."""
        failed = self.primary
        failed.rollout, failed.reason, failed.updated_at = "FAILED", why_failed, now
        record, back = failed.record, self.completed
        if back is None or back.definition == failed.definition:
            record.status, record.reason, record.finished_at = "STOPPED", reason, now
            return
        failed.primary = False
        if back not in self.deployments:
            back = self.foundry.deployment(self, back.definition, now)
            self.deployments.insert(0, back)
        back.primary, back.rollout, back.updated_at = True, "IN_PROGRESS", now
        back.record = record
        back.reason = f"ECS deployment circuit breaker: rolling back to deploymentId {back.id}."
        record.status, record.reason = "ROLLBACK_IN_PROGRESS", reason
        record.rollback_reason, record.rollback_at, record.rollback_revision = reason, now, back.revision_arn
        self.add_event(now, f"rolling back to deployment {back.id}.")
        self.steady, self.failures_in_row, self.launch_not_before = False, 0, None

    def stop_deployment(self, now: datetime, *, rollback: bool) -> None:
        """What StopServiceDeployment does to the deployment under way."""
        failed = self.primary
        self.add_event(now, f"(deployment {failed.id}) deployment stopped by a user.")
        if rollback:
            failed.record.breaker = "MONITORING_COMPLETE"
            self.roll_back(
                now, "Service deployment rollback requested by a user.", f"ECS deployment {failed.id} stopped."
            )
            return
        failed.rollout, failed.reason = "FAILED", f"ECS deployment {failed.id} stopped."
        failed.record.status, failed.record.stopped_at = "STOPPED", now
        failed.record.finished_at, failed.record.reason = now, "Service deployment stopped by a user."

    # -- its life ----------------------------------------------------------------------------------------------------

    def advance(self, now: datetime, behaviour: Callable[[int], TaskBehaviour]) -> None:
        """One step of a second or so."""
        for task in self.tasks:
            self._live(task, now, behaviour(task.revision))
        self._replace_unhealthy(now)
        self._break_circuit(now)
        self._launch(now)
        self._retire(now)
        self._settle(now)
        self.tasks = [task for task in self.tasks if task.stopped_at is None or now - task.stopped_at < FORGOTTEN_AFTER]

    def quiet(self, behaviour: Callable[[int], TaskBehaviour]) -> bool:
        """Whether nothing will change however much time goes by."""
        if not self.steady or len(self.deployments) != 1:
            return False
        running_tasks = [task for task in self.tasks if task.stopped_at is None]
        calm = all(task.wanted and task.state == "HEALTHY" and behaviour(task.revision).sound for task in running_tasks)
        return calm and len(running_tasks) == self.desired

    def _live(self, task: Task, now: datetime, behaviour: TaskBehaviour) -> None:
        ran, was_healthy, was_wanted = task.started_at is not None, task.healthy_at is not None, task.wanted
        task.advance(now, behaviour)
        if not ran and task.started_at is not None and task.wanted:
            self.add_event(now, f"registered 1 targets in (target-group {self.target_group})")
        if not was_healthy and task.healthy_at is not None:
            self.failures_in_row = 0
        if was_wanted and not task.wanted:
            self._failed(task, now)

    def _failed(self, task: Task, now: datetime) -> None:
        """A task is gone that nobody asked to go."""
        self.steady = False
        self.failures_in_row += 1
        wait = min(2**self.failures_in_row, _LONGEST_BACKOFF_S)
        self.launch_not_before = now + timedelta(seconds=wait)
        self.add_event(now, f"deregistered 1 targets in (target-group {self.target_group})")
        deployment = self.primary
        if task.started_by == deployment.id and deployment.rollout == "IN_PROGRESS":
            deployment.failed_tasks += 1
            deployment.updated_at = now
            if deployment.record.status == "IN_PROGRESS":
                deployment.record.failures = deployment.failed_tasks

    def _replace_unhealthy(self, now: datetime) -> None:
        for task in self.tasks:
            if task.wanted and task.unhealthy_since is not None and now - task.unhealthy_since >= UNHEALTHY_FOR:
                place = f"(target-group {self.target_group})"
                why = "due to (reason Health checks failed with these codes: [500])"
                self.add_event(now, f"(port {self.port}) is unhealthy in {place} {why}.")
                reason = f"Task failed ELB health checks in {place}"
                task.ask_to_stop(now, "ServiceSchedulerInitiated", reason, failed=True)
                self._announce_stop(now, [task])
                self._failed(task, now)

    def _break_circuit(self, now: datetime) -> None:
        deployment = self.primary
        watched = deployment.rollout == "IN_PROGRESS" and deployment.record.status == "IN_PROGRESS"
        if not watched or deployment.failed_tasks < self.breaker_threshold:
            return
        deployment.record.breaker = "TRIGGERED"
        self.add_event(now, f"(deployment {deployment.id}) deployment failed: tasks failed to start.")
        reason = "Service deployment rolled back because the circuit breaker threshold was exceeded."
        self.roll_back(now, reason, "ECS deployment circuit breaker: tasks failed to start.")

    def _launch(self, now: datetime) -> None:
        deployment = self.primary
        if deployment.rollout == "FAILED" or (self.launch_not_before is not None and now < self.launch_not_before):
            return
        wanted = [task for task in self.tasks if task.wanted]
        own = sum(task.started_by == deployment.id for task in wanted)
        count = min(self.desired - own, 2 * self.desired - len(wanted))
        if count <= 0:
            return
        made = [self.foundry.task(self, deployment, now) for _ in range(count)]
        self.tasks += made
        self.steady = False
        self.add_event(now, f"has started {count} tasks: {_named(made)}.")

    def _retire(self, now: datetime) -> None:
        """Old tasks go as soon as enough healthy ones remain; those that never became healthy go at once."""
        deployment = self.primary
        wanted = [task for task in self.tasks if task.wanted]
        healthy = sum(task.state == "HEALTHY" for task in wanted)
        old = [task for task in wanted if task.started_by != deployment.id]
        own = [task for task in wanted if task.started_by == deployment.id]
        gone = [task for task in old if task.state != "HEALTHY"]
        if not self._keeps_old(deployment, now):
            gone += [task for task in old if task.state == "HEALTHY"][: max(0, healthy - self.desired)]
        gone += own[self.desired :]
        for task in gone:
            task.ask_to_stop(
                now, "ServiceSchedulerInitiated", f"Scaling activity initiated by (deployment {deployment.id})"
            )
        if gone:
            self._announce_stop(now, gone)

    def _keeps_old(self, deployment: Deployment, now: datetime) -> bool:
        """Whether a deployment that shifts traffic still has its old tasks to go back to."""
        if self.strategy == "ROLLING" or deployment.record.status != "IN_PROGRESS":
            return False
        healthy = sum(task.wanted and task.state == "HEALTHY" for task in self.of(deployment))
        if deployment.baking_since is None and healthy >= self.desired:
            deployment.baking_since = now
        return deployment.baking_since is None or now - deployment.baking_since < self.bake

    def _announce_stop(self, now: datetime, tasks: list[Task]) -> None:
        self.add_event(now, f"has stopped {len(tasks)} running tasks: {_named(tasks)}.")
        self.add_event(now, f"deregistered {len(tasks)} targets in (target-group {self.target_group})")
        self.add_event(now, f"has begun draining connections on {len(tasks)} tasks.")

    def _settle(self, now: datetime) -> None:
        deployment = self.primary
        own = [task for task in self.of(deployment) if task.wanted and task.state == "HEALTHY"]
        others = [task for task in self.tasks if task.stopped_at is None and task.started_by != deployment.id]
        # A failed deployment stays on show until the service has found its way back.
        finished = deployment.rollout != "IN_PROGRESS"
        for old in [each for each in self.deployments if not each.primary and not self.of(each)]:
            if old.rollout != "FAILED" or finished:
                self.deployments.remove(old)
        if len(own) != self.desired or others or self.steady or self._watches_rollback(deployment, now):
            return
        self.steady = True
        if deployment.rollout == "IN_PROGRESS":
            deployment.rollout, deployment.updated_at = "COMPLETED", now
            deployment.reason = f"ECS deployment {deployment.id} completed."
            self.completed = deployment
            _finish(deployment.record, now)
            self.add_event(now, f"(deployment {deployment.id}) deployment completed.")
        self.add_event(now, "has reached a steady state.")

    @staticmethod
    def _watches_rollback(deployment: Deployment, now: datetime) -> bool:
        """Whether ECS still watches what it went back to, even if those tasks never left."""
        went_back = deployment.record.rollback_at
        rolling_back = deployment.record.status == "ROLLBACK_IN_PROGRESS"
        return rolling_back and went_back is not None and now - went_back < ROLLBACK_TAKES


def _finish(record: ServiceDeployment, now: datetime) -> None:
    if record.status == "ROLLBACK_IN_PROGRESS":
        record.status = "ROLLBACK_SUCCESSFUL"
    elif record.status == "IN_PROGRESS":
        record.status, record.breaker = "SUCCESSFUL", "MONITORING_COMPLETE"
    record.finished_at = now


def _named(tasks: Iterable[Task]) -> str:
    return " ".join(f"(task {task.id})" for task in tasks)
