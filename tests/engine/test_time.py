"""Order and age come from arrival and from time that really passed: what is done to the machine's clock decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from engine.fake_world import plan_of
from support.clock import START, Machine
from support.sources import NoSource

from cockpit.decide.events import ObserverGap, PhaseBegan
from cockpit.decide.states import State, Word
from cockpit.engine.clock import SLOWED
from cockpit.engine.watch import Watch
from cockpit.plan.model import Phase, Plan
from probes.reading import Reading

EVERY = 10.0
"""Seconds between two polls."""
TWO = timedelta(minutes=2)


def night() -> Plan:
    """One probe, read every ten seconds: a success criterion and a trigger, both for two minutes."""
    plan = plan_of("m")
    criteria, triggers = (
        tuple(replace(each, hold_for=TWO, min_samples=3, clear_for=2 * TWO) for each in found)
        for found in (plan.success_criteria, plan.rollback_triggers)
    )
    return replace(plan, success_criteria=criteria, rollback_triggers=triggers)


class Night:
    """A watch on a machine, polled every ten seconds of true time."""

    def __init__(self, machine: Machine, plan: Plan | None = None) -> None:
        self.machine = machine
        machine.clock.correct()
        self.watch = Watch(plan or night(), NoSource(), machine.clock)
        self.watch.record.append(PhaseBegan(machine.clock.now(), Phase.POST_DEPLOY))
        self.watch.tick()

    def word(self) -> Word:
        return self.watch.situation.verdict.word

    def state(self, subject: str) -> State:
        return self.watch.situation.criterion(subject).state

    def wait(self, seconds: float) -> None:
        """Time passes, and the watch ticks when nothing comes, if more seldom than it does (as on a slow machine)."""
        while seconds > 0:
            self.machine.passed += min(seconds, 2)
            self.watch.tick()
            seconds -= 2

    def poll(self, ok: bool = True) -> None:
        self.wait(EVERY)
        now = self.machine.clock.now()
        self.watch.take("m", Reading(now, now, {"ok": ok}))
        self.watch.tick()

    def polls_until(self, what: Callable[[], bool], ok: bool = True) -> int:
        """How many polls it takes; far more than any window needs is too many."""
        for count in range(1, 200):
            self.poll(ok)
            if what():
                return count
        raise AssertionError("it never was")


SET = [0, -5 * 60, -15 * 60, 2 * 3600, -2 * 3600]
"""Seconds by which somebody sets the machine's clock."""


@pytest.mark.parametrize("by", SET)
def test_a_clock_set_while_it_says_go_hides_nothing_and_delays_nothing(by: float) -> None:
    night = Night(Machine())
    night.polls_until(lambda: night.word() is Word.GO)
    night.machine.set_clock(by)
    night.poll(ok=False)
    assert night.word() is Word.HOLD
    assert night.polls_until(lambda: night.word() is Word.ROLLBACK, ok=False) == 12


@pytest.mark.parametrize("by", SET)
def test_a_clock_set_while_it_proves_proves_nothing_sooner_or_later(by: float) -> None:
    night = Night(Machine())
    for _ in range(4):
        night.poll()
    night.machine.set_clock(by)
    assert night.polls_until(lambda: night.state("fine") is State.MET) == 9


@pytest.mark.parametrize("by", SET)
def test_a_clock_set_within_the_session_makes_nobody_blind(by: float) -> None:
    night = Night(Machine())
    night.polls_until(lambda: night.word() is Word.GO)
    night.machine.set_clock(by)
    for _ in range(3):
        night.poll()
        assert night.word() is Word.GO
        assert all(criterion.unknown is None for criterion in night.watch.situation.criteria)
    assert night.watch.record.all(ObserverGap) == []


@pytest.mark.parametrize("by", SET)
def test_data_grows_old_by_the_time_that_passes(by: float) -> None:
    night = Night(Machine())
    night.polls_until(lambda: night.word() is Word.GO)
    limit = night.watch.plan.probes["m"].stale_after.total_seconds()
    night.machine.set_clock(by)
    night.wait(limit)
    assert night.word() is Word.GO
    night.wait(1)
    assert night.word() is Word.HOLD
    assert night.state("fine") is State.UNKNOWN


@pytest.mark.parametrize("off", [-420, 420])
def test_a_machine_that_is_off_is_put_right_before_anything_is_read(off: float) -> None:
    machine = Machine(off=off)
    for source in ("sts", "ecs", "monitoring"):
        machine.ask_the_time(source=source)
    night = Night(machine)
    assert abs(night.watch.situation.now - machine.true) < timedelta(seconds=1)
    assert f"this machine is 420 s {'behind' if off < 0 else 'ahead of'} AWS" in machine.clock.notice


@pytest.mark.parametrize("off", [-420, 420])
def test_never_go_on_data_too_old_by_true_time_whatever_the_machine_says(off: float) -> None:
    """A metric store whose newest point is older than the limit: by the machine's own clock it could be fresh."""
    machine = Machine(off=off)
    machine.ask_the_time()
    night = Night(machine)
    limit = night.watch.plan.probes["m"].stale_after

    def stored(age: timedelta) -> Word:
        """What two hours of points that are so old when they come are taken for."""
        night.wait(EVERY)
        night.watch.take("m", Reading(machine.clock.now(), machine.true - age, {"ok": True}))
        night.watch.tick()
        return night.word()

    fresh = [stored(limit / 2) for _ in range(40)]
    assert Word.GO in fresh
    assert {stored(limit + timedelta(seconds=EVERY)) for _ in range(40)} >= {Word.HOLD}
    assert night.word() is Word.HOLD


