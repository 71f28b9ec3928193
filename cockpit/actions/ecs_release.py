"""What an ECS service runs now: its revision, the images it names, and the digests its tasks really run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cockpit.plan.model import EcsService
from probes.aws.ecs_tasks import added_by_aws
from probes.clients.clients import Clients
from probes.reading import Reason, Unknown, Unseen

_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Release:
    task_definition: str
    """ARN with its revision."""
    active: bool
    """Whether the task definition may still be started."""
    images: tuple[str, ...]
    digests: tuple[str, ...]
    """Of the tasks that run this revision now, sorted, each once; empty while none does."""
    settled: bool
    """Whether it is the only deployment, and that one is complete."""
    failed: str = ""
    """Why its deployment failed; empty where it did not."""
    running: int = 0
    desired: int = 0


async def running(clients: Clients, on: EcsService) -> Release:
    """The release of the service's PRIMARY deployment. Raises Unseen."""
    answer = await clients.aws("ecs", "describe_services", cluster=on.cluster, services=[on.service])
    found = (answer.get("services") or [None])[0]
    primary = next((d for d in (found or {}).get("deployments") or [] if d.get("status") == "PRIMARY"), None)
    if primary is None:
        raise Unseen(Unknown(Reason.NOT_FOUND, f"no service {on}", "check the plan's names"))
    arn = str(primary["taskDefinition"])
    defined = await clients.aws("ecs", "describe_task_definition", taskDefinition=arn)
    definition = defined.get("taskDefinition") or {}
    state = str(primary.get("rolloutState", ""))
    return Release(
        task_definition=arn,
        active=definition.get("status", "ACTIVE") == "ACTIVE",
        images=images_of(definition),
        digests=await _digests(clients, on, arn),
        settled=len(found["deployments"]) == 1 and state == "COMPLETED",
        failed=str(primary.get("rolloutStateReason", "")) if state == "FAILED" else "",
        running=int(primary.get("runningCount", 0)),
        desired=int(primary.get("desiredCount", 0)),
    )


async def replaced(clients: Clients, on: EcsService, since: datetime) -> Release | None:
    """What the newest deployment begun after `since` replaces, as ECS itself noted it; None where it says nothing.

    ECS keeps a revision of the service, with the digests of its images, for every deployment.
    """
    listed = await clients.aws("ecs", "list_service_deployments", cluster=on.cluster, service=on.service, maxResults=1)
    newest = next(iter(listed.get("serviceDeployments") or []), None)
    if newest is None or newest.get("createdAt", since) < since:
        return None
    described = await clients.aws(
        "ecs", "describe_service_deployments", serviceDeploymentArns=[newest["serviceDeploymentArn"]]
    )
    sources = (next(iter(described.get("serviceDeployments") or []), None) or {}).get("sourceServiceRevisions") or []
    if len(sources) != 1:
        return None
    answer = await clients.aws("ecs", "describe_service_revisions", serviceRevisionArns=[sources[0]["arn"]])
    revision = next(iter(answer.get("serviceRevisions") or []), None)
    if revision is None:
        return None
    # What AWS adds to tasks (an agent, a proxy) is not the release: it changes by itself.
    containers = [
        each for each in revision.get("containerImages") or [] if not added_by_aws(str(each.get("containerName")))
    ]
    return Release(
        task_definition=str(revision["taskDefinition"]),
        active=True,
        images=tuple(str(each.get("image", "")) for each in containers),
        digests=tuple(sorted({str(each["imageDigest"]) for each in containers if each.get("imageDigest")})),
        settled=True,
    )


def images_of(definition: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(each.get("image", "")) for each in definition.get("containerDefinitions") or [])


async def _digests(clients: Clients, on: EcsService, arn: str) -> tuple[str, ...]:
    listed = await clients.aws("ecs", "list_tasks", cluster=on.cluster, serviceName=on.service, desiredStatus="RUNNING")
    arns = list(listed.get("taskArns") or [])[:_AT_ONCE]
    if not arns:
        return ()
    answer = await clients.aws("ecs", "describe_tasks", cluster=on.cluster, tasks=arns)
    found = {
        str(container["imageDigest"])
        for task in answer.get("tasks") or []
        if task.get("taskDefinitionArn") == arn
        for container in task.get("containers") or []
        if container.get("imageDigest") and not added_by_aws(str(container.get("name")))
    }
    return tuple(sorted(found))
