"""Ending tasks: a cancellation that gets lost is asked for again, and one that is refused does not hold anybody up."""

from __future__ import annotations

import asyncio

from cockpit.engine.tasks import end


async def test_a_task_that_loses_one_cancellation_ends_all_the_same() -> None:
    lost = 0

    async def loses_one() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                lost += 1
                if lost > 1:
                    raise

    task = asyncio.create_task(loses_one())
    await asyncio.sleep(0)
    await end([task])
    assert task.cancelled()
    assert lost == 2


async def test_a_task_that_refuses_to_end_is_left_behind() -> None:
    released = asyncio.Event()

    async def refuses() -> None:
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                continue

    task = asyncio.create_task(refuses())
    await asyncio.sleep(0)
    await end([task])
    assert not task.done()
    released.set()
    await task
