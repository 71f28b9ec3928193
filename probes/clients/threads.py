"""Calls that block, in daemon threads: a stuck one is left behind with its thread, and nothing waits for it, not even quitting.

Not asyncio's own pool, which makes quitting wait for every call under way. Event loops begin here too (`run_loop`), so that
what libraries give to that pool, such as looking up a name, goes to daemon threads as well.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")
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


_OTHERS = DaemonThreads(name="work")


async def in_thread(call: Callable[P, T], /, *given: P.args, **named: P.kwargs) -> T:
    """The result of a call that blocks: a file, a key, a store. If the caller is cancelled, it is dropped when it comes."""
    return await _OTHERS.run(partial(call, *given, **named))


def within(seconds: float, call: Callable[[], T]) -> T:
    """The result of a call, for a caller that may block itself. Raises TimeoutError after `seconds`; the call goes on alone."""
    return _begun(call).result(seconds)


def run_loop(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` that ends without waiting for a thread: what libraries run in the loop's own pool is left behind too."""
    with asyncio.Runner(loop_factory=_loop) as runner:
        return runner.run(main)


def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.set_default_executor(_LeftBehind())
    return loop


class _LeftBehind(ThreadPoolExecutor):
    """Stands in for the pool of an event loop, which takes no other class."""

    def submit(self, fn: Callable[P, T], /, *given: P.args, **named: P.kwargs) -> Future[T]:
        return _begun(partial(fn, *given, **named))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """There is nothing to wait for."""


def _begun(call: Callable[[], T]) -> Future[T]:
    """The future result of a call in a daemon thread of its own."""
    answer: Future[T] = Future()

    def work() -> None:
        if not answer.set_running_or_notify_cancel():
            return
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001 - handed to whoever asks for the result
            answer.set_exception(error)
        else:
            answer.set_result(result)

    threading.Thread(target=work, name="left-behind", daemon=True).start()
    return answer
