"""Waiting for what a test is about: until a condition holds, never for a number of seconds.

`LAST_RESORT_S` only bounds a hang. No test may depend on its size, so a machine many times slower passes too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

LAST_RESORT_S = 300.0
_EVERY_S = 0.01
T = TypeVar("T")


async def until(condition: Callable[[], object], what: str = "") -> None:
    """Poll until `condition()` is true, letting the loop run in between. Raises TimeoutError after the last resort."""
    ends = time.monotonic() + LAST_RESORT_S
    while not condition():
        if time.monotonic() > ends:
            raise TimeoutError(what or "the condition never came true")
        await asyncio.sleep(_EVERY_S)


def wait_until(condition: Callable[[], object], what: str = "") -> None:
    """The same for a test without a loop."""
    ends = time.monotonic() + LAST_RESORT_S
    while not condition():
        if time.monotonic() > ends:
            raise TimeoutError(what or "the condition never came true")
        time.sleep(_EVERY_S)


async def at_last(awaitable: Awaitable[T]) -> T:
    """Its result, however long the machine takes. Raises TimeoutError after the last resort."""
    async with asyncio.timeout(LAST_RESORT_S):
        return await awaitable


async def turns(count: int = 20) -> None:
    """Let everything that is ready to run do so, `count` times over."""
    for _ in range(count):
        await asyncio.sleep(0)
