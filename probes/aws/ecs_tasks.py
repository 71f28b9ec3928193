"""ECS: the tasks of a service, and how those that stopped ended."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from probes.aws.ecs import ServiceParams, service_url
from probes.aws.image_names import own
from probes.clients.arns import arn
from probes.clients.clients import Clients
from probes.clients.long_list import Entries, LongList
from probes.demand import AWS_ALONE
from probes.periods import Duration
from probes.probe import Probe
from probes.reading import Bounds, Evidence, Field, Reading, Reason, Unknown, Unseen
from probes.redact import one_line

LISTED_RUNNING, LISTED_STOPPED = 2, 1
"""Pages of each list that one reading asks for, whatever the size of the service: with their descriptions, six calls."""
PAGE = 100
"""The most that ListTasks gives at once, and DescribeTasks takes (their API reference)."""
RETURNING = "Scaling activity initiated by"
"""How ECS words the stop of a task that a deployment or scaling asked for: not a failure."""


class TasksParams(ServiceParams):
    window: Duration = timedelta(minutes=10)
    """How far back stopped tasks count; ECS forgets them after about an hour."""


class EcsTasks(Probe[TasksParams]):
    """The tasks of an ECS service: running, healthy, and those that died lately and why.

    Reads ecs ListTasks (RUNNING and STOPPED) and DescribeTasks: healthStatus, startedAt, stoppedAt, stopCode, stoppedReason,
    taskDefinitionArn, containers[].imageDigest, exitCode. Without a container health check every task's health is UNKNOWN
    (`health_unknown`), not healthy. A task that a deployment, scaling or a person stopped is no failure; one that failed a
    health check is. What AWS took away (Spot, a host that is retired) is `interrupted_recently`. A stop code that is new is
    neither: the count is then unknown. Images are those of the application's own containers: those that AWS adds (GuardDuty,
    Service Connect) and sidecars named by a tag of somebody else's registry are left out.

    Up to 200 running tasks and 100 stopped ones are read whole in every reading. Of more, each reading goes on with 200 and
    100: until all have been seen once, counts are PARTIAL and known from below; from then on a reading is as old as the page
    that has not been read for longest, and says so. A task that has stopped is described once: it changes no more.
    """

    name = "ecs.tasks"
    params_type = TasksParams
    demands = AWS_ALONE
    subjects = ("ecs", "fargate", "task")
    cannot_see = "a task that fails without stopping and has no health check; tasks stopped over an hour ago"
    late = "a health check's interval times its retries; of over 200 running or 100 stopped, some intervals more"
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
        Field("interrupted_recently", int, "tasks that AWS took away, in the window", 0, "count", low=0),
        Field("last_interruption", str, "stop code and reason of the newest of them", "SpotInterruption: ..."),
        Field("last_failure", str, "stop code and reason of the newest failure", "EssentialContainerExited: exit 1"),
        Field("digests", tuple, "image digests that are running", ("sha256:1f3a",)),
        Field("task_definitions", tuple, "family:revision of what is running", ("web:42",)),
        Field("one_release", bool, "all running tasks run one task definition", example=True),
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
        return {"ecs:DescribeTasks": (arn(self.clients.options, "ecs", f"task/{self.params.cluster}/*"),)}

    def __init__(self, params: TasksParams, clients: Clients) -> None:
        super().__init__(params, clients)
        self._running = self._tasks("RUNNING", LISTED_RUNNING)
        self._stopped = self._tasks("STOPPED", LISTED_STOPPED)

    def _tasks(self, status: str, most: int) -> LongList:
        return LongList(
            self.clients, "ecs", "list_tasks", "taskArns", most=most, page_key="nextToken",
            cluster=self.params.cluster, serviceName=self.params.service, desiredStatus=status,
        )  # fmt: skip

    async def read(self, now: datetime) -> Reading:
        cluster, service = self.params.cluster, self.params.service
        query = f"ecs list-tasks --cluster {cluster} --service-name {service}; ecs describe-tasks"
        url = service_url(self.clients, cluster, service)
        try:
            await self._read_on(now)
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, Evidence(query, console_url=url))
        tasks = list({**self._running.entries, **self._stopped.entries}.values())
        ended = {how: _ended(tasks, how, now - self.params.window) for how in End}
        shown = sorted(
            (*ended[End.FAILED], *ended[End.UNKNOWN], *ended[End.INTERRUPTED]), key=_stopped_at, reverse=True
        )
        as_of = min(filter(None, (self._running.as_of, self._stopped.as_of)), default=now)
        lines = (*self._behind(now, as_of), *(f"{_stopped_at(task):%H:%M:%S} {_why(task)}" for task in shown[:5]))
        values, unknown = _running_values([task for task in tasks if task.get("lastStatus") == "RUNNING"], now)
        if not self._running.whole:
            values, unknown = _from_below(values, unknown, self._running)
        known, blind = _ended_values(ended)
        if not self._stopped.whole:
            known, blind = _from_below(known, blind, self._stopped)
        evidence = Evidence(query, console_url=url, lines=lines)
        reading = self.reading(now, values | known, unknown=unknown | blind, data_at=as_of, evidence=evidence)
        return replace(reading, lateness=now - as_of)

    def _behind(self, now: datetime, as_of: datetime) -> tuple[str, ...]:
        """What to know where one reading is not enough to see all tasks."""
        if as_of == now and self._running.whole and self._stopped.whole:
            return ()
        count = len(self._running.entries) + len(self._stopped.entries)
        return (
            f"{count} tasks, read {(LISTED_RUNNING + LISTED_STOPPED) * PAGE} at a time: as of {as_of:%H:%M:%S} or later",
        )

    async def _read_on(self, now: datetime) -> None:
        """Read the next pages of both lists, and what has become of the tasks on them. Raises Unseen."""
        lists = (self._running, self._stopped)
        found = [await each.read_on() for each in lists]
        asked = [_changing(each.entries, pages.listed) for each, pages in zip(lists, found, strict=True)]
        described = await self._described(tuple(dict.fromkeys(arn for arns in asked for arn in arns)), asked[1])
        for each, pages in zip(lists, found, strict=True):
            known = {**each.entries, **described}
            each.take(pages, {arn: known[arn] for arn in pages.listed if arn in known}, now)

    async def _described(self, arns: Sequence[str], stopped: Collection[str]) -> Entries:
        """Every listed task. One left out of a successful answer would be a failure nobody counts, so it is PARTIAL."""
        at_once = [arns[start : start + PAGE] for start in range(0, len(arns), PAGE)]
        calls = (
            self.clients.aws("ecs", "describe_tasks", cluster=self.params.cluster, tasks=list(some)) for some in at_once
        )
        answers = await asyncio.gather(*calls)
        tasks = {str(task.get("taskArn")): task for answer in answers for task in answer.get("tasks", [])}
        reasons = {f.get("arn"): str(f.get("reason", "")) for answer in answers for f in answer.get("failures", ())}
        # ECS keeps a stopped task for an hour at least: one that just went ended before any window of use.
        forgotten = {arn for arn in stopped if reasons.get(arn) == "MISSING"}
        left_out = set(arns) - forgotten - tasks.keys()
        if left_out:
            why = ", ".join(sorted({reasons.get(arn) or "no reason given" for arn in left_out}))
            detail = one_line(f"{len(left_out)} of {len(arns)} tasks were listed but not described ({why})")
            raise Unseen(Unknown(Reason.PARTIAL, detail, "the next reading asks again"))
        return tasks


def _changing(known: Entries, listed: Sequence[str]) -> tuple[str, ...]:
    """The tasks to look at: one that has stopped changes no more."""
    return tuple(dict.fromkeys(arn for arn in listed if known.get(arn, {}).get("lastStatus") != "STOPPED"))


def _from_below(
    values: Mapping[str, Any], unknown: Mapping[str, Unknown], read: LongList
) -> tuple[dict[str, Any], dict[str, Unknown]]:
    """What is known while some of a list has never been read: every whole number here is a count."""
    counts = {name: value for name, value in values.items() if isinstance(value, int) and not isinstance(value, bool)}
    return {}, read.from_below((*values, *unknown), counts)


class End(Enum):
    """How a task ended."""

    FAILED = "by itself, or it failed a health check"
    ASKED = "a deployment, scaling or a person stopped it"
    INTERRUPTED = "AWS took it away"
    UNKNOWN = "a stop code that is not known here"


_ENDS = {
    "TaskFailedToStart": End.FAILED,
    "EssentialContainerExited": End.FAILED,
    "UserInitiated": End.ASKED,
    "ServiceSchedulerInitiated": End.ASKED,
    "SpotInterruption": End.INTERRUPTED,
    "TerminationNotice": End.INTERRUPTED,
    "InfrastructureHealth": End.INTERRUPTED,
    "": End.FAILED,
}
"""By stopCode, as ECS documents it; none at all is what old tasks have."""
_HOST_GONE = re.compile(r"^host ec2 .*(terminated|stopped)", re.IGNORECASE)
_TAKEN_AWAY = re.compile(r"retire|capacity provider .*(drain|reclaim)", re.IGNORECASE)
_OF_THE_TASK = ("TaskFailedToStart", "EssentialContainerExited")
"""Their reasons quote images and what the container wrote: a word in them says nothing of the host."""


def _ended(tasks: Sequence[Mapping[str, Any]], how: End, since: datetime) -> list[Mapping[str, Any]]:
    """Those that ended in this way since then, newest first."""
    stopped = (task for task in tasks if task.get("lastStatus") == "STOPPED" and _stopped_at(task) >= since)
    return sorted((task for task in stopped if _how(task) is how), key=_stopped_at, reverse=True)


def _how(task: Mapping[str, Any]) -> End:
    code, reason = str(task.get("stopCode") or ""), str(task.get("stoppedReason") or "")
    if code == "UserInitiated" or reason.startswith(RETURNING):
        return End.ASKED  # a person words the reason as they like
    if _HOST_GONE.search(reason):
        return End.INTERRUPTED
    if code in _OF_THE_TASK or "health check" in reason.lower():
        return End.FAILED
    if _TAKEN_AWAY.search(reason):
        return End.INTERRUPTED
    return _ENDS.get(code, End.UNKNOWN)


def _ended_values(ended: Mapping[End, Sequence[Mapping[str, Any]]]) -> tuple[dict[str, Any], dict[str, Unknown]]:
    failed, interrupted, strange = ended[End.FAILED], ended[End.INTERRUPTED], ended[End.UNKNOWN]
    values: dict[str, Any] = {
        "failed_recently": len(failed),
        "last_failure": _why(failed[0]) if failed else None,
        "interrupted_recently": len(interrupted),
        "last_interruption": _why(interrupted[0]) if interrupted else None,
    }
    unknown = {}
    if not failed:
        unknown["last_failure"] = Unknown(Reason.NO_DATA, "no task failed in the window")
    if not interrupted:
        unknown["last_interruption"] = Unknown(Reason.NO_DATA, "AWS took no task away in the window")
    if strange:
        within = Bounds(len(failed), len(failed) + len(strange))
        detail = f"{_stopped(len(strange))} with a stop code that is not known here: {_why(strange[0])}"
        unknown["failed_recently"] = Unknown(Reason.ERROR, detail, "see its stoppedReason in the console", within)
    return values, unknown


def _stopped(tasks: int) -> str:
    return "1 task stopped" if tasks == 1 else f"{tasks} tasks stopped"


def _running_values(running: Sequence[Mapping[str, Any]], now: datetime) -> tuple[dict[str, Any], dict[str, Unknown]]:
    health = Counter(str(task.get("healthStatus", "UNKNOWN")) for task in running)
    images: dict[str, set[str]] = {}
    containers = [container for task in running for container in task.get("containers") or ()]
    judged = own((str(each.get("name")), str(each.get("image") or "")) for each in containers)
    for container in (each for each in containers if str(each.get("name")) in judged):
        images.setdefault(str(container.get("name")), set()).add(str(container.get("imageDigest") or ""))
    digests = set().union(*images.values()) - {""}
    all_known = bool(digests) and "" not in set().union(*images.values())
    started = [task["startedAt"] for task in running if task.get("startedAt")]
    releases = {str(task.get("taskDefinitionArn") or "").rpartition("/")[2] for task in running}
    unknown: dict[str, Unknown] = {}
    if not running:
        nothing = Unknown(Reason.NO_DATA, "no task is running")
        unknown |= dict.fromkeys(("task_definitions", "one_release", "digests", "one_image", "youngest_age_s"), nothing)
    elif not all_known:
        unknown["one_image"] = Unknown(Reason.NO_DATA, "ECS does not name the image digest of every container")
    return {
        "running": len(running),
        "healthy": health["HEALTHY"],
        "unhealthy": health["UNHEALTHY"],
        "health_unknown": len(running) - health["HEALTHY"] - health["UNHEALTHY"],
        "task_definitions": tuple(sorted(releases - {""})),
        "one_release": len(releases) == 1 if releases and "" not in releases else None,
        "digests": tuple(sorted(digests)),
        "one_image": all(len(found) == 1 for found in images.values()) if all_known else None,
        "youngest_age_s": max((now - max(started)).total_seconds(), 0.0) if started else None,
    }, unknown


def _stopped_at(task: Mapping[str, Any]) -> datetime:
    at: datetime = task.get("stoppedAt") or task.get("stoppingAt") or datetime.min.replace(tzinfo=UTC)
    return at


def _why(task: Mapping[str, Any]) -> str:
    codes = [str(c["exitCode"]) for c in task.get("containers", []) if c.get("exitCode")]
    exits = f" (exit {', '.join(codes)})" if codes else ""
    return one_line(f"{task.get('stopCode', 'Stopped')}: {task.get('stoppedReason', 'no reason given')}{exits}", 200)
