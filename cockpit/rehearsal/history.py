"""The half hour before the rehearsal began: the old system served its users, and CloudWatch remembers."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from cockpit.rehearsal.balancer import Answer
from cockpit.rehearsal.telemetry import MINUTE, Telemetry
from cockpit.rehearsal.users import MIX

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


def _seconds(chance: random.Random) -> float:
    if chance.random() < _ASKED_SHARE:
        return 3.2 * chance.lognormvariate(0.0, 0.5)
    return 0.08 * chance.lognormvariate(0.0, 0.45)
