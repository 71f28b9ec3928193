"""How long a backtest of the shipped plan takes: a week of one-minute metrics with two bad nights. `make bench` prints it."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from support.aws.past_metrics import PastMetrics

from cockpit.plan.load import load_plan
from cockpit.stories.backtest.past_run import backtest, cost, past_plan, warm_up
from probes.clients.past_clients import PastClients

PLAN = Path(__file__).parents[2] / "checklists" / "transparent-trust.yaml"
NOW, DAY, WANTED_S = datetime(2026, 11, 23, 6, 0, tzinfo=UTC), timedelta(days=1), 60.0
SINCE = NOW - 7 * DAY
NIGHTS = (NOW - 5 * DAY - timedelta(hours=8), NOW - 2 * DAY - timedelta(hours=7))


def requests(at: datetime) -> float:
    return 250.0 + at.minute


def failures(at: datetime) -> float | None:
    if any(night <= at < night + timedelta(minutes=20) for night in NIGHTS):
        return 40.0
    return 1.0 if at.minute % 7 == 0 else None


async def main() -> None:
    plan = load_plan(PLAN, environ={}, require_environment=False)
    past = past_plan(plan)
    metrics = PastMetrics(
        {"RequestCount": requests, "HTTPCode_Target_5XX_Count": failures, "HTTPCode_ELB_5XX_Count": lambda _: None}
    )
    foreseen = cost(past, SINCE, NOW, NOW)
    clients = PastClients(metrics.aws.clients, SINCE - warm_up(past.plan), NOW, NOW)
    began, cpu = time.perf_counter(), time.process_time()
    found = await backtest(plan, past, clients, SINCE, NOW)
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    await clients.close()
    await metrics.aws.clients.close()
    trips = [trip.at for each in found.triggers for trip in each.trips if each.id == "errors.high"]
    assert len(trips) == len(NIGHTS), trips
    assert all(timedelta(0) < at - night <= timedelta(minutes=9) for at, night in zip(trips, NIGHTS, strict=True)), (
        trips
    )
    assert metrics.calls <= foreseen.calls
    print(
        f"a week of one-minute metrics of {plan.name} ({found.asked['points']:,} points, {metrics.calls} GetMetricData): "
        f"{took:.1f} s, {cpu:.1f} s of one processor (wanted: under {WANTED_S:g} s)"
    )


if __name__ == "__main__":
    asyncio.run(main())
