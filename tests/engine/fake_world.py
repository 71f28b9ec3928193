"""A tiny world to read: real probes of our own contract, a clock moved by hand, and clients that reach nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from support.clock import START, HandClock, settle

from cockpit.conditions.condition import compile_condition
from cockpit.engine.poller import LiveSource
from cockpit.plan.model import Criterion, Kind, Plan, ProbeSpec
from cockpit.plan.position import Position
from probes.demand import AWS_ALONE
from probes.probe import Params, Probe
from probes.reading import Field, Reading, Reason, Unknown
from probes.registry import BUILT_IN

__all__ = ["START", "HandClock", "settle"]

HERE = Position("world.yaml", 1)
FIELDS = (Field("ok", bool, "answers", example=True),)


@dataclass
class World:
    """What the probe of each name does when it is read, and how often it was."""

    answers: dict[str, Callable[[Any, datetime], Awaitable[Any]]] = field(default_factory=dict)
    begun: dict[str, int] = field(default_factory=dict)
    under_way: dict[str, int] = field(default_factory=dict)
    most_at_once: dict[str, int] = field(default_factory=dict)
    closed: list[str] = field(default_factory=list)


class FakeParams(Params):
    name: str = "m"


WORLD = World()


class FakeProbe(Probe[FakeParams]):
    """Reads the fake world."""

    name = "fake"
    params_type = FakeParams
    demands = AWS_ALONE
    cannot_see = "anything: it is for tests"
    late = "not at all"
    fields = FIELDS

    async def read(self, now: datetime) -> Reading:
        name = self.params.name
        WORLD.begun[name] = WORLD.begun.get(name, 0) + 1
        WORLD.under_way[name] = WORLD.under_way.get(name, 0) + 1
        WORLD.most_at_once[name] = max(WORLD.most_at_once.get(name, 0), WORLD.under_way[name])
        try:
            answer = WORLD.answers.get(name, good)
            result: Reading = await answer(self, now)
            return result
        finally:
            WORLD.under_way[name] -= 1

    async def close(self) -> None:
        WORLD.closed.append(self.params.name)


async def good(probe: FakeProbe, now: datetime) -> Reading:
    return probe.reading(now, {"ok": True})


async def throttled(probe: FakeProbe, now: datetime) -> Reading:
    return probe.blind(now, Unknown(Reason.THROTTLED, "slow down"))


class NoClients:
    """Clients of a world that has none."""

    def elsewhere(self, region: str, profile: str) -> NoClients:
        return self

    async def close(self) -> None: ...


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setitem(BUILT_IN, "fake", f"{__name__}:FakeProbe")
    WORLD.__dict__.update(World().__dict__)
    return WORLD


def plan_of(*names: str, interval: float = 10, timeout: float = 5) -> Plan:
    return Plan(
        name="world",
        title="A world",
        environment="test",
        path="world.yaml",
        digest="d",
        probes={
            name: ProbeSpec(
                name,
                "fake",
                {"name": name},
                timedelta(seconds=interval),
                timedelta(seconds=timeout),
                HERE,
                fields=FIELDS,
            )
            for name in names
        },
        success_criteria=(Criterion("fine", "fine", Kind.SUCCESS, compile_condition(f"{names[0]}.ok"), HERE),),
        rollback_triggers=(Criterion("gone", "gone", Kind.TRIGGER, compile_condition(f"!{names[0]}.ok"), HERE),),
    )


def live(plan: Plan, clock: HandClock) -> LiveSource:
    return LiveSource(plan, NoClients(), clock, {})  # type: ignore[arg-type]


class Reader:
    """Takes readings from a source, as a watch does."""

    def __init__(self, source: LiveSource) -> None:
        self.source = source
        self.read: list[tuple[str, Reading]] = []
        self.first = asyncio.Event()
        self.task = asyncio.create_task(self._take())

    async def _take(self) -> None:
        async for each in self.source.readings():
            self.read.append(each)
            self.first.set()

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.source.close()
