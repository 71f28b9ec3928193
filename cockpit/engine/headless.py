"""Watching without a terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

from cockpit.decide.situation import Situation
from cockpit.engine.tasks import end
from cockpit.engine.watch import Watch


async def watch_until(watch: Watch, done: Callable[[Situation], bool]) -> Situation:
    """Run a watch until `done` says so; the last situation. Errors of the watch itself are raised."""
    running = asyncio.create_task(watch.run(), name="watch")
    try:
        while not running.done() and not done(watch.situation):
            await asyncio.wait({running}, timeout=0.05)
        if running.done():
            running.result()
        return watch.situation
    finally:
        await end((running,))


def every_probe_answered(situation: Situation) -> bool:
    """One round: every probe has been read (or has timed out) at least once."""
    return all(probe.readings > 0 for probe in situation.probes)


def after(duration: timedelta) -> Callable[[Situation], bool]:
    """Done once `duration` has been watched; a latched ROLLBACK is final and ends it early."""

    def done(situation: Situation) -> bool:
        return situation.now - situation.started_at >= duration or situation.verdict.latch is not None

    return done
