"""A pool of daemon threads for calls that block.

Not asyncio's own pool: that one makes quitting wait for every call under way. Here a stuck call is left behind with its thread.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")
Job = tuple[Callable[[], Any], "asyncio.Future[Any]", asyncio.AbstractEventLoop]
Jobs = queue.SimpleQueue[Job | None]


class DaemonThreads:
    """At most `size` threads, started as they are needed; they end with the process, whatever they wait for."""

    def __init__(self, size: int = 32, name: str = "probe") -> None:
        self._size = size
        self._name = name
        self._jobs: Jobs = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0
        """Threads that wait, less the jobs that wait for a thread."""

    async def run(self, call: Callable[[], T]) -> T:
        """The call's result. If the caller is cancelled, the result is dropped when it comes."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        with self._lock:
            if self._idle <= 0 and self._threads < self._size:
                name = f"{self._name}-{self._threads + 1}"
                threading.Thread(target=self._work, args=(self._jobs,), name=name, daemon=True).start()
                self._threads += 1
            else:
                self._idle -= 1
            self._jobs.put((call, answer, loop))
        return await answer

    def close(self) -> None:
        """Let idle threads end; busy ones end after their call, or with the process. A later call starts afresh."""
        with self._lock:
            for _ in range(self._threads):
                self._jobs.put(None)
            self._jobs, self._threads, self._idle = queue.SimpleQueue(), 0, 0

    def _work(self, jobs: Jobs) -> None:
        while (job := jobs.get()) is not None:
            call, answer, loop = job
            result, error = None, None
            if not answer.done():  # else the caller left while the job waited: calling would only keep others waiting
                try:
                    result = call()
                except BaseException as caught:  # noqa: BLE001 - handed to whoever awaits it
                    error = caught
            with self._lock:
                if jobs is self._jobs:
                    self._idle += 1
            with suppress(RuntimeError):  # the loop has gone: nobody waits for this any more
                loop.call_soon_threadsafe(_settle, answer, result, error)
            del job, call, answer, loop, result, error  # a thread that waits keeps nothing alive


def _settle(answer: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if answer.done():
        return
    if isinstance(error, StopIteration):
        answer.set_exception(RuntimeError("the call raised StopIteration"))  # a future refuses StopIteration
    elif error is not None:
        answer.set_exception(error)
    else:
        answer.set_result(result)
