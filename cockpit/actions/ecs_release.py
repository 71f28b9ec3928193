"""What an ECS service runs now: its revision, the images it names, and the digests its tasks really run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from cockpit.plan.step_action import EcsService
from probes.aws.ecs_rollout import baking, strategy_of
from probes.aws.ecs_task_sets import ECS, controller_of, is_alone, primary, task_sets, where_to_look
from probes.aws.image_names import added_by_aws, own, served_by
from probes.clients.clients import Clients
from probes.frozen import frozen
from probes.reading import Reason, Unknown, Unseen

_AT_ONCE = 100


@frozen
class Release:
    task_definition: str
    """ARN with its revision."""
    active: bool
    """Whether the task definition may still be started."""
    images: tuple[str, ...]
    """Of the application's own containers."""
    digests: tuple[str, ...]
    """Of the tasks that run this revision now, sorted, each once; empty while none does."""
    settled: bool
    """Whether it is the only deployment, and that one is complete."""
    failed: str = ""
    """Why its deployment failed; empty where it did not."""
    running: int = 0
    desired: int = 0
    controller: str = ECS
    """Who deploys the service: ECS, CODE_DEPLOY or EXTERNAL."""
    where_to_look: str = ""
    """Of another controller than ECS: where its deployments are seen."""
    strategy: str = "ROLLING"
    """How ECS deploys it: ROLLING, BLUE_GREEN, LINEAR or CANARY."""
    bake: timedelta = timedelta(0)
    """How long a deployment by that strategy waits at the least."""
    sidecars: tuple[str, ...] = ()
    """Images that are not judged: named by a tag of somebody else's registry, they change whenever it is pushed."""
    under_way: str = ""
    """ARN of the service deployment that is not at its end; empty without one."""


async def running(clients: Clients, on: EcsService) -> Release:
    """The release of the service's PRIMARY deployment, or of the task set with the traffic. Raises Unseen."""
    answer = await clients.aws("ecs", "describe_services", cluster=on.cluster, services=[on.service])
    found = (answer.get("services") or [None])[0]
    if found is None:
        raise Unseen(Unknown(Reason.NOT_FOUND, f"no service {on}", "check the plan's names"))
    release = _by_ecs(found) if controller_of(found) == ECS else _by_others(found)
    if release is None:
        raise Unseen(Unknown(Reason.NOT_FOUND, f"{on} has no release with traffic", "is the service active?"))
    arn = release.task_definition
    defined = await clients.aws("ecs", "describe_task_definition", taskDefinition=arn)
    definition = defined.get("taskDefinition") or {}
    containers = [
        (str(each.get("name")), str(each.get("image", ""))) for each in definition.get("containerDefinitions") or []
    ]
    judged = own(containers, served_by(found))
    return replace(
        release,
        active=definition.get("status", "ACTIVE") == "ACTIVE",
        images=tuple(image for name, image in containers if name in judged),
        sidecars=tuple(image for name, image in containers if name not in judged and not added_by_aws(name)),
        digests=await _digests(clients, on, arn, judged),
    )


def _by_ecs(found: Mapping[str, Any]) -> Release | None:
    deployments = found.get("deployments") or []
    newest = next((each for each in deployments if each.get("status") == "PRIMARY"), None)
    if newest is None:
        return None
    state, settings = str(newest.get("rolloutState", "")), found.get("deploymentConfiguration") or {}
    return Release(
        task_definition=str(newest["taskDefinition"]),
        active=True,
        images=(),
        digests=(),
        settled=len(deployments) == 1 and state == "COMPLETED",
        failed=str(newest.get("rolloutStateReason", "")) if state == "FAILED" else "",
        running=int(newest.get("runningCount", 0)),
        desired=int(newest.get("desiredCount", 0)),
        strategy=str(strategy_of(settings)),
        bake=baking(settings),
        under_way=str(found.get("currentServiceDeployment") or ""),
    )


def _by_others(found: Mapping[str, Any]) -> Release | None:
    sets = task_sets(found)
    serving, controller = primary(sets), controller_of(found)
    if serving is None:
        return None
    return Release(
        task_definition=str(serving["taskDefinition"]),
        active=True,
        images=(),
        digests=(),
        settled=is_alone(serving, sets) is True,
        running=int(serving.get("runningCount", 0)),
        desired=int(serving.get("computedDesiredCount", 0)),
        controller=controller,
        where_to_look=where_to_look(controller, sets),
    )


async def goes_back_to(clients: Clients, deployment: str) -> str | None:
    """The task definition that a service deployment under way goes back to when it is stopped; None where it cannot be.

    Raises Unseen.
    """
    described = await clients.aws("ecs", "describe_service_deployments", serviceDeploymentArns=[deployment])
    found = next(iter(described.get("serviceDeployments") or []), None) or {}
    sources = found.get("sourceServiceRevisions") or []
    if found.get("status") not in ("PENDING", "IN_PROGRESS") or len(sources) != 1:
        return None
    answer = await clients.aws("ecs", "describe_service_revisions", serviceRevisionArns=[sources[0]["arn"]])
    revision = next(iter(answer.get("serviceRevisions") or []), None)
    return None if revision is None else str(revision["taskDefinition"])


async def status_of(clients: Clients, deployment: str) -> str:
    """The status of a service deployment, empty where ECS does not say. Raises Unseen."""
    described = await clients.aws("ecs", "describe_service_deployments", serviceDeploymentArns=[deployment])
    return str((next(iter(described.get("serviceDeployments") or []), None) or {}).get("status", ""))


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
    # What AWS adds to tasks (an agent, a proxy) is not the release, nor is somebody else's sidecar: they change by themselves.
    noted = [(str(each.get("containerName")), each) for each in revision.get("containerImages") or []]
    judged = own(((name, str(each.get("image", ""))) for name, each in noted), served_by(revision))
    containers = [each for name, each in noted if name in judged]
    return Release(
        task_definition=str(revision["taskDefinition"]),
        active=True,
        images=tuple(str(each.get("image", "")) for each in containers),
        digests=tuple(sorted({str(each["imageDigest"]) for each in containers if each.get("imageDigest")})),
        settled=True,
    )


async def _digests(clients: Clients, on: EcsService, arn: str, judged: frozenset[str]) -> tuple[str, ...]:
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
        if container.get("imageDigest") and str(container.get("name")) in judged
    }
    return tuple(sorted(found))
