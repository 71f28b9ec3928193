"""What the world publishes about itself, in the namespaces, dimensions and rhythm of CloudWatch: once a closed minute.

An ALB leaves out what it has nothing to say about: 5xx counts only when there were any, RequestCount only with traffic.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from cockpit.engine.clock import Clock
from cockpit.rehearsal.application.document_storage import BUCKET
from cockpit.rehearsal.site.load_balancer import Answer, Task

MINUTE = timedelta(minutes=1)
DB_INSTANCE = "transparent-trust-db-prod"
CLUSTER = "transparent-trust-prod"
SERVICE = "transparent-trust-web"
FILTER_ID = "EntireBucket"


class MetricStore(Protocol):
    """Where metrics go; the simulated CloudWatch keeps them."""

    def put(
        self,
        namespace: str,
        metric: str,
        dimensions: Mapping[str, str],
        at: datetime,
        values: Sequence[float],
        unit: str = "",
    ) -> None: ...


@dataclass(slots=True)
class _Minute:
    answers: list[Answer] = field(default_factory=list)
    puts: list[int] = field(default_factory=list)
    healthy: list[int] = field(default_factory=list)
    unhealthy: list[int] = field(default_factory=list)
    running: list[int] = field(default_factory=list)


class Telemetry:
    """Collects within a minute of the cutover's time and publishes it once it has closed."""

    def __init__(self, clock: Clock, store: MetricStore, load_balancer: str, target_group: str) -> None:
        self._clock = clock
        self._store = store
        self._alb = {"LoadBalancer": load_balancer}
        self._group = {"LoadBalancer": load_balancer, "TargetGroup": target_group}
        self._minutes: dict[datetime, _Minute] = defaultdict(_Minute)
        self.database_connections: Callable[[], float] = lambda: 0.0
        self.requests = 0
        self.bucket_misses = 0
        """Requests a minute to the bucket that are no uploads and get a 404: missing keys, a bucket without a policy."""

    def answered(self, answer: Answer) -> None:
        self.requests += 1
        self._now().answers.append(answer)

    def put_object(self, status: int) -> None:
        self._now().puts.append(status)

    def tasks(self, tasks: Sequence[Task]) -> None:
        """One observation of the target group; call it a few times a minute."""
        minute = self._now()
        healthy = sum(task.state == "HEALTHY" for task in tasks)
        minute.healthy.append(healthy)
        minute.unhealthy.append(sum(task.state == "UNHEALTHY" for task in tasks))
        minute.running.append(len(tasks))

    def remember(self, start: datetime, answers: Sequence[Answer], puts: int, tasks: int) -> None:
        """A whole minute of the past, all of it healthy."""
        healthy = [tasks] * 4
        self._minutes[start] = _Minute(list(answers), [200] * puts, healthy, [0] * 4, list(healthy))

    def publish(self, now: datetime) -> int:
        """Publish every minute that has closed by `now`; how many were."""
        closed = sorted(start for start in self._minutes if start + MINUTE <= now)
        for start in closed:
            minute = self._minutes.pop(start)
            self._publish_alb(start, minute)
            self._publish_s3(start, minute)
            self._publish_rds(start, minute)
            self._publish_ecs(start, minute)
        return len(closed)

    def _now(self) -> _Minute:
        return self._minutes[self._clock.now().replace(second=0, microsecond=0)]

    def _count(self, namespace: str, metric: str, dimensions: Mapping[str, str], at: datetime, count: float) -> None:
        """A count AWS reports only when it is not zero."""
        if count:
            self._store.put(namespace, metric, dimensions, at, [float(count)], "Count")

    def _publish_alb(self, at: datetime, minute: _Minute) -> None:
        space = "AWS/ApplicationELB"
        counted = [answer for answer in minute.answers if answer.counted]
        by_target = [answer for answer in minute.answers if answer.by_target]
        target_5xx = sum(answer.status >= 500 for answer in by_target)
        self._count(space, "HTTPCode_ELB_5XX_Count", self._alb, at, len(minute.answers) - len(by_target))
        for dimensions in (self._alb, self._group):
            self._count(space, "RequestCount", dimensions, at, len(counted))
            self._count(space, "HTTPCode_Target_5XX_Count", dimensions, at, target_5xx)
            self._count(
                space, "HTTPCode_Target_2XX_Count", dimensions, at, sum(answer.status < 300 for answer in by_target)
            )
            if by_target:
                times = [answer.seconds for answer in by_target]
                self._store.put(space, "TargetResponseTime", dimensions, at, times, "Seconds")
        if minute.healthy:
            self._store.put(space, "HealthyHostCount", self._group, at, [float(n) for n in minute.healthy], "Count")
            self._store.put(space, "UnHealthyHostCount", self._group, at, [float(n) for n in minute.unhealthy], "Count")

    def _publish_s3(self, at: datetime, minute: _Minute) -> None:
        """S3 request metrics: every request is 0 or 1, so that Sum counts and Average is the rate."""
        if not minute.puts and not self.bucket_misses:
            return
        dimensions = {"BucketName": BUCKET, "FilterId": FILTER_ID}
        answers = [*minute.puts, *[404] * self.bucket_misses]
        self._count("AWS/S3", "PutRequests", dimensions, at, len(minute.puts))
        self._store.put("AWS/S3", "AllRequests", dimensions, at, [float(len(answers))], "Count")
        self._store.put("AWS/S3", "4xxErrors", dimensions, at, [float(400 <= s < 500) for s in answers], "Count")
        self._store.put("AWS/S3", "5xxErrors", dimensions, at, [float(s >= 500) for s in answers], "Count")

    def _publish_rds(self, at: datetime, minute: _Minute) -> None:
        dimensions = {"DBInstanceIdentifier": DB_INSTANCE}
        connections = self.database_connections()
        free_memory = 620e6 - 2.5e6 * connections
        self._store.put("AWS/RDS", "DatabaseConnections", dimensions, at, [connections], "Count")
        self._store.put("AWS/RDS", "CPUUtilization", dimensions, at, [6.0 + 0.08 * len(minute.answers)], "Percent")
        self._store.put("AWS/RDS", "FreeableMemory", dimensions, at, [max(free_memory, 50e6)], "Bytes")
        self._store.put("AWS/RDS", "FreeStorageSpace", dimensions, at, [18.4e9], "Bytes")

    def _publish_ecs(self, at: datetime, minute: _Minute) -> None:
        dimensions = {"ClusterName": CLUSTER, "ServiceName": SERVICE}
        tasks_at_most = max(minute.running, default=0)
        if tasks_at_most:
            load = len(minute.answers) / tasks_at_most
            self._store.put("AWS/ECS", "CPUUtilization", dimensions, at, [8.0 + 0.3 * load], "Percent")
            self._store.put("AWS/ECS", "MemoryUtilization", dimensions, at, [41.0], "Percent")
        if minute.running:
            tasks = [float(n) for n in minute.running]
            self._store.put("ECS/ContainerInsights", "RunningTaskCount", dimensions, at, tasks, "Count")
