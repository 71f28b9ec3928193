"""The guarded rollback, against ECS as it behaves: back to what really ran, or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from rehearsal.test_aws_ecs import IMAGE, PLACE, Furnished
from support.clock import Undisturbed
from support.plans.shipped_plan import shipped_plan
from support.sources import NoSource
from support.waiting import until

from cockpit.actions.ecs_release import running
from cockpit.actions.ecs_rollback import Looked, Note, RollbackRefused, capture, check, deploy, earlier, follow
from cockpit.commands.iam import actions_need
from cockpit.decide.counted import Counted
from cockpit.decide.events import PhaseBegan, ReleaseSeen
from cockpit.engine.tasks import end
from cockpit.engine.watch import Watch
from cockpit.plan.model import Phase
from cockpit.plan.step_action import EcsService
from cockpit.rehearsal.aws.ecs.task import TaskBehaviour
from probes.clients.clients import AwsOptions, Clients

REPOSITORY = IMAGE.rpartition("/")[2]
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_IMAGE = "application/vnd.docker.image"
WEB = EcsService(PLACE["cluster"], PLACE["service"])


class Passing(Undisturbed):
    """The cutover's clock is the world's; whoever sleeps lets the world live for that long."""

    speed = 1.0

    def __init__(self, world: Furnished) -> None:
        self.world = world
        self.then: list[Callable[[], Any]] = []

    def now(self) -> datetime:
        return self.world.clock.time

    async def sleep(self, duration: timedelta) -> None:
        if self.then:
            self.then.pop(0)()
        await asyncio.to_thread(self.world.wait, duration.total_seconds())
        await asyncio.sleep(0)


@pytest.fixture
def world() -> Iterator[Furnished]:
    opened = Furnished()
    try:
        yield opened
    finally:
        opened.close()


@pytest.fixture
def clients(world: Furnished) -> Clients:
    return Clients(AwsOptions("us-east-1"), world.client)


def pushed(world: Furnished, letter: str) -> str:
    """Push an image of its own to ECR, with the letter as its tag; what names it by digest."""
    ecr = world.client("ecr")
    with contextlib.suppress(ecr.exceptions.RepositoryAlreadyExistsException):
        ecr.create_repository(repositoryName=REPOSITORY)
    part = {"mediaType": f"{DOCKER_IMAGE}.rootfs.diff.tar.gzip", "size": 7, "digest": f"sha256:{letter * 64}"}
    config = part | {"mediaType": "application/vnd.docker.container.image.v1+json"}
    manifest = {"schemaVersion": 2, "mediaType": DOCKER, "config": config, "layers": [part]}
    ecr.put_image(repositoryName=REPOSITORY, imageManifest=json.dumps(manifest), imageTag=letter)
    return f"{IMAGE}@{digest_of(world, letter)}"


def digest_of(world: Furnished, letter: str) -> str:
    found = world.client("ecr").describe_images(repositoryName=REPOSITORY, imageIds=[{"imageTag": letter}])
    return str(found["imageDetails"][0]["imageDigest"])


def by_digest(world: Furnished, letter: str) -> str:
    image = pushed(world, letter)
    container = {"name": "web", "image": image, "memory": 512, "essential": True}
    made = world.ecs.register_task_definition(family=PLACE["service"], containerDefinitions=[container])
    return str(made["taskDefinition"]["taskDefinitionArn"])


async def noted(world: Furnished, clients: Clients, phase: Phase = Phase.PRE_DEPLOY) -> Counted:
    """What counts of a record after one look at what runs."""
    watch = Watch(shipped_plan(), NoSource(), Passing(world))
    watch.record.append(PhaseBegan(world.clock.time, phase))
    taking = asyncio.create_task(capture(clients, WEB, watch))
    await until(lambda: watch.record.all(ReleaseSeen))
    await end((taking,))
    return watch.counted()


async def roll_back(clients: Clients, looked: Looked, clock: Passing, note: Note) -> str:
    await deploy(clients, looked, note)
    return await follow(clients, looked, clock, note)


async def deployed(world: Furnished, definition: str) -> None:
    await asyncio.to_thread(world.ecs.update_service, **PLACE, taskDefinition=definition)
    await asyncio.to_thread(world.wait, 180)


async def test_back_to_the_digest_that_ran(world: Furnished, clients: Clients) -> None:
    good, bad = by_digest(world, "a"), by_digest(world, "b")
    await deployed(world, good)
    record = await noted(world, clients)
    seen = earlier(record, WEB)
    assert seen is not None
    assert (seen.task_definition, seen.digests) == (good, digest_of(world, "a"))
    await deployed(world, bad)
    told: list[str] = []
    looked = await check(clients, WEB, seen)
    said = await roll_back(clients, looked, Passing(world), told.append)
    now = await running(clients, WEB)
    assert (now.task_definition, now.settled, now.digests) == (good, True, (digest_of(world, "a"),))
    assert "complete, 2 of 2 tasks" in said
    assert "ECS deploys" in told[0]
    await clients.close()


async def test_a_sidecar_by_tag_of_somebody_elses_registry_is_named_and_not_compared(
    world: Furnished, clients: Clients
) -> None:
    image, sidecar = pushed(world, "a"), "public.ecr.aws/xray/aws-xray-daemon:3.x"
    containers = [{"name": "web", "image": image, "memory": 512}, {"name": "xray", "image": sidecar, "memory": 64}]
    made = world.ecs.register_task_definition(family=PLACE["service"], containerDefinitions=containers)
    await deployed(world, str(made["taskDefinition"]["taskDefinitionArn"]))
    seen = earlier(await noted(world, clients), WEB)
    assert seen is not None
    assert (seen.images, seen.digests) == (image, digest_of(world, "a"))
    with pytest.raises(RollbackRefused, match="with the same image"):  # whatever image its sidecar has by now
        await check(clients, WEB, seen)
    containers[0] |= {"image": pushed(world, "b")}
    made = world.ecs.register_task_definition(family=PLACE["service"], containerDefinitions=containers)
    await deployed(world, str(made["taskDefinition"]["taskDefinitionArn"]))
    looked = await check(clients, WEB, seen)
    assert f"{sidecar} is a sidecar named by a tag, so it is not compared" in looked.checks
    notes: list[str] = []
    assert "complete" in await roll_back(clients, looked, Passing(world), notes.append)
    await clients.close()


async def test_a_blue_green_deployment_under_way_is_stopped_and_its_traffic_goes_back(
    world: Furnished, clients: Clients
) -> None:
    good, bad = by_digest(world, "a"), by_digest(world, "b")
    await deployed(world, good)
    record = await noted(world, clients)
    service = world.aws.ecs.main
    service.strategy, service.bake = "BLUE_GREEN", timedelta(minutes=10)
    await deployed(world, bad)
    baking = world.ecs.list_service_deployments(**PLACE)["serviceDeployments"]
    assert (len(service.of(service.deployments[-1])), baking[0]["status"]) == (2, "IN_PROGRESS")
    looked = await check(clients, WEB, earlier(record, WEB))
    assert looked.checks[-1].startswith("a BLUE_GREEN deployment is under way")
    assert "complete, 2 of 2 tasks" in await roll_back(clients, looked, Passing(world), lambda _: None)
    ended = world.ecs.list_service_deployments(**PLACE)["serviceDeployments"]
    assert [each["status"] for each in ended] == ["ROLLBACK_SUCCESSFUL", *(each["status"] for each in baking[1:])]
    await clients.close()


@pytest.mark.parametrize("status", ["ROLLBACK_FAILED", "STOPPED", "SUCCESSFUL"])
async def test_a_way_back_that_ecs_gave_up_is_no_success(world: Furnished, clients: Clients, status: str) -> None:
    good, bad = by_digest(world, "a"), by_digest(world, "b")
    await deployed(world, good)
    record = await noted(world, clients)
    service = world.aws.ecs.main
    service.strategy, service.bake = "BLUE_GREEN", timedelta(hours=1)
    await deployed(world, bad)
    looked = await check(clients, WEB, earlier(record, WEB))
    service.records[0].status = status
    with pytest.raises(RollbackRefused, match=f"its stopped deployment is {status}"):
        await follow(clients, looked, Passing(world), lambda _: None)
    await clients.close()


async def test_a_blue_green_deployment_that_is_over_is_followed_through_its_bake_time(
    world: Furnished, clients: Clients
) -> None:
    good, bad = by_digest(world, "a"), by_digest(world, "b")
    await deployed(world, good)
    record = await noted(world, clients)
    await deployed(world, bad)
    world.aws.ecs.main.strategy, world.aws.ecs.main.bake = "BLUE_GREEN", timedelta(minutes=4)
    looked = await check(clients, WEB, earlier(record, WEB))
    assert "4 min of bake time" in looked.checks[-1]
    begun = world.clock.time
    assert "complete, 2 of 2 tasks" in await roll_back(clients, looked, Passing(world), lambda _: None)
    assert world.clock.time - begun > timedelta(minutes=4)
    await clients.close()


@pytest.mark.parametrize(
    ("controller", "cure"),
    [("CODE_DEPLOY", r"aws deploy stop-deployment .* --auto-rollback-enabled"), ("EXTERNAL", "primary-task-set")],
)
async def test_what_ecs_does_not_deploy_itself_is_refused_with_the_way_back(
    world: Furnished, clients: Clients, controller: str, cure: str
) -> None:
    good, bad = by_digest(world, "a"), by_digest(world, "b")
    await deployed(world, good)
    service = world.aws.ecs.main
    service.controller = controller
    record = await noted(world, clients)
    seen = earlier(record, WEB)
    assert seen is not None
    assert (seen.task_definition, seen.digests) == (good, digest_of(world, "a"))
    with pytest.raises(world.ecs.exceptions.InvalidParameterException, match="Unable to update task definition"):
        await asyncio.to_thread(world.ecs.update_service, **PLACE, taskDefinition=bad)
    with pytest.raises(RollbackRefused, match=cure):
        await check(clients, WEB, seen)
    await clients.close()


async def test_a_cutover_that_has_begun_goes_back_to_what_ecs_says_was_replaced(
    world: Furnished, clients: Clients
) -> None:
    good, bad = by_digest(world, "a"), by_digest(world, "b")
    await deployed(world, good)
    await asyncio.to_thread(world.ecs.update_service, **PLACE, taskDefinition=bad)
    record = await noted(world, clients, Phase.POST_DEPLOY)
    seen = earlier(record, WEB)
    assert seen is not None
    assert (seen.task_definition, seen.digests) == (good, digest_of(world, "a"))
    await clients.close()


async def test_a_tag_that_moved_is_refused(world: Furnished, clients: Clients) -> None:
    """The report pushes :latest: going back to a revision that names it starts the bad image again."""
    record = await noted(world, clients)
    pushed(world, "1")  # the tag of the first revision means another image now
    await deployed(world, world.release(2))
    with pytest.raises(RollbackRefused, match=r"names .*:1, and that means"):
        await check(clients, WEB, earlier(record, WEB))
    assert (await running(clients, WEB)).task_definition.endswith(":2")
    await clients.close()


async def test_nothing_seen_before_is_refused(clients: Clients) -> None:
    with pytest.raises(RollbackRefused, match="not recorded"):
        await check(clients, WEB, None)
    await clients.close()


async def test_from_a_release_to_itself_is_refused_before_anything_is_done(world: Furnished, clients: Clients) -> None:
    """Where ECS went back by itself, or nobody said that a deployment began and the bad release was noted as the one before."""
    await deployed(world, by_digest(world, "a"))
    seen = earlier(await noted(world, clients), WEB)
    before = world.service()["deployments"]
    with pytest.raises(RollbackRefused, match=r"already runs .*:2, .* 2 of 2 tasks: there is nothing to roll back"):
        await check(clients, WEB, seen)
    assert world.service()["deployments"] == before
    await clients.close()


async def test_an_image_deleted_from_the_registry_is_refused_before_anything_is_done(
    world: Furnished, clients: Clients
) -> None:
    good, bad = by_digest(world, "a"), by_digest(world, "b")
    await deployed(world, good)
    record = await noted(world, clients)
    await deployed(world, bad)
    gone = [{"imageDigest": digest_of(world, "a")}]
    world.client("ecr").batch_delete_image(repositoryName=REPOSITORY, imageIds=gone)
    with pytest.raises(RollbackRefused, match="no longer in ECR: its tasks could not start"):
        await check(clients, WEB, earlier(record, WEB))
    await clients.close()


async def test_a_deregistered_revision_is_refused(world: Furnished, clients: Clients) -> None:
    good, bad = by_digest(world, "a"), by_digest(world, "b")
    await deployed(world, good)
    record = await noted(world, clients)
    await deployed(world, bad)
    await asyncio.to_thread(world.ecs.deregister_task_definition, taskDefinition=good)
    with pytest.raises(RollbackRefused, match="deregistered"):
        await check(clients, WEB, earlier(record, WEB))
    await clients.close()


async def test_somebody_elses_deployment_in_between_is_told(world: Furnished, clients: Clients) -> None:
    good, bad, other = (by_digest(world, letter) for letter in "abc")
    await deployed(world, good)
    record = await noted(world, clients)
    await deployed(world, bad)
    looked = await check(clients, WEB, earlier(record, WEB))
    clock = Passing(world)
    clock.then = [lambda: None, lambda: world.ecs.update_service(**PLACE, taskDefinition=other)]
    with pytest.raises(RollbackRefused, match="was deployed instead"):
        await roll_back(clients, looked, clock, lambda _: None)
    await clients.close()


async def test_a_revision_that_does_not_come_up_any_more_is_no_success(world: Furnished, clients: Clients) -> None:
    good, bad = by_digest(world, "a"), by_digest(world, "b")
    await deployed(world, good)
    record = await noted(world, clients)
    await deployed(world, bad)
    looked = await check(clients, WEB, earlier(record, WEB))
    number = int(good.rpartition(":")[2])
    world.aws.ecs.behaviour[number] = TaskBehaviour(crash_after_s=3, exit_code=1)
    with pytest.raises(RollbackRefused, match=r"failed|deployed instead"):
        await roll_back(clients, looked, Passing(world), lambda _: None)
    await clients.close()


async def test_asked_again_after_an_interruption_it_follows_and_deploys_nothing_twice(
    world: Furnished, clients: Clients
) -> None:
    good, bad = by_digest(world, "a"), by_digest(world, "b")
    await deployed(world, good)
    record = await noted(world, clients)
    await deployed(world, bad)
    looked = await check(clients, WEB, earlier(record, WEB))
    await asyncio.to_thread(world.ecs.update_service, **PLACE, taskDefinition=good)
    deployments = len(world.ecs.list_service_deployments(**PLACE)["serviceDeployments"])
    assert (await check(clients, WEB, looked.before)).before == looked.before
    assert "complete" in await roll_back(clients, looked, Passing(world), lambda _: None)
    assert len(world.ecs.list_service_deployments(**PLACE)["serviceDeployments"]) == deployments
    await clients.close()


async def test_the_policy_for_actions_is_enough_for_a_rollback(world: Furnished, clients: Clients) -> None:
    plan = shipped_plan()
    needed = actions_need(plan)
    assert needed["ecs:UpdateService"] == {
        "arn:aws:ecs:us-east-1:123456789012:service/transparent-trust-prod/transparent-trust-web"
    }
    good, bad = by_digest(world, "a"), by_digest(world, "b")
    await deployed(world, good)
    world.aws.faults.allowed = frozenset(needed)
    record = await noted(world, clients)
    world.aws.faults.allowed = None
    await deployed(world, bad)
    world.aws.faults.allowed = frozenset(needed) - {"ecs:UpdateService"}
    looked = await check(clients, WEB, earlier(record, WEB))
    with pytest.raises(RollbackRefused, match="ecs:UpdateService"):
        await roll_back(clients, looked, Passing(world), lambda _: None)
    world.aws.faults.allowed = frozenset(needed)
    assert "complete" in await roll_back(clients, looked, Passing(world), lambda _: None)
    await clients.close()
