"""How the simulated AWS behaves: as on a usual day, or at its worst. Late and busy are no faults: nothing is broken.

Imports nothing heavy. What each trait does is done where the service is simulated.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

from probes.frozen import frozen

MINUTE_S, COARSE_S = 60, 300
GUARDDUTY, SERVICE_CONNECT = "aws-guardduty-agent", "ecs-service-connect"
COUNTED = ("RequestCount", "HTTPCode_")
"""Metrics that AWS adds up from many machines: their sum grows while a period fills."""


@frozen
class Filling:
    """How long after its end a minute fills up, in seconds: a part of it shows at first, the rest later."""

    first_s: float
    rest_s: float


@frozen
class Delivery:
    """When the minutes of a metric show. Each minute of each metric has its own moments, the same in every run."""

    earliest_s: float = 30.0
    latest_s: float = 30.0
    bucket_s: float = 30.0
    """Request metrics of S3."""
    coarse: tuple[str, ...] = ()
    """Namespaces with one point every five minutes, as without detailed monitoring."""

    def resolution_s(self, namespace: str) -> int:
        """How many seconds one point of this namespace stands for."""
        return COARSE_S if namespace in self.coarse else MINUTE_S

    def of(self, namespace: str, metric: str, minute: int) -> Filling:
        """The filling of the minute, or of the five minutes, that begins at this epoch second.

        >>> Delivery().of("AWS/S3", "PutRequests", 0)
        Filling(first_s=30.0, rest_s=30.0)
        """
        if namespace == "AWS/S3":
            return Filling(self.bucket_s, self.bucket_s)
        spread, chance = self.latest_s - self.earliest_s, _chance(f"{namespace} {metric} {minute}")
        return Filling(self.earliest_s + spread * 0.2 * chance, self.latest_s - spread * 0.5 * chance)


@frozen
class AwsProfile:
    """The traits of an account."""

    title: str
    delivery: Delivery = Delivery()
    bucket_misses: int = 0
    """Requests a minute to the bucket that S3 answers with a 4xx though no upload failed."""
    query_quota: int = 0
    """Calls a second of StartQuery, and of GetQueryResults, of the whole account; 0: without end."""
    principals: int = 0
    """Others whose calls CloudTrail holds beside those of the cutover."""
    trail_after: timedelta = timedelta(minutes=5)
    """How late CloudTrail delivers."""
    past_deployments: int = 0
    """Deployments of the service that ListServiceDeployments still knows."""
    sidecars: tuple[str, ...] = (GUARDDUTY,)
    """Containers that AWS adds to every task, by how their names begin."""
    composite_alarms: bool = False
    """Whether an alarm over the alarms exists, which notifies for all of them."""
    console_field: str = ""
    """The key under which the console stores a secret of one value, as JSON; empty: it is stored as plain text."""
    long_ago: int = 0
    """Events that CloudTrail had, and has forgotten."""
    traits: tuple[tuple[str, str], ...] = ()
    """What it does, and what the cockpit must say all the same; for docs/faults.md."""

    def taken_by_others(self, second: int) -> int:
        """How much of the query quota the other users of the account take in this second of the world's time."""
        return round(self.query_quota * _chance(f"queries {second}"))


def _chance(seed: str) -> float:
    """From 0 to 1, by the text alone."""
    return zlib.crc32(seed.encode()) / 0xFFFFFFFF


USUAL, WORST = "usual", "worst"
PROFILES: Mapping[str, AwsProfile] = MappingProxyType(
    {
        USUAL: AwsProfile("AWS on a usual day"),
        WORST: AwsProfile(
            "AWS at its worst",
            delivery=Delivery(45.0, 180.0, bucket_s=900.0, coarse=("AWS/RDS", "AWS/ECS")),
            bucket_misses=6,
            query_quota=10,
            principals=400,
            trail_after=timedelta(minutes=15),
            past_deployments=1000,
            sidecars=(GUARDDUTY, SERVICE_CONNECT),
            composite_alarms=True,
            console_field="value",
            long_ago=400,
            traits=(
                (
                    "CloudWatch periods fill over 45 to 180 s, counts and their total not at the same moment",
                    "a period counts once it is older than what was measured of its metric, and is fresh for so much longer",
                ),
                (
                    "RDS and ECS have one point every five minutes",
                    "a period shorter than the points is judged by those there are; a metric is as old as its newest point",
                ),
                ("S3 request metrics come 15 minutes late", "uploads are judged by the log and the rows"),
                (
                    "S3 counts 4xx of GETs of missing keys and of configuration calls",
                    "shown as a hint, never as a failed upload",
                ),
                (
                    "StartQuery and GetQueryResults are limited to 10 a second, shared with other users",
                    "a throttled call waits; a query not finished in time is polled at the next reading",
                ),
                (
                    "CloudTrail holds hundreds of other principals' events and delivers them after 15 minutes",
                    "only the application's own reads count",
                ),
                (
                    "CloudTrail finds nothing that is older than 90 days",
                    "counts are known from below where the plan asks for more",
                ),
                ("ListServiceDeployments knows 1,000 deployments", "the newest is judged, in a handful of calls"),
                (
                    "AWS adds GuardDuty's and Service Connect's containers to tasks, in images of their own",
                    "a release is judged by the application's own containers",
                ),
                (
                    "A composite alarm stands over the alarms, and is OK while one below it has no data",
                    "such an OK is UNKNOWN; the alarms that the plan names are judged by themselves",
                ),
                (
                    "The console stores a secret as JSON under a key of its own",
                    "the value under the key is judged, never the JSON around it",
                ),
            ),
        ),
    }
)
