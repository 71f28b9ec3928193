"""What the cockpit can do itself in a step, and to what: a service of ECS, or a site that takes synthetic traffic."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from probes.frozen import frozen


@frozen(order=True)
class EcsService:
    """One ECS service, by the names of its cluster and itself, in the plan's account and region."""

    cluster: str
    service: str

    def __str__(self) -> str:
        return f"{self.cluster}/{self.service}"


@frozen
class SyntheticRequest:
    """One request of the synthetic traffic."""

    path: str
    method: str = "GET"
    body: str = ""
    """JSON; empty without a body."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@frozen
class Synthetic:
    """Traffic in the users' place, for a night without any: these requests in turn, at a steady rate, and then it ends."""

    url: str
    """Scheme and host, with a path in front of all paths where there is one."""
    requests: tuple[SyntheticRequest, ...]
    per_minute: int
    runs_for: timedelta

    @property
    def host(self) -> str:
        """Host and port."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    def __str__(self) -> str:
        return self.host


@frozen
class StepAction:
    """What the cockpit can do itself in a step, and to which service or site alone."""

    uses: str
    """Name of a built-in guarded action: "ecs.rollback", "synthetic.traffic"."""
    on: EcsService | Synthetic

    def __str__(self) -> str:
        return f"{self.uses} {self.on}"
