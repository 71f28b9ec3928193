"""A played world: what each probe would read at a moment, by its own interval, period and settle, and what hinders it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from support.plans.written_plan import own_probes, plan

from cockpit.plan.model import Plan
from cockpit.stories.healthy_values import healthy
from cockpit.stories.played_source import PlayedSource
from cockpit.stories.played_world import PlayedWorld
from cockpit.stories.story_clock import BEGINS, StoryClock
from probes.reading import Reading, Reason

__all__ = ["own_probes"]
LIVE = """\
success_criteria:
  - {id: c, title: C, success_condition: live.ok && metric.rate < 0.5}
"""


def at(seconds: float) -> datetime:
    return BEGINS + timedelta(seconds=seconds)


@pytest.fixture
def of() -> Plan:
    return plan(LIVE)


@pytest.fixture
def world(of: Plan) -> PlayedWorld:
    return PlayedWorld(of, healthy(of).values)


def read(world: PlayedWorld, probe: str, seconds: float, since: datetime | None = None) -> Reading:
    return world.reading(probe, at(seconds), since)


def test_a_live_probe_sees_the_moment_and_a_metric_its_last_settled_period(world: PlayedWorld) -> None:
    world.set(at(100), {"live.ok": False, "metric.rate": 0.9})
    assert [read(world, "live", s).values["ok"] for s in (99, 100)] == [True, False]
    seen = read(world, "metric", 239)
    assert (seen.data_at, seen.values["rate"]) == (at(120), 0.9), "a period and the settle of another"
    assert read(world, "metric", 179).data_at == at(60)


def test_periods_not_reported_before_come_with_the_next_reading(world: PlayedWorld) -> None:
    world.set(at(130), {"metric.rate": 0.9})
    seen = read(world, "metric", 320, since=at(60))
    assert [(each.data_at, each.values["rate"]) for each in (*seen.earlier, seen)] == [
        (at(120), world.healthy["metric.rate"]),
        (at(180), 0.9),
        (at(240), 0.9),
    ]


@pytest.mark.parametrize("reason", list(Reason))
def test_a_probe_is_blind_by_every_reason_for_its_time(world: PlayedWorld, reason: Reason) -> None:
    world.blind(at(10), "live", reason, at(20))
    blind = read(world, "live", 10)
    assert not blind.values
    assert {why.reason for why in blind.unknown.values()} == {reason}
    assert read(world, "live", 20).values["ok"] is True


def test_one_field_is_blind_and_the_others_are_seen(world: PlayedWorld) -> None:
    world.blind(at(0), "metric.rate", Reason.LOW_VOLUME)
    seen = read(world, "metric", 200)
    assert (set(seen.unknown), seen.values["running"]) == ({"rate"}, 2)


def test_what_is_late_is_older_and_is_caught_up(world: PlayedWorld) -> None:
    world.set(at(100), {"live.ok": False})
    world.late(at(90), "live", timedelta(seconds=30), at(200))
    late = read(world, "live", 120)
    assert (late.data_at, late.values["ok"]) == (at(90), True)
    assert read(world, "live", 200).values["ok"] is False
    world.late(at(300), "metric", timedelta(minutes=2))
    assert read(world, "metric", 430).data_at == at(240)


def test_a_field_flaps_to_a_value_and_a_probe_between_seen_and_unseen(world: PlayedWorld) -> None:
    world.flap(at(0), "live.ok", timedelta(seconds=20), value=False)
    assert [read(world, "live", s).values["ok"] for s in (0, 9, 10, 19, 20)] == [False, False, True, True, False]
    world.flap(at(60), "metric", timedelta(seconds=20), until=at(100))
    assert [bool(read(world, "metric", s).values) for s in (60, 70, 80, 100)] == [False, True, False, True]


def test_restored_is_healthy_seen_and_in_time(world: PlayedWorld) -> None:
    world.set(at(5), {"live.ok": False})
    world.blind(at(5), "live.status", Reason.TIMEOUT)
    world.late(at(5), "live", timedelta(minutes=5))
    world.restore(at(30), "live")
    seen = read(world, "live", 30)
    assert (seen.data_at, seen.values["ok"], seen.unknown) == (at(30), True, {})


def test_each_probe_is_read_at_its_own_interval_and_throttled_less_often(of: Plan, world: PlayedWorld) -> None:
    source = PlayedSource(of, world, StoryClock(), steady=True)
    world.blind(at(100), "live", Reason.THROTTLED, at(200))
    taken = [(name, reading.observed_at) for name, reading in source.take(at(240))]
    assert [moment for name, moment in taken if name == "metric"] == [at(30 * n) for n in range(9)]
    assert [moment for name, moment in taken if name == "live"] == [at(s) for s in (0, 20, 40, 60, 80, 100, 140, 220)]
    assert [moment for _, moment in taken] == sorted(moment for _, moment in taken)


def test_nothing_is_read_while_paused_and_everything_at_once_afterwards(of: Plan, world: PlayedWorld) -> None:
    clock = StoryClock()
    source = PlayedSource(of, world, clock)
    source.take(at(0))
    source.toggle_pause()
    clock.at = at(600)
    assert source.take(at(600)) == []
    source.toggle_pause()
    assert {name for name, _ in source.take(at(600))} == {"live", "metric"}


async def test_it_stands_where_the_live_source_stands(of: Plan, world: PlayedWorld) -> None:
    clock = StoryClock(speed=1e6)
    source = PlayedSource(of, world, clock)
    found = []
    async for name, _ in source.readings():
        found.append(name)
        clock.at += timedelta(seconds=30)
        if len(found) == 6:
            break
    assert {*found} == {"live", "metric"}
