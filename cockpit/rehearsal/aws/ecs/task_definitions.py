"""Task definitions, which moto keeps: their revisions, containers and image digests."""

from __future__ import annotations

import hashlib
from typing import Any

from moto.core.exceptions import ServiceException
from moto.ecs.models import ecs_backends

from cockpit.rehearsal.aws.ecs.task import Container
from cockpit.rehearsal.aws.wire.protocols import AwsError


def revision_of(arn: str) -> int:
    """42 of `...:task-definition/web:42`."""
    return int(arn.rpartition(":")[2])


def resolve(name: str, account: str, region: str) -> str:
    """The ARN of a family, `family:revision` or ARN. Raises AwsError as ECS does."""
    try:
        found: str = ecs_backends[account][region].describe_task_definition(name).arn
    except (ServiceException, KeyError, ValueError) as error:
        raise AwsError("ClientException", "TaskDefinition not found.") from error
    return found


def containers_of(arn: str) -> tuple[Container, ...]:
    """The containers of a revision, with the digest that the image stands for; empty if nobody registered it."""
    definition = _found(arn)
    if definition is None:
        return ()
    return tuple(
        Container(each["name"], each["image"], digest_of(each["image"], arn))
        for each in definition.container_definitions
    )


def digest_of(image: str, arn: str) -> str:
    """A digest named in the image; for a tag, one that is the revision's own, as `latest` is another one each time."""
    _, at, digest = image.rpartition("@")
    return digest if at else f"sha256:{hashlib.sha256(f'{image} {arn}'.encode()).hexdigest()}"


def _found(arn: str) -> Any:
    _, _, _, region, account, _ = arn.split(":", 5)
    try:
        return ecs_backends[account][region].describe_task_definition(arn)
    except (ServiceException, KeyError, ValueError):
        return None
