"""A full probe round of the complete plan against its slowest single probe, in the rehearsed world. Target: under 1.5."""

from __future__ import annotations

import asyncio
import os
import statistics
import time

from cockpit.commands.simulated_plans import shipped
from cockpit.engine.poller import LiveSource
from cockpit.plan.load import load_plan
from cockpit.rehearsal.process.launcher import Rehearsal
from probes.clients.clients import AwsOptions, Clients

ROUNDS = 7


async def measure(*, distant: bool) -> tuple[list[float], list[float]]:
    """Wall seconds of whole rounds, and of the slowest probe read alone, in turn. `distant`: AWS is 150 ms away."""
    rounds, slowest = [], []
    async with Rehearsal() as world:
        world.apply(os.environ)
        world.clock.set_speed(1.0)
        plan = load_plan(shipped("checklists/transparent-trust.yaml"), overrides=world.vars)
        clients = Clients(AwsOptions(plan.target.region, account=plan.target.account))
        source = LiveSource(plan, clients, world.clock, {})
        if distant:
            await world.set_fault("network.slow", active=True)
        for _ in range(2):
            await asyncio.gather(*(loop.read() for loop in source.loops.values()))
        for _ in range(ROUNDS):
            began = time.perf_counter()
            await asyncio.gather(*(loop.read() for loop in source.loops.values()))
            rounds.append(time.perf_counter() - began)
            alone = []
            for loop in source.loops.values():
                began = time.perf_counter()
                await loop.read()
                alone.append(time.perf_counter() - began)
            slowest.append(max(alone))
        await source.close()
    return rounds, slowest


def main() -> None:
    for distant, place in ((True, "150 ms away"), (False, "on this machine")):
        rounds, slowest = asyncio.run(measure(distant=distant))
        ratio = statistics.median(whole / single for whole, single in zip(rounds, slowest, strict=True))
        whole_ms, single_ms = statistics.median(rounds) * 1000, statistics.median(slowest) * 1000
        print(
            f"AWS {place}: full round {whole_ms:.0f} ms, slowest single probe {single_ms:.0f} ms, ratio {ratio:.2f} "
            f"(target under 1.5 at a distance; {ROUNDS} pairs)"
        )


if __name__ == "__main__":
    main()
