"""Releases of the application: a deployment registers the next task definition, by image digest, and rolls it out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from botocore.config import Config

from cockpit.rehearsal.application.application import FIRST_RELEASE, Release
from cockpit.rehearsal.aws.fixtures.ecs_service import NEXT_TAG
from cockpit.rehearsal.aws.sessions import session
from cockpit.rehearsal.aws.simulation import SimulatedAws, TaskBehaviour
from probes.clients.threads import in_thread

FAMILY = "transparent-trust-web"
CONTAINER = "web"
REPOSITORY = "transparent-trust"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/transparent-trust@{}"
BAD_RELEASE_ERRORS = 0.12

_BEHAVIOURS: Mapping[str, TaskBehaviour] = {
    "good": TaskBehaviour(),
    "bad": TaskBehaviour(),
    "crash": TaskBehaviour(crash_after_s=12, exit_code=1),
}
_COPIED = ("networkMode", "cpu", "memory", "taskRoleArn", "executionRoleArn", "requiresCompatibilities")


def operator_client(service: str, endpoint: str) -> Any:
    """A boto3 client as whoever deploys has it: neither the application nor the cockpit."""
    config = Config(connect_timeout=2, read_timeout=10, proxies={})
    return session().client(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="AKIAOPERATOR00000000",
        aws_secret_access_key="rehearsed-operator",  # noqa: S106 - the simulated AWS checks no signature
        config=config,
    )


class Releases:
    """What each revision is. One deployed again by somebody else (the cockpit's rollback) stays what it was."""

    def __init__(self, aws: SimulatedAws, endpoint: str) -> None:
        self._aws = aws
        self._client = operator_client("ecs", endpoint)
        self._images = operator_client("ecr", endpoint)
        self._known: dict[int, Release] = {FIRST_RELEASE.revision: FIRST_RELEASE}

    def of(self, revision: int) -> Release:
        """The release behind a revision of the task definition."""
        return self._known.get(revision, Release(revision, f"build-{revision}"))

    async def deploy(self, kind: str) -> int:
        """Register the next revision and roll it out; its number. Kinds: good, bad, crash."""
        if kind not in _BEHAVIOURS:
            raise ValueError(f"there is no release of kind '{kind}': {', '.join(_BEHAVIOURS)}")
        arn, revision = await in_thread(self._register, kind)
        self._known[revision] = Release(revision, f"2024.12.{revision}", BAD_RELEASE_ERRORS if kind == "bad" else 0.0)
        like = _BEHAVIOURS[kind]
        self._aws.ecs.behaviour[revision] = TaskBehaviour(
            like.start_s, like.crash_after_s, like.exit_code, like.unhealthy_after_s
        )
        self._aws.ecs.deploy(arn)
        return revision

    def _register(self, kind: str) -> tuple[str, int]:
        current = self._client.describe_task_definition(taskDefinition=FAMILY)["taskDefinition"]
        first = current["revision"] == FIRST_RELEASE.revision
        digest = self._pushed() if first else self._push(f"{kind}-{current['revision'] + 1}")
        containers = [
            container | ({"image": IMAGE.format(digest)} if container["name"] == CONTAINER else {})
            for container in current["containerDefinitions"]
        ]
        kept = {name: current[name] for name in _COPIED if name in current}
        made = self._client.register_task_definition(family=FAMILY, containerDefinitions=containers, **kept)[
            "taskDefinition"
        ]
        return str(made["taskDefinitionArn"]), int(made["revision"])

    def _pushed(self) -> str:
        """Digest of the image that was pushed before the night, to be deployed."""
        asked = [{"imageTag": NEXT_TAG}]
        return str(
            self._images.describe_images(repositoryName=REPOSITORY, imageIds=asked)["imageDetails"][0]["imageDigest"]
        )

    def _push(self, tag: str) -> str:
        """Push an image of that tag; its digest."""
        layer = f"sha256:{hashlib.sha256(tag.encode()).hexdigest()}"
        part = {"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": 32654, "digest": layer}
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": part | {"mediaType": "application/vnd.docker.container.image.v1+json"},
            "layers": [part],
        }
        put = self._images.put_image(repositoryName=REPOSITORY, imageManifest=json.dumps(manifest), imageTag=tag)
        return str(put["image"]["imageId"]["imageDigest"])
