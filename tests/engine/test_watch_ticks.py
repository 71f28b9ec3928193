"""The watch: readings in, one Situation a tick, every change told once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from engine.fake_world import START, HandClock, World, good, live, plan_of, world
from support.waiting import at_last

from cockpit.decide.events import Change, Decision, ObserverGap, PhaseBegan
from cockpit.decide.states import State, Word
from cockpit.engine import watch as watching
from cockpit.engine.headless import after, every_probe_answered, watch_until
from cockpit.engine.watch import Watch
from cockpit.plan.model import Phase
from probes.reading import Reading, Reason

__all__ = ["world"]


class Handed:
    """A source into which readings are put by hand."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[tuple[str, Reading]] = asyncio.Queue()
        self.paused = False
        self.slowed: Mapping[str, float] = {}
        self.closed = False

    async def readings(self) -> AsyncIterator[tuple[str, Reading]]:
        while True:
            yield await self.queue.get()

    def of_deployment(self, began: Callable[[], datetime | None]) -> None: ...

    def probe_now(self, probe: str = "") -> None: ...

    def toggle_pause(self) -> None:
        self.paused = not self.paused

    async def close(self) -> None:
        self.closed = True


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def watch(clock: HandClock) -> Watch:
    return Watch(plan_of("m", "n"), Handed(), clock)


def see(watch: Watch, ok: bool = True, late: float = 0) -> None:
    """A reading of m, asked `late` seconds ago, and a tick."""
    when = watch.clock.now() - timedelta(seconds=late)
    watch.board.add("m", Reading(when, when, {"ok": ok}))
    watch.tick()


def told(watch: Watch) -> list[str]:
    return [f"{change.subject} {change.after}" for change in watch.changes()]


def test_there_is_a_situation_from_the_start_with_everything_unknown(watch: Watch) -> None:
    assert watch.situation.verdict.word is Word.HOLD
    assert {c.state for c in watch.situation.criteria} == {State.UNKNOWN}
    assert watch.situation.verdict.exit_code == 3


async def test_each_change_is_told_once(watch: Watch, clock: HandClock) -> None:
    rings: list[int] = []
    watch.on_change.append(lambda: rings.append(1))
    see(watch)
    for _ in range(6):
        await clock.move(10)
        see(watch)
    assert told(watch) == ["fine MET", "gone CLEAR", "verdict GO"]
    assert len(rings) == 2
    await clock.move(10)
    see(watch, ok=False)
    watch.tick()
    watch.tick()
    assert sorted(told(watch)[3:]) == ["fine NOT MET", "gone TRIPPED", "verdict ROLLBACK"]
    assert len(rings) == 3


async def test_the_situation_agrees_with_what_was_told(watch: Watch, clock: HandClock) -> None:
    """What is recorded can change what is decided; the record and the screen must still say the same."""
    see(watch, ok=False)
    await clock.move(10)
    watch.record.append(Decision(clock.now(), "dismiss", "ann", "known"))
    watch.tick()
    await clock.move(10)
    see(watch)
    await clock.move(10)
    watch.record.append(Decision(clock.now(), "dismiss", "ann", "again"))
    await clock.move(1)
    see(watch, ok=False, late=5)
    last = watch.counted().latest(Change, "verdict")
    assert last is not None
    assert last.after == watch.situation.verdict.word == Word.ROLLBACK


def test_a_revision_for_every_situation(watch: Watch) -> None:
    before = watch.revision
    watch.tick()
    assert watch.revision == before + 1


async def test_readings_out_of_order_end_in_the_same_place(clock: HandClock) -> None:
    times = [START + timedelta(seconds=second) for second in (1, 2, 3)]
    made = [Reading(when, when, {"ok": when != times[1]}) for when in times]
    situations = []
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0)):
        watch = Watch(plan_of("m"), Handed(), HandClock())
        watch.clock.time = START + timedelta(seconds=5)  # type: ignore[attr-defined]
        for index in order:
            watch.board.add("m", made[index])
        watch.tick()
        situations.append(watch.situation)
    assert situations[0] == situations[1] == situations[2]
    assert situations[0].verdict.word is Word.ROLLBACK


async def test_a_gap_of_the_observer_is_noticed_and_recorded(watch: Watch, clock: HandClock) -> None:
    see(watch)
    await clock.asleep(120)
    watch.tick()
    (gap,) = watch.record.all(ObserverGap)
    assert (gap.since, gap.at) == (START, clock.now())
    assert watch.situation.criterion("fine").unknown is not None
    assert {c.unknown.reason for c in watch.situation.criteria if c.unknown} == {Reason.OBSERVER_GAP}
    see(watch)
    assert watch.situation.criterion("fine").state is State.MET


async def test_who_asks_right_after_a_gap_is_given_nothing_that_was_judged_before_it(
    watch: Watch, clock: HandClock
) -> None:
    """A supervisor that was stopped judges its guards as soon as it wakes, perhaps before the next tick."""
    see(watch)
    watch.tick()
    assert watch.current() is watch.situation
    await clock.asleep(120)
    assert watch.situation.criterion("fine").unknown is None
    assert watch.current().criterion("fine").unknown is not None


