"""A phase in the foreground is left: by a signal, by a second one, or by an error; what was asked for stands in the ledger."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable

import psycopg

from cockpit.console import output
from cockpit.migration import runs
from cockpit.migration.database import Connection
from cockpit.migration.ownerless import advice
from cockpit.migration.states import Wanted
from cockpit.migration.supervisor import ANSWERS_S


def drain_on_signals(drain: Callable[[], None], working: asyncio.Task[str]) -> Callable[[], bool]:
    """The first ctrl-c drains: files in flight finish, nothing is lost. The second leaves at once; workers end by themselves.

    Gives whether it was asked for twice.
    """
    loop = asyncio.get_running_loop()
    asked: list[int] = []

    def ask(number: int) -> None:
        asked.append(number)
        if len(asked) > 1:
            working.cancel()
            return
        drain()
        with contextlib.suppress(OSError):  # the terminal may be what has gone
            output("", "draining: files in flight finish; ctrl-c again to stop at once", err=True)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, ask, number)
    return lambda: len(asked) > 1


async def leave(connection: Connection, run: int, name: str, drain_asked_by: str = "") -> None:
    """Supervise the run no longer, and say in commands that work what can be done about it, if the database answers.

    A drain that was asked for is written first: the supervisor may have been left before its next round wrote it.
    """
    try:
        async with asyncio.timeout(ANSWERS_S):
            await _written(connection, run, drain_asked_by)
            await runs.leave(connection, run, name)
            left = await runs.load(connection, run)
    except (psycopg.Error, runs.RunError, TimeoutError):
        if drain_asked_by:
            output("", f"run {run}: the database does not answer, so whether it drains is not known", err=True)
            output("once it answers, `cockpit migrate drain PLAN` ends the run", err=True)
        return
    if left.ended_at is None:
        output("", advice(left), err=True)


async def _written(connection: Connection, run: int, drain_asked_by: str) -> None:
    if drain_asked_by and (await runs.load(connection, run)).goes_on:
        with contextlib.suppress(runs.RunError):  # it ended meanwhile
            await runs.want(connection, run, Wanted.DRAIN, drain_asked_by)
