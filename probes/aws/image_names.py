"""What the name of a container's image says: which registry holds it, and whose container it is."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from probes.frozen import frozen

_REGISTRY = re.compile(
    r"(?P<registry>\d{12})\."
    r"(?:dkr\.ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|amazonaws\.eu|c2s\.ic\.gov|sc2s\.sgov\.gov)"
    r"|dkr-ecr(?:-fips)?\.(?P<dual>[a-z0-9-]+)\.on\.(?:aws|amazonwebservices\.com\.cn|amazonwebservices\.eu))"
    r"/(?P<repository>[^:@]+)(?::(?P<tag>[^:@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
"""A private registry of ECR by each of its names: IPv4 and dual-stack, FIPS, in every partition."""
_ADDED_BY_AWS = ("aws-guardduty-agent", "ecs-service-connect")
"""How the containers that AWS adds to a task are named: no task definition has them."""
_SHORTEST = len("sha256:") + 12


@frozen
class EcrName:
    """An image in a private registry of ECR."""

    registry: str
    """Account."""
    region: str
    repository: str
    tag: str
    digest: str


def in_ecr(image: str) -> EcrName | None:
    """The parts of an image's name, where a private registry of ECR holds it.

    >>> in_ecr("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/web:7").tag
    '7'
    >>> in_ecr("123456789012.dkr-ecr.eu-west-1.on.aws/team/web").repository
    'team/web'
    >>> in_ecr("public.ecr.aws/xray/aws-xray-daemon:3.x")
    """
    found = _REGISTRY.fullmatch(image)
    if found is None:
        return None
    region = found["region"] or found["dual"]
    return EcrName(found["registry"], region, found["repository"], found["tag"] or "", found["digest"] or "")


def added_by_aws(container: str) -> bool:
    """Whether a container of this name is one that AWS adds to tasks, not one that somebody deployed."""
    return container.startswith(_ADDED_BY_AWS)


def own(containers: Iterable[tuple[str, str]], serving: Collection[str] = ()) -> frozenset[str]:
    """Names of the containers (name, image) that are the application's own: those by which a release is judged.

    Left out is what AWS adds, and a sidecar whose image is named by a tag of somebody else's registry: it changes whenever they
    push. A container that the load balancer leads to (`serving`) is never a sidecar, and where nothing else is left all are own.
    """
    deployed = [(name, image) for name, image in containers if not added_by_aws(name)]
    kept = [name for name, image in deployed if name in serving or not image or "@sha256:" in image or in_ecr(image)]
    return frozenset(kept or (name for name, _ in deployed))


def served_by(found: Mapping[str, Any]) -> frozenset[str]:
    """Names of the containers to which the load balancers of a service, or of one of its revisions, lead."""
    return frozenset(str(each.get("containerName", "")) for each in found.get("loadBalancers") or ())


def short_digests(digests: Sequence[str], *beside: str) -> str:
    """Digests as a line shows them: at least 12 digits of each, and as many as tell them apart, from those `beside` too.

    >>> short_digests(["sha256:" + "a" * 64], "sha256:" + "a" * 13 + "b" * 51)
    'sha256:aaaaaaaaaaaaaa'
    """
    distinct = {*digests, *beside} - {""}
    longest = max(map(len, distinct), default=_SHORTEST)
    length = next(
        (n for n in range(_SHORTEST, longest) if len({digest[:n] for digest in distinct}) == len(distinct)), longest
    )
    return " ".join(digest[:length] for digest in digests)
