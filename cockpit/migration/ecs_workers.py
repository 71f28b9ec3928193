"""Workers as ECS tasks: started by RunTask, followed through the ledger, drained and stopped."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from cockpit.migration.local_workers import DATABASE
from cockpit.migration.replacements import Ended
from cockpit.migration.runs import RunError
from cockpit.migration.worker_names import of_task
from cockpit.migration_scope import EcsTask
from probes.clients.clients import Clients
from probes.reading import Unseen

log = logging.getLogger(__name__)
STARTED_BY = "cockpit-migration"
WORKER = ("python", "-P", "-m", "cockpit.migration")
"""What a task's container runs, followed by the run: nothing in its working folder is imported."""
MOST_AT_ONCE = 10
"""Tasks that one RunTask starts, at most."""
AGAIN_ROUNDS = 15
"""Rounds between two looks at the tasks: the ledger says how the workers do, ECS only whether they are there."""


@dataclass(slots=True)
class EcsWorkers:
    """Tasks of one run. `keep` starts what is missing; `ended` waits for them; `stop` stops those that are left."""

    clients: Clients
    task: EcsTask
    run: int
    count: int
    arns: list[str] = field(default_factory=list)
    _running: set[str] = field(default_factory=set)
    """Of `arns`, those that ECS says run: the others are still to be placed, or to get their image."""
    _round: int = 0
    _ended: list[Ended] = field(default_factory=list)

    @property
    def names(self) -> Collection[str]:
        """Of those that run, as their ids in the ledger begin."""
        return [of_task(_short(arn)) for arn in self._running]

    async def keep(self, others: int = 0) -> None:
        """Start what is missing. Raises RunError when ECS refuses to start one."""
        missing = self.count - others - len(self.arns)
        if missing > 0:
            await self._start(missing)

    async def who_ended(self) -> list[Ended]:
        """How tasks have stopped since it was last asked, as ECS says it; it is asked every few rounds."""
        if self._round % AGAIN_ROUNDS == 0:
            await self._look()
        self._round += 1
        ended, self._ended = self._ended, []
        return ended

    async def give_up(self, names: Collection[str], why: str) -> None:
        """Stop these, and give ECS `why` as the reason. One that ECS was asked to stop counts as ended: its host may be gone,
        and then ECS calls it running for long.
        """
        for arn in sorted(self._running):
            name = of_task(_short(arn))
            if name in names and await self._stop(arn, f"the task {why}"):
                self._ended.append(Ended(f"task {_short(arn)} {why}", worker=name))
                self.arns.remove(arn)
                self._running.discard(arn)

    async def ended(self, within_s: float) -> bool:
        """Wait until every task has stopped by itself."""
        waited = 0.0
        while waited < within_s:
            await self._look()
            if not self.arns:
                return True
            await asyncio.sleep(1)
            waited += 1
        return False

    async def end(self, within_s: float) -> None:
        """Their run has ended: wait until they have; `stop` stops the others."""
        await self.ended(within_s)

    async def stop(self) -> None:
        """Stop what is left: SIGTERM, which drains, and a kill after the task's stopTimeout."""
        for arn in self.arns:
            await self._stop(arn, "migration ended")
        self.arns.clear()

    async def _stop(self, arn: str, reason: str) -> bool:
        """Whether ECS took it."""
        try:
            await self.clients.aws("ecs", "stop_task", cluster=self.task.cluster, task=arn, reason=reason)
        except Unseen as unseen:
            log.warning("could not stop %s: %s", arn, unseen.unknown.detail)
            return False
        return True

    async def _described(self) -> Mapping[str, Any]:
        """What ECS says about the tasks; nothing where it does not answer."""
        if not self.arns:
            return {}
        try:
            answer: Mapping[str, Any] = await self.clients.aws(
                "ecs", "describe_tasks", cluster=self.task.cluster, tasks=self.arns
            )
        except Unseen as unseen:
            log.warning("cannot see the tasks: %s", unseen.unknown.detail)
            return {}
        return answer

    async def _look(self) -> None:
        answer = await self._described()
        stopped = [task for task in answer.get("tasks", []) if task.get("lastStatus") == "STOPPED"]
        running = {task["taskArn"] for task in answer.get("tasks", []) if task.get("lastStatus") == "RUNNING"}
        self._ended += [_how_it_ended(task) for task in stopped]
        lost = [failure["arn"] for failure in answer.get("failures", []) if failure.get("reason") == "MISSING"]
        self._ended += [
            Ended(f"task {_short(arn)}: ECS knows it no longer", well=True, worker=of_task(_short(arn))) for arn in lost
        ]
        gone = {task["taskArn"] for task in stopped} | set(lost)
        self.arns = [arn for arn in self.arns if arn not in gone]
        self._running = (self._running | running).intersection(self.arns)

    async def _start(self, count: int) -> None:
        """In batches, as RunTask takes them. What ECS cannot do now is tried again later; what it refuses at all ends a run.

        Tasks that run are never stopped because another was not started.
        """
        for begun in range(0, count, MOST_AT_ONCE):
            try:
                await self._run_task(min(MOST_AT_ONCE, count - begun))
            except Unseen as unseen:
                why = f"{unseen.unknown.detail}. {unseen.unknown.hint}"
                if not (self.arns or unseen.unknown.reason.traits.transient):
                    raise RunError(f"ECS did not start a worker: {why}") from None
                self._ended.append(Ended(f"a task was not started: {why}"))
                return

    async def _run_task(self, count: int) -> None:
        asked = self.task
        override = {"name": asked.container or await self._container(), "command": self._command()}
        network = {
            "subnets": list(asked.subnets),
            "securityGroups": list(asked.security_groups),
            "assignPublicIp": "ENABLED" if asked.public_ip else "DISABLED",
        }
        spot = {"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]}
        answer = await self.clients.aws(
            "ecs",
            "run_task",
            cluster=asked.cluster,
            taskDefinition=asked.task_definition,
            count=count,
            networkConfiguration={"awsvpcConfiguration": network},
            overrides={"containerOverrides": [override]},
            startedBy=STARTED_BY,
            **(spot if asked.spot else {"launchType": "FARGATE"}),
        )
        self.arns += [task["taskArn"] for task in answer.get("tasks", [])]
        for failure in answer.get("failures", []):
            self._ended.append(Ended(f"a task was not started: {failure.get('reason', 'ECS gives no reason')}"))

    def _command(self) -> list[str]:
        return [*WORKER, str(self.run)]

    async def _container(self) -> str:
        """The only container's name. The connection string is the task definition's to give, as COCKPIT_MIGRATION_DATABASE."""
        answer: dict[str, Any] = await self.clients.aws(
            "ecs", "describe_task_definition", taskDefinition=self.task.task_definition
        )
        containers = answer["taskDefinition"]["containerDefinitions"]
        names = [str(container["name"]) for container in containers]
        held = [entry for c in containers for entry in (*c.get("secrets", []), *c.get("environment", []))]
        if DATABASE not in {entry["name"] for entry in held}:
            raise RunError(f"{self.task.task_definition} does not give its container {DATABASE}: add it as a secret")
        if len(names) != 1:
            raise RunError(
                f"{self.task.task_definition} has {len(names)} containers: name one in migration.ecs.container"
            )
        return names[0]


def _how_it_ended(task: Mapping[str, Any]) -> Ended:
    """Why a task stopped: well, where its containers did."""
    containers = task.get("containers", [])
    well = bool(containers) and all(each.get("exitCode") == 0 for each in containers)
    ends = [f"{each.get('name', 'container')}: {_container_end(each)}" for each in containers]
    words = "; ".join([str(task.get("stoppedReason") or "no reason given"), *ends])
    name = _short(str(task.get("taskArn", "")))
    return Ended(f"task {name} stopped: {words}", well, of_task(name))


def _short(arn: str) -> str:
    return arn.rpartition("/")[2]


def _container_end(container: Mapping[str, Any]) -> str:
    code = container.get("exitCode")
    ended = "never ran" if code is None else f"exit {code}"
    return f"{ended}, {container['reason']}" if container.get("reason") else ended
