"""Threads for calls that block: never more than agreed, never in the way of quitting, nothing lost."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from support.waiting import LAST_RESORT_S, at_last, until

from cockpit.migration.database import connect
from probes.clients.threads import DaemonThreads, in_thread, run_loop, within

PREFIX = "test-pool"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def pool() -> Iterator[DaemonThreads]:
    threads = DaemonThreads(size=3, name=PREFIX)
    yield threads
    threads.close()
    for thread in threading.enumerate():
        if thread.name.startswith(PREFIX):
            thread.join(LAST_RESORT_S)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    opened = threading.Event()
    yield opened
    opened.set()


def running() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith(PREFIX)}


async def test_a_result_and_an_exception_reach_the_caller(pool: DaemonThreads) -> None:
    assert await pool.run(lambda: 42) == 42

    def fails() -> None:
        raise KeyError("gone")

    with pytest.raises(KeyError, match="gone"):
        await pool.run(fails)
    assert await pool.run(lambda: 43) == 43


async def test_an_exception_that_futures_refuse_is_passed_on_too(pool: DaemonThreads) -> None:
    with pytest.raises(RuntimeError, match="StopIteration"):
        await at_last(pool.run(lambda: next(iter(()))))


async def test_threads_are_started_as_needed_and_used_again(pool: DaemonThreads) -> None:
    assert not running()
    for number in range(5):
        assert await pool.run(partial(int, number)) == number
    assert len(running()) == 1


async def test_never_more_threads_than_agreed_and_every_job_is_done(pool: DaemonThreads, gate: threading.Event) -> None:
    calls = [asyncio.create_task(pool.run(partial(_after, gate, number))) for number in range(20)]
    await until(lambda: len(running()) == 3)
    await asyncio.sleep(0)
    assert len(running()) == 3
    gate.set()
    assert await asyncio.gather(*calls) == list(range(20))
    assert len(running()) == 3


async def test_the_pool_serves_as_well_after_a_rush_as_before(pool: DaemonThreads) -> None:
    for _ in range(20):
        assert await asyncio.gather(*(pool.run(lambda: threading.current_thread().name) for _ in range(10)))
        assert len(running()) <= 3


async def test_what_comes_for_a_caller_who_left_is_dropped(pool: DaemonThreads, gate: threading.Event) -> None:
    waiting = asyncio.create_task(pool.run(lambda: gate.wait(LAST_RESORT_S)))
    await until(running)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.set()
    assert await pool.run(lambda: "next") == "next"


async def test_a_job_whose_caller_left_before_it_began_is_not_done(pool: DaemonThreads, gate: threading.Event) -> None:
    done: list[str] = []
    busy = [asyncio.create_task(pool.run(lambda: gate.wait(LAST_RESORT_S))) for _ in range(3)]
    queued = asyncio.create_task(pool.run(lambda: done.append("queued")))
    await asyncio.sleep(0)
    queued.cancel()
    await asyncio.gather(queued, return_exceptions=True)
    gate.set()
    await asyncio.gather(*busy)
    await pool.run(lambda: None)
    assert done == []


async def test_closing_does_not_wait_and_ends_idle_threads(pool: DaemonThreads, gate: threading.Event) -> None:
    stuck = asyncio.create_task(pool.run(lambda: gate.wait(LAST_RESORT_S)))
    await until(running)
    await pool.run(lambda: None)
    assert len(running()) == 2
    pool.close()
    await until(lambda: len(running()) == 1)
    assert not stuck.done()
    gate.set()
    assert await stuck is True
    await until(lambda: not running())


async def test_a_call_after_closing_starts_afresh(pool: DaemonThreads) -> None:
    await pool.run(lambda: None)
    pool.close()
    assert await at_last(pool.run(lambda: 1)) == 1


def test_a_call_that_outlives_its_event_loop_does_not_cost_the_pool_a_thread(gate: threading.Event) -> None:
    pool = DaemonThreads(size=1, name="outlived")

    async def abandoned() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pool.run(lambda: gate.wait(LAST_RESORT_S)), 0.01)

    asyncio.run(abandoned())
    gate.set()
    assert asyncio.run(at_last(pool.run(lambda: "served"))) == "served"
    pool.close()


def test_the_process_ends_at_once_whatever_its_threads_wait_for() -> None:
    code = """
import asyncio, threading
from cockpit.migration.database import connect
from probes.clients.threads import DaemonThreads, in_thread, run_loop, within
pool = DaemonThreads()
async def main():
    calls = [asyncio.create_task(pool.run(threading.Event().wait)) for _ in range(40)]
    while threading.active_count() < 2:
        await asyncio.sleep(0.01)
    pool.close()
asyncio.run(main())
print("done", flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "done\n"
    assert process.wait(LAST_RESORT_S) == 0
    process.stdout.close()


def _after(gate: threading.Event, number: int) -> int:
    assert gate.wait(LAST_RESORT_S)
    return number


def test_the_end_of_a_loop_waits_for_no_lookup_of_a_library(
    gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()

    def dark(*_: object, **__: object) -> list[object]:
        begun.set()
        gate.wait()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", dark)

    async def ask_and_leave() -> str:
        asking = asyncio.ensure_future(connect("postgresql://u:p@db.example/db"))
        await until(begun.is_set)
        asking.cancel()
        return "left"

    assert run_loop(ask_and_leave()) == "left"
    assert not gate.is_set()


def test_nor_for_a_call_of_our_own(gate: threading.Event) -> None:
    async def ask_and_leave() -> str:
        asking = asyncio.ensure_future(in_thread(gate.wait))
        await asyncio.sleep(0)
        asking.cancel()
        return "left"

    assert run_loop(ask_and_leave()) == "left"


def test_a_library_gets_its_result_and_its_exception() -> None:
    async def ask() -> tuple[int, BaseException | None]:
        fails = asyncio.get_running_loop().run_in_executor(None, int, "no number")
        await asyncio.wait({fails})
        return await asyncio.to_thread(int, "7"), fails.exception()

    number, error = run_loop(ask())
    assert number == 7
    assert isinstance(error, ValueError)


def test_a_call_that_hangs_is_waited_for_so_long_and_no_longer(gate: threading.Event) -> None:
    with pytest.raises(TimeoutError):
        within(0.01, gate.wait)
    assert within(LAST_RESORT_S, lambda: 5) == 5
