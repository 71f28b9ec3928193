"""ECS services that CodeDeploy or somebody else deploys (CODE_DEPLOY, EXTERNAL): what their task sets say.

ECS itself keeps no deployment of these: each release is a task set, and the one in PRIMARY has the production traffic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from probes.reading import Reason, Unknown
from probes.redact import one_line

ECS, CODE_DEPLOY, EXTERNAL = "ECS", "CODE_DEPLOY", "EXTERNAL"
TaskSet = Mapping[str, Any]


def controller_of(service: Mapping[str, Any]) -> str:
    """Who deploys a service: ECS, unless it says otherwise."""
    return str((service.get("deploymentController") or {}).get("type") or ECS)


def task_sets(service: Mapping[str, Any]) -> list[TaskSet]:
    """Newest first."""
    found = service.get("taskSets") or []
    return sorted(found, key=lambda each: each["createdAt"].timestamp() if each.get("createdAt") else 0.0, reverse=True)


def primary(sets: Sequence[TaskSet]) -> TaskSet | None:
    """The one that production traffic goes to."""
    return next((each for each in sets if each.get("status") == "PRIMARY"), None)


def is_steady(task_set: TaskSet) -> bool | None:
    """Whether it has all its tasks, healthy by every check there is; None where ECS does not say."""
    status = task_set.get("stabilityStatus")
    return {"STEADY_STATE": True, "STABILIZING": False}.get(str(status))


def is_alone(task_set: TaskSet, sets: Sequence[TaskSet]) -> bool | None:
    """Whether it has the traffic and nothing is kept beside it to go back to; None where that cannot be said."""
    if task_set.get("status") != "PRIMARY" or len(sets) > 1:
        return False
    return is_steady(task_set)


def elsewhere(controller: str, sets: Sequence[TaskSet]) -> Unknown:
    """Why ECS cannot say how such a deployment ends, and who can."""
    detail = f"{controller} deploys this service: ECS keeps no deployment of it"
    return Unknown(Reason.NO_DATA, detail, where_to_look(controller, sets))


def where_to_look(controller: str, sets: Sequence[TaskSet]) -> str:
    if controller != CODE_DEPLOY:
        return "see what deploys it; ecs.tasks and alb.targets show what runs and serves"
    named = next((str(each["externalId"]) for each in sets if each.get("externalId")), "")
    return f"`aws deploy get-deployment --deployment-id {named}`" if named else "`aws deploy list-deployments`"


def line(task_set: TaskSet) -> str:
    """One task set, for people."""
    running, wanted = task_set.get("runningCount", "?"), task_set.get("computedDesiredCount", "?")
    release = str(task_set.get("taskDefinition", "?")).rpartition("/")[2]
    by = str(task_set.get("externalId") or task_set.get("startedBy") or "")
    state = f"{task_set.get('status', '?')} {task_set.get('stabilityStatus', '?')}"
    return one_line(f"task set {task_set.get('id', '?')} {state}: {release}, {running} of {wanted} tasks {by}".rstrip())
