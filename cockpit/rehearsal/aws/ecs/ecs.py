"""The simulated ECS: services that live by the world's clock, and tasks run on their own."""

from __future__ import annotations

import random
import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from cockpit.rehearsal.aws.ecs.service import FORGOTTEN_AFTER, Deployment, Revision, Service, ServiceDeployment
from cockpit.rehearsal.aws.ecs.task import Task, TaskBehaviour, TaskView
from cockpit.rehearsal.aws.ecs.task_definitions import containers_of, revision_of
from probes.frozen import frozen

__all__ = ["EcsSimulation", "RunTask", "TaskBehaviour", "TaskView"]
STEP = timedelta(seconds=1)
_SEED = 11


@frozen
class RunTask:
    """What RunTask asked for: a task on its own has begun. Tell its end with `EcsSimulation.finish`."""

    arn: str
    task_definition_arn: str
    started_by: str
    overrides: dict[str, Any]


class EcsSimulation:
    """Services and tasks. `advance` moves them on in steps of a second, so a jump of time ends where small steps would.

    Safe to use from several threads.
    """

    def __init__(self, now: Callable[[], datetime], account: str, region: str, sidecars: tuple[str, ...] = ()) -> None:
        self.lock = threading.RLock()
        self.behaviour: defaultdict[int, TaskBehaviour] = defaultdict(TaskBehaviour)
        """By revision of the task definition; may be changed at any time."""
        self.on_run_task: Callable[[RunTask], None] | None = None
        """Called after RunTask, from the thread that serves it."""
        self.services: dict[tuple[str, str], Service] = {}
        self.lone: list[Task] = []
        """Tasks of no service."""
        self._now = now
        self._account = account
        self._region = region
        self._sidecars = sidecars
        self._names = random.Random(_SEED)
        self._addresses = 10
        self._at = _whole(now())
        self._served = 0

    # -- the interface to the rest of the world ------------------------------------------------------------------------

    def create_service(
        self,
        cluster: str,
        service: str,
        task_definition_arn: str,
        desired: int,
        target_group_arn: str,
        container: str,
        port: int,
        *,
        since: datetime | None = None,
    ) -> None:
        """A new service; with `since`, one that has been running and healthy since then."""
        with self.lock:
            now = since or self._now()
            arn = f"{self._arn('service')}/{cluster}/{service}"
            made = Service(cluster, service, arn, desired, target_group_arn, container, port, now, self)
            self.services[cluster, service] = made
            made.deploy(task_definition_arn, now)
            if since is not None:
                self._grow_up(made, since)

    def deploy(self, task_definition_arn: str) -> None:
        """Roll out a revision on the first service, as UpdateService would. Raises LookupError without a service."""
        with self.lock:
            now = self._now()
            self.advance(now)
            self.main.deploy(task_definition_arn, now)

    def running(self) -> list[TaskView]:
        """Tasks of services that are not on their way out, starting ones included."""
        with self.lock:
            return [task.view() for service in self.services.values() for task in service.tasks if task.wanted]

    @property
    def serving_revision(self) -> int:
        """The revision most healthy tasks run, the newer one of two equal; the last known when none is healthy."""
        with self.lock:
            healthy = Counter(view.revision for view in self.running() if view.state == "HEALTHY")
            if healthy:
                self._served = max(healthy, key=lambda revision: (healthy[revision], revision))
            return self._served

    def advance(self, now: datetime) -> None:
        """Live up to `now`. Cheap while nothing changes; a time that lies back is ignored."""
        with self.lock:
            until = _whole(now)
            while self._at < until:
                if self._quiet():
                    self._at = until
                    break
                self._at += STEP
                for service in self.services.values():
                    service.advance(self._at, self._behaviour)
                for task in self.lone:
                    task.advance(self._at, TaskBehaviour())
            self.lone = [t for t in self.lone if t.stopped_at is None or now - t.stopped_at < FORGOTTEN_AFTER]

    @property
    def simulated_until(self) -> datetime:
        """The moment the tasks have lived up to."""
        return self._at

    def finish(self, task_arn: str, exit_code: int = 0) -> None:
        """A task of RunTask has done its work. Raises LookupError."""
        with self.lock:
            task = next((each for each in self.lone if each.arn == task_arn), None)
            if task is None:
                raise LookupError(f"no task {task_arn}")
            task.exit(self._now(), exit_code, failed=exit_code != 0)

    # -- what the API's answers use ------------------------------------------------------------------------------------

    @property
    def main(self) -> Service:
        """The first service."""
        if not self.services:
            raise LookupError("there is no service yet: create the account first")
        return next(iter(self.services.values()))

    def run_alone(self, cluster: str, definition: str, started_by: str, group: str, overrides: dict[str, Any]) -> Task:
        """Place a task of no service."""
        with self.lock:
            now = self._now()
            arn = f"{self._arn('task')}/{cluster}/{self._hex(32)}"
            task = Task(arn, definition, revision_of(definition), self._address(), started_by, group, now)
            task.containers, task.overrides = containers_of(definition), overrides
            task.sidecars = self._sidecars
            self.lone.append(task)
            return task

    # -- foundry -------------------------------------------------------------------------------------------------------

    def task(self, service: Service, deployment: Deployment, now: datetime) -> Task:
        """A new task of a service's deployment."""
        arn = f"{self._arn('task')}/{service.cluster}/{self._hex(32)}"
        group = f"service:{service.name}"
        made = Task(arn, deployment.definition, deployment.revision, self._address(), deployment.id, group, now)
        made.containers, made.sidecars = containers_of(deployment.definition), self._sidecars
        return made

    def deployment(self, service: Service, definition: str, now: datetime) -> Deployment:
        """A new deployment, with its record and its service revision."""
        place = f"{service.cluster}/{service.name}"
        revision = f"{self._arn('service-revision')}/{place}/{self._digits(19)}"
        service.revisions[revision] = Revision(definition, containers_of(definition), now)
        source = service.primary.revision_arn if service.deployments else ""
        record = ServiceDeployment(f"{self._arn('service-deployment')}/{place}/{self._hex(21)}", revision, source, now)
        return Deployment(
            f"ecs-svc/{self._digits(19)}", definition, revision_of(definition), revision, now, now, record
        )

    # -- how -----------------------------------------------------------------------------------------------------------

    def _behaviour(self, revision: int) -> TaskBehaviour:
        return self.behaviour[revision]

    def _quiet(self) -> bool:
        settled = all(service.quiet(self._behaviour) for service in self.services.values())
        return settled and all(task.stopped_at is not None or task.healthy_at is not None for task in self.lone)

    def _grow_up(self, service: Service, since: datetime) -> None:
        """Tasks, deployment and record of a service that came up long ago."""
        step = since
        while not service.steady:
            step += STEP
            service.advance(step, lambda _: TaskBehaviour())

    def _arn(self, kind: str) -> str:
        return f"arn:aws:ecs:{self._region}:{self._account}:{kind}"

    def _hex(self, length: int) -> str:
        return "".join(self._names.choices("0123456789abcdef", k=length))

    def _digits(self, length: int) -> str:
        return str(self._names.randrange(10 ** (length - 1), 10**length))

    def _address(self) -> str:
        self._addresses += 1
        number = self._addresses
        return f"10.0.{10 + number % 2}.{10 + number // 2 % 240}"


def _whole(at: datetime) -> datetime:
    """Steps fall on whole seconds, whatever the moments `advance` is called at."""
    return at.replace(microsecond=0)
