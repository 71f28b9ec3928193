"""What the terminal acts through: the desk where a person signs and decides, and the executor of built-in actions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cockpit.actions.executor import Executor
from cockpit.engine.operator_desk import Desk
from cockpit.engine.poller import LiveSource
from cockpit.engine.recording import Recording
from cockpit.engine.tasks import end
from cockpit.engine.watch import Watch


@asynccontextmanager
async def acting(watch: Watch, kept: Recording, who: str) -> AsyncIterator[Executor]:
    """An executor that notes from the start what the service runs. Raises Refused for somebody the plan does not know."""
    assert isinstance(watch.source, LiveSource)
    executor = Executor(Desk(watch, kept, who), watch.source.clients, watch.record, watch.clock)

    async def note() -> None:
        await asyncio.sleep(1.0)  # the screen and the probes first
        await executor.watch_release()

    noting = asyncio.create_task(note(), name="release")
    try:
        yield executor
    finally:
        await end((noting,))