ASLEEP = 600.0
PERIOD = timedelta(minutes=1)


def metric_night() -> Plan:
    """The same, read from a metric store that has a point for every minute."""
    plan = night()
    probes = {name: replace(spec, period=PERIOD) for name, spec in plan.probes.items()}
    criteria, triggers = (
        tuple(replace(each, hold_for=10 * TWO, gap_tolerance=2 * PERIOD, stale_after=4 * PERIOD) for each in found)
        for found in (plan.success_criteria, plan.rollback_triggers)
    )
    return replace(plan, probes=probes, success_criteria=criteria, rollback_triggers=triggers)


class Store:
    """A metric store: every minute's point, the last fifteen with every answer."""

    def __init__(self, night: Night, lost: int = 0) -> None:
        """`lost`: how many minutes of the sleep it has no point for."""
        self.night = night
        self.lost = lost

    def answer(self, *, after_sleep: bool = False) -> None:
        now = self.night.machine.clock.now()
        newest = now.replace(second=0, microsecond=0)
        missing = self.lost if after_sleep else 0
        ends = [newest - back * PERIOD for back in range(14, -1, -1) if not 3 <= back < 3 + missing]
        made = [Reading(now, end, {"ok": True}) for end in ends]
        self.night.watch.take("m", replace(made[-1], earlier=tuple(made[:-1])))
        self.night.watch.tick()


def slept(night: Night) -> None:
    night.machine.passed += ASLEEP
    night.watch.tick()


def test_a_sleep_costs_no_proof_where_the_metric_store_has_every_minute() -> None:
    night = Night(Machine(), metric_night())
    store = Store(night)
    for _ in range(25):
        night.wait(60)
        store.answer()
    assert night.state("fine") is State.MET
    slept(night)
    assert night.watch.record.all(ObserverGap)
    assert night.state("fine") is State.UNKNOWN
    store.answer(after_sleep=True)
    assert night.state("fine") is State.MET


def test_it_costs_the_proof_where_the_store_has_a_hole_and_where_it_was_asked_live() -> None:
    night = Night(Machine(), metric_night())
    store = Store(night, lost=5)
    for _ in range(25):
        night.wait(60)
        store.answer()
    slept(night)
    store.answer(after_sleep=True)
    assert night.state("fine") is State.PROVING
    live = Night(Machine())
    live.polls_until(lambda: live.state("fine") is State.MET)
    slept(live)
    live.poll()
    assert live.state("fine") is State.PROVING


def test_what_is_measured_later_sets_time_forward_at_once_and_says_that_nobody_was_watching() -> None:
    """A virtual machine that was stopped for ten minutes and knows nothing of it."""
    night = Night(Machine())
    night.machine.ask_the_time()
    night.polls_until(lambda: night.word() is Word.GO)
    night.machine.ask_the_time(wrong=600)
    night.watch.tick()
    (gap,) = night.watch.record.all(ObserverGap)
    assert gap.at - gap.since > timedelta(seconds=590)
    assert night.word() is Word.HOLD


def test_what_is_measured_later_never_turns_time_back() -> None:
    night = Night(Machine(off=120))
    night.machine.ask_the_time()
    seen: list[datetime] = []
    night.watch.on_unchanged.append(seen.append)
    ahead = night.watch.situation.now - night.machine.true
    while night.watch.situation.now - night.machine.true > timedelta(seconds=1):
        before = ahead
        night.wait(60)
        ahead = night.watch.situation.now - night.machine.true
        assert timedelta(seconds=5) < before - ahead < timedelta(seconds=7) or ahead < timedelta(seconds=1)
    assert seen == sorted(set(seen))


def test_while_time_is_slowed_live_data_says_go_for_a_tenth_longer_at_most() -> None:
    """A session that learns late that it is ahead goes more slowly."""
    night = Night(Machine(off=420))
    night.polls_until(lambda: night.word() is Word.GO)
    night.machine.ask_the_time()
    night.poll()
    assert night.word() is Word.GO
    night.wait(night.watch.plan.probes["m"].stale_after.total_seconds() / (1 - SLOWED) + 1)
    assert night.word() is Word.HOLD


def test_while_time_is_slowed_data_of_a_store_looks_older_than_it_is_and_never_younger() -> None:
    night = Night(Machine(off=420))
    night.machine.ask_the_time()
    age = night.watch.plan.probes["m"].stale_after + timedelta(seconds=1)
    for _ in range(40):
        night.wait(EVERY)
        night.watch.take("m", Reading(night.machine.clock.now(), night.machine.true - age, {"ok": True}))
        night.watch.tick()
        assert night.state("fine") is State.UNKNOWN


def test_a_session_goes_on_after_what_an_earlier_one_has_seen() -> None:
    machine = Machine(off=-900)
    machine.clock.not_before(START)
    assert machine.clock.now() == START
    machine.passed += 5
    assert machine.clock.now() == START + timedelta(seconds=5)
