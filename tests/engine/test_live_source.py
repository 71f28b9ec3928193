"""Reading a living world: each probe in its own loop, never twice at once, never longer than its deadline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any

import pytest
from engine.fake_world import Reader, World, good, live, plan_of, throttled, world
from support.clock import HandClock, settle

from probes.reading import Reading, Reason, Unknown

__all__ = ["world"]


@asynccontextmanager
async def reading(*names: str, **more: float) -> AsyncIterator[tuple[HandClock, Reader]]:
    clock = HandClock()
    reader = Reader(live(plan_of(*names, **more), clock))
    await settle()
    try:
        yield clock, reader
    finally:
        await reader.stop()


async def deaf(let_go: asyncio.Event) -> None:
    """Goes on through every cancellation, until it is let go."""
    while not let_go.is_set():
        with suppress(asyncio.CancelledError):
            await let_go.wait()


async def until(what: Callable[[], bool]) -> None:
    """Let the loops go on until something is so; the test's own limit ends what never is."""
    while not what():  # noqa: ASYNC110 - what is waited for has no event of its own
        await asyncio.sleep(0.005)


def reasons(readings: list[tuple[str, Reading]]) -> list[Reason]:
    return [why.reason for _, each in readings for why in each.unknown.values()]


async def test_every_probe_is_read_at_once_and_then_once_an_interval(world: World) -> None:
    async with reading("m", "n") as (clock, reader):
        assert sorted(name for name, _ in reader.read) == ["m", "n"]
        await clock.move(10)
        assert sorted(name for name, _ in reader.read) == ["m", "m", "n", "n"]
        await clock.move(9)
        assert len(reader.read) == 4
        await clock.move(1)
        assert sorted(name for name, _ in reader.read) == ["m", "m", "m", "n", "n", "n"]


@pytest.mark.parametrize("asked", ["at the start", "by a key", "after a pause"])
async def test_what_was_read_in_one_moment_is_read_again_apart(world: World, asked: str) -> None:
    """Sixty answers in one moment keep a key waiting."""
    async with reading(*(f"p{n}" for n in range(20))) as (clock, reader):
        if asked == "after a pause":
            reader.source.toggle_pause()
            await clock.move(10)
            reader.source.toggle_pause()
            await settle()
        elif asked == "by a key":
            await clock.move(10)
            reader.source.probe_now()
            await settle()
        together, at_once = len(reader.read), 0
        for _ in range(20):
            before = len(reader.read)
            await clock.move(0.5)
            at_once = max(at_once, len(reader.read) - before)
        assert len(reader.read) == together + 20
        assert at_once <= 6


async def test_a_slow_probe_delays_nobody(world: World) -> None:
    async def never(probe: Any, now: datetime) -> Reading:
        await asyncio.Event().wait()
        raise AssertionError

    world.answers["m"] = never
    async with reading("m", "n") as (clock, reader):
        for _ in range(3):
            await clock.move(10)
        assert [name for name, _ in reader.read] == ["n"] * 4


async def test_loops_never_overlap(world: World) -> None:
    """Not even when the call before is past its deadline and does not let itself be cancelled."""

    let_go = asyncio.Event()

    async def stuck(probe: Any, now: datetime) -> Reading:
        await deaf(let_go)
        return await good(probe, now)

    world.answers["m"] = stuck
    async with reading("m", timeout=0.01) as (clock, reader):
        for number in range(4):
            await until(lambda number=number: len(reader.read) > number)  # type: ignore[misc]
            await clock.move(10)
        assert world.most_at_once["m"] == 1
        assert set(reasons(reader.read)) == {Reason.TIMEOUT}
        world.answers["m"] = good
        let_go.set()
        while reader.read[-1][1].values != {"ok": True}:
            await clock.move(10)
            await asyncio.sleep(0.005)


async def test_the_deadline_is_real_against_a_probe_that_swallows_cancellation(world: World) -> None:
    ended = asyncio.Event()

    async def deaf_to_all(probe: Any, now: datetime) -> Reading:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await ended.wait()
        return await good(probe, now)

    world.answers["m"] = deaf_to_all
    async with reading("m", timeout=0.02) as (_, reader):
        await reader.first.wait()
        assert not ended.is_set()
        assert reasons(reader.read) == [Reason.TIMEOUT]
        assert reader.read[0][1].latency_s >= 0.02
        ended.set()


async def test_the_next_read_after_a_timeout_reads_again(world: World) -> None:
    async def slow(probe: Any, now: datetime) -> Reading:
        await asyncio.Event().wait()
        return await good(probe, now)

    world.answers["m"] = slow
    async with reading("m", timeout=0.01) as (clock, reader):
        await reader.first.wait()
        world.answers["m"] = good
        await clock.move(10)
        assert reader.read[-1][1].values == {"ok": True}


