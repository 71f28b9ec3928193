"""An image in the registry: a tag is a promise only where it cannot be moved."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from support.aws.modelled import DENIED, NOW, REQUEST_ID, THROTTLED, ModelledAws, refusal

from probes.aws.ecr import EcrImage, ImageParams
from probes.reading import Reading, Reason

DIGEST, OTHER = f"sha256:{'1f' * 32}", f"sha256:{'2e' * 32}"
WHOLE = {"repository": "web", "tag": "2024.12.1", "digest": DIGEST}
OF_IMAGE = {"exists", "digest", "digests", "matches", "pushed_age_s", "size_bytes", "tags"}


def image(**more: Any) -> dict[str, Any]:
    told = {"imageDigest": DIGEST, "imageTags": ["2024.12.1"], "imageSizeInBytes": 99}
    return {"imageDetails": [told | {"imagePushedAt": NOW - timedelta(hours=1)} | more]}


def repository(setting: str = "IMMUTABLE", *excluded: str) -> dict[str, Any]:
    filters = [{"filterType": "WILDCARD", "filter": each} for each in excluded]
    told = {"imageTagMutabilityExclusionFilters": filters} if filters else {}
    return {"repositories": [{"imageTagMutability": setting} | told]}


@pytest.fixture
async def aws() -> AsyncIterator[ModelledAws]:
    modelled = ModelledAws()
    modelled.on = {"DescribeImages": image(), "DescribeRepositories": repository()}
    yield modelled
    await modelled.clients.close()


async def read(aws: ModelledAws, params: dict[str, str] = WHOLE, **on: Any) -> Reading:
    aws.on |= on
    return await EcrImage(ImageParams.model_validate(params), aws.clients).read(NOW)


INDEX = "application/vnd.oci.image.index.v1+json"


def index(*digests: str) -> dict[str, Any]:
    platforms = [{"digest": each, "mediaType": "application/vnd.oci.image.manifest.v1+json"} for each in digests]
    return {"images": [{"imageManifest": json.dumps({"schemaVersion": 2, "manifests": platforms})}]}


async def test_an_image_for_several_platforms_has_the_digests_of_all_of_them(aws: ModelledAws) -> None:
    """ECS gives a task the digest of the index where it resolved the tag, and a platform's where the task definition names it."""
    reading = await read(aws, DescribeImages=image(imageManifestMediaType=INDEX), BatchGetImage=index(OTHER))
    assert reading.values["digests"] == (DIGEST, OTHER)
    (asked,) = [given for operation, given in aws.asked if operation == "BatchGetImage"]
    assert asked["imageIds"] == [{"imageDigest": DIGEST}], "of the image that was described, wherever the tag is now"
    assert INDEX in asked["acceptedMediaTypes"]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (DENIED, Reason.ACCESS_DENIED),
        ({"images": []}, Reason.ERROR),
        ({"images": [{"imageManifest": "{"}]}, Reason.ERROR),
        ({"images": [{"imageManifest": "[1]"}]}, Reason.ERROR),
    ],
)
async def test_platforms_that_are_not_seen_leave_the_digests_unknown(
    aws: ModelledAws, answer: Any, why: Reason
) -> None:
    reading = await read(aws, DescribeImages=image(imageManifestMediaType=INDEX), BatchGetImage=answer)
    assert reading.unknown["digests"].reason is why
    assert reading.values["digest"] == DIGEST


async def test_the_image_the_plan_means(aws: ModelledAws) -> None:
    reading = await read(aws)
    assert reading.values == {
        "exists": True,
        "digest": DIGEST,
        "digests": (DIGEST,),
        "matches": True,
        "pushed_age_s": 3600.0,
        "size_bytes": 99,
        "tags": ("2024.12.1",),
        "tag_mutable": False,
    }
    assert not reading.unknown
    assert reading.evidence.request_id == REQUEST_ID
    assert "/123456789012/web" in reading.evidence.console_url


@pytest.mark.parametrize(
    ("status", "kept"), [("ACTIVE", True), ("ARCHIVED", False), ("ACTIVATING", False), ("NEW", None)]
)
async def test_an_image_that_cannot_be_pulled_does_not_count_as_there(
    aws: ModelledAws, status: str, kept: bool | None
) -> None:
    reading = await read(aws, DescribeImages=image(imageStatus=status))
    assert (reading.values.get("exists"), reading.values["digest"]) == (kept, DIGEST)


