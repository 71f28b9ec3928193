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
from cockpit.engine.poller import Source
from cockpit.engine.watch import Watch
from cockpit.plan.model import Plan
from cockpit.stories.next_moment import next_moment
from cockpit.stories.story_clock import StoryClock
from probes.reading import Reading, Unknown, Value

STEP = timedelta(seconds=5)
"""How far it goes on at once: readings are taken in, and what changes is decided, as exactly as this."""
SHORTEST = timedelta(milliseconds=1)
"""A moment so little later is now: what is recorded at one moment is put apart by less, and decided after all of it."""
WATCHED_REST = timedelta(seconds=15)
"""It decides at least so often where somebody watches, who is shown ages and times left as of the last decision."""
UNWATCHED_REST = timedelta(minutes=5)
"""And where nobody does: what changes between is decided at its own step all the same."""


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

    def __init__(
        self,
        plan: Plan,
        source: TimedSource,
        clock: StoryClock,
        record: Record | None = None,
        rest: timedelta = WATCHED_REST,
    ) -> None:
        super().__init__(plan, source, clock, record)
        self.rest = rest
        self.played = source
        self.story_clock = clock
        self.before_step: list[Callable[[], None]] = []
        """Called at each step before its readings are taken in: what happens in the world."""
        self.after_step: list[Callable[[], None]] = []
        """Called after each decision: what people do."""
        self.moments: list[datetime] = []
        """It decides at these too, the next one first: somebody asks then how it stands."""
        self._began = clock.now()
        self._content: dict[str, tuple[Mapping[str, Value], Mapping[str, Unknown]]] = {}
        self._decided: tuple[datetime | None, int] = None, 0
        """When the next change is foreseen, and how long the record was, by the last decision."""
        self._outcomes: Mapping[str, object] = {}
        """What the readings of each probe had come to by then."""
        self._lapse: datetime | None = None
        """Until when they come to that if nothing more is read."""

    def step(self) -> None:
        """Go on by one step; decide if anything can have changed, or it is time."""
        now = self.story_clock.at = self.story_clock.at + STEP
        for call in self.before_step:
            call()
        news = [self._is_news(probe, reading, now) for probe, reading in self.played.take(now)]
        foreseen, entries = self._decided
        if any(news) or entries != len(self.record.entries) or self._is_due(now, foreseen):
            self.tick()
            for call in self.after_step:
                call()

    def _is_news(self, probe: str, reading: Reading, now: datetime) -> bool:
        """Take a reading in: whether it says what the one before did not, or a condition or window comes to something by it."""
        self.take(probe, reading)
        content = reading.values, reading.unknown
        same = self._content.get(probe) == content
        self._content[probe] = content
        return not same or self._outcomes.get(probe) != self.board.outcomes_of(probe, now + SHORTEST)

    def _is_due(self, now: datetime, foreseen: datetime | None) -> bool:
        """Whether it is time, a change is foreseen by now, or something no longer counts that did at the last decision."""
        asked = [moment for moment in self.moments if moment <= now]
        del self.moments[: len(asked)]
        if asked or not (now - self._began) % self.rest or (foreseen is not None and now + SHORTEST >= foreseen):
            return True
        if self._lapse is None or now + SHORTEST <= self._lapse:
            return False
        self._lapse = self.board.next_lapse(now + SHORTEST)
        return self.board.outcomes(now + SHORTEST) != self._outcomes

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
        now = self.situation.now
        self._outcomes, self._lapse = self.board.outcomes(now), self.board.next_lapse(now)
        self._decided = next_moment(self.plan, self.record, self.situation), len(self.record.entries)

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
