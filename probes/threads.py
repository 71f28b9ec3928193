"""A pool of daemon threads for calls that block.

Not asyncio's own pool: that one makes quitting wait for every call under way. Here a stuck call is left behind with its thread.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
Job = tuple[Callable[[], Any], "asyncio.Future[Any]", asyncio.AbstractEventLoop]


class DaemonThreads:
    """At most `size` threads, started as they are needed; they end with the process, whatever they wait for."""

    def __init__(self, size: int = 32, name: str = "probe") -> None:
        self._size = size
        self._name = name
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0

    async def run(self, call: Callable[[], T]) -> T:
        """The call's result. If the caller is cancelled, the result is dropped when it comes."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        with self._lock:
            if self._idle <= 0 and self._threads < self._size:
                self._threads += 1
                threading.Thread(target=self._work, name=f"{self._name}-{self._threads}", daemon=True).start()
            else:
                self._idle -= 1
        self._jobs.put((call, answer, loop))
        return await answer

    def close(self) -> None:
        """Let idle threads end; busy ones end after their call, or with the process."""
        for _ in range(self._threads):
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            call, answer, loop = job
            try:
                result, error = call(), None
            except BaseException as caught:  # noqa: BLE001 - handed to whoever awaits it
                result, error = None, caught
            with self._lock:
                self._idle += 1
            try:
                loop.call_soon_threadsafe(_settle, answer, result, error)
            except RuntimeError:
                return  # the loop has gone: nobody waits for this any more


def _settle(answer: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if answer.done():
        return
    if error is not None:
        answer.set_exception(error)
    else:
        answer.set_result(result)