@pytest.mark.parametrize(
    "error", [ValueError("password=hunter2"), KeyError("hunter2"), RuntimeError(), OSError(2, "hunter2")]
)
async def test_a_probe_that_raises_is_unknown_and_tells_no_secret(world: World, error: Exception) -> None:
    async def raises(probe: Any, now: datetime) -> Reading:
        raise error

    world.answers["m"] = raises
    async with reading("m") as (clock, reader):
        assert reasons(reader.read) == [Reason.ERROR]
        assert "hunter2" not in repr(reader.read[0][1])
        assert type(error).__name__ in reader.read[0][1].unknown["ok"].detail
        world.answers["m"] = good
        await clock.move(10)
        assert reader.read[-1][1].values == {"ok": True}


@pytest.mark.parametrize("answer", [None, 5, "OK", Reading(datetime(2026, 1, 1), datetime(2026, 1, 1))])
async def test_an_answer_that_is_no_reading_is_unknown_and_the_loop_goes_on(world: World, answer: object) -> None:
    async def odd(probe: Any, now: datetime) -> object:
        return answer

    world.answers["m"] = odd
    async with reading("m") as (clock, reader):
        await clock.move(10)
        assert reasons(reader.read) == [Reason.ERROR] * 2


async def test_throttling_slows_a_probe_down_to_an_eighth_and_it_recovers(world: World) -> None:
    world.answers["m"] = throttled
    async with reading("m", "n") as (clock, reader):
        seen = []
        for _ in range(40):
            seen.append(reader.source.slowed["m"])
            await clock.move(10)
        assert list(dict.fromkeys(seen)) == [2, 4, 8]
        assert 6 <= world.begun["m"] <= 8
        assert world.begun["n"] == 41
        world.answers["m"] = good
        for _ in range(30):
            await clock.move(10)
        assert reader.source.slowed["m"] == 1


async def test_what_timed_out_is_asked_again_soon_and_not_after_its_long_interval(world: World) -> None:
    answers = [Reason.TIMEOUT, None, None]

    async def late_once(probe: Any, now: datetime) -> Reading:
        why = answers.pop(0)
        return probe.blind(now, Unknown(why, "no answer")) if why else await good(probe, now)

    world.answers["m"] = late_once
    async with reading("m", interval=600) as (clock, _):
        await clock.move(15)
        assert world.begun["m"] == 1
        await clock.move(15)
        assert world.begun["m"] == 2
        await clock.move(500)
        assert world.begun["m"] == 2
        await clock.move(100)
        assert world.begun["m"] == 3


async def test_probe_now_wakes_one_probe_or_all(world: World) -> None:
    async with reading("m", "n") as (_, reader):
        reader.source.probe_now("m")
        await settle()
        assert (world.begun["m"], world.begun["n"]) == (2, 1)
        reader.source.probe_now()
        await settle()
        assert (world.begun["m"], world.begun["n"]) == (3, 2)


async def test_probe_now_during_a_read_reads_again_after_it(world: World) -> None:
    gate = asyncio.Event()

    async def waits(probe: Any, now: datetime) -> Reading:
        await gate.wait()
        return await good(probe, now)

    world.answers["m"] = waits
    async with reading("m") as (_, reader):
        reader.source.probe_now("m")
        await settle()
        assert world.begun["m"] == 1
        gate.set()
        await settle()
        assert world.begun["m"] == 2


async def test_pause_stops_reading_and_going_on_reads_at_once(world: World) -> None:
    async with reading("m") as (clock, reader):
        reader.source.toggle_pause()
        assert reader.source.paused
        for _ in range(5):
            await clock.move(10)
        reader.source.probe_now("m")
        await settle()
        assert world.begun["m"] == 1
        reader.source.toggle_pause()
        await settle()
        assert not reader.source.paused
        assert world.begun["m"] == 2


async def test_waiting_s_tells_how_long_the_slowest_read_has_taken(world: World) -> None:
    gate = asyncio.Event()

    async def waits(probe: Any, now: datetime) -> Reading:
        await gate.wait()
        return await good(probe, now)

    world.answers["m"] = waits
    async with reading("m") as (_, reader):
        await until(lambda: reader.source.waiting_s > 0)
        gate.set()
        await settle()
        assert reader.source.waiting_s == 0


async def test_closing_does_not_wait_for_stuck_probes(world: World) -> None:
    let_go = asyncio.Event()

    async def never(probe: Any, now: datetime) -> Reading:
        await deaf(let_go)
        return await good(probe, now)

    clock = HandClock()
    names = [f"p{number}" for number in range(20)]
    world.answers = dict.fromkeys(names, never)
    reader = Reader(live(plan_of(*names), clock))
    await settle()
    await reader.stop()
    assert not let_go.is_set(), "it has closed while they go on"
    assert sorted(world.closed) == sorted(names)
    let_go.set()
    await settle()


async def test_a_probe_whose_close_hangs_or_fails_does_not_keep_the_door(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.fake_world import FakeProbe

    async def close(self: FakeProbe) -> None:
        if self.params.name == "m":
            await asyncio.Event().wait()
        raise OSError("already gone")

    monkeypatch.setattr(FakeProbe, "close", close)
    reader = Reader(live(plan_of("m", "n"), HandClock()))
    await settle()
    await reader.stop()