async def test_a_tag_that_has_moved_matches_no_longer(aws: ModelledAws) -> None:
    values = (await read(aws, DescribeImages=image(imageDigest=OTHER))).values
    assert (values["matches"], values["digest"]) == (False, OTHER)


async def test_without_a_digest_nothing_matches_or_not(aws: ModelledAws) -> None:
    reading = await read(aws, {"repository": "web", "tag": "latest"})
    assert reading.unknown["matches"].reason is Reason.NO_DATA


async def test_by_digest_alone_no_tag_can_move(aws: ModelledAws) -> None:
    reading = await read(aws, {"repository": "web", "digest": DIGEST}, DescribeImages=image(imageTags=[]))
    assert reading.values["matches"] is True
    assert set(reading.unknown) == {"tags", "tag_mutable"}
    assert ("DescribeImages", {"repositoryName": "web", "imageIds": [{"imageDigest": DIGEST}]}) in aws.asked


@pytest.mark.parametrize(
    ("setting", "excluded", "mutable"),
    [
        ("MUTABLE", (), True),
        ("IMMUTABLE", (), False),
        ("IMMUTABLE_WITH_EXCLUSION", ("latest",), False),
        ("IMMUTABLE_WITH_EXCLUSION", ("2024.*",), True),
        ("MUTABLE_WITH_EXCLUSION", ("2024.*",), False),
        ("MUTABLE_WITH_EXCLUSION", ("2024?12*",), True),
    ],
)
async def test_whether_the_tag_can_be_moved(
    aws: ModelledAws, setting: str, excluded: tuple[str, ...], mutable: bool
) -> None:
    reading = await read(aws, DescribeRepositories=repository(setting, *excluded))
    assert reading.values["tag_mutable"] is mutable


@pytest.mark.parametrize("said", [{"repositories": []}, {"repositories": [{}]}])
async def test_a_repository_that_does_not_say_is_unknown(aws: ModelledAws, said: Any) -> None:
    assert (await read(aws, DescribeRepositories=said)).unknown["tag_mutable"].reason is Reason.NO_DATA


async def test_an_image_that_is_not_there_does_not_exist(aws: ModelledAws) -> None:
    reading = await read(aws, DescribeImages=refusal("ImageNotFoundException"))
    assert reading.values == {"exists": False, "tag_mutable": False}
    assert {u.reason for u in reading.unknown.values()} == {Reason.NOT_FOUND}


async def test_a_repository_that_is_not_there_is_unknown(aws: ModelledAws) -> None:
    gone = refusal("RepositoryNotFoundException")
    reading = await read(aws, DescribeImages=gone, DescribeRepositories=gone)
    assert not reading.values
    assert {u.reason for u in reading.unknown.values()} == {Reason.NOT_FOUND}


async def test_an_empty_answer_is_no_image(aws: ModelledAws) -> None:
    reading = await read(aws, DescribeImages={"imageDetails": []})
    assert {reading.unknown[name].reason for name in OF_IMAGE} == {Reason.NO_DATA}
    bare = await read(aws, DescribeImages={"imageDetails": [{}]})
    assert {"digest", "matches", "pushed_age_s", "size_bytes"} <= set(bare.unknown)


@pytest.mark.parametrize(("said", "reason"), [(DENIED, Reason.ACCESS_DENIED), (THROTTLED, Reason.THROTTLED)])
async def test_a_call_that_fails_makes_only_its_fields_unknown(aws: ModelledAws, said: Any, reason: Reason) -> None:
    images = await read(aws, DescribeImages=said)
    assert set(images.unknown) == OF_IMAGE
    assert {u.reason for u in images.unknown.values()} == {reason}
    settings = await read(aws, DescribeImages=image(), DescribeRepositories=said)
    assert {name: u.reason for name, u in settings.unknown.items()} == {"tag_mutable": reason}


@pytest.mark.parametrize("given", [{"repository": "web"}, {"repository": "web", "digest": "1f3a"}])
def test_an_image_must_be_named(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        ImageParams.model_validate(given)


async def test_another_account_s_registry_is_asked(aws: ModelledAws) -> None:
    await read(aws, WHOLE | {"registry": "999999999999"})
    assert {asked["registryId"] for _, asked in aws.asked} == {"999999999999"}
