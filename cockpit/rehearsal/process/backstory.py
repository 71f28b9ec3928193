"""Before the rehearsal began: tasks started and read their secrets, users were served, and AWS remembers."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from cockpit.rehearsal.aws.fixtures.account import Placed
from cockpit.rehearsal.aws.fixtures.ecs_service import RUNNING_FOR
from cockpit.rehearsal.aws.fixtures.monitoring import CUSTOM, UPLOADS_FAILED
from cockpit.rehearsal.aws.simulation import SimulatedAws
from cockpit.rehearsal.site.load_balancer import Answer
from cockpit.rehearsal.site.telemetry import MINUTE, Telemetry
from cockpit.rehearsal.site.users import MIX

FORGOTTEN = timedelta(days=91)
LENGTH = timedelta(minutes=30)
_A_MINUTE = sum(journeys * requests for journeys, requests in MIX.values())
_UPLOADS_A_MINUTE = MIX["upload"][0]
_ASKED_SHARE = MIX["ask"][0] / _A_MINUTE


def remember(telemetry: Telemetry, now: datetime, rate: float, seed: int) -> None:
    """Put the minutes before `now` into the metrics: healthy, at the users' usual rate and mix of durations."""
    chance = random.Random(seed)
    begin = now.replace(second=0, microsecond=0)
    start = begin - LENGTH
    while start < begin:
        requests = max(0, round(_A_MINUTE * rate * chance.uniform(0.93, 1.07)))
        answers = [Answer(200, _seconds(chance), by_target=True) for _ in range(requests)]
        telemetry.remember(start, answers, puts=round(_UPLOADS_A_MINUTE * rate), tasks=2)
        start += MINUTE
    telemetry.publish(begin)


def recall(aws: SimulatedAws, placed: Placed, now: datetime) -> None:
    """What CloudTrail and the metric filter remember: secrets read as the tasks started, and no upload that failed."""
    for name in placed.secrets:
        aws.trail.recall(name, now - RUNNING_FOR)
    aws.trail.crowd(aws.profile.principals, now)
    for back in range(aws.profile.long_ago):
        aws.trail.recall(next(iter(placed.secrets)), now - FORGOTTEN - timedelta(hours=back))
    for service in aws.ecs.services.values():
        service.remember(aws.profile.past_deployments, now)
    begin = now.replace(second=0, microsecond=0)
    for minute in range(int(LENGTH / MINUTE), 0, -1):
        aws.metrics.put(CUSTOM, UPLOADS_FAILED, {}, begin - minute * MINUTE, [0.0])


def _seconds(chance: random.Random) -> float:
    if chance.random() < _ASKED_SHARE:
        return 3.2 * chance.lognormvariate(0.0, 0.5)
    return 0.08 * chance.lognormvariate(0.0, 0.45)
