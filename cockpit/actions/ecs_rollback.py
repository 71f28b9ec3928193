"""`ecs.rollback`: back to the revision that ran before the deployment, and no further than it can be trusted.

A revision that names its image by tag starts whatever the tag means now. So what a task definition names and what its tasks
really ran is recorded before the deployment, and going back is refused where it would not bring those digests back.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from datetime import timedelta

from cockpit.actions.ecs_release import Release, replaced, running
from cockpit.decide.counted import Counted
from cockpit.decide.events import ReleaseSeen
from cockpit.engine.clock import Clock
from cockpit.engine.watch import Watch
from cockpit.plan.model import Phase
from probes.clients.clients import Clients
from probes.reading import Unseen

log = logging.getLogger(__name__)
NAME = "ecs.rollback"
LOOK = timedelta(seconds=5)
GIVE_UP = timedelta(minutes=30)
CAPTURE = timedelta(seconds=30)
JUST_BEFORE = timedelta(hours=2)
"""A deployment begun so long before it was announced is still the one that is judged."""
_ECR = re.compile(r"(?P<registry>\d{12})\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com/(?P<repository>[^:@]+):(?P<tag>[^:@]+)")
Note = Callable[[str], None]


class RollbackRefused(Exception):  # noqa: N818 - what became of it
    """It was not begun, or did not end as it should; the message says why and what to do."""


async def capture(clients: Clients, cluster: str, service: str, watch: Watch) -> None:
    """Keep in the record what the service runs, until the deployment begins; until cancelled.

    A cutover that is already past its beginning takes what its deployment replaced, as ECS noted it.
    """
    while True:
        counts = watch.counted()
        began = counts.phase()
        try:
            if began is None or began.phase is Phase.PRE_DEPLOY:
                _keep(await running(clients, cluster, service), cluster, service, watch)
            elif not counts.all(ReleaseSeen):
                _keep(await replaced(clients, cluster, service, began.at - JUST_BEFORE), cluster, service, watch)
        except Unseen as unseen:
            log.info("what %s runs cannot be seen: %s", service, unseen)  # the plan's probes show it
        await watch.clock.sleep(CAPTURE)


def _keep(release: Release | None, cluster: str, service: str, watch: Watch) -> None:
    if release is None:
        return
    seen = ReleaseSeen(
        watch.clock.now(),
        cluster,
        service,
        release.task_definition,
        " ".join(release.images),
        " ".join(release.digests),
    )
    last = earlier(watch.counted())
    shown = (seen.task_definition, seen.digests)
    if release.settled and release.digests and (last is None or (last.task_definition, last.digests) != shown):
        watch.record.append(seen)


def earlier(record: Counted) -> ReleaseSeen | None:
    """What a rollback goes back to: the newest this cockpit noted, which takes in none once the deployment has begun."""
    seen = record.all(ReleaseSeen)
    return seen[-1] if seen else None


async def check(clients: Clients, before: ReleaseSeen | None) -> ReleaseSeen:
    """The release to go back to. Raises RollbackRefused where that would not bring back what ran."""
    if before is None:
        raise RollbackRefused("what ran before the deployment was never seen, so there is nothing to go back to")
    now = await _now(clients, before)
    for image in before.images.split():
        if "@sha256:" not in image:
            await _check_tag(clients, image, before)
    if now.task_definition == before.task_definition and not now.digests:
        return before
    if now.task_definition == before.task_definition and " ".join(now.digests) != before.digests:
        raise RollbackRefused(
            f"{_short(before.task_definition)} already runs, with another image than before: its image is named by a tag "
            "that has moved. Register a revision that names the digest you noted, and deploy that"
        )
    try:
        answer = await clients.aws("ecs", "describe_task_definition", taskDefinition=before.task_definition)
    except Unseen as unseen:
        raise RollbackRefused(f"{_short(before.task_definition)}: {unseen.unknown.detail}") from None
    if (answer.get("taskDefinition") or {}).get("status", "ACTIVE") != "ACTIVE":
        raise RollbackRefused(f"{_short(before.task_definition)} has been deregistered: register it again first")
    return before


async def _check_tag(clients: Clients, image: str, before: ReleaseSeen) -> None:
    """Raises RollbackRefused unless the tag still means what ran."""
    found = _ECR.fullmatch(image)
    if found is None:
        raise RollbackRefused(f"{image} is named by a tag, and what that means now cannot be found out")
    try:
        answer = await clients.aws(
            "ecr",
            "describe_images",
            registryId=found["registry"],
            repositoryName=found["repository"],
            imageIds=[{"imageTag": found["tag"]}],
        )
    except Unseen as unseen:
        raise RollbackRefused(f"what {image} means now cannot be found out: {unseen.unknown.detail}") from None
    digest = str(next(iter(answer.get("imageDetails") or [{}])).get("imageDigest", ""))
    if digest not in before.digests.split():
        raise RollbackRefused(
            f"{_short(before.task_definition)} names {image}, and that tag means {digest[:19] or 'nothing'} now: "
            f"going back would not start what ran ({before.digests[:19]}). Register a revision with the digest instead"
        )


async def roll_back(clients: Clients, before: ReleaseSeen, clock: Clock, note: Note) -> str:
    """Deploy the earlier revision and follow it to its end; what was seen then. Raises RollbackRefused.

    Called again after an interruption it goes on following: a revision that is being deployed is not deployed twice.
    """
    began = clock.now()
    if (await _now(clients, before)).task_definition != before.task_definition:
        await _deploy(clients, before)
        note(f"ECS deploys {_short(before.task_definition)}")
    shown = ""
    while clock.now() - began < GIVE_UP:
        await clock.sleep(LOOK)
        await asyncio.sleep(0)
        try:
            now = await running(clients, before.cluster, before.service)
        except Unseen as unseen:
            note(f"cannot be followed now: {unseen.unknown.detail}")
            continue
        _check_under_way(now, before)
        if now.settled and now.running == now.desired:
            return _ended(now, before)
        line = f"{_short(before.task_definition)}: {now.running} of {now.desired} tasks"
        if line != shown:
            shown = line
            note(line)
    raise RollbackRefused(
        f"{_short(before.task_definition)} was not complete after {GIVE_UP}: look at the service's events"
    )


async def _deploy(clients: Clients, before: ReleaseSeen) -> None:
    """Ask ECS for the earlier revision. Raises RollbackRefused."""
    where = {"cluster": before.cluster, "service": before.service}
    try:
        await clients.aws("ecs", "update_service", **where, taskDefinition=before.task_definition)
    except Unseen as unseen:
        why = unseen.unknown
        raise RollbackRefused(f"ECS did not take it: {why.detail}. {why.hint}".strip()) from None


def _check_under_way(now: Release, before: ReleaseSeen) -> None:
    """Raises RollbackRefused where the earlier revision is no longer on its way."""
    if now.task_definition != before.task_definition:
        raise RollbackRefused(f"{_short(now.task_definition)} was deployed instead: ECS or somebody else decided so")
    if now.failed:
        raise RollbackRefused(f"the deployment of {_short(before.task_definition)} failed: {now.failed}")


def _ended(now: Release, before: ReleaseSeen) -> str:
    if " ".join(now.digests) != before.digests:
        raise RollbackRefused(
            f"{_short(before.task_definition)} is complete, but its tasks run {' '.join(now.digests)[:19]}, "
            f"not {before.digests[:19]} as before"
        )
    return f"{_short(before.task_definition)} complete, {now.running} of {now.desired} tasks on {before.digests[:19]}"


async def _now(clients: Clients, before: ReleaseSeen) -> Release:
    try:
        return await running(clients, before.cluster, before.service)
    except Unseen as unseen:
        why = unseen.unknown
        raise RollbackRefused(f"what runs now cannot be seen: {why.detail}. {why.hint}".strip()) from None


def _short(arn: str) -> str:
    return arn.rpartition("/")[2]