async def test_a_tick_in_time_is_no_gap(watch: Watch, clock: HandClock) -> None:
    await clock.asleep(4)
    watch.tick()
    assert watch.record.all(ObserverGap) == []


async def test_news_waits_visibly_until_it_is_decided_upon(watch: Watch) -> None:
    """A rehearsal's clock goes by it: time must not run on while a reading waits for its decision."""
    assert watch.undecided_s == 0.0
    watch.decide_soon()
    assert watch.undecided_s > 0.0
    running = asyncio.create_task(watch.run())
    await at_last(watch_decided(watch))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def watch_decided(watch: Watch) -> None:
    await revised(watch, lambda: watch.undecided_s == 0.0)


async def test_a_paused_watch_says_so_and_goes_stale(watch: Watch, clock: HandClock) -> None:
    see(watch)
    watch.toggle_pause()
    assert "PAUSED" in watch.notice
    await clock.move(91)
    watch.tick()
    assert watch.situation.criterion("fine").state is State.UNKNOWN


async def test_slowing_down_is_shown(watch: Watch) -> None:
    watch.source.slowed = {"m": 4.0}  # type: ignore[misc]
    assert watch.slowed == {"m": 4.0}


async def revised(watch: Watch, what: Callable[[], bool]) -> None:
    """Let the watch run until something is so; the test's own limit ends what never is."""
    while not what():  # noqa: ASYNC110 - what is waited for has no event of its own
        await asyncio.sleep(0.005)


async def test_a_reading_that_cannot_be_taken_in_stops_nothing(watch: Watch, caplog: pytest.LogCaptureFixture) -> None:
    source = watch.source
    assert isinstance(source, Handed)
    running = asyncio.create_task(watch.run())
    await source.queue.put(("m", Reading(START, START, {"ok": True}, earlier=(None,))))  # type: ignore[arg-type]
    await source.queue.put(("m", Reading(START, START, {"ok": True})))
    await revised(watch, lambda: watch.situation.criterion("fine").state is State.MET)
    assert "could not be taken in" in caplog.text
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert source.closed


async def test_a_reading_is_shown_without_waiting_for_the_next_tick(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "TICK_S", 86_400.0)
    source = watch.source
    assert isinstance(source, Handed)
    running = asyncio.create_task(watch.run())
    first = watch.revision
    await revised(watch, lambda: watch.revision > first)
    await source.queue.put(("m", Reading(START, START, {"ok": True})))
    await revised(watch, lambda: watch.situation.criterion("fine").state is State.MET)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_an_error_of_the_watch_itself_is_raised_not_swallowed(watch: Watch) -> None:
    def broken() -> None:
        raise RuntimeError("the journal's disk is full")

    watch.on_change.append(broken)
    watch.board.add("m", Reading(START, START, {"ok": True}))
    with pytest.raises(RuntimeError, match="disk is full"):
        await at_last(watch.run())


async def test_headless_until_every_probe_answered_and_everything_is_let_go(world: World, clock: HandClock) -> None:
    world.answers["n"] = good
    watch = Watch(plan_of("m", "n"), live(plan_of("m", "n"), clock), clock)
    situation = await at_last(watch_until(watch, every_probe_answered))
    assert [probe.readings for probe in situation.probes] == [1, 1]
    assert sorted(world.closed) == ["m", "n"]


async def test_headless_ends_early_on_a_latched_rollback(watch: Watch) -> None:
    see(watch, ok=False)
    assert after(timedelta(hours=1))(watch.situation)


def test_quitting_a_whole_process_with_stuck_probes_waits_for_none_of_them() -> None:
    """asyncio.run itself waits for every task that is left: a probe that swallows one cancellation must not hold it."""
    asyncio.run(_quit_while_stuck())


async def _quit_while_stuck() -> None:
    clock = HandClock()
    from probes.registry import BUILT_IN

    BUILT_IN["fake"] = "engine.fake_world:FakeProbe"
    try:

        async def deaf_once(probe: object, now: object) -> Reading:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await asyncio.Event().wait()
            raise AssertionError

        from engine.fake_world import WORLD

        WORLD.answers = {"m": deaf_once}
        plan = plan_of("m", timeout=0.01)
        watch = Watch(plan, live(plan, clock), clock)
        await watch_until(watch, every_probe_answered)
        assert watch.situation.criterion("fine").unknown is not None
    finally:
        del BUILT_IN["fake"]
        WORLD.answers = {}


async def test_a_probe_is_told_when_the_deployment_was_begun(world: World, clock: HandClock) -> None:
    told = []

    async def ask(probe: Any, now: datetime) -> Reading:
        told.append(probe.deployment_began())
        return await good(probe, now)

    world.answers["m"] = ask
    source = live(plan_of("m"), clock)
    watch = Watch(source.plan, source, clock)
    await source.loops["m"].read()
    watch.record.append(PhaseBegan(clock.now(), Phase.POST_DEPLOY))
    await source.loops["m"].read()
    assert told == [None, clock.now()]
    await source.close()
