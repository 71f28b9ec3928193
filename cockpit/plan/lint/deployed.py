"""Which release runs: a service that is stable is not a release that was deployed, for ECS goes back by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cockpit.plan.ecs_services import services_watched
from cockpit.plan.lint.logic import Atom, alternatives
from cockpit.plan.lint.rule import Found, rule
from cockpit.plan.lint.subject import Judged, Subject
from cockpit.plan.model import Criterion, Kind
from cockpit.plan.step_action import EcsService

_NAMES_A_RELEASE = ("after", "task_definition", "image_digest", "revision")
"""Parameters of a deployment without which a success of any age counts."""
_SUCCESSES = {"ecs.deployment": "SUCCESSFUL", "codedeploy.deployment": "Succeeded"}
"""Probes of deployments, and their status after success. CodeDeploy names no service: it is what is read beside it."""
_PRIMARY = ("failed_tasks", "rollout_state", "rollout_reason", "task_definition", "stable")
"""Fields of ecs.service about its PRIMARY deployment: once ECS goes back, that is the release before."""
_NOT_FOOLED = {
    "ecs.deployment": ("failed", "rolled_back", "succeeded", "status", "breaker", "breaker_failures"),
    "ecs.tasks": ("failed_recently",),
    "codedeploy.deployment": ("failed", "is_rollback", "succeeded", "status", "targets_failed"),
}
"""Fields that still show a failed release after ECS has gone back."""


@rule(
    "success-of-the-release-before",
    "Success that the release before would show too",
    why="When a release crashes, ECS goes back by itself: the service is stable, the site answers, and the verdict is GO.",
    instead="Demand `succeeded` of an ecs.deployment with `after: phase`, or with the release's task_definition or image_digest;"
    " where CodeDeploy deploys, of a codedeploy.deployment with `after: phase`, in the same condition.",
)
def success_of_the_release_before(subject: Subject) -> Iterator[Found]:
    services = services_watched(subject.plan.probes)
    proven = set[EcsService]()
    undated: dict[EcsService, str] = {}
    for judged in _enforced(subject, Kind.SUCCESS):
        for probe in _demanded_successes(subject, judged):
            of = [services[probe]] if probe in services else _read_with(judged, services)
            if any(subject.plan.probes[probe].params.get(name) for name in _NAMES_A_RELEASE):
                proven.update(of)
            else:
                undated.update({service: probe for service in of if service not in undated})
    for judged in _enforced(subject, Kind.SUCCESS):
        for service in dict.fromkeys(services[probe] for probe in judged.condition.probes if probe in services):
            if service in proven:
                continue
            proven.add(service)
            old = undated.get(service)
            why = (
                f"{old}.succeeded may be of a deployment long ago"
                if old
                else f"nothing demands that {service} was deployed"
            )
            yield Found(judged.path, f"'{judged.owner.id}' holds while the release before runs: {why}")


@rule(
    "primary-fools",
    "A trigger that looks at the PRIMARY deployment alone",
    why="When ECS goes back by itself the release before becomes PRIMARY, without a failed task: the trigger is clear again.",
    instead="Add `|| deployment.failed` of an ecs.deployment with `after: phase`, or count ecs.tasks failed_recently.",
)
def primary_fools(subject: Subject) -> Iterator[Found]:
    services = services_watched(subject.plan.probes)
    triggers = list(_enforced(subject, Kind.TRIGGER))
    seen = {
        services[probe]
        for judged in triggers
        for probe, field in judged.condition.paths
        if probe in services and field in _NOT_FOOLED.get(subject.plan.probes[probe].uses, ())
    }
    for judged in triggers:
        by_codedeploy = [
            field
            for probe, field in judged.condition.paths
            if subject.plan.probes[probe].uses == "codedeploy.deployment"
        ]
        if set(by_codedeploy) & set(_NOT_FOOLED["codedeploy.deployment"]):
            continue
        for probe, field in judged.condition.paths:
            of_primary = subject.plan.probes[probe].uses == "ecs.service" and field in _PRIMARY
            if of_primary and services.get(probe) not in seen:
                problem = f"'{judged.owner.id}' can be fooled: {probe}.{field} is of the release before once ECS has gone back"
                yield Found(judged.path, problem)
                break


def _enforced(subject: Subject, kind: Kind) -> Iterator[Judged]:
    for judged in subject.judged:
        owner = judged.owner
        if isinstance(owner, Criterion) and owner.kind is kind and owner.enforced:
            yield judged


def _demanded_successes(subject: Subject, judged: Judged) -> Iterator[str]:
    """The probes of deployments without whose success the condition cannot hold."""
    try:
        ways = alternatives(judged.condition.source)
    except OverflowError:  # too many to compare: nothing is claimed
        return
    for kind, status in _SUCCESSES.items():
        for spec in subject.probes(kind):
            if all(any(_is_success(atom, spec.name, status) for atom in way) for way in ways):
                yield spec.name


def _read_with(judged: Judged, services: Mapping[str, EcsService]) -> list[EcsService]:
    """The services that a condition reads."""
    return [services[probe] for probe in judged.condition.probes if probe in services]


def _is_success(atom: Atom, probe: str, status: str) -> bool:
    if atom.path == f"{probe}.succeeded":
        return atom.values == (atom.operator == "==",)
    return (atom.path, atom.operator, atom.values) == (f"{probe}.status", "==", (status,))


RULES = (success_of_the_release_before, primary_fools)
