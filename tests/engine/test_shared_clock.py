"""The clock several processes share: never back, stalls with its driver, one speed for all."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.waiting import LAST_RESORT_S, turns, until

from cockpit.engine import clock as clocks
from cockpit.engine.clock import SessionClock, SharedClock, Sleepers, Stopwatch

START = datetime(2026, 3, 1, 22, 0, tzinfo=UTC)


class Seconds:
    """The machine's monotonic seconds, turned by hand."""

    def __init__(self) -> None:
        self.at = 1000.0

    def monotonic(self) -> float:
        return self.at


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> Seconds:
    hand = Seconds()
    monkeypatch.setattr("cockpit.engine.clock.time.monotonic", hand.monotonic)
    return hand


def elapsed(clock: SharedClock) -> float:
    return (clock.now() - START).total_seconds()


def test_it_begins_on_a_whole_minute_and_runs_at_its_speed(tmp_path: Path, seconds: Seconds) -> None:
    clock = SharedClock.create(tmp_path / "clock", 60, START + timedelta(seconds=37, microseconds=5))
    assert clock.now() == START
    seconds.at += 2
    assert elapsed(clock) == pytest.approx(120)
    assert clock.speed == 60


def test_a_change_of_speed_never_jumps(tmp_path: Path, seconds: Seconds) -> None:
    clock = SharedClock.create(tmp_path / "clock", 60, START)
    seconds.at += 1
    clock.set_speed(1)
    assert elapsed(clock) == pytest.approx(60)
    seconds.at += 1
    assert elapsed(clock) == pytest.approx(61)
    clock.set_speed(0)
    seconds.at += 100
    assert elapsed(clock) == pytest.approx(61)


def test_driven_by_beats_it_stalls_with_its_driver_and_goes_on_with_it(tmp_path: Path, seconds: Seconds) -> None:
    clock = SharedClock.create(tmp_path / "clock", 10, START)
    clock.beat(10, horizon_s=0.5)
    seconds.at += 0.4
    assert elapsed(clock) == pytest.approx(4)
    seconds.at += 10
    assert elapsed(clock) == pytest.approx(5)
    clock.beat(10, horizon_s=0.5)
    seconds.at += 0.1
    assert elapsed(clock) == pytest.approx(6)


def test_all_who_opened_the_file_see_one_time(tmp_path: Path, seconds: Seconds) -> None:
    clock = SharedClock.create(tmp_path / "clock", 10, START)
    other = SharedClock(tmp_path / "clock")
    clock.set_speed(30)
    seconds.at += 1
    assert (other.now(), other.speed) == (clock.now(), 30)


def test_it_never_goes_back_for_anyone_while_its_speed_is_changed(tmp_path: Path) -> None:
    clock = SharedClock.create(tmp_path / "clock", 600, START)
    stop = threading.Event()
    back: list[float] = []
    looks = [0, 0]

    def look(which: int) -> None:
        mine, last = SharedClock(tmp_path / "clock"), START
        while not stop.is_set():
            now = mine.now()
            looks[which] += 1
            if now < last:
                back.append((last - now).total_seconds())
            last = now

    readers = [threading.Thread(target=look, args=(which,)) for which in range(2)]
    for reader in readers:
        reader.start()
    writes = 0
    while writes < 1000 or min(looks) < 1000:
        writes += 1
        clock.beat(600, horizon_s=0.01)
        clock.set_speed(1)
    stop.set()
    for reader in readers:
        reader.join()
    assert back == []


def test_a_writer_that_died_while_writing_hangs_nobody(tmp_path: Path) -> None:
    clock = SharedClock.create(tmp_path / "clock", 10, START)
    other = SharedClock(tmp_path / "clock")
    clock._map[:8] = clocks._SEQUENCE.pack(7)
    assert other.now() >= START
    clock.set_speed(20)
    assert other.speed == 20


def test_another_process_reads_the_same_time(tmp_path: Path) -> None:
    clock = SharedClock.create(tmp_path / "clock", 0, START)
    clock.set_speed(0)
    program = (
        "import sys; from pathlib import Path; from cockpit.engine.clock import SharedClock; "
        "clock = SharedClock(Path(sys.argv[1])); print(clock.now().isoformat(), clock.speed)"
    )
    asked = [sys.executable, "-c", program, str(tmp_path / "clock")]
    said = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=LAST_RESORT_S).stdout.split()
    assert said == [START.isoformat(), "0.0"]


async def test_sleeping_feels_a_change_of_speed_at_once(tmp_path: Path) -> None:
    clock = SharedClock.create(tmp_path / "clock", 1, START)
    sleeping = asyncio.create_task(clock.sleep(timedelta(seconds=60)))
    await asyncio.sleep(0)
    clock.set_speed(10_000)
    await sleeping
    assert elapsed(clock) >= 60


async def test_the_wall_clock_waits_no_negative_time() -> None:
    clock = SessionClock()
    before = clock.now()
    await clock.sleep(timedelta(seconds=-5))
    assert clock.now() >= before
    assert clock.now().tzinfo is not None


class SetClock:
    """A wall clock that somebody sets."""

    speed = 1.0

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 1, 22, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    async def sleep(self, duration: timedelta) -> None:
        raise AssertionError(duration)


def test_a_wall_clock_set_forward_or_back_makes_no_time_pass() -> None:
    clock = SetClock()
    watch = Stopwatch(clock)
    for jump in (2, -2, 2):
        clock.time += timedelta(hours=jump)
        assert timedelta(0) <= watch.passed() < timedelta(hours=1)


async def test_however_many_wait_the_clock_is_looked_at_by_one_timer_and_wakes_those_who_are_due() -> None:
    at, looks = [0.0], [0]
    woken: list[float] = []

    def again(left: float) -> float:
        assert left > 0
        looks[0] += 1
        return 0.0

    async def sleep(seconds: float) -> None:
        await sleepers.sleep(seconds)
        woken.append(seconds)

    sleepers = Sleepers(lambda: at[0], again)
    asleep = [asyncio.create_task(sleep(float(n))) for n in range(60, 0, -1)]
    await turns(3)
    before = looks[0]
    await turns(20)
    assert woken == []
    assert looks[0] - before == pytest.approx(20, abs=2)
    at[0] = 30
    await until(lambda: len(woken) == 30)
    assert woken == sorted(woken)
    asleep[0].cancel()
    at[0] = 59
    await until(lambda: len(woken) == 59)
    await turns(3)
    before = looks[0]
    await turns(20)
    assert looks[0] == before, "nobody waits any more"
    assert asleep[0].cancelled()
