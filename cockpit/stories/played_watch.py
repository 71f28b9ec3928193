"""The watch of a played world: the same taking in and deciding as live, in steps of the story's own time.

Live, replayed and tested, a story goes through the same steps: at each, every reading that is due is taken in, what the
story has next happens, and it is decided where anything can have changed. So nothing depends on how fast the machine is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from cockpit.decide.events import Record
from cockpit.decide.situation import Situation
from cockpit.engine.poller import Source
from cockpit.engine.watch import Watch
from cockpit.plan.model import Plan
from cockpit.stories.story_clock import StoryClock
from probes.reading import Reading, Unknown, Value

STEP = timedelta(seconds=5)
"""How far it goes on at once: readings are taken in, and what changes is decided, as exactly as this."""
LONGEST_REST = timedelta(seconds=15)
"""It decides at least so often, also while nothing changes; a whole minute is always one of these moments."""


class TimedSource(Source, Protocol):
    """A source whose readings are there, each due at its moment."""

    @property
    def due(self) -> datetime:
        """When the next reading is due."""
        ...

    def take(self, until: datetime) -> list[tuple[str, Reading]]:
        """Every reading due up to `until`, in the order of their moments."""
        ...


class PlayedWatch(Watch):
    """A watch that goes on by `step`."""

    def __init__(self, plan: Plan, source: TimedSource, clock: StoryClock, record: Record | None = None) -> None:
        super().__init__(plan, source, clock, record)
        self.played = source
        self.story_clock = clock
        self.before_step: list[Callable[[], None]] = []
        """Called at each step before its readings are taken in: what happens in the world."""
        self.after_step: list[Callable[[], None]] = []
        """Called after each decision: what people do."""

        self._began = clock.now()
        self._content: dict[str, tuple[Mapping[str, Value], Mapping[str, Unknown]]] = {}
        self._decided: tuple[datetime | None, int] = None, 0
        """When the next change is foreseen, and how long the record was, by the last decision."""
        self._outcomes: object = None

    def step(self) -> None:
        """Go on by one step; decide if a reading is new, a change is foreseen, somebody stated something, or it is time."""
        now = self.story_clock.at = self.story_clock.at + STEP
        for call in self.before_step:
            call()
        news = False
        for probe, reading in self.played.take(now):
            self.take(probe, reading)
            content = reading.values, reading.unknown
            news = self._content.get(probe) != content or news
            self._content[probe] = content
        foreseen, entries = self._decided
        if (
            news
            or (foreseen is not None and now >= foreseen)
            or entries != len(self.record.entries)
            or not (now - self._began) % LONGEST_REST
        ):
            self.tick()
            for call in self.after_step:
                call()

    def leap(self, until: datetime, rest: timedelta, least: timedelta) -> None:
        """Go on to the next moment at which what is decided can change, `least` from now and `rest` at most; decide there."""
        now, (foreseen, _) = self.story_clock.at, self._decided
        last = min(now + rest, foreseen or until, until)
        while True:
            at = self.story_clock.at = min(
                max(self.played.due, self.story_clock.at + least), max(last, now + least), until
            )
            for probe, reading in self.played.take(at):
                self.take(probe, reading)
            if at >= last or self.board.outcomes(at) != self._outcomes:
                self.tick()
                return

    def tick(self) -> None:
        super().tick()
        self._outcomes = self.board.outcomes(self.story_clock.at)
        self._decided = _next_change(self.situation), len(self.record.entries)

    async def run(self) -> None:
        """Step at the clock's speed until cancelled; decide at once where somebody stated something."""
        try:
            while True:
                loop = asyncio.get_running_loop()
                until = loop.time() + STEP.total_seconds() / self.story_clock.speed
                while (left := until - loop.time()) > 0:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(left):
                            await self._due.wait()
                    if self._due.is_set():
                        self._due.clear()
                        self._due_since = None
                        self.tick()
                        await asyncio.sleep(0)
                self.step()
                await asyncio.sleep(0)
        finally:
            await self.source.close()


def _next_change(situation: Situation) -> datetime | None:
    """When a window ends, or the dwell before GO, if all goes on as it is."""
    moments = [step.eta for step in situation.path_to_go if step.eta is not None]
    for status in (*situation.criteria, *situation.guards):
        moments += [situation.now + left for left in (status.trips_in, status.met_in) if left is not None]
    return min(moments, default=None)
