"""ECR: which image a tag means, and whether it can come to mean another."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Self

from pydantic import model_validator

from probes.clients.arns import arn_in, console
from probes.clients.paging import request_id
from probes.demand import AWS_ALONE
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen

MISSING_IMAGE = "ImageNotFound"
_KEPT = {"ACTIVE": True, "ARCHIVED": False, "ACTIVATING": False}
"""Closed: whether an image can be pulled by its status. Archived ones have to be brought back first."""


_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
"""Media types of an image for several platforms. A task that runs one has its digest, or that of its platform's image."""


class ImageParams(Params):
    repository: str
    """Name of the repository."""
    tag: str = ""
    """The image's tag."""
    digest: str = ""
    """With a tag, the digest it must mean; alone, the image looked for. `sha256:...`."""
    registry: str = ""
    """Account of the registry, where it is not the caller's."""

    @model_validator(mode="after")
    def _one_at_least(self) -> Self:
        if not (self.tag or self.digest):
            raise ValueError("give tag, digest, or both")
        if self.digest and not re.fullmatch(r"sha256:[0-9a-f]{64}", self.digest):
            raise ValueError("a digest is sha256: and 64 hex digits")
        return self


class EcrImage(Probe[ImageParams]):
    """An image in ECR: its digest, how long ago it was pushed, and whether its tag can be moved.

    Reads ecr DescribeImages (imageDigest, imagePushedAt, imageTags, imageSizeInBytes, imageStatus, imageManifestMediaType) and
    DescribeRepositories (imageTagMutability and its exclusions); of an image for several platforms BatchGetImage (imageManifest),
    for their digests. That an image is there does not mean it runs: `tasks.digests.all(d, d in image.digests)` does. An image
    not pulled again keeps running after its tag has moved.
    """

    name = "ecr.image"
    params_type = ImageParams
    demands = AWS_ALONE
    subjects = ("ecr", "image")
    cannot_see = "whether the image runs; one not pulled again keeps running after its tag has moved"
    late = "not at all: ECR answers as it is when read"
    fields = (
        Field("exists", bool, "the repository has this image, and has not archived it", example=True),
        Field("digest", str, "its digest", "sha256:1f3a"),
        Field(
            "digests",
            tuple,
            "its digest, and those of its platforms' images: what a task has that runs it",
            ("sha256:1f3a",),
        ),
        Field("matches", bool, "it has the digest the plan gives", example=True),
        Field("pushed_age_s", float, "time since it was pushed", 3600.0, "s", low=0),
        Field("size_bytes", int, "its size in the registry", 104857600, "bytes", low=0),
        Field("tags", tuple, "its tags", ("2024.12.1",)),
        Field("tag_mutable", bool, "the tag can be moved to another image", example=False),
    )
    iam = ("ecr:DescribeImages", "ecr:DescribeRepositories", "ecr:BatchGetImage")
    iam_sometimes = MappingProxyType({"ecr:BatchGetImage": "the image is one for several platforms"})
    interval = timedelta(seconds=60)

    def resources(self) -> Mapping[str, tuple[str, ...]]:
        options, registry = self.clients.options, self.params.registry
        place = arn_in(options.region, registry or options.account, "ecr", f"repository/{self.params.repository}")
        return dict.fromkeys(self.iam, (place,))

    async def read(self, now: datetime) -> Reading:
        params = self.params
        one = {"imageTag": params.tag} if params.tag else {"imageDigest": params.digest}
        query = f"ecr describe-images --repository-name {params.repository} --image-ids {params.tag or params.digest}"
        images, repository = await asyncio.gather(
            self._ask("describe_images", repositoryName=params.repository, imageIds=[one]),
            self._ask("describe_repositories", repositoryNames=[params.repository]),
        )
        values: dict[str, Any] = {}
        unknown: dict[str, Unknown] = {}
        movable = self._movable(repository)
        if isinstance(movable, Unknown):
            unknown["tag_mutable"] = movable
        else:
            values["tag_mutable"] = movable
        known, blind = self._image(images, now)
        digests = await self._digests(images)
        if isinstance(digests, Unknown):
            blind["digests"] = digests
        else:
            known["digests"] = digests
        request = "" if isinstance(images, Unknown) else request_id(images)
        evidence = Evidence(query, request, self._url())
        return self.reading(now, values | known, unknown=unknown | blind, evidence=evidence)

    async def _ask(self, operation: str, **asked: Any) -> dict[str, Any] | Unknown:
        registry = {"registryId": self.params.registry} if self.params.registry else {}
        try:
            return await self.clients.aws("ecr", operation, **asked, **registry)
        except Unseen as unseen:
            return unseen.unknown

    async def _digests(self, answer: dict[str, Any] | Unknown) -> tuple[str, ...] | Unknown:
        """The image's digest, then those of its platforms' images."""
        if isinstance(answer, Unknown):
            return answer
        found: Mapping[str, Any] = next(iter(answer.get("imageDetails") or ()), {})
        digest = str(found.get("imageDigest") or "")
        if not digest:
            return Unknown(Reason.NO_DATA, "ECR names no digest of the image")
        if found.get("imageManifestMediaType") not in _INDEXES:
            return (digest,)
        asked = {"imageIds": [{"imageDigest": digest}], "acceptedMediaTypes": list(_INDEXES)}
        index = await self._ask("batch_get_image", repositoryName=self.params.repository, **asked)
        if isinstance(index, Unknown):
            return index
        image: Mapping[str, Any] = next(iter(index.get("images") or ()), {})
        try:
            return (digest, *(str(each["digest"]) for each in json.loads(image["imageManifest"])["manifests"]))
        except (KeyError, TypeError, ValueError, RecursionError):
            return Unknown(Reason.ERROR, "ECR's list of the platforms' images cannot be read")

    def _image(self, answer: dict[str, Any] | Unknown, now: datetime) -> tuple[dict[str, Any], dict[str, Unknown]]:
        names = ("exists", "digest", "matches", "pushed_age_s", "size_bytes", "tags")
        if isinstance(answer, Unknown):
            absent = answer.reason is Reason.NOT_FOUND and MISSING_IMAGE in answer.detail
            return (
                ({"exists": False}, dict.fromkeys(names[1:], answer)) if absent else ({}, dict.fromkeys(names, answer))
            )
        found = next(iter(answer.get("imageDetails") or ()), None)
        if found is None:
            return {}, dict.fromkeys(names, Unknown(Reason.NO_DATA, "ECR answered without imageDetails"))
        digest, pushed = found.get("imageDigest"), found.get("imagePushedAt")
        unknown = {}
        if not self.params.digest:
            unknown["matches"] = Unknown(Reason.NO_DATA, "the plan gives no digest", "set it in the plan")
        if not found.get("imageTags"):
            unknown["tags"] = Unknown(Reason.NO_DATA, "the image has no tag")
        return {
            "exists": _KEPT.get(str(found.get("imageStatus", "ACTIVE"))),
            "digest": digest,
            "matches": digest == self.params.digest if digest else None,
            "pushed_age_s": max((now - pushed).total_seconds(), 0.0) if pushed else None,
            "size_bytes": found.get("imageSizeInBytes"),
            "tags": tuple(str(tag) for tag in found.get("imageTags") or ()),
        }, unknown

    def _movable(self, answer: dict[str, Any] | Unknown) -> bool | Unknown:
        if isinstance(answer, Unknown):
            return answer
        if not self.params.tag:
            return Unknown(Reason.NO_DATA, "the plan gives no tag, and a digest cannot be moved")
        found: Mapping[str, Any] = next(iter(answer.get("repositories") or ()), {})
        setting = str(found.get("imageTagMutability") or "")
        if setting not in ("MUTABLE", "IMMUTABLE", "MUTABLE_WITH_EXCLUSION", "IMMUTABLE_WITH_EXCLUSION"):
            return Unknown(Reason.NO_DATA, f"ECR gives {setting or 'nothing'} as imageTagMutability")
        filters = [str(f.get("filter", "")) for f in found.get("imageTagMutabilityExclusionFilters") or ()]
        excluded = setting.endswith("_WITH_EXCLUSION") and any(_fits(f, self.params.tag) for f in filters)
        return setting.startswith("MUTABLE") != excluded

    def _url(self) -> str:
        region, account = self.clients.options.region, self.params.registry or self.clients.options.account
        place = f"ecr/repositories/private/{account}/{self.params.repository}?region={region}"
        return console(region, place) if account else ""


def _fits(pattern: str, tag: str) -> bool:
    """ECR's wildcard filters know only the star."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), tag, re.DOTALL) is not None
