"""The life of one ECS task: it starts, becomes healthy, may crash or fall ill, drains, and stops."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from probes.frozen import frozen

DRAIN = timedelta(seconds=15)
"""The target group's deregistration delay."""
STOPPING = timedelta(seconds=5)
PENDING_SHARE, RUNNING_SHARE = 0.15, 0.3
"""Shares of a task's start time after which it is PENDING and RUNNING; at the whole of it, it is healthy."""

TaskState = Literal["STARTING", "HEALTHY", "UNHEALTHY"]


@dataclass(slots=True)
class TaskBehaviour:
    """How tasks of one revision live. May be changed while they do."""

    start_s: float = 20.0
    """From placement until the target is healthy."""
    crash_after_s: float | None = None
    """The container exits this long after it began to run."""
    exit_code: int = 0
    unhealthy_after_s: float | None = None
    """Health checks fail from this long after it began to run."""

    @property
    def sound(self) -> bool:
        return self.crash_after_s is None and self.unhealthy_after_s is None


@frozen
class TaskView:
    """A task as the rest of the world sees it; `ip` is where a load balancer would send its requests."""

    arn: str
    task_definition_arn: str
    revision: int
    ip: str
    state: TaskState
    started_at: datetime | None


@frozen
class Container:
    """A container of a task definition, and the digest its image had when the task was placed."""

    name: str
    image: str
    digest: str


@dataclass(slots=True, eq=False)
class Task:
    """One task. Times are the world's."""

    arn: str
    definition: str
    revision: int
    ip: str
    started_by: str
    """The deployment's id, or whoever called RunTask."""
    group: str
    created_at: datetime
    containers: tuple[Container, ...] = ()
    sidecars: tuple[str, ...] = ()
    """Containers that AWS adds, by how their names begin."""
    pending_at: datetime | None = None
    started_at: datetime | None = None
    healthy_at: datetime | None = None
    unhealthy_since: datetime | None = None
    stopping_at: datetime | None = None
    """When it was asked to stop, or stopped by itself."""
    stopped_at: datetime | None = None
    stop_code: str = ""
    stop_reason: str = ""
    exit_code: int | None = None
    failed: bool = False
    """It died, or was stopped because it was unhealthy; not asked to go."""
    overrides: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.arn.rpartition("/")[2]

    @property
    def wanted(self) -> bool:
        """Not asked to stop, and not stopped by itself."""
        return self.stopping_at is None

    @property
    def state(self) -> TaskState:
        if self.unhealthy_since is not None:
            return "UNHEALTHY"
        return "HEALTHY" if self.healthy_at is not None else "STARTING"

    @property
    def last_status(self) -> str:
        if self.stopped_at is not None:
            return "STOPPED"
        if self.stopping_at is not None:
            return "DEACTIVATING"
        if self.started_at is not None:
            return "RUNNING"
        return "PROVISIONING" if self.pending_at is None else "PENDING"

    @property
    def drains_until(self) -> datetime | None:
        """How long its target still shows as draining; None while it is wanted."""
        return self.stopping_at + DRAIN if self.stopping_at is not None else None

    def view(self) -> TaskView:
        return TaskView(self.arn, self.definition, self.revision, self.ip, self.state, self.started_at)

    def ask_to_stop(self, at: datetime, code: str, reason: str, *, failed: bool = False) -> None:
        """Drain, then stop."""
        if self.stopping_at is None:
            self.stopping_at, self.stop_code, self.stop_reason, self.failed = at, code, reason, failed
            if self.started_at is None:
                self.stopped_at = at

    def exit(self, at: datetime, exit_code: int, *, failed: bool) -> None:
        """The essential container exited by itself."""
        self.stopping_at = self.stopped_at = at
        self.stop_code, self.stop_reason = "EssentialContainerExited", "Essential container in task exited"
        self.exit_code, self.failed = exit_code, failed

    def advance(self, now: datetime, behaviour: TaskBehaviour) -> None:
        """Live up to `now`."""
        if self.stopped_at is not None:
            return
        if self.stopping_at is not None:
            if now >= self.stopping_at + DRAIN + STOPPING:
                self.stopped_at, self.exit_code = now, 0
            return
        start = timedelta(seconds=behaviour.start_s)
        if self.pending_at is None and now >= self.created_at + start * PENDING_SHARE:
            self.pending_at = now
        if self.started_at is None:
            if now < self.created_at + start * RUNNING_SHARE:
                return
            self.started_at = now
        self._run(now, behaviour, start)

    def _run(self, now: datetime, behaviour: TaskBehaviour, start: timedelta) -> None:
        assert self.started_at is not None
        ran = (now - self.started_at).total_seconds()
        if behaviour.crash_after_s is not None and ran >= behaviour.crash_after_s:
            self.exit(now, behaviour.exit_code, failed=True)
        elif behaviour.unhealthy_after_s is not None and ran >= behaviour.unhealthy_after_s:
            self.unhealthy_since = self.unhealthy_since or now
        else:
            self.unhealthy_since = None
            if self.healthy_at is None and now >= self.created_at + start:
                self.healthy_at = now
