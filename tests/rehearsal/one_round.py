"""A rehearsed world in this process, and the shipped plan's probes read once: what every condition of the plan says now."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from cockpit.conditions.condition import Condition, Outcome, context_of
from cockpit.engine.clock import SharedClock
from cockpit.engine.poller import LiveSource
from cockpit.plan.load import load_plan
from cockpit.plan.model import Plan
from cockpit.rehearsal.aws.fixtures.ecs_service import FIRST_TAG
from cockpit.rehearsal.process.assembly import Assembly
from cockpit.rehearsal.process.pace import HORIZON_S
from probes.aws.cloudtrail import CloudTrailEvents
from probes.clients.clients import AwsOptions, Clients
from probes.reading import Reading, Reason

PLAN = Path(__file__).resolve().parents[2] / "checklists" / "transparent-trust.yaml"
SPEED = 60.0
CROWD = 8
"""So many users at once are more than a machine that keeps up has: their pool has 20 connections."""
ATTEMPTS = 50
"""Times a probe is read that gets no answer in time: the machine may be busy, and no fault of these tests is a slow answer."""


class Rounds:
    """The world (`assembly`), the plan, and its probes, read when asked to. Readings are kept until they are read again."""

    def __init__(self, assembly: Assembly, clock: SharedClock, variables: Mapping[str, str]) -> None:
        self.assembly = assembly
        self.clock = clock
        # So is its image the one that was pushed.
        self.plan: Plan = load_plan(PLAN, overrides={**variables, "image_tag": FIRST_TAG})
        target = self.plan.target
        self.source = LiveSource(self.plan, Clients(AwsOptions(target.region, account=target.account)), clock, {})
        # The release that is judged is the one the account has when the world begins.
        began = clock.now() - timedelta(days=30)
        self.source.of_deployment(lambda: began)
        self.readings: dict[str, Reading] = {}

    async def look(self, names: Iterable[str] | None = None) -> None:
        """Read those probes, or all of them, at once; what gets no answer in time is read again, as a cockpit does."""
        wanted = list(self.source.loops) if names is None else list(names)
        for loop in (self.source.loops[name] for name in wanted):
            if isinstance(loop.probe, CloudTrailEvents):
                # It keeps what it has read, which CloudTrail never takes back. A fault does: it is read as if just opened.
                loop.probe = CloudTrailEvents(loop.probe.params, loop.probe.clients)
        for _ in range(ATTEMPTS):
            found = await asyncio.gather(*(self.source.loops[name].read() for name in wanted))
            self.readings |= dict(zip(wanted, found, strict=True))
            wanted = [name for name in wanted if _timed_out(self.readings[name])]
            if not wanted:
                break

    def judged(self) -> Iterator[tuple[str, str, Condition]]:
        """Kind, id and condition of everything the plan judges by probes."""
        for item in [item for section in self.plan.checklist for item in section.items]:
            if item.expect is not None:
                yield "item", item.id, item.expect
        for criterion in self.plan.criteria():
            if criterion.condition is not None:
                yield str(criterion.kind), criterion.id, criterion.condition
        for guard in self.plan.migration.guards if self.plan.migration else ():
            if guard.condition is not None:
                yield "guard", guard.id, guard.condition

    def outcomes(self) -> dict[str, Outcome]:
        """What each condition says of the readings at hand, by id."""
        values, unknown = context_of(self.readings)
        return {id_: condition.evaluate(values, unknown) for _, id_, condition in self.judged()}

    async def live(self, duration: timedelta, speed: float = SPEED) -> None:
        """Let the world live for a while of its own time, with its users, as its process does.

        However busy the machine is, no user stays away: time goes on by a beat, and slowly while many are under way.
        """
        until = self.clock.now() + duration
        users = asyncio.create_task(self.assembly.users.run())
        try:
            while self.clock.now() < until:
                self.clock.beat(speed if self.assembly.users.under_way < CROWD else 1.0, HORIZON_S)
                await self.assembly.round()
                await asyncio.sleep(0.02)
        finally:
            self.clock.set_speed(0.0)
            users.cancel()
            await asyncio.gather(users, return_exceptions=True)
        assert self.assembly.users.shed == 0


def _timed_out(reading: Reading) -> bool:
    return any(why.reason is Reason.TIMEOUT for why in reading.unknown.values())


@asynccontextmanager
async def rounds(folder: Path, environ: dict[str, str] | None = None) -> AsyncIterator[Rounds]:
    """A world, furnished and standing still; `environ` is set for it, as the operator's shell would."""
    folder.mkdir(exist_ok=True)
    clock = SharedClock.create(folder / "clock", speed=0.0)
    assembly = Assembly(folder, clock, seed=1, rate=1.0)
    try:
        ready = await assembly.open()
        os.environ.update(ready["environment"])
        opened = Rounds(assembly, clock, ready["vars"])
        try:
            yield opened
        finally:
            await opened.source.close()
    finally:
        await assembly.close()
