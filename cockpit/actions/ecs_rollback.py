"""`ecs.rollback`: back to the revision that ran before the deployment, and no further than it can be trusted.

A revision that names its image by tag starts whatever the tag means now. So what a task definition names and what its tasks
really ran is recorded before the deployment, and going back is refused where it would not bring those digests back.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from cockpit.actions.ecs_release import Release, goes_back_to, replaced, running, status_of
from cockpit.decide.counted import Counted
from cockpit.decide.events import ReleaseSeen
from cockpit.engine.clock import Clock, Stopwatch
from cockpit.engine.watch import Watch
from cockpit.plan.model import Phase
from cockpit.plan.step_action import EcsService
from probes.aws.ecs_task_sets import CODE_DEPLOY, ECS
from probes.aws.image_names import in_ecr, short_digests
from probes.clients.clients import Clients
from probes.frozen import frozen
from probes.reading import Reason, Unseen

log = logging.getLogger(__name__)
NAME = "ecs.rollback"
LOOK = timedelta(seconds=5)
GIVE_UP = timedelta(minutes=30)
CAPTURE = timedelta(seconds=30)
JUST_BEFORE = timedelta(hours=2)
"""A deployment begun so long before it was announced is still the one that is judged."""
_REVISION = re.compile(r"[A-Za-z0-9_-]{1,255}:\d{1,9}")
Note = Callable[[str], None]


class RollbackRefused(Exception):  # noqa: N818 - what became of it
    """It was not begun, or did not end as it should; the message says why and what to do."""


@frozen
class Looked:
    """Both ends of a rollback, as the world has them now, and what was looked at to say so."""

    before: ReleaseSeen
    """Where it goes back to."""
    now: Release
    checks: tuple[str, ...]
    stops: str = ""
    """ARN of the service deployment that is stopped, for its traffic to go back at once; empty where a new one is begun."""


async def capture(clients: Clients, on: EcsService, watch: Watch) -> None:
    """Keep in the record what the service runs, until the deployment begins; until cancelled.

    A cutover that is already past its beginning takes what its deployment replaced, as ECS noted it.
    """
    while True:
        counts = watch.counted()
        began = counts.phase()
        try:
            if began is None or began.phase is Phase.PRE_DEPLOY:
                _keep(await running(clients, on), on, watch)
            elif earlier(counts, on) is None:
                _keep(await replaced(clients, on, began.at - JUST_BEFORE), on, watch)
        except Unseen as unseen:
            log.info("what %s runs cannot be seen: %s", on, unseen)  # the plan's probes show it
        await watch.clock.sleep(CAPTURE)


def _keep(release: Release | None, on: EcsService, watch: Watch) -> None:
    if release is None:
        return
    seen = ReleaseSeen(
        watch.clock.now(),
        on.cluster,
        on.service,
        release.task_definition,
        " ".join(release.images),
        " ".join(release.digests),
    )
    last = earlier(watch.counted(), on)
    shown = (seen.task_definition, seen.digests)
    if release.settled and release.digests and (last is None or (last.task_definition, last.digests) != shown):
        watch.record.append(seen)


def earlier(record: Counted, on: EcsService) -> ReleaseSeen | None:
    """What a rollback of a service goes back to: the newest this cockpit noted of it.

    It notes none once the deployment has begun.
    """
    return next((seen for seen in reversed(record.all(ReleaseSeen)) if service_of(seen) == on), None)


def service_of(seen: ReleaseSeen) -> EcsService:
    return EcsService(seen.cluster, seen.service)


async def check(clients: Clients, on: EcsService, before: ReleaseSeen | None) -> Looked:
    """Look at both ends. Raises RollbackRefused where going back would not bring back what ran."""
    if before is None:
        raise RollbackRefused(
            f"what {on} ran before the deployment was not recorded, so there is nothing to roll back to"
        )
    now = await _now(clients, before)
    _check_controller(now, before)
    checks = [await _check_image(clients, image, before) for image in before.images.split()]
    checks += [f"{image} is a sidecar named by a tag, so it is not compared" for image in now.sidecars]
    if now.task_definition == before.task_definition and not now.digests:
        return Looked(before, now, (*checks, f"{short(before.task_definition)} is being deployed already"))
    if now.task_definition == before.task_definition and " ".join(now.digests) != before.digests:
        raise RollbackRefused(
            f"{short(before.task_definition)} already runs, with another image than before: its image is named by a tag "
            "that has moved. Register a revision that names the digest you noted, and deploy that"
        )
    if now.task_definition == before.task_definition and now.settled and now.running == now.desired:
        raise RollbackRefused(
            f"{on} already runs {short(before.task_definition)}, noted before the deployment, with the same image, "
            f"{now.running} of {now.desired} tasks: there is nothing to roll back. Mark the step as done"
        )
    try:
        answer = await clients.aws("ecs", "describe_task_definition", taskDefinition=before.task_definition)
    except Unseen as unseen:
        raise RollbackRefused(f"{short(before.task_definition)}: {unseen.unknown.detail}") from None
    if (answer.get("taskDefinition") or {}).get("status", "ACTIVE") != "ACTIVE":
        raise RollbackRefused(f"{short(before.task_definition)} has been deregistered: register it again first")
    checks.append(f"{short(before.task_definition)} is ACTIVE")
    return await _by_strategy(clients, Looked(before, now, tuple(checks)))


def _check_controller(now: Release, before: ReleaseSeen) -> None:
    """Raises RollbackRefused where ECS takes no revision for the service: somebody else deploys it."""
    on, back = service_of(before), short(before.task_definition)
    if now.controller == CODE_DEPLOY:
        raise RollbackRefused(
            f"CodeDeploy deploys {on}, so ECS refuses a revision for it. Stop its deployment there: `aws deploy stop-deployment "
            f"--deployment-id ID --auto-rollback-enabled`; once it is over, deploy {back} from there ({now.where_to_look})"
        )
    if now.controller != ECS:
        raise RollbackRefused(
            f"an external controller deploys {on}, so ECS takes no revision for it. Have that controller go back: the task set "
            f"of {back} must be the primary one (`aws ecs update-service-primary-task-set`)"
        )


async def _by_strategy(clients: Clients, looked: Looked) -> Looked:
    """How it is done where ECS shifts traffic. Such a deployment under way still has the old tasks: it is stopped."""
    now, back = looked.now, looked.before.task_definition
    if now.strategy == "ROLLING":
        return looked
    try:
        returns = await goes_back_to(clients, now.under_way) if now.under_way else None
    except Unseen as unseen:
        raise RollbackRefused(f"the deployment under way cannot be seen: {unseen.unknown.detail}") from None
    if returns == back:
        line = f"a {now.strategy} deployment is under way from {short(back)}: it is stopped, and its traffic goes back at once"
        return replace(looked, checks=(*looked.checks, line), stops=now.under_way)
    minutes = now.bake.total_seconds() / 60
    line = f"ECS deploys by {now.strategy}: users are on the earlier tasks after its hooks, then {minutes:g} min of bake time"
    return replace(looked, checks=(*looked.checks, line))


async def _check_image(clients: Clients, image: str, before: ReleaseSeen) -> str:
    """What was found out about an image. Raises RollbackRefused unless it is there, and still what ran."""
    found = in_ecr(image)
    if found is None:
        if "@sha256:" in image:
            return f"{image} is not in ECR, so its existence was not checked"
        raise RollbackRefused(f"{image} is referenced by a tag, and the tag cannot be resolved now")
    wanted = {"imageDigest": found.digest} if found.digest else {"imageTag": found.tag or "latest"}
    try:
        answer = await clients.aws(
            "ecr",
            "describe_images",
            registryId=found.registry,
            repositoryName=found.repository,
            imageIds=[wanted],
        )
    except Unseen as unseen:
        if unseen.unknown.reason is Reason.NOT_FOUND:
            raise RollbackRefused(
                f"the image {image} of {short(before.task_definition)} is no longer in ECR: its tasks could not start. "
                "Push it again from a machine or a replica that has it, then ask again"
            ) from None
        raise RollbackRefused(f"what {image} refers to now cannot be determined: {unseen.unknown.detail}") from None
    digest = str(next(iter(answer.get("imageDetails") or [{}])).get("imageDigest", ""))
    ran = before.digests.split()
    if digest not in ran:
        means = short_digests([digest], *ran) or "nothing"
        raise RollbackRefused(
            f"{short(before.task_definition)} names {image}, and that means {means} now: going back would not start what ran "
            f"({short_digests(ran, digest)}). Register a revision with the digest instead"
        )
    return f"ECR has {found.repository}@{short_digests([digest], *ran)}"


async def is_back(clients: Clients, before: ReleaseSeen) -> str:
    """What shows that the service runs what it ran before. Raises RollbackRefused where it does not, or cannot be seen."""
    now = await _now(clients, before)
    if now.task_definition != before.task_definition:
        raise RollbackRefused(
            f"{service_of(before)} runs {short(now.task_definition)}, not {short(before.task_definition)}: "
            "the rollback is not complete"
        )
    if not now.settled or now.running != now.desired:
        raise RollbackRefused(
            f"{service_of(before)} is not back yet: {now.running} of {now.desired} tasks {now.failed}".rstrip()
        )
    return _ended(now, before)


async def runs_named(clients: Clients, on: EcsService, text: str) -> str:
    """What shows that the service runs the revision a text begins with, where none was noted before the deployment.

    Raises RollbackRefused where it names none, another runs, or the service is not steady or cannot be seen.
    """
    try:
        now = await running(clients, on)
    except Unseen as unseen:
        why = unseen.unknown
        raise RollbackRefused(f"what {on} runs cannot be seen: {why.detail}. {why.hint}".strip()) from None
    runs, of = short(now.task_definition), f"{now.running} of {now.desired} tasks"
    named = next(iter(text.split()), "").rstrip(":,;")
    if not _REVISION.fullmatch(named):
        raise RollbackRefused(
            f"what {on} ran before was not recorded, so begin with the revision it must be back on, as in  {runs}: what you saw"
        )
    if named != runs:
        raise RollbackRefused(f"{on} runs {runs}, not {named}: the rollback is not complete")
    if not now.settled or now.running != now.desired:
        raise RollbackRefused(f"{on} is not back yet: {of} {now.failed}".rstrip())
    return f"{on}: {runs} complete, {of}"


async def deploy(clients: Clients, looked: Looked, note: Note) -> None:
    """Ask ECS for the earlier revision; nothing where it is deployed already. Raises RollbackRefused."""
    if looked.stops:
        await _stop(clients, looked)
        left, back = short(looked.now.task_definition), short(looked.before.task_definition)
        note(f"ECS stops the deployment of {left} and goes back to {back}")
    elif looked.now.task_definition != looked.before.task_definition:
        await _deploy(clients, looked.before)
        note(f"ECS deploys {short(looked.before.task_definition)} on {service_of(looked.before)}")


async def follow(clients: Clients, looked: Looked, clock: Clock, note: Note) -> str:
    """Follow a deployment of the earlier revision to its end; what was seen then. Raises RollbackRefused."""
    before, give_up = looked.before, GIVE_UP + looked.now.bake
    passed, shown = Stopwatch(clock), ""
    while passed.passed() < give_up:
        await clock.sleep(LOOK)
        await asyncio.sleep(0)
        try:
            now = await running(clients, service_of(before))
            if looked.stops and now.task_definition == looked.now.task_definition:
                await _check_going_back(clients, looked)
                continue
        except Unseen as unseen:
            note(f"cannot be followed now: {unseen.unknown.detail}")
            continue
        _check_under_way(now, before)
        if now.settled and now.running == now.desired:
            return _ended(now, before)
        line = f"{short(before.task_definition)}: {now.running} of {now.desired} tasks"
        if line != shown:
            shown = line
            note(line)
    raise RollbackRefused(
        f"{short(before.task_definition)} was not complete after {give_up}: check the service's events"
    )


async def _stop(clients: Clients, looked: Looked) -> None:
    """Ask ECS to go back from the deployment under way. Raises RollbackRefused."""
    try:
        await clients.aws("ecs", "stop_service_deployment", serviceDeploymentArn=looked.stops, stopType="ROLLBACK")
    except Unseen as unseen:
        why = unseen.unknown
        if why.transient and await _is_going_back(clients, looked):
            return  # taken: only the answer was lost
        raise RollbackRefused(f"ECS did not take it: {why.detail}. {why.hint}".strip()) from None


async def _is_going_back(clients: Clients, looked: Looked) -> bool:
    """Whether the deployment that was stopped is on its way back. Raises Unseen."""
    return await status_of(clients, looked.stops) in ("ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS")


async def _check_going_back(clients: Clients, looked: Looked) -> None:
    """While the service still shows the release it leaves: raises RollbackRefused where ECS gave the way back up, or Unseen."""
    status = await status_of(clients, looked.stops)
    if status in ("ROLLBACK_FAILED", "STOPPED", "SUCCESSFUL"):
        raise RollbackRefused(
            f"{service_of(looked.before)} still runs {short(looked.now.task_definition)}: its stopped deployment is {status}. "
            "Ask again: the earlier revision is then deployed"
        )


async def _deploy(clients: Clients, before: ReleaseSeen) -> None:
    """Ask ECS for the earlier revision. Raises RollbackRefused."""
    where = {"cluster": before.cluster, "service": before.service}
    try:
        await clients.aws("ecs", "update_service", **where, taskDefinition=before.task_definition)
    except Unseen as unseen:
        why = unseen.unknown
        if why.transient and (await _now(clients, before)).task_definition == before.task_definition:
            return  # taken: only the answer was lost
        raise RollbackRefused(f"ECS did not take it: {why.detail}. {why.hint}".strip()) from None


def _check_under_way(now: Release, before: ReleaseSeen) -> None:
    """Raises RollbackRefused where the earlier revision is no longer on its way."""
    if now.task_definition != before.task_definition:
        raise RollbackRefused(f"{short(now.task_definition)} was deployed instead, by ECS or by somebody else")
    if now.failed:
        raise RollbackRefused(f"the deployment of {short(before.task_definition)} failed: {now.failed}")


def _ended(now: Release, before: ReleaseSeen) -> str:
    ran = before.digests.split()
    if list(now.digests) != ran:
        raise RollbackRefused(
            f"{short(before.task_definition)} is complete, but its tasks run {short_digests(now.digests, *ran)}, "
            f"not {short_digests(ran, *now.digests)} as before"
        )
    of = f"{now.running} of {now.desired} tasks"
    return f"{service_of(before)}: {short(before.task_definition)} complete, {of} on {short_digests(ran)}"


async def _now(clients: Clients, before: ReleaseSeen) -> Release:
    try:
        return await running(clients, service_of(before))
    except Unseen as unseen:
        why = unseen.unknown
        raise RollbackRefused(f"what runs now cannot be seen: {why.detail}. {why.hint}".strip()) from None


def short(arn: str) -> str:
    return arn.rpartition("/")[2]
