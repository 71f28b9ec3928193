"""Names of images: registries of ECR by each of their names, and whose container one is."""

from __future__ import annotations

import pytest

from probes.aws.image_names import EcrName, in_ecr, own, short_digests

DIGEST = "sha256:" + "1f" * 32
HOSTS = [
    ("123456789012.dkr.ecr.us-east-1.amazonaws.com", "us-east-1"),
    ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
    ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1"),
    ("123456789012.dkr-ecr.eu-west-1.on.aws", "eu-west-1"),
    ("123456789012.dkr-ecr-fips.us-east-2.on.aws", "us-east-2"),
    ("123456789012.dkr-ecr.cn-northwest-1.on.amazonwebservices.com.cn", "cn-northwest-1"),
]


@pytest.mark.parametrize(("host", "region"), HOSTS)
@pytest.mark.parametrize(("named", "tag", "digest"), [("", "", ""), (":7", "7", ""), (f":7@{DIGEST}", "7", DIGEST)])
def test_a_private_registry_is_known_by_each_of_its_names(
    host: str, region: str, named: str, tag: str, digest: str
) -> None:
    assert in_ecr(f"{host}/team/web{named}") == EcrName("123456789012", region, "team/web", tag, digest)


@pytest.mark.parametrize(
    "image", ["web:7", "public.ecr.aws/nginx/nginx:1", "12.dkr.ecr.us-east-1.amazonaws.com/w", "x/y"]
)
def test_what_is_elsewhere_is_in_no_private_registry(image: str) -> None:
    assert in_ecr(image) is None


WEB, XRAY = ("web", f"{HOSTS[3][0]}/web:7"), ("xray", "public.ecr.aws/xray/aws-xray-daemon:3.x")


@pytest.mark.parametrize(
    ("containers", "serving", "judged"),
    [
        ([WEB, XRAY], set(), {"web"}),
        ([WEB, ("aws-guardduty-agent-x1", f"{HOSTS[0][0]}/agent@{DIGEST}")], set(), {"web"}),
        ([WEB, ("ecs-service-connect-x1", "ecs-service-connect")], set(), {"web"}),
        ([WEB, ("log", f"docker.io/fluent@{DIGEST}")], set(), {"web", "log"}),
        ([WEB, ("front", "docker.io/nginx:1")], {"front"}, {"web", "front"}),
        ([("front", "docker.io/nginx:1")], set(), {"front"}),
    ],
)
def test_a_release_is_judged_by_the_applications_own_containers(
    containers: list[tuple[str, str]], serving: set[str], judged: set[str]
) -> None:
    assert own(containers, serving) == judged


def test_two_digests_never_look_the_same() -> None:
    one, other = "sha256:" + "a" * 40 + "b" * 24, "sha256:" + "a" * 40 + "c" * 24
    assert short_digests([one]) == "sha256:" + "a" * 12
    assert short_digests([one], other) != short_digests([other], one)
    assert len(set(short_digests([one, other]).split())) == 2
    assert short_digests([]) == ""
